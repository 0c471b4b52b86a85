"""How well methods separate and estimate, as TMVA's Factory counts it, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.output.classification import Answers, classification
from tmva_bridge.output.curves import roc_integral as area
from tmva_bridge.sample import Sample

__all__ = ["Scored", "classification_table", "multiclass_table", "regression_table", "roc_integral"]

Floats = NDArray[np.float64]

_BACKGROUNDS = (0.01, 0.10, 0.30)
_RULE = "-" * 79


@dataclass(frozen=True)
class Scored:
    """A method and its responses, (n,) or (n, outputs), float64, to the training and the test sample."""

    title: str
    train: Floats
    test: Floats


def _curve(response: Floats, signal: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Signal and background efficiency above each response, rising from 0 to 1."""
    order = np.argsort(-response, kind="stable")
    last = np.append(np.flatnonzero(np.diff(response[order])), len(response) - 1)
    out = []
    for mask in (signal, ~signal):
        total = np.cumsum(np.where(mask, weights, 0.0)[order])[last]
        if not total[-1] > 0:
            raise DataError("a class whose test weights do not add up to more than 0", found=total[-1])
        out.append(np.concatenate([[0.0], total / total[-1]]))
    return out[0], out[1]


def roc_integral(response: Floats, signal: NDArray[np.bool_], weights: Floats) -> float:
    """The area under background rejection over signal efficiency that TMVA prints: from its curve of 100 bins.

    Args:
        response: (n,), taken as float32, as TMVA keeps it.
        signal: (n,) whether an event is signal.
        weights: (n,).

    Example:
        >>> rng = np.random.default_rng(1)
        >>> signal = np.arange(2000) % 2 == 0
        >>> round(roc_integral(rng.normal(signal, 0.5), signal, np.ones(2000)), 2)
        0.92
    """
    answers = Answers(response.astype(np.float32).astype(np.float64), signal, weights)
    curve = next(one for name, one in classification("", answers, answers) if name.endswith("_effBvsS"))
    return area(curve.x.centres, curve.values)


def _efficiencies(response: Floats, sample: Sample) -> list[float]:
    above_signal, above_background = _curve(response, sample.classes == 0, sample.weights)
    return [float(np.interp(at, above_background, above_signal)) for at in _BACKGROUNDS]


def _widths(loader: str, methods: Sequence[Scored]) -> tuple[int, int]:
    return max(len(loader), 13), max(15, *(len(one.title) for one in methods))


def classification_table(loader: str, methods: Sequence[Scored], train: Sample, test: Sample) -> list[str]:
    """The lines of TMVA's ranking: the best method first, then signal efficiencies of test and training sample."""
    wide, long = _widths(loader, methods)
    areas = {one.title: roc_integral(one.test, test.classes == 0, test.weights) for one in methods}
    ranked = sorted(methods, key=lambda one: -areas[one.title])
    lines = [
        "Evaluation results ranked by best signal efficiency and purity (area)",
        _RULE,
        f"{'DataSet':<{wide}} MVA",
        f"{'Name:':<{wide}} {'Method:':<{long}}  ROC-integ",
        *(f"{loader:<{wide}} {one.title:<{long}}: {areas[one.title]:.3f}" for one in ranked),
        _RULE,
        "Testing efficiency compared to training efficiency (overtraining check)",
        _RULE,
        f"{'DataSet':<{wide}} {'MVA':<{long}}  Signal efficiency: from test sample (from training sample)",
        f"{'Name:':<{wide}} {'Method:':<{long}}  @B=0.01             @B=0.10             @B=0.30",
        _RULE,
    ]
    for one in ranked:
        pairs = zip(_efficiencies(one.test, test), _efficiencies(one.train, train), strict=True)
        cells = "       ".join(f"{a:.3f} ({b:.3f})" for a, b in pairs)
        lines.append(f"{loader:<{wide}} {one.title:<{long}}: {cells}")
    return [*lines, _RULE]


def multiclass_table(
    loader: str, methods: Sequence[Scored], train: Sample, test: Sample, classes: Sequence[str]
) -> list[str]:
    """The ROC integral of each class against all others, of the test and the training sample."""
    wide, long = _widths(loader, methods)
    lines = [
        "1-vs-rest performance metrics per class: ROC integral of test sample (of training sample)",
        _RULE,
        f"{'DataSet':<{wide}} {'MVA Method':<{long}} " + "".join(f"{name:<17}" for name in classes),
    ]
    for one in methods:
        cells = [
            f"{roc_integral(one.test[:, i], test.classes == i, test.weights):.3f}"
            f" ({roc_integral(one.train[:, i], train.classes == i, train.weights):.3f})"
            for i in range(len(classes))
        ]
        lines.append(f"{loader:<{wide}} {one.title:<{long}}:" + "".join(f"{cell:<17}" for cell in cells))
    return [*lines, _RULE]


def _deviations(response: Floats, target: Floats, weights: Floats) -> tuple[float, float, float, float]:
    """Mean and RMS of the deviation, of all events and of those within two RMS of the mean."""
    deviation = response - target
    out: list[float] = []
    keep = np.ones(len(deviation), dtype=bool)
    for _ in range(2):
        w, d = weights[keep], deviation[keep]
        mean = float(w @ d / w.sum())
        rms = float(np.sqrt(max(w @ (d - mean) ** 2 / w.sum(), 0.0)))
        out += [mean, rms]
        keep = np.abs(deviation - mean) <= 2 * rms
    return out[0], out[1], out[2], out[3]


def regression_table(
    loader: str, methods: Sequence[Scored], train: Sample, test: Sample, targets: Sequence[str]
) -> list[str]:
    """Bias and RMS of estimate minus target: of all events, and of those within two RMS (Bias_T, RMS_T); best first."""
    wide, long = _widths(loader, methods)
    lines = []
    for place, name in enumerate(targets):
        for kind, sample, side in (("test", test, "test"), ("training", train, "train")):
            rows = {}
            for one in methods:
                values = getattr(one, side).reshape(len(sample), -1)[:, place]
                rows[one.title] = _deviations(values, sample.targets[:, place].astype(np.float64), sample.weights)
            lines += [
                f"Evaluation results ranked by smallest RMS on {kind} sample: target {name}",
                '("Bias" quotes the mean deviation of the regression from true target.',
                ' "RMS_T" and "Bias_T" leave out events that deviate by more than two RMS.)',
                _RULE,
                f"{'DataSet':<{wide}} {'MVA Method':<{long}}:     Bias   Bias_T      RMS    RMS_T",
            ]
            for title, (bias, rms, bias_t, rms_t) in sorted(rows.items(), key=lambda row: row[1][1]):
                lines.append(f"{loader:<{wide}} {title:<{long}}: {bias:8.3g} {bias_t:8.3g} {rms:8.3g} {rms_t:8.3g}")
            lines.append(_RULE)
    return lines
