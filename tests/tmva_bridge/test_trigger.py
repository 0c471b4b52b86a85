"""The example in C++, built as its page says, gives the responses that TMVA's Reader gave."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tmva_bridge import to_json

EXAMPLE = Path(__file__).parents[2] / "examples" / "tmva"


def run(*command: object, **options: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tools = Path(sys.executable).parent
    cmake, ninja = (shutil.which(name, path=str(tools)) or shutil.which(name) for name in ("cmake", "ninja"))
    if not (cmake and ninja):
        pytest.skip("cmake or ninja is not installed")
    build = tmp_path_factory.mktemp("respond")
    hepml_dir = run(sys.executable, "-m", "hepml", "--cmake-dir").strip()
    places = ["-S", EXAMPLE, "-B", build, "-G", "Ninja", f"-Dhepml_DIR={hepml_dir}"]
    run(cmake, *places, f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wconversion -Werror")
    run(cmake, "--build", build)
    return build / "respond"


def test_it_has_20_lines() -> None:
    assert len((EXAMPLE / "respond.cpp").read_text().splitlines()) == 20


@pytest.mark.parametrize("case", ["cls_tutorial/BDT", "cls_tutorial/LikelihoodD", "multiclass/BDTG"])
def test_responses_of_events_on_standard_input(case: str, program: Path, shared: Path, tmp_path: Path) -> None:
    folder, title = case.split("/")
    data = np.load(shared / "tmva" / folder / "apply.npz")
    to_json(shared / "tmva" / folder / "weights" / f"TMVA_{title}.weights.xml", tmp_path / "net.json")
    text = "".join(" ".join(f"{value:.9g}" for value in event) + "\n" for event in data["inputs"])
    out = np.array([line.split() for line in run(program, tmp_path / "net.json", input=text).splitlines()], float)
    expected = data[f"resp_{title}"]
    assert out.shape == expected.shape
    bound = 2e-4 if "Likelihood" in title else 1e-6
    assert (np.abs(out - expected) / np.maximum(1, np.abs(expected))).max() <= bound


def test_what_is_wrong_is_said(program: Path, tmp_path: Path) -> None:
    done = subprocess.run([program, tmp_path / "absent.json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "absent.json" in done.stderr
