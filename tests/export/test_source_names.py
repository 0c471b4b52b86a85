"""What generated source calls things: names and texts of a file never become other C++."""

import ctypes
import json
import re
import subprocess

import keras
import numpy as np
import pytest
from compiled import Compiled, chain, events, randomised
from keras import layers as kl

import hepml


def test_names_and_labels(tmp_path):
    model = keras.Model(x := keras.Input((2,), name="float"), kl.Dense(2, name="d")(x))
    hepml.export_model(model, tmp_path / "net.json", labels={"output": ['a"b\\', "é?"]})
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    assert compiled.written.inputs == ("float_2",)
    constants = re.findall(r"inline constexpr std::size_t (\w+)", compiled.written.path.read_text())
    assert constants == ["float_2_size", "output_size"]  # two _ together are the compiler's
    library = compiled.library
    library.label.restype = ctypes.c_char_p
    assert [library.label(k).decode() for k in (0, 1)] == ['a"b\\', "é?"]


def vectors(names):
    """A dense layer on inputs of these names, side by side."""
    rng = np.random.default_rng(0)
    n = len(names)
    dense = {"architecture": "dense", "weights": rng.normal(size=6 * n).tolist(), "bias": [1, 2, 3, 4, 5, 6]}
    return {
        "inputs": [{"name": name, "variables": [{"name": "a", "offset": 0.5, "scale": 2.0}]} for name in names],
        "nodes": [
            *({"type": "input", "sources": [k], "size": 1} for k in range(n)),
            {"type": "concatenate", "sources": [*range(n)]},
            {"type": "feed_forward", "sources": [n], "layer_index": 0},
        ],
        "layers": [{**dense, "activation": "tanh"}],
        "outputs": {"d3": {"labels": [*"uvwxyz"], "node_index": n + 1}},
    }


def test_names_of_inputs_hide_no_weights(tmp_path):
    """A parameter f1 once stood for the weights f1."""
    names = ["f0", "f1", "f2", "d0", "d1", "n0", "steps_0", "active_0", "NULL", "EOF", "NAN", "errno", "unix"]
    (tmp_path / "net.json").write_text(json.dumps(vectors(names)))
    headers = ["cstdio", "cmath", "cerrno"]
    flags = ["-O1", "-std=gnu++17", *(word for one in headers for word in ("-include", one))]
    compiled = Compiled(tmp_path / "net.json", tmp_path, flags=flags)
    assert not {*compiled.written.inputs, *compiled.written.outputs} & {*names, "d3"}
    compiled.compare(events(compiled.evaluator))


@pytest.mark.parametrize("name", ["steps_0", "active_0", "before_1"])
def test_names_of_inputs_hide_no_places(name, tmp_path):
    if name == "steps_0":
        model = chain((None, 3), kl.Conv1D(4, 3, strides=2, padding="same"), kl.GRU(3))
    else:
        twice = [kl.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
        model = chain((20, 20, 1), *twice, kl.Flatten(), kl.Dense(2))
    x = keras.Input(model.input_shape[1:], name=name)
    hepml.export_model(randomised(keras.Model(x, model(x))), tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    compiled.compare(events(compiled.evaluator))


def test_identities_are_text(tmp_path):
    """A line break in one once ended the comment that holds it, and the digits of a checksum became this header's."""
    identity = 'a"b\n#error c\r0123456789abcdef\\'
    hepml.export_model(randomised(chain((3,), kl.Dense(2))), tmp_path / "net.json")
    document = json.loads((tmp_path / "net.json").read_text())
    document["hepml"]["model_id"] = identity
    (tmp_path / "net.json").write_text(json.dumps(document))
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    (tmp_path / "id.cpp").write_text('#include "net.hpp"\nextern "C" const char* id() { return net::model_id; }\n')
    words = ["g++", "-std=c++17", "-shared", "-fPIC", str(tmp_path / "id.cpp"), "-o", str(tmp_path / "id.so")]
    subprocess.run(words, check=True)
    library = ctypes.CDLL(str(tmp_path / "id.so"))
    library.id.restype = ctypes.c_char_p
    assert library.id().decode() == compiled.evaluator.model_id == identity
