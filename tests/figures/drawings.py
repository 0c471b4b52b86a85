"""One small figure of every kind, from fixed toy data: what the tests of this folder look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hepml.guided import Guided, Step
from hepml.guided.results import Chosen
from hepml.metrics import Auc, Change, DecisionOrdering, Dependence, Systematic, make_events, score_dependence
from hepml.metrics.results import (
    BinnedEfficiency,
    Calibration,
    ClassRejection,
    Confusion,
    RatioCurve,
    Regression,
    RocCurve,
    ScoredEvents,
    WorkingPoint,
)
from hepml.plots import (
    FigureRecord,
    Style,
    calibration_curves,
    candidate_images,
    confusion_matrix,
    distribution,
    distributions,
    efficiency_profile,
    guided_distributions,
    guided_search,
    mean_images,
    residual_profile,
    roc_curves,
    score_distributions,
    sculpting,
    systematic_changes,
    training_curves,
    truth_classes,
    variable_dependence,
)


def curve(power: float, name: str, n: int = 4000) -> RocCurve:
    """background_efficiency = signal_efficiency**power, with Poisson bands and counts."""
    signal = np.linspace(0.01, 1.0, 100)
    background = signal**power
    count = n * background
    with np.errstate(divide="ignore"):
        band = 1 / background * (1 / np.sqrt(count))
    rejection = 1 / background
    area = 1 - 1 / (power + 1)
    lower, upper = np.maximum(rejection - band, 1.0), rejection + band
    return RocCurve(signal, background, 1 - signal, area, 0.0012, lower, upper, count, name)


def events(n: int, step: int) -> ScoredEvents:
    """Scores on a regular grid, signal high, background low; no random numbers."""
    grid = (np.arange(n) * step % n + 0.5) / n
    score = np.concatenate([1 - grid**2, grid**2])
    return ScoredEvents(score, np.repeat([1.0, 0.0], n), np.ones(2 * n))


def profile(quantity: str, level: float, name: str = "pt") -> BinnedEfficiency:
    edges = np.array([10.0, 15.0, 20.0, 30.0, 40.0, 60.0])
    value = level * np.array([0.93, 1.0, 1.04, 1.08, np.inf if quantity == "rejection" else 1.1])
    lower = np.where(np.isfinite(value), 0.95 * value, 0.8 * level)
    count = np.array([400, 300, 200, 100, 20])
    return BinnedEfficiency(
        name, edges, value, lower, 1.06 * value, quantity, count, count // 2, 0.8, 0.6, "GeV" if name == "pt" else ""
    )


def _point(efficiency: float, rejection: float, limit: bool = False) -> WorkingPoint:
    lower, upper = (rejection, np.inf) if limit else (0.85 * rejection, 1.25 * rejection)
    return WorkingPoint(efficiency, 0.5, rejection, lower, upper, 5 if limit else 60, limit)


def images(width: float, hcal: float) -> dict[str, np.ndarray]:
    """Three candidates: a peak of 10 GeV with an exponential halo, and a flat HCal."""
    row, column = np.mgrid[-15:16, -15:16]
    one = 10 * np.exp(-np.hypot(row / (1.5 * width), column / width))
    stack = np.stack([one, 0.5 * one, np.where(one > 0.05, one, 0)]).astype(np.float32)
    return {"et": stack[..., None], "ht": np.full((3, 32, 32, 1), hcal / 1024, np.float32)}


def variables(n: int = 600) -> tuple[dict[str, np.ndarray], np.ndarray]:
    grid = (np.arange(n) + 0.5) / n
    signal, background = grid**3, np.sqrt(grid)
    both = np.concatenate([signal, background])
    columns = {"r_had": 2 * both, "r_phi": 1 - 0.5 * both, "iso_03": 5 + 250 * both, "mass": 12 * both}
    return columns, np.repeat([1.0, 0.0], n)


def roc() -> FigureRecord:
    curves = [curve(power, name) for power, name in ((2.0, "mass"), (5.0, "hl"), (7.0, "et_and_ht"))]
    grid = np.linspace(0.5, 1, 11)
    paired = {"et_and_ht": RatioCurve(grid, grid**-2.0, 0.9 * grid**-2.0, 1.1 * grid**-2.0)}
    return roc_curves(curves, reference="hl", ratios=paired, published={"Published": [(0.7, 9.0), (0.9, 2.5)]})


def roc_page() -> FigureRecord:
    return roc_curves([curve(5.0, "hl")], style=Style(width=7.0, experiment="ATLAS", text="Simulation Internal"))


def scores() -> FigureRecord:
    names = ("Electrons", "Jets")
    return score_distributions(events(300, 7), events(900, 11), ks=(0.31, 0.0042), names=names, bins=20)


def history() -> FigureRecord:
    epoch = np.arange(40.0)
    rate = np.where(epoch < 20, 1e-3, 3e-4)
    validation = 0.3 + 0.3 * np.exp(-epoch / 6) + 0.0004 * np.maximum(epoch - 25, 0) ** 1.5
    loss = 0.22 + 0.4 * np.exp(-epoch / 8)
    return training_curves({"epoch": epoch, "loss": loss, "val_loss": validation, "learning_rate": rate})


def performance() -> FigureRecord:
    both = {
        name: [profile("signal_efficiency", 0.8 + shift), profile("rejection", 20 * (1 + 9 * shift))]
        for name, shift in (("hl", 0.0), ("et_and_ht_and_hl", 0.05))
    }
    return efficiency_profile(both)


def truth() -> FigureRecord:
    points = (_point(0.5, 60.0), _point(0.8, 22.0), _point(0.9, 11.0))
    few = (_point(0.5, 9.0, True), _point(0.8, 12.0), _point(0.9, 6.0))
    return truth_classes(
        [
            ClassRejection("hadron", 5000, points),
            ClassRejection("heavy_flavour", 90, few),
            ClassRejection("unknown", 0, ()),
        ]
    )


def _change(nominal: float, change: float, error: float) -> Change:
    varied = nominal + change if nominal > 0.3 else nominal / (1 + change)
    upper = np.inf if np.isinf(change) else change + error
    return Change(nominal, varied, change, 3.0 if np.isinf(change) else change - error, upper, 12, 7)


def varied() -> FigureRecord:
    sizes = {"scale=1.01": 0.002, "noise=0.1+threshold=0.15": -0.4, "pileup=a_file_with_a_very_long_name.root": -0.02}
    targets = (0.5, 0.8, 0.9)
    found = []
    for name, size in sizes.items():
        signal = tuple(_change(target, size * target, 0.001) for target in targets)
        gain = (np.inf, 20.0, 9.0) if size < -0.1 else (-size, -2 * size, size)
        background = tuple(_change(0.02 * target, one, 0.05) for target, one in zip(targets, gain, strict=True))
        counts = ("repeat", 4000, 4000, (3, 1), (0, 2))
        found.append(Systematic(name, True, *counts, targets, (0.9, 0.6, 0.3), signal, background, 0.001, 0.0003))
    return systematic_changes(found)


def _dependence(slope: float) -> Dependence:
    """A score that falls with the mass, by `slope`."""
    grid = (np.arange(2000) + 0.5) / 2000
    mass = np.concatenate([8 * grid, 3 * grid])
    scores = np.concatenate([grid * 1237 % 1.0 * np.exp(-slope * grid), 1 - 0.3 * grid])
    events = make_events(scores, np.repeat([0.0, 1.0], 2000))
    points = [(0.5, 0.85), (0.8, 0.76), (0.9, 0.73), (0.95, 0.715)]
    return score_dependence(events, mass, points, name="mass", unit="GeV")


def depends() -> FigureRecord:
    return variable_dependence(_dependence(1.5), names=("Electrons", "Jets"))


def depends_less() -> FigureRecord:
    return variable_dependence({"hl": _dependence(1.5), "hl_disco": _dependence(0.1)})


def sculpted() -> FigureRecord:
    return sculpting({"hl": _dependence(1.5), "hl_disco": _dependence(0.1)})


def confusion() -> FigureRecord:
    counts = np.array([[3733, 183], [759, 3043]])
    zero = np.zeros(2)
    result = Confusion(("background", "signal"), counts, counts.astype(float), zero, zero, zero, 0.88, 0.8464, 0.8)
    return confusion_matrix(result, names=("Jets", "Electrons"))


def calibration() -> FigureRecord:
    edges = np.linspace(0, 1, 11)
    middle = (edges[1:] + edges[:-1]) / 2
    count = np.array([2900, 400, 180, 140, 160, 160, 140, 230, 540, 2900])
    error = 0.5 / np.sqrt(count)
    fraction = middle**1.1
    result = Calibration(edges, middle, fraction, fraction - error, fraction + error, count, 0.0083, 0.07, 0.25)
    return calibration_curves(result)


def residuals() -> FigureRecord:
    target = np.linspace(10, 100, 10)
    return residual_profile(
        Regression(0.1, 0.02, 3.0, 0.1, 2.8, 2.2, 0.9, target, np.sin(target / 20), np.sqrt(target)),
        "energy",
        unit="GeV",
    )


def mean() -> FigureRecord:
    return mean_images(images(0.8, 0.1), images(2.5, 4.0), names=("Electrons", "Jets"))


def single() -> FigureRecord:
    return candidate_images(images(1.2, 2.0), titles=("First", "Second", "Third"))


def variable() -> FigureRecord:
    columns, y = variables()
    return distribution(columns["iso_03"], y, "iso_03", names=("Electrons", "Jets"))


def page() -> FigureRecord:
    columns, y = variables()
    return distributions(columns, y, names=("Electrons", "Jets"), bins=25, ranges={"r_had": (0.0, 1.5)})


def pair() -> FigureRecord:
    columns, y = variables()
    chosen = {name: columns[name] for name in ("iso_03", "mass")}
    return distributions(chosen, y, names=("Electrons", "Jets"), bins=25, ranges="data")


def alone() -> FigureRecord:
    columns, y = variables()
    return distributions({"mass": columns["mass"]}, y, bins=25, ranges="data")


def searched() -> Guided:
    """Five passes that come near the benchmark."""
    graphs = (("ecal", "1_0_0", 2, 0.5), ("ecal", "2_1_0", 1, 0.5), ("hcal", "2_7_0", 0, 2), ("ecal", "4_5_1", -1, 1))
    steps = []
    for number, auc in enumerate((0.9446, 0.9690, 0.9702, 0.9708, 0.9707)):
        calorimeter, graph, kappa, beta = graphs[number - 1] if number else (None, None, None, None)
        prefix = {"ecal": "et", "hcal": "ht"}.get(calorimeter or "")
        name = f"{prefix}_efp_{graph}_k_{kappa}_b_{beta}"
        there = (0.8, 0.6, 0.55, 0.52)[number - 1]
        steps.append(
            Step(
                number=number,
                chosen=Chosen(name, there + 0.01, 90_000, 0.02, 15_000) if number else None,
                calorimeter=calorimeter,
                graph=graph,
                edges=None,
                kappa=kappa,
                beta=beta,
                ordering=DecisionOrdering(1 - there, 0.012, there, 9_000, 9_000, 0.02, 900, 900) if number else None,
                efp_auc=Auc(0.88, 0.004) if number else None,
                network_ordering=DecisionOrdering(0.96 + 0.005 * number, 0.002, 0.96 + 0.005 * number, 9, 9, 1, 3, 3),
                auc=Auc(auc, 0.0012, (auc, auc + 0.0004, auc - 0.0003), auc, 0.0004),
                gap=Auc(0.9720 - auc, 0.0008),
                valid_auc=auc,
            )
        )
    about = {"start": "hl_and_mass", "kappa": None, "target": 0.972, "stopped": "after 4 passes"}
    sizes = {"n_signal": 900, "n_background": 900, "bootstrap": 50, "seeds": 3}
    return Guided(
        Path(), steps=tuple(steps), benchmark=Auc(0.9720, 0.0011), benchmark_valid_auc=0.972, **about, **sizes
    )


def guided() -> FigureRecord:
    """A guided search."""
    return guided_search(searched())


def guided_page() -> FigureRecord:
    """The polynomials that it chose."""
    grid = events(600, 7)
    values = np.stack([grid.score**power for power in (1, 2, 0.5, 3)], axis=1) * [1, 1e-5, 1, 1e7]
    return guided_distributions(searched(), values, grid.label)


DRAWINGS: dict[str, Callable[[], FigureRecord]] = {
    one.__name__: one
    for one in (
        roc,
        roc_page,
        scores,
        history,
        performance,
        truth,
        varied,
        depends,
        depends_less,
        sculpted,
        confusion,
        calibration,
        residuals,
        mean,
        single,
        variable,
        page,
        pair,
        alone,
        guided,
        guided_page,
    )
}
