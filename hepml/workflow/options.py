"""Options of the steps with the values that they have where the file gives none; those of the commands, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepml.errors import SchemaError, nearest

__all__ = ["APPLY", "EVALUATION", "EXPORT", "INPUT", "SELECTION", "STUDY", "TRAIN", "WORK", "check_export", "given"]

SELECTION: dict[str, Any] = {"which": "leading", "collection": "electron", "overlap": "share"}
SELECTION |= dict.fromkeys(("convention", "preselection", "max_eta", "min_pt", "max_towers"))
INPUT: dict[str, Any] = {"dense": False, "skip_bad": False, "dedup": False, "not_finite": "drop"}
TRAIN: dict[str, Any] = {"folds": 0, "seeds": 1, "seed": 0}
EVALUATION: dict[str, Any] = {"bootstrap": 1000, "seed": 0, "working_point": 0.8}
STUDY: dict[str, Any] = {"selection": None, "reweight": False, "vary": [], "candidates": "repeat"}
EXPORT: dict[str, Any] = dict.fromkeys(("fold", "seed", "namespace", "max_steps", "lwtnn", "validity", "precision"))
EXPORT |= {"tolerance": None, "folds": False}
APPLY: dict[str, Any] = {"which": "leading", "overlap": "refuse", "skip_bad": False}
APPLY |= dict.fromkeys(("collection", "threshold", "signal_efficiency"))
# how a step is made, not what it gives: no part of what makes it stale
WORK = ("jobs", "scheduler", "timeout", "step_size")

# keys of an entry of export -> those that do not go with them
_APART = {
    "best_of": ("model", "fold", "seed"),
    "folds": ("fold", "source", "namespace", "max_steps", "onnx", "correctionlib", "lwtnn", "precision", "tolerance"),
    "precision": ("source", "namespace", "max_steps", "onnx", "correctionlib", "lwtnn"),
}
_WITH = {"namespace": "source", "max_steps": "source", "tolerance": "precision"}


def given(item: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what an entry says of them."""
    return {key: item.get(key, value) for key, value in options.items()}


def check_export(item: Mapping[str, Any]) -> None:
    """Refuses what `hepml export` refuses, before anything is trained."""
    for key, others in _APART.items():
        both = [other for other in others if other in item and item[other] is not False]
        if item.get(key) and both:
            raise SchemaError(f"{key} and {both[0]} are both given", fix=f"leave out {' and '.join(both)}")
    for key, other in _WITH.items():
        if key in item and not item.get(other):
            raise SchemaError(f"{key} is for {other}", expected=f"{other} beside it", nearest=nearest(other, item))
