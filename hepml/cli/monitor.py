"""`hepml monitor`: is what a network sees still what it was trained on?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.inputs import input_batches, polynomials_of
from hepml.cli.options import FINITE
from hepml.errors import DataError
from hepml.identity import SPLITS
from hepml.ledger import atomic_path, check_not_input, check_output, json_text
from hepml.stages import stage

if TYPE_CHECKING:
    from hepml.evaluator import Evaluator
    from hepml.monitoring import Drift, Report

_SHOWN = 6  # panels of the figure


@click.command("monitor")
@click.argument("network", type=click.Path(path_type=Path), metavar="NET.json")
@click.argument(
    "inputs",
    type=click.Path(path_type=Path),
    nargs=-1,
    required=True,
    metavar="INPUTS.npz|DATA.h5|COUNTS.json...",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The report as JSON.")
@click.option("--figure", type=click.Path(path_type=Path), help="Folder for the figure of what moved most.")
@click.option("--counts", type=click.Path(path_type=Path), help="The counts as JSON, to be added to others later.")
@click.option("--split", type=click.Choice([*SPLITS, "all"]), default="test", show_default=True, help="Of a data.h5.")
@click.option("--weighted", is_flag=True, help="Take the event weights of a data.h5. Those of an npz, key weight, are.")
@click.option("--max-psi", type=FINITE, default=0.25, show_default=True, help="Population stability index.")
@click.option("--max-ks", type=FINITE, help="Kolmogorov-Smirnov distance; by default any.")
@click.option("--max-not-finite", type=FINITE, default=0.01, show_default=True, help="Fraction, above training's.")
@click.option("--max-outside", type=FINITE, default=0.01, show_default=True, help="Fraction outside training's range.")
@click.option("--overwrite", is_flag=True, help="Replace existing outputs.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on stdout.")
def command(
    *,
    network: Path,
    inputs: tuple[Path, ...],
    output: Path | None,
    figure: Path | None,
    counts: Path | None,
    split: str,
    weighted: bool,
    max_psi: float,
    max_ks: float | None,
    max_not_finite: float,
    max_outside: float,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Compare the inputs of a run with those that the network was trained on.

    NET.json holds what its inputs were in training if it was exported from a run or with --ranges. The inputs of the
    run are arrays of raw values, or what hepml::Monitor counted in C++; several files add up. Exit code 3 says that a
    quantity is beyond a limit.
    """
    from hepml.evaluator import Evaluator
    from hepml.monitoring import Limits, compare, merge_counts

    outputs = [path for path in (output, figure, counts) if path is not None]
    for path in outputs:
        check_not_input(path, [network, *inputs])
        check_output(path, overwrite)
    _check_twice(inputs)
    evaluator = Evaluator(network)
    if evaluator.ranges is None:
        raise DataError(
            "the network file does not say what its inputs were in training",
            where=network,
            expected="hepml.ranges",
            fix="export it from its run folder again, or with --ranges DATA",
        )
    stage("score", network)
    total = merge_counts([part for path in inputs for part in _counts(evaluator, path, split, weighted)])
    limits = Limits(max_psi, max_ks, max_not_finite, max_outside)
    report = compare(evaluator.ranges, total, limits, model_id=evaluator.model_id)
    for name, content in ((output, report.to_dict()), (counts, total)):
        if name is not None:
            with atomic_path(name, overwrite=overwrite) as temporary:
                temporary.write_text(json_text(content) + "\n", encoding="utf-8")
    if figure is not None:
        _draw(report, figure, overwrite)
    if as_json:
        click.echo(json_text(report.to_dict()))
    else:
        _show(report)
    return 3 if report.beyond else 0


def _check_twice(inputs: tuple[Path, ...]) -> None:
    """Refuses a file that is given twice: its events would count twice."""
    seen: dict[str, Path] = {}
    for path in inputs:
        first = seen.setdefault(os.path.realpath(path), path)
        if first is not path:
            raise DataError(
                "a file is given twice", where=path, found=f"{first} and {path}", fix="leave one of them out"
            )


def _counts(evaluator: Evaluator, path: Path, split: str, weighted: bool) -> Iterator[dict[str, Any]]:
    from hepml.monitoring import read_counts

    if path.suffix == ".json":
        yield read_counts(path)
        return
    names = [record.name for record in evaluator.inputs]
    convention, efp = evaluator.metadata.get("convention"), polynomials_of(evaluator)
    for one in SPLITS if split == "all" and path.suffix != ".npz" else (split,):
        for arrays, weight in input_batches(path, names, one, convention=convention, weighted=weighted, efp=efp):
            yield evaluator.count(arrays, weight)


def _draw(report: Report, folder: Path, overwrite: bool) -> None:
    from hepml.ledger import atomic_folder
    from hepml.plots.monitoring import Drifted, drift_panels
    from hepml.plots.style import Style

    drawn = [one for one in report.worst(_SHOWN) if sum(one.fractions) > 0]
    if not drawn:
        raise DataError("nothing to draw: no quantity has a finite value")
    panels = [Drifted(one.full_name, one.edges, one.fractions, one.training, one.n_effective, one.psi) for one in drawn]
    with atomic_folder(folder, overwrite=overwrite) as temporary:
        drift_panels(panels, style=Style(text="", energy="")).save(temporary, "drift")


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)
    title = f"{report.events} events against {report.events_training} of training, model {report.model_id[:12]}"
    table = Table(title=title)
    for name in ("quantity", "entries", "not finite", "outside", "PSI", "KS", "p", "verdict"):
        table.add_column(name, justify="left" if name in ("quantity", "verdict") else "right")
    for one in report.quantities:
        table.add_row(
            one.full_name,
            f"{one.entries:.6g}",
            _percent(one.not_finite),
            _percent(one.below + one.above),
            f"{one.psi:.3f}",
            f">= {one.ks:.3f}",
            f"<= {one.p_value:.2g}",
            _verdict(one),
        )
    console.print(table)
    beyond = report.beyond
    names = ", ".join(one.full_name for one in beyond)
    click.echo(f"{len(beyond)} beyond a limit: {names}" if beyond else "all within the limits")


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %" if part else "0"


def _verdict(one: Drift) -> str:
    words: Sequence[str] = [word.replace("_", " ") for word in one.beyond]
    return f"beyond: {', '.join(words)}" if words else one.verdict
