"""The loop of the guided search on a problem whose answer is known."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from guided.toys import FIRST, NAMES, QUICK, SECOND, TOO_LARGE, hidden_problem

from hepml.errors import DataError, InputFileError, OutputError, TrainingError
from hepml.guided import Guided, search
from hepml.guided.results import look
from hepml.metrics import auc, auc_error, average_decision_ordering, make_events
from hepml.training import load_run

OPTIONS: dict[str, Any] = {"settings": QUICK, "seeds": 2, "bootstrap": 20, "max_passes": 2}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Guided:
    return search(hidden_problem(), tmp_path_factory.mktemp("guided") / "run", **OPTIONS)


def same_files(one: Path, other: Path) -> None:
    """All that is not a log."""
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file() and path.name[0] != ".")
    assert names == sorted(
        path.relative_to(other) for path in other.rglob("*") if path.is_file() and path.name[0] != "."
    )
    for name in names:
        if name.suffix in (".json", ".csv", ".npz"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_the_hidden_observables_are_found_in_order_and_close_the_gap(found: Guided) -> None:
    assert found.names == (FIRST, SECOND)
    before, one, two = found.steps
    assert before.auc.value < one.auc.value < two.auc.value
    assert before.gap.value > 5 * before.gap.error
    assert two.gap.value < 0.3 * before.gap.value
    assert before.network_ordering.folded < one.network_ordering.folded < two.network_ordering.folded
    assert found.stopped == "after 2 passes"
    assert one.chosen is not None
    assert one.chosen.candidates == len(NAMES)
    assert one.chosen.ordering > 0.9
    assert one.chosen.next[1][1] < 0.7
    # what orders backwards is as good: exp(-x)
    assert one.ordering is not None
    assert one.ordering.value < 0.1
    assert one.ordering.folded > 0.9


def test_the_numbers_are_those_of_the_test_split(found: Guided) -> None:
    problem = hidden_problem()
    test = problem.split == 2
    label = problem.label[test]
    benchmark = problem.benchmark[test, 0]
    assert (found.n_signal, found.n_background) == (int(label.sum()), int(len(label) - label.sum()))
    assert found.benchmark.value == auc(benchmark, label)
    assert found.benchmark.error == pytest.approx(auc_error(make_events(benchmark, label)).error, rel=0.5)
    values = problem.read([FIRST], ["test"])[:, 0]
    step = found.steps[1]
    assert step.efp_auc is not None
    assert step.efp_auc.value == pytest.approx(1 - auc(values, label), abs=1e-12)  # it falls with the signal
    runs = [json.loads((found.path / f"pass{k}" / "run.json").read_text()) for k in (0, 1, 2)]
    assert [one["config"]["features"] for one in runs] == ["hl", "hl_and_efp", "hl_and_efp"]
    run = load_run(found.path / "pass0")
    scores = run.scores()
    stored = int(run.record["best"]["member"].removeprefix("seed"))
    there = average_decision_ordering(values, benchmark, label, against=scores.score[test, scores.seeds.index(stored)])
    assert step.ordering == there
    for step in found.steps:
        assert step.gap.value == found.benchmark.value - step.auc.value
        assert len(step.auc.seeds) == 2
        assert step.auc.value in step.auc.seeds


def test_guided_json_is_the_result(found: Guided) -> None:
    record = json.loads((found.path / "guided.json").read_text())
    assert record["format"] == "hepml-guided"
    assert [step["chosen"] and step["chosen"]["name"] for step in record["steps"]] == [None, FIRST, SECOND]
    assert record["steps"][1]["edges"] == [[0, 1]]
    assert record["benchmark"]["value"] == found.benchmark.value
    with np.load(found.path / "candidates1.npz") as file:
        assert set(file["name"].tolist()) == set(NAMES)
        found_there = dict(zip(file["name"].tolist(), file["ordering"].tolist(), strict=True))
    assert found_there["et_efp_1_0_0_k_1_b_1"] == 0.5  # constant
    assert found_there[TOO_LARGE] == 0.5


@pytest.mark.parametrize("labels", ["true", "permuted"])
def test_nothing_of_the_test_split_changes_what_is_chosen(found: Guided, tmp_path: Path, labels: str) -> None:
    problem = hidden_problem(test_labels=labels)
    honest = problem.read

    def shuffled(names: Any, splits: Any) -> Any:
        values = honest(names, splits)
        if "test" in splits:
            n = int(np.count_nonzero(problem.split == 2))
            values[-n:] = np.random.default_rng(1).permutation(values[-n:])
        return values

    benchmark = problem.benchmark.copy()
    if labels == "true":
        benchmark[problem.split == 2] *= -1
    other = dataclasses.replace(problem, read=shuffled, benchmark=benchmark)
    blind = search(other, tmp_path / "run", **OPTIONS)
    assert [step.chosen for step in blind.steps] == [step.chosen for step in found.steps]
    assert [step.valid_auc for step in blind.steps] == [step.valid_auc for step in found.steps]
    assert blind.steps[1].auc.value != found.steps[1].auc.value


@pytest.mark.parametrize("where", ["in the training of pass 1", "before a choice", "after a choice"])
def test_a_search_that_was_killed_goes_on_to_the_same_result(found: Guided, tmp_path: Path, where: str) -> None:
    folder = tmp_path / "run"

    def stop_in_training(step: Any) -> None:
        if (folder / "pass1").exists() and step.epoch == 2 and not step.batch:
            raise KeyboardInterrupt

    def stop_telling(line: str) -> None:
        if line.startswith("pass 1: AUC" if where == "before a choice" else f"pass 1: {FIRST}"):
            raise KeyboardInterrupt

    how: dict[str, Any] = {"telling": stop_telling}
    if where == "in the training of pass 1":
        how = {"progress": stop_in_training}
    with pytest.raises(KeyboardInterrupt):
        search(hidden_problem(), folder, **OPTIONS, **how)
    assert not (folder / "guided.json").exists()
    again = search(hidden_problem(), folder, **OPTIONS)
    assert dataclasses.replace(again, path=found.path) == found
    same_files(folder, found.path)


def test_a_finished_search_is_given_again_and_goes_on_with_more_passes(found: Guided, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = search(hidden_problem(), folder, **{**OPTIONS, "max_passes": 1})
    assert first.names == (FIRST,)
    more = search(hidden_problem(), folder, **OPTIONS, jobs=2)
    assert dataclasses.replace(more, path=found.path) == found
    fewer = search(hidden_problem(), folder, **{**OPTIONS, "max_passes": 1})
    assert fewer == first


def test_it_stops_where_it_is_told(found: Guided, tmp_path: Path) -> None:
    low = search(hidden_problem(), tmp_path / "low", **OPTIONS, stop_at=found.steps[1].valid_auc)
    assert (low.stopped, low.names) == ("reached the AUC on validation", (FIRST,))
    problem = hidden_problem()
    constant = dataclasses.replace(problem, names=("et_efp_1_0_0_k_1_b_1",))
    nothing = search(constant, tmp_path / "none", **OPTIONS)
    assert (nothing.stopped, nothing.names) == ("no polynomial orders what is left", ())
    single = dataclasses.replace(problem, names=(FIRST,))
    every = search(single, tmp_path / "every", **OPTIONS, stop_at=1)
    assert (every.stopped, every.names) == ("every polynomial is taken", (FIRST,))


def test_what_is_too_large_in_the_test_split_alone_is_passed_over(tmp_path: Path) -> None:
    """No network could be scored there; the search takes the next one and does not end in an error."""
    problem = hidden_problem()
    honest = problem.read

    def read(names: Any, splits: Any) -> Any:
        values = honest(names, splits)
        if "test" in splits and FIRST in names:
            values[-1, list(names).index(FIRST)] = 1e38
        return values

    found = search(dataclasses.replace(problem, read=read), tmp_path / "run", **{**OPTIONS, "max_passes": 1})
    assert len(found.names) == 1
    assert found.names[0] != FIRST
    with np.load(tmp_path / "run" / "candidates1.npz") as file:
        assert file["name"][np.argmax(np.abs(file["ordering"] - 0.5))] == FIRST


def test_weights_count(tmp_path: Path) -> None:
    """With all weight on the candidates whose weak part is large, that part decides."""
    problem = hidden_problem()
    weight = np.random.default_rng(3).choice([0.5, 2.0], len(problem.label))
    weighted = search(dataclasses.replace(problem, weight=weight), tmp_path / "run", **{**OPTIONS, "max_passes": 1})
    assert weighted.names == (FIRST,)
    test = problem.split == 2
    assert weighted.benchmark.value == auc(problem.benchmark[test, 0], problem.label[test], weight[test])


def test_test_pairs_of_negative_weight_have_no_ordering(found: Guided) -> None:
    problem = hidden_problem()
    odd = np.flatnonzero((problem.split == 2) & (problem.label == 1))[:5]
    weight, score = np.ones(len(problem.label)), problem.benchmark.copy()
    weight[odd], score[odd] = -0.5, score.min() - 1  # all that the two scores order differently
    about = {"path": found.path, "start": "hl", "kappa": None, "target": 1.0, "stopped": "", "seeds": 1}
    chosen = [step.chosen for step in found.steps[1:2] if step.chosen is not None]
    problem = dataclasses.replace(problem, weight=weight)
    result = look(problem, [score, score], chosen, bootstrap=5, seed=0, about=about)
    assert result.steps[1].ordering is None
    assert result.steps[1].gap.value != 0


def test_other_data_and_options_are_refused(found: Guided) -> None:
    for problem, more in (
        (hidden_problem(), {"seeds": 3}),
        (hidden_problem(), {"seed": 1}),
        (hidden_problem(), {"settings": QUICK.replace(units=9)}),
        (dataclasses.replace(hidden_problem(), identity={"data": "another"}), {}),
    ):
        with pytest.raises(TrainingError, match="other data or with other options"):
            search(problem, found.path, **{**OPTIONS, **more})


def test_overwrite_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    search(hidden_problem(), folder, **{**OPTIONS, "max_passes": 1})
    (folder / "state.json").write_text("{}")
    with pytest.raises(InputFileError, match="not the state of a search"):
        search(hidden_problem(), folder, **{**OPTIONS, "max_passes": 0})
    again = search(hidden_problem(), folder, **{**OPTIONS, "max_passes": 0}, overwrite=True)
    assert again.names == ()
    assert not (folder / "pass1").exists()


def test_overwrite_removes_a_search_and_nothing_else(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    options = {**OPTIONS, "max_passes": 0, "overwrite": True}
    search(hidden_problem(), folder, **options)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="more than a search is in the folder") as caught:
        search(hidden_problem(), folder, **options)
    assert "notes.txt" in str(caught.value)
    assert (folder / "pass0" / "run.json").is_file()
    (folder / "notes.txt").unlink()
    (folder / "pass0").rename(elsewhere)
    (folder / "pass0").symlink_to(elsewhere)
    search(hidden_problem(), folder, **options)
    assert not (folder / "pass0").is_symlink()
    assert (elsewhere / "run.json").is_file()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no search"):
        search(hidden_problem(), tmp_path, **OPTIONS, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="a file"):
        search(hidden_problem(), tmp_path / "mine.txt", **OPTIONS)


def test_problems_that_are_none() -> None:
    problem = hidden_problem()
    for change, message in (
        ({"names": ()}, "no polynomial"),
        ({"split": problem.split[::-1].copy()}, "one after the other"),
        ({"split": np.minimum(problem.split, 1)}, "one after the other"),
        ({"weight": problem.weight[1:]}, "weight and labels"),
        ({"label": np.where(problem.split == 2, 1.0, problem.label)}, "'test' is not of two classes"),
        ({"label": problem.label + 1}, "'train' is not of two classes"),
        ({"benchmark": np.where(problem.benchmark > 2, np.nan, problem.benchmark)}, "benchmark is not finite"),
    ):
        with pytest.raises(DataError, match=message):
            dataclasses.replace(problem, **change)
    for more in ({"max_passes": -1}, {"bootstrap": 1}, {"jobs": 0}, {"stop_at": np.nan}):
        with pytest.raises(DataError):
            search(problem, Path("never"), **{**OPTIONS, **more})
    assert not Path("never").exists()
