"""With ROOT: columns of responses; and the comparison with libTMVA, whose Reader is stood in for by ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tmva_files as files

import tmva_bridge
from hepml import Evaluator
from hepml.errors import DataError, MissingExtraError, VerificationError
from tmva_bridge import read_weights, root, to_json


@pytest.fixture(scope="module", name="ROOT")
def installed_root():
    return pytest.importorskip("ROOT", reason="ROOT is not installed: pip install 'hepml[root]'")


@pytest.fixture
def fisher(tmp_path: Path) -> Path:
    return files.written(tmp_path / "a.xml", "Fisher", files.fisher(1, 2, 3))


@pytest.fixture
def rdf(ROOT):
    frame = ROOT.RDataFrame(50).Define("x", "0.25 * rdfentry_").Define("z", "int(rdfentry_ % 7)")
    return frame.Define("y", "1.f - z")


def test_a_tutorial_tree_is_scored_as_its_file_says(ROOT, shared: Path) -> None:
    """Variables that are expressions are computed by ROOT: nothing has to be said."""
    weights = shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_BDTG.weights.xml"
    rdf = ROOT.RDataFrame("TreeS", str(shared / "tmva" / "tmva_class_example.root")).Range(500)
    scored = root.define(rdf, "score", weights)
    taken = scored.AsNumpy(["score", "var1", "var2", "var3", "var4"])
    var1, var2 = (taken[name].astype(np.float64) for name in ("var1", "var2"))
    values = np.stack([var1 + var2, var1 - var2, taken["var3"], taken["var4"]], axis=1).astype(np.float32)
    expected = Evaluator.from_text(to_json(weights))(values)["output"][:, 0]
    assert scored.GetColumnType("score") == "float"
    np.testing.assert_array_equal(taken["score"], expected)
    assert len(np.unique(expected)) > 100


@pytest.mark.parametrize("columns", [["x / 2", "y"], {"x": "x / 2"}, {"x": "x / 2", "y": "1 - z"}])
def test_columns_by_order_or_by_name(columns, rdf, fisher: Path) -> None:
    taken = root.define(rdf, "score", fisher, columns).AsNumpy(["x", "y", "score"])
    expected = 1 + 2 * (taken["x"] / 2) + 3 * taken["y"].astype(np.float64)
    np.testing.assert_array_equal(taken["score"], expected.astype(np.float32))


def test_several_classes(rdf, shared: Path) -> None:
    weights = shared / "tmva" / "multiclass" / "weights" / "TMVA_MLPN.weights.xml"
    columns = ["x", "y", "z", "x - y"]
    frame = root.define(root.define(rdf, "all", weights, columns), "one", weights, columns, label="bg1")
    taken = frame.AsNumpy(["all", "one"])
    np.testing.assert_array_equal([row[2] for row in taken["all"]], taken["one"])


def test_what_does_not_fit_is_said_before_the_loop(rdf, fisher: Path) -> None:
    with pytest.raises(DataError, match="another number of columns"):
        root.define(rdf, "score", fisher, ["x"])
    with pytest.raises(DataError, match="no variable 'xx'") as caught:
        root.define(rdf, "score", fisher, {"xx": "x"})
    assert "x" in str(caught.value.parts["nearest"])
    with pytest.raises(DataError, match="cannot be compiled"):
        root.define(rdf, "score", fisher, {"x": "nowhere + 1"})


def test_without_root_one_sentence_says_what_to_install(fisher: Path) -> None:
    code = (
        "import sys; sys.modules['ROOT'] = None\n"
        "import tmva_bridge.root as root\n"
        "from hepml.errors import MissingExtraError\n"
        "for call in (lambda: root.define(None, 'score', sys.argv[1]), lambda: root.verify(sys.argv[1])):\n"
        "    try: call()\n"
        "    except MissingExtraError as error: print(str(error).replace('\\n', ' '))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(fisher)], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "ROOT is not installed" in first
    assert "pip install 'hepml[root]'" in first
    assert "libTMVA" in second
    assert "conda install -c conda-forge root" in second


def test_a_root_without_tmva_says_so(ROOT, fisher: Path) -> None:
    if hasattr(ROOT, "TMVA"):
        pytest.skip("this ROOT has TMVA")
    with pytest.raises(MissingExtraError, match="has no libTMVA"):
        root.verify(fisher)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A ROOT whose TMVA is ours: it takes the same calls."""
    module = SimpleNamespace(
        TMVA=SimpleNamespace(Reader=tmva_bridge.Reader), gROOT=SimpleNamespace(GetVersion=lambda: "6.38.00")
    )
    monkeypatch.setitem(sys.modules, "ROOT", module)
    return module


@pytest.mark.parametrize(
    "case", ["cls_tutorial/weights/TMVA_BDT", "cls_tutorial/weights/TMVA_Cuts", "multiclass/weights/TMVA_MLP",
             "reg/weights/TMVA_LDG", "reg/weights/TMVA_KNN"]
)  # fmt: skip
def test_verify_asks_tmva_for_every_kind(case: str, stand_in: SimpleNamespace, shared: Path) -> None:
    path = shared / "tmva" / f"{case}.weights.xml"
    found = root.verify(path, events=40)
    assert (found.events, found.python, found.release) == (40, 0, "6.38.00")
    assert (found.cpp is None) == (read_weights(path).kind in ("Cuts", "KNN"))
    assert found.cpp is None or found.cpp < 1e-6


def test_verify_names_the_event_that_differs(stand_in: SimpleNamespace, fisher: Path) -> None:
    class Other(tmva_bridge.Reader):
        def EvaluateMVA(self, *arguments):  # noqa: N802
            return super().EvaluateMVA(*arguments) + 0.001

    stand_in.TMVA.Reader = Other
    with pytest.raises(VerificationError, match="the response in Python is not that of TMVA") as caught:
        root.verify(fisher, events=10)
    assert "event [" in str(caught.value.parts["where"])
