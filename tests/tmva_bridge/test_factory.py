"""The Factory: weight files, responses, tables and TMVA.root of what is booked, and what cannot be booked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tmva_cases
import uproot

from hepml.errors import DataError, OutputError
from tmva_bridge import DataLoader, Factory, read_weights
from tmva_bridge.ranking import Scored, regression_table, roc_integral
from tmva_bridge.sample import Sample

QUIET = "!V:!Color:!DrawProgressBar"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blobs(classes: tuple[str, ...] = ("Signal", "Background"), n: int = 300) -> DataLoader:
    rng = np.random.default_rng(7)
    loader = DataLoader("dataset")
    loader.AddVariable("x")
    loader.AddVariable("y")
    for i, name in enumerate(classes):
        loader.AddTree({"x": rng.normal(2 * i, 1, n), "y": rng.normal(-i, 1, n)}, name)
    return loader


def test_a_training_with_its_files_and_tables(shared: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = shared / "tmva" / "cls_tutorial"
    loader = tmva_cases.loader_of(case)
    factory = Factory("TMVA", "TMVA.root", f"{QUIET}:Transformations=I:AnalysisType=Classification:!Correlations")
    factory.BookMethod(loader, "Fisher", "Fisher", "!H:!V:Fisher")
    factory.BookMethod(loader, "Fisher", "FisherG", H=False, VarTransform="G")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    printed = capsys.readouterr().out
    summary = json.loads((case / "summary.json").read_text())
    for title in ("Fisher", "FisherG"):
        method = read_weights(f"dataset/weights/TMVA_{title}.weights.xml")
        with uproot.open("TMVA.root") as ours, uproot.open(case / "TMVA.root") as theirs:
            mine, real = (file["dataset/TestTree"][title].array(library="np") for file in (ours, theirs))
            np.testing.assert_allclose(mine, real, atol=2e-3)
            values = np.stack([ours["dataset/TestTree"][one].array(library="np") for one in method.variables], 1)
        np.testing.assert_allclose(method.evaluate(values), mine, atol=1e-6)
        assert abs(factory.GetROCIntegral(loader, title) - summary[title]["tmva_ROC_integ"]) < 1.1e-3
    lines = [line for line in printed.splitlines() if line.startswith("--- Factory : dataset")]
    assert [line.split()[4] for line in lines] == ["Fisher", "FisherG"] * 2  # the better one first, in both tables
    assert "0.888" in lines[0]


def test_the_roc_integral_is_that_of_tmva(shared: Path) -> None:
    for name in ("cls_tutorial", "cls_plain_weighted"):
        case = shared / "tmva" / name
        with uproot.open(case / "TMVA.root") as file:
            tree = file["dataset/TestTree"].arrays(library="np")
        weights, signal = tree["weight"].astype(np.float64), tree["classID"] == 0
        for title, numbers in json.loads((case / "summary.json").read_text()).items():
            if title != "Cuts":  # a curve of its own
                found = roc_integral(tree[title].astype(np.float64), signal, weights)
                assert round(found, 3) == numbers["tmva_ROC_integ"], title


def test_tables_of_a_regression_rank_by_rms() -> None:
    n = 1000
    rng = np.random.default_rng(3)
    target = rng.normal(0, 1, (n, 1)).astype(np.float32)
    none = np.empty((n, 0), np.float32)
    sample = Sample(target, none, target, np.zeros(n, np.int32), np.ones(n))
    wide, exact = target[:, 0] + rng.normal(0.5, 1, n), target[:, 0].astype(np.float64)
    methods = [Scored("wide", wide, wide), Scored("exact", exact, exact)]
    lines = [line for line in regression_table("d", methods, sample, sample, ["t"]) if line.startswith("d ")]
    assert [line.split()[1].rstrip(":") for line in lines] == ["exact", "wide"] * 2
    bias, bias_t, rms, rms_t = map(float, lines[1].split(":")[1].split())
    assert abs(bias - 0.5) < 0.1
    assert abs(rms - 1) < 0.1
    assert rms_t < rms
    assert abs(bias_t - bias) < 0.1


def test_silence_and_verbosity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, words in (
        (f"{QUIET}:Silent", ()),
        (QUIET, ("Train method",)),
        ("!Color:V", ("Train", "Test", "weights in")),
    ):
        factory = Factory("job", options)
        factory.BookMethod(blobs(), "Fisher", "Fisher")
        for call in (factory.TrainAllMethods, factory.TestAllMethods, factory.EvaluateAllMethods):
            call()
        out = capsys.readouterr()
        assert all(word in out.out for word in words)
        assert bool(out.out) == bool(words)
        assert not out.err
    assert not list(folder.glob("*.root"))


def test_a_method_tells_what_its_options_ask_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for options in ("!H:!V", "V", "H", "VerbosityLevel=Verbose", "VerbosityLevel=Error"):
        factory = Factory("job", QUIET)
        factory.BookMethod(blobs(), "Fisher", "Fisher", options)
        factory.TrainAllMethods()
        out = capsys.readouterr().out
        told[options] = ["Train method" in out, "took" in out, "VarTransform=None" in out]
    assert list(told.values()) == [
        [True, False, False],
        [True, True, False],
        [True, False, True],
        [True, True, False],
        [False, False, False],
    ]


def test_outputs_are_replaced_or_not(folder: Path) -> None:
    from tmva_bridge import TFile

    file = TFile.Open("TMVA.root", "NEW")
    for replaces in (False, True):
        factory = Factory("job", file, "Silent")
        factory.BookMethod(blobs(), "Fisher", "Fisher")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        if not replaces:
            factory.EvaluateAllMethods()
            with pytest.raises(OutputError):
                factory.EvaluateAllMethods()
            with pytest.raises(OutputError, match="the output exists"):
                TFile("TMVA.root", "CREATE")
            file = TFile("TMVA.root", "RECREATE")
        else:
            factory.EvaluateAllMethods()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ("Fisher", "a", "!H:VarTransfrm=N"),
            r"unknown option 'VarTransfrm'(.|\n)*method a \(Fisher\)(.|\n)*'VarTransform'",
        ),
        (("Fisher", "a", "!HVarTransform=N"), "missing ':' before VarTransform"),
        (("Fisher", "a", "Method=LDA"), "'Method' cannot be 'LDA'"),
        (("Fischer", "a"), r"Fischer is not trained(.|\n)*'Fisher'"),
        (("SVM", "a"), r"SVM is not trained"),
        (("Fisher", "first"), "the title 'first' cannot be used"),
        (("Fisher", "a/b"), "the title 'a/b' cannot be used"),
    ],
)
def test_what_cannot_be_booked(arguments: tuple[Any, ...], problem: str) -> None:
    factory, loader = Factory("job", "Silent"), blobs()
    factory.BookMethod(loader, "Fisher", "first")
    with pytest.raises(DataError, match=problem):
        factory.BookMethod(loader, *arguments)


def test_calls_in_another_order_are_told() -> None:
    factory = Factory("job", "Silent")
    with pytest.raises(DataError, match="without methods"):
        factory.TrainAllMethods()
    loader = blobs()
    factory.BookMethod(loader, "Fisher", "Fisher")
    with pytest.raises(DataError, match="is not trained"):
        factory.TestAllMethods()
    with pytest.raises(DataError, match="was not tested"):
        factory.EvaluateAllMethods()
    with pytest.raises(DataError, match="without a DataLoader"):
        factory.BookMethod("Fisher", "Fisher", "!H")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no method is booked as 'Fishr'"):
        factory.GetROCIntegral(loader, "Fishr")
    with pytest.raises(DataError, match="set for a Regression"):
        Factory("job", "Silent:AnalysisType=Regression").BookMethod(loader, "Fisher", "Fisher")
    for options in ("Silnt", "ModelPersistence=F", "AnalysisType=Clustering"):
        with pytest.raises(DataError):
            Factory("job", options)


def test_an_interrupted_training_leaves_the_old_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factory = Factory("job", "Silent")
    booked = factory.BookMethod(blobs(), "Fisher", "Fisher")
    factory.TrainAllMethods()
    before = booked.weight_file.read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        factory.TrainAllMethods()
    assert booked.weight_file.read_bytes() == before
    assert [path.name for path in booked.weight_file.parent.iterdir() if "lock" not in path.name] == [
        booked.weight_file.name
    ]


def test_a_file_that_is_no_path() -> None:
    with pytest.raises(DataError):
        Factory("job", 3, "Silent")
