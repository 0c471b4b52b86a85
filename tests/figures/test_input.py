"""Input that cannot be drawn is named, not drawn."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.metrics.results import Calibration, ClassRejection, Confusion, Regression, ScoredEvents
from hepml.plots import (
    calibration_curves,
    candidate_images,
    confusion_matrix,
    distribution,
    distributions,
    efficiency_profile,
    mean_image,
    mean_images,
    residual_profile,
    roc_curves,
    score_distributions,
    training_curves,
    truth_classes,
)
from hepml.plots.panels import binned

ONE = np.ones(3)
NONE = np.zeros(0)
SIGNAL_ONLY = ScoredEvents(ONE, ONE, ONE)
IMAGES = {"et": np.ones((2, 31, 31))}

CASES: dict[str, tuple[Callable[[], object], str]] = {
    "no curves": (lambda: roc_curves({}), "no curve to draw"),
    "unknown reference": (lambda: roc_curves({"hl": (ONE, ONE)}, reference="hI"), "no curve is named 'hI'"),
    "efficiency above one": (lambda: roc_curves({"hl": (2 * ONE, ONE)}), r"outside \[0, 1\]"),
    "lengths differ": (lambda: roc_curves({"hl": (ONE, np.ones(2))}), "two arrays of one length"),
    "empty axis": (lambda: roc_curves({"hl": (ONE, ONE)}, efficiencies=(0.9, 0.5)), "range of efficiencies"),
    "one class": (lambda: score_distributions(SIGNAL_ONLY), "signal and background are both needed"),
    "no scores": (lambda: score_distributions(ScoredEvents(NONE, NONE, NONE)), "no candidates"),
    "score nan": (
        lambda: score_distributions(ScoredEvents(np.array([np.nan, 1]), np.arange(2.0), np.ones(2))),
        "finite",
    ),
    "no epochs": (lambda: training_curves({"loss": NONE}), "no epochs"),
    "no loss": (lambda: training_curves({"accuracy": ONE}), "needs the column 'loss'"),
    "ragged history": (lambda: training_curves({"loss": ONE, "val_loss": np.ones(2)}), "different lengths"),
    "loss nan": (lambda: training_curves({"loss": np.nan * ONE}), "not finite"),
    "no profile": (lambda: efficiency_profile([]), "nothing to draw"),
    "no truth class": (lambda: truth_classes([ClassRejection("hadron", 0, ())]), "no truth class"),
    "empty truth": (
        lambda: confusion_matrix(Confusion(("b", "s"), np.zeros((2, 2), int), np.zeros((2, 2)), ONE, ONE, ONE, 0.0)),
        "no candidates of true class",
    ),
    "no bins": (
        lambda: calibration_curves(Calibration(NONE, NONE, NONE, NONE, NONE, NONE, 0, 0, 0)),
        "nothing to draw",
    ),
    "no targets": (lambda: residual_profile(Regression(0, 0, 1, 0, 1, 1, 0, NONE, NONE, NONE)), "nothing to draw"),
    "no images": (lambda: mean_image(np.zeros((0, 31, 31))), "no images"),
    "images nan": (lambda: mean_image(np.full((1, 31, 31), np.nan)), "not finite"),
    "flat images": (lambda: mean_image(np.ones((2, 961))), "not a stack of images"),
    "image weights": (lambda: mean_image(np.ones((2, 31, 31)), [1.0]), "as many weights"),
    "weights cancel": (lambda: mean_image(np.ones((2, 31, 31)), [1.0, -1.0]), "add up to nothing"),
    "other images": (lambda: mean_images(IMAGES, {"ht": np.ones((2, 32, 32))}), "the same images of both classes"),
    "wrong window": (lambda: mean_images({"et": np.ones((2, 30, 30))}, {"et": np.ones((2, 30, 30))}), "another shape"),
    "five candidates": (lambda: candidate_images({"et": np.ones((5, 31, 31))}), "one to four candidates"),
    "empty variable": (lambda: distribution(NONE, NONE, "r_had"), "r_had is empty"),
    "one class variable": (lambda: distribution(ONE, ONE, "r_had"), "signal and background are both needed"),
    "variable nan": (lambda: distribution([np.nan, 1.0], [0, 1], "r_had"), "not finite"),
    "labels": (lambda: distribution(ONE, [0, 1], "r_had"), "as many labels"),
    "no variables": (lambda: distributions({}, ONE), "no variable"),
    "misspelt range": (lambda: distributions({"r_had": ONE}, ONE, ranges={"rhad": (0, 1)}), "a range for 'rhad'"),
    "no weight": (lambda: binned(ONE, np.zeros(3), [0.0, 1.0]), "add up to nothing"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_impossible_input_is_refused(case: str) -> None:
    call, problem = CASES[case]
    with pytest.raises(DataError, match=problem):
        call()


def test_two_working_points_are_not_drawn_as_one(toy: ModuleType) -> None:
    from dataclasses import replace

    one = toy.profile("signal_efficiency", 0.8)
    with pytest.raises(DataError, match="several working points"):
        efficiency_profile([one, replace(one, signal_efficiency=0.9, threshold=0.3)])


def test_one_candidate_of_each_class_is_enough() -> None:
    distribution([0.5, 0.6], [1, 0], "r_phi").render("png")
    score_distributions(ScoredEvents(np.array([0.1, 0.9]), np.array([0.0, 1.0]), np.ones(2))).render("png")
    mean_images({"et": np.zeros((1, 31, 31))}, {"et": np.zeros((1, 31, 31))}).render("png")
    training_curves({"loss": [0.5]}).render("png")


def test_scores_outside_the_unit_interval_are_drawn() -> None:
    score = np.array([-7.0, -1.0, 2.0, 12.0])
    record = score_distributions(ScoredEvents(score, np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4)))
    low, high = record.axes["main"].get_xlim()
    assert low < -7
    assert high > 12
