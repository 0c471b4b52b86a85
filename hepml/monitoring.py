"""Is what a network sees still what it was trained on: counts of a run against the ranges that its file holds.

Everything comes from counts in the file's bins, so that a trigger sends a few hundred numbers and no events, and counts
of many threads or processes add up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, SchemaError
from hepml.ledger import read_json

__all__ = ["Drift", "Limits", "Report", "compare", "merge_counts", "read_counts"]

Floats = NDArray[np.float64]
NOTICE = 0.1
_FLOOR = 1e-4  # of a fraction whose logarithm is taken
_NUMBERS = ("entries", "squares", "not_finite", "below", "above")


@dataclass(frozen=True)
class Limits:
    """How far a quantity may go before it is reported; None: any distance.

    Attributes:
        psi: population stability index. Its usual reading: below 0.1 no change, up to 0.25 some, above a large one
            (N. Siddiqi, Credit Risk Scorecards, Wiley 2006).
        ks: Kolmogorov-Smirnov distance.
        not_finite: fraction of values that are NaN or infinite, above that in training.
        outside: fraction of values outside of the range seen in training.
    """

    psi: float | None = 0.25
    ks: float | None = None
    not_finite: float | None = 0.01
    outside: float | None = 0.01


@dataclass(frozen=True)
class Drift:
    """One quantity of a run against training.

    Attributes:
        input, name: of the input, and of its variable or quantity.
        entries: values counted, as a sum of weights.
        n_effective: (sum w)^2 / sum w^2.
        not_finite, below, above: fractions of the entries.
        not_finite_training: the first of them in training.
        psi: sum over the training sample's tenths of (f - r) ln(f / r), f and r being the fractions in the run and in
            training, at least 1e-4; NaN without a finite value.
        psi_noise: what it stays below in 95 % of runs on the training distribution: the quantile of chi2 with one
            degree of freedom less than tenths, times 1/n + 1/m (B. Yurdakul and J. Naranjo, J. Risk Model Validation 14
            (2020) 4).
        ks: largest distance of the cumulative distributions at the edges of the bins; that of the values is not less.
        p_value: of that distance (Smirnov, Ann. Math. Stat. 19 (1948) 279); that of the values is not more.
        verdict: "ok", "notice" (a PSI between 0.1 and the limit), "few" (a PSI above that is within its noise),
            "empty" (no finite value), or "beyond".
        beyond: which limits it is beyond.
        edges: inner edges of the tenths, one less than these.
        fractions, training: in the tenths.
    """

    input: str
    name: str
    entries: float
    n_effective: float
    not_finite: float
    not_finite_training: float
    below: float
    above: float
    psi: float
    psi_noise: float
    ks: float
    p_value: float
    verdict: str
    beyond: tuple[str, ...]
    edges: tuple[float, ...] = field(repr=False)
    fractions: tuple[float, ...] = field(repr=False)
    training: tuple[float, ...] = field(repr=False)

    @property
    def full_name(self) -> str:
        """`input.name`."""
        return f"{self.input}.{self.name}"


@dataclass(frozen=True)
class Report:
    """All quantities of a run.

    Attributes:
        model_id: of the network.
        events: counted.
        events_training: of the training sample.
        limits: that were applied.
        quantities: in the order of the file.
    """

    model_id: str
    events: int
    events_training: int
    limits: Limits
    quantities: tuple[Drift, ...]

    @property
    def beyond(self) -> list[Drift]:
        """Those beyond a limit."""
        return [one for one in self.quantities if one.beyond]

    def worst(self, n: int) -> list[Drift]:
        """The n quantities that moved most, by PSI, those beyond a limit first."""
        return sorted(self.quantities, key=lambda one: (not one.beyond, -np.nan_to_num(one.psi, nan=np.inf)))[:n]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return {"format": "hepml-monitor", "format_version": 1, **asdict(self)}


def merge_counts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of several counts of one network: of threads, processes, or parts of a sample.

    Args:
        parts: of `Evaluator.count` or `read_counts`, at least one.

    Raises:
        DataError: none, or they are of different networks.
    """
    if not parts:
        raise DataError("no counts")
    first = parts[0]
    total: dict[str, Any] = {**first, "quantities": [dict(one) for one in first["quantities"]]}
    for part in parts[1:]:
        if part["model_id"] != first["model_id"] or _keys(part) != _keys(first):
            raise DataError("the counts are of different networks", expected=first["model_id"], found=part["model_id"])
        total["events"] += part["events"]
        for mine, other in zip(total["quantities"], part["quantities"], strict=True):
            for key in _NUMBERS:
                mine[key] += other[key]
            mine["bins"] = [a + b for a, b in zip(mine["bins"], other["bins"], strict=True)]
    return total


def _keys(counts: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    return [(one["input"], one["name"], len(one["bins"])) for one in counts["quantities"]]


def read_counts(path: str | Path) -> dict[str, Any]:
    """A file of counts, as `hepml::Monitor::to_json` writes it.

    Raises:
        InputFileError: absent or not JSON.
        SchemaError: JSON, but no counts.
    """
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != "hepml-counts" or found.get("format_version") != 1:
        raise SchemaError("not a file of counts", where=path, expected="what hepml::Monitor::to_json() gives")
    try:
        for one in found["quantities"]:
            numbers = [*one["bins"], *(one[key] for key in _NUMBERS)]
            if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
                raise ValueError(f"{one['input']}.{one['name']} holds what is no number")
        if not isinstance(found["events"], int) or not isinstance(found["model_id"], str):
            raise ValueError("events or model_id")
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError("a damaged file of counts", where=path, found=error) from error
    return found


def compare(
    ranges: Mapping[str, Any], counts: Mapping[str, Any], limits: Limits | None = None, *, model_id: str | None = None
) -> Report:
    """Compares the counts of a run with training.

    Args:
        ranges: `Evaluator.ranges`, or the `ranges` of a run.
        counts: of `Evaluator.count`, `read_counts` or `merge_counts`.
        limits: `Limits()` if None.
        model_id: of the network that the ranges are of; None does not compare it.

    Raises:
        DataError: the counts are of another network, or empty, or their weights add up to nothing.

    Example:
        >>> from hepml.ranges import measure_ranges
        >>> ranges = measure_ranges([{"x": np.arange(1000.0)[:, None]}], {"x": ["a"]})
        >>> same = {"input": "x", "name": "a", "entries": 1000, "squares": 1000, "not_finite": 0}
        >>> same |= {"below": 0, "above": 0, "bins": ranges["quantities"][0]["bins"]}
        >>> report = compare(ranges, {"model_id": "", "events": 1000, "quantities": [same]})
        >>> report.quantities[0].psi, report.quantities[0].verdict
        (0.0, 'ok')
    """
    limits = limits or Limits()
    known = [(one["input"], one.get("variable") or one["quantity"], len(one["bins"])) for one in ranges["quantities"]]
    if (model_id is not None and counts["model_id"] != model_id) or _keys(counts) != known:
        raise DataError(
            "the counts are of another network",
            expected=f"model {model_id or '?'}, " + ", ".join(f"{one}.{name}" for one, name, _ in known[:8]),
            found=f"model {counts['model_id']}, "
            + ", ".join(f"{one['input']}.{one['name']}" for one in counts["quantities"][:8]),
            fix="a network with another model id needs counts of its own",
        )
    if counts["events"] <= 0:
        raise DataError("no events were counted")
    if not any(one["entries"] or one["squares"] for one in counts["quantities"]):
        raise DataError("the weights add up to nothing", found=f"{counts['events']} events, all of weight 0")
    levels = np.asarray(ranges["levels"], dtype=np.float64)
    pairs = zip(ranges["quantities"], counts["quantities"], strict=True)
    quantities = tuple(_drift(one, found, levels, limits) for one, found in pairs)
    return Report(counts["model_id"], int(counts["events"]), int(ranges["events"]), limits, quantities)


def _drift(one: Mapping[str, Any], found: Mapping[str, Any], levels: Floats, limits: Limits) -> Drift:
    name = one.get("variable") or one["quantity"]
    entries, bins = float(found["entries"]), np.asarray(found["bins"], dtype=np.float64)
    reference = np.asarray(one["bins"], dtype=np.float64)
    quantiles = np.asarray(one["quantiles"], dtype=np.float64)
    finite = float(bins.sum())
    if found["squares"] > 0 and entries <= 0:
        raise DataError("the weights add up to nothing", where=f"{one['input']}.{name}", found=entries)
    whole = entries or 1.0  # of a sequence that never had a step
    missing, below, above = (float(found[key]) / whole for key in ("not_finite", "below", "above"))
    missing_training = one["not_finite"] / one["entries"]
    effective = entries**2 / found["squares"] if found["squares"] > 0 else 0.0
    psi = noise = distance = p_value = math.nan
    edges, tenths, training = _tenths(reference, reference, quantiles, levels)
    if finite > 0:
        edges, tenths, training = _tenths(bins, reference, quantiles, levels)
        psi = _psi(tenths, training)
        n, m = effective * finite / whole, float(reference.sum())
        noise = _noise(int(np.count_nonzero(training)), n, m)
        steps = np.cumsum(bins)[:-1] / finite - np.cumsum(reference)[:-1] / m
        ends = (float(found["below"]) / finite, float(found["above"]) / finite)
        distance = float(max(np.abs(steps).max(), *ends))
        p_value = _p_value(distance, n, m)
    else:
        tenths = np.zeros_like(training)
    tests = {
        "psi": (psi if psi > noise else 0.0, limits.psi),
        "ks": (distance, limits.ks),
        "not_finite": (missing - missing_training, limits.not_finite),
        "outside": (below + above, limits.outside),
    }
    beyond = tuple(key for key, (value, limit) in tests.items() if limit is not None and value > limit)
    verdict = "ok"
    if beyond:
        verdict = "beyond"
    elif not finite > 0:
        verdict = "empty"
    elif psi > NOTICE:
        verdict = "notice" if psi > noise else "few"
    numbers = (entries, effective, missing, missing_training, below, above, psi, noise, distance, p_value)
    lists = (tuple(part.tolist()) for part in (edges, tenths, training))
    return Drift(one["input"], name, *numbers, verdict, beyond, *lists)


def _tenths(bins: Floats, reference: Floats, quantiles: Floats, levels: Floats) -> tuple[Floats, Floats, Floats]:
    """Inner edges, and fractions in the run and in training; tenths that many equal values empty are left out.

    Where the levels are no tenths, the bins as they are.
    """
    inner = np.flatnonzero(np.abs(10 * levels - np.round(10 * levels)) < 1e-9)
    inner = inner if len(inner) else np.arange(len(levels))
    inner = inner[np.concatenate([[True], np.diff(quantiles[inner]) > 0])]  # bin k ends at quantile k
    starts = np.concatenate([[0], inner + 1])
    run, training = (np.add.reduceat(values, starts) / values.sum() for values in (bins, reference))
    return quantiles[inner], run, training


def _psi(run: Floats, training: Floats) -> float:
    f, r = np.maximum(run, _FLOOR), np.maximum(training, _FLOOR)
    return float(np.sum((f - r) * np.log(f / r)))


def _noise(n_bins: int, n: float, m: float) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, n_bins - 1) * (1 / n + 1 / m)) if n_bins > 1 else 0.0


def _p_value(distance: float, n: float, m: float) -> float:
    from scipy.special import kolmogorov

    return float(kolmogorov(distance * math.sqrt(n * m / (n + m))))
