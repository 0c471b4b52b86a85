"""`hepml plot`: figures of what needs no run and no data."""

from __future__ import annotations

from pathlib import Path

import click

from hepml.cli.options import QUIET
from hepml.errors import printable


@click.group()
def command() -> None:
    """Figures of what needs no run and no data."""


@command.command("graphs")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the figures.")
@click.option("--graphs", "which", default="papers", show_default=True, help='Instead of names: "papers", "d<=7" ...')
@click.option("--format", "formats", multiple=True, type=click.Choice(["pdf", "png", "eps"]), help="Default: all.")
@click.option("--catalogue-only", is_flag=True, help="The page of all graphs, not each of them.")
@click.option("--overwrite", is_flag=True, help="Replace figures that exist.")
@QUIET
def graphs_command(
    *,
    names: tuple[str, ...],
    output: Path,
    which: str,
    formats: tuple[str, ...],
    catalogue_only: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Graphs of energy-flow polynomials, each as NAME.pdf, .png and .eps, and all on the page catalogue.pdf."""
    from rich.console import Console
    from rich.progress import track

    from hepml.efp.graphs import graphs
    from hepml.plots.graphs import FORMATS, graph_catalogue, save_graphs

    chosen = graphs(names or which)
    graph_catalogue(chosen).save(output, "catalogue", overwrite=overwrite)
    if not catalogue_only:
        for graph in track(chosen, "graphs", console=Console(stderr=True), transient=True, disable=quiet):
            save_graphs([graph], output, formats=formats or FORMATS, overwrite=overwrite)
    click.echo(f"{len(chosen)} graphs in {printable(output)}")
