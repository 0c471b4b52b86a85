"""What a large conversion costs: rates of each stage on one core, and from them 10 TB on 1,000 cores.

    python scripts/bench_scale.py --kind NAME SIGNAL BACKGROUND [--kind ...]   measures docs/scale_speed.json
    python scripts/bench_scale.py --table                                      prints the table of docs/scale.md
    python scripts/bench_scale.py --check                                      exit 1 if the page has another

SIGNAL and BACKGROUND are files or globs; with less than some 100,000 events what starts and ends a command counts in.

Processor time, the median of interleaved rounds: wall time on a shared machine says little.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "scale_speed.json"
PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- table of scripts/bench_scale.py -->\n", "<!-- end of table -->"
INPUT, CORES = 10e12, 1000  # bytes


def measured(kinds: dict[str, tuple[list[str], list[str]]], rounds: int) -> dict[str, Any]:
    """Costs of each kind of files."""
    from machine import commit, machine

    return {
        "about": {"machine": machine(), "commit": commit(ROOT), "rounds": rounds},
        "kinds": {name: _kind(*files, rounds) for name, files in kinds.items()},
    }


def _kind(signal: list[str], background: list[str], rounds: int) -> dict[str, float]:
    from hepml.dataset import Dataset, convert
    from hepml.dataset.rows import Options
    from hepml.dataset.sources import find_samples, survey
    from hepml.dataset.verify import verify
    from hepml.dataset.workers import Task, read_inputs
    from hepml.ledger import sha256_file
    from hepml.scale import merge

    inputs = survey(find_samples(signal, background), "electron")
    files = [each.file.path for each in inputs]
    entries, size = sum(each.entries for each in inputs), sum(Path(file).stat().st_size for file in files)
    task = Task(Options())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in (1, 2):
            convert(signal, background, folder / f"part{number}.h5", part=(number, 2))
        convert(signal, background, folder / "data.h5")
        candidates = Dataset.open(folder / "data.h5").cut_flow["written"]
        rows = list(read_inputs(inputs, task))
        sent = pickle.dumps(rows, protocol=5)
        stages: dict[str, Callable[[], Any]] = {
            "hash": lambda: [sha256_file(file) for file in files],
            "read": lambda: list(read_inputs(inputs, task)),
            "convert": lambda: convert(signal, background, folder / "again.h5", overwrite=True),
            "receive": lambda: pickle.loads(sent),
            "verify": lambda: verify(folder / "data.h5"),
            "merge": lambda: merge(f"{folder}/part?.h5", folder / "merged.h5", overwrite=True),
        }
        times: dict[str, list[float]] = {stage: [] for stage in stages}
        for _ in range(rounds):
            for stage, run in stages.items():
                started = time.process_time()
                run()
                times[stage].append(time.process_time() - started)
        output = (folder / "data.h5").stat().st_size
    return {
        "input_bytes_per_event": size / entries,
        "output_bytes_per_candidate": output / candidates,
        "candidates_per_event": candidates / entries,
        "events": entries,
        "sent_bytes_per_candidate": len(sent) / candidates,
        **{f"{stage}_us_per_event": median(found) / entries * 1e6 for stage, found in times.items()},
    }


def estimated(kind: dict[str, float]) -> dict[str, float]:
    """10 TB on 1,000 cores: hours and sizes."""
    events = INPUT / kind["input_bytes_per_event"]
    candidates = events * kind["candidates_per_event"]
    reading = events * kind["convert_us_per_event"] * 1e-6
    return {
        "all_events": events,
        "core_hours": reading / 3600,
        "minutes": reading / CORES / 60,
        "rate": kind["input_bytes_per_event"] / kind["convert_us_per_event"],  # MB/s and core
        "total_rate": kind["input_bytes_per_event"] / kind["convert_us_per_event"] * CORES / 1000,  # GB/s
        "output": candidates * kind["output_bytes_per_candidate"] / 1e12,
        "merge_hours": events * kind["merge_us_per_event"] * 1e-6 / 3600,
    }


def table(results: dict[str, Any]) -> str:
    """The table of the page."""
    kinds = list(results["kinds"])
    facts = {name: {**kind, **estimated(kind)} for name, kind in results["kinds"].items()}
    rows = [
        ("measured: bytes of input an event", "input_bytes_per_event", "{:,.0f}"),
        ("measured: bytes of data.h5 a candidate", "output_bytes_per_candidate", "{:,.0f}"),
        ("measured: convert, us an event and core", "convert_us_per_event", "{:,.0f}"),
        ("of which reading, candidates, images, variables", "read_us_per_event", "{:,.0f}"),
        ("of which SHA-256 of the input", "hash_us_per_event", "{:,.1f}"),
        ("measured: merge, us an event", "merge_us_per_event", "{:,.0f}"),
        ("measured: verify, us an event", "verify_us_per_event", "{:,.1f}"),
        ("10 TB: million events", "all_events", "{:,.0f}"),
        ("10 TB: core hours to convert", "core_hours", "{:,.0f}"),
        ("10 TB on 1,000 cores: minutes", "minutes", "{:,.0f}"),
        ("... MB/s read by each core", "rate", "{:,.1f}"),
        ("... GB/s asked of the storage", "total_rate", "{:,.1f}"),
        ("data.h5, TB", "output", "{:,.2g}"),
        ("merge by one process, hours", "merge_hours", "{:,.1f}"),
    ]
    lines = ["| | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for title, key, form in rows:
        factor = 1e-6 if key == "all_events" else 1.0
        cells = [form.format(facts[name][key] * factor) for name in kinds]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    about = results["about"]
    lines += [
        "",
        f"Measured on {about['machine']}, commit {about['commit']}, processor time, median of {about['rounds']}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", nargs=3, metavar=("NAME", "SIGNAL", "BACKGROUND"), default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.kind:
        from hepml.ledger import write_json

        kinds = {name: ([signal], [background]) for name, signal, background in options.kind}
        write_json(RESULTS, measured(kinds, options.rounds))
    text = table(json.loads(RESULTS.read_text()))
    if options.table:
        print(text, end="")
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    if options.check:
        return 0 if old == text else 1
    PAGE.write_text(before + BEGIN + text + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
