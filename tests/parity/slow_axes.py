"""The layers that work along axes, and the functions of single elements, as NumPy writes them."""

import math

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x, axes=(-1,)):
    power = np.exp(x - x.max(axis=tuple(axes), keepdims=True))
    return power / power.sum(axis=tuple(axes), keepdims=True)


def sparsemax(x):
    """As Keras: the threshold comes from the sum of all cumulative sums."""
    largest = -np.sort(-x, axis=-1)
    sums = np.cumsum(largest, axis=-1)
    kept = largest - (sums - 1) / np.arange(1, x.shape[-1] + 1) > 0
    tau = (np.sum(sums * kept, axis=-1, keepdims=True) - 1) / np.sum(kept, axis=-1, keepdims=True)
    return np.maximum(x - tau, 0)


def relu(x, form):
    above = np.clip(x, 0, form["high"]) if "high" in form else x
    return np.where(x > form["low"], above, form["alpha"] * (x - form["low"]))


FUNCTIONS = {
    "linear": lambda x, f: x,
    "rectified": lambda x, f: np.maximum(x, 0.0),
    "relu": relu,
    "leakyrelu": lambda x, f: np.where(x > 0, x, f["alpha"] * x),
    "elu": lambda x, f: np.where(x >= 0, x, f["alpha"] * np.expm1(x)),
    "celu": lambda x, f: np.where(x >= 0, x, f["alpha"] * np.expm1(x / f["alpha"])),
    "selu": lambda x, f: 1.0507009873554805 * np.where(x >= 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x, f: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x, f: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "swish": lambda x, f: x * sigmoid(f["alpha"] * x),
    "mish": lambda x, f: x * np.tanh(softplus(x)),
    "sigmoid": lambda x, f: sigmoid(x),
    "keras_hard_sigmoid": lambda x, f: np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x, f: x * np.clip(x + 3, 0, 6) / 6,
    "log_sigmoid": lambda x, f: -softplus(-x),
    "sparse_sigmoid": lambda x, f: np.clip((x + 1) / 2, 0, 1),
    "tanh": lambda x, f: np.tanh(x),
    "tanh_shrink": lambda x, f: x - np.tanh(x),
    "hard_shrink": lambda x, f: np.where(np.abs(x) > f["alpha"], x, 0),
    "soft_shrink": lambda x, f: np.sign(x) * np.maximum(np.abs(x) - f["alpha"], 0),
    "softplus": lambda x, f: softplus(x),
    "softsign": lambda x, f: x / (1 + np.abs(x)),
    "sparse_plus": lambda x, f: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "squareplus": lambda x, f: (x + np.sqrt(x * x + f["alpha"])) / 2,
    "threshold": lambda x, f: np.where(x > f["low"], x, f["alpha"]),
    "clip": lambda x, f: np.clip(x, f.get("low", -np.inf), f.get("high", np.inf)),
    "softmax": lambda x, f: softmax(x),
    "log_softmax": lambda x, f: np.log(softmax(x)),
    "sparsemax": lambda x, f: sparsemax(x),
    "abs": lambda x, f: np.abs(x),
    "arcsinh": lambda x, f: np.arcsinh(x),
    "arctan": lambda x, f: np.arctan(x),
    "ceil": lambda x, f: np.ceil(x),
    "cos": lambda x, f: np.cos(x),
    "cosh": lambda x, f: np.cosh(x),
    "erf": lambda x, f: erf(x),
    "exp": lambda x, f: np.exp(x),
    "expm1": lambda x, f: np.expm1(x),
    "floor": lambda x, f: np.floor(x),
    "log": lambda x, f: np.log(x),
    "log1p": lambda x, f: np.log1p(x),
    "negative": lambda x, f: -x,
    "reciprocal": lambda x, f: 1 / x,
    "round": lambda x, f: np.round(x),
    "rsqrt": lambda x, f: 1 / np.sqrt(x),
    "sign": lambda x, f: np.sign(x),
    "sin": lambda x, f: np.sin(x),
    "sinh": lambda x, f: np.sinh(x),
    "sqrt": lambda x, f: np.sqrt(x),
    "square": lambda x, f: x * x,
    "tan": lambda x, f: np.tan(x),
}

COMBINATIONS = {
    "add": np.add,
    "arctan2": np.arctan2,
    "average": np.add,
    "divide": np.divide,
    "drop": lambda x, condition: np.where(condition != 0, 0.0, x),
    "equal": lambda a, b: np.where(a == b, 1.0, 0.0),
    "greater": lambda a, b: np.where(a > b, 1.0, 0.0),
    "greater_equal": lambda a, b: np.where(a >= b, 1.0, 0.0),
    "keep": lambda x, condition: np.where(condition != 0, x, 0.0),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "not_equal": lambda a, b: np.where(a != b, 1.0, 0.0),
    "power": np.power,
    "prelu": lambda x, alpha: np.where(x > 0, x, alpha * x),
    "subtract": np.subtract,
}


def combined(layer, *operands):
    operands = list(operands)
    if "weights" in layer:
        constant = np.reshape(layer["weights"], layer["shape"])
        operands.insert(0 if layer.get("first") else len(operands), constant)
    result = operands[0]
    for operand in operands[1:]:
        result = COMBINATIONS[layer["architecture"]](result, operand)
    return result / len(operands) if layer["architecture"] == "average" else result


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "maximum": np.max,
    "minimum": np.min,
    "product": np.prod,
    "variance": np.var,
    "deviation": np.std,
    "norm": lambda x, **axes: np.sqrt(np.sum(x * x, **axes)),
    "log_sum_exp": lambda x, **axes: np.log(np.sum(np.exp(x), **axes)),
}


def reduced(layer, x):
    return REDUCTIONS[layer["function"]](x, axis=tuple(layer["axes"]), keepdims=layer.get("keepdims", False))


def standardized(layer, x):
    over = {"axis": tuple(layer["axes"]), "keepdims": True}
    epsilon = layer["epsilon"]
    if layer["function"] == "layer":
        return (x - x.mean(**over)) / np.sqrt(x.var(**over) + epsilon)
    if layer["function"] == "rms":
        return x / np.sqrt(np.mean(x * x, **over) + epsilon)
    return x / np.sqrt(np.maximum(np.sum(x * x, **over), epsilon))


def softmax_over(layer, x):
    axes = layer["axes"]
    if layer["activation"] == "sparsemax":
        (axis,) = axes
        return np.moveaxis(sparsemax(np.moveaxis(x, axis, -1)), -1, axis)
    result = softmax(x, axes)
    return result if layer["activation"] == "softmax" else np.log(result)


def cut(layer, x):
    for axis, (begin, step, size) in enumerate(zip(layer["begin"], layer["step"], layer["shape"], strict=True)):
        places = begin + step * np.arange(size)
        x = np.take(x, places, axis=axis)
    return x


def attended(layer, query, key, value):
    """One head and one step of the query after the other."""
    heads, groups = layer["heads"], layer.get("key_heads", layer["heads"])
    size, width = query.shape[1] // heads, value.shape[1] // groups
    result = np.zeros((len(query), heads * width))
    for head in range(heads):
        group = head // (heads // groups)
        keys, values = key[:, group * size : (group + 1) * size], value[:, group * width : (group + 1) * width]
        for step in range(len(query)):
            one = query[step, head * size : (head + 1) * size]
            if "weights" in layer:
                scores = np.tanh(layer["scale"] * (one + keys)) @ np.asarray(layer["weights"])
            else:
                scores = layer["scale"] * keys @ one
            seen = np.ones(len(keys), bool)
            if layer.get("causal"):
                seen &= np.arange(len(keys)) <= step
            if "window" in layer:
                seen &= np.abs(np.arange(len(keys)) - step) < layer["window"]
            result[step, head * width : (head + 1) * width] = softmax(scores[seen]) @ values[seen]
    return result


LAYERS = {
    "attention": attended,
    "broadcast": lambda layer, x: np.broadcast_to(x, layer["shape"]),
    "concatenate": lambda layer, *xs: np.concatenate(xs, axis=layer["axis"]),
    "matmul": lambda layer, a, b: a @ (np.swapaxes(b, -1, -2) if layer.get("transposed") else b),
    "reduce": reduced,
    "reshape": lambda layer, x: np.reshape(x, layer["shape"]),
    "slice": cut,
    "softmax": softmax_over,
    "standardize": standardized,
    "transpose": lambda layer, x: np.transpose(x, layer["axes"]),
}
