"""Fitted on the TrainTree of a real TMVA, the numbers are those of its weight files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tmva_samples

from hepml.errors import DataError
from tmva_bridge.fitting import TRAININGS
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import parse_weights
from tmva_bridge.xmlfile import parse_xml, read_bytes

# file -> the largest difference of any number from TMVA's, |a - b| / max(1, |b|)
FILES = {
    "cls_tutorial/weights/TMVA_Fisher": 1e-7,
    "cls_tutorial/weights/TMVA_FisherN": 1e-13,
    "cls_tutorial/weights/TMVA_FisherD": 2e-13,
    "cls_tutorial/weights/TMVA_FisherP": 1e-14,
    "cls_tutorial/weights/TMVA_FisherG": 1e-8,
    "cls_tutorial/weights/TMVA_FisherU": 5e-8,
    "cls_tutorial/weights/TMVA_FisherGD": 2e-8,
    "cls_tutorial/weights/TMVA_FisherIDPGD": 1e-5,  # components of a decorrelated sample: nearly degenerate
    "cls_tutorial/weights/TMVA_LD": 3e-7,
    "cls_tutorial/weights/TMVA_LDPN": 2e-9,
    "cls_tutorial/weights/TMVA_Likelihood": 0,
    "cls_tutorial/weights/TMVA_LikelihoodD": 2e-13,
    "cls_tutorial/weights/TMVA_LikelihoodS0": 0,
    "cls_plain_weighted/weights/TMVA_Fisher": 1e-8,  # TrainTree holds weights as float32
    "cls_plain_weighted/weights/TMVA_FisherPG": 1e-6,
    "cls_plain_weighted/weights/TMVA_LDD": 1e-8,
    "cls_plain_weighted/weights/TMVA_Likelihood": 0,
    "reg/weights/TMVA_LD": 1e-8,
    "reg/weights/TMVA_LDG": 1e-6,
}


@pytest.mark.parametrize(("name", "bound"), FILES.items(), ids=FILES)
def test_every_number_of_the_file(name: str, bound: float, shared: Path) -> None:
    path = shared / "tmva" / f"{name}.weights.xml"
    method, setup, sample = tmva_samples.training(path)
    options = tmva_samples.booked(path)
    text = TRAININGS[method.kind].fit(sample, setup, options, title=method.title, job="TMVA")
    new, old = parse_xml(text.encode(), "new"), parse_xml(read_bytes(path), "old")
    assert [one.name for one in new.children] == [one.name for one in old.children]
    for part in ("Variables", "Spectators", "Classes", *(["Targets"] if setup.targets else [])):
        assert list(tmva_samples.differences(new.child(part), old.child(part))) == []
    for part in ("Transformations", "MVAPdfs", "Weights"):
        for where, distance in tmva_samples.differences(new.child(part), old.child(part)):
            assert isinstance(distance, float), (where, distance)
            assert distance <= bound, where
    options_of = [[(one.get("name"), one.text) for one in root.child("Options").children] for root in (new, old)]
    assert options_of[0] == options_of[1]
    said = [{one.get("name") for one in root.child("GeneralInfo").children} for root in (new, old)]
    assert said[0] == said[1]


def small(count: int = 200) -> tuple[Setup, Sample]:
    from tmva_bridge.header import Variable

    rng = np.random.default_rng(3)
    classes = (np.arange(count) % 2).astype(np.int32)
    values = (rng.normal(size=(count, 3)) + 0.7 * classes[:, None]).astype(np.float32)
    variables = tuple(Variable(name, name, name, "F") for name in ("x", "y", "z"))
    none = np.empty((count, 0), np.float32)
    setup = Setup("dataset", "Classification", ("Signal", "Background"), variables)
    return setup, Sample(values, none, none, classes, np.ones(count))


def fit(options, kind: str = "Fisher", setup: Setup | None = None, sample: Sample | None = None) -> str:
    known = small()
    return TRAININGS[kind].fit(sample or known[1], setup or known[0], options, title="A", job="TMVA")


def test_parameters_of_each_class_and_of_all() -> None:
    root = parse_xml(fit({"VarTransform": "N"}).encode(), "new")
    _, sample = small()
    sets = root.child("Transformations").child("Transform").every("Class")
    for one, mask in zip(sets, [sample.classes == 0, sample.classes == 1, slice(None)], strict=True):
        rows = one.child("Ranges").every("Range")
        assert [row.real("Min") for row in rows] == sample.values[mask].min(axis=0).tolist()
        assert [row.real("Max") for row in rows] == sample.values[mask].max(axis=0).tolist()


@pytest.mark.parametrize("chain", ["N(x,z)", "N(_V0_,z)", "Norm(z,x)_Signal", "N_Signal(x,_V2_)"])
def test_partial_lists(chain: str) -> None:
    text = fit({"VarTransform": chain})
    _, sample = small()
    inputs = parse_xml(text.encode(), "new").child("Transformations").child("Transform").child("Selection")
    labels = [one.get("Label") for one in inputs.child("Input").every("Input")]
    assert labels == (["z", "x"] if chain.startswith("Norm") else ["x", "z"])
    plain = parse_weights(fit({}).encode(), "plain").evaluate(sample.values)
    chained = parse_weights(text.encode(), "chained")
    if "Signal" not in chain:  # linear, so that the response is the same
        np.testing.assert_allclose(chained.evaluate(sample.values), plain, atol=1e-6)


def test_a_named_class_is_used_in_the_training() -> None:
    """Fisher of linear maps is the same whatever they are; so each set of parameters gives its own coefficients."""
    _, sample = small()
    low, high = sample.values[sample.classes == 0].min(axis=0), sample.values[sample.classes == 0].max(axis=0)
    weights = parse_xml(fit({"VarTransform": "N_Signal"}).encode(), "new").child("Weights")
    plain = parse_xml(fit({}).encode(), "new").child("Weights")
    slopes = [[one.real("Value") for one in node.every("Coefficient")][1:] for node in (weights, plain)]
    np.testing.assert_allclose(slopes[0], np.array(slopes[1]) * (high - low) / 2, rtol=1e-5)


def test_identities_are_counted() -> None:
    node = parse_xml(fit({"VarTransform": "I,N,I"}).encode(), "new").child("Transformations")
    assert (node.whole("NTransformations"), len(node.children)) == (3, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Nonsense": 1}, "unknown option 'Nonsense'"),
        ({"Method": "Newton"}, "the option 'Method' cannot be 'Newton'"),
        ({"H": "perhaps"}, "the option 'H' cannot be 'perhaps'"),
        ({"VarTransform": "Q"}, "unknown transformation 'Q'"),
        ({"VarTransform": "N_Sig"}, "the class 'Sig', which is not there"),
        ({"VarTransform": "N(w)"}, "names 'w', which is not there"),
        ({"VarTransform": "P(x)"}, "principal components of one variable"),
    ],
)
def test_what_is_refused(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("Likelihood", {"PDFInterpol": "Spline5"}, "Spline5 is not offered"),
        ("Likelihood", {"MinNSmooth": 1, "MaxNSmooth": 4}, "that differ are not offered"),
        ("Likelihood", {"PDFInterpolSig": "Spline7"}, "PDFInterpol cannot be 'Spline7'"),
        ("Likelihood", {"CheckHist": True}, "CheckHist is not offered"),
        ("Likelihood", {"NAvEvtPerBin": 1000}, "no bin for a density"),
        ("Fisher", {"CreateMVAPdfs": True, "PDFInterpolMVAPdf": "Spline5"}, "Spline5 is not offered"),
    ],
)
def test_densities_that_are_refused(kind: str, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(options, kind)


def test_densities_of_one_variable() -> None:
    options = "NSmooth=2:NSmoothSig[1]=7:PDFInterpolBkg[0]=KDE:KDEiterBkg[0]=Adaptive:NbinsSig[2]=33"
    root = parse_xml(fit(options, "Likelihood").encode(), "new")
    nodes = {
        (one.whole("VarIndex"), one.whole("ClassIndex")): one.child("PDF")
        for one in root.child("Weights").every("PDFDescriptor")
    }
    assert [nodes[i, 0].whole("MaxNSmooth") for i in range(3)] == [2, 7, 2]
    assert nodes[0, 1].whole("InterpolMethod") == 5
    assert nodes[0, 1].whole("KDE_iter") == 2
    assert nodes[2, 0].child("Histogram").whole("NBins") == 33
    assert nodes[2, 1].child("Histogram").whole("NBins") == 2


def test_integer_variables_have_a_bin_for_each_value() -> None:
    setup, sample = small()
    values = sample.values.copy()
    values[:, 0] = np.arange(len(values)) // 2 % 5
    variables = (dataclasses.replace(setup.variables[0], kind="I"), *setup.variables[1:])
    text = fit(
        {},
        "Likelihood",
        dataclasses.replace(setup, variables=variables),
        dataclasses.replace(sample, values=values),
    )
    histogram = parse_xml(text.encode(), "new").child("Weights").children[0].child("PDF").child("Histogram")
    assert (histogram.whole("NBins"), histogram.real("XMin"), histogram.real("XMax")) == (5, 0, 5)
    assert histogram.numbers(5).tolist() == [20, 20, 20, 20, 20]


def test_negative_weights_can_be_left_out() -> None:
    _, sample = small()
    weights = np.where(np.arange(len(sample)) % 10 == 0, -1.0, 1.0)
    kept = weights > 0
    weighted = dataclasses.replace(sample, weights=weights)
    without = Sample(
        *(getattr(sample, name)[kept] for name in ("values", "spectators", "targets", "classes", "weights"))
    )
    texts = [
        fit({"IgnoreNegWeightsInTraining": True}, sample=weighted),
        fit({}, sample=without),
        fit({}, sample=weighted),
    ]
    weights_of = [list(parse_xml(text.encode(), "new").child("Weights").children) for text in texts]
    values = [[one.get("Value") for one in nodes] for nodes in weights_of]
    assert values[0] == values[1] != values[2]


def test_the_response_of_a_regression_is_in_the_targets_units(shared: Path) -> None:
    _, setup, sample = tmva_samples.training(shared / "tmva" / "reg" / "weights" / "TMVA_LD.weights.xml")
    plain, scaled = (
        parse_weights(fit({"VarTransform": chain}, "LD", setup, sample).encode(), "new").evaluate(sample.values)
        for chain in ("None", "N")
    )
    np.testing.assert_allclose(plain, scaled, rtol=1e-4, atol=1e-3)


def test_samples_that_cannot_be_trained_on() -> None:
    _, sample = small()
    for change, message in (
        ({"values": np.full_like(sample.values, np.nan)}, "values that are not finite"),
        ({"classes": np.zeros_like(sample.classes)}, "no training events of the class 'Background'"),
    ):
        with pytest.raises(DataError, match=message):
            fit({}, sample=Sample(**{**sample.__dict__, **change}))
    constant = sample.values.copy()
    constant[:, 1] = 2
    for chain, message in (("N", "constant column"), ("D", "cannot be decorrelated"), ("G", "no cumulant")):
        with pytest.raises(DataError, match=message):
            fit({"VarTransform": chain}, sample=Sample(**{**sample.__dict__, "values": constant}))
