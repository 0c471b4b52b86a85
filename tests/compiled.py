"""Generated headers, compiled and called from Python; small networks for them, and events."""

import ctypes
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
from keras import layers as kl
from keras import ops

import hepml
from hepml.export.source import export_source

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
CLANG = next(filter(shutil.which, ("clang++", "clang++-14")), None)  # as Debian names it
COMPILERS = ["g++", *([CLANG] if CLANG else [])]
_numbers = itertools.count()


class Compiled:
    """Calls like an Evaluator: a dict of arrays of events in, a dict of arrays out, and the status of each event."""

    def __init__(self, network, folder, flags=("-O1",), *, compiler="g++", max_steps=16, width=None):
        self.evaluator = hepml.Evaluator(network)
        header = Path(folder) / "net.hpp"
        self.written = export_source(network, header, max_steps=max_steps, overwrite=True)
        self.max_steps = max_steps
        if width is not None:  # vectors that this processor may not have: the compiler makes them of smaller ones
            text = header.read_text()
            assert "#define HEPML_SOURCE_WIDTH 4\n" in text
            header.write_text(re.sub(r"#define HEPML_SOURCE_WIDTH \d+", f"#define HEPML_SOURCE_WIDTH {width}", text))
            flags = [*flags, "-Wno-psabi"]
        calls, outputs = [], []
        for k, record in enumerate(self.evaluator.inputs):
            calls.append(f"static_cast<const float*>(x[{k}])")
            if record.shape[0] is None:
                calls.append(f"n[{k}]")
        for k, _ in enumerate(self.evaluator.outputs):
            outputs.append(f"static_cast<float*>(y[{k}])")
        reference = "reproduces_reference" in header.read_text()
        has_labels = len(outputs) == 1 and all(self.evaluator.outputs[0].labels)
        labels = f"net::{self.written.outputs[0]}_labels[k]" if has_labels else "k == 0 ? nullptr : nullptr"
        program = Path(folder) / "net.cpp"
        program.write_text(
            '#include "net.hpp"\n'
            'extern "C" int run(void** x, std::size_t* n, void** y) {\n'
            "  static net::Network network;\n"
            "  static_cast<void>(n);\n"
            f"  return static_cast<int>(network.run({', '.join([*calls, *outputs])}));\n"
            "}\n"
            'extern "C" bool reproduces();\n'
            + (
                "bool reproduces() { static net::Network network; return net::reproduces_reference(network); }\n"
                if reference
                else ""
            )
            + f'extern "C" const char* label(int k);\nconst char* label(int k) {{ return {labels}; }}\n'
        )
        library = Path(folder).absolute() / f"net{next(_numbers)}.so"  # a name is loaded once
        words = [*compiler.split(), "-std=c++17", *WARNINGS, *flags, "-shared", "-fPIC", program, "-o", library]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:4000]
        self.library = ctypes.CDLL(str(library))

    def __call__(self, given):
        """Arrays by name, as for an Evaluator. Returns outputs and status."""
        inputs = [np.ascontiguousarray(given[record.name], np.float32) for record in self.evaluator.inputs]
        n_events = len(inputs[0])
        steps = (ctypes.c_size_t * len(inputs))(*[array.shape[1] if array.ndim > 1 else 0 for array in inputs])
        results, status = {record.name: [] for record in self.evaluator.outputs}, []
        most = max([array.shape[1] for array in inputs if array.ndim > 1] + [self.max_steps])
        for event in range(n_events):
            arrays = [
                np.zeros([4 * most + 8 if size is None else size for size in record.shape], np.float32)
                for record in self.evaluator.outputs
            ]
            x = (ctypes.c_void_p * len(inputs))(*[array[event].ctypes.data for array in inputs])
            y = (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
            status.append(self.library.run(x, steps, y))
            for record, array in zip(self.evaluator.outputs, arrays, strict=True):
                results[record.name].append(array)
        return {name: np.array(arrays) for name, arrays in results.items()}, np.array(status)

    def compare(self, given, tolerance=1e-6):
        """The largest difference from the evaluator, of max(1, the event's largest value)."""
        right = self.evaluator(given)
        found, _ = self(given)
        worst = 0.0
        for name, array in right.items():
            one = found[name].reshape(len(array), -1)[:, : array[0].size].reshape(array.shape)
            assert np.array_equal(np.isnan(one), np.isnan(array)), name
            with np.errstate(invalid="ignore"):
                scale = np.maximum(1.0, np.nanmax(np.abs(array.reshape(len(array), -1)), axis=1, initial=0.0))
                apart = np.abs(one - array).reshape(len(array), -1) / scale[:, None]
            worst = max(worst, float(np.nanmax(np.where(one == array, 0.0, apart.reshape(array.shape)), initial=0.0)))
        assert worst <= tolerance, worst
        return worst


def events(evaluator, n=6, steps=5, seed=0):
    """Normal numbers; images are mostly empty."""
    rng = np.random.default_rng(seed)
    given = {}
    for record in evaluator.inputs:
        shape = (n, *(steps if size is None else size for size in record.shape))
        values = rng.normal(size=shape)
        if len(record.shape) == 3:
            values = rng.exponential(size=shape) * (rng.random(shape) < 0.03)
        given[record.name] = values.astype(np.float32)
    return given


def randomised(model, seed=0):
    """The model with weights that no symmetry hides."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            # a wide recurrent layer of large weights is chaotic: every rounding grows with each step
            values = min(0.4, 2 / weight.shape[0] ** 0.5) * rng.normal(size=weight.shape)
            weight.assign(np.abs(values) + 0.1 if "variance" in weight.path else values)
    return model


def chain(shape, *layers):
    return keras.Sequential([keras.Input(shape, name="x"), *layers])


def graph(shape, function):
    x = keras.Input(shape, name="x")
    return keras.Model(x, function(x))


def everything_at_once():
    """A network of everything that needs memory between calls: an image and a sequence."""
    image, steps = keras.Input((9, 8, 1), name="image"), keras.Input((None, 3), name="steps")
    y = kl.Conv2D(102, 3, padding="same", activation="relu")(image)
    few = kl.Conv2D(2, 3, padding="same", activation="relu")(image)
    y, few = (kl.Flatten()(kl.MaxPooling2D(2, padding="same")(x)) for x in (y, few))
    y = kl.Concatenate()([y, few, kl.GRU(7)(kl.Conv1D(5, 2, padding="same")(steps))])
    model = keras.Model([image, steps], kl.Dense(3, activation="softmax")(kl.Dense(20, activation="tanh")(y)))
    return randomised(model)


def further_at_once():
    """The same of the kernels of windows, attention, products and powers."""
    image, steps = keras.Input((6, 5, 4), name="image"), keras.Input((None, 4), name="steps")
    y = ops.sin(kl.Conv2D(6, 3, groups=2)(image))
    y = kl.Flatten()(kl.Conv2DTranspose(3, 2, strides=2)(kl.DepthwiseConv2D(2)(y)))
    volume = kl.Reshape((3, 2, 5, 4))(image)
    volume = kl.Flatten()(kl.AveragePooling3D(2)(volume))
    z = kl.GlobalAveragePooling1D()(kl.MultiHeadAttention(2, 3)(steps, steps))
    y = ops.tan(0.2 * ops.arctan2(kl.Dense(4)(kl.Concatenate()([y, volume])), z))
    pairs = ops.matmul(kl.Reshape((4, 1))(y), kl.Reshape((1, 4))(z))
    return keras.Model([image, steps], kl.Dense(3)(kl.Flatten()(ops.power(1.0 + ops.abs(pairs), 0.4))))
