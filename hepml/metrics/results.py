"""What an evaluation says: plain records of numbers, filled by the functions of this package, drawn by hepml.plots.

Every record is frozen, holds NumPy arrays or Python numbers, and becomes JSON through `to_json` (arrays to lists,
infinities and nan to null). Efficiencies are fractions; rejection = 1/background_efficiency, inf where no background
is left. An interval is central at `CONFIDENCE` (68.27 %, one standard deviation) unless a record says otherwise.
A candidate passes a cut if score >= threshold.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CONFIDENCE",
    "Auc",
    "BinnedEfficiency",
    "Calibration",
    "ClassRejection",
    "Comparison",
    "Confusion",
    "Gap",
    "MultiClass",
    "Overtraining",
    "RatioCurve",
    "Regression",
    "RejectionRatio",
    "RocCurve",
    "ScoredEvents",
    "Threshold",
    "WorkingPoint",
    "to_json",
]

CONFIDENCE = math.erf(1 / math.sqrt(2))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredEvents:
    """Candidates with a score: what every metric is computed from.

    Args:
        score: shape (n,), float64; larger is more signal-like.
        label: shape (n,), 1 signal, 0 background (class index or target for the other tasks).
        weight: shape (n,), event weights, may be negative.
        group: shape (n,) or None; candidates of one group are resampled together.
    """

    score: Floats
    label: Floats
    weight: Floats
    group: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.score)

    def of(self, label: int) -> tuple[Floats, Floats]:
        """Scores and weights of one class."""
        chosen = self.label == label
        return self.score[chosen], self.weight[chosen]

    def take(self, chosen: NDArray[Any]) -> ScoredEvents:
        """The candidates that a mask or an index array chooses."""
        group = None if self.group is None else self.group[chosen]
        return ScoredEvents(self.score[chosen], self.label[chosen], self.weight[chosen], group)


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve, its statistical error (DeLong) and the spread over training seeds."""

    value: float
    error: float
    seeds: tuple[float, ...] = ()
    mean: float | None = None
    spread: float | None = None  # sample standard deviation over the seeds; None for one seed


@dataclass(frozen=True)
class RocCurve:
    """Background efficiency against signal efficiency; arrays of one length, from the tightest cut to the loosest.

    `lower` and `upper` are the band of the *rejection* at each point (None where no bootstrap was made); a point with
    fewer than ten background events has `n_background` < 10 and is better not drawn.
    """

    signal_efficiency: Floats
    background_efficiency: Floats
    thresholds: Floats
    auc: float
    auc_error: float
    lower: Floats | None = None
    upper: Floats | None = None
    n_background: Floats | None = None  # background events that pass, unweighted
    name: str = ""

    @property
    def rejection(self) -> Floats:
        """1/background_efficiency, inf where no background passes; shape of the curve."""
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.maximum(self.background_efficiency, 0.0), dtype=np.float64)


@dataclass(frozen=True)
class WorkingPoint:
    """Rejection at a signal efficiency.

    With `limit` (fewer than ten background events pass), `rejection` = `lower` is a 95 % lower limit and `upper` inf.
    """

    signal_efficiency: float
    threshold: float
    rejection: float
    lower: float
    upper: float
    n_background: int  # background events that pass, unweighted
    limit: bool = False
    n_effective: float | None = None  # of the background that passes: (sum w)^2 / sum w^2; None if unweighted
    seeds: tuple[float, ...] = ()  # the same rejection for every training seed, if several were run
    spread: float | None = None  # its sample standard deviation

    def describe(self) -> str:
        """The rejection with its interval as text.

        Example:
            >>> WorkingPoint(0.8, 0.5, 30.0, 28.5, 31.9, 120).describe()
            '30.0 (+1.9 -1.5)'
            >>> WorkingPoint(0.5, 0.9, 250.0, 250.0, float("inf"), 2, limit=True).describe()
            '> 250 (95 %, 2 events)'
        """
        if self.limit:
            return f"> {self.rejection:.{1 if self.rejection < 100 else 0}f} (95 %, {self.n_background} events)"
        up, down = self.upper - self.rejection, self.rejection - self.lower
        step = max(min(up, down), 1e-2)
        digits = min(2, max(0, 1 - math.floor(math.log10(step))))
        return f"{self.rejection:.{digits}f} (+{up:.{digits}f} -{down:.{digits}f})"


@dataclass(frozen=True)
class ClassRejection:
    """Rejection of one truth class of the background at the common thresholds."""

    name: str
    count: int
    points: tuple[WorkingPoint, ...]


@dataclass(frozen=True)
class BinnedEfficiency:
    """An efficiency (or a rejection) in bins of a variable at one fixed threshold.

    `quantity` is "signal_efficiency" or "rejection"; `value`, `lower`, `upper`, `count` have one entry a bin: nan in
    an empty bin; `count` is the number of candidates of the class in the bin, `passing` those above the threshold.
    """

    name: str
    edges: Floats
    value: Floats
    lower: Floats
    upper: Floats
    quantity: str = "signal_efficiency"
    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    passing: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    signal_efficiency: float = math.nan  # of the global working point
    threshold: float = math.nan
    unit: str = ""


@dataclass(frozen=True)
class Calibration:
    """Reliability curve: observed signal fraction against the mean score, one entry a non-empty bin."""

    edges: Floats
    score: Floats
    fraction: Floats
    lower: Floats
    upper: Floats
    count: NDArray[np.int64]
    ece: float  # expected calibration error: weighted mean |fraction - score|
    brier: float  # mean (score - label)^2
    brier_reference: float  # the same for a constant score, the signal fraction


@dataclass(frozen=True)
class Confusion:
    """Counts and sums of weights, rows = true class, columns = decision; class order of `labels`.

    precision, recall and f1 are one entry a class; for two classes the signal is `labels[1]`.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    matrix: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    accuracy: float
    threshold: float | None = None
    signal_efficiency: float | None = None


@dataclass(frozen=True)
class Gap:
    """Train minus test of one number, with its interval: overtraining is a gap, not a p-value."""

    name: str
    train: float
    test: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Overtraining:
    """Gaps of AUC and rejection; the unbinned two-sample KS p-values are shown, not judged."""

    auc: Gap
    rejection: tuple[Gap, ...]
    ks_signal: float
    ks_background: float
    paired: bool  # True for folds: the same candidates scored in-fold and out-of-fold


@dataclass(frozen=True)
class Threshold:
    """A cut: score >= threshold for a target signal efficiency, in a (pt, eta) bin or everywhere (None)."""

    signal_efficiency: float
    threshold: float
    pt: tuple[float, float] | None = None
    eta: tuple[float, float] | None = None


@dataclass(frozen=True)
class RejectionRatio:
    """Rejection of `first` over that of `second` at one signal efficiency, from a paired bootstrap."""

    signal_efficiency: float
    ratio: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RatioCurve:
    """Rejection of `first` over `second` on a grid of signal efficiencies, with the paired band."""

    signal_efficiency: Floats
    ratio: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Comparison:
    """Two models on the same candidates: AUC difference (first minus second, paired DeLong), rejection ratios.

    `seeds_difference` is that of the means over training seeds, `seeds_error` what the seeds' scatter makes of it:
    the part of the error that DeLong's, which holds for fixed networks, does not contain. None for one seed each.
    """

    first: str
    second: str
    auc_difference: float
    auc_error: float
    correlation: float
    p_value: float
    rejections: tuple[RejectionRatio, ...]
    curve: RatioCurve | None = None
    n: int = 0
    seeds_difference: float | None = None
    seeds_error: float | None = None


@dataclass(frozen=True)
class MultiClass:
    """Metrics of a classifier with more than two classes."""

    accuracy: float
    accuracy_lower: float
    accuracy_upper: float
    confusion: Confusion
    auc: dict[str, Auc]  # one against the rest, by class


@dataclass(frozen=True)
class Regression:
    """Metrics of a regression; residual = prediction minus target."""

    bias: float
    bias_error: float
    resolution: float  # standard deviation of the residual
    resolution_error: float
    width68: float  # half of the central 68.27 % interval of the residual
    mean_absolute_error: float
    r2: float
    target: Floats  # bin centres of the profile
    profile_bias: Floats
    profile_resolution: Floats


def to_json(value: Any) -> Any:
    """A record, array or container as JSON types; infinities and nan become None.

    Example:
        >>> to_json(RejectionRatio(0.8, 1.5, 1.4, float("inf")))
        {'signal_efficiency': 0.8, 'ratio': 1.5, 'lower': 1.4, 'upper': None}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
