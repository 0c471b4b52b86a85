"""The batch examples do what they say, without a batch system: their parts are run, their scripts are made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hepml.dataset import convert
from hepml.scale import merge

EXAMPLES = Path(__file__).parents[2] / "examples" / "batch"
Files = dict[str, list[Path]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the examples, as a user would copy them."""
    for path in EXAMPLES.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    for name in ("parts", "logs"):
        (tmp_path / name).mkdir()
    return tmp_path


def environment(files: Files, **more: str) -> dict[str, str]:
    inputs = {
        name: f"{files[kind][0].parent}/{kind}*.root"
        for name, kind in (("SIGNAL", "electrons"), ("BACKGROUND", "jets"))
    }
    return {**os.environ, **inputs, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


def test_an_array_of_jobs_and_merge(files: Files, folder: Path) -> None:
    """The tasks of the Slurm array, one after another; one of them a second time, and one with a damaged part."""
    script = (folder / "slurm.sbatch").read_text()
    assert re.search(r"^#SBATCH --array=1-100$", script, re.MULTILINE)
    for task in (1, 2, 3, 2):
        numbers = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "3"}
        subprocess.run(["bash", "slurm.sbatch"], cwd=folder, env=environment(files, **numbers), check=True)
    part = folder / "parts" / "3.h5"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1000])
    subprocess.run(["bash", "convert_part.sh", "3", "3"], cwd=folder, env=environment(files), check=True)
    assert part.read_bytes() == whole
    merge(f"{folder}/parts/*.h5", folder / "data.h5")
    convert(files["electrons"], files["jets"], folder / "whole.h5")
    assert (folder / "data.h5").read_bytes() == (folder / "whole.h5").read_bytes()


def test_the_htcondor_file_numbers_its_parts_from_one(folder: Path) -> None:
    lines = dict(re.findall(r"^(\w+)\s*=\s*(.+)$", (folder / "htcondor.sub").read_text(), re.MULTILINE))
    assert lines["executable"] == "convert_part.sh"
    numbers = []
    for process in range(int(lines["PARTS"])):
        first, plus, second = lines["Number"].split()
        assert (first, plus) == ("$(Process)", "+")
        number = process + int(second)
        numbers.append(lines["arguments"].replace("$INT(Number)", str(number)).replace("$(PARTS)", lines["PARTS"]))
    assert numbers == [f"{number} 100" for number in range(1, 101)]


@pytest.mark.parametrize(
    ("system", "words"),
    [("slurm", ["#SBATCH -p short", "#SBATCH --mem=2G"]), ("htcondor", ["RequestMemory", "JobFlavour", "Queue"])],
)
def test_what_dask_jobqueue_submits(folder: Path, system: str, words: list[str]) -> None:
    pytest.importorskip("dask_jobqueue", reason="pip install 'hepml[dask]'")
    command = [sys.executable, "on_a_batch_system.py", system, "--queue", "short", "--script"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for word in (*words, "dask"):
        assert word in done.stdout, done.stdout


def test_the_dask_example_on_this_machine(files: Files, folder: Path) -> None:
    pytest.importorskip("distributed", reason="pip install 'hepml[dask]'")
    inputs = ["--signal", *files["electrons"], "--background", *files["jets"]]
    command = [sys.executable, "on_a_batch_system.py", "local", "--jobs", "2", *map(str, inputs)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "5000 candidates" in done.stdout
    convert(files["electrons"], files["jets"], folder / "whole.h5")
    assert (folder / "data.h5").read_bytes() == (folder / "whole.h5").read_bytes()
