"""lwtnn 2.14's evaluation in slow NumPy: its own rules, and blind for keys that it does not read."""

import numpy as np

LEFT = {"valid": lambda pad: 0, "causal": lambda pad: pad, "same": lambda pad: (pad + 1) // 2}


def activate(form, x):
    """Along axis 0, which is the units of a vector."""
    name, alpha = (form["function"], form["alpha"]) if isinstance(form, dict) else (form, 1.0)
    if name == "softmax":
        e = np.exp(x - x.max(axis=0))
        return e / e.sum(axis=0)
    return {
        "linear": lambda: x,
        "rectified": lambda: np.maximum(x, 0),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "hard_sigmoid": lambda: np.clip(0.2 * x + 0.5, 0, 1),
        "tanh": lambda: np.tanh(x),
        "abs": lambda: np.abs(x),
        "elu": lambda: np.where(x >= 0, x, alpha * np.expm1(x)),
        "leakyrelu": lambda: np.where(x > 0, x, alpha * x),
        "swish": lambda: x / (1 + np.exp(-alpha * x)),
    }[name]()


def matrix(part, n_in, key="weights"):
    return np.reshape(part[key], (-1, n_in))


def vector_layer(layer, x):
    kind = layer["architecture"]
    if kind == "normalization":
        return np.array(layer["weights"]) * (x + np.array(layer["bias"]))
    if kind == "maxout":
        return np.max([matrix(s, len(x)) @ x + np.array(s["bias"]) for s in layer["sublayers"]], axis=0)
    if kind == "highway":
        t, carry = (layer["components"][k] for k in ("t", "carry"))
        c = activate("sigmoid", matrix(carry, len(x)) @ x + np.array(carry["bias"]))
        return c * activate(layer["activation"], matrix(t, len(x)) @ x + np.array(t["bias"])) + (1 - c) * x
    assert kind == "dense"
    if layer["weights"]:
        x = matrix(layer, len(x)) @ x
    if layer["bias"]:
        x = x + np.array(layer["bias"])
    return activate(layer["activation"], x)


def recurrence(layer, x):
    parts, kind = layer["components"], layer["architecture"]
    n_out = len(parts["h" if "h" in parts else "o"]["bias"])
    act = layer["activation"]
    h = c = np.zeros(n_out)
    columns = []
    for t in range(x.shape[1]):

        def gate(name, hidden, step=t):
            part = parts[name]
            return matrix(part, len(x)) @ x[:, step] + np.array(part["bias"]) + matrix(part, n_out, "U") @ hidden

        def inner(name, hidden, gate=gate):
            return activate(layer["inner_activation"], gate(name, hidden))

        if kind == "lstm":
            i, f, o = (inner(name, h) for name in "ifo")
            c = f * c + i * activate(act, gate("c", h))
            h = o * activate(act, c)
        elif kind == "gru":
            z, r = inner("z", h), inner("r", h)
            h = z * h + (1 - z) * activate(act, gate("h", r * h))
        else:
            h = activate(act, gate("h", h))
        columns.append(h)
    return np.stack(columns, axis=1)


def conv1d(layer, x):
    n_out, n_in = len(layer["bias"]), len(x)
    weights, d = np.reshape(layer["weights"], (n_out, n_in, -1)), layer["dilation_rate"]
    pad = (weights.shape[2] - 1) * d
    left = LEFT[layer["padding"]](pad)
    right = 0 if layer["padding"] == "valid" else pad - left
    x = np.pad(x, ((0, 0), (left, right)))
    y = np.stack(
        [
            np.array(layer["bias"]) + sum(weights[:, :, k] @ x[:, t + k * d] for k in range(weights.shape[2]))
            for t in range(x.shape[1] - pad)
        ],
        axis=1,
    )
    return np.stack([activate(layer["activation"], row) for row in y])  # each channel along time


def sequence_layer(layer, x):
    return conv1d(layer, x) if layer["architecture"] == "conv1d" else recurrence(layer, x)


def prepared(variables, values):
    return [(v + one["offset"]) * one["scale"] for one, v in zip(variables, values, strict=True)]


def evaluate_graph(document, vectors, sequences):
    """{output: vector, or steps x units}, of one event; inputs by position, sequences as steps x variables."""

    def node(index):
        one = document["nodes"][index]
        kind, sources = one["type"], one["sources"]
        if kind == "input":
            return np.array(prepared(document["inputs"][sources[0]]["variables"], vectors[sources[0]]))
        if kind == "input_sequence":
            return np.array(prepared(document["input_sequences"][sources[0]]["variables"], sequences[sources[0]].T))
        if kind == "sum":
            return node(sources[0]).sum(axis=1)
        if kind == "sequence":
            return sequence_layer(document["layers"][one["layer_index"]], node(sources[0]))
        if kind == "time_distributed":
            layer = document["layers"][one["layer_index"]]
            return np.stack([vector_layer(layer, column) for column in node(sources[0]).T], axis=1)
        given = [vector(source) for source in sources]
        if kind == "feed_forward":
            return vector_layer(document["layers"][one["layer_index"]], *given)
        return {"concatenate": np.concatenate, "add": sum}[kind](given)

    def vector(index):
        value = node(index)
        assert value.ndim == 1 or document["nodes"][index]["type"] == "sequence"
        return value if value.ndim == 1 else value[:, -1]

    found = {}
    for name, output in document["outputs"].items():
        value = node(output["node_index"])
        assert len(output["labels"]) == len(value)
        found[name] = value if value.ndim == 1 else value.T
    return found
