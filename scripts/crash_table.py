"""Write how often commands were killed, and where, into docs/crash_safety.json and docs/errors.md.

python scripts/crash_table.py [--check] [RESULTS.json...]

RESULTS are what `python -m faults.killing --output` wrote (in tests/); their rows replace those of the same stages.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from hepml.stages import STAGES

ROOT = Path(__file__).parents[1]
COUNTS, PAGE = ROOT / "docs" / "crash_safety.json", ROOT / "docs" / "errors.md"
PLACE = re.compile(r"(?<=<!-- crash safety -->\n).*?(?=<!-- end -->)", re.DOTALL)
WANTED = 20


def merged(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with others in place of those of the same stages, in the order of the stages."""
    found = {(row["command"], row["stage"]): row for row in [*rows, *others]}
    places = [(command, stage) for command, stages in STAGES.items() for stage in stages]
    return [found[place] for place in places if place in found]


def table(rows: list[dict[str, Any]]) -> str:
    """What errors.md says."""
    kills = {(row["command"], row["stage"]): row["kills"] for row in rows}
    lines = ["", "| command | kills in each stage |", "|---|---|"]
    for command, stages in STAGES.items():
        lines.append(f"| `{command}` | {', '.join(f'{stage} {kills.get((command, stage), 0)}' for stage in stages)} |")
    often = sum(row["kills"] >= WANTED for row in rows)
    return "\n".join(
        [
            *lines,
            "",
            f"Together {sum(kills.values())} kills, at least {WANTED} in {often} of "
            f"{sum(map(len, STAGES.values()))} stages.",
            "",
        ]
    )


def main() -> None:
    """Writes both, or with --check compares them."""
    check = "--check" in sys.argv
    files = [Path(name) for name in sys.argv[1:] if name != "--check"]
    record = json.loads(COUNTS.read_text(encoding="utf-8"))
    rows = merged(record["rows"], [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))])
    wrong = [f"{row['command']} {row['stage']}: {problem}" for row in rows for problem in row["problems"]]
    if wrong:
        sys.exit("\n".join(wrong))
    page = PAGE.read_text(encoding="utf-8")
    text = PLACE.sub(lambda _: table(rows), page)
    if check:
        sys.exit("docs/errors.md is not what docs/crash_safety.json says" if text != page else 0)
    COUNTS.write_text(json.dumps(record | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
