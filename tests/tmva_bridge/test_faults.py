"""Weight files that are damaged, hostile or not understood: one clear error each, X01 to X12 and more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tmva_files

from hepml.errors import DataError, HepmlError, InputFileError, SchemaError
from tmva_bridge import read_weights

Text = Callable[[str], str]


@pytest.fixture
def bdt(shared: Path) -> str:
    return (shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_BDT.weights.xml").read_text()


@pytest.fixture
def normalised(shared: Path) -> str:
    return (shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_FisherN.weights.xml").read_text()


def refused(tmp_path: Path, text: str | bytes) -> HepmlError:
    path = tmp_path / "damaged.weights.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(HepmlError) as caught:
        read_weights(path)
    assert str(path) in caught.value.parts["where"]
    return caught.value


LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
DOCUMENT_TYPES = {
    "X01 billion laughs": LAUGHS,
    "X02 external entity": '<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "X02 remote document type": '<!DOCTYPE m SYSTEM "http://example.org/evil.dtd">',
    "X02 parameter entity": '<!DOCTYPE m [<!ENTITY % x SYSTEM "http://example.org/x"> %x;]>',
    "X03 quadratic blow-up": f'<!DOCTYPE m [<!ENTITY a "{"a" * 100_000}">]>',
}


@pytest.mark.parametrize("kind", DOCUMENT_TYPES)
def test_document_types_are_refused(kind: str, tmp_path: Path, bdt: str) -> None:
    head, rest = bdt.split("?>", 1)
    error = refused(tmp_path, f"{head}?>{DOCUMENT_TYPES[kind]}{rest}".replace(">False<", ">&a;<"))
    assert isinstance(error, SchemaError)
    assert "document type" in error.problem
    assert "DOCTYPE" in error.parts["where"]


def test_x03_an_attribute_of_100_megabytes_is_refused_at_once(tmp_path: Path) -> None:
    begin = time.perf_counter()
    error = refused(tmp_path, b'<?xml version="1.0"?><MethodSetup Method="' + b"B" * 100_000_000 + b'::x"/>')
    assert "too long" in error.problem
    assert time.perf_counter() - begin < 60  # of seconds, not of hours: a bound, not a timing


def test_x05_depth_is_bounded(tmp_path: Path) -> None:
    error = refused(
        tmp_path, '<MethodSetup Method="BDT::x">' + "<Node>" * 10_000 + "</Node>" * 10_000 + "</MethodSetup>"
    )
    assert error.problem == "elements too deep inside of each other"
    assert error.parts["expected"] == "at most 1000"


FIRST_NODE = r'<Node pos="s"[^>]*>'
FIRST_LEAF = r'<Node pos="l"[^>]*nType="1"/>'


def once(pattern: str, replacement: str) -> Text:
    def change(text: str) -> str:
        changed, count = re.subn(pattern, replacement, text, count=1)
        assert count == 1
        return changed

    return change


def attribute(name: str, value: str) -> Text:
    """Changes an attribute of the root of the first tree."""
    return once(rf'(<Node pos="s"[^>]*?\b{name}=")[^"]*', rf"\g<1>{value}")


BDT_FAULTS: dict[str, tuple[Text, str, str]] = {
    "X04 a node without a child": (once(FIRST_LEAF, ""), "two children", "one Node with pos=l and one with pos=r"),
    "X05 the same child twice": (once(r'<Node pos="r"', '<Node pos="l"'), "two children", "pos=r"),
    "X06 index too large": (attribute("IVar", "4"), "'IVar' is out of range", "from 0 to 3"),
    "X06 index negative": (attribute("IVar", "-2"), "'IVar' is out of range", "from 0 to 3"),
    "X06 index not whole": (attribute("IVar", "1.5"), "'IVar' is out of range", "a whole number"),
    "X07 cut NaN": (attribute("Cut", "nan"), "'Cut' is not finite", "a finite number"),
    "X07 cut infinite": (attribute("Cut", "-inf"), "'Cut' is not finite", "a finite number"),
    "X08 fewer trees": (once('NTrees="100"', 'NTrees="101"'), "number of trees", "NTrees=101"),
    "X08 more trees": (once('NTrees="100"', 'NTrees="99"'), "number of trees", "NTrees=99"),
    "X08 no number": (once('NTrees="100"', 'NTrees="many"'), "'NTrees' is not a number", "a number"),
    "X08 no attribute": (once('NTrees="100" ', ""), "'NTrees' is absent", "NTrees"),
    "X09 unknown method": (once("BDT::BDT", "BDX::BDT"), "of BDX are not read", "BDT"),
    "X09 no method": (once("BDT::BDT", ""), "of no method are not read", "BDT"),
    "X09 unknown boost": (once(">AdaBoost<", ">HyperBoost<"), "'BoostType' has an unknown value", "AdaBoost, "),
    "X09 boost of another analysis": (once(">AdaBoost<", ">AdaBoostR2<"), "BoostType=AdaBoostR2 in a file of", "Grad"),
    "X10 named, not there": (once('(VarTransform"[^>]*>)None', r"\1N,D"), "Normalize is missing", "Normalize, "),
    "X10 unknown": (once('(VarTransform"[^>]*>)None', r"\1Q"), "unknown transformation 'Q'", "I, D, P"),
    "X11 decimal comma": (attribute("Cut", "-9,57e-01"), "'Cut' has a decimal comma", "a number such as"),
    "a leaf without its value": (once(r'(<Node pos="l"[^>]*)nType="1"/>', r"\1/>"), "'nType' is absent", "nType"),
    "no release": (once("TMVA Release", "TMVA Relase"), "no release", "TMVA Release"),
    "analysis unknown": (once('value="Classification"', 'value="Guess"'), "AnalysisType", "Classification, "),
    "variables fewer than said": (once('NVar="4"', 'NVar="5"'), "number of Variables", "NVar=5"),
    "variables exchanged": (once('VarIndex="0"', 'VarIndex="1"'), "Variables out of order", "VarIndex=0"),
    "no weights": (once("<Weights", "<Weigths"), "not XML", "complete"),
    "another root": (lambda text: text.replace("MethodSetup", "Setup"), "not a weight file", "MethodSetup"),
}


@pytest.mark.parametrize("kind", BDT_FAULTS)
def test_what_a_tree_file_cannot_be(kind: str, tmp_path: Path, bdt: str) -> None:
    change, problem, expected = BDT_FAULTS[kind]
    error = refused(tmp_path, change(bdt))
    assert problem in error.problem
    assert expected in error.parts["expected"]
    assert "line" in error.parts["where"] or "option" in error.parts["where"]
    assert error.parts.get("fix") or "unknown transformation" in error.problem


NORMALIZE = r"<Transform Name=[\s\S]*</Transform>"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (once(NORMALIZE, ""), "Normalize is missing"),
        (once(r"<Transformations[\s\S]*</Transformations>", ""), "Normalize is missing"),
        (once('Transform Name="Normalize"', 'Transform Name="Rearrange"'), "Normalize is missing"),
        (once('NTransformations="1"', 'NTransformations="2"'), "fewer transformations"),
        (once('NTransformations="1"', 'NTransformations="0"'), "more transformations"),
        (once(r'<Range Index="3"[^>]*>', ""), "another number of ranges"),
        (once(r'(<Range Index="3"[^>]*Max=")[^"]*', r"\1nan"), "not finite"),
        (once(r'Label="myvar2" Expression="var1-var2"/>', 'Label="none" Expression="x"/>'), "has the label 'none'"),
    ],
)
def test_x10_missing_and_damaged_transformations(change: Text, problem: str, tmp_path: Path, normalised: str) -> None:
    assert problem in refused(tmp_path, change(normalised)).problem


@pytest.mark.parametrize("name", ["BDTG", "MLP", "FisherIDPGD", "LikelihoodD", "KNN", "RuleFit", "Cuts", "HMatrix"])
def test_x12_truncated_anywhere(name: str, tmp_path: Path, shared: Path) -> None:
    data = (shared / "tmva" / "cls_tutorial" / "weights" / f"TMVA_{name}.weights.xml").read_bytes().rstrip()
    for cut in np.linspace(0, len(data) - 1, 64, dtype=int):
        error = refused(tmp_path, data[:cut])
        assert isinstance(error, InputFileError)
        assert error.problem in ("the file is cut off", "not XML, or a damaged file")


PARTS = {"Node", "BinaryTree", "Coefficient", "Neuron", "Layer", "Event", "Rule", "Linear", "Bin", "Cuts", "Parameter"}
PARTS |= {"VecMeanS", "VecMeanB", "InvHMatS", "InvHMatB", "PDFDescriptor", "PDF", "Histogram"}


@pytest.mark.parametrize("which", [0, 0.5, 1], ids=["first", "middle", "last"])
def test_x12_an_element_cut_out_of_every_file(which: float, tmp_path: Path, shared: Path) -> None:
    """Each file without one of the elements of its weights is refused, never guessed at."""
    for path in tmva_files.weight_files(shared):
        tree = ElementTree.parse(path)
        weights = tree.getroot().find("Weights")
        pairs = [(parent, child) for parent in weights.iter() for child in parent if child.tag in PARTS]
        pairs = [(parent, child) for parent, child in pairs if child.get("NSynapses") != "0"]
        parent, child = pairs[int(which * (len(pairs) - 1))]
        parent.remove(child)
        refused(tmp_path, ElementTree.tostring(tree.getroot()))


def test_random_bytes_and_flips_never_crash(tmp_path: Path, bdt: str) -> None:
    rng = np.random.default_rng(6)
    data = bdt.encode()
    path = tmp_path / "flipped.weights.xml"
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            method = read_weights(path)
        except HepmlError:
            continue
        assert method.evaluate(np.zeros((1, 4))).shape == (1,)
    refused(tmp_path, rng.bytes(1000))
    refused(tmp_path, b"")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot read the file"):
        read_weights(tmp_path / "absent.weights.xml")
    with pytest.raises(InputFileError, match="cannot read the file"):
        read_weights(tmp_path)
    with pytest.raises(DataError, match="not a path"):
        read_weights(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["SVM", "PDEFoam", "PDERS", "Category", "Boost", "DL", "DNN", "PyTorch", "TMlpANN"])
def test_methods_that_are_not_read_are_named(kind: str, tmp_path: Path) -> None:
    path = tmva_files.written(tmp_path / "a.xml", kind, "<Weights/>")
    with pytest.raises(SchemaError, match=f"weight files of {kind} are not read") as caught:
        read_weights(path)
    assert caught.value.parts["fix"]


def test_spline5_and_smoothing_by_errors_are_named(tmp_path: Path) -> None:
    def likelihood(pdf: str) -> str:
        rows = "".join(f'<PDFDescriptor VarIndex="0" ClassIndex="{k}">{pdf}</PDFDescriptor>' for k in (0, 1))
        return f'<Weights NVariables="1" NClasses="2">{rows}</Weights>'

    pdf = tmva_files.density([1.0, 2.0, 3.0, 2.0, 1.0, 1.0], 0, 1, 4)
    for text, problem in (
        (pdf, "Spline5"),
        (pdf.replace('MaxNSmooth="0"', 'MaxNSmooth="9"'), "smoothing by the errors"),
    ):
        path = tmva_files.written(tmp_path / "a.xml", "Likelihood", likelihood(text), variables=("x",))
        with pytest.raises(SchemaError, match=problem):
            read_weights(path)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (np.zeros((3, 5)), "another shape"),
        (np.zeros(4), "another shape"),
        ([["a", "b", "c", "d"]], "no numbers"),
        ({"myvar1": [1.0], "myvar2": [1.0], "var3": [1.0]}, "no column 'var4'"),
        ({"myvar1": [1.0, 2.0], "myvar2": [1.0], "var3": [1.0], "var4": [1.0]}, "different shapes"),
    ],
)
def test_events_that_do_not_fit(data: object, problem: str, shared: Path) -> None:
    method = read_weights(shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_Fisher.weights.xml")
    with pytest.raises(DataError, match=problem) as caught:
        method.evaluate(data)
    if "shapes" not in problem and "numbers" not in problem:
        assert "myvar1, myvar2, var3, var4" in caught.value.parts["expected"]


def test_efficiency_is_for_cuts_alone(shared: Path) -> None:
    folder = shared / "tmva" / "cls_tutorial" / "weights"
    with pytest.raises(DataError, match="Cuts needs a signal efficiency"):
        read_weights(folder / "TMVA_Cuts.weights.xml").evaluate(np.zeros((1, 4)))
    with pytest.raises(DataError, match="Fisher takes no signal efficiency"):
        read_weights(folder / "TMVA_Fisher.weights.xml").evaluate(np.zeros((1, 4)), 0.5)
    with pytest.raises(DataError, match="cannot be nan"):
        read_weights(folder / "TMVA_Cuts.weights.xml").evaluate(np.zeros((1, 4)), float("nan"))


def test_no_densities(shared: Path) -> None:
    method = read_weights(shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_BDT.weights.xml")
    for ask in (method.proba, method.rarity):
        with pytest.raises(DataError, match="no densities") as caught:
            ask(np.zeros((1, 4)))
        assert caught.value.parts["fix"] == "train again with CreateMVAPdfs"
