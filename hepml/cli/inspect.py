"""`hepml inspect`: what is in a ROOT file, which layout fits, what is missing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hepml.errors import printable
from hepml.trees import FileReport, TreeReport, inspect_file
from hepml.trees.inspection import Content, Fit

_SHOWN = 30


@click.command()
@click.argument("file", metavar="FILE.root[:TREE]")
@click.option("--layout", metavar="NAME|FILE.yaml", help="Try this layout; default: those that hepml knows.")
@click.option("--branches", is_flag=True, help=f"List every branch, not only the first {_SHOWN}.")
@click.option("--entries", default=10_000, show_default=True, type=click.IntRange(0), help="Read towers of so many.")
@click.option("--json", "as_json", is_flag=True, help="Everything, for machines.")
def command(*, file: str, layout: str | None, branches: bool, entries: int, as_json: bool) -> None:
    """Trees, branches, which layout fits and what is missing, towers, grids, electrons."""
    report = inspect_file(file, layout=layout, max_entries=entries)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=1, ensure_ascii=True))
        return
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    _print(console, report, branches)


def _text(text: str, style: str = "") -> Text:
    """What the file says, without its markup and control characters."""
    return Text(printable(text), style=style)


def _print(console: Console, report: FileReport, all_branches: bool) -> None:
    console.print(_text(f"{report.path}  {report.size / 1e6:.2f} MB", style="bold"))
    for tree in report.trees:
        console.print()
        console.print(_text(f"{tree.kind} {tree.name}: {tree.entries} entries, {len(tree.branches)} branches"))
        _print_branches(console, tree, all_branches)
        for fit in tree.fits:
            _print_fit(console, fit)
        if tree.content is not None:
            _print_content(console, tree.content)


def _print_branches(console: Console, tree: TreeReport, all_branches: bool) -> None:
    shown = tree.branches if all_branches else tree.branches[:_SHOWN]
    table = Table("branch", "type", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, kind in shown:
        table.add_row(_text(name), _text(kind[:60]))
    console.print(table)
    if len(shown) < len(tree.branches):
        console.print(f"... and {len(tree.branches) - len(shown)} more (--branches)")


def _print_fit(console: Console, fit: Fit) -> None:
    if fit.fits:
        without = f" (without {', '.join(fit.absent)})" if fit.absent else ""
        console.print(_text(f"layout {fit.layout}: fits{without}", style="green"))
        return
    console.print(_text(f"layout {fit.layout}: does not fit, {len(fit.missing)} branches are missing", style="yellow"))
    for name in fit.unsplit:
        console.print(_text(f"  {name} is not split: uproot cannot read it; write it with split level 99"))
    if fit.unsplit:
        return
    for place, names, nearest in fit.missing:
        if nearest:
            console.print(_text(f"  {place}: no {' or '.join(names)}; nearest: {', '.join(nearest)}"))
    alone = [" or ".join(names) for _, names, nearest in fit.missing if not nearest]
    if alone:
        console.print(_text(f"  nothing near {', '.join(alone)}"))


def _print_content(console: Console, content: Content) -> None:
    console.print(_text(f"sample {content.sample}"))
    if content.towers:
        table = Table("towers", "number", "per event", "not finite", "beyond the grid", "in one of its cells")
        table.box, table.pad_edge = None, False
        for name, towers in content.towers.items():
            shares = [("no edges" if share is None else f"{share:.1%}") for share in (towers.outside, towers.nested)]
            table.add_row(_text(name), str(towers.towers), f"{towers.per_event:.1f}", str(towers.not_finite), *shares)
        console.print(table)
        console.print(f"(from {content.looked_at} entries)")
        for towers in content.towers.values():
            console.print(_text(f"grid {towers.grid}"))
            for eta, phi, share in towers.cells:
                around = f" = pi/{math.pi / phi:.4g}" if phi else ""
                console.print(_text(f"  {share:6.1%} of the towers have {eta:.5g} x {phi:.5g}{around} in eta x phi"))
    table = Table("objects", "number", "events with one or more", "events with 0, 1, 2 ...", box=None, pad_edge=False)
    for name, count in content.objects.items():
        n_events = max(sum(count.multiplicity), 1)
        numbers = ", ".join(map(str, count.multiplicity[:8])) + (" ..." if len(count.multiplicity) > 8 else "")
        table.add_row(
            _text(name), str(count.total), f"{count.events_with} ({count.events_with / n_events:.1%})", numbers
        )
    if content.objects:
        console.print(table)
