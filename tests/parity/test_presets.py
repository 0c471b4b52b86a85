"""The seven published networks with random weights, on raw inputs like those of training."""

import json

import numpy as np
import pytest

import hepml
from hepml.export import export_model, validate
from hepml.export.reference import keras_logits, keras_outputs, random_events
from hepml.models import PRESETS, InputSpec, build_model

FLAT = {"hl": 7, "mass": 1}
SIDES = {"et": 31, "ht": 32}


def specs(name):
    made = []
    for token in name.split("_and_"):
        if token in FLAT:
            n = FLAT[token]
            variables = tuple(f"{token}_{k}" for k in range(n))
            offset, scale = (-np.linspace(0.1, 3, n)).tolist(), np.linspace(0.5, 20, n).tolist()
            made.append(InputSpec(token, (n,), variables, offset=offset, scale=scale))
        else:
            side = SIDES[token]
            made.append(InputSpec(token, (side, side, 1), offset=[0.0], scale=[0.02], minimum=[0.0], maximum=[300.0]))
    return made


@pytest.mark.parametrize("name", PRESETS)
def test_preset(name, tmp_path, slow_network):
    inputs = specs(name)
    model = build_model(inputs, PRESETS[name].settings, seed=3)
    generator = np.random.default_rng(0)
    for layer in model.layers:  # biases begin at zero: give them values
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, generator.normal(0, 0.1, bias.shape).astype(np.float32)])
    path = tmp_path / "net.json"
    written = export_model(model, path, inputs=inputs)
    assert written.parameters == PRESETS[name].parameters == model.count_params()
    assert written.differences.outputs <= 1e-6
    assert written.differences.logits is not None
    assert written.differences.logits <= 2e-5
    document = json.loads(path.read_text())
    validate(document)
    names = [record["name"] for record in document["inputs"]]
    assert sorted(names) == sorted(name.split("_and_"))

    evaluator = hepml.Evaluator(path)
    from hepml.export.inputs import describe_inputs

    events = random_events(describe_inputs(model, inputs), 40, seed=7)
    given = dict(zip(names, events, strict=True))
    (right,) = keras_outputs(model, events)
    logits = keras_logits(model, events)
    assert np.abs(evaluator(given)["output"] - right).max() <= 1e-6
    assert (np.abs(evaluator(given, logits=True)["output"] - logits) <= 2e-5 * np.maximum(1, np.abs(logits))).all()
    few = {key: array[:1] for key, array in given.items()}
    assert np.abs(slow_network.evaluate(document, few)["output"] - right[:1]).max() <= 1e-6
