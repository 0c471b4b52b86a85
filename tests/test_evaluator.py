"""The C++ evaluator from Python: lwtnn's networks with the right answers, shapes, names, NaN, damaged files."""

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hepml
from hepml.errors import DataError, HepmlError, InputFileError, SchemaError, VerificationError
from hepml.evaluator import Evaluator, cpus
from hepml.geometry import PAPER

LWTNN = ["hl", "hl_and_mass", "mass", "higgs_shallow"]


def dense(weights, bias, activation="linear"):
    return {"architecture": "dense", "weights": weights, "bias": bias, "activation": activation}


def network(**changes):
    """Two inputs, an image of 2 x 3 and a vector of 2, and a dense layer on both: score = sigmoid(sum)."""
    variables = [{"name": name, "offset": 0.0, "scale": 1.0} for name in ("a", "b")]
    record = {
        "inputs": [
            {"name": "image", "shape": [2, 3, 1], "offset": 0.0, "scale": 0.5, "variables": []},
            {"name": "flat", "variables": variables},
        ],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 6},
            {"type": "input", "sources": [1], "size": 2},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
            {"type": "concatenate", "sources": [1, 2]},
            {"type": "feed_forward", "sources": [3], "layer_index": 1},
        ],
        "layers": [{"architecture": "flatten"}, dense([1.0] * 8, [0.0], "sigmoid")],
        "outputs": {"output": {"labels": ["signal"], "node_index": 4}},
        "hepml": {"format_version": 1, "model_id": "abc", "geometry": None, "thresholds": []},
    }
    return {**record, **changes}


def load(record):
    return Evaluator.from_text(json.dumps(record))


@pytest.fixture(params=cpus())
def cpu(request, monkeypatch):
    """Each instruction set of this processor."""
    monkeypatch.setenv("HEPML_CPU", request.param)
    return request.param


@pytest.mark.parametrize("name", LWTNN)
def test_networks_written_by_lwtnn(shared, cpu, name):
    ev = hepml.Evaluator(shared / "lwtnn" / "networks" / f"{name}.lwtnn.json")
    assert ev.cpu == cpu
    with np.load(shared / "lwtnn" / "networks" / f"{name}.npz") as right:
        results = ev({record.name: right[f"x{i}"] for i, record in enumerate(ev.inputs)})
        for k, output in enumerate(sorted(results)):
            assert results[output].dtype == np.float32
            assert np.abs(results[output] - right[f"y_keras_{k}"]).max() <= 1e-6
            assert np.abs(results[output] - right[f"y_lwtnn_{k}"]).max() <= 1e-6


def test_every_network_of_lwtnns_own_tests(shared, cpu):
    folders = [f for f in sorted((shared / "lwtnn" / "upstream").iterdir()) if (f / "random_events.npz").exists()]
    assert len(folders) == 14
    for folder in folders:
        ev = Evaluator(folder / "lwtnn.json")
        with np.load(folder / "random_events.npz") as right:
            keys = sorted(key for key in right.files if key.startswith("x"))
            results = ev({record.name: right[key] for record, key in zip(ev.inputs, keys, strict=True)})
            answers = sorted(key for key in right.files if key.startswith("y"))
            for output, key in zip(sorted(results), answers, strict=True):
                scale = np.maximum(1, np.abs(right[key]))
                assert results[output].shape == right[key].shape
                assert (np.abs(results[output] - right[key]) / scale).max() <= 1e-5, folder.name


def test_sequential_files_have_one_input_and_one_output(shared):
    ev = Evaluator(shared / "lwtnn" / "networks" / "higgs_shallow.lwtnn.json")
    assert [(record.name, record.shape) for record in ev.inputs] == [("inputs", (28,))]
    assert [record.name for record in ev.outputs] == ["outputs"]
    assert ev.inputs[0].variables[0].name
    assert (ev.model_id, ev.metadata, ev.geometry, ev.thresholds) == ("", {}, None, [])


def test_records_and_metadata():
    record = network()
    record["hepml"]["geometry"] = PAPER.to_dict()
    record["hepml"]["thresholds"] = [{"signal_efficiency": 0.8, "threshold": 0.25, "pt": [10, None], "eta": None}]
    ev = load(record)
    assert [(r.name, r.shape) for r in ev.inputs] == [("image", (2, 3, 1)), ("flat", (2,))]
    assert [variable.name for variable in ev.inputs[1].variables] == ["a", "b"]
    assert [(r.name, r.shape, r.labels) for r in ev.outputs] == [("output", (1,), ("signal",))]
    assert ev.geometry == PAPER
    assert ev.thresholds == record["hepml"]["thresholds"]
    assert ev.model_id == "abc"
    assert ev.n_parameters == 9
    assert ev.cpu in ("generic", "avx2", "avx512")
    assert repr(ev).startswith("Evaluator(image: 2 x 3 x 1, flat: 2 -> output: 1; 9 parameters")


def test_values_are_raw_and_the_leading_axis_is_the_event():
    ev = load(network())
    image = np.arange(24.0).reshape(4, 2, 3, 1)
    flat = [[0, 0], [1, 0], [0, 1], [1, 1]]
    logits = ev({"image": image, "flat": flat}, logits=True)["output"]
    assert logits.dtype == np.float32
    assert np.array_equal(logits, 0.5 * image.sum(axis=(1, 2)) + np.sum(flat, axis=1, keepdims=True))
    scores = ev({"flat": flat, "image": image[..., 0]})["output"]  # one channel may be left out
    assert np.allclose(scores, 1 / (1 + np.exp(-logits.astype(float))), atol=1e-7)
    assert ev({"image": np.zeros((0, 2, 3, 1)), "flat": np.zeros((0, 2))})["output"].shape == (0, 1)


def test_a_network_with_one_input_takes_the_array_itself():
    record = network(
        inputs=[{"name": "x", "variables": [{"name": "a", "offset": -1.0, "scale": 2.0}]}],
        nodes=[{"type": "input", "sources": [0], "size": 1}],
        layers=[],
        outputs={"y": {"labels": ["a"], "node_index": 0}},
    )
    ev = load(record)
    assert ev(np.array([[3.0], [1.0]]))["y"].tolist() == [[4.0], [0.0]]
    assert ev({"x": [[2.0]]}, logits=True)["y"].tolist() == [[2.0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_bad_event_is_nan_and_its_neighbours_are_not(bad):
    ev = load(network())
    image, flat = np.ones((3, 2, 3, 1)), np.ones((3, 2))
    flat[1, 0] = bad
    scores = ev({"image": image, "flat": flat})["output"][:, 0]
    assert np.isnan(scores).tolist() == [False, True, False]
    assert scores[0] == scores[2]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"image": np.zeros((2, 2, 3, 1))}, ["'flat' is missing"]),
        ({"image": np.zeros((2, 2, 3, 1)), "flap": np.zeros((2, 2))}, ["no input 'flap'", "nearest:  'flat'"]),
        ({"image": np.zeros((2, 3, 2, 1)), "flat": np.zeros((2, 2))}, ["'image'", "(n, 2, 3, 1)", "(2, 3, 2, 1)"]),
        ({"image": np.zeros((2, 2, 3, 1)), "flat": np.zeros(2)}, ["'flat'", "(n, 2)", "(2,)"]),
        ({"image": np.zeros((2, 2, 3, 1)), "flat": np.zeros((3, 2))}, ["image: 2, flat: 3"]),
        ({"image": np.zeros((2, 2, 3, 1)), "flat": [["a", "b"]] * 2}, ["'flat' is not an array of numbers"]),
        ({"image": np.zeros((2, 2, 3, 1)), "flat": [[1, 2], [3]]}, ["'flat' is not an array of numbers"]),
        (np.zeros((2, 2)), ["a dict with the keys image, flat"]),
    ],
)
def test_wrong_arrays_are_named(arrays, words):
    with pytest.raises(DataError) as caught:
        load(network())(arrays)
    for word in words:
        assert word in str(caught.value)


def test_sequences_that_do_not_meet_are_nan():
    variables = [{"name": "a", "offset": 0.0, "scale": 1.0}]
    record = {
        "inputs": [],
        "input_sequences": [{"name": name, "variables": variables} for name in ("s", "t")],
        "nodes": [
            {"type": "input_sequence", "sources": [0], "size": 1},
            {"type": "input_sequence", "sources": [1], "size": 1},
            {"type": "layer", "sources": [0, 1], "layer_index": 0},
        ],
        "layers": [{"architecture": "add"}],
        "outputs": {"y": {"labels": ["a"], "node_index": 2}},
    }
    ev = load(record)
    one, two = np.ones((2, 3, 1)), np.ones((2, 2, 1))
    assert ev({"s": one, "t": one})["y"].tolist() == [[[2.0]] * 3] * 2
    alone = ev({"s": one, "t": two})["y"]
    assert alone.shape == (2, 1, 1)
    assert np.isnan(alone).all()


def test_logits_of_an_activation_layer_of_its_own_are_its_input():
    record = network(layers=[{"architecture": "flatten"}, dense([1.0] * 8, [0.0]), dense([], [], "tanh")])
    record["nodes"].append({"type": "feed_forward", "sources": [4], "layer_index": 2})
    record["outputs"] = {"output": {"labels": ["signal"], "node_index": 5}, "sum": {"labels": ["s"], "node_index": 4}}
    ev = load(record)
    arrays = {"image": np.zeros((1, 2, 3)), "flat": [[0.25, 0.5]]}
    assert ev(arrays, logits=True)["output"] == 0.75
    assert ev(arrays, logits=True)["sum"] == 0.75  # no activation: the output itself
    assert ev(arrays)["output"] == pytest.approx(np.tanh(0.75), abs=1e-7)


def test_threads_share_an_evaluator(shared):
    ev = Evaluator(shared / "lwtnn" / "networks" / "hl.lwtnn.json")
    x = np.random.default_rng(1).normal(size=(2000, 7)).astype(np.float32)
    alone = ev(x)["outnode0"]
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: ev(x)["outnode0"], range(12)):
            assert np.array_equal(result, alone)


def test_reference_vectors_that_do_not_reproduce():
    record = network()
    record["hepml"]["reference"] = {
        "inputs": {"image": [[0] * 6, [1] * 6], "flat": [[0, 0], [0, 0]]},
        "outputs": {"output": [[0.5], [0.95]]},
        "tolerance": 1e-6,
    }
    with pytest.raises(VerificationError) as caught:
        load(record)
    assert caught.value.exit_code == 3
    assert "hepml.reference.outputs.output[1][0] (signal)" in str(caught.value)
    assert "0.9525" in str(caught.value)
    assert "reference" not in Evaluator.from_text(json.dumps(record), verify=False).metadata


def test_absent_and_damaged_files(tmp_path):
    with pytest.raises(InputFileError, match="cannot open") as caught:
        Evaluator(tmp_path / "absent.json")
    assert "absent.json" in str(caught.value)
    path = tmp_path / "net.json"
    path.write_text(json.dumps(network())[:-10])
    with pytest.raises(InputFileError, match="not JSON, or truncated") as caught:
        Evaluator(path)
    assert str(path) in str(caught.value)
    path.write_text(json.dumps(network(nodes=[])))
    with pytest.raises(SchemaError, match="a network without nodes") as caught:
        Evaluator(path)
    assert f"{path}: nodes" in str(caught.value)


def test_an_unknown_layer_names_its_place_and_its_neighbours():
    with pytest.raises(SchemaError) as caught:
        load(network(layers=[{"architecture": "flaten"}, dense([1.0] * 8, [0.0])]))
    assert caught.value.parts["where"] == "layers[0].architecture"
    assert caught.value.parts["nearest"] == "'flatten'"


def test_mutated_files_are_refused_or_evaluated_but_never_crash():
    text = json.dumps(network()).encode()
    generator = random.Random(7)
    arrays = {"image": np.ones((1, 2, 3, 1)), "flat": np.ones((1, 2))}
    outcomes = {"refused": 0, "evaluated": 0}
    pieces = [b'"', b"[", b"]", b"{", b"}", b"-", b"1e9", b"0", b"null", b"99999999999", b"\xff", b",", b'"size"', b""]
    for _ in range(4000):
        mutated = bytearray(text)
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(mutated))
            end = at + generator.randint(0, 4)
            mutated[at:end] = generator.choice(pieces)
        try:
            ev = Evaluator.from_text(bytes(mutated).decode("latin1"))
        except HepmlError:
            outcomes["refused"] += 1
            continue
        outcomes["evaluated"] += 1
        if {r.name: r.shape for r in ev.inputs} == {"image": (2, 3, 1), "flat": (2,)}:
            ev(arrays)
    assert outcomes["refused"] > 3000
    assert outcomes["evaluated"] > 0


def test_an_unknown_instruction_set_is_refused():
    code = "from hepml.evaluator import Evaluator; Evaluator.from_text('{}')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HEPML_CPU": "avx99"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "HEPML_CPU" in run.stderr
    assert "generic" in run.stderr


def test_the_instruction_set_is_chosen_at_load(monkeypatch):
    monkeypatch.setenv("HEPML_CPU", "generic")
    text = json.dumps(network())
    assert [Evaluator.from_text(text, cpu=cpu).cpu for cpu in cpus()] == cpus()
    assert Evaluator.from_text(text).cpu == "generic"
    with pytest.raises(DataError, match="the option cpu names no instruction set") as error:
        Evaluator.from_text(text, cpu="avx3")
    assert error.value.parts["expected"] == ", ".join(cpus())
    for wrong in (3, 0, "", b"avx2"):
        with pytest.raises(DataError, match="the option cpu"):
            Evaluator.from_text(text, cpu=wrong)


def test_tags_of_smeared_towers_equal_scores_of_images(sample):
    variables = [{"name": name, "offset": 0.0, "scale": 0.01} for name in hepml.FEATURE_NAMES]
    record = network(
        inputs=[{"name": "hl", "variables": variables}],
        nodes=[
            {"type": "input", "sources": [0], "size": 7},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
        ],
        layers=[dense([1.0, -2.0, 0.5, 0.25, 0.125, 0.0625, -1.0], [0.1], "sigmoid")],
        outputs={"output": {"labels": ["signal"], "node_index": 1}},
    )
    record["hepml"]["geometry"] = PAPER.to_dict()
    ev = load(record)
    events = hepml.open_events(sample["electrons"], entry_stop=300)
    candidates = hepml.select_candidates(events)
    tags = ev.tag(events.ecal, events.hcal, candidates.row, candidates.eta, candidates.phi)
    expected = ev(hepml.high_level(hepml.make_images(candidates)))["output"][:, 0]
    assert len(expected) > 200
    assert not tags.status.any()
    assert np.array_equal(tags.score, expected)
    assert np.isnan(ev.tag(events.ecal, events.hcal, [0], [9.0], [0.0]).score).all()
    with pytest.raises(DataError, match="no image geometry"):
        load(network()).tag(events.ecal, events.hcal, [0], [0.0], [0.0])
