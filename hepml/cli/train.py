"""hepml train: a network, or several by folds and seeds, from data.h5 to a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.options import FINITE, QUIET
from hepml.errors import printable
from hepml.ledger import json_text

if TYPE_CHECKING:
    from hepml.training import Progress, Run
    from hepml.training.watch import Report


@click.command("train")
@click.argument("data", type=click.Path())
@click.option("--features", help="Inputs: tokens joined by _and_, as et_and_ht_and_hl. Default: those of --preset.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The run folder, as runs/NAME.")
@click.option("--preset", help="Settings of this published network. Default: that of the features.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; may be repeated.")
@click.option("--plane", metavar="NAME,...", help="Weight signal and background alike in these variables: pt,eta.")
@click.option(
    "--decorrelate",
    multiple=True,
    metavar="NAME=STRENGTH",
    help="Penalise the score's dependence on a variable in the background (DisCo): mass=20. May be repeated.",
)
@click.option("--folds", type=click.IntRange(0), default=0, help="K folds by hash: every candidate is scored held out.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="Networks with seeds SEED, SEED + 1, ...")
@click.option("--efp-names", metavar="NAME,...", help="Polynomials of the feature efp: et_efp_2_1_0_k_1_b_0.5,...")
@click.option("--efp-positions", metavar="N,...", help="The same by their positions in the columns of --efps.")
@click.option("--efps", type=click.Path(), metavar="EFPS.h5", help="A file of hepml efp, for --efp-positions.")
@click.option("--epochs", type=click.IntRange(1), help="At most so many.")
@click.option("--memory", type=FINITE, metavar="GB", help="Of images; more of them stay in the file. Default: 4.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of weights, dropout and the order of batches.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on with the run in the folder.")
@click.option("--overwrite", is_flag=True, help="Replace the run in the folder.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    *,
    data: str,
    features: str | None,
    output: str,
    preset: str | None,
    assignments: tuple[str, ...],
    plane: str | None,
    decorrelate: tuple[str, ...],
    folds: int,
    seeds: int,
    efp_names: str | None,
    efp_positions: str | None,
    efps: str | None,
    epochs: int | None,
    memory: float | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a network on DATA, a data.h5 of hepml convert, recorded completely.

    A training that was interrupted goes on with the same command, and ends with the same network.
    """
    from hepml.models import PRESETS, Settings, preset_settings

    if preset is not None:
        preset_settings((), preset)  # an unknown one is refused before TensorFlow is loaded
    if features is None and preset is None:
        raise click.UsageError("give --features or --preset")
    positions = None if efp_positions is None else _positions(efp_positions)
    changes = Settings.parse(list(assignments))
    given = {"epochs": epochs, "memory": memory, "plane": plane, "disco": ",".join(decorrelate) or None}
    changes |= {name: value for name, value in given.items() if value is not None}
    tokens = features or "_and_".join(PRESETS[str(preset)].features)
    from hepml.cli.quiet import load_keras_quietly

    load_keras_quietly()
    from hepml.training import train

    with shown(quiet) as report:
        try:
            run = train(
                data,
                tokens,
                output,
                preset=preset,
                seed=seed,
                seeds=seeds,
                folds=folds,
                efp_names=None if efp_names is None else [name.strip() for name in efp_names.split(",")],
                efp_positions=positions,
                efps=efps,
                resume=resume,
                overwrite=overwrite,
                progress=report,
                **changes,
            )
        except KeyboardInterrupt:
            click.echo("interrupted; the same command goes on from the last checkpoint", err=True)
            raise
    summary = _summary(run)
    if as_json:
        click.echo(json_text(summary))
    else:
        for key, value in summary.items():
            click.echo(f"{key:<16} {printable(value)}")


def _positions(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError:
        raise click.UsageError(f"--efp-positions are whole numbers joined by commas, not {text!r}") from None


def _summary(run: Run) -> dict[str, Any]:
    members = run.record["members"]
    best = next(one for one in members if one["name"] == run.record["best"]["member"])
    return {
        "run": str(run.path),
        "features": run.features,
        "parameters": run.record["parameters"],
        "networks": len(members),
        "epochs": sum(one["epochs"] for one in members),
        "best": best["name"] or run.path.name,
        "best_epoch": best["best_epoch"] + 1,
        "val_loss": best["val_loss"],
        "retries": sum(len(one["attempts"]) - 1 for one in members),
        "held_out": int(run.scores().held_out.sum()),
    }


@contextmanager
def shown(quiet: bool) -> Iterator[Report | bool]:
    """Progress on stderr: a bar on a terminal, a line an epoch elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield False
    elif not console.is_terminal:
        yield lambda step: None if step.batch else click.echo(_line(step), err=True)
    else:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[what]}"),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=console) as bars:
            task = bars.add_task("train", total=1.0, what="")

            def show(step: Progress) -> None:
                if step.message:
                    bars.console.print(_line(step))
                    return
                part = step.batch / step.batches if step.batches else 0.0
                bars.update(
                    task,
                    description=f"{step.n_member}/{step.n_members} {step.member}".strip(),
                    completed=(step.epoch + part) / max(step.epochs, 1),
                    what=f"epoch {step.epoch + (1 if step.batch else 0)}/{step.epochs} {_losses(step)}",
                )

            yield show


def _losses(step: Progress) -> str:
    texts = [f"{name} {value:.5f}" for name, value in (("loss", step.loss), ("val_loss", step.val_loss)) if value]
    return " ".join(texts)


def _line(step: Progress) -> str:
    name = f"{step.n_member}/{step.n_members} {step.member}: " if step.n_members > 1 else ""
    if step.message:
        return name + step.message
    return f"{name}epoch {step.epoch}/{step.epochs} {_losses(step)} {step.seconds:.1f} s"
