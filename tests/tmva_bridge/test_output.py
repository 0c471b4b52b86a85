"""TMVA.root as this package writes it, against the files of a real TMVA: keys, classes, binnings, titles, contents."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tmva_files
import tmva_outputs
import uproot

from tmva_bridge import MethodOutput, kolmogorov_test, read_weights, roc_integral, write_output

TRANSFORMATIONS = {"cls_tutorial": ("I", "D", "P", "G,D")}
# what of a real TMVA's file is not written: a pattern of keys, and why, as the documentation says it
NOT_WRITTEN = [
    (r"Method_MLP/\w+/estimatorHist(Train|Test)", "the weight file does not hold the errors of the epochs"),
    (r"Method_RuleFit/\w+/(sig|bkg)var\d+", "made of events that fail in training"),
    (r"Method_RuleFit/\w+/\w+_RF(2D)?_Id", "maps of the rules' importance, not in the weight file"),
    (r"Method_RuleFit/\w+/(RuleDist|Monitor)Ntuple\w*", "the rules' support and distances, not in the weight file"),
    (r"Method_Cuts/\w+/MVA_.*", "efficiencies of the scan of cuts"),
    (r"Method_BDT/BDT/NodesBeforePruning", "of a pruned forest: the weight file holds what is left"),
    (r"Method_BDT/BDT/BoostWeight", "of AdaBoostR2: weights of events in training"),
]
ABSENT = {"cls_tutorial": 31, "cls_plain_weighted": 2, "multiclass": 4, "reg": 4}
# where a signal efficiency is that of a whole interval of cuts, TMVA and we end at other cuts of it
PLATEAUS = {
    "MVA_FisherIDPGD_effBvsS",
    "MVA_LikelihoodS0_effBvsS",
    "MVA_LikelihoodS0_trainingEffBvsS",
    "MVA_BDT_effBvsS",
    "MVA_BDTG_effBvsS",
}


@pytest.fixture(scope="module", params=tmva_files.CASES)
def case(request: pytest.FixtureRequest, shared: Path) -> Path:
    return shared / "tmva" / request.param


@dataclass
class Content:
    """A file: its keys, and all its histograms."""

    path: Path
    classes: dict[str, str]
    histograms: dict[str, Any]


def content(path: Path) -> Content:
    with uproot.open(path) as file:
        classes = file.classnames()
        chosen = [key for key, kind in classes.items() if kind.startswith(("TH", "TProfile"))]
        return Content(path, classes, {key: file[key] for key in chosen})


@pytest.fixture(scope="module")
def pair(case: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Content]:
    """Our file, made from the trees and weight files of the other, and that."""
    train, test = (tmva_outputs.sample(case, name) for name in ("TrainTree", "TestTree"))
    methods = tmva_outputs.methods(case)
    if tmva_outputs.setup(case).analysis == "Classification":  # TMVA has responses in double precision here
        methods = [
            MethodOutput(
                one.kind, one.title, one.weight_file, method.evaluate(train.values), method.evaluate(test.values)
            )
            for one in methods
            if one.kind != "Cuts"
            for method in [read_weights(one.weight_file)]
        ] + [one for one in methods if one.kind == "Cuts"]
        order = [title for _, title in tmva_outputs.booked(case)]
        methods.sort(key=lambda one: order.index(one.title))
    path = tmp_path_factory.mktemp(case.name) / "TMVA.root"
    write_output(path, tmva_outputs.setup(case), train, test, methods, TRANSFORMATIONS.get(case.name, ("I",)))
    return content(path), content(case / "TMVA.root")


def test_keys_and_classes_are_those_of_tmva(case: Path, pair: tuple[Content, Content]) -> None:
    ours, theirs = (file.classes for file in pair)
    assert {key: kind for key, kind in theirs.items() if key in ours} == ours
    absent = set(theirs) - set(ours)
    assert len(absent) == ABSENT[case.name]
    for key in absent:
        assert any(re.fullmatch(rf"dataset/{pattern};1", key) for pattern, _ in NOT_WRITTEN), key


def test_what_is_not_written_is_said() -> None:
    text = " ".join((Path(__file__).parents[2] / "docs" / "tmva.md").read_text().split())
    for _, why in NOT_WRITTEN:
        assert why in text, why


def described(one: Any) -> list[Any]:
    axes = []
    for name in ("fXaxis", "fYaxis"):
        axis = one.member(name)
        labels = [str(label) for label in axis.member("fLabels") or []]
        axes.append((axis.member("fNbins"), axis.member("fTitle"), labels, len(axis.member("fXbins"))))
    return [one.title, *axes, one.member("fEntries"), len(one.member("fSumw2")), one.member("fMaximum")]


def test_titles_axes_and_entries_are_those_of_tmva(pair: tuple[Content, Content]) -> None:
    ours, theirs = pair
    for key in ours.histograms:
        assert described(ours.histograms[key]) == described(theirs.histograms[key]), key


def test_binnings_are_those_of_tmva(pair: tuple[Content, Content]) -> None:
    for key in pair[0].histograms:
        for axis in ("fXaxis", "fYaxis"):
            for end in ("fXmin", "fXmax"):
                a, b = (file.histograms[key].member(axis).member(end) for file in pair)
                assert a == pytest.approx(b, rel=1e-9, abs=1e-12), (key, axis, end)


def arrays(one: Any) -> list[np.ndarray]:
    """Contents with those below and above, and squares, of a histogram or profile."""
    inner = one.bases[0] if one.classname == "TProfile" else one
    contents = next(np.array(base) for base in inner.bases if base.classname.startswith("TArray"))
    more = [np.array(one.member(name)) for name in ("fBinEntries", "fBinSumw2") if one.classname == "TProfile"]
    return [contents.astype(np.float64), np.array(one.member("fSumw2")), *more]


def test_contents_and_errors_are_those_of_tmva(pair: tuple[Content, Content]) -> None:
    ours, theirs = pair
    for key in ours.histograms:
        if re.search(r"(?i)BvsS|invBeff", key):
            continue
        for a, b in zip(arrays(ours.histograms[key]), arrays(theirs.histograms[key]), strict=True):
            scale = np.abs(b).max(initial=0)
            # weights of training are those of the tree here, float32; the table of densities is checked in float32
            tolerance = 1e-5 if "additional_check" in key else 3e-7
            assert a.shape == b.shape
            assert np.abs(a - b).max(initial=0) <= tolerance * scale, key


def test_curves_are_those_of_tmva(case: Path, pair: tuple[Content, Content]) -> None:
    ours, _ = pair
    keys = [key for key in ours.histograms if re.search(r"(?i)effBvsS", key)]
    for key in keys:
        a, b = (file.histograms[key].values() for file in pair)
        off = np.abs(a - b) > 1e-8
        plateau = key.rpartition("/")[2].removesuffix(";1") in PLATEAUS and case.name == "cls_tutorial"
        assert off.sum() == int(plateau), key
        assert np.abs(a - b).max() <= (1.1e-3 if plateau else 1e-8), key
        other = ours.histograms[key.replace("effBvsS", "rejBvsS").replace("EffBvsS", "RejBvsS")].values()
        np.testing.assert_allclose(other, 1 - a, rtol=0, atol=1e-15)
        if "training" not in key:
            inverse = ours.histograms[key.replace("effBvsS", "invBeffvsSeff")].values()
            np.testing.assert_allclose(inverse[a > 1e-15], 1 / a[a > 1e-15], rtol=1e-14)


def test_roc_integrals_are_those_that_tmva_printed(case: Path, pair: tuple[Content, Content]) -> None:
    summary = json.loads((case / "summary.json").read_text())
    for kind, title in tmva_outputs.booked(case):
        printed = summary[title].get("tmva_ROC_integ")
        if printed is None or kind == "Cuts":
            assert kind == "Cuts" or case.name in ("multiclass", "reg")
            continue
        areas = []
        for file in pair:
            curve = file.histograms[f"dataset/Method_{kind}/{title}/MVA_{title}_effBvsS;1"]
            areas.append(roc_integral(curve.axis().centers(), curve.values()))
        assert areas[0] == pytest.approx(areas[1], abs=3e-6)
        assert areas[1] == pytest.approx(printed, abs=5.01e-4)


def test_overtraining_test_is_that_of_root(case: Path, pair: tuple[Content, Content]) -> None:
    """The macro of TMVA's GUI calls TH1::KolmogorovTest on the responses of both samples."""
    if case.name not in ("cls_tutorial", "cls_plain_weighted"):
        assert not [key for key in pair[1].histograms if key.endswith("_Train_S;1")]
        return
    root = pytest.importorskip("ROOT")
    files = [root.TFile.Open(str(file.path)) for file in pair]
    compared = 0
    for kind, title in tmva_outputs.booked(case):
        for side in "SB" if kind != "Cuts" else "":
            names = [f"dataset/Method_{kind}/{title}/MVA_{title}_{word}{side}" for word in ("", "Train_")]
            expected = [file.Get(names[0]).KolmogorovTest(file.Get(names[1])) for file in files]
            first, second = (pair[0].histograms[f"{name};1"] for name in names)
            found = kolmogorov_test(first.values(), second.values(), first.variances(), second.variances())
            assert found == pytest.approx(expected[0], abs=2e-7)
            assert found == pytest.approx(expected[1], abs=2e-6)
            compared += 1
    for file in files:
        file.Close()
    assert compared == {"cls_tutorial": 44, "cls_plain_weighted": 14}[case.name]


def test_root_reads_every_histogram(pair: tuple[Content, Content]) -> None:
    root = pytest.importorskip("ROOT")
    file = root.TFile.Open(str(pair[0].path))
    for key in pair[0].histograms:
        if "CorrelationPlots" in key and "InputVariables" not in key:
            continue
        one, other = file.Get(key), pair[0].histograms[key]
        assert one.ClassName() == other.classname
        assert one.Integral() == pytest.approx(float(np.sum(other.values(), dtype=np.float64)), rel=1e-6, abs=1e-12), (
            key
        )
    labels = file.Get(next(key for key in pair[0].histograms if "CorrelationMatrix" in key)).GetXaxis()
    assert labels.GetBinLabel(1) == tmva_outputs.setup(pair[1].path.parent).variables[0].title
    file.Close()
