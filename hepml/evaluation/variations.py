"""What `--vary` says: names and sizes of effects, alone or joined into one variation."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from hepml.errors import SchemaError, nearest
from hepml.evaluation.effects import CALORIMETERS, EFFECTS, check_size

__all__ = ["Effect", "Variation", "parse_variations"]

_AXES = ("eta", "phi")
_CLASSES = ("background", "signal")
_NEXT = r"(?=[A-Za-z_]+(?:\.[A-Za-z_]+)*=)"


@dataclass(frozen=True)
class Effect:
    """One thing that differs.

    Attributes:
        name: one of `effects.EFFECTS`.
        value: its size; 0 for pileup.
        calorimeters, axes: which of them have it.
        path: file of the pile-up events.
        label: of the class whose candidates the file holds instead (1 signal, 0 background), None for an overlay.
    """

    name: str
    value: float = 0.0
    calorimeters: tuple[str, ...] = CALORIMETERS
    axes: tuple[str, ...] = _AXES
    path: str | None = None
    label: int | None = None


@dataclass(frozen=True)
class Variation:
    """Effects that act together, in the order of `effects.EFFECTS`, and the text that they were given by.

    Example:
        >>> one, two = parse_variations("scale.ecal=1.01,noise=0.05+threshold=0.15")
        >>> one.effects[0].calorimeters, [effect.name for effect in two.effects]
        (('ecal',), ['noise', 'threshold'])
    """

    text: str
    effects: tuple[Effect, ...]

    @property
    def name(self) -> str:
        """The text without the folders of files, for tables and figures."""
        return re.sub("=[^=]*/", "=", self.text)

    @property
    def samples(self) -> dict[int, str]:
        """Files by label, if other samples replace the events; else empty."""
        return {effect.label: effect.path for effect in self.effects if effect.label is not None and effect.path}

    @property
    def table(self) -> str | None:
        """A samples.yaml whose samples replace the events, or None."""
        return next((one.path for one in self.effects if one.path and one.path.endswith((".yaml", ".yml"))), None)

    @property
    def other_events(self) -> bool:
        """Whether other samples replace the events."""
        return bool(self.samples or self.table)


def parse_variations(text: str | Iterable[str]) -> tuple[Variation, ...]:
    """Variations from text, several in one separated by commas; effects joined by + act together.

    `NAME=VALUE`, `NAME.ecal=VALUE`, `shift.phi=VALUE`, `shift.hcal.eta=VALUE`, `pileup=FILE.root` (its towers are
    added), `pileup.signal=FILE.root+pileup.background=FILE.root` (their candidates replace those of the samples),
    `pileup=FILE.yaml` (so do those of a samples.yaml, with its cross sections and weights).

    Raises:
        SchemaError: an unknown effect or part, a size out of range, the same variation twice, no variation.
    """
    parts = [text] if isinstance(text, str) else list(text)
    found = [_variation(part) for one in parts for part in re.split(r",\s*" + _NEXT, one.strip()) if part]
    names = [one.text for one in found]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"the variation {name!r} is given twice", fix="give it once")
    if not found:
        raise SchemaError("no variation is given", expected="for example scale=1.01,noise=0.05")
    return tuple(found)


def _variation(text: str) -> Variation:
    effects = tuple(_effect(part, text) for part in re.split(r"\+" + _NEXT, text))
    labels = [effect.label for effect in effects if effect.label is not None]
    found = Variation(text, effects)
    if (labels and (sorted(labels) != [0, 1] or len(effects) > 2)) or (found.table and len(effects) > 1):
        raise SchemaError(
            f"the variation {text!r} cannot be made",
            expected="pileup.signal=FILE+pileup.background=FILE or pileup=FILE.yaml, and nothing joined to them",
            fix="give both files, and other effects as variations of their own",
        )
    places = [
        (effect.name, effect.label, *place)
        for effect in effects
        for place in product(effect.calorimeters, effect.axes if effect.name == "shift" else ("",))
    ]
    twice = next((one[0] for one in places if places.count(one) > 1), None)
    if twice is not None:
        raise SchemaError(
            f"the variation {text!r} has {twice} twice",
            expected="each effect once on a calorimeter",
            fix="give one with the size that both have together",
        )
    return Variation(text, tuple(sorted(effects, key=lambda effect: EFFECTS.index(effect.name))))


def _effect(text: str, where: str) -> Effect:
    left, equals, value = text.partition("=")
    name, *parts = left.strip().split(".")
    if not equals or name not in EFFECTS:
        raise SchemaError(
            f"no effect is called {name!r}" if equals else f"{text!r} is not a variation",
            where=f"variation {where!r}",
            expected="NAME=VALUE, NAME one of " + ", ".join(EFFECTS),
            nearest=nearest(name, EFFECTS),
        )
    kinds: dict[str, tuple[str, ...]] = {"calorimeters": CALORIMETERS}
    if name == "pileup":
        kinds = {"label": _CLASSES}
    elif name == "shift":
        kinds["axes"] = _AXES
    chosen: dict[str, Any] = {}
    for part in parts:
        kind = next((kind for kind, known in kinds.items() if part in known and kind not in chosen), None)
        if kind is None:
            known = [one for group in kinds.values() for one in group]
            raise SchemaError(
                f"{name} has no part {part!r}",
                where=f"variation {where!r}",
                expected=", ".join(f"{name}.{one}" for one in known),
                nearest=nearest(part, known),
            )
        chosen[kind] = _CLASSES.index(part) if kind == "label" else (part,)
    if name == "pileup":
        if not value.strip():
            raise SchemaError("pileup names no file", where=f"variation {where!r}", expected="pileup=FILE.root")
        return Effect(name, path=value.strip(), **chosen)
    return Effect(name, _size(name, value, where), **chosen)


def _size(name: str, text: str, where: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    check_size(name, size, text, f"variation {where!r}")
    return size
