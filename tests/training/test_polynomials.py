"""The input `efp`: polynomials by name or position, in loaders, trainings, evaluations and their variations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run

import hepml
from hepml.dataset import Dataset
from hepml.dataset.efp_input import fitting
from hepml.dataset.scaling import apply_scaling, fit_flat
from hepml.errors import DataError, SchemaError, TrainingError
from hepml.evaluation import evaluate, vary

NAMES = ("et_efp_2_1_0_k_1_b_0.5", "ht_efp_3_2_0_k_0.5_b_1", "et_efp_1_0_0_k_2_b_1", "et_efp_4_3_0_k_-1_b_1")
QUICK: dict[str, Any] = {"layers": 1, "units": 8, "epochs": 3, "learning_rate": 0.01, "progress": False}


@pytest.fixture(scope="module")
def efps(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("efps") / "efps.h5"
    grid = {"graphs": ("1_0_0", "2_1_0", "3_2_0", "4_3_0"), "kappa": (-1, 0.5, 1, 2), "beta": (0.5, 1)}
    hepml.write_efps(data, path, **grid)
    return path


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> hepml.Run:
    return hepml.train(data, "hl_and_efp", tmp_path_factory.mktemp("runs") / "run", efp_names=NAMES, **QUICK)


def right(data: Path, split: str) -> np.ndarray:
    dataset = Dataset.open(data)
    columns = []
    for name in NAMES:
        token, graph = name[:2], "_".join(name.split("_")[2:5])
        kappa, beta = map(float, name.split("_k_")[1].split("_b_"))
        calorimeter = {"et": "ecal", "ht": "hcal"}[token]
        columns.append(hepml.efp(dataset.raw(token, split), graph, kappa, beta, calorimeter).values[:, 0])
    return np.stack(columns, axis=1).astype(np.float32)


def test_the_loaders_give_them(data: Path, efps: Path) -> None:
    names = hepml.EFPFile.open(efps).names
    stored = hepml.EFPFile.open(efps)
    by_name = {"path": data, "efp_names": NAMES}
    positions = [names.index(stored.resolve(name)) for name in NAMES]
    raw = hepml.load_data("efp", "test", only_x=True, unscaled=True, **by_name)
    assert (raw.dtype, raw.shape) == (np.float32, (Dataset.open(data).n("test"), 4))
    np.testing.assert_allclose(raw, right(data, "test"), rtol=1e-6)
    constants = fit_flat(right(data, "train"))
    x, y = hepml.load_data("efp", "test", **by_name)
    np.testing.assert_allclose(x, apply_scaling(right(data, "test"), constants), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(y, Dataset.open(data).y("test"))
    for how in ({"efp_positions": positions}, {"efp_names": NAMES}):
        values = hepml.load_data("efp", "test", True, True, path=data, efps=efps, **how)
        np.testing.assert_allclose(values, raw, rtol=2e-7)
    (hl, efp), _ = hepml.load_combined_data("efp_and_hl", "valid", True, **by_name)
    assert (hl.shape[1], efp.shape[1]) == (7, 4)
    with pytest.raises(DataError, match="--efp-names"):
        hepml.load_data("efp", "test", path=data)
    with pytest.raises(SchemaError, match="--efps"):
        hepml.load_data("efp", "test", path=data, efp_positions=(0,))


def test_a_network_takes_them_raw_and_knows_their_names(data: Path, trained: hepml.Run) -> None:
    spec = trained.inputs[1]
    assert (trained.features, spec.name, spec.variables, trained.efp_names) == ("hl_and_efp", "efp", NAMES, NAMES)
    values = right(data, "train").astype(np.float64)
    np.testing.assert_allclose(spec.offset, -values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(spec.scale, 1 / values.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(spec.maximum, values.max(axis=0), rtol=1e-6)
    dataset = Dataset.open(data)
    x = [dataset.raw("hl", "test"), dataset.with_efp(trained.efp_names).raw("efp", "test")]
    scores = trained.scores()
    np.testing.assert_allclose(trained.model.predict(x, verbose=0), scores.score[scores.split == 2], atol=1e-6)


def test_positions_and_names_are_one_training(data: Path, efps: Path, trained: hepml.Run, tmp_path: Path) -> None:
    stored = hepml.EFPFile.open(efps)
    kept = tuple(stored.resolve(name) for name in NAMES)
    positions = ",".join(str(stored.names.index(name)) for name in kept)
    options = ("--features", "hl_and_efp", "--set", "layers=1", "--set", "units=8", "--epochs", 3, "--quiet",
               "--set", "learning_rate=0.01")  # fmt: skip
    out = tmp_path / "run"
    assert run("train", data, "-o", out, *options, "--efp-positions", positions, "--efps", efps) == 0
    found = hepml.load_run(out)
    assert found.efp_names == kept
    np.testing.assert_allclose(found.scores().score, trained.scores().score, atol=1e-4)
    before = (out / "scores.h5").read_bytes()
    assert run("train", data, "-o", out, *options, "--efp-names", ",".join(kept)) == 0  # the run that is there
    assert (out / "scores.h5").read_bytes() == before
    assert run("train", data, "-o", out, *options, "--efp-names", kept[0]) == 1
    with pytest.raises(TrainingError, match="efp: "):
        hepml.train(data, "hl_and_efp", out, efp_names=kept[:2], **QUICK)


def test_it_is_evaluated_with_the_data_alone(
    data: Path, trained: hepml.Run, sample: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", trained.path, data, "--bootstrap", 20, "--quiet", "--json", "--no-figures") == 0
    assert 0.7 < json.loads(capsys.readouterr().out)["auc"]["value"] < 1
    result = vary(evaluate(trained, data, bootstrap=20), trained, data, "scale=1.05", bootstrap=20,
                  towers=[*sample.values()])  # fmt: skip
    assert result.systematics[0].signal[0].change != 0


def test_folds_hold_every_candidate_out(data: Path, tmp_path: Path) -> None:
    found = hepml.train(data, "efp", tmp_path / "run", efp_names=NAMES[:2], folds=2, **QUICK)
    assert found.scores().held_out.all()
    assert evaluate(found, data, bootstrap=20).part == "out-of-fold"
    assert [member["name"] for member in found.record["members"]] == ["fold0_seed0", "fold1_seed0"]


@pytest.mark.parametrize(
    ("features", "options", "problem"),
    [
        ("efp", {}, "needs polynomials"),
        ("hl", {"efp_names": NAMES}, "no input takes"),
        ("efp", {"efp_names": ("et_efp_2_1_1_k_1_b_1",)}, "no graph is named"),
        ("efp", {"efp_names": (NAMES[0], NAMES[0])}, "named twice"),
        ("efp", {"efp_names": NAMES, "efp_positions": (1,)}, "both given"),
        ("efp", {"efp_positions": (1,)}, "count the columns"),
        ("efp", {"efp_names": ("et_efp_8_7_0_k_-20_b_1",)}, "float32"),
    ],
)
def test_what_cannot_be_is_refused(data: Path, tmp_path: Path, features: str, options: Any, problem: str) -> None:
    with pytest.raises((SchemaError, DataError), match=problem):
        hepml.train(data, features, tmp_path / "run", **options, **QUICK)
    assert not (tmp_path / "run").exists()


def test_what_float32_cannot_hold_is_named() -> None:
    values = np.random.default_rng(0).normal(1, 0.1, (50, 3))
    names = ("a", "b", "c")
    assert fitting(values, names, "", vary=True).dtype == np.float32
    fitting(np.ones((50, 1)), names, "", vary=True)  # a constant is one
    for factor in (1e38, 1e-30, np.nan, np.inf):
        with pytest.raises(DataError, match="'b'"):
            fitting(values * [1, factor, 1], names, "", vary=True)
    fitting(values * [1, 1e-30, 1], names, "")
