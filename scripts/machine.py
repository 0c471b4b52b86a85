"""What measured numbers are recorded with: commit and machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

__all__ = ["commit", "machine"]


def commit(root: Path) -> str:
    """The commit that is checked out, "+" behind it if tracked files differ."""
    words = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def machine() -> str:
    """Architecture, processor and number of processors that may be used."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    words = []
    for key in ("model name", "cpu family", "model"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            words.append(found[1] if key == "model name" else f"{key.removeprefix('cpu ')} {found[1]}")
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {' '.join(words) or platform.processor() or 'unknown processor'}, {count} cores"
