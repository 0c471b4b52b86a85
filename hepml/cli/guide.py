"""hepml guide: the polynomials that variables lack and a network knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hepml.cli.options import FINITE, QUIET
from hepml.ledger import json_text


@click.command("guide")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("efps", type=click.Path(path_type=Path))
@click.option("--benchmark", required=True, type=click.Path(path_type=Path), help="The run on DATA to be explained.")
@click.option("--start", default="hl", show_default=True, help="Variables to begin with: hl, hl_and_mass.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The folder, as runs/guided.")
@click.option("--max-passes", type=click.IntRange(0), default=5, show_default=True, help="Polynomials, at most.")
@click.option("--kappa", type=FINITE, help="Only of this exponent of the energies; 1 is safe for soft and collinear.")
@click.option("--stop-at", type=FINITE, metavar="AUC", help="End there, on validation. Default: the benchmark's.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the networks; repeatable.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Networks of each pass.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first, and of --bootstrap.")
@click.option("--bootstrap", type=click.IntRange(2), default=50, show_default=True, help="Resampled test splits.")
@click.option("--jobs", type=click.IntRange(1), help="Threads for the polynomials. Default: all processors.")
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw them.")
@click.option("--overwrite", is_flag=True, help="Replace the search in the folder.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON on stdout.")
def command(
    *,
    data: Path,
    efps: Path,
    benchmark: Path,
    start: str,
    output: Path,
    max_passes: int,
    kappa: float | None,
    stop_at: float | None,
    assignments: tuple[str, ...],
    seeds: int,
    seed: int,
    bootstrap: int,
    jobs: int | None,
    figures: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Add to variables of DATA, a data.h5, the polynomials of EFPS, an efps.h5, that bring them nearest to a network.

    Each pass adds the polynomial that orders most pairs of signal and background as the benchmark does, of those that
    the network of the pass before orders otherwise, and trains again: OUTPUT/pass0, pass1 ... Polynomials are chosen on
    the training and validation splits; the test split is looked at once, at the end. An interrupted search goes on with
    the same command, and a finished one with more --max-passes.
    """
    from hepml.models import Settings

    changes = Settings.parse(list(assignments))  # one that makes no sense is refused before TensorFlow is loaded
    from hepml.ledger import check_not_input, read_json

    check_not_input(output, [data, efps, benchmark])
    from hepml.cli.quiet import load_keras_quietly

    load_keras_quietly()
    from hepml.cli.train import shown
    from hepml.guided import SETTINGS, load_problem, search
    from hepml.reports import draw_guided

    def telling(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    problem = load_problem(data, efps, benchmark, start=start, kappa=kappa)
    with shown(quiet) as report:
        found = search(
            problem,
            output,
            max_passes=max_passes,
            stop_at=stop_at,
            settings=SETTINGS.replace(**changes),
            seeds=seeds,
            seed=seed,
            bootstrap=bootstrap,
            jobs=jobs,
            overwrite=overwrite,
            telling=telling,
            progress=report,
        )
    if figures:
        draw_guided(found, problem)
    record = read_json(output / "guided.json")
    click.echo(json_text(record) if as_json else table(record))


def table(record: Mapping[str, Any]) -> str:
    """The content of a guided.json as the table of the papers, with errors.

    Example:
        >>> print(table(json.load(open("runs/guided/guided.json"))))  # doctest: +SKIP
        | pass | polynomial | kappa, beta | ADO where they differ | AUC alone | ADO everywhere | AUC | gap |
    """
    head = ("pass", "polynomial", "kappa, beta", "ADO where they differ", "AUC alone", "ADO everywhere", "AUC", "gap")
    rows: list[tuple[str, ...]] = [head, tuple("---" for _ in head)]
    for step in record["steps"]:
        own = ("0", record["start"], "", "", "")
        if step["chosen"]:
            there = _measured(step["ordering"], "folded") if step["ordering"] else "-"
            exponents = f"{step['kappa']:g}, {step['beta']:g}"
            prefix = step["chosen"]["name"].split("_")[0]
            own = (str(step["number"]), f"{prefix} {step['graph']}", exponents, there, _measured(step["efp_auc"]))
        everywhere = _measured(step["network_ordering"], "folded")
        rows.append((*own, everywhere, _area(step["auc"]), _measured(step["gap"])))
    rows.append(("", "benchmark", "", "", "", "", _area(record["benchmark"]), ""))
    spread = f", and the spread of {record['seeds']} seeds" if record["seeds"] > 1 else ""
    return "\n".join(
        [
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"{record['n_signal']} + {record['n_background']} test candidates; errors: {record['bootstrap']} resampled "
            f"sets of them (ADO: of a U-statistic){spread}. "
            f"Ended: {record['stopped']}.",
        ]
    )


def _measured(found: Mapping[str, Any], key: str = "value") -> str:
    from hepml.cli.tables import with_error

    return with_error(found[key], found["error"])


def _area(area: Mapping[str, Any]) -> str:
    return _measured(area) + ("" if area["spread"] is None else f", seeds ± {area['spread']:.1g}")
