"""`hepml run`: the steps of an analysis.yaml that are not up to date."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.convert import progress_bar
from hepml.cli.options import JOBS, QUIET
from hepml.ledger import json_text

if TYPE_CHECKING:
    from hepml.workflow import Analysis, Outcome, Step

_KERAS = ("train", "study", "export")  # kinds of steps that load it


@click.command("run")
@click.argument("analysis", type=click.Path(path_type=Path), metavar="ANALYSIS.yaml")
@click.argument("steps", nargs=-1, metavar="[STEP...]")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be made, and why; write nothing.")
@JOBS
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
        _show(found, plan(found, steps, **common), as_json, dry_run=True)
        return 0
    start = time.monotonic()

    def telling(outcome: Outcome) -> None:
        if not quiet:
            click.echo(f"[{time.monotonic() - start:5.0f} s] {_line(outcome)}", err=True)

    outcomes = make(
        found,
        steps,
        jobs=jobs,
        keep_going=keep_going,
        telling=telling,
        progress=lambda step: _progress(step, quiet),
        **common,
    )
    _show(found, outcomes, as_json, dry_run=False)
    errors = [(one.step, one.error) for one in outcomes if one.error is not None]
    for name, error in errors:
        click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
    skipped = [(one.step, each) for one in outcomes for each in one.skipped]
    for name, each in skipped:
        click.echo(f"{name}: skipped {each['path']}: {each['reason']}", err=True)
    return errors[0][1].exit_code if errors else 3 if skipped else 0


def _line(outcome: Outcome) -> str:
    seconds = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else ""
    why = f": {outcome.why}" if outcome.why and outcome.state != "done" else ""
    return f"{outcome.step}: {outcome.state}{seconds}{why}"


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


def _show(analysis: Analysis, outcomes: list[Outcome], as_json: bool, *, dry_run: bool) -> None:
    if as_json:
        steps = [one.to_dict() for one in outcomes]
        click.echo(json_text({"output": str(analysis.output), "steps": steps}, indent=1))
        return
    from rich.markup import escape
    from rich.table import Table

    from hepml.cli.show import wide_console

    table = Table(title=f"{'Plan' if dry_run else 'Steps'}: outputs in {escape(str(analysis.output))}")
    for name in ("step", "state", "why" if dry_run else "outputs"):
        table.add_column(name, overflow="fold")
    for one in outcomes:
        table.add_row(*map(escape, (one.step, one.state, one.why if dry_run else ", ".join(one.outputs))))
    wide_console().print(table)
