"""What is written: lwtnn's keys, hepml's block, the shortest decimals, the same bytes again."""

import copy
import json

import keras
import numpy as np
import pytest
from keras import layers

import hepml
from hepml.errors import DataError, OutputError, SchemaError, VerificationError
from hepml.export import export_model, model_id, schema, validate
from hepml.export.writer import shortest_decimals, to_text
from hepml.geometry import PAPER

LWTNN_KEYS = {
    "dense": {"architecture", "weights", "bias", "activation"},
    "normalization": {"architecture", "weights", "bias"},
}


def numbers(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value]


def test_what_lwtnn_can_express_has_only_its_keys(make, tmp_path):
    model, specs = make("hl_and_mass")
    written = export_model(model, tmp_path / "net.json", inputs=specs, lwtnn=True)
    text = (tmp_path / "net.json").read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in the file"))
    block = document.pop("hepml")
    assert list(document) == ["inputs", "input_sequences", "nodes", "layers", "outputs"]
    for record in document["inputs"]:
        assert set(record) == {"name", "variables"}
        assert all(set(variable) == {"name", "offset", "scale"} for variable in record["variables"])
    for node in document["nodes"]:
        assert set(node) <= {"type", "sources", "size", "layer_index"}
    for layer in document["layers"]:
        assert set(layer) == LWTNN_KEYS[layer["architecture"]]
    assert document["outputs"] == {"output": {"labels": ["signal"], "node_index": len(document["nodes"]) - 1}}
    assert None not in numbers(document)
    assert block["model_id"] == written.model_id


def test_the_block_of_hepml(make, tmp_path):
    model, specs = make("et_and_ht_and_hl")
    threshold = {"signal_efficiency": 0.8, "threshold": 0.1 + 0.2, "pt": [10.0, 20.0], "eta": None}
    given = {"data": "ab" * 32, "config": "cd" * 32}
    options = {"features": "et_and_ht_and_hl", "thresholds": [threshold], "provenance": given}
    written = export_model(model, tmp_path / "net.json", inputs=specs, **options)
    document = json.loads((tmp_path / "net.json").read_text())
    validate(document)
    block = document["hepml"]
    assert block["format_version"] == 1
    assert block["model_id"] == model_id(document) == written.model_id
    assert block["geometry"] == PAPER.to_dict()
    assert block["convention"] is None
    assert block["thresholds"] == [threshold]
    assert block["provenance"]["data"] == given["data"]
    assert block["provenance"]["hepml"] == hepml.__version__
    assert block["input_ranges"]["et"] == {"minimum": [0], "maximum": [200]}
    assert len(block["input_ranges"]["hl"]["minimum"]) == 7
    reference = block["reference"]
    assert reference["tolerance"] == 1e-6
    assert {name: len(events[0]) for name, events in reference["inputs"].items()} == {"et": 961, "ht": 1024, "hl": 7}
    arrays = {name: np.array(events, np.float32) for name, events in reference["inputs"].items()}
    given = [arrays["et"].reshape(-1, 31, 31, 1), arrays["ht"].reshape(-1, 32, 32, 1), arrays["hl"]]
    assert np.abs(np.asarray(model(given)) - np.array(reference["outputs"]["output"])).max() <= 1e-7


def test_reference_events_are_those_of_the_run(make, tmp_path):
    from dataclasses import replace

    model, (hl,) = make("hl")
    events = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    export_model(model, tmp_path / "net.json", inputs=[replace(hl, reference=events)])
    reference = json.loads((tmp_path / "net.json").read_text())["hepml"]["reference"]
    assert np.array_equal(np.array(reference["inputs"]["hl"], np.float32), events)


def test_random_reference_events_keep_to_the_ranges(make, tmp_path):
    model, specs = make("hl")
    export_model(model, tmp_path / "net.json", inputs=specs)
    events = np.array(json.loads((tmp_path / "net.json").read_text())["hepml"]["reference"]["inputs"]["hl"])
    assert events.shape == (16, 7)
    assert (events >= 0).all()
    assert (events <= np.float32([1, 0.1, 1, 1, 3, 500, 500])).all()


def test_the_same_model_gives_the_same_bytes(make, tmp_path):
    model, specs = make("hl")
    for name in ("a", "b"):
        export_model(model, tmp_path / f"{name}.json", inputs=specs)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_another_weight_gives_another_id(make, tmp_path):
    model, specs = make("hl", seed=5)
    ids = {export_model(model, tmp_path / "0.json", inputs=specs).model_id}
    dense = model.get_layer("dense_2")
    for k in range(2):
        weights = dense.get_weights()
        weights[k].flat[3] = np.nextafter(weights[k].flat[3], np.float32(9))
        dense.set_weights(weights)
        ids.add(export_model(model, tmp_path / f"{k + 1}.json", inputs=specs).model_id)
    ids.add(export_model(model, tmp_path / "9.json", inputs=specs, features="hl").model_id)
    assert len(ids) == 3


def test_the_id_is_of_what_the_score_depends_on(make, tmp_path):
    model, specs = make("et_and_hl")
    first = export_model(model, tmp_path / "0.json", inputs=specs)
    document = json.loads((tmp_path / "0.json").read_text())
    notes = {
        "thresholds": [{"signal_efficiency": 0.8, "threshold": 0.5, "pt": None, "eta": None}],
        "provenance": {"run": "another", "data": "ab" * 32},
        "collection": "electron",
        "validity": {"runs": "1-9"},
        "ranges": lambda names: [{"et": np.ones((3, 31, 31, 1)), "hl": np.ones((3, 7))}],
    }
    assert export_model(model, tmp_path / "1.json", inputs=specs, **notes).model_id == first.model_id

    def changed(*path, to):
        other = json.loads(json.dumps(document))
        place = other
        for key in path[:-1]:
            place = place[key]
        assert place[path[-1]] != to
        place[path[-1]] = to
        return model_id(other)

    assert changed("hepml", "reference", "tolerance", to=2e-6) == first.model_id
    other = {
        changed("hepml", "geometry", "search", to=7),
        changed("hepml", "geometry", "ecal", "eta_max", to=2.6),
        changed("hepml", "convention", to="2011.01984"),
        changed("inputs", 1, "variables", 2, "offset", to=0.25),
        changed("inputs", 1, "variables", 2, "name", to="renamed"),
        changed("inputs", 0, "scale", to=0.5),
        changed("layers", 0, "activation", to="linear"),
        changed("nodes", -1, "sources", to=[0]),
        first.model_id,
    }
    assert len(other) == 9
    spelt = json.loads(json.dumps(document), parse_int=float)  # 1.0 for 1
    spelt["inputs"][1]["variables"][0]["default"] = 0.5
    assert model_id(dict(reversed(spelt.items()))) == first.model_id


def test_what_a_file_says_of_its_use(make, tmp_path):
    model, specs = make("et_and_hl")
    generator = np.random.default_rng(0)
    batches = [{"et": generator.random((50, 31, 31, 1)), "hl": generator.random((50, 7))} for _ in range(2)]
    asked = []

    def data(names):
        asked.extend(names)
        return iter(batches)

    validity = {"runs": "355000-362760", "pileup": "<µ> < 60"}
    export_model(model, tmp_path / "net.json", inputs=specs, ranges=data, validity=validity)
    document = json.loads((tmp_path / "net.json").read_text())
    validate(document)
    evaluator = hepml.Evaluator(tmp_path / "net.json")
    assert asked == ["et", "hl"]
    assert (evaluator.format_version, evaluator.validity) == (1, validity)
    ranges = evaluator.ranges
    assert ranges == document["hepml"]["ranges"]
    assert ranges["events"] == 100
    names = [one.get("variable") or one["quantity"] for one in ranges["quantities"]]
    assert names == ["sum", "maximum", "cells", *specs[1].variables]
    counts = [evaluator.count(batch) for batch in batches]  # C++ puts every event into the bin that Python put it in
    for k, one in enumerate(ranges["quantities"]):
        assert one["bins"] == [sum(pair) for pair in zip(*(c["quantities"][k]["bins"] for c in counts), strict=True)]
        assert counts[0]["quantities"][k]["below"] == counts[0]["quantities"][k]["above"] == 0


def test_deployment_that_does_not_fit_is_refused(make, tmp_path):
    model, specs = make("hl")
    good = {"input": "hl", "variable": "r_had", "entries": 4, "not_finite": 0, "minimum": 0, "maximum": 1}
    good |= {"quantiles": [0.5], "bins": [2, 2]}
    for change in ({"variable": "r_hat"}, {"input": "et"}, {"bins": [2, 1]}):
        ranges = {"events": 4, "levels": [0.5], "quantities": [good | change]}
        with pytest.raises(SchemaError):
            export_model(model, tmp_path / "net.json", inputs=specs, ranges=ranges)
    with pytest.raises(DataError, match="no text"):
        export_model(model, tmp_path / "net.json", inputs=specs, validity={"runs": 7})
    with pytest.raises(DataError, match="'hl' is missing"):
        export_model(model, tmp_path / "net.json", inputs=specs, ranges=lambda names: [{"x": np.zeros((2, 7))}])
    assert list(tmp_path.iterdir()) == []


def test_names_without_specs_come_from_keras(tmp_path):
    x = keras.Input((2,), name="kinematics")
    export_model(keras.Model(x, layers.Dense(3, activation="softmax")(x)), tmp_path / "net.json")
    document = json.loads((tmp_path / "net.json").read_text())
    assert [variable["name"] for variable in document["inputs"][0]["variables"]] == ["kinematics_0", "kinematics_1"]
    assert document["outputs"]["output"]["labels"] == ["out_0", "out_1", "out_2"]


def test_labels(tmp_path):
    x = keras.Input((2,), name="x")
    model = keras.Model(x, layers.Dense(2)(x))
    export_model(model, tmp_path / "net.json", labels={"output": ["signal", "background"]})
    assert [record.labels for record in hepml.Evaluator(tmp_path / "net.json").outputs] == [("signal", "background")]


def test_geometries_that_differ_are_refused(make, tmp_path):
    from dataclasses import replace

    model, specs = make("et_and_ht")
    other = replace(specs[0], geometry={**PAPER.to_dict(), "search": 7})
    with pytest.raises(DataError, match="geometry"):
        export_model(model, tmp_path / "net.json", inputs=[other, specs[1]])


def test_shortest_decimals_give_every_float_back():
    generator = np.random.default_rng(3)
    bits = generator.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    texts = shortest_decimals(values)
    assert np.array_equal(np.array(texts, dtype=np.float64).astype(np.float32), values)
    assert max(map(len, texts)) <= 24
    assert np.mean([len(text) for text in texts]) < 15
    assert shortest_decimals(np.float32([0, -0.0, 1, 0.1, 1e-45, 16777216])) == [
        *("0", "0", "1", "0.1", "1e-45", "16777216")
    ]


def test_numbers_that_json_lacks_are_refused_with_their_path():
    with pytest.raises(DataError, match=r"\$?outputs.a\[1\]"):
        to_text({"outputs": {"a": [1.0, float("nan")]}})
    with pytest.raises(DataError, match="layers"):
        to_text({"layers": np.array([np.inf], np.float32)})


def test_an_existing_file_is_kept(make, tmp_path):
    model, specs = make("hl")
    path = tmp_path / "net.json"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        export_model(model, path, inputs=specs)
    assert path.read_text() == "mine"
    export_model(model, path, inputs=specs, overwrite=True)
    assert path.read_text() != "mine"


def test_a_file_that_cpp_does_not_reproduce_is_never_named(make, tmp_path, monkeypatch):
    from types import SimpleNamespace

    import hepml.export.layers.dense as handlers

    model, specs = make("hl")
    wrong = SimpleNamespace(
        asarray=lambda a, dtype: np.asarray(a, dtype) * np.float32(1.001), zeros=np.zeros, float32=np.float32
    )
    monkeypatch.setattr(handlers, "np", wrong)
    with pytest.raises(VerificationError) as caught:
        export_model(model, tmp_path / "net.json", inputs=specs)
    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_changed_weights_and_reference_vectors_are_refused_at_load(network, tmp_path):
    document = json.loads(network("hl").read_text())
    damaged = tmp_path / "net.json"
    for change in ("output", "input", "weight"):
        copied = copy.deepcopy(document)
        if change == "output":
            copied["hepml"]["reference"]["outputs"]["output"][3][0] += 1e-5
        elif change == "input":
            copied["hepml"]["reference"]["inputs"]["hl"][2][0] += 1.0
        else:
            copied["layers"][0]["weights"][5] += 0.01
        damaged.write_text(json.dumps(copied))
        with pytest.raises(VerificationError):
            hepml.Evaluator(damaged)


class TestSchema:
    def test_is_a_schema(self):
        import jsonschema

        jsonschema.Draft202012Validator.check_schema(schema())

    @pytest.mark.parametrize("features", ["hl", "mass", "et_and_ht_and_hl"])
    def test_written_files_follow_it(self, network, features):
        validate(json.loads(network(features).read_text()))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("inputs",), None),
            (("inputs", 0, "name"), ""),
            (("inputs", 0, "shape"), [31, 31]),
            (("inputs", 0, "scale"), None),
            (("inputs", 2, "variables", 0, "offset"), "0.5"),
            (("inputs", 2, "variables", 0, "scale"), float("nan")),
            (("input_sequences",), [1]),
            (("nodes", 0, "size"), 0),
            (("nodes", 0, "type"), "inputs"),
            (("nodes", 3, "layer_index"), -1),
            (("nodes", 3, "sources"), []),
            (("layers", 0, "architecture"), "Conv2D"),
            (("layers", 0, "padding"), "causal"),
            (("layers", 0, "strides"), [1]),
            (("layers", 0, "weights", 7), "1"),
            (("layers", 0, "weights", 7), None),
            (("layers", 0, "weights", 7), True),
            (("layers", 0, "groups"), 0),
            (("layers", 0, "activation"), "relu"),
            (("layers", 0, "activation"), {"function": "elu"}),
            (("outputs",), {}),
            (("outputs", "output", "labels"), []),
            (("outputs", "output", "labels"), ["a", "a"]),
            (("outputs", "output", "node_index"), 1.5),
            (("hepml", "format_version"), 0),
            (("hepml", "format_version"), "1"),
            (("hepml", "model_id"), "abc"),
            (("hepml", "geometry", "search"), -1),
            (("hepml", "geometry", "ecal"), None),
            (("hepml", "convention"), "2011"),
            (("hepml", "thresholds"), [{"threshold": 0.5}]),
            (("hepml", "thresholds", 0, "signal_efficiency"), 1.5),
            (("hepml", "provenance"), {}),
            (("hepml", "reference", "tolerance"), 0.1),
            (("hepml", "reference", "inputs", "hl"), []),
            (("hepml", "reference", "outputs", "output", 0), [float("inf")]),
            (("hepml", "extra"), 1),
            (("extra",), 1),
        ],
        ids=str,
    )
    def test_mutations_are_refused_with_their_place(self, network, path, value):
        document = json.loads(network("et_and_ht_and_hl").read_text())
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        with pytest.raises(SchemaError) as caught:
            validate(document)
        assert str(path[0]) in str(caught.value)

    @pytest.mark.parametrize("key", ["inputs", "input_sequences", "nodes", "layers", "outputs", "hepml"])
    def test_missing_parts_are_named(self, network, key):
        document = json.loads(network("hl").read_text())
        del document[key]
        with pytest.raises(SchemaError, match=key):
            validate(document)

    @pytest.mark.parametrize("document", [None, [], 3, "net", {}, {"hepml": 1}])
    def test_other_things_are_refused(self, document):
        with pytest.raises(SchemaError):
            validate(document)

    def test_newer_files_are_refused_in_a_sentence(self, network):
        document = json.loads(network("hl").read_text())
        document["hepml"]["format_version"] = 2
        with pytest.raises(SchemaError, match="newer than this hepml"):
            validate(document)


def test_the_inputs_alone_carry_geometry_and_features(make, tmp_path):
    model, specs = make("hl_and_mass")
    export_model(model, tmp_path / "net.json", inputs=specs)
    block = json.loads((tmp_path / "net.json").read_text())["hepml"]
    assert block["geometry"] == PAPER.to_dict()
    assert block["features"] == "hl_and_mass"
