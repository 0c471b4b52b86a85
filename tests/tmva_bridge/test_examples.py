"""The scripts of the workshop and TMVA's tutorials run, and differ from scripts for PyROOT in one import line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import uproot

EXAMPLES = Path(__file__).parents[2] / "examples" / "tmva"
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "2"}


def run(folder: Path, script: str, *arguments: object, timeout: int = 900) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def integrals(printed: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"(\S+) +: (0\.\d{3})$", printed, re.MULTILINE)}


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_one_line_differs_from_pyroot(script: str) -> None:
    lines = [line for line in (EXAMPLES / script).read_text().splitlines() if "tmva_bridge" in line]
    ours, _, theirs = lines[0].partition("  # PyROOT: ")
    assert [ours] == [theirs.replace("from ROOT", "from tmva_bridge")] * len(lines)


def test_the_workshop(shared: Path, tmp_path: Path) -> None:
    data = shared / "tmva" / "tmva_class_example.root"
    areas = integrals(run(tmp_path, "workshop_training.py", data, 3))
    assert 0.87 < areas["Fisher"] < 0.92
    assert areas["PyKeras"] > areas["Fisher"]
    assert (tmp_path / "trained_model.keras").is_file()
    with uproot.open(tmp_path / "BinaryClassificationKeras.root") as file:
        folder = "BinaryClassificationKeras"
        assert file[f"{folder}/TrainTree"].num_entries == 8000
        assert file[f"{folder}/TestTree"].num_entries == 4000
        assert f"{folder}/Method_PyKeras/PyKeras/MVA_PyKeras_S" in file
    printed = run(tmp_path, "workshop_application.py", data, 200)
    means = dict(re.findall(r"Average response on (\w+): (\d\.\d\d)", printed))
    assert float(means["Signal"]) > 0.65
    assert float(means["Background"]) < 0.35


def test_the_classification_tutorial(shared: Path, tmp_path: Path) -> None:
    titles = "Fisher,FisherG,LD,Likelihood,LikelihoodD,BDT"
    printed = run(tmp_path, "tutorial_classification.py", shared / "tmva" / "tmva_class_example.root", titles)
    areas = integrals(printed)
    assert sorted(areas) == sorted(titles.split(","))
    assert areas["LikelihoodD"] > areas["Likelihood"]  # the variables depend on each other
    weights = sorted(path.name for path in (tmp_path / "dataset" / "weights").glob("*.xml"))
    assert weights == [f"TMVAClassification_{title}.weights.xml" for title in sorted(titles.split(","))]
    with uproot.open(tmp_path / "TMVA.root") as file:
        assert {"InputVariables_Id", "InputVariables_Gauss_Deco", "CorrelationMatrixS"} <= set(
            file["dataset"].keys(recursive=False, cycle=False)
        )


def test_the_regression_tutorial(shared: Path, tmp_path: Path) -> None:
    printed = run(tmp_path, "tutorial_regression.py", shared / "tmva" / "tmva_reg_example.root", "LD,BDTG,PyKeras", 60)
    test_table = printed.split("training sample: target")[0]
    widths = {name: float(rms) for name, rms in re.findall(r"datasetreg +(\w+) +: +\S+ +\S+ +(\S+)", test_table)}
    assert max(widths["PyKeras"], widths["BDTG"]) < widths["LD"]


def test_the_multiclass_tutorial(shared: Path, tmp_path: Path) -> None:
    path = shared / "tmva" / "tmva_multiclass_example.root"
    printed = run(tmp_path, "tutorial_multiclass.py", path, "PyKeras", 8)
    row = re.search(r"datasetmulti +PyKeras +:(.*)$", printed, re.MULTILINE)
    assert row
    areas = [float(value) for value in re.findall(r"(0\.\d+) \(", row[1])]
    assert len(areas) == 4
    assert min(areas) > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["class", "reg", "multiclass"])
def test_the_tutorials_with_all_their_methods(shared: Path, tmp_path: Path, kind: str) -> None:
    script = {"class": "classification", "reg": "regression"}.get(kind, kind)
    run(tmp_path, f"tutorial_{script}.py", shared / "tmva" / f"tmva_{kind}_example.root", timeout=7200)
    text = (EXAMPLES / f"tutorial_{script}.py").read_text()
    titles = set(re.findall(r'^    "(\w+)": \(', text, re.MULTILINE))
    assert {path.name.split("_")[1].split(".")[0] for path in tmp_path.glob("*/weights/*.xml")} == titles
