"""`hepml merge`: parts of a conversion to one data file."""

from __future__ import annotations

from pathlib import Path

import click

from hepml.cli.options import QUIET, progress_bar
from hepml.ledger import check_output, json_text


@click.command()
@click.argument("parts", nargs=-1, required=True, metavar="PARTS...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The data file to write.")
@click.option("--dedup", is_flag=True, help="Leave out candidates whose run, lumi and event are in an earlier one.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="The summary for machines.")
def command(*, parts: tuple[str, ...], output: Path, dedup: bool, overwrite: bool, quiet: bool, as_json: bool) -> None:
    """Join data files of one configuration: the same bytes as one conversion of all their inputs.

    PARTS are all files of `hepml convert --part K/N`, in any order, or whole data files, in the order of their inputs.
    """
    check_output(output, overwrite)

    from hepml.cli.convert import print_summary
    from hepml.scale import merge

    with progress_bar("parts", quiet) as progress:
        summary = merge(parts, output, dedup=dedup, overwrite=overwrite, progress=progress)
    if as_json:
        click.echo(json_text(summary.to_dict(), indent=1))
    else:
        print_summary(summary)
