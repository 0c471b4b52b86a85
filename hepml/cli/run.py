"""`hepml run`: the steps of an analysis.yaml that are not up to date."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.options import JOBS, QUIET, progress_bar
from hepml.errors import HepmlError, printable
from hepml.ledger import json_text

if TYPE_CHECKING:
    from hepml.workflow import Analysis, Outcome, Step

_KERAS = ("train", "study", "export")  # kinds of steps that load it


@click.command("run")
@click.argument("analysis", type=click.Path(path_type=Path), metavar="ANALYSIS.yaml")
@click.argument("steps", nargs=-1, metavar="[STEP...]")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be made, and why; write nothing.")
@JOBS
@click.option(
    "--at-once", type=click.IntRange(1), default=1, show_default=True, help="Steps at the same time, in processes."
)
@click.option("--force", is_flag=True, help="Make the named steps (all, if none is named) even if up to date.")
@click.option("--keep-going", is_flag=True, help="After a failure make what does not depend on it.")
@click.option("--any-code", is_flag=True, help="Keep what another version of hepml's code has made.")
@click.option("--rehash", is_flag=True, help="Read every byte again, also of files whose size and times are unchanged.")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="The steps for machines.")
def command(
    *,
    analysis: Path,
    steps: tuple[str, ...],
    dry_run: bool,
    jobs: int,
    at_once: int,
    force: bool,
    keep_going: bool,
    any_code: bool,
    rehash: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make all outputs that ANALYSIS.yaml describes, or those of some STEPs with what they need.

    A STEP is a name as in the plan, train/cnn, or a kind of steps, train. What is up to date, by the contents of its
    inputs and outputs, its options and hepml's code, is left as it is. A run that was interrupted goes on with the same
    command.
    """
    from hepml.workflow import load_analysis, make, plan

    found = load_analysis(analysis)
    common: dict[str, Any] = {"force": force, "any_code": any_code, "rehash": rehash}
    if dry_run:
        _show(found, plan(found, steps, **common), as_json)
        return 0
    start = time.monotonic()
    outcomes: dict[str, Outcome] = {}

    def telling(outcome: Outcome) -> None:
        outcomes[outcome.step] = outcome
        if not quiet:
            click.echo(f"[{time.monotonic() - start:5.0f} s] {_line(outcome)}", err=True)

    try:
        made = make(
            found,
            steps,
            jobs=jobs,
            at_once=at_once,
            keep_going=keep_going,
            telling=telling,
            progress=lambda step: _progress(step, quiet),
            **common,
        )
    except HepmlError:
        if outcomes:  # something was begun
            _show(found, list(outcomes.values()), as_json, total=time.monotonic() - start)
        raise
    _show(found, made, as_json, total=time.monotonic() - start)
    errors = [(one.step, one.error) for one in made if one.error is not None]
    for name, error in errors:
        click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
    skipped = [(one.step, each) for one in made for each in one.skipped]
    for name, each in skipped:
        click.echo(printable(f"{name}: skipped {each['path']}: {each['reason']}"), err=True)
    return errors[0][1].exit_code if errors else 3 if skipped else 0


def _line(outcome: Outcome) -> str:
    seconds = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else ""
    why = f": {outcome.why}" if outcome.why and outcome.state != "done" else ""
    return printable(f"{outcome.step}: {outcome.state}{seconds}{why}")


@contextmanager
def _progress(step: Step, quiet: bool) -> Iterator[Any]:
    """What the library's function calls with its progress."""
    if step.kind in _KERAS:
        from hepml.cli.quiet import load_keras_quietly

        load_keras_quietly()
    if quiet:
        yield None
    elif step.kind == "convert":
        with progress_bar("events") as told:
            yield told
    elif step.kind == "apply":
        with progress_bar("files") as told:
            yield lambda record, total: told(record.source, 1, total)
    elif step.kind == "train":
        from hepml.cli.train import shown

        with shown(quiet) as report:
            yield report
    else:
        yield None


def _show(analysis: Analysis, outcomes: list[Outcome], as_json: bool, *, total: float | None = None) -> None:
    """The steps and how many are of each state; without a total time they are a plan."""
    planned = total is None
    counts = {state: count for state, count in Counter(one.state for one in outcomes).items() if count}
    if as_json:
        record: dict[str, Any] = {"output": str(analysis.output), "counts": counts, "seconds": total}
        click.echo(json_text({**record, "steps": [one.to_dict() for one in outcomes]}, indent=1))
        return
    from rich.markup import escape
    from rich.table import Table

    from hepml.cli.show import wide_console

    table = Table(title=f"{'Plan' if planned else 'Steps'}: outputs in {escape(str(analysis.output))}")
    table.add_column("step", overflow="fold")
    table.add_column("state")
    table.add_column("last time" if planned else "time", justify="right")
    table.add_column("why" if planned else "outputs", overflow="fold")
    for one in outcomes:
        seconds = f"{one.seconds:.1f} s" if one.seconds else ""
        last = one.why if planned or one.state in ("failed", "not run") else ", ".join(one.outputs)
        table.add_row(*map(escape, (one.step, one.state, seconds, last)))
    console = wide_console()
    console.print(table)
    if planned:
        to_make = [one for one in outcomes if one.state != "up to date"]
        known = sum(one.seconds for one in to_make)
        took = f", which took {known:.0f} s the last time" if known else ""
        text = f"{len(to_make)} of {len(outcomes)} steps to make{took}"
    else:
        text = ", ".join(f"{count} {state}" for state, count in counts.items()) + f" in {total:.1f} s"
    console.print(text, highlight=False)
