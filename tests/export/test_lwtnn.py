"""From the inputs of lwtnn's converters to the files that they write: the same structure, the same numbers."""

import json

import numpy as np
import pytest
from keras2_files import dense, functional, given, kernel_and_bias, layer, sequential, write
from lwtnn_reference import evaluate_graph

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, SchemaError, UnsupportedLayerError
from hepml.export.keras2 import read_keras2
from hepml.export.runs import export_keras2_file

EXTRA = {"return_sequences", "filters", "steps"}  # keys of hepml that lwtnn does not read
PUBLISHED = ("hl", "hl_and_mass", "mass", "higgs_shallow")
UPSTREAM = (
    "Add",
    "BatchNorm",
    "GRU",
    "SimpleRNN",
    "conv1d_functional",
    "dense_dropout_functional",
    "elu",
    "gru-sequence",
    "highway",
    "leaky-relu",
    "lstm_functional",
    "merge-graph",
    "time-distributed-dense",
    "unsplit-model",
)


def files(shared, name):
    """architecture, weights, variables, the file of lwtnn's converter, inputs and outputs."""
    folder = shared / "lwtnn"
    if name in PUBLISHED:
        source, folder = folder / "networks" / "src", folder / "networks"
        named = [source / f"{name}.{end}" for end in ("arch.json", "weights.h5", "vars.json")]
        return *named, folder / f"{name}.lwtnn.json", folder / f"{name}.npz"
    folder = folder / "upstream" / name
    names = ("architecture.json", "weights.h5", "variables.json", "lwtnn.json", "random_events.npz")
    return tuple(folder / end for end in names)


def tree(document, index):
    """A node with its layer and its sources, instead of numbers: the order of nodes and layers means nothing."""
    node = document["nodes"][index]
    if node["type"].startswith("input"):
        return dict(node)
    layers = {"layer": document["layers"][node["layer_index"]]} if "layer_index" in node else {}
    return {"type": node["type"], **layers, "sources": [tree(document, k) for k in node["sources"]]}


def network(document):
    if "nodes" not in document:
        return {key: document[key] for key in ("inputs", "layers", "outputs", "defaults")}
    outputs = {
        name: {"labels": one["labels"], "of": tree(document, one["node_index"])}
        for name, one in document["outputs"].items()
    }
    return {"inputs": document["inputs"], "input_sequences": document["input_sequences"], "outputs": outputs}


def same(found, right, where="$"):
    """Equal keys and texts, numbers within a float32 rounding of each other."""
    if isinstance(right, dict):
        assert found.keys() - EXTRA == right.keys(), where
        for key in right:
            same(found[key], right[key], f"{where}.{key}")
    elif isinstance(right, list) and right and isinstance(right[0], int | float):
        assert len(found) == len(right), where
        assert np.allclose(found, right, rtol=1e-6, atol=1e-7), where
    elif isinstance(right, list):
        assert len(found) == len(right), where
        for k, (a, b) in enumerate(zip(found, right, strict=True)):
            same(a, b, f"{where}[{k}]")
    elif isinstance(right, float):
        assert found == pytest.approx(right, rel=1e-6), where
    else:
        assert found == right, where


def folded(name):
    """A BatchNormalization has four numbers a unit in Keras, two in the file."""
    return 2 * (48 + 48 + 24 + 12 + 6) if name == "BatchNorm" else 0


@pytest.mark.parametrize("name", [*PUBLISHED, *UPSTREAM])
def test_the_file_is_that_of_lwtnns_converter(shared, tmp_path, name):
    architecture, weights, variables, converted, events = files(shared, name)
    path = tmp_path / "net.json"
    written = export_keras2_file(architecture, path, weights=weights, variables=variables, lwtnn=True)
    same(network(json.loads(path.read_text())), network(json.loads(converted.read_text())))
    evaluator = hepml.Evaluator(path)
    assert written.parameters == read_keras2(architecture, weights).count_params() - folded(name)
    with np.load(events) as stored:
        found = evaluator({record.name: stored[f"x{k}"] for k, record in enumerate(evaluator.inputs)})
        for k, output in enumerate(sorted(found)):
            right = stored[f"y_lwtnn_{k}"]
            assert right.std() > 1e-4
            assert np.all(np.abs(found[output] - right) <= 1e-5 * np.maximum(1, np.abs(right)))


@pytest.mark.parametrize("name", ["conv1d_functional", "gru-sequence", "lstm_functional", "merge-graph", "SimpleRNN"])
def test_the_slow_reference_is_lwtnn(shared, name):
    """The NumPy rules that other tests judge by give what lwtnn itself gave."""
    *_, converted, events = files(shared, name)
    document = json.loads(converted.read_text())
    with np.load(events) as stored:
        arrays = [stored[f"x{k}"] for k in range(len(document["inputs"]) + len(document["input_sequences"]))]
        n = len(document["inputs"])
        for event in range(3):
            found = evaluate_graph(document, [a[event] for a in arrays[:n]], [a[event] for a in arrays[n:]])
            for k, output in enumerate(sorted(found)):
                right = stored[f"y_lwtnn_{k}"][event]
                value = found[output] if found[output].shape == right.shape else found[output][-1]
                assert np.abs(value - right).max() < 1e-12


@pytest.fixture
def chain(tmp_path):
    """architecture, weights of dense(3 -> 2, tanh)."""
    document = sequential([dense("d", (), 2, "tanh", batch_input_shape=[None, 3])])
    return write(
        tmp_path / "chain", document, {"d": kernel_and_bias("d", np.arange(6).reshape(3, 2) / 10, [0.5, -0.5])}
    )


def variables(path, document):
    path.write_text(json.dumps(document))
    return path


THREE = [{"name": n, "offset": -1.5, "scale": 0.25} for n in "abc"]


def test_the_sequential_form(chain, tmp_path):
    spec = {"inputs": [{**THREE[0], "default": 4.5}, *THREE[1:]], "class_labels": ["u", "v"]}
    spec["miscellaneous"] = {"tuned": 2020}
    path = tmp_path / "net.json"
    given = variables(tmp_path / "v.json", spec)
    written = export_keras2_file(chain[0], path, weights=chain[1], variables=given, lwtnn=True)
    assert (written.inputs, written.outputs) == (("inputs",), ("outputs",))
    document = json.loads(path.read_text())
    assert document["inputs"] == THREE
    assert document["defaults"] == {"a": 4.5}
    assert document["miscellaneous"] == {"tuned": "2020"}
    assert document["outputs"] == ["u", "v"]
    x = np.array([[1.0, 2.0, 3.0], [-4.0, 0.0, 9.0]])
    right = np.tanh((x - 1.5) * 0.25 @ (np.arange(6).reshape(3, 2) / 10) + [0.5, -0.5])
    evaluator = hepml.Evaluator(path)
    assert np.abs(evaluator(x)["outputs"] - right).max() < 1e-6
    assert [one.default for one in evaluator.inputs[0].variables] == [4.5, None, None]


def test_a_graph_is_no_chain(tmp_path):
    layers = [given("x", 3), dense("a", ("x",), 2), dense("b", ("x",), 2), layer("Add", "sum", ("a", "b"))]
    arrays = {name: kernel_and_bias(name, np.ones((3, 2)), np.zeros(2)) for name in "ab"}
    architecture, weights = write(tmp_path / "g", functional(layers, ["x"], ["sum"]), arrays)
    spec = variables(tmp_path / "v.json", {"inputs": THREE, "class_labels": ["u", "v"]})
    with pytest.raises(UnsupportedLayerError, match="no chain"):
        export_keras2_file(architecture, tmp_path / "n.json", weights=weights, variables=spec, lwtnn=True)
    assert not (tmp_path / "n.json").exists()


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"inputs": THREE[:2], "class_labels": ["u", "v"]}, DataError, "3 variables"),
        ({"inputs": [*THREE[:2], THREE[0]], "class_labels": ["u", "v"]}, DataError, "different names"),
        ({"inputs": THREE, "class_labels": ["u"]}, DataError, "2 different names"),
        ({"inputs": THREE, "class_labels": ["u", 2]}, SchemaError, "$.class_labels[1]"),
        ({"inputs": [{"name": "a", "offset": 0}], "class_labels": []}, SchemaError, "$.inputs[0]"),
        ({"inputs": [{**THREE[0], "scale": "1"}], "class_labels": []}, SchemaError, "$.inputs[0].scale"),
        ({"inputs": [], "outputs": [{"name": "o", "labels": ["u", "v"]}]}, DataError, "1, as many"),
        ({"inputs": [{"name": "n", "variables": THREE}], "outputs": []}, DataError, "1 outputs"),
        ({"inputs": [{"name": "n", "variables": THREE}]}, SchemaError, "'outputs'"),
        ([], SchemaError, "$"),
    ],
    ids=range(10),
)
def test_a_variables_file_that_does_not_fit(chain, tmp_path, spec, kind, words):
    path = variables(tmp_path / "v.json", spec)
    with pytest.raises(kind) as error:
        export_keras2_file(chain[0], tmp_path / "net.json", weights=chain[1], variables=path)
    assert words in str(error.value)
    assert "v.json" in str(error.value) or "class_labels" in str(error.value)
    assert not (tmp_path / "net.json").exists()


def test_the_template_can_be_used(shared, tmp_path, capsys):
    """What is printed without -o has the form of lwtnn's own, and is a variables file."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["export", *map(str, arguments)])
        return stopped.value.code, capsys.readouterr()

    for name in ("hl_and_mass", "higgs_shallow"):
        architecture, weights, spec, *_ = files(shared, name)
        code, captured = call(architecture, "--weights", weights)
        assert code == 0
        template, right = json.loads(captured.out), json.loads(spec.read_text())
        assert template.keys() == right.keys() - {"miscellaneous"}
        assert len(template["inputs"]) == len(right["inputs"])
        path = variables(tmp_path / f"{name}.vars.json", template)
        net = tmp_path / f"{name}.json"
        code, _ = call(architecture, "--weights", weights, "--variables", path, "--lwtnn", "-o", net)
        assert code == 0
        variable = json.loads(net.read_text())["inputs"][0]
        assert variable.get("variables", [variable])[0] == {"name": "variable_0", "offset": 0, "scale": 1}
    assert call(architecture, "--weights", weights, "--variables", path)[0] == 2
    assert call(tmp_path, "--weights", weights, "-o", net)[0] == 2
