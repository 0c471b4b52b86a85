"""The table of docs/scale.md is what docs/scale_speed.json gives."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_generated() -> None:
    script = ROOT / "scripts" / "bench_scale.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
