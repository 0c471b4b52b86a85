"""Figures of the bundled sample and of a run on it: physics that must be visible, files that must be there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hepml
from hepml.dataset import Dataset, convert
from hepml.errors import DataError
from hepml.evaluation import Evaluation
from hepml.metrics import auc_error, calibration_curve, confusion_at, make_events, roc_band
from hepml.plots import comparison_figures, dataset_figures, evaluation_figures, mean_image, training_figures


@pytest.fixture(scope="module")
def dataset(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    path = tmp_path_factory.mktemp("figures") / "data.h5"
    convert(sample["electrons"], sample["jets"], path)
    return Dataset.open(path)


def evaluation(dataset: Dataset, name: str, features: str, column: int) -> Evaluation:
    """What an evaluation of a one-variable "model" on the test split would hold."""
    y = dataset.y("test").astype(np.float64)
    values = dataset.raw("hl", "test")[:, column].astype(np.float64)
    score = np.clip(1 - values / values.max(), 0, 1)
    events = make_events(score, y, dataset.column("weight", "test"), dataset.column("group", "test"))
    cut = float(np.quantile(score[y == 1], 0.2))
    return Evaluation(
        name=name,
        features=features,
        task="binary",
        selection=None,
        reweighted=False,
        part="test",
        folds=0,
        seeds=(0,),
        n_signal=int(np.sum(y == 1)),
        n_background=int(np.sum(y == 0)),
        auc=auc_error(events),
        roc=roc_band(events, n=50, seed=0, name=name),
        calibration=calibration_curve(events),
        confusion=confusion_at(events, cut, 0.8),
        events=events,
        identity=dataset.column("identity", "test"),
        history={"epoch": np.arange(3.0), "loss": np.array([0.6, 0.4, 0.3]), "val_loss": np.array([0.6, 0.5, 0.5])},
    )


def test_the_hottest_cell_is_in_the_middle(sample: dict[str, Path]) -> None:
    for name in ("electrons", "jets"):
        images = hepml.make_images(hepml.select_candidates(hepml.open_events(sample[name], entry_stop=200)))
        mean = mean_image(images.sparse["et"])
        assert np.unravel_index(np.argmax(mean), mean.shape) == (15, 15)
        np.testing.assert_allclose(mean, mean_image(images.ecal_et), rtol=1e-5, atol=1e-9)


def test_the_inputs_of_a_data_file(dataset: Dataset, tmp_path: Path) -> None:
    written = dataset_figures(dataset, tmp_path, splits=("train",), names=("Electrons", "Jets"))
    assert sorted(written) == ["images", "images_energy", "kinematics", "variables", "variables_published"]
    assert all(path.exists() for paths in written.values() for path in paths)
    tables = json.loads((tmp_path / "images.json").read_text())["tables"]
    assert [table["name"][-2:] for table in tables] == ["et", "ht"]
    y = dataset.y("train")
    assert tables[0]["facts"] == {"signal": int(np.sum(y == 1)), "background": int(np.sum(y == 0))}
    signal, background = (np.array(column["values"]) for column in tables[0]["columns"][2:4])
    shares = [mean.reshape(31, 31)[14:17, 14:17].sum() / mean.sum() for mean in (signal, background)]
    assert shares[0] > shares[1]  # electrons are narrower
    hcal = [sum(column["values"]) for column in tables[1]["columns"][2:4]]
    assert hcal[1] > 3 * hcal[0]  # and leave little in the HCal
    names = [table["name"] for table in json.loads((tmp_path / "variables.json").read_text())["tables"]]
    assert names[:2] == ["distribution r_had", "distribution w_eta2"]


def test_all_figures_of_an_evaluation(dataset: Dataset, tmp_path: Path) -> None:
    result = evaluation(dataset, "narrow", "et_and_ht_and_hl", 5)
    written = evaluation_figures(result, dataset, tmp_path / "new", names=("Electrons", "Jets"))
    assert sorted(written) == [
        "calibration", "confusion", "history", "images", "roc", "scores", "variables", "variables_published"
    ]  # fmt: skip
    assert len(list((tmp_path / "new").iterdir())) == 3 * len(written)


def test_models_compared(dataset: Dataset, tmp_path: Path) -> None:
    both = [evaluation(dataset, "r_had", "hl", 0), evaluation(dataset, "cone", "hl", 5)]
    written = comparison_figures(both, tmp_path, published={"Published": [(0.8, 13.9)]})
    assert sorted(written) == ["calibration", "roc"]
    with pytest.raises(DataError, match="different names"):
        comparison_figures([both[0], both[0]], tmp_path)


def test_another_data_file_is_noticed(dataset: Dataset, tmp_path: Path) -> None:
    from dataclasses import replace

    result = evaluation(dataset, "r_had", "hl", 0)
    assert result.identity is not None
    with pytest.raises(DataError, match="do not hold the evaluated candidates"):
        evaluation_figures(replace(result, identity=result.identity + np.uint64(1)), dataset, tmp_path)
    assert not list(tmp_path.iterdir())


def test_loss_curves_of_a_run(tmp_path: Path) -> None:
    class Folds:
        history = {"epoch": np.arange(2.0), "loss": np.array([0.6, 0.5])}  # noqa: RUF012
        histories = {"fold0_seed0": history, "fold1_seed0": history}  # noqa: RUF012

    written = training_figures(Folds(), tmp_path)  # type: ignore[arg-type]
    assert sorted(written) == ["history", "history_fold0_seed0", "history_fold1_seed0"]
    table = json.loads((tmp_path / "history.json").read_text())["tables"][0]
    assert table["columns"][0]["values"] == [1.0, 2.0]  # from 1, as the training prints them
    assert table["facts"]["best_epoch"] == 2
