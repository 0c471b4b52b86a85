"""`hepml convert`: ROOT files to data.h5."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepml.cli.options import CHECKSUMS, FINITE, JOBS, PART, QUIET, SKIP_BAD, TIMEOUT, progress_bar
from hepml.errors import printable
from hepml.ledger import check_output, json_text

if TYPE_CHECKING:
    from hepml.dataset import Summary
    from hepml.dataset.workers import Workers

_SEVERAL = ("--signal", "--background")


class _SeveralValues(click.Command):
    """`--signal a.root b.root`: these options take all values up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        expanded: list[str] = []
        option, values = None, 0
        for argument in args:
            if argument.startswith("-") and argument != "-":
                if option and not values:
                    expanded.append(option)
                option, values = (argument, 0) if argument in _SEVERAL else (None, 0)
                if option is None:
                    expanded.append(argument)
            elif option:
                expanded += [option, argument]
                values += 1
            else:
                expanded.append(argument)
        if option and not values:
            expanded.append(option)
        return super().parse_args(ctx, expanded)


@click.command(cls=_SeveralValues)
@click.option("--signal", multiple=True, metavar="FILES...", help="Signal: ROOT files, globs, file.root:tree.")
@click.option("--background", multiple=True, metavar="FILES...", help="Background: the same.")
@click.option("--samples", type=click.Path(path_type=Path), help="A samples.yaml, instead of the two.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The data file to write.")
@click.option("--layout", metavar="NAME|FILE", help="Branch layout; recognised if not given (see hepml inspect).")
@click.option("--dense", is_flag=True, help="Images as full arrays, for other HDF5 programs; slower, larger.")
@click.option("--which", type=click.Choice(["leading", "all"]), default="leading", show_default=True, help="Objects.")
@click.option("--collection", default="electron", show_default=True, help="Seeds of the candidates.")
@click.option("--convention", help='"2011.01984": as the published macros did, quirks included.')
@click.option("--preselection", help='Named preselection: "hard".')
@click.option("--max-eta", type=FINITE, help="Cut on |eta| of the seeds.")
@click.option("--min-pt", type=FINITE, help="Cut on pT of the seeds, GeV.")
@click.option("--max-towers", type=click.IntRange(1), help="Towers of an event that count, those of highest ET.")
@click.option(
    "--overlap",
    type=click.Choice(["share", "refuse"]),
    default="share",
    show_default=True,
    help="Towers that do not nest in a cell.",
)
@JOBS
@click.option("--scheduler", metavar="ADDRESS", help="Read on the workers of a dask.distributed scheduler.")
@TIMEOUT
@CHECKSUMS
@click.option("--dedup", is_flag=True, help="Leave out candidates whose run, lumi and event were read before.")
@click.option(
    "--not-finite",
    type=click.Choice(["drop", "raise", "keep"]),
    default="drop",
    show_default=True,
    help="Events with NaN, infinity or absurd values; kept without such towers.",
)
@SKIP_BAD
@click.option("--part", type=PART, metavar="K/N", help="Only the K-th of N parts of the files, for hepml merge.")
@click.option("--resume", is_flag=True, help="Keep an output that is whole and of this conversion; refuse another.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="The summary for machines.")
def command(
    *,
    signal: tuple[str, ...],
    background: tuple[str, ...],
    samples: Path | None,
    output: Path,
    layout: str | None,
    dense: bool,
    which: str,
    collection: str,
    convention: str | None,
    preselection: str | None,
    max_eta: float | None,
    min_pt: float | None,
    max_towers: int | None,
    overlap: str,
    jobs: int,
    scheduler: str | None,
    timeout: float,
    checksums: Path | None,
    dedup: bool,
    not_finite: str,
    skip_bad: bool,
    part: tuple[int, int] | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Write the candidates of ROOT files, with images, variables, weights and provenance, to a data file."""
    if samples is None and not (signal and background):
        raise click.UsageError("give --signal and --background files, or --samples")
    if samples is not None and (signal or background):
        raise click.UsageError("give either --samples or --signal and --background")
    if scheduler is not None and jobs > 1:
        raise click.UsageError("give --jobs or --scheduler, not both")
    if dedup and part is not None:
        raise click.UsageError(
            "give --dedup or --part, not both: parts are joined without duplicates by hepml merge --dedup"
        )
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    check_output(output, overwrite or resume)  # before the imports and the reading

    from hepml.dataset import convert

    with progress_bar("events", quiet) as progress, _workers(scheduler, timeout) as workers:
        summary = convert(
            signal,
            background,
            output,
            layout=layout,
            samples=samples,
            which=which,
            collection=collection,
            convention=convention,
            preselection=preselection,
            overlap=overlap,
            max_eta=max_eta,
            min_pt=min_pt,
            max_towers=max_towers,
            dense=dense,
            jobs=jobs,
            workers=workers,
            timeout=timeout,
            checksums=checksums,
            dedup=dedup,
            not_finite=not_finite,
            skip_bad=skip_bad,
            part=part,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        click.echo(json_text(summary.to_dict(), indent=1))
    else:
        print_summary(summary)
    for one in summary.skipped:
        click.echo(printable(f"skipped {one['path']}: {one['reason']}"), err=True)
    return 3 if summary.skipped else 0


def _workers(scheduler: str | None, timeout: float) -> AbstractContextManager[Workers | None]:
    if scheduler is None:
        return nullcontext()
    from hepml.scale import Cluster

    return Cluster(scheduler, timeout)


def print_summary(summary: Summary) -> None:
    """What was read, cut and written, in tables."""
    from hepml.cli.show import cut_flow_table, size_text, wide_console

    console = wide_console()
    console.print(cut_flow_table(summary.samples, summary.cut_flow))
    rows = sum(summary.rows.values())
    splits = ", ".join(f"{split} {count}" for split, count in summary.rows.items())
    console.print(f"{rows} candidates: {splits}", highlight=False)
    if summary.classes:
        console.print(
            "classes: " + ", ".join(f"{name} {count}" for name, count in summary.classes.items()), highlight=False
        )
    if summary.duplicate_identities:
        console.print(f"{summary.duplicate_identities} candidates have the identity of an earlier one", style="yellow")
    rate = summary.seconds / max(1, summary.cut_flow["read"]) * 1e6
    console.print(
        f"{printable(summary.path)}: {size_text(summary.size)}, {summary.seconds:.1f} s, {rate:.0f} us per event read",
        highlight=False,
        soft_wrap=True,
    )
