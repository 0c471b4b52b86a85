"""Kinds of option that several commands have, and the bar that they show."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

__all__ = ["CHECKSUMS", "FINITE", "JOBS", "NUMBERS", "PART", "QUIET", "SECONDS", "SKIP_BAD", "TIMEOUT", "progress_bar"]


class _Finite(click.types.FloatParamType):
    """A number; `nan` and `inf` are numbers for Python, but no cuts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


FINITE = _Finite()


class _Numbers(click.ParamType[tuple[float, ...]]):
    """`0.5,1,2`: finite numbers."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        return tuple(FINITE.convert(one.strip(), param, ctx) for one in str(value).split(","))


NUMBERS = _Numbers()


class _Part(click.ParamType[tuple[int, int]]):
    """`3/100`: the third of a hundred parts."""

    name = "part"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(value))
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            self.fail(f"{value!r} is not a part: K/N with K from 1 to N.", param, ctx)
        return int(found[1]), int(found[2])


PART = _Part()
SECONDS = click.FloatRange(min=0, min_open=True)

# options that mean the same wherever they are
JOBS = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes; the outputs do not depend on it."
)
TIMEOUT = click.option(
    "--timeout", type=SECONDS, default=1800, show_default=True, help="Seconds until a hung process is replaced."
)
SKIP_BAD = click.option(
    "--skip-bad", is_flag=True, help="Go on past files that cannot be read; lists them, exit code 3."
)
CHECKSUMS = click.option(
    "--checksums", type=click.Path(path_type=Path), metavar="FILE", help="Compare inputs with a list of sha256sum."
)
QUIET = click.option("--quiet", is_flag=True, help="No progress on stderr.")


@contextmanager
def progress_bar(unit: str, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal's stderr; yields what is told the file at hand, the units just done, and their number."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)

        def progress(file: str, done: int, total: int) -> None:
            bar.update(task, advance=done, total=total, description=Path(file).name)

        yield progress
