"""Files of Keras 2 written by hand: an architecture, and weights in its HDF5 layout."""

import json

import h5py
import numpy as np

TRAINING = {"kernel_initializer": {"class_name": "Zeros", "config": {}}, "bias_regularizer": None, "trainable": True}


def layer(kind, name, sources=(), **config):
    """A layer of a functional architecture; `sources` are names, or (name, call), of one call, or a list of calls."""
    calls = sources if isinstance(sources, list) else [sources] if sources else []
    inbound = [[[*(one if isinstance(one, tuple) else (one, 0)), 0, {}] for one in call] for call in calls]
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": inbound}


def given(name, *shape):
    return layer("InputLayer", name, batch_input_shape=[None, *shape], dtype="float32", sparse=False, ragged=False)


def dense(name, source, units, activation="linear", *, use_bias=True, **more):
    return layer("Dense", name, source, units=units, activation=activation, use_bias=use_bias, **TRAINING, **more)


def ends(names):
    return [[name, 0, 0] for name in names]


def functional(layers, inputs, outputs, name="model"):
    return {
        "class_name": "Functional",
        "config": {"name": name, "layers": layers, "input_layers": ends(inputs), "output_layers": ends(outputs)},
        "keras_version": "2.10.0",
        "backend": "tensorflow",
    }


def sequential(layers, version="2.10.0"):
    return {
        "class_name": "Sequential",
        "config": {
            "name": "chain",
            "layers": [{k: v for k, v in one.items() if k != "inbound_nodes"} for one in layers],
        },
        "keras_version": version,
        "backend": "tensorflow",
    }


def write_arrays(group, arrays):
    """`arrays`: {layer: {stored name: array}}."""
    group.attrs["layer_names"] = list(arrays)
    for name, stored in arrays.items():
        one = group.create_group(name)
        one.attrs["weight_names"] = list(stored)
        for path, array in stored.items():
            one[path] = np.asarray(array, np.float32)


def write(folder, architecture, arrays):
    """(architecture.json, weights.h5)."""
    folder.mkdir(exist_ok=True)
    (folder / "architecture.json").write_text(json.dumps(architecture))
    with h5py.File(folder / "weights.h5", "w") as file:
        write_arrays(file, arrays)
    return folder / "architecture.json", folder / "weights.h5"


def kernel_and_bias(name, kernel, bias):
    return {f"{name}/kernel:0": kernel, f"{name}/bias:0": bias}
