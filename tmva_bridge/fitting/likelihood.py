"""Likelihood: a histogram of each variable for each class, in the variables of that class's transformation."""

from __future__ import annotations

import numpy as np

from hepml.errors import DataError
from tmva_bridge.declared import COMMON
from tmva_bridge.fitting.densities import density_options, histogram, recipe
from tmva_bridge.fitting.training import Outcome, Task, Training
from tmva_bridge.options import Array, Choice, Declared, Scalar
from tmva_bridge.writing.densities import Density, density
from tmva_bridge.writing.markup import Tag

__all__ = ["LIKELIHOOD"]

_KINDS = (("Sig", "sig"), ("Bkg", "bgd"))
_INSIDE = 1e-10  # the largest value goes into the last bin
_UNSET = -1


def _fit(task: Task) -> Outcome:
    classes, weights = task.sample.classes, task.sample.weights
    values = [task.values(which) for which in (0, 1)]
    low = np.minimum(*(one.min(axis=0) for one in values))
    high = np.maximum(*(one.max(axis=0) for one in values))
    fewest = int(min((classes == 0).sum(), (classes == 1).sum()))
    inside = []
    for i, variable in enumerate(task.setup.variables):
        for which, (word, short) in enumerate(_KINDS):
            how = recipe(_of_variable(task.options, word, i))
            x, begin, end, bins = values[which][:, i], float(low[i]), float(high[i]), how.count(fewest)
            if variable.kind == "I":
                begin, end = float(np.rint(low[i])), float(np.rint(high[i] + 1))
                bins = int(end - begin)
            if not begin < end:
                raise DataError("a constant variable has no density", where=variable.label, expected="different values")
            mask = classes == which
            x = np.where(x >= end, end - _INSIDE, x)
            edges, contents = histogram(x[mask], weights[mask], bins, begin, end)
            if not contents.sum() > 0:
                raise DataError(
                    "a density whose weights do not add up to more than 0",
                    where=f"{variable.label}, {task.setup.classes[which]}",
                    expected="a positive sum",
                    found=float(contents.sum()),
                )
            one = Density(
                f"{task.title} PDF {word}[{i}]",
                f"{variable.internal}_{short}_original",
                contents,
                edges,
                how.interpolation,
                how.smoothing,
                how.kernel,
            )
            inside.append(Tag("PDFDescriptor", {"VarIndex": i, "ClassIndex": which}, [density(one)]))
    return Outcome(Tag("Weights", {"NVariables": len(task.setup.variables), "NClasses": 2}, inside))


def _of_variable(options: dict[str, Scalar | Array], word: str, index: int) -> dict[str, Scalar | Array]:
    """The options of one density: those of its variable where they are set, else the common ones."""
    out: dict[str, Scalar | Array] = {}
    for name in density_options(""):
        own = options.get(name + word, _UNSET)
        value = own[index] if isinstance(own, tuple) else own
        out[name] = options[name] if value in (_UNSET, "") else value
    return out


def _unset(default: Declared) -> Declared:
    """The default of an option of one variable and class: unset, it is as the common one."""
    if isinstance(default, Choice):
        return ("",)
    return (float(_UNSET),) if isinstance(default, float) else (_UNSET,)


_COMMON = density_options("")
_OWN = {name + word: _unset(_COMMON[name]) for name in _COMMON if name != "CheckHist" for word, _ in _KINDS}
LIKELIHOOD = Training(
    "Likelihood",
    {**COMMON, "TransformOutput": False, **_COMMON, **_OWN},
    _fit,
    unwritten=frozenset([*_COMMON, *_OWN]),
)
