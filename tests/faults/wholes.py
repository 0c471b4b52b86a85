"""A whole file or folder of every kind that hepml reads, made once, to be damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras2_files
import numpy as np
import pytest
from faults.outcomes import run
from faults.root_files import content, layout, write

__all__ = ["TRAINING", "make_wholes"]

TRAINING = {"layers": 1, "units": 8, "epochs": 3}


def make_wholes(folder: Path, data: Path, trained: Path) -> dict[str, Path]:
    """Name -> path, see `faults.places`; `data` lies beside its inputs s.root and b.root."""

    def do(*arguments: object) -> None:
        done = run(*arguments)
        assert done.code == 0, done.err

    at = {"data": data, "converted": data.parent, "root": data.parent / "s.root", "jets": data.parent / "b.root"}
    at["run"] = folder / "run"
    shutil.copytree(trained, at["run"])
    do("evaluate", at["run"], data, "--no-figures", "--bootstrap", 10, "--quiet")
    at["keras"] = at["run"] / "model.keras"
    at["net"] = folder / "net.json"
    do("export", at["run"], "-o", at["net"])
    at["folds"] = folder / "folds"
    at["folds"].mkdir()
    for number in range(2):
        document = json.loads(at["net"].read_text())
        document["hepml"]["fold"] = {"number": number, "of": 2, "group": None}
        (at["folds"] / f"fold_{number}.json").write_text(json.dumps(document))
    at["other"] = folder / "other.h5"
    for name, seed in (("signal", 3), ("background", 4)):
        write(folder / f"{name}.root", content(100, seed))
    do("convert", "--signal", folder / "signal.root", "--background", folder / "background.root", "-o", at["other"])
    at["npz"] = folder / "x.npz"
    np.savez(at["npz"], hl=np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32))
    at["counts"] = folder / "counts.json"
    do("monitor", at["net"], data, "--counts", at["counts"], "--split", "train")
    at["scores"] = folder / "scores.root"
    do("apply", at["net"], at["root"], "-o", at["scores"], "--quiet")
    at |= _keras2(folder) | _texts(folder, at)
    do("run", at["analysis"], "convert", "--quiet")
    at["workflow"] = folder / "out"
    at["begun"] = _begun(folder / "begun", data)
    at["booster"] = _booster(folder / "trees.ubj")
    return at


def _keras2(folder: Path) -> dict[str, Path]:
    architecture = keras2_files.sequential(
        [
            keras2_files.layer("Dense", "d", units=1, activation="sigmoid", use_bias=True, batch_input_shape=[None, 2]),
        ]
    )
    arrays = {"d": keras2_files.kernel_and_bias("d", np.ones((2, 1)), np.zeros(1))}
    (one, weights) = keras2_files.write(folder / "keras2", architecture, arrays)
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(architecture)
        file.attrs["keras_version"] = "2.10.0"
        keras2_files.write_arrays(file.create_group("model_weights"), arrays)
    variables = folder / "variables.json"
    variables.write_text(
        json.dumps(
            {
                "inputs": [{"name": name, "offset": 0, "scale": 1} for name in "ab"],
                "class_labels": ["signal"],
            }
        )
    )
    return {"architecture": one, "weights": weights, "model2": folder / "model.h5", "variables": variables}


def _texts(folder: Path, at: dict[str, Path]) -> dict[str, Path]:
    samples, sums, analysis = folder / "samples.yaml", folder / "SHA256SUMS", folder / "analysis.yaml"
    samples.write_text(
        "format: hepml-samples\nversion: 1\ntask: binary\nsamples:\n"
        f"  - {{name: s, files: ['{at['root']}'], label: 1}}\n  - {{name: b, files: ['{at['jets']}'], label: 0}}\n"
    )
    sums.write_text(
        "".join(f"{hashlib.sha256(at[name].read_bytes()).hexdigest()}  {at[name]}\n" for name in ("jets", "root"))
    )
    analysis.write_text(
        "format: hepml-analysis\nversion: 1\noutput: out\n"
        f"inputs: {{main: {{signal: '{at['root']}', background: '{at['jets']}'}}}}\n"
        "models: {hl: {features: hl}}\n"
    )
    return {"samples": samples, "sums": sums, "analysis": analysis, "layout": layout(folder)}


def _begun(path: Path, data: Path) -> Path:
    """A training that was interrupted after its second epoch."""
    import hepml
    from hepml.training import watch

    def stop(step: Any) -> None:
        if step.epoch == 2 and not step.batch:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "CHECKPOINT_SECONDS", -1.0)
        with pytest.raises(KeyboardInterrupt):
            hepml.train(data, "hl", path, progress=stop, **TRAINING)
    return path


def _booster(path: Path) -> Path:
    import xgboost

    x = np.random.default_rng(2).normal(size=(50, 3))
    xgboost.XGBClassifier(n_estimators=2).fit(x, x[:, 0] > 0).save_model(path)
    return path
