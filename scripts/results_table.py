"""Write the tables of measured numbers into the pages from the records in docs.

python scripts/results_table.py          # rewrite them
python scripts/results_table.py --check  # exit 1 if a page differs from the numbers
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepml.cli.guide import table as guided_table

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- results:{} -->", "<!-- end of results -->"

# Published AUC of the same networks on the paper's own sample, which cannot be had: the authors' benchmarks where there
# are some, else (mass, et_and_ht_and_hl) those of a public reproduction on their data.
PAPER = {
    "mass": "0.777",
    "hl": "0.945",
    "hl_and_mass": "0.953",
    "et": "0.918",
    "ht": "0.825",
    "et_and_ht": "0.972",
    "et_and_ht_and_hl": "0.975",
}
PAGES = (
    *("README.md", "docs/physics.md", "docs/training.md", "docs/cpp.md", "docs/export.md", "docs/source.md"),
    *("docs/root.md", "docs/evaluation.md", "docs/data.md", "docs/efp.md", "docs/guided.md", "docs/tmva.md"),
)


def rejection(point: dict[str, Any]) -> str:
    """A rejection with its interval, or its limit."""
    if point["limit"]:
        return f"> {point['rejection']:.0f}"
    up, down = point["upper"] - point["rejection"], point["rejection"] - point["lower"]
    digits = 0 if min(up, down) >= 2 else 1
    return f"{point['rejection']:.{digits}f} (+{up:.{digits}f} -{down:.{digits}f})"


def table(results: dict[str, Any]) -> str:
    """One row per feature set in the order of the paper's ladder."""
    rows = [
        "| features | AUC | rejection at 50 % | 80 % | 90 % | held-out candidates | published AUC* |",
        "|---|---|---|---|---|---|---|",
    ]
    for features in (name for name in PAPER if name in results):
        one = results[features]
        spread = f", seeds +- {one['auc_seed_spread']:.5f}" if one["auc_seed_spread"] is not None else ""
        cells = [
            f"`{features}`",
            f"{one['auc']:.4f} +- {one['auc_error']:.4f}{spread}",
            *(rejection(point) for point in one["rejection"]),
            f"{one['n_signal']} + {one['n_background']}, {one['part']}",
            PAPER[features],
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def span(one: dict[str, float]) -> str:
    """A ratio with the lowest and highest of its pairs."""
    return f"{one['ratio']:.2f} ({one['lowest']:.2f}, {one['highest']:.2f})"


def steps_table(record: dict[str, Any]) -> str:
    """One row per preset that was timed."""
    rows = [
        "| preset | sparse, CPU ms a batch | plain Keras layers | these in bfloat16 | plain / sparse (least, most) |",
        "|---|---|---|---|---|",
    ]
    for name, one in record["rows"].items():
        cells = [f"`{name}`", *(f"{one[f'{kind}_ms']:.0f}" for kind in ("sparse", "float32", "bfloat16"))]
        rows.append("| " + " | ".join([*cells, span(one["sparse"])]) + " |")
    about = record["about"]
    return "\n".join([*rows, "", f"Batches of 128, CPU time; {about['peer']}; {about['machine']}."])


def feeding_table(record: dict[str, Any]) -> str:
    """Batches and epochs beside those of NumPy and stock Keras."""
    batches, epochs = record["batches"]["rows"], record["epochs"]["rows"]
    us, hl, cnn = batches["us"], epochs["hl"], epochs["et_and_ht_and_hl"]
    mixed = f"the same, from the file in {batches['windows']} windows"
    lines = [
        ("batches of two images, us an event", us["sparse"], "indexing dense arrays", us["dense"], batches["sparse"]),
        (mixed, us["file"], "indexing dense arrays", us["dense"], batches["file"]),
        ("epoch of `hl`, s", hl["hepml_cpu_s"], "`model.fit` on arrays", hl["stock_cpu_s"], hl["cpu"]),
        (
            "8 batches of `et_and_ht_and_hl`, plain layers, s",
            cnn["fed_cpu_s"],
            "`model.fit`",
            cnn["stock_cpu_s"],
            cnn["fed"],
        ),
        ("the same, sparse, s", cnn["sparse_cpu_s"], "`model.fit`", cnn["stock_cpu_s"], cnn["sparse"]),
    ]
    rows = ["| | hepml | peer | | cost of hepml / peer (lowest, highest) |", "|---|---|---|---|---|"]
    rows += [f"| {what} | {own:.2f} | {peer} | {other:.2f} | {span(one)} |" for what, own, peer, other, one in lines]
    about = record["epochs"]["about"]
    return "\n".join([*rows, "", f"CPU time, interleaved in one run; {about['peer']}; {about['machine']}."])


def bfloat16_table(record: dict[str, Any]) -> str:
    """What training in bfloat16 does to the AUC, candidate by candidate."""
    rows = [
        "| features | epochs | AUC, float32 | change with bfloat16 | change of the mean over seeds |",
        "|---|---|---|---|---|",
    ]
    for name, one in record["rows"].items():
        seeds = "" if one["seeds_change"] is None else f"{one['seeds_change']:+.5f}"
        seeds += (
            "" if one["seeds_error"] is None else f" +- {one['seeds_error']:.5f} ({one['settings']['seeds']} seeds)"
        )
        small = ", one block of 8 filters" if "filters" in one["settings"] else ""
        cells = [
            f"`{name}`{small}",
            str(one["settings"]["epochs"]),
            f"{one['auc']:.4f}",
            f"{one['change']:+.5f} +- {one['error']:.5f}",
        ]
        rows.append("| " + " | ".join([*cells, seeds]) + " |")
    machine = record["about"]["machine"]
    n = next(iter(record["rows"].values()))["n"]
    return "\n".join([*rows, "", f"{n} candidates of the test split, paired (DeLong); {machine}."])


def inference_table(record: dict[str, Any]) -> str:
    """A table for each machine; one row per network and kind of input, the ratio to the fastest of the peers."""
    parts = []
    for run in record["runs"]:
        about = run["about"]
        names = list(about["peers"])
        head = ["network", "input", "instructions", "hepml, us", *(f"{name}, us" for name in names), "ratio"]
        rows = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
        for one in run["rows"]:
            times = [one["peers"].get(name) for name in names]
            cells = [f"`{one['network']}`", one["input"], one["cpu"], f"{one['hepml_us']:.1f}"]
            cells += [f"{peer['us']:.1f}" if peer else "" for peer in times]
            ratio = max(peer["ratio"] for peer in times if peer)
            rows.append("| " + " | ".join([*cells, f"{ratio:.2f}"]) + " |")
        peers = "; ".join(f"{name} {version}" for name, version in about["peers"].items())
        load = f"; load average {about['load']}" if "load" in about else ""
        parts.append("\n".join([*rows, "", f"Medians of single events; {peers}; {about['machine']}{load}."]))
    return "\n\n".join(parts)


def tail_table(record: dict[str, Any]) -> str:
    """One row per network: its tail and that of arithmetic."""
    rows = [
        "| network | events | median, us | 99.9 % / median | of arithmetic | relative | different | own times |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in record["rows"]:
        cells = [f"`{one['network']}`", f"{one['events']:,}"]
        cells += [f"{one[key]:.1f}" for key in ("median_us", "tail", "arithmetic")]
        cells += [f"{one['tail'] / one['arithmetic']:.1f}", str(one["different_events"]), f"{one['own_tail']:.1f}"]
        rows.append("| " + " | ".join(cells) + " |")
    kernels = ", ".join(sorted({one["cpu"] for one in record["rows"]}))
    return "\n".join([*rows, "", f"Processor time of one thread; {kernels}; {record['about']['machine']}."])


def predict_table(record: dict[str, Any]) -> str:
    """A table for each machine; one row per network, way and number of threads."""
    parts = []
    for run in record["runs"]:
        rows = [
            "| network | events | way | threads | hepml, us | ONNX Runtime, us | ratio (lowest, highest) |",
            "|---|---|---|---|---|---|---|",
        ]
        for one in run["rows"]:
            cells = [f"`{one['network']}`", f"{one['events']:,}", one["what"], str(one["threads"])]
            cells += [f"{one[f'{who}_us']:.2f}" for who in ("hepml", "peer")]
            cells.append(f"{one['ratio']:.2f} ({one['ratio_low']:.2f}, {one['ratio_high']:.2f})")
            rows.append("| " + " | ".join(cells) + " |")
        about = run["about"]
        kernels = ", ".join(sorted({one["cpu"] for one in run["rows"]}))
        what = f"Medians of {about['rounds']} rounds, an event; {kernels}"
        parts.append("\n".join([*rows, "", f"{what}; {about['peer']}; {about['machine']}."]))
    return "\n\n".join(parts)


def precision_table(record: dict[str, Any]) -> str:
    """A table for each machine; one row per network, precision, way and set of instructions."""
    parts = []
    for run in record["runs"]:
        rows = [
            "| network | weights | way | instructions | reduced, us | float32, us | ratio (lowest, highest) |",
            "|---|---|---|---|---|---|---|",
        ]
        for one in run["rows"]:
            cells = [f"`{one['network']}`", *(one[key] for key in ("precision", "way", "cpu"))]
            cells += [f"{one[f'{which}_us']:.2f}" for which in ("reduced", "float32")]
            cells.append(f"{one['ratio']:.2f} ({one['ratio_low']:.2f}, {one['ratio_high']:.2f})")
            rows.append("| " + " | ".join(cells) + " |")
        about = run["about"]
        what = f"Medians of {about['repeats']} repeats, an event; {about['machine']}; load average {about['load']}"
        parts.append("\n".join([*rows, "", f"{what}."]))
    return "\n\n".join(parts)


def source_table(record: dict[str, Any]) -> str:
    """One row per network, kind of input and target of the compiler."""
    rows = [
        "| network | input | instructions | library, us | source, us | ratio | header, MB | compiled in, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in record["rows"]:
        cells = [f"`{one['network']}`", one["input"], one["cpu"]]
        cells += [f"{one[f'{who}_us']:.1f}" for who in ("library", "source")]
        cells.append(f"{one['ratio']:.2f} ({one['ratio_low']:.2f}, {one['ratio_high']:.2f})")
        cells += [f"{one['header_mb']:.2f}", f"{one['compile_s']:.1f}"]
        rows.append("| " + " | ".join(cells) + " |")
    about = record["about"]
    return "\n".join([*rows, "", f"{about['compiler']}; {about['machine']}."])


def root_table(record: dict[str, Any]) -> str:
    """One row per way to score a tree, relative to hepml.root.define on as many threads."""
    rows = ["| way | us an event (lowest, highest) | processor time, us | relative to define |", "|---|---|---|---|"]
    for name, one in record["rows"].items():
        threads = name.partition(", ")[2]
        define = record["rows"]["hepml.root.define" + (f", {threads}" if threads else "")]
        cells = [
            name,
            f"{one['ns'] / 1e3:.2f} ({one['low'] / 1e3:.2f}, {one['high'] / 1e3:.2f})",
            f"{one['cpu_ns'] / 1e3:.2f}",
            f"{one['ns'] / define['ns']:.2f}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    about = record["about"]
    what = f"Medians of {about['rounds']} rounds of {about['events']} events, reading included"
    return "\n".join([*rows, "", f"{what}; ROOT {about['root']}; {about['cpu']}; {about['machine']}."])


def convert_table(record: dict[str, Any]) -> str:
    """One row per way, relative to the loop of RDataFrame."""
    rows = ["| way | us an event (lowest, highest) | relative to the loop | by the clock, us |", "|---|---|---|---|"]
    loop = next(iter(record["rows"].values()))["us"]
    for name, one in record["rows"].items():
        cells = [name, f"{one['us']:.1f} ({one['low']:.1f}, {one['high']:.1f})", f"{one['us'] / loop:.2f}"]
        rows.append("| " + " | ".join([*cells, f"{one['wall_us']:.1f}"]) + " |")
    about = record["about"]
    what = f"Processor time, medians of {about['rounds']} rounds, {about['events']:,} events of 60 towers, zstd"
    lines = [*rows, "", f"{what}; ROOT {about['root']}, uproot {about['uproot']}; {about['machine']}."]
    if "memory" in record:
        gb, more = record["memory"]["gb"], record["memory"]["gb_ten_times"]
        many = f"{record['memory']['events_ten_times']:,}"
        growth = f"{100 * record['memory']['growth']:.0f} % more"
        lines.append(f"Memory of `hepml convert` at most: {gb:.3f} GB; for {many} events {more:.3f} GB, {growth}.")
    if "overlap" in record:
        one = record["overlap"]
        span = f"{one['gain']:.2f} ({one['low']:.2f}, {one['high']:.2f})"
        most = f"two threads of SHA-256 got {one['two_threads']:.2f} times the work of one done meanwhile"
        lines.append(f"Wall clock of `hepml convert` without threads over that with them: {span}; {most}.")
    return "\n".join(lines)


def apply_table(record: dict[str, Any]) -> str:
    """One row per number of towers."""
    rows = [
        "| towers an event | `hepml apply`, us (lowest, highest) | events/s/core | bincount alone, us | ratio |",
        "|---|---|---|---|---|",
    ]
    for towers, one in record["files"].items():
        ours, peer = one["apply"], one["bincount"]
        cells = [towers, f"{ours['us']:.1f} ({ours['low']:.1f}, {ours['high']:.1f})", f"{one['per_second']:,.0f}"]
        rows.append("| " + " | ".join([*cells, f"{peer['us']:.1f}", f"{ours['us'] / peer['us']:.2f}"]) + " |")
    about = record["about"]
    what = f"Processor time, medians of {about['rounds']} rounds of {about['events']:,} events"
    return "\n".join([*rows, "", f"{what}; {about['machine']}."])


def decorrelation_table(record: dict[str, Any]) -> str:
    """One row per run."""
    rows = [
        "| run | AUC | rejection at 80 % | dCorr^2, mass | distance at 80 % (by chance) | efficiency in mass bins |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in record["decorrelation"].items():
        cells = [f"`{name}`", f"{one['auc']:.4f} +- {one['auc_error']:.4f}", rejection(one["rejection"])]
        cells += [f"{one['correlation']:.4f}", f"{one['distance']:.3f} ({one['distance_by_chance']:.3f})"]
        rows.append("| " + " | ".join([*cells, "{:.3f} to {:.3f}".format(*one["efficiency"])]) + " |")
    about = record["about"]
    what = "{} + {} held-out candidates of the Delphes sample, hl, batches of 1024".format(*about["candidates"])
    return "\n".join([*rows, "", f"{what}; {about['machine']}."])


def systematics_table(record: dict[str, Any]) -> str:
    """One row per variation, at 80 % signal efficiency."""
    rows = [
        "| variation | efficiency, % | crossed (in, out) | rejection / nominal | crossed (in, out) |",
        "|---|---|---|---|---|",
    ]
    for one in record["systematics"]:
        signal, background = one["signal"], one["background"]
        ends = [100 * signal[key] for key in ("change", "lower", "upper")]
        cells = [f"`{one['name']}`".replace("+pileup", "` + `pileup"), "{:+.2f} [{:+.2f}, {:+.2f}]".format(*ends)]
        cells += [_crossed(signal), _ratio(background), _crossed(background)]
        rows.append("| " + " | ".join(cells) + " |")
    what = "{} + {} held-out candidates of the Delphes sample, hl".format(*record["about"]["candidates"])
    return "\n".join([*rows, "", f"{what}, thresholds at 80 % signal efficiency."])


def _crossed(change: dict[str, Any]) -> str:
    return "other events" if change["moved_in"] is None else f"{change['moved_in']}, {change['moved_out']}"


def _ratio(change: dict[str, Any]) -> str:
    if change["change"] is None:  # nothing passes
        return f"> {1 + change['lower']:.2f}"
    upper = "inf" if change["upper"] is None else f"{1 + change['upper']:.3f}"
    return f"{1 + change['change']:.3f} [{1 + change['lower']:.3f}, {upper}]"


def efp_table(record: dict[str, Any]) -> str:
    """One row per set of images, and what one graph alone and a second core give."""
    rows = [
        "| graphs, images | pixels | exponents | hepml, ms | EnergyFlow, ms | ratio | lower bound, ms | over it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in record["rows"].items():
        cells = [name, f"{one['constituents']:.0f}", str(one["measures"]), f"{one['hepml_ms']:.3f}"]
        cells += [f"{one['energyflow_ms']:.0f}", f"{one['ratio']:.0f}"]
        rows.append(
            "| " + " | ".join([*cells, f"{one['lower_bound_ms']:.3f}", f"{one['over_lower_bound']:.1f}"]) + " |"
        )
    about, single = record["about"], record["single"]
    least = min(single, key=lambda one: one["ratio"])
    worst = max(one["difference"] for one in record["rows"].values())
    lines = [
        f"An event on one core; the ratio is for the {about['peer_events']} events (4 of the grid) that EnergyFlow",
        f"{about['energyflow']} computed with `n_jobs=1` in the same run. Relative difference at most {worst:.0e}.",
        f"One graph alone, of {len(single)}: at least {least['ratio']:.1f} times EnergyFlow (`{least['graph']}`).",
        f"Two cores: {record['two cores']:.2f} times one. The lower bound is the time of the multiplications alone,",
        f"at the rate of NumPy's product of matrices; {about['machine']}.",
    ]
    return "\n".join([*rows, "", *lines])


def tmva_table(record: dict[str, Any]) -> str:
    """One row per method: NumPy, C++, and the Reader as recorded."""
    rows = ["| method | TMVA's Reader, us | NumPy, us | C++, us | C++, events a second | Reader / C++ |"]
    rows.append("|---|---|---|---|---|---|")
    for name, one in record["rows"].items():
        times = ["{us:.2f} ({low:.2f}, {high:.2f})".format(**one[way]) for way in ("numpy", "cpp")]
        cells = [f"{name}, {one['what']}", f"{one['reader_us']:.1f}", *times, f"{1e6 / one['cpp']['us']:,.0f}"]
        rows.append("| " + " | ".join([*cells, f"{one['reader_us'] / one['cpp']['us']:.1f}"]) + " |")
    about = record["about"]
    lines = [
        "An event on one thread. NumPy and C++: processor time, medians (lowest, highest)",
        f"of {about['rounds']} rounds of {about['events']} events in turn; {about['cpu']}, {about['machine']}.",
        f"The Reader's are not measured here: {about['reader']}.",
    ]
    return "\n".join([*rows, "", *lines])


# name of the table -> record in docs and what makes the table of it
TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "full": ("results.json", lambda record: table(record["full"])),
    "hard": ("results.json", lambda record: table(record["hard"])),
    "training": ("training_speed.json", lambda record: steps_table(record["steps"])),
    "feeding": ("training_speed.json", feeding_table),
    "bfloat16": ("training_speed.json", lambda record: bfloat16_table(record["auc"])),
    "inference": ("inference_speed.json", inference_table),
    "tail": ("latency_tail.json", tail_table),
    "predict": ("predict_speed.json", predict_table),
    "precision": ("precision_speed.json", precision_table),
    "source": ("source_speed.json", source_table),
    "root": ("root_speed.json", root_table),
    "convert": ("convert_speed.json", convert_table),
    "apply": ("apply_speed.json", apply_table),
    "decorrelation": ("robustness.json", decorrelation_table),
    "systematics": ("robustness.json", systematics_table),
    "efp": ("efp_speed.json", efp_table),
    "guided": ("guided_search.json", guided_table),
    "tmva": ("tmva_speed.json", tmva_table),
}


def filled(text: str, tables: dict[str, str]) -> str:
    """The page with every marked table replaced."""
    for name, new in tables.items():
        begin = BEGIN.format(name)
        if begin in text:
            head, rest = text.split(begin, 1)
            _, tail = rest.split(END, 1)
            text = f"{head}{begin}\n{new}\n{END}{tail}"
    return text


def main() -> None:
    """Write or check."""
    tables = {name: make(json.loads((ROOT / "docs" / file).read_text())) for name, (file, make) in TABLES.items()}
    pages = {name: (ROOT / name).read_text() for name in PAGES}
    if lost := [name for name in tables if not any(BEGIN.format(name) in text for text in pages.values())]:
        sys.exit(f"no page has a place for the tables {', '.join(lost)}")
    differing = []
    for name, text in pages.items():
        new = filled(text, tables)
        if new != text:
            differing.append(name)
            if "--check" not in sys.argv:
                (ROOT / name).write_text(new)
    if "--check" in sys.argv and differing:
        sys.exit(f"differ from the numbers: {', '.join(differing)}; run python scripts/results_table.py")


if __name__ == "__main__":
    main()
