"""Kinds of option that several commands have."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["FINITE"]


class _Finite(click.types.FloatParamType):
    """A number; `nan` and `inf` are numbers for Python, but no cuts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


FINITE = _Finite()
