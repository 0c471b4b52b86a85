"""FDA: a formula of parameters and variables, parsed by `tmva_bridge.formula`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.formula import parse_formula
from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond, softmax
from tmva_bridge.xmlfile import Element

__all__ = ["read"]


def read(weights: Element, header: Header) -> Respond:
    """Reads `Formula`, with (i) for parameters and xj for variables, and `Parameter Index Value`."""
    parameters, outputs = weights.whole("NPars", 0, 100_000), weights.whole("NDim", 1, 100_000)
    if outputs != header.outputs:
        weights.wrong("another number of outputs", expected=f"NDim={header.outputs}", found=f"NDim={outputs}")
    values = np.full(parameters * outputs, np.nan)
    for item in weights.every("Parameter"):
        values[item.whole("Index", 0, len(values))] = item.real("Value")
    if np.isnan(values).any():
        weights.wrong("parameters are missing", expected=len(values), found=int(np.isfinite(values).sum()))
    text = weights.get("Formula", header.options.get("Formula"))
    try:
        formula = parse_formula(text, parameters, len(header.variables))
    except DataError as error:
        weights.wrong(
            f"the formula cannot be read: {error.problem}",
            expected=error.parts.get("expected", "TFormula's operators and functions"),
            found=error.parts.get("where", text),
            fix=error.parts.get("fix", "write it with what docs/tmva.md lists"),
        )
    table = values.reshape(outputs, parameters)

    def respond(events: Events) -> NDArray[np.float64]:
        x = events.transformed().astype(np.float64)
        out = np.stack([formula(x, row) for row in table], axis=1)
        if header.analysis == "Multiclass":
            return softmax(out)
        return out if header.analysis == "Regression" else out[:, 0]

    return respond
