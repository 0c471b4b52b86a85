"""hepml evaluate: held-out metrics of runs, their differences, thresholds and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.options import FINITE, QUIET
from hepml.errors import printable
from hepml.ledger import check_not_input, check_output, json_text
from hepml.stages import stage

if TYPE_CHECKING:
    from hepml.dataset import Dataset
    from hepml.evaluation import Evaluation
    from hepml.metrics import Comparison
    from hepml.training import Run


def _known_point(_ctx: click.Context, _option: click.Parameter, value: float) -> float:
    from hepml.metrics import EFFICIENCIES

    if value not in EFFICIENCIES:
        raise click.BadParameter(f"{value:g} is none of {', '.join(f'{one:g}' for one in EFFICIENCIES)}.")
    return value


@click.command("evaluate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN... DATA")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write. Default: into each run.")
@click.option("--selection", metavar="NAME", help='Evaluate a named subset only: "hard".')
@click.option("--reweight", is_flag=True, help="Give the background the signal's (pT, eta) spectrum.")
@click.option("--independent", is_flag=True, help="DATA is another sample; all of it is scored. Needs -o.")
@click.option(
    "--working-point",
    type=FINITE,
    default=0.8,
    show_default=True,
    callback=_known_point,
    help="Signal efficiency for profiles and confusion matrix: 0.5, 0.7, 0.8, 0.9 or 0.95.",
)
@click.option(
    "--vary",
    "variations",
    multiple=True,
    metavar="EFFECT=VALUE,...",
    help="Score images and variables made again from varied towers; effects: scale, resolution, noise, threshold, "
    "dead, shift, pileup. May be repeated.",
)
@click.option(
    "--candidates",
    type=click.Choice(["repeat", "keep"]),
    default="repeat",
    show_default=True,
    help="With --vary: select them again in the varied towers, or keep them and their cells.",
)
@click.option(
    "--towers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With --vary: where the ROOT files of DATA are, if not where they were.",
)
@click.option("--bootstrap", type=click.IntRange(1), default=1000, show_default=True, help="Replicas for intervals.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap and of --vary.")
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw them.")
@click.option("--overwrite", is_flag=True, help="Replace existing metrics and figures.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON on stdout.")
def command(
    *,
    paths: tuple[Path, ...],
    output: Path | None,
    selection: str | None,
    reweight: bool,
    independent: bool,
    working_point: float,
    variations: tuple[str, ...],
    candidates: str,
    towers: tuple[Path, ...],
    bootstrap: int,
    seed: int,
    figures: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Evaluate each RUN on the candidates of DATA, a data.h5, that it was not trained on.

    Writes metrics.json, thresholds.json (cuts for target signal efficiencies, from the validation split) and figures.
    Several runs are compared in pairs, candidate by candidate; ratios refer to the last one. The comparison is printed,
    and stored with its figures only with -o. --json prints what metrics.json holds for one run, {"runs": [...],
    "comparisons": [...]} for several.
    """
    if len(paths) < 2:
        raise click.UsageError("give at least one run folder and, last, the data file")
    if independent and output is None:
        raise click.UsageError("--independent needs -o: the run keeps the results of its own data")
    if variations and reweight:
        raise click.UsageError("--vary compares the same events with the same weights: leave --reweight out")
    if (towers or candidates != "repeat") and not variations:
        raise click.UsageError("--towers and --candidates belong to --vary")
    from hepml.training import load_run

    def telling(line: str) -> None:
        if not quiet:
            click.echo(printable(line), err=True)

    suffix = "".join(f"_{part}" for part in (selection, "reweighted" if reweight else None) if part)
    runs = [load_run(path) for path in paths[:-1]]
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        raise click.UsageError(f"runs to compare need different names: {', '.join(names)}")
    for target in [output] if output else [run.path / f"metrics{suffix}.json" for run in runs]:
        check_not_input(target, paths)
        check_output(target, overwrite)  # before any work
    if variations:
        from hepml.evaluation.variations import parse_variations

        parse_variations(variations)  # one that makes no sense is refused before TensorFlow is loaded
    if independent or variations:
        from hepml.cli.quiet import load_keras_quietly

        load_keras_quietly()
    from hepml.dataset import Dataset
    from hepml.evaluation import compare, evaluate, vary

    dataset = Dataset.open(paths[-1])
    results = []
    for run in runs:
        telling(f"evaluate {run.path}")
        stage("score", run.path)
        result = evaluate(
            run,
            dataset,
            selection=selection,
            reweight=reweight,
            bootstrap=bootstrap,
            seed=seed,
            working_point=working_point,
            independent=independent,
        )
        if variations:
            telling(f"vary {run.path}")
            result = vary(
                result,
                run,
                dataset,
                variations,
                towers=towers,
                candidates=candidates,
                seed=seed,
                bootstrap=bootstrap,
            )
        results.append(result)
    comparisons: tuple[Comparison, ...] = ()
    if len(results) > 1 and all(one.task == "binary" for one in results):
        telling("compare")
        comparisons = compare(results, bootstrap=bootstrap, seed=seed)
    _write(runs, results, comparisons, dataset, (output, suffix, figures, overwrite, telling))
    if comparisons and output is None:
        click.echo(
            "the comparison belongs to no run and is not stored: -o FOLDER writes it, with its figures", err=True
        )
    if as_json:
        click.echo(json_text(_record(results, comparisons)))
    else:
        from hepml.cli.tables import show_evaluations

        show_evaluations(results, comparisons)


def _record(results: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    from hepml.metrics import to_json

    if len(results) == 1:
        return results[0].to_json()
    return {"runs": [one.to_json() for one in results], "comparisons": [to_json(one) for one in comparisons]}


def _write(
    runs: Sequence[Run],
    results: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    dataset: Dataset,
    options: tuple[Path | None, str, bool, bool, Callable[[str], object]],
) -> None:
    output, suffix, figures, overwrite, telling = options
    from hepml.reports import store_thresholds, write_evaluation, write_evaluations

    drawn = dataset if figures else None
    for run, result in zip(runs, results, strict=True):
        if output is not None:
            store_thresholds(run, result, needed=False)
        else:
            write_evaluation(run, result, drawn, suffix=suffix, overwrite=overwrite, telling=telling)
    if output is not None:
        write_evaluations(results, comparisons, output, drawn, overwrite=overwrite, telling=telling)
