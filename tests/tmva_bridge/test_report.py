"""`hepml tmva report`: what it finds in output files of a real TMVA, and how its figures look."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import uproot

from hepml.errors import DataError, InputFileError, OutputError
from hepml.plots import drawing
from tmva_bridge.report import open_output, report

FIGURES = {
    "cls_tutorial": ["variables_Id", "variables_Deco", "variables_PCA", "variables_Gauss_Deco", "correlations"],
    "cls_plain_weighted": ["variables_Id", "correlations"],
    "multiclass": ["variables_Id", "correlations"],
    "reg": ["variables_Id", "correlations"],
}


@pytest.fixture(scope="module")
def layout() -> ModuleType:
    """The measurements of the tests of hepml's figures."""
    path = Path(__file__).parents[1] / "figures" / "test_layout.py"
    spec = importlib.util.spec_from_file_location("figures_layout", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("case", FIGURES)
def test_no_text_of_a_figure_is_cut_off_or_covered(case: str, shared: Path, layout: ModuleType) -> None:
    from tmva_bridge.report.figures import figures

    seen = []
    with open_output(shared / "tmva" / case / "TMVA.root") as output:
        few = replace(output, methods=output.methods[:2])
        for name, record in figures(few):
            seen.append(name)
            with drawing(record.style):
                words = layout.words(record.figure)
            width, height = record.figure.bbox.width, record.figure.bbox.height
            for text, box in words:
                assert -1 <= box.x0 <= box.x1 <= width + 1, (name, text)
                assert -1 <= box.y0 <= box.y1 <= height + 1, (name, text)
            for (first, one), (second, other) in combinations(words, 2):
                across = min(one.x1, other.x1) - max(one.x0, other.x0)
                along = min(one.y1, other.y1) - max(one.y0, other.y0)
                assert min(across, along) < 1.5, (name, first, second)
            assert len(record.tables) > 0
            assert record.caption.endswith(".")
        word = {"multiclass": "response", "reg": "deviation"}.get(case, "response")
        more = [f"{word}_{title}" for _, title in few.methods] + (["roc"] if case.startswith("cls") else [])
    assert seen == FIGURES[case] + more


def test_numbers_of_a_figure_are_those_of_the_file(shared: Path) -> None:
    from tmva_bridge.report.figures import figures

    path = shared / "tmva" / "cls_plain_weighted" / "TMVA.root"
    with open_output(path) as output, uproot.open(path) as file:
        records = dict(figures(replace(output, methods=output.methods[:1])))
        curve = file["dataset/Method_Fisher/Fisher/MVA_Fisher_rejBvsS"]
        np.testing.assert_allclose(records["roc"].table["background_rejection"], curve.values(), atol=1e-12)
        matrix = file["dataset/CorrelationMatrixS"].values()
        np.testing.assert_array_equal(records["correlations"].table["var2"], matrix[:, 1])
        stored = file["dataset/Method_Fisher/Fisher/MVA_Fisher_S"].values()
        drawn = records["response_Fisher"].tables[0]["held_out"]
        np.testing.assert_allclose(drawn, stored, rtol=1e-6, atol=1e-9)
        trained = file["dataset/Method_Fisher/Fisher/MVA_Fisher_Train_S"].values()
        drawn = records["response_Fisher"].tables[0]["training"]  # events beyond the test sample's range count, too
        np.testing.assert_allclose(drawn / drawn.sum(), trained / trained.sum(), rtol=1e-5, atol=1e-9)
        assert 0.998 < drawn.sum() / trained.sum() < 1


def test_a_report_is_written_whole(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared / "tmva" / "reg" / "TMVA.root"
    lines: list[str] = []
    record = report(path, tmp_path / "out", telling=lines.append)
    assert record["methods"][0] == {"type": "MLP", "title": "MLP"}
    assert record["analysis"] == "Regression"
    written = {one.name for one in (tmp_path / "out").iterdir()}
    assert written == {f"{name}.{kind}" for name in record["figures"] for kind in ("pdf", "png", "json")} | {
        "report.json"
    }
    assert json.loads((tmp_path / "out" / "report.json").read_text())["figures"] == record["figures"]
    assert lines == [f"draw {name}" for name in record["figures"]]
    with pytest.raises(OutputError, match="exists"):
        report(path, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else than a report"):
        report(path, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_other_files_are_refused(shared: Path, tmp_path: Path, sample: dict[str, Path]) -> None:
    with pytest.raises(InputFileError, match="not an output file of TMVA"), open_output(sample["electrons"]):
        pass
    cut = tmp_path / "cut.root"
    cut.write_bytes((shared / "tmva" / "reg" / "TMVA.root").read_bytes()[:300_000])
    with pytest.raises(InputFileError, match="truncated"), open_output(cut):
        pass
    with (
        pytest.raises(DataError, match="no DataLoader 'datasets'"),
        open_output(shared / "tmva" / "reg" / "TMVA.root", "datasets"),
    ):
        pass


def test_two_loaders_in_a_file_need_a_choice(tmp_path: Path) -> None:
    tree = {"classID": np.array([0, 1], np.int32), "className": ["Signal", "Background"]}
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("one", "two"):
            new = file.mktree(f"{name}/TestTree", {"classID": "int32", "className": "string"})
            new.extend(tree)
    with pytest.raises(DataError, match="several DataLoaders"), open_output(tmp_path / "two.root"):
        pass
    with open_output(tmp_path / "two.root", "two") as output:
        assert output.loader == "two"
        assert output.methods == ()


def test_files_before_the_dataloader_have_no_folder(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "old.root") as file:
        new = file.mktree("TestTree", {"classID": "int32", "className": "string"})
        new.extend({"classID": np.array([1, 0], np.int32), "className": ["Background", "Signal"]})
        file["Method_Fisher/Fisher/WeightFileName"] = "weights/TMVA_Fisher.weights.xml"
        file["CorrelationMatrixS"] = np.histogram([1.0])
    with open_output(tmp_path / "old.root") as output:
        assert output.loader == ""
        assert output.classes == ("Signal", "Background")
        assert output.methods == (("Fisher", "Fisher"),)
        assert output.analysis == "Classification"
        assert output.has("CorrelationMatrixS")
