"""Write docs/faults.md: every fault that hepml must survive, what it gives, and the test that shows it.

python scripts/faults_table.py [--check]

The rows are tests/faults/table.py; the tests are those whose ids begin with the entry.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
sys.path.insert(0, str(ROOT / "tests"))
from faults.table import HDF5_INPUT, ROOT_INPUT, SYSTEM, Fault  # noqa: E402

SECTIONS = {
    "ROOT input": ROOT_INPUT,
    "HDF5 and npz": HDF5_INPUT,
    "Operating system and processes": SYSTEM,
}
_TESTS = ("tests/faults", "tests/dataset/test_verify.py")  # the second flips bits of data files
INTRODUCTION = """\
# Faults

Written by `scripts/faults_table.py` from `tests/faults/table.py`, which the tests compare every outcome with. A
command that fails ends with one message and no traceback, and leaves no half-written output: the old one stays, or
there is none. Exit codes and messages are explained in [errors.md](errors.md).
"""


def tests_of_entries() -> dict[str, list[str]]:
    """Entry -> the tests whose ids begin with it, file::function below tests/faults or tests, slow ones too."""
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "", *_TESTS]
    listed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[str]] = {}
    for name, entry in re.findall(r"^tests/(?:faults/)?(\S+?)\[([RHS]\d\d)\b", listed, re.MULTILINE):
        if name not in found.setdefault(entry, []):
            found[entry].append(name)
    return found


def _row(entry: str, fault: Fault, tests: list[str]) -> str:
    if fault.absent:
        return f"| {entry} | {fault.what} | not tested: {fault.absent} | | |"
    error = f"{' or '.join(fault.errors)}: " if fault.errors else ""
    code = ", ".join(map(str, fault.codes))
    names = (re.sub("(^|/)test_", r"\1", name).replace(".py::test_", "::") for name in tests)
    shown = ", ".join(f"`{name}`" for name in names)
    return f"| {entry} | {fault.what} | {error}{fault.gives} | {code} | {shown} |"


def page(tests: dict[str, list[str]]) -> str:
    """The text of docs/faults.md."""
    lines = [INTRODUCTION]
    for title, rows in SECTIONS.items():
        if rows:
            lines += [f"## {title}", "", "| | fault | what hepml gives | exit | tests |", "|---|---|---|---|---|"]
            lines += [_row(entry, rows[entry], tests.get(entry, [])) for entry in sorted(rows)]
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    text = page(tests_of_entries())
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == text else "docs/faults.md is old")
    PAGE.write_text(text, encoding="utf-8")
