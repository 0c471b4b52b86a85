"""`hepml show`: what any hepml file is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table


def size_text(size: float) -> str:
    """Bytes as people write them.

    Example:
        >>> size_text(18240423)
        '18.2 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def cut_flow_table(samples: Sequence[dict[str, Any]], total: dict[str, int]) -> Table:
    """A line a cut, a column a sample; cuts that nothing fell to are left out."""
    table = Table(title="Cut flow")
    table.add_column("")
    columns = [(sample["name"], sample["cut_flow"]) for sample in samples]
    if len(columns) > 1:
        columns.append(("sum", total))
    for name, _ in columns:
        table.add_column(name, justify="right")
    for cut, count in total.items():
        if count or cut in ("read", "written"):
            table.add_row(cut, *(str(flow.get(cut, 0)) for _, flow in columns))
    return table


@click.command()
def command() -> None:
    """Print what a data file, run folder or network holds."""
