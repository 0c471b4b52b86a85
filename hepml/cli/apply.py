"""`hepml apply`: towers in, score out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepml.cli.options import FINITE
from hepml.ledger import check_not_input, json_text

if TYPE_CHECKING:
    from hepml.applying import Applied


@click.command("apply")
@click.argument("network", type=click.Path(path_type=Path), metavar="NET.json")
@click.argument("files", nargs=-1, required=True, metavar="FILE.root...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="scores.root, or a folder.")
@click.option("--layout", metavar="NAME|FILE", help="Branch layout; recognised if not given (see hepml inspect).")
@click.option("--which", type=click.Choice(["leading", "all"]), default="leading", show_default=True, help="Objects.")
@click.option("--collection", help="The objects that are scored. Default: those of the training, else electron.")
@click.option("--threshold", type=FINITE, help="Adds the branch `pass`: score >= THRESHOLD.")
@click.option("--signal-efficiency", type=FINITE, help="Adds `pass` with the thresholds stored in the network file.")
@click.option(
    "--overlap",
    type=click.Choice(["refuse", "share"]),
    default="refuse",
    show_default=True,
    help="Towers that do not nest in a cell of the network's grids.",
)
@click.option("--step-size", default="50 MB", show_default=True, help="Entries or memory read at once.")
@click.option("--overwrite", is_flag=True, help="Replace existing outputs.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
def command(
    *,
    network: Path,
    files: tuple[str, ...],
    output: Path,
    layout: str | None,
    which: str,
    collection: str | None,
    threshold: float | None,
    signal_efficiency: float | None,
    overlap: str,
    step_size: str,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score the objects of ROOT files with the C++ evaluator, from their towers.

    Each output holds the TTree `hepml` with one entry per input entry: `score` (float32, NaN where rejected) and
    `status` (uint8, 0 for candidates). With --which all both are jagged and aligned with the collection. An OUTPUT
    that ends in .root is a file, otherwise a folder with one file an input; where inputs have equal base names, a hash
    of the input's path follows the name.
    """
    from rich.console import Console

    from hepml.applying import apply

    check_not_input(output, [network, *([layout] if layout else [])])
    if threshold is not None and signal_efficiency is not None:
        raise click.UsageError("give --threshold or --signal-efficiency, not both")
    start = time.perf_counter()
    console = Console(stderr=True, quiet=quiet or not Console(stderr=True).is_terminal)
    with console.status("reading") as shown:
        records = apply(
            network,
            files,
            output,
            layout=layout,
            collection=collection,
            which=which,
            overlap=overlap,
            threshold=threshold,
            signal_efficiency=signal_efficiency,
            step_size=step_size,
            overwrite=overwrite,
            progress=lambda name, entries: shown.update(f"{name}: {entries} entries"),
        )
    seconds = time.perf_counter() - start
    if as_json:
        click.echo(json_text([record.to_dict() for record in records], indent=1))
    else:
        for record in records:
            click.echo(_line(record))
    if not quiet:
        entries = sum(record.entries for record in records)
        click.echo(f"{entries} entries in {seconds:.1f} s, {entries / max(seconds, 1e-9):.0f}/s", err=True)


def _line(record: Applied) -> str:
    counts = ", ".join(f"{name} {n}" for name, n in record.counts.items())
    passed = "" if record.passed is None else f", pass {record.passed}"
    return f"{record.output}: {record.entries} entries; {counts}{passed}"
