"""What `hepml export --precision` does and says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepml.cli.inputs import labelled_batches, polynomials_of
from hepml.evaluator import Evaluator

if TYPE_CHECKING:
    from hepml.export.precision import Reduced

__all__ = ["describe", "reduce_to", "table"]


def reduce_to(path: Path, output: Path, precision: str, data: Path, *, tolerance: float, overwrite: bool) -> Reduced:
    """Rounds the weights of a network file, with decisions compared on a data.h5 or an npz."""
    from hepml.export.precision import reduce_weights

    network = Evaluator(path, verify=False)
    convention, efp = network.metadata.get("convention"), polynomials_of(network)
    return reduce_weights(
        path,
        output,
        precision,
        lambda names: labelled_batches(data, names, convention, efp),
        tolerance=tolerance,
        overwrite=overwrite,
    )


def describe(reduced: Reduced) -> dict[str, Any]:
    """For machines; a rejection is null where no background passes."""
    finite = [[None if value == float("inf") else value for value in one.rejection] for one in reduced.changes]
    return {
        "weights": reduced.precision,
        "rounded": reduced.rounded,
        "float32": reduced.kept,
        "events": reduced.events,
        "max_score_difference": reduced.difference,
        "working_points": [
            {**one.__dict__, "rejection": rejection} for one, rejection in zip(reduced.changes, finite, strict=True)
        ],
    }


def table(reduced: Reduced) -> str:
    """For people."""
    lines = [
        f"{reduced.rounded} weights in {reduced.precision}, {reduced.kept} in float32; "
        f"on {reduced.events} events scores differ by at most {reduced.difference:.1e}",
        "signal efficiency   rejection before    after   change   efficiency at the threshold before"
        "   flipped signal   background",
    ]
    for one in reduced.changes:
        before, after = one.rejection
        change = f"{after / before - 1:+.2%}" if before != float("inf") else "-"
        lines.append(
            f"{one.signal_efficiency:17.0%}   {before:16.2f} {after:8.2f} {change:>8}   {one.efficiency[1]:34.2%}"
            f"   {one.flipped[0]:14.3%}   {one.flipped[1]:10.3%}"
        )
    return "\n".join(lines)
