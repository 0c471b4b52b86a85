"""The numbers in the pages are those of docs/results.json and docs/guided_search.json."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["results_table", "guided_table"])
def test_tables_are_generated(name: str) -> None:
    script = ROOT / "scripts" / f"{name}.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
