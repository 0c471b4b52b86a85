"""`hepml apply`: towers in, score out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepml.cli.options import CHECKSUMS, FINITE, JOBS, QUIET, SKIP_BAD, TIMEOUT, progress_bar
from hepml.errors import printable
from hepml.ledger import check_not_input, json_text

if TYPE_CHECKING:
    from hepml.friends import Applied


@click.command("apply")
@click.argument("network", type=click.Path(path_type=Path), metavar="NET.json|FOLDER")
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
@JOBS
@TIMEOUT
@CHECKSUMS
@SKIP_BAD
@click.option("--resume", is_flag=True, help="Keep outputs that are whole and made the same way; refuse others.")
@click.option("--step-size", default="20 MB", show_default=True, help="Entries or memory read at once.")
@click.option("--overwrite", is_flag=True, help="Replace existing outputs.")
@QUIET
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
    jobs: int,
    timeout: float,
    checksums: Path | None,
    skip_bad: bool,
    resume: bool,
    step_size: str,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Score the objects of ROOT files with the C++ evaluator, from their towers.

    A FOLDER of hepml export --folds holds a network for each fold of a run: each event is scored by the one that did
    not train on it, known by the identity of the event; one that none trained on, always by the same.

    Each output holds the TTree `hepml` with one entry per input entry: `score` (float32, NaN where rejected) and
    `status` (uint8, 0 for candidates). With --which all both are jagged and aligned with the collection. An OUTPUT
    that ends in .root is a file, otherwise a folder with one file an input; where inputs have equal base names, a hash
    of the input's path follows the name. ROOT's AddFriend takes the tree; the string `hepml_ledger` beside it says what
    it was made of.
    """
    from hepml.friends import apply

    check_not_input(output, [network, *([layout] if layout else []), *([checksums] if checksums else [])])
    if threshold is not None and signal_efficiency is not None:
        raise click.UsageError("give --threshold or --signal-efficiency, not both")
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    start = time.perf_counter()
    with progress_bar("files", quiet) as told:
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
            jobs=jobs,
            timeout=timeout,
            checksums=checksums,
            skip_bad=skip_bad,
            resume=resume,
            overwrite=overwrite,
            progress=lambda record, total: told(record.source, 1, total),
        )
    seconds = time.perf_counter() - start
    if as_json:
        click.echo(json_text([record.to_dict() for record in records], indent=1))
    else:
        for record in records:
            if record.skipped is None:
                click.echo(_line(record))
    if not quiet:
        entries = sum(record.entries for record in records if not record.kept)
        click.echo(f"{entries} entries in {seconds:.1f} s, {entries / max(seconds, 1e-9):.0f}/s", err=True)
    skipped = [record for record in records if record.skipped is not None]
    for record in skipped:
        click.echo(printable(f"skipped {record.source}: {record.skipped}"), err=True)
    return 3 if skipped else 0


def _line(record: Applied) -> str:
    counts = ", ".join(f"{name} {n}" for name, n in record.counts.items())
    passed = "" if record.passed is None else f", pass {record.passed}"
    kept = ", kept" if record.kept else ""
    return f"{printable(record.output)}: {record.entries} entries{kept}; {counts}{passed}"
