"""Keras = C++ = slow NumPy: the comparison that every layer goes through."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest


def _slow_network():
    specification = importlib.util.spec_from_file_location("slow_network", Path(__file__).with_name("slow_network.py"))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def randomise(model, seed):
    """Weights that a training could give: none zero, no bias left out, outputs of order one."""
    generator = np.random.default_rng(seed)
    for layer in model._flatten_layers(include_self=False, recursive=True):
        values = []
        for weight in layer.weights:
            if weight.dtype != "float32":
                values.append(weight.numpy())
                continue
            shape = tuple(weight.shape)
            fan_in = max(int(np.prod(shape[:-1])), 1)
            value = generator.normal(0, 1 / np.sqrt(fan_in) if len(shape) > 1 else 0.3, shape)
            if weight.name in ("moving_variance", "variance", "gamma"):
                value = 0.5 + generator.random(shape)
            values.append(value.astype(np.float32))
        if values:
            layer.set_weights(values)
    return model


def _random(generator, tensor, n, steps):
    """Raw values for an input; whole numbers from 0 to 5 where it takes such."""
    shape = (n, *(steps if size is None else size for size in tensor.shape[1:]))
    if "int" in tensor.dtype:
        return generator.integers(0, 6, shape).astype(np.float32)
    return generator.normal(0, 1, shape).astype(np.float32)


@pytest.fixture(scope="session")
def slow_network():
    return _slow_network()


@pytest.fixture
def parity(tmp_path, slow_network):
    """Exports a model and compares the three on random events; gives the document."""
    import hepml
    from hepml.export import export_model, validate
    from hepml.export.graph import input_name
    from hepml.export.reference import in_float64, keras_outputs

    def compare(model, *, n=5, seed=0, weights=True, slow=True, tolerance=2e-6, steps=9):
        if weights:
            randomise(model, seed)
        path = tmp_path / f"net{len(list(tmp_path.iterdir()))}.json"
        export_model(model, path)
        document = json.loads(path.read_text())
        validate(document)
        evaluator = hepml.Evaluator(path)
        generator = np.random.default_rng(seed + 1)
        for size in (1, n):
            arrays = [_random(generator, tensor, size, steps) for tensor in model.inputs]
            inputs = dict(zip(map(input_name, model.inputs), arrays, strict=True))
            found = evaluator(inputs)
            third = slow_network.evaluate(document, inputs) if slow else found
            third = {name: array.reshape(found[name].shape) for name, array in third.items()}
            exact = None
            for k, (name, given) in enumerate(zip(document["outputs"], keras_outputs(model, arrays), strict=True)):
                right = given
                limit = tolerance * max(1.0, float(np.abs(right).max()))
                assert found[name].dtype == np.float32
                assert found[name].shape == right.shape
                if not np.abs(third[name] - right).max(initial=0.0) <= limit:  # rounding of float32 Keras
                    exact = exact or keras_outputs(in_float64(model), arrays)
                    right = exact[k]
                assert np.abs(third[name] - right).max(initial=0.0) <= limit
                assert np.abs(found[name] - right).max(initial=0.0) <= limit
                assert np.abs(found[name] - third[name]).max(initial=0.0) <= limit
        return document

    return compare
