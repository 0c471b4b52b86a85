"""`hepml efp`: data.h5 to the energy-flow polynomials of every candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepml.cli.options import NUMBERS, QUIET, progress_bar
from hepml.errors import OutputError, printable
from hepml.identity import SPLITS
from hepml.ledger import check_not_input, check_output, json_text

if TYPE_CHECKING:
    from collections.abc import Sized

    from hepml.dataset.polynomials import EFPSummary
    from hepml.efp.duplicates import Duplicates


@click.command("efp")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA.h5")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option(
    "--graphs",
    multiple=True,
    default=["papers"],
    metavar="WHICH",
    help='The 509 of the papers, "d<=5,c<=3", or a name such as 2_1_0; may be repeated. Default: papers.',
)
@click.option("--kappa", type=NUMBERS, default="-1,0,0.5,1,2", show_default=True, help="Exponents of the energies.")
@click.option("--beta", type=NUMBERS, default="0.5,1,2", show_default=True, help="Exponents of the angles.")
@click.option("--calorimeter", default="ecal,hcal", show_default=True, metavar="NAME,...", help="One or both.")
@click.option("--splits", default=",".join(SPLITS), show_default=True, metavar="NAME,...", help="Some of them.")
@click.option(
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="Of the values; float32 cannot hold every kappa below 0.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Default: the processors that may be used.")
@click.option(
    "--feather", type=click.Path(path_type=Path), metavar="DIR", help="Write a feather file a column as well."
)
@click.option(
    "--duplicates", type=click.Path(path_type=Path), metavar="DIR", help="Write tables of the columns that are enough."
)
@click.option(
    "--duplicate-events",
    type=click.IntRange(2),
    default=500,
    show_default=True,
    help="Rows of the test split that --duplicates compares.",
)
@click.option("--resume", is_flag=True, help="Keep an output that is whole and of this command; refuse another.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="The summary for machines.")
def command(
    *,
    data: Path,
    output: Path,
    graphs: tuple[str, ...],
    kappa: tuple[float, ...],
    beta: tuple[float, ...],
    calorimeter: str,
    splits: str,
    dtype: str,
    threads: int | None,
    feather: Path | None,
    duplicates: Path | None,
    duplicate_events: int,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the energy-flow polynomials of the candidates in DATA.h5, a column each.

    The defaults are those of "Learning to identify electrons": 509 graphs, 5 kappas, 3 betas, two calorimeters. The
    same command, given again after it was interrupted, goes on where it was; what is done waits in .OUTPUT.parts.
    """
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    check_output(output, overwrite or resume)  # before the work

    from hepml.dataset.efp_tables import TABLES
    from hepml.dataset.feather import FEATHERS
    from hepml.dataset.output import check_own

    for folder, own in ((feather, FEATHERS), (duplicates, TABLES)):
        if folder is not None:
            check_output(folder, overwrite or resume)
            check_not_input(folder, [data, output])
            check_own(folder, own)
            if folder.resolve() in {output.resolve(), *output.resolve().parents}:
                raise OutputError("the folder is, or would hold, the output", where=folder, fix="choose another folder")
    if duplicates is not None and "test" not in _names(splits):
        raise click.UsageError("--duplicates compares rows of the test split, which --splits leaves out")

    from hepml.dataset.feather import require_feather, write_feather
    from hepml.dataset.polynomials import write_efps

    if feather is not None:
        require_feather()
    with progress_bar("candidates", quiet) as progress:
        summary = write_efps(
            data,
            output,
            graphs=graphs,
            kappa=kappa,
            beta=beta,
            calorimeters=_names(calorimeter),
            splits=_names(splits),
            dtype=dtype,
            threads=threads,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    files = None
    if feather is not None:
        with progress_bar("columns", quiet) as progress:
            files = write_feather(output, data, feather, overwrite=overwrite or resume, progress=progress)
    found = None
    if duplicates is not None:
        from hepml.dataset.efp_tables import write_duplicates

        found = write_duplicates(output, duplicates, "test", duplicate_events, overwrite=overwrite or resume)
    if as_json:
        more: dict[str, object] = {} if files is None else {"feather": files}
        more |= {} if found is None else {key: len(value) for key, value in _parts(found).items()}
        click.echo(json_text(summary.to_dict() | more, indent=1))
        return
    _print(summary)
    if files is not None:
        click.echo(printable(f"{feather}: {files} feather files"))
    if found is not None:
        told = ", ".join(f"{len(value)} {key}" for key, value in _parts(found).items())
        click.echo(printable(f"{duplicates}: {told}, {len(found.not_finite)} not finite, in {found.events} events"))


def _parts(found: Duplicates) -> dict[str, Sized]:
    return {key: getattr(found, key) for key in ("uniques", "duplicates", "constants", "split")}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _print(summary: EFPSummary) -> None:
    from hepml.cli.show import size_text

    rows = sum(summary.rows.values())
    splits = ", ".join(f"{split} {count}" for split, count in summary.rows.items())
    click.echo(f"{rows} candidates: {splits}")
    click.echo(
        f"{summary.stored} columns are stored; {summary.aliases} of the {summary.asked} asked for equal one of them "
        "by definition and were not computed"
    )
    if summary.resumed:
        click.echo(f"{summary.resumed} of {summary.blocks} blocks were there from an interrupted command")
    click.echo(printable(f"{summary.path}: {size_text(summary.size)}, {summary.seconds:.1f} s"))
