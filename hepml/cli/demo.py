"""`hepml demo`: the whole road on a bundled ROOT sample."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hepml.errors import OutputError
from hepml.ledger import json_text

EFFICIENCIES = (0.5, 0.8, 0.9)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Output folder.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demonstration in the folder.")
@click.option("--json", "as_json", is_flag=True, help="The table for machines.")
def command(out: Path, overwrite: bool, as_json: bool) -> None:
    """Towers to images, two trained networks, figures, JSON, and the same score from C++, in a few minutes."""
    import shutil
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from hepml.cli.quiet import load_keras_quietly
    from hepml.demo import run_demo

    if (out / "data.h5").exists() and overwrite:
        for path in [out / "data.h5", *out.glob("data.h5.*"), *out.glob("net*.json")]:
            path.unlink()
        for name in ("runs", "figures"):
            shutil.rmtree(out / name, ignore_errors=True)
    elif out.exists() and any(out.iterdir()):
        raise OutputError("the output folder is not empty", where=out, fix="give --out NEW_FOLDER, or --overwrite")
    out.mkdir(parents=True, exist_ok=True)

    start = time.monotonic()

    def report(line: str) -> None:
        click.echo(f"[{time.monotonic() - start:5.0f} s] {line}", err=True)

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
