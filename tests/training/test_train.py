"""What a training leaves behind is complete, reproducible and the same function as the model."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hepml.errors import HepmlError
from hepml.training import load_run, train

from .conftest import SMALL, plane


def digests(folder):
    from hepml.ledger import sha256_file

    return {p.relative_to(folder): sha256_file(p) for p in folder.rglob("*") if p.is_file() and p.name != "log.txt"}


def test_run_on_real_data_is_complete(data, tmp_path):
    from hepml.dataset import Dataset

    run = train(data, "hl", tmp_path / "run", epochs=6, units=30, layers=2, progress=False)
    dataset = Dataset.open(data)
    scores = run.scores()
    for code, split in enumerate(("train", "valid", "test")):
        np.testing.assert_array_equal(scores.identity[scores.split == code], dataset.column("identity", split))
        raw = dataset.raw("hl", split)
        expected = run.model.predict(raw, verbose=0)[:, 0]
        np.testing.assert_allclose(scores.score[scores.split == code, 0], expected, rtol=1e-5, atol=1e-7)
    (spec,) = run.inputs
    assert spec.variables == dataset.variables("hl")
    assert spec.offset == dataset.scaling["hl"]["offset"]
    assert spec.scale == dataset.scaling["hl"]["scale"]
    np.testing.assert_array_equal(np.float32(spec.minimum), dataset.raw("hl", "train").min(axis=0))
    np.testing.assert_array_equal(np.float32(spec.maximum), dataset.raw("hl", "train").max(axis=0))
    valid = {row.tobytes() for row in dataset.raw("hl", "valid")}
    assert len(spec.reference) == 16
    assert all(row.tobytes() in valid for row in spec.reference)
    assert run.config.units == 30
    assert run.record["config"]["data"] == dataset.checksum
    assert run.record["environment"]["packages"]["keras"]
    assert list(run.history) == ["epoch", "loss", "val_loss", "learning_rate"]
    assert run.history["val_loss"].argmin() == run.record["members"][0]["best_epoch"]
    signal, held_out = scores.y > 0.5, scores.held_out
    assert np.mean(scores.score[held_out & signal]) > np.mean(scores.score[held_out & ~signal]) + 0.3


def test_images_and_vectors_train_from_sparse_storage(data, tmp_path):
    from hepml.dataset import Dataset

    changes = {"filters": 2, "units": 8, "layers": 1, "epochs": 1, "learning_rate": 1e-3}
    run = train(data, "et_and_ht_and_hl", tmp_path / "run", progress=False, **changes)
    dataset, scores = Dataset.open(data), run.scores()
    x = [dataset.raw(spec.name, "test") for spec in run.inputs]
    expected = run.model.predict(x, verbose=0)[:, 0]
    np.testing.assert_allclose(scores.score[scores.split == 2, 0], expected, rtol=1e-4, atol=1e-6)
    assert [spec.name for spec in run.inputs] == ["et", "ht", "hl"]
    assert run.geometry == dataset.geometry
    assert run.inputs[1].reference.shape == (16, 32, 32, 1)


def test_equal_runs_have_equal_bytes(tmp_path):
    for name in ("a", "b"):
        train(output=tmp_path / name, seed=5, progress=False, dropout=0.2, **plane(), **SMALL | {"layers": 2})
    train(output=tmp_path / "c", seed=6, progress=False, dropout=0.2, **plane(), **SMALL | {"layers": 2})
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    weights = [load_run(tmp_path / name).record["members"][0]["weights_sha256"] for name in "ac"]
    assert weights[0] != weights[1]


def test_equal_runs_of_two_processes_have_equal_bytes(tmp_path, request):
    script = """
from hepml.training import train
from tests.training.conftest import SMALL, plane
train(output={output!r}, progress=False, **plane(), **SMALL)
"""
    code = script.format(output=str(tmp_path / "a"))
    subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, capture_output=True, check=True)
    train(output=tmp_path / "b", progress=False, **plane(), **SMALL)  # this process has done other things before
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_run_of_an_older_hepml_is_returned(tmp_path):
    first = train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    del record["config"]["sparse"], record["config"]["settings"]["sparse"]
    path.write_text(json.dumps(record))
    again = train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    assert again.record["members"] == first.record["members"]


def test_data_inside_the_run_folder_are_not_overwritten(data, tmp_path):
    import shutil

    inside = tmp_path / "run" / "data.h5"
    inside.parent.mkdir()
    shutil.copyfile(data, inside)
    with pytest.raises(HepmlError, match="a folder with an input in it"):
        train(inside, features="mass", output=inside.parent, overwrite=True, progress=False)
    assert inside.exists()


def test_record_holds_neither_time_nor_host(tmp_path):
    import socket
    import time

    train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    text = (tmp_path / "run" / "run.json").read_text() + (tmp_path / "run" / "member.json").read_text()
    assert socket.gethostname() not in text.replace('"machine"', "")
    assert time.strftime("%Y-") not in text
    assert str(tmp_path) not in text
    assert socket.gethostname() in (tmp_path / "run" / "log.txt").read_text()


def test_a_finished_run_is_returned_and_another_configuration_refused(tmp_path):
    first = train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    before = digests(tmp_path / "run")
    again = train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    assert again.record == first.record
    assert digests(tmp_path / "run") == before
    with pytest.raises(HepmlError, match=r"settings.units: 8 there, 9 here") as caught:
        train(output=tmp_path / "run", progress=False, **plane(), **SMALL | {"units": 9})
    assert caught.value.exit_code == 1
    with pytest.raises(HepmlError, match="data: "):
        train(output=tmp_path / "run", progress=False, **plane(seed=1), **SMALL)
    with pytest.raises(HepmlError, match="exists") as caught:
        train(output=tmp_path / "run", progress=False, resume=False, **plane(), **SMALL)
    assert caught.value.exit_code == 4
    other = train(output=tmp_path / "run", progress=False, overwrite=True, **plane(), **SMALL | {"units": 9})
    assert other.config.units == 9


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(HepmlError, match="holds no run") as caught:
            train(output=tmp_path / "thesis", overwrite=overwrite, progress=False, **plane(), **SMALL)
        assert caught.value.exit_code == 4
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "x"


def test_folds_score_every_candidate_out_of_fold(data, tmp_path):
    small = {"layers": 1, "units": 8, "epochs": 2}
    run = train(data, "mass", tmp_path / "run", folds=3, seeds=2, progress=False, **small)
    scores = run.scores()
    assert scores.held_out.all()
    assert scores.score.shape == scores.train_score.shape == (len(scores.y), 2)
    assert np.isfinite(scores.score).all()
    assert np.isfinite(scores.train_score).all()
    assert set(scores.fold) == {0, 1, 2}
    assert len(run.record["members"]) == 6
    losses = {member["name"]: member["val_loss"] for member in run.record["members"]}
    assert run.record["best"]["member"] == min(losses, key=losses.get)
    best = run.path / run.record["best"]["member"]
    assert (best / "model.keras").read_bytes() == (run.path / "model.keras").read_bytes()
    with np.load(run.path / "fold1_seed1" / "scores.npz") as file:
        np.testing.assert_array_equal(scores.score[scores.fold == 1, 1], file["score"][scores.fold == 1, 0])
    member = json.loads((run.path / "fold1_seed1" / "member.json").read_text())
    assert member["n_held_out"] == np.sum(scores.fold == 1)
    assert member["n_train"] + member["n_valid"] + member["n_held_out"] == len(scores.y)


def test_weights_may_be_negative_and_classes_balanced(tmp_path):
    toy = plane()
    weight = np.random.default_rng(1).choice([1.0, -0.3], len(toy["y"]), p=[0.8, 0.2])
    weight[toy["y"] == 1] *= 20
    run = train(output=tmp_path / "a", weight=weight, progress=False, **toy, **SMALL)
    flat = train(output=tmp_path / "b", weight=weight, balance=True, progress=False, **toy, **SMALL)
    np.testing.assert_array_equal(run.scores().weight, weight)
    background = toy["y"] == 0
    assert run.scores().score[background].mean() > flat.scores().score[background].mean() + 0.1


def test_bfloat16_trains_a_float32_model(tmp_path):
    run = train(output=tmp_path / "run", precision="mixed_bfloat16", progress=False, **plane(), **SMALL)
    assert {layer.dtype_policy.name for layer in run.model.layers} == {"float32"}


def test_saved_model_loads_with_stock_keras(tmp_path):
    import keras

    run = train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    model = keras.models.load_model(run.path / "model.keras")
    names = {layer.__class__.__module__.split(".")[0] for layer in model.layers}
    assert names == {"keras"}
    assert model.count_params() == run.record["parameters"] == 3 * 8 + 9
