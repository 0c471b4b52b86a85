"""Response, efficiency and rejection of a classifier on both samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.output.curves import Cut, Line, background_efficiencies, passing
from tmva_bridge.output.histograms import Axis, Histogram, histogram, scaled, unit_area

__all__ = ["Answers", "classification"]

Values = NDArray[np.float64]
_BINS, _FINE, _CURVE, _RMS, _MARGIN = 40, 10_000, 100, 10.0, 0.00001
_SIDES = ("S", "B")
_NAMES = ("signal", "background")


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a sample.

    Attributes:
        response: (n,).
        signal: (n,) bool.
        weights: (n,), values of float32.
        probability, rarity: (n,), where the weight file has densities.
    """

    response: Values
    signal: NDArray[np.bool_]
    weights: Values
    probability: Values | None = None
    rarity: Values | None = None

    @property
    def sides(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return self.signal, ~self.signal


def classification(title: str, train: Answers, test: Answers) -> Iterator[tuple[str, Histogram]]:
    """Names and histograms, in TMVA's order."""
    name = f"MVA_{title}"
    low, high, above = _range(test)
    axis = Axis(_BINS, low, high + _MARGIN)
    fine = Axis(_FINE, low, high + _MARGIN)

    def both(ending: str, on: Axis, answers: Answers, values: Values) -> Iterator[tuple[str, Histogram]]:
        for side, chosen in zip(_SIDES, answers.sides, strict=True):
            full = f"{name}{ending.format(side)}"
            yield full, unit_area(histogram("TH1D", full, on, values[chosen], answers.weights[chosen], errors=True))

    yield from both("_{}", axis, test, test.response)
    for ending, values in (("_Proba_{}", test.probability), ("_Rarity_{}", test.rarity)):
        if values is not None:
            yield from both(ending, Axis(_BINS, 0, 1), test, values)
    yield from both("_{}_high", fine, test, test.response)
    efficiencies = [_efficiency(fine, test, chosen, above) for chosen in test.sides]
    for side, said, one in zip(_SIDES, _NAMES, efficiencies, strict=True):
        yield f"{name}_eff{side}", replace(one, title=f"{name} ({said})")
    wanted = Line(efficiencies[0].x.centres, efficiencies[0].values)
    curve = _curve(wanted, efficiencies[1], low, high, above)
    y_titles = ("Backgr eff", "Backgr rejection (1-eff)", "Inverse backgr. eff (1/eff)")
    for ending, y_title, made in zip(("effBvsS", "rejBvsS", "invBeffvsSeff"), y_titles, _three(curve), strict=True):
        x = replace(made.x, title="Signal eff")
        yield f"{name}_{ending}", replace(made, title=name, x=x, y_title=y_title)
    yield from both("_Train_{}", axis, train, train.response)
    efficiencies = [_efficiency(fine, train, chosen, above) for chosen in train.sides]
    for side, said, one in zip(_SIDES, _NAMES, efficiencies, strict=True):
        yield f"{name}_trainingEff{side}", replace(one, title=f"{name} ({said})")
    # TMVA looks the cut up in the signal efficiency of the test sample here too
    curve = _curve(wanted, efficiencies[1], low, high, above)
    for ending, made in zip(("trainingEffBvsS", "trainingRejBvsS"), _three(curve), strict=False):
        yield f"{name}_{ending}", replace(made, title=name)


def _range(answers: Answers) -> tuple[float, float, bool]:
    """Of the responses, without what lies far out; and whether signal has the larger ones."""
    values = answers.response
    if not len(values):
        return 0.0, 1.0, True
    means, widths = [], []
    for chosen in answers.sides:
        some = values[chosen]
        means.append(float(some.mean()) if len(some) else 0.0)
        widths.append(float(some.std()) if len(some) else 0.0)
    least = min(mean - _RMS * width for mean, width in zip(means, widths, strict=True))
    most = max(mean + _RMS * width for mean, width in zip(means, widths, strict=True))
    return max(least, float(values.min())), min(most, float(values.max())), means[0] > means[1]


def _efficiency(axis: Axis, answers: Answers, chosen: NDArray[np.bool_], above: bool) -> Histogram:
    counts = passing(answers.response[chosen], answers.weights[chosen], axis.low, axis.high, axis.bins, above)
    made = Histogram("TH1D", "", axis, np.concatenate([[0.0], counts, [0.0]]))
    return scaled(made, 1 / max(1.0, float(counts.max(initial=0))))


def _curve(signal: Line, background: Histogram, low: float, high: float, above: bool) -> Values:
    """The efficiency of background at the centres of the bins of that of signal."""
    line = Line(background.x.centres, background.values)
    return background_efficiencies(Axis(_CURVE, 0, 1).centres, Cut(signal, low, high, above), line)


def _three(curve: Values) -> list[Histogram]:
    """Background's efficiency, rejection and inverse efficiency."""
    some = curve > np.finfo(np.float64).eps
    inverse = np.where(some, 1 / np.where(some, curve, 1), 0)
    rows = ((curve, len(curve)), (1 - curve, len(curve)), (inverse, int(some.sum())))
    return [
        Histogram("TH1D", "", Axis(_CURVE, 0, 1), np.concatenate([[0.0], values, [0.0]]), entries=float(entries))
        for values, entries in rows
    ]
