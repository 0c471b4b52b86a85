"""`hepml demo`: the whole road on a bundled ROOT sample."""

from __future__ import annotations

import time
from pathlib import Path

import click

from hepml.errors import OutputError

EFFICIENCIES = (0.5, 0.8, 0.9)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Output folder.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier demonstration in the folder.")
@click.option("--json", "as_json", is_flag=True, help="The table for machines.")
def command(out: Path, overwrite: bool, as_json: bool) -> None:
    """Towers to images, two trained networks, figures, JSON, and the same score from C++, in a few minutes."""
    import json
    import shutil
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from hepml.demo import run_demo

    if (out / "data.h5").exists() and overwrite:
        for path in [out / "data.h5", *out.glob("data.h5.*"), *out.glob("net_*.json")]:
            path.unlink()
        for name in ("runs", "figures"):
            shutil.rmtree(out / name, ignore_errors=True)
    elif out.exists() and any(out.iterdir()):
        raise OutputError("the output folder is not empty", where=out, fix="give --out NEW_FOLDER, or --overwrite")
    out.mkdir(parents=True, exist_ok=True)

    start = time.monotonic()

    def report(line: str) -> None:
        click.echo(f"[{time.monotonic() - start:5.0f} s] {line}", err=True)

    rows = run_demo(out, report)
    report(f"done; everything is in {out}")
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(title="Held-out electrons against jets, bundled Delphes sample")
    table.add_column("features")
    table.add_column("AUC")
    for efficiency in EFFICIENCIES:
        table.add_column(f"rejection at {efficiency:.0%}")
    table.add_column("largest |C++ - Keras|")
    table.add_column("us per event (C++)")
    for row in rows:
        rejections = [row.rejection[efficiency] for efficiency in EFFICIENCIES]
        table.add_row(
            row.features,
            f"{row.auc:.4f} +- {row.auc_error:.4f}",
            *rejections,
            f"{row.parity:.1e}",
            f"{row.microseconds:.2f}",
        )
    Console(width=120).print(table)
