"""A network file evaluated in NumPy, float64, one event at a time: slow, and obviously what the format says."""

import importlib.util
from pathlib import Path

import numpy as np

_specification = importlib.util.spec_from_file_location("slow_axes", Path(__file__).with_name("slow_axes.py"))
slow_axes = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(slow_axes)


def evaluate(document, inputs):
    """Outputs of every event, by name, each (n, units).

    Args:
        document: the file, as json.loads gives it.
        inputs: name -> array (n, *shape) of raw values.
    """
    n = len(next(iter(inputs.values())))
    names = document["outputs"]
    results = {name: [] for name in names}
    for event in range(n):
        values = {}
        for name, output in names.items():
            one = {key: np.asarray(array[event], dtype=np.float64) for key, array in inputs.items()}
            results[name].append(node_value(document, output["node_index"], one, values).ravel())
    return {name: np.array(rows) for name, rows in results.items()}


def node_value(document, index, inputs, values):
    if index not in values:
        node = document["nodes"][index]
        if node["type"] in ("input", "input_sequence"):
            kind = "inputs" if node["type"] == "input" else "input_sequences"
            record = document[kind][node["sources"][0]]
            values[index] = scaled(record, inputs[record["name"]])
        else:
            sources = [node_value(document, source, inputs, values) for source in node["sources"]]
            if node["type"] == "concatenate":
                values[index] = np.concatenate(sources, axis=-1)
            elif node["type"] == "add":
                values[index] = sum(sources)
            elif node["type"] == "sum":
                values[index] = sources[0].sum(axis=0)
            else:
                assert node["type"] in ("feed_forward", "time_distributed", "layer")
                values[index] = layer_value(document["layers"][node["layer_index"]], *sources)
    return values[index]


def scaled(record, x):
    if "shape" in record:
        return (x.reshape(record["shape"]) + np.asarray(record["offset"])) * np.asarray(record["scale"])
    offset = np.array([variable["offset"] for variable in record["variables"]])
    scale = np.array([variable["scale"] for variable in record["variables"]])
    return (x + offset) * scale


def layer_value(layer, x, *others):
    kind = layer["architecture"]
    if kind == "dense":
        y = x
        if layer["weights"]:
            y = x @ np.reshape(layer["weights"], (-1, x.shape[-1])).T
        if layer["bias"]:
            y = y + np.asarray(layer["bias"])
        return activated(layer["activation"], y)
    if kind == "normalization":
        return np.asarray(layer["weights"]) * (x + np.asarray(layer["bias"]))
    if kind == "flatten":
        return x.ravel()
    if kind == "conv2d":
        return convolved(layer, x)
    if kind == "maxpooling2d":
        return pooled(layer, x)
    if kind in slow_axes.COMBINATIONS:
        return slow_axes.combined(layer, x, *others)
    return slow_axes.LAYERS[kind](layer, x, *others)


def padded(x, window, strides, padding, fill):
    """The image with its border, and rows and columns of the result."""
    if padding == "valid":
        return x, [(n - k) // s + 1 for n, k, s in zip(x.shape, window, strides, strict=False)]
    size = [-(-n // s) for n, s in zip(x.shape, strides, strict=False)]
    border = [max((m - 1) * s + k - n, 0) for m, s, k, n in zip(size, strides, window, x.shape, strict=False)]
    before_after = [(total // 2, total - total // 2) for total in border]
    return np.pad(x, [*before_after, (0, 0)], constant_values=fill), size


def convolved(layer, x):
    kernel_rows, kernel_columns = layer["kernel_size"]
    dilation = layer["dilation_rate"]
    strides = layer["strides"]
    window = [(k - 1) * d + 1 for k, d in zip(layer["kernel_size"], dilation, strict=True)]
    x, (rows, columns) = padded(x, window, strides, layer["padding"], 0.0)
    weights = np.reshape(layer["weights"], (kernel_rows, kernel_columns, x.shape[2], layer["filters"]))
    y = np.zeros((rows, columns, layer["filters"]))
    for row in range(rows):
        for column in range(columns):
            top, left = row * strides[0], column * strides[1]
            patch = x[top : top + window[0] : dilation[0], left : left + window[1] : dilation[1]]
            y[row, column] = np.einsum("ijc,ijcf->f", patch, weights)
    if layer["bias"]:
        y = y + np.asarray(layer["bias"])
    return activated(layer["activation"], y)


def pooled(layer, x):
    window, strides = layer["pool_size"], layer["strides"]
    x, (rows, columns) = padded(x, window, strides, layer["padding"], -np.inf)
    y = np.zeros((rows, columns, x.shape[2]))
    for row in range(rows):
        for column in range(columns):
            top, left = row * strides[0], column * strides[1]
            y[row, column] = x[top : top + window[0], left : left + window[1]].max(axis=(0, 1))
    return y


def activated(activation, x):
    form = activation if isinstance(activation, dict) else {"function": activation}
    with np.errstate(all="ignore"):
        return slow_axes.FUNCTIONS[form["function"]](x, form)
