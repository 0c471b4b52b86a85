"""The compact form of a network file: the same network, bit for bit, or an error that says what is damaged."""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import hepml
from hepml.cli.main import main
from hepml.errors import OutputError, SchemaError
from hepml.export import validate
from hepml.export.packing import compact
from hepml.export.precision import reduce_weights

CORPUS = sorted((Path(__file__).parents[2] / "cpp" / "fuzz" / "corpus").glob("*.json"))


def events(evaluator):
    generator = np.random.default_rng(0)
    shapes = {record.name: [n or 5 for n in record.shape] for record in evaluator.inputs}
    return {name: generator.integers(0, 4, (20, *shape)) for name, shape in shapes.items()}


def packed(value):
    """Every packed list in the document."""
    if isinstance(value, dict):
        if "crc32" in value:
            return [value]
        value = list(value.values())
    return [found for item in value for found in packed(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_kind_of_network_gives_the_same_bits(path, tmp_path):
    output = compact(path, tmp_path / "net.json")
    plain, small = hepml.Evaluator(path), hepml.Evaluator(output)
    given = events(plain)
    for logits in (False, True):
        right, found = plain(given, logits=logits), small(given, logits=logits)
        assert list(right) == list(found)
        for name in right:
            assert right[name].tobytes() == found[name].tobytes()
    assert small.model_id == plain.model_id


def test_long_lists_alone_are_packed_and_the_schema_knows_them(network_file, tmp_path):
    output = compact(network_file, tmp_path / "net.json")
    document, before = json.loads(output.read_text()), json.loads(network_file.read_text())
    validate(document)
    lists = packed(document)
    assert len(lists) == 1  # the weights of the first layer; shorter ones stay readable
    assert all(set(one) == {"float32", "crc32"} for one in lists)
    for one in lists:
        data = base64.b64decode(one["float32"], validate=True)
        assert zlib.crc32(data) == one["crc32"]
        assert len(data) >= 4 * 16
    assert document["inputs"] == before["inputs"]
    assert document["hepml"]["model_id"] == before["hepml"]["model_id"]
    assert output.stat().st_size < network_file.stat().st_size


@pytest.fixture
def network_file(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((7,), name="hl"), keras.layers.Dense(9, "relu"), keras.layers.Dense(1)])
    hepml.export_model(model, tmp_path / "plain.json")
    return tmp_path / "plain.json"


def test_the_header_of_a_compact_file_is_the_same(network_file, tmp_path):
    headers = []
    for path in (network_file, compact(network_file, tmp_path / "net.json")):
        hepml.export_source(path, tmp_path / f"{path.stem}.hpp", namespace="one")
        headers.append((tmp_path / f"{path.stem}.hpp").read_text())
    assert headers[0] == headers[1]


def test_keys_may_come_in_any_order(network_file, tmp_path):
    output = compact(network_file, tmp_path / "net.json")
    sorted_keys = tmp_path / "sorted.json"
    sorted_keys.write_text(json.dumps(json.loads(output.read_text()), sort_keys=True))
    assert sorted_keys.read_text().index('"crc32"') < sorted_keys.read_text().index('"float32"')
    x = np.ones((1, 7), np.float32)
    found, right = (hepml.Evaluator(path)(x)["output"] for path in (sorted_keys, network_file))
    assert found.tobytes() == right.tobytes()


def test_damage_is_told(network_file, tmp_path):
    output = compact(network_file, tmp_path / "net.json")
    text = output.read_text()
    words = packed(json.loads(text)["layers"])[0]["float32"]
    other = "B" if words[5] != "B" else "C"
    nan = base64.b64encode(np.full(63, np.nan, "<f4").tobytes()).decode()
    crc = f'"crc32":{packed(json.loads(text)["layers"])[0]["crc32"]}'
    for new, number, said in [
        (words[:5] + other + words[6:], crc, "the numbers are damaged"),
        (words, '"crc32":1', "the numbers are damaged"),
        (words, '"crc32":-1', "layers[0].weights.crc32"),
        (words[:-1], crc, "not base64"),
        (words[:5] + "*" + words[6:], crc, "not base64"),
        (words[:5] + "=" + words[6:], crc, "not base64"),
        (words[: 4 * (len(words) // 8)], crc, "layers[0].weights"),
        (nan, f'"crc32":{zlib.crc32(base64.b64decode(nan))}', "not finite"),
    ]:
        output.write_text(text.replace(words, new).replace(crc, number))
        with pytest.raises(SchemaError) as caught:
            hepml.Evaluator(output)
        assert said in str(caught.value)


def test_numbers_of_trees_stay_float64(tmp_path):
    from sklearn.ensemble import GradientBoostingRegressor

    x = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    model = GradientBoostingRegressor(n_estimators=5, random_state=0).fit(x, x[:, 0] * x[:, 1])
    hepml.export_model(model, tmp_path / "plain.json")
    output = compact(tmp_path / "plain.json", tmp_path / "net.json")
    assert {key for one in packed(json.loads(output.read_text())["layers"]) for key in one} > {"float64"}
    found, right = (hepml.Evaluator(tmp_path / name)(x)["output"] for name in ("net.json", "plain.json"))
    assert found.tobytes() == right.tobytes()


def test_the_command(network_file, tmp_path, capsys):
    output = tmp_path / "net.json"
    with pytest.raises(SystemExit) as done:
        main(["compact", str(network_file), "-o", str(output)])
    assert done.value.code == 0
    assert f"{output}: " in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["compact", str(network_file), "-o", str(output)])
    assert done.value.code == 4
    with pytest.raises(OutputError):
        compact(network_file, network_file, overwrite=True)


def labelled(names):
    """Events of both classes."""
    generator = np.random.default_rng(3)
    for _ in range(2):
        x = generator.normal(size=(400, 7)).astype(np.float32)
        yield dict.fromkeys(names, x), (x[:, 0] > 0).astype(np.int8), None


def verified(path):
    """The exit code of `hepml verify`."""
    with pytest.raises(SystemExit) as done:
        main(["verify", str(path)])
    return done.value.code


def retell(path, change):
    """The file with something in it changed by hand."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("form", ["text", "compact", "bf16", "bf16, compact"])
def test_verify_knows_a_model_id_that_is_not_of_this_network(network_file, tmp_path, form, capsys):
    path = tmp_path / "net.json"
    path.write_bytes(network_file.read_bytes())
    if "bf16" in form:
        reduced = tmp_path / "reduced.json"
        reduce_weights(path, reduced, "bf16", labelled, tolerance=1.0)
        path = reduced
    if "compact" in form:
        path = compact(path, tmp_path / "small.json")
    assert verified(path) == 0
    retell(path, lambda document: document["hepml"].update(model_id="0" * 64))
    assert hepml.Evaluator(path).model_id == "0" * 64  # loading does not read every weight again
    assert verified(path) == 3
    assert "the model id is not that of this network" in capsys.readouterr().err


def test_a_network_has_the_same_id_when_reduced_from_either_form(network_file, tmp_path):
    small = compact(network_file, tmp_path / "small.json")
    ids = [
        reduce_weights(path, tmp_path / f"{k}.json", "bf16", labelled, tolerance=1.0).model_id
        for k, path in enumerate([network_file, small])
    ]
    assert ids[0] == ids[1]
