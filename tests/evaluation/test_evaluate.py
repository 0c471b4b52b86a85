import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hepml.dataset import SPLITS, Dataset
from hepml.errors import DataError, VerificationError
from hepml.evaluation import compare, evaluate
from hepml.training import load_run
from hepml.training.run import write_scores

QUICK = {"bootstrap": 60}


def test_only_the_test_split_is_evaluated(data, runs):
    found = evaluate(runs / "plain", data, **QUICK)
    scores = load_run(runs / "plain").scores()
    test = scores.split == 2
    assert found.part == "test"
    assert found.n_signal + found.n_background == test.sum() == Dataset.open(data).n("test")
    np.testing.assert_array_equal(found.identity, scores.identity[test])
    assert found.auc.value == pytest.approx(roc_auc_score(scores.y[test], scores.score[test, 0]))
    assert found.auc.seeds == (found.auc.value,)
    assert found.auc.spread is None


def test_every_part_of_the_result_is_there_and_becomes_json(data, runs):
    found = evaluate(runs / "plain", data, **QUICK)
    assert [p.signal_efficiency for p in found.working_points] == [0.5, 0.7, 0.8, 0.9, 0.95]
    assert {c.name for c in found.classes} == {"heavy_flavour", "conversion", "hadron"}
    assert sum(c.count for c in found.classes) == found.n_background
    assert {(b.name, b.quantity) for b in found.binned} == {
        (name, quantity) for name in ("pt", "eta", "pileup") for quantity in ("signal_efficiency", "rejection")
    }
    for profile in found.binned:
        label = found.n_signal if profile.quantity == "signal_efficiency" else found.n_background
        assert 0.97 * label <= profile.count.sum() <= label
    assert found.n_effective is None
    assert found.confusion.counts.sum() == found.n_signal + found.n_background
    assert found.confusion.recall[1] == pytest.approx(0.8, abs=0.08)
    assert found.point(0.8).signal_efficiency == 0.8
    with pytest.raises(DataError, match=r"0\.85 was evaluated(.|\n)*0\.5, 0\.7, 0\.8, 0\.9, 0\.95"):
        found.point(0.85)
    text = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert text["auc"]["value"] == found.auc.value
    assert not {"events", "train", "identity", "history"} & set(text)
    assert list(found.history) == ["epoch", "loss", "val_loss", "learning_rate"]


def test_thresholds_come_from_the_validation_split(data, runs):
    found = evaluate(runs / "plain", data, **QUICK)
    scores = load_run(runs / "plain").scores()
    signal = scores.score[(scores.split == 1) & (scores.y == 1), 0]
    for cut in (t for t in found.thresholds if t.pt is None):
        assert np.mean(signal >= cut.threshold) == pytest.approx(cut.signal_efficiency, abs=1 / len(signal))
        assert np.float32(cut.threshold) == cut.threshold  # what C++ compares in float32 is this very number
    assert found.confusion.threshold == next(t.threshold for t in found.thresholds if t.signal_efficiency == 0.8)
    # a selection and a reweighting change the numbers, not the stored thresholds
    hard = evaluate(runs / "plain", data, selection="hard", reweight=True, **QUICK)
    assert hard.thresholds == found.thresholds


def test_selection_is_a_subset_of_the_test_split(data, runs):
    found, full = (evaluate(runs / "plain", data, selection=s, **QUICK) for s in ("hard", None))
    dataset = Dataset.open(data)
    kept = dataset.column("hard", "test") == 1
    np.testing.assert_array_equal(found.identity, dataset.column("identity", "test")[kept])
    assert found.n_background < 0.5 * full.n_background
    with pytest.raises(DataError, match="hrad") as error:
        evaluate(runs / "plain", data, selection="hrad", **QUICK)
    assert "'hard'" in str(error.value)


def test_folds_evaluate_everything_out_of_fold_and_the_stored_network_gives_the_thresholds(data, runs):
    found = evaluate(runs / "folds", data, **QUICK)
    scores = load_run(runs / "folds").scores()
    assert found.part == "out-of-fold"
    assert len(found.events) == len(scores.y)
    assert found.auc.value == pytest.approx(roc_auc_score(scores.y, scores.score[:, 0]))
    held = (scores.fold == 1) & (scores.y == 1)
    cut = next(t for t in found.thresholds if t.pt is None and t.signal_efficiency == 0.9)
    assert np.mean(scores.score[held, 0] >= cut.threshold) == pytest.approx(0.9, abs=1 / held.sum())
    assert found.overtraining.paired
    assert found.overtraining.auc.lower > 0
    assert any("upper estimate" in note for note in found.notes)


def test_seeds_have_a_spread(data, runs):
    found = evaluate(runs / "seeds", data, **QUICK)
    scores = load_run(runs / "seeds").scores()
    test = scores.split == 2
    values = [roc_auc_score(scores.y[test], scores.score[test, i]) for i in range(3)]
    np.testing.assert_allclose(found.auc.seeds, values)
    assert found.auc.mean == pytest.approx(np.mean(values))
    assert found.auc.spread == pytest.approx(np.std(values, ddof=1))
    assert all(len(p.seeds) == 3 and p.spread > 0 for p in found.working_points)
    assert found.overtraining.auc.lower > 0
    assert found.overtraining.auc.train > found.overtraining.auc.test


def test_weights_are_used_and_effective_numbers_reported(make, tmp_path):
    data = make.data(tmp_path / "data.h5", weighted=True)
    make.run(tmp_path / "run", data)
    found = evaluate(tmp_path / "run", data, **QUICK)
    dataset = Dataset.open(data)
    score = load_run(tmp_path / "run").scores().score[-dataset.n("test") :, 0]
    y, weight = dataset.y("test"), dataset.column("weight", "test")
    order = np.argsort(score)
    below = np.cumsum(np.where(y == 0, weight, 0)[order]) / weight[y == 0].sum()
    signal = y[order] == 1
    expected = np.sum(weight[order][signal] * below[signal]) / weight[y == 1].sum()
    assert found.auc.value == pytest.approx(expected, abs=1e-9)
    assert found.n_effective[1] < found.n_background
    assert found.point(0.9).n_effective is not None


def test_reweighting_removes_what_pt_alone_separates(data, runs):
    found = evaluate(runs / "plain", data, reweight=True, **QUICK)
    assert found.reweighted
    assert any("N_eff" in note for note in found.notes)
    assert found.n_effective[1] < found.n_background


def test_paired_comparison_over_common_candidates(data, runs):
    plain, worse, folds = (evaluate(runs / name, data, **QUICK) for name in ("plain", "worse", "folds"))
    found = compare([plain, worse, folds], bootstrap=60)
    assert [(c.first, c.second) for c in found] == [("plain", "worse"), ("plain", "folds"), ("worse", "folds")]
    assert found[0].auc_difference == pytest.approx(plain.auc.value - worse.auc.value)
    assert found[0].auc_difference > 3 * found[0].auc_error
    assert found[0].rejections[2].ratio == pytest.approx(plain.point(0.8).rejection / worse.point(0.8).rejection)
    assert {c.n for c in found} == {len(plain.events)}
    assert compare([plain]) == ()
    with pytest.raises(DataError, match="not evaluated alike"):
        compare([plain, replace(worse, selection="hard")])


def test_means_over_seeds_are_compared_too(data, runs):
    seeds, plain, folds = (evaluate(runs / name, data, **QUICK) for name in ("seeds", "plain", "folds"))
    found = compare([seeds, plain, folds], bootstrap=20)
    assert found[0].seeds_difference == pytest.approx(seeds.auc.mean - plain.auc.value)
    assert found[0].seeds_error == pytest.approx(seeds.auc.spread / np.sqrt(3))
    assert found[1].seeds_difference is None  # other candidates


def test_other_data_are_refused(make, runs, tmp_path):
    other = make.data(tmp_path / "other.h5", seed=5)
    with pytest.raises(VerificationError, match="not those of the run") as error:
        evaluate(runs / "plain", other, **QUICK)
    assert error.value.exit_code == 3


def test_candidates_that_were_trained_on_are_refused(make, data, tmp_path):
    folder = make.run(tmp_path / "run", data)
    scores = load_run(folder).scores()
    for wrong in ({"split": np.roll(scores.split, 1)}, {"identity": np.roll(scores.identity, 1)}):
        write_scores(folder / "scores.h5", replace(scores, **wrong))
        with pytest.raises(VerificationError, match="do not match"):
            evaluate(folder, data, **QUICK)
    folds = make.run(tmp_path / "folds", data, folds=5)
    scores = load_run(folds).scores()
    write_scores(folds / "scores.h5", replace(scores, fold=np.roll(scores.fold, 1)))
    with pytest.raises(DataError, match="trained on"):
        evaluate(folds, data, **QUICK)


def test_relatives_in_the_training_split_are_refused(data, runs, monkeypatch):
    column = Dataset.column

    def shared(self, name, split):
        values = column(self, name, split).copy()
        if name == "group" and split != "valid":
            values[:5] = np.arange(5)
        return values

    monkeypatch.setattr(Dataset, "column", shared)
    with pytest.raises(DataError, match="relatives") as error:
        evaluate(runs / "plain", data, **QUICK)
    assert "5 of" in str(error.value)


def test_several_classes(make, tmp_path):
    data = make.data(tmp_path / "data.h5", kind="classes")
    found = evaluate(make.run(tmp_path / "run", data), data, **QUICK)
    assert set(found.multiclass.auc) == {"e", "mu", "jet"}
    assert found.multiclass.confusion.counts.sum() == Dataset.open(data).n("test")
    assert found.auc is None
    assert "two classes" in found.notes[0]
    with pytest.raises(DataError, match="two-class"):
        compare([found, found])


def test_regression(make, tmp_path):
    data = make.data(tmp_path / "data.h5", kind="regression")
    found = evaluate(make.run(tmp_path / "run", data), data, **QUICK)
    energy = found.regression["energy"]
    assert energy.bias == pytest.approx(0.2, abs=5 * energy.bias_error)
    assert energy.resolution == pytest.approx(0.3, rel=0.15)
    assert "regression" in found.notes[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_constant_scores_are_said_to_be(make, data, tmp_path):
    folder = make.run(tmp_path / "run", data)
    scores = load_run(folder).scores()
    write_scores(folder / "scores.h5", replace(scores, score=np.full_like(scores.score, 0.5)))
    found = evaluate(folder, data, **QUICK)
    assert found.auc.value == 0.5
    assert any("constant" in note for note in found.notes)


def test_independent_data_are_scored_by_the_stored_network_and_must_be_new(make, tmp_path):
    from hepml.training import train

    data, other = make.data(tmp_path / "data.h5", 1500), make.data(tmp_path / "other.h5", 1000, seed=7)
    run = train(data, "hl", tmp_path / "run", layers=1, units=8, epochs=4, learning_rate=0.02, progress=False)
    own = evaluate(run, data, **QUICK)
    found = evaluate(run, other, independent=True, **QUICK)
    assert found.part == "independent"
    assert len(found.events) == 1000
    dataset = Dataset.open(other)
    inputs = np.concatenate([dataset.raw("hl", split) for split in SPLITS])
    expected = run.model.predict(inputs, verbose=0)[:, 0]
    np.testing.assert_allclose(found.events.score, expected, atol=1e-6)
    assert found.auc.value == pytest.approx(own.auc.value, abs=0.05)
    assert found.overtraining is None
    with pytest.raises(DataError, match="not independent"):
        evaluate(run, data, independent=True, **QUICK)


def test_the_dependence_of_the_score_is_shown_before_and_after(data, runs, tmp_path):
    from hepml.plots import comparison_figures

    plain, worse = (evaluate(runs / name, data, **QUICK) for name in ("plain", "worse"))
    assert [one.name for one in plain.dependence] == ["pt", "eta"]  # these data hold no mass and no isolation
    pt = plain.dependence[0]
    assert pt.signal_efficiency.tolist() == [0.5, 0.7, 0.8, 0.9, 0.95]
    assert pt.threshold.tolist() == [point.threshold for point in plain.working_points]
    assert pt.count.sum() == pytest.approx(0.99 * plain.n_background, abs=1)
    assert (pt.distance < 1.2 * pt.distance_by_chance).all()  # the variables of this toy know nothing of pT
    stored = plain.to_json()["dependence"][0]
    assert (stored["name"], len(stored["after"]), stored["unit"]) == ("pt", 5, "GeV")
    written = comparison_figures([plain, worse], tmp_path, reference="plain")
    assert {"dependence_pt", "dependence_eta"} < set(written)
    tables = json.loads((tmp_path / "dependence_pt.json").read_text())["tables"]
    assert {"pt plain 0.8", "pt worse 0.8", "score pt plain"} < {table["name"] for table in tables}
