"""Result files under the published names; the best of several is chosen on validation."""

import csv

import h5py
import numpy as np
import pytest

from hepml.errors import HepmlError
from hepml.training import best_results, train, write_reference_results
from hepml.training.results import results_table

from .conftest import SMALL, plane


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [
        train(output=folder / f"u{n}", progress=False, **plane(), **SMALL | {"units": n, "epochs": n}) for n in (1, 9)
    ]


def test_published_files(runs, tmp_path):
    import keras
    from sklearn.metrics import roc_auc_score

    run = runs[1]
    files = write_reference_results(run, tmp_path)
    name = "feature_x_numLayers_1_units_9_lr_0.0100_dp_0.0000_epochs_9"
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {
        f"x/models/{name}_model.h5",
        f"x/logs/{name}_log.csv",
        f"x/auc/{name}_auc.csv",
        f"x/auc/{name}_fpr.npy",
        f"x/auc/{name}_tpr.npy",
    }
    scores = run.scores()
    y, score = scores.y[scores.held_out], scores.score[scores.held_out, 0]
    auc = float((tmp_path / f"x/auc/{name}_auc.csv").read_text())
    assert auc == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    fpr, tpr = (np.load(tmp_path / f"x/auc/{name}_{kind}.npy") for kind in ("fpr", "tpr"))
    assert np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2) == pytest.approx(auc)
    with (tmp_path / f"x/logs/{name}_log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == list(run.history["val_loss"])
    model = keras.models.load_model(tmp_path / f"x/models/{name}_model.h5", compile=False)
    x = np.float32(plane()["arrays"]["x"])
    np.testing.assert_array_equal(model(x), run.model(x))
    with pytest.raises(HepmlError, match="exists"):
        write_reference_results(run, tmp_path)


def test_a_damaged_run_does_not_hide_the_others(runs, tmp_path, caplog):
    import shutil

    for run in runs:
        shutil.copytree(run.path, tmp_path / run.path.name)
    (tmp_path / "u9" / "scores.h5").write_bytes(b"broken")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "run.json").write_text("[]")
    shutil.copytree(runs[0].path, tmp_path / "short")
    with h5py.File(tmp_path / "short" / "scores.h5", "a") as file:
        weight = file["weight"][:-1]
        del file["weight"]
        file["weight"] = weight
    log = write_reference_results(runs[0], tmp_path / "published")[0].parent.parent / "logs"
    log = next(log.glob("*_log.csv"))
    log.write_text("epoch,loss\n0,0.5\n")
    (best,) = best_results(tmp_path)
    assert best.path == tmp_path / "u1"
    for left_out in (tmp_path / "u9", tmp_path / "none", tmp_path / "short", log):
        assert str(left_out) in caplog.text


@pytest.mark.parametrize("case", ["no test rows", "one class"])
def test_an_area_that_cannot_be_told_hides_nothing(runs, tmp_path, case):
    import shutil

    shutil.copytree(runs[1].path, tmp_path / "u9")
    with h5py.File(tmp_path / "u9" / "scores.h5", "a") as file:
        held_out = file["split"][()] == 2
        file["split"][()] = 0 if case == "no test rows" else file["split"][()]
        file["y"][()] = np.where(held_out, 1.0, file["y"][()])
    (best,) = best_results(tmp_path)
    assert best.auc is None
    assert best.val_loss == runs[1].record["members"][0]["val_loss"]


def test_the_best_is_chosen_on_validation(runs, tmp_path):
    folder = runs[0].path.parent
    (best,) = best_results(folder)
    assert best.path == runs[1].path
    assert best.n_trainings == 2
    assert best.val_loss == min(run.record["members"][0]["val_loss"] for run in runs)
    for run in runs:
        write_reference_results(run, tmp_path)
    # the worse one claims a better test AUC: it is still not chosen
    worse = next(tmp_path.glob("x/auc/*units_1_*_auc.csv"))
    worse.write_text("0.9999\n")
    (published,) = best_results(tmp_path)
    assert "units_9" in published.name
    assert published.auc == pytest.approx(best.auc)
    assert "units_9" in results_table([published])
    with pytest.raises(HepmlError, match="no such folder"):
        best_results(tmp_path / "none")
