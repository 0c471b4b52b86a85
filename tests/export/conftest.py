"""Small networks and the files exported from them."""

import numpy as np
import pytest
from compiled import everything_at_once, further_at_once

from hepml.export import export_model
from hepml.features import FEATURE_NAMES
from hepml.geometry import PAPER
from hepml.models import InputSpec, Settings, build_model

THRESHOLDS = [
    {"signal_efficiency": 0.8, "threshold": 0.5, "pt": None, "eta": None},
    {"signal_efficiency": 0.9, "threshold": 0.25, "pt": None, "eta": None},
]


def spec(token):
    geometry = PAPER.to_dict()
    if token == "hl":
        low, high = [0.0] * 7, [1.0, 0.1, 1.0, 1.0, 3.0, 500.0, 500.0]
        offset, scale = (-np.linspace(0.1, 3, 7)).tolist(), np.linspace(0.5, 2, 7).tolist()
        return InputSpec("hl", (7,), FEATURE_NAMES, geometry, offset, scale, low, high)
    if token == "mass":
        return InputSpec("mass", (1,), ("mass",), geometry, [-2.0], [0.3], [0.0], [80.0])
    side = 31 if token in ("et", "ee") else 32
    return InputSpec(token, (side, side, 1), (), geometry, [0.0], [0.03], [0.0], [200.0])


@pytest.fixture(scope="session")
def make():
    """(model, input specs) of a small network of the published kind on these features."""

    def build(features="hl", seed=1):
        specs = [spec(token) for token in features.split("_and_")]
        model = build_model(specs, Settings(conv_blocks=2, filters=4, layers=2, units=8), seed=seed)
        return model, specs

    return build


@pytest.fixture(scope="session")
def network(make, tmp_path_factory):
    """The exported file of such a network."""
    folder = tmp_path_factory.mktemp("networks")

    def exported(features="hl"):
        path = folder / f"{features}.json"
        if not path.exists():
            model, specs = make(features)
            export_model(model, path, inputs=specs, features=features, thresholds=THRESHOLDS)
        return path

    return exported


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """The exported file of a network of everything that needs memory between calls."""
    path = tmp_path_factory.mktemp("source") / "net.json"
    export_model(everything_at_once(), path)
    return path


@pytest.fixture(scope="session")
def further(tmp_path_factory):
    """The same of the other kernels; its inputs and output have the same names."""
    path = tmp_path_factory.mktemp("further") / "net.json"
    export_model(further_at_once(), path)
    return path
