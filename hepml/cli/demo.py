"""`hepml demo`: the whole road on a bundled ROOT sample."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click

from hepml.atomic import alone, make_folder
from hepml.errors import OutputError, printable
from hepml.ledger import json_text

EFFICIENCIES = (0.5, 0.8, 0.9)
# what a demonstration writes, in the order of removal: as long as anything else is there, data.h5 is
_OURS = ("figures", "runs", "net.json", "net_hl.json", "data.h5", "data.h5.log.json")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Output folder.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demonstration in the folder.")
@click.option("--json", "as_json", is_flag=True, help="The table for machines.")
def command(out: Path, overwrite: bool, as_json: bool) -> None:
    """Towers to images, two trained networks, figures, JSON, and the same score from C++, in a few minutes."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from hepml.cli.quiet import load_keras_quietly
    from hepml.demo import run_demo

    make_folder(out)
    with alone(out / ".lock", out):
        make_room(out, overwrite)
        start = time.monotonic()

        def report(line: str) -> None:
            click.echo(f"[{time.monotonic() - start:5.0f} s] {printable(line)}", err=True)

        load_keras_quietly()
        rows = run_demo(out, report)
    report(f"done; everything is in {out}")
    if as_json:
        click.echo(json_text([asdict(row) for row in rows], indent=2))
        return
    table = Table(title="Held-out electrons against jets, bundled Delphes sample")
    headings = ["features", "AUC", *(f"rejection {efficiency:.0%}" for efficiency in EFFICIENCIES)]
    for heading in [*headings, "|C++ - Keras|", "us/event"]:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        auc = f"{row.auc:.4f} +- {row.auc_error:.4f}"
        rejections = [row.rejection[efficiency] for efficiency in EFFICIENCIES]
        table.add_row(row.features, auc, *rejections, f"{row.parity:.1e}", f"{row.microseconds:.2f}")
    Console(width=140).print(table)
    click.echo("rejection = 1 / background efficiency at that signal efficiency, with its 68 % interval or 95 % limit")


def make_room(out: Path, overwrite: bool) -> None:
    """Refuses a folder that holds anything, or removes an earlier demonstration, whole or not."""
    there = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    if there and not (overwrite and ("data.h5" in there or there == {"data.h5.log.json"})):
        raise OutputError("the output folder is not empty", where=out, fix="give --out NEW_FOLDER, or --overwrite")
    for path in (out / name for name in _OURS if name in there):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
