"""Every weight file that a real TMVA wrote gives the numbers that its Reader gave, at the edges too."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tmva_files
import uproot

from tmva_bridge import read_weights

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = tmva_files.weight_files(SHARED)


def tolerance(path: Path) -> float:
    """Of |a - b| / max(1, |b|): by the method, and 1e-5 for chains with G."""
    text = path.read_text()
    kind = re.search(r'Method="(\w+)::', text)[1]
    if 'FlatOrGauss="Gauss"' in text:
        return 1e-5
    if kind == "Likelihood":
        return 1e-3 if 'InterpolMethod="5"' in text else 2e-4
    return 1e-4 if kind == "KNN" and '"Regression"' in text else 1e-6


def reference(path: Path) -> dict[str, np.ndarray]:
    return dict(np.load(path.parents[1] / "apply.npz"))


def test_all_files_are_there(shared: Path) -> None:
    assert len(FILES) == 39


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{tmva_files.title(path)}")
def test_responses_are_those_of_the_reader(path: Path) -> None:
    data, name = reference(path), tmva_files.title(path)
    method = read_weights(path)
    efficiency = (0.7,) if method.kind == "Cuts" else ()
    out = method.evaluate(data["inputs"], *efficiency)
    expected = data[f"resp_{name}"]
    assert out.dtype == np.float64
    assert out.shape == (expected.shape if expected.shape[1] > 1 else expected.shape[:1])
    difference = np.abs(out.reshape(expected.shape) - expected) / np.maximum(1, np.abs(expected))
    assert difference.max() <= tolerance(path)
    assert list(method.variables) == data["variables"].tolist()
    by_name = dict(zip(method.variables, data["inputs"].T, strict=True))
    np.testing.assert_array_equal(method.evaluate(by_name, *efficiency), out)
    one = np.concatenate([method.evaluate(data["inputs"][i : i + 1], *efficiency) for i in range(0, 1200, 97)])
    np.testing.assert_array_equal(one, out[::97])


@pytest.mark.parametrize("case", tmva_files.CASES)
def test_responses_are_those_of_the_complete_test_sample(case: str, shared: Path) -> None:
    """TestTree holds what TMVA gave for every event of the test sample, rounded to float32."""
    with uproot.open(shared / "tmva" / case / "TMVA.root") as file:
        name = next(key for key in file.keys() if key.endswith("TestTree;1"))  # noqa: SIM118
        stored = file[name].arrays(library="np")
    methods = [read_weights(path) for path in sorted((shared / "tmva" / case / "weights").glob("*.xml"))]
    compared = 0
    for method in methods:
        if method.kind == "Cuts":
            continue  # its tree holds another efficiency
        out = method.evaluate({one.label: stored[one.internal] for one in method.header.variables})
        expected = stored[method.title]
        if expected.dtype.names:
            expected = np.stack([expected[name] for name in expected.dtype.names], axis=1)
        difference = np.abs(out - expected.reshape(out.shape)) / np.maximum(1, np.abs(expected.reshape(out.shape)))
        assert difference.max() <= (1e-6 if method.kind == "KNN" else 1.2e-7), method.title
        compared += len(out)
    assert compared >= 10_000


@pytest.mark.parametrize("name", ["Fisher", "LD"])
def test_probability_and_rarity_are_those_of_the_reader(name: str, shared: Path) -> None:
    path = shared / "tmva" / "cls_tutorial" / "weights" / f"TMVA_{name}.weights.xml"
    data, method = reference(path), read_weights(path)
    np.testing.assert_allclose(method.proba(data["inputs"], 0.3), data[f"proba03_{name}"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(method.rarity(data["inputs"]), data[f"rarity_{name}"], rtol=0, atol=1e-12)
    response = method.evaluate(data["inputs"])
    np.testing.assert_array_equal(method.rarity(response=response), method.rarity(data["inputs"]))


def test_what_a_file_says_of_itself(shared: Path) -> None:
    method = read_weights(shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_BDTG.weights.xml")
    assert (method.kind, method.title, method.analysis) == ("BDT", "BDTG", "Classification")
    assert method.variables == ("myvar1", "myvar2", "var3", "var4")
    assert method.expressions == ("var1+var2", "var1-var2", "var3", "var4")
    assert method.spectators == ("spec1", "spec2")
    assert method.classes == ("Signal", "Background")
    assert method.options["NTrees"] == "120"
    assert read_weights(shared / "tmva" / "reg" / "weights" / "TMVA_LD.weights.xml").targets == ("fvalue",)


def test_no_events_give_no_responses(shared: Path) -> None:
    for case, shape in (("cls_tutorial/weights/TMVA_MLP", (0,)), ("multiclass/weights/TMVA_BDTG", (0, 4))):
        method = read_weights(shared / "tmva" / f"{case}.weights.xml")
        assert method.evaluate(np.empty((0, 4))).shape == shape
        assert method.evaluate([]).shape == shape
