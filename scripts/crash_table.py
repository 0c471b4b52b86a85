"""Write how often commands were killed and disturbed, and where, into docs/crash_safety.json and docs/errors.md.

python scripts/crash_table.py [--check] [RESULTS.json...]

RESULTS are what `--output` of `python -m faults.killing`, `python -m faults.disturbing` and `python -m workflow.kills`
(in tests/) wrote; their rows replace those of the same stages, ways of disturbing, and steps.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from hepml.stages import OUTPUT, STAGES

ROOT = Path(__file__).parents[1]
COUNTS, PAGE = ROOT / "docs" / "crash_safety.json", ROOT / "docs" / "errors.md"
PLACE = re.compile(r"(?<=<!-- crash safety -->\n).*?(?=<!-- end -->)", re.DOTALL)
WANTED = 20
PARTS = {"rows": ("command", "stage"), "disturbed": ("command", "how", "stage"), "steps": ("step",)}  # and their keys
NAMES = {  # what is no command of its own
    "vary": "evaluate --vary",
    "tmva": "tmva convert",
    "tmva_report": "tmva report",
    "factory": "TMVA.Factory",
}
HOWS = {"full": "full disk", "term": "SIGTERM", "two": "second writer"}

Rows = list[dict[str, Any]]


def part(row: dict[str, Any]) -> str:
    """The part of the record that a row belongs to."""
    return "disturbed" if "how" in row else "steps" if "step" in row else "rows"


def merged(old: Rows, new: Rows, names: tuple[str, ...]) -> Rows:
    """The rows with others in place of those of the same key, in the order of the stages."""
    found = {tuple(row[name] for name in names): row for row in [*old, *new]}
    commands, hows = [*STAGES, *NAMES], [*HOWS]

    def place(row: dict[str, Any]) -> tuple[int, ...]:
        if "step" in row:
            return ()
        return (
            commands.index(row["command"]),
            hows.index(row.get("how", "full")),
            stages_of(row["command"]).index(row["stage"]),
        )

    return sorted(found.values(), key=place)


def stages_of(command: str) -> tuple[str, ...]:
    """The stages of a command, or of a way of using it."""
    return STAGES.get(NAMES.get(command, command).split()[0], OUTPUT)


def table(record: dict[str, Rows]) -> str:
    """What errors.md says."""
    kills = {(row["command"], row["stage"]): row["kills"] for row in record["rows"]}
    commands = dict.fromkeys([*STAGES, *(row["command"] for row in record["rows"])])
    lines = ["", "| command | kills in each stage |", "|---|---|"]
    for command in commands:
        counts = ", ".join(f"{stage} {kills.get((command, stage), 0)}" for stage in stages_of(command))
        lines.append(f"| `{NAMES.get(command, command)}` | {counts} |")
    often, of = sum(number >= WANTED for number in kills.values()), sum(len(stages_of(one)) for one in commands)
    lines += ["", f"Together {sum(kills.values())} kills, at least {WANTED} in {often} of {of} stages.", ""]
    lines += _table(
        ["step of `hepml run`", "kills", "before the step had ended"],
        [[f"`{row['step']}`", row["kills"], row["goes_on"]] for row in record["steps"]],
    )
    disturbed = []
    for command in dict.fromkeys(row["command"] for row in record["disturbed"]):
        rows = [row for row in record["disturbed"] if row["command"] == command]
        times = [sum(row["times"] for row in rows if row["how"] == how) for how in HOWS]
        longest = max((row["seconds"] for row in rows if row["how"] == "term"), default=None)
        ended = "" if longest is None else f"{longest:g} s"
        disturbed.append([f"`{NAMES.get(command, command)}`", *times, ended])
    lines += _table(["disturbed", *HOWS.values(), "longest end after SIGTERM"], disturbed)
    return "\n".join([*lines, ""])


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines] + [""] if rows else []


def main() -> None:
    """Writes both, or with --check compares them."""
    check = "--check" in sys.argv
    files = [Path(name) for name in sys.argv[1:] if name != "--check"]
    record = json.loads(COUNTS.read_text(encoding="utf-8"))
    new = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    for name, keys in PARTS.items():
        record[name] = merged(record.get(name, []), [row for row in new if part(row) == name], keys)
    wrong = [f"{[*row.values()][:3]}: {one}" for name in PARTS for row in record[name] for one in row["problems"]]
    if wrong:
        sys.exit("\n".join(wrong))
    page = PAGE.read_text(encoding="utf-8")
    text = PLACE.sub(lambda _: table(record), page)
    if check:
        sys.exit("docs/errors.md is not what docs/crash_safety.json says" if text != page else 0)
    COUNTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
