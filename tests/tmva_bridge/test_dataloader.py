"""The DataLoader chooses the events that TMVA chooses, and gives them TMVA's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import tmva_cases
import uproot
from tmva_files import CASES

from hepml.errors import DataError, InputFileError, MissingBranchError
from tmva_bridge import DataLoader


@pytest.mark.parametrize("case", CASES)
def test_the_events_are_those_of_tmva_one_by_one(shared: Path, case: str) -> None:
    folder = shared / "tmva" / case
    setup, *samples = tmva_cases.loader_of(folder).samples()
    with uproot.open(folder / "TMVA.root") as file:
        for name, sample in zip(("TrainTree", "TestTree"), samples, strict=True):
            tree = file[f"{setup.loader}/{name}"]
            wanted = tree.arrays(["classID", "weight"], library="np")
            assert np.array_equal(sample.classes, wanted["classID"])
            # of the training, TMVA sums weights in another order; TestTree has them as they are
            given = sample.weights.astype(np.float32)
            assert np.allclose(given, wanted["weight"], rtol=3e-7 if name == "TrainTree" else 0, atol=0)
            groups = zip(
                (setup.variables, setup.spectators, setup.targets),
                (sample.values, sample.spectators, sample.targets),
                strict=True,
            )
            for declared, values in groups:
                assert values.dtype == np.float32
                for place, one in enumerate(declared):
                    assert np.array_equal(values[:, place], tree[one.internal].array(library="np")), one.label
    assert setup.analysis == {"multiclass": "Multiclass", "reg": "Regression"}.get(case, "Classification")


def test_trees_files_arrays_and_tables_are_the_same_events(shared: Path) -> None:
    folder = shared / "tmva" / "multiclass"
    path = shared / "tmva" / "tmva_multiclass_example.root"
    _, first, _ = tmva_cases.loader_of(folder).samples()
    with uproot.open(path) as file:
        sources = {
            "TreeS": file["TreeS"],
            "TreeB0": file["TreeB0"].arrays(library="np"),
            "TreeB1": file["TreeB1"].arrays(library="ak"),
            "TreeB2": np.array(
                list(zip(*(file["TreeB2"][f"var{i}"].array(library="np") for i in range(1, 5)), strict=True)),
                dtype=[(f"var{i}", "f4") for i in range(1, 5)],
            ),
        }
        _, second, _ = tmva_cases.loader_of(folder, **sources).samples()
    assert np.array_equal(first.values, second.values)


def events(n: int, first: float = 0.0) -> dict[str, Any]:
    return {"x": first + np.arange(n), "w": np.full(n, 2.0)}


def small(signal: Any = None, background: Any = None, options: str = "SplitMode=Block", cut: str = "") -> DataLoader:
    loader = DataLoader("d")
    loader.AddVariable("x")
    loader.AddSignalTree(events(10) if signal is None else signal)
    loader.AddBackgroundTree(events(6, 100.0) if background is None else background, 3.0)
    loader.PrepareTrainingAndTestTree(cut, options)
    return loader


def x_of(loader: DataLoader) -> tuple[list[float], list[float]]:
    _, train, test = loader.samples()
    return train.values[:, 0].tolist(), test.values[:, 0].tolist()


@pytest.mark.parametrize(
    ("options", "train", "test"),
    [
        ("SplitMode=Block", [0, 1, 2, 3, 4, 100, 101, 102], [5, 6, 7, 8, 9, 103, 104, 105]),
        ("SplitMode=Alternate:MixMode=Block", [0, 2, 4, 6, 8, 100, 102, 104], [1, 3, 5, 7, 9, 101, 103, 105]),
        (
            "SplitMode=Alternate:nTrain_Signal=2:nTest_Signal=4:nTrain_Background=1",
            [0, 100, 2],
            [1, 101, 3, 102, 4, 103, 5, 104, 105],
        ),
        ("Block:MixMode=Alternate:nTrain_signal=1:nTest_Background=1", [0, 100, 101, 102, 103, 104], None),
        (
            "SplitMode=block:nTrain_Signal=3:nTrain_Background=1:nTest_Signal=1:nTest_Background=2",
            [0, 1, 2, 100],
            [6, 102, 103],  # half of what nobody asks for lies between training and test
        ),
    ],
)
def test_split_modes(options: str, train: list[float], test: list[float] | None) -> None:
    got = x_of(small(options=options))
    assert got[0] == train
    assert test is None or got[1] == test


def test_random_splits_depend_on_the_seed_alone() -> None:
    one, again, other = (x_of(small(options=f"SplitSeed={seed}")) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(one[0] + one[1]) == sorted(other[0] + other[1]) == [*range(10), *range(100, 106)]
    assert x_of(small(options="SplitSeed=0")) != x_of(small(options="SplitSeed=0"))


def test_a_random_split_leaves_out_what_nobody_asks_for() -> None:
    numbers = "nTrain_Signal=4:nTest_Signal=3:nTrain_Background=2:nTest_Background=1"
    train, test = x_of(small(options=f"SplitMode=Random:MixMode=Block:{numbers}"))
    assert [len(train), len(test), len({*train, *test})] == [6, 4, 10]
    assert [sum(x < 100 for x in one) for one in (train, test)] == [4, 3]


def test_norm_modes_act_on_training_weights_alone() -> None:
    sums = {}
    for mode in ("None", "NumEvents", "EqualNumEvents"):
        loader = small(options=f"SplitMode=Block:NormMode={mode}")
        loader.SetSignalWeightExpression("w")
        _, train, test = loader.samples()
        assert test.weights.tolist() == [2.0] * 5 + [3.0] * 3
        sums[mode] = [float(train.weights[train.classes == i].sum()) for i in (0, 1)]
    assert sums == {"None": [10, 9], "NumEvents": [5, 3], "EqualNumEvents": [5, 5]}


def test_weights_multiply_and_those_of_a_class_come_first() -> None:
    loader = small(options="SplitMode=Block:NormMode=None")
    loader.SetWeightExpression("w*w")
    loader.SetBackgroundWeightExpression("1/2")  # in trees ROOT divides as double
    _, train, _ = loader.samples()
    assert train.weights.tolist() == [4.0] * 5 + [1.5] * 3


def test_cuts_of_all_of_a_class_and_of_a_tree() -> None:
    loader = small(cut="x != 9", options="SplitMode=Block:nTrain_Signal=1:nTrain_Background=1")
    loader.AddCut("x > 101", "background")
    loader.AddTree(events(4, 50.0), "Signal", 1.0, "x > 51")
    loader.AddCut("x < 9 || x >= 50", "Signal")
    train, test = x_of(loader)
    assert train == [0, 102]
    assert test == [1, 2, 3, 4, 5, 6, 7, 8, 52, 53, 103, 104, 105]


def test_cuts_of_signal_and_background_and_numbers() -> None:
    loader = small()
    loader.PrepareTrainingAndTestTree("x > 2", "x > 101", "SplitMode=Block:NormMode=None")
    assert x_of(loader) == ([3, 4, 5, 102, 103], [6, 7, 8, 104, 105])
    loader = small()
    loader.PrepareTrainingAndTestTree("", 3, 2, 1, 1, "SplitMode=Block")
    assert x_of(loader) == ([0, 1, 2, 100, 101], [6, 103])
    loader = small()
    loader.PrepareTrainingAndTestTree("", nTrain_Signal=2, nTrain_Background=1, SplitMode="Block", nTest_Signal=1)
    assert x_of(loader) == ([0, 1, 100], [5, 101, 102, 103, 104, 105])


def test_numbers_may_count_events_before_the_cuts() -> None:
    loader = small(
        cut="x < 5 || x >= 100", options="SplitMode=Block:ScaleWithPreselEff:nTrain_Signal=4:nTrain_Background=4"
    )
    assert x_of(loader)[0] == [0, 1, 100, 101, 102, 103]


def test_trees_for_one_purpose() -> None:
    loader = DataLoader("d")
    loader.AddVariable("x")
    for first, purpose in ((0, "Training"), (10, "Test"), (20, "")):
        loader.AddSignalTree(events(4, first), 1.0, purpose)
    loader.AddBackgroundTree(events(4, 100), 1.0, "train")
    loader.AddBackgroundTree(events(2, 110), 1.0, "testing")
    loader.PrepareTrainingAndTestTree("", "SplitMode=Block")
    assert x_of(loader) == ([0, 1, 2, 3, 20, 21, 100, 101, 102, 103], [10, 11, 12, 13, 22, 23, 110, 111])
    loader.PrepareTrainingAndTestTree("", "SplitMode=Random:nTrain_Background=2:MixMode=Block")
    chosen = x_of(loader)[0][-2:]
    assert set(chosen) < {100, 101, 102, 103}
    assert chosen == sorted(chosen)


def test_an_array_makes_an_event_of_each_element() -> None:
    jets = {"pt": ak.Array([[1.0, 2.0], [], [3.0]]), "met": np.array([10.0, 20.0, 30.0])}
    loader = DataLoader("d")
    loader.AddVariable("pt*2", "I")
    loader.AddVariable("met")
    loader.AddVariable("first := pt[0]")
    loader.AddVariable("n := Length$(pt) + Sum$(pt > 1)")
    loader.AddTree(jets, "a")
    loader.AddTree(jets, "b")
    loader.PrepareTrainingAndTestTree("", "SplitMode=Block:nTrain_a=2:nTrain_b=2")
    setup, train, test = loader.samples("Multiclass")
    assert train.values[:2].tolist() == [[2, 10, 1, 3], [4, 10, 1, 3]]
    assert test.values[0].tolist() == [6, 30, 3, 2]
    assert [one.kind for one in setup.variables] == ["I", "F", "F", "F"]


def test_names_titles_and_units() -> None:
    loader = DataLoader("d")
    loader.AddVariable("var1 + var2")
    loader.AddVariable("ratio := var1/var2", "Ratio", "GeV", "F")
    loader.AddVariable("var1-2*sqrt(var2)", "Root", "")
    loader.AddVariable("e.px[0]", "F", 0, 0)
    loader.AddSignalTree({"var1": [1.0, 2.0], "var2": [1.0, 3.0], "e.px": [1.0, 2.0]})
    loader.AddBackgroundTree({"var1": [1.0, 2.0], "var2": [1.0, 3.0], "e.px": [1.0, 2.0]})
    setup, _, _ = loader.samples()
    assert [(one.label, one.expression, one.internal, one.title, one.unit) for one in setup.variables] == [
        ("var1+var2", "var1+var2", "var1_P_var2", "var1+var2", ""),
        ("ratio", "var1/var2", "ratio", "Ratio", "GeV"),
        ("var1-2*sqrt(var2)", "var1-2*sqrt(var2)", "var1_M_2_T_sqrt_var2_", "Root", ""),
        ("e.px[0]", "e.px[0]", "e.px_0_", "e.px[0]", ""),
    ]


def test_nan_is_left_out_and_told() -> None:
    signal = events(10)
    signal["x"][3] = np.nan
    with pytest.warns(UserWarning, match="1 of 10 events of tree 0 of the class Signal hold NaN"):
        assert x_of(small(signal))[0] == [0, 1, 2, 4, 100, 101, 102]


def broken(**changes: Any) -> DataLoader:
    return small({**events(10), **changes})


@pytest.mark.parametrize(
    ("make", "kind", "problem"),
    [
        (lambda: small(options="nTrain_Signal=11"), DataError, "too few training events of the class 'Signal'"),
        (
            lambda: small(options="nTrain_Signal=6:nTest_Signal=5"),
            DataError,
            r"expected: 11 or more\n  found: +10 of 10",
        ),
        (lambda: small(options="nTest_Signal=-1"), DataError, "nTrain_Signal or nTest_Signal is negative"),
        (lambda: small(options="SplitSeed=-1"), DataError, "SplitSeed cannot be -1"),
        (lambda: small(options="SplitMode=Alternate:nTrain_Signal=8"), DataError, "too few training events"),
        (lambda: small(cut="x < 5"), DataError, "too few training events of the class 'Background'"),
        (lambda: small(options="SplitMod=Block"), DataError, r"unknown option 'SplitMod'(.|\n)*'SplitMode'"),
        (lambda: small(options="nTrain_Sig=5"), DataError, "unknown option 'nTrain_Sig'"),
        (lambda: small(options="NormMode=Equal"), DataError, "'NormMode' cannot be 'Equal'"),
        (lambda: small(cut="y > 1"), MissingBranchError, r"no branch 'y'(.|\n)*expected: x, w"),
        (lambda: small(cut="x >"), DataError, "the formula ends too early"),
        (lambda: broken(x=[np.inf] * 10), DataError, "'x' is infinite in 10 events"),
        (lambda: broken(x=[1e39] * 10), DataError, "'x' is infinite in 10 events"),
        (lambda: broken(x=["a"] * 10), DataError, "a branch that is no number"),
        (lambda: broken(x=[1.0]), MissingBranchError, "no branch 'other'"),
        (lambda: broken(x=ak.Array([1.0, None] * 5)), DataError, "missing values"),
        (lambda: broken(x=ak.Array([[[1.0]]] * 10)), DataError, "arrays of arrays"),
        (lambda: small("no.root"), InputFileError, "no such file"),
        (lambda: small(3), DataError, "not a tree"),
    ],
)
def test_what_is_refused(make: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):  # noqa: PT012
        loader = make()
        if "other" in problem:
            loader.AddVariable("other")
        loader.samples()


def test_arrays_of_different_lengths_are_refused() -> None:
    loader = DataLoader("d")
    loader.AddVariable("a+b")
    for name in ("Signal", "Background"):
        loader.AddTree({"a": ak.Array([[1.0], [2.0]]), "b": ak.Array([[1.0, 2.0], [2.0]])}, name)
    with pytest.raises(DataError, match="the arrays 'a' and 'b' have different lengths"):
        loader.samples()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("x",), "'x' is there already"),
        (("z", "F", 0, 10), "leave out a range"),
        (("z", "title", "unit", "Q"), "type 'F' or 'I'"),
        (("__import__('os')",), "cannot read"),
        (("z := ",), "ends too early"),
        (("z[i]",), "an index that is no number"),
        (("z[0][1]",), "two indices"),
        (("Sum(z)",), "unknown function 'Sum'"),
        (("Iteration$",), r"Iteration\$ is not read"),
    ],
)
def test_variables_that_are_none(arguments: tuple[Any, ...], problem: str) -> None:
    loader = DataLoader("d")
    loader.AddVariable("x")
    with pytest.raises(DataError, match=problem):
        loader.AddVariable(*arguments)


def test_analyses_need_their_classes() -> None:
    loader = small()
    assert loader.analysis() == "Classification"
    with pytest.raises(DataError, match="not set for a Regression"):
        loader.samples("Regression")
    loader.AddTree(events(3), "third")
    assert loader.analysis() == "Multiclass"
    with pytest.raises(DataError, match="not set for a Classification"):
        loader.samples("Classification")
    empty = DataLoader("d")
    empty.AddSignalTree(events(3))
    empty.AddBackgroundTree(events(3))
    with pytest.raises(DataError, match="no variables"):
        empty.samples()


def test_counts_are_told_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    for options, told in (("V", True), ("VerboseLevel=Debug", True), ("!V", False)):
        small(options=f"SplitMode=Block:{options}").samples()
        out = capsys.readouterr().out
        assert ("--- DataSetFactory : Background -- test     events: 3, sum of weights: 9" in out) == told == bool(out)
