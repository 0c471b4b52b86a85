"""Energy-flow polynomials as part of an exported model: from towers, in C++, the number that Keras gives."""

import copy
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import hepml
from hepml.applying import score_events
from hepml.cli import main
from hepml.dataset import Dataset
from hepml.efp.columns import compute_columns
from hepml.errors import DataError, SchemaError, VerificationError
from hepml.export import export_model, model_id
from hepml.export.validation import validate
from hepml.geometry import PAPER
from hepml.models import InputSpec

NAMES = (
    "et_efp_3_3_1_k_1_b_2",
    "et_efp_2_1_0_k_0.5_b_1",
    "ht_efp_2_1_0_k_2_b_1",
    "et_efp_2_1_0_k_-1_b_0.5",
    "ht_efp_3_2_0_k_0_b_1",
    "et_efp_2_1_0x2_2_0_k_1_b_2",
    "ht_efp_1_0_0_k_2_b_1",
    "ht_efp_4_6_0_k_0.5_b_0.25",
)


def images_of(path, **options):
    events = hepml.open_events(path, **options)
    candidates = hepml.select_candidates(events)
    return events, candidates, hepml.make_images(candidates)


def inputs_of(images):
    """What a network is trained on: float64, rounded once."""
    return {
        "hl": hepml.high_level(images).astype(np.float32),
        "efp": compute_columns(images.ecal_et, images.hcal_et, NAMES).astype(np.float32),
    }


def network_of(x, names=NAMES, geometry=PAPER):
    """A Keras model of the seven variables and polynomials, which normalizes them as training does."""
    keras.utils.set_random_seed(3)
    given, scaled = [], []
    for name, values in x.items():
        given.append(keras.Input(values.shape[1:], name=name))
        layer = keras.layers.Normalization(mean=values.mean(0), variance=values.var(0))
        scaled.append(layer(given[-1]))
    y = keras.layers.Dense(16, "relu")(keras.layers.Concatenate()(scaled))
    model = keras.Model(given, keras.layers.Dense(1, "sigmoid")(y))
    known = None if geometry is None else geometry.to_dict()
    variables = {"hl": hepml.FEATURE_NAMES, "efp": names}
    return model, [InputSpec(k, v.shape[1:], variables[k], known, reference=v[:16]) for k, v in x.items()]


@pytest.fixture(scope="module")
def made(sample, tmp_path_factory):
    """(path of the file, Keras model, its input specs)."""
    _, _, images = images_of(sample["electrons"], entry_stop=500)
    model, specs = network_of(inputs_of(images))
    path = tmp_path_factory.mktemp("polynomials") / "net.json"
    export_model(model, path, inputs=specs, collection="electron")
    return path, model, specs


@pytest.fixture(scope="module")
def document(made):
    return json.loads(made[0].read_text())


def towers_of(events, candidates):
    columns = ("offsets", "et", "e", "eta", "phi")
    return (
        replace(towers, edges=None, **dict(zip(columns, placed[:5], strict=True)))
        for towers, placed in zip((events.ecal, events.hcal), candidates.cells, strict=True)
    )


def check_scores(tree, path):
    events, candidates, images = images_of(tree, entry_stop=1000)
    x = inputs_of(images)
    model, specs = network_of(x)
    export_model(model, path, inputs=specs, collection="electron")
    evaluator = hepml.Evaluator(path)
    expected = np.asarray(model([x["hl"], x["efp"]]))[:, 0]
    ecal, hcal = towers_of(events, candidates)
    tags = evaluator.tag(ecal, hcal, candidates.row, candidates.eta, candidates.phi)
    assert len(expected) >= 100
    assert not tags.status.any()
    assert np.abs(tags.score - expected).max() <= 1e-6
    made = evaluator.efp(images.ecal_et, images.hcal_et)
    assert made.dtype == np.float32
    assert np.all(np.abs(made - x["efp"]) <= 1e-6 * np.abs(x["efp"]))
    assert all((x["efp"][:, k] > 0).any() for k in range(len(NAMES)))
    scored = score_events(evaluator, events)
    assert np.array_equal(scored.score[candidates.row], tags.score)


class TestScores:
    @pytest.mark.parametrize("kind", ["electrons", "jets"])
    def test_the_tagger_and_apply_give_what_keras_does(self, sample, kind, tmp_path):
        check_scores(sample[kind], tmp_path / "net.json")

    @pytest.mark.parametrize("name", ["eid_dev_electrons", "eid_dev_jets", "eid_pileup50_jets"])
    def test_on_the_real_events(self, shared, name, tmp_path):
        check_scores(shared / "electrons" / f"{name}.root", tmp_path / "net.json")

    def test_instruction_sets_agree(self, made, sample):
        _, _, images = images_of(sample["jets"], entry_stop=200)
        fastest, *others = [
            hepml.Evaluator(made[0], cpu=cpu).efp(images.ecal_et, images.hcal_et).astype(float)
            for cpu in hepml.evaluator.cpus()
        ]
        for other in others:
            assert np.all(np.abs(other - fastest) <= 2e-7 * np.abs(fastest))

    def test_any_number_of_threads_gives_the_same(self, made, sample):
        _, _, images = images_of(sample["jets"], entry_stop=300)
        one, four = (hepml.Evaluator(made[0], threads=n).efp(images.ecal_et, images.hcal_et) for n in (1, 4))
        assert np.array_equal(one, four)

    def test_empty_images_and_no_images(self, made):
        evaluator = hepml.Evaluator(made[0])
        empty = evaluator.efp(np.zeros((2, 31, 31, 1)), np.zeros((2, 32, 32)))
        assert empty.tolist() == [[0.0] * len(NAMES)] * 2
        assert evaluator.efp(np.zeros((0, 31, 31)), np.zeros((0, 32, 32))).shape == (0, len(NAMES))

    def test_images_that_do_not_fit(self, made):
        evaluator = hepml.Evaluator(made[0])
        with pytest.raises(DataError, match="'ecal_et' has the wrong shape"):
            evaluator.efp(np.zeros((2, 32, 32)), np.zeros((2, 32, 32)))
        with pytest.raises(DataError, match="'hcal_et' has the wrong shape"):
            evaluator.efp(np.zeros((2, 31, 31)))
        with pytest.raises(DataError, match="not as many images"):
            evaluator.efp(np.zeros((2, 31, 31)), np.zeros((3, 32, 32)))

    def test_arrays_are_evaluated_as_before(self, made, sample):
        path, model, _ = made
        x = inputs_of(images_of(sample["jets"], entry_stop=100)[2])
        found = hepml.Evaluator(path)(x)["output"]
        assert np.abs(found - np.asarray(model([x["hl"], x["efp"]]))).max() <= 1e-6

    def test_other_pixels(self, sample, tmp_path):
        """A grid twice as fine: angles, and so the polynomials of one edge, are half as large."""
        _, _, images = images_of(sample["electrons"], entry_stop=50)
        x = inputs_of(images)
        fine = replace(PAPER, ecal=replace(PAPER.ecal, n_eta=400, n_phi=504), hcal=replace(PAPER.hcal, n_eta=100))
        export_model(*network_of(x)[:1], tmp_path / "a.json", inputs=network_of(x, geometry=fine)[1])
        block = json.loads((tmp_path / "a.json").read_text())["hepml"]
        assert block["efps"]["reference"] == []
        found = hepml.Evaluator(tmp_path / "a.json").efp(images.ecal_et, images.hcal_et)
        k = NAMES.index("et_efp_2_1_0_k_0.5_b_1")
        assert np.allclose(2 * found[:, k], x["efp"][:, k], rtol=1e-6)
        k = NAMES.index("et_efp_3_3_1_k_1_b_2")
        assert np.allclose(64 * found[:, k], x["efp"][:, k], rtol=1e-6)


class TestFile:
    def test_it_says_what_the_polynomials_are(self, document):
        validate(document)
        efps = document["hepml"]["efps"]
        assert [one["name"] for one in efps["columns"]] == list(NAMES)
        assert efps["columns"][0] == {
            "name": NAMES[0],
            "calorimeter": "ecal",
            "n": 3,
            "edges": [[0, 1], [0, 2], [1, 2]],
            "kappa": 1,
            "beta": 2,
            "normed": True,
        }
        assert len(efps["reference"]) == 4

    def test_the_reference_is_right(self, document):
        for event in document["hepml"]["efps"]["reference"]:
            images = []
            for name, side in (("ecal", 31), ("hcal", 32)):
                image = np.zeros((1, side, side))
                for row, column, energy in event[name]:
                    image[0, row, column] = energy
                images.append(image)
            assert np.allclose(event["values"], compute_columns(*images, NAMES), rtol=1e-12)

    @pytest.mark.parametrize(
        "change",
        [
            lambda one: one.update(edges=[[0, 1], [0, 2], [0, 2]]),
            lambda one: one.update(normed=False),
        ],
    )
    def test_definitions_that_were_changed_do_not_load(self, document, change, tmp_path):
        text = copy.deepcopy(document)
        change(text["hepml"]["efps"]["columns"][0])
        path = tmp_path / "net.json"
        path.write_text(json.dumps(text))
        with pytest.raises(VerificationError, match=NAMES[0]):
            hepml.Evaluator(path)
        assert model_id(text) != model_id(document) == document["hepml"]["model_id"]

    @pytest.mark.parametrize(
        ("at", "name"),
        [
            (0, "et_efp_3_3_0_k_1_b_2"),  # another graph of as many vertices and edges
            (0, "et_efp_3_3_7_k_1_b_2"),  # there is none
            (5, "et_efp_2_2_0x2_1_0_k_1_b_2"),  # the parts in another order
        ],
    )
    def test_a_name_of_another_graph_does_not_load(self, document, at, name, tmp_path):
        text = copy.deepcopy(document)
        text["hepml"]["efps"]["columns"][at]["name"] = name
        variables = next(one["variables"] for one in text["inputs"] if one["name"] == "efp")
        variables[at]["name"] = name
        path = tmp_path / "net.json"
        path.write_text(json.dumps(text))
        with pytest.raises(SchemaError, match="that of another graph") as caught:
            hepml.Evaluator(path)
        assert caught.value.parts["where"] == f"{path}, hepml.efps.columns[{at}].name"
        assert NAMES[at].split("_k_")[0].removeprefix("et_efp_") in caught.value.parts["expected"]

    def test_edges_may_be_numbered_in_any_way(self, document, tmp_path):
        text = copy.deepcopy(document)
        text["hepml"]["efps"]["columns"][4]["edges"] = [[2, 0], [1, 2]]
        (tmp_path / "net.json").write_text(json.dumps(text))
        assert len(hepml.Evaluator(tmp_path / "net.json").metadata["efps"]["columns"]) == len(NAMES)

    def test_the_reference_is_no_part_of_the_identity(self, document):
        text = copy.deepcopy(document)
        del text["hepml"]["efps"]["reference"]
        assert model_id(text) == model_id(document)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("calorimeter", "muon"),
            ("n", 0),
            ("n", 17),
            ("edges", [[0, 1, 2]]),
            ("edges", [[0, 1]] * 17),
            ("edges", [[0, -1]]),
            ("kappa", "1"),
            ("normed", 1),
            ("name", "efp_0"),
            ("extra", 1),
        ],
    )
    def test_the_schema_refuses_others(self, document, key, value):
        text = copy.deepcopy(document)
        text["hepml"]["efps"]["columns"][0][key] = value
        with pytest.raises(SchemaError, match="efps"):
            validate(text)

    def test_without_a_geometry_they_are_numbers_like_others(self, sample, tmp_path):
        x = inputs_of(images_of(sample["electrons"], entry_stop=50)[2])
        model, specs = network_of(x, geometry=None)
        export_model(model, tmp_path / "net.json", inputs=specs)
        assert "efps" not in json.loads((tmp_path / "net.json").read_text())["hepml"]
        with pytest.raises(DataError, match="does not say what the numbers"):
            hepml.Evaluator(tmp_path / "net.json").efp(np.zeros((1, 31, 31)))

    def test_names_of_the_users_own(self, sample, tmp_path):
        x = inputs_of(images_of(sample["electrons"], entry_stop=50)[2])
        own = tuple(f"own_{k}" for k in range(len(NAMES)))
        model, specs = network_of(x, own)
        export_model(model, tmp_path / "net.json", inputs=specs)
        assert "efps" not in json.loads((tmp_path / "net.json").read_text())["hepml"]
        with pytest.raises(DataError, match="'efp' cannot be made from towers"):
            score_events(hepml.Evaluator(tmp_path / "net.json"), hepml.open_events(sample["jets"], entry_stop=5))
        model, specs = network_of(x, (*NAMES[:-1], "own"))
        with pytest.raises(DataError, match="no polynomial is named 'own'"):
            export_model(model, tmp_path / "other.json", inputs=specs)
        assert not (tmp_path / "other.json").exists()

    def test_trees_take_them_too(self, sample, tmp_path):
        from sklearn.ensemble import GradientBoostingClassifier

        x = [inputs_of(images_of(sample[kind], entry_stop=200)[2])["efp"] for kind in ("electrons", "jets")]
        y = np.repeat([1, 0], [len(one) for one in x])
        trees = GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=0).fit(np.concatenate(x), y)
        spec = InputSpec("efp", (len(NAMES),), NAMES, PAPER.to_dict())
        export_model(trees, tmp_path / "trees.json", inputs=[spec])
        scored = score_events(
            hepml.Evaluator(tmp_path / "trees.json"), hepml.open_events(sample["jets"], entry_stop=200)
        )
        assert np.allclose(scored.score[scored.status == 0], trees.predict_proba(x[1])[:, 1], atol=1e-6)


class TestOtherForms:
    def test_the_compact_form_keeps_them(self, made, tmp_path):
        from hepml.export.packing import compact

        compact(made[0], tmp_path / "small.json")
        images = np.ones((1, 31, 31)), np.ones((1, 32, 32))
        one, other = (hepml.Evaluator(path).efp(*images) for path in (made[0], tmp_path / "small.json"))
        assert np.array_equal(one, other)

    def test_lwtnn_and_a_header_take_the_numbers(self, made, tmp_path):
        _, model, specs = made
        export_model(model, tmp_path / "net.json", inputs=specs, lwtnn=True, source=tmp_path / "net.hpp")
        assert "efp" in (tmp_path / "net.hpp").read_text()
        evaluator = hepml.Evaluator(tmp_path / "net.json")
        assert evaluator.efp(np.zeros((1, 31, 31)), np.zeros((1, 32, 32))).shape == (1, len(NAMES))

    def test_onnx_takes_the_numbers(self, made, tmp_path, sample):
        runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
        from hepml.export.onnx import export_onnx

        export_onnx(made[0], tmp_path / "net.onnx")
        x = inputs_of(images_of(sample["jets"], entry_stop=50)[2])
        found = runtime.InferenceSession(tmp_path / "net.onnx").run(None, x)[0]
        assert np.allclose(found, hepml.Evaluator(made[0])(x)["output"], atol=1e-6)


class TestCommands:
    @pytest.fixture
    def run(self, capsys):
        def called(*words):
            with pytest.raises(SystemExit) as stop:
                main([str(word) for word in words])
            assert not stop.value.code
            return capsys.readouterr().out

        return called

    def test_predict_makes_them_from_a_data_file(self, made, data, run, tmp_path):
        path, model, _ = made
        run("predict", path, data, "-o", tmp_path / "scores.npz", "--split", "test")
        dataset = Dataset.open(data)
        et, ht = (dataset.pixels(token, "test").dense(slice(None)) for token in ("et", "ht"))
        x = [dataset.raw("hl", "test"), compute_columns(et, ht, NAMES).astype(np.float32)]
        with np.load(tmp_path / "scores.npz") as scores:
            assert np.abs(scores["output"] - np.asarray(model(x))).max() <= 1e-6

    def test_export_counts_and_monitors_them(self, made, data, run, tmp_path):
        _, model, specs = made
        dataset = Dataset.open(data)
        et, ht = (dataset.pixels(token, "train").dense(slice(None)) for token in ("et", "ht"))
        batch = {"hl": dataset.raw("hl", "train"), "efp": compute_columns(et, ht, NAMES).astype(np.float32)}
        export_model(model, tmp_path / "net.json", inputs=specs, ranges=lambda _names: [batch])
        ranges = json.loads((tmp_path / "net.json").read_text())["hepml"]["ranges"]
        assert [one["variable"] for one in ranges["quantities"] if one["input"] == "efp"] == list(NAMES)
        found = json.loads(run("monitor", tmp_path / "net.json", data, "--split", "train", "--json"))
        assert len(found["quantities"]) == 7 + len(NAMES)
        assert all(one["psi"] == 0 for one in found["quantities"])

    def test_precision_compares_decisions(self, made, data, tmp_path):
        from hepml.cli.precision import reduce_to

        reduced = reduce_to(made[0], tmp_path / "half.json", "fp16", data, tolerance=0.5, overwrite=False)
        assert reduced.events > 100
        assert "efps" in json.loads((tmp_path / "half.json").read_text())["hepml"]

    def test_apply_and_show(self, made, sample, run, tmp_path):
        run("apply", made[0], sample["jets"], "-o", tmp_path / "scores.root")
        shown = run("show", made[0])
        assert "Energy-flow polynomials" in shown
        assert "0-1 0-2 1-2" in shown
        assert json.loads(run("show", made[0], "--json"))["efps"][0]["name"] == NAMES[0]
        run("verify", made[0])


def test_a_run_takes_its_polynomials_along(data, sample, tmp_path):
    """Trained by name, exported, and applied to towers: what Keras gives to the polynomials of the images."""
    names = ("et_efp_3_3_1_k_0.5_b_2", "ht_efp_2_1_0_k_1_b_1")
    run = hepml.train(data, features="hl_and_efp", efp_names=names, output=tmp_path / "run", epochs=1, seed=1)
    with pytest.raises(SystemExit) as stop:
        main(["export", str(run.path), "-o", str(tmp_path / "net.json"), "--ranges", str(data)])
    assert not stop.value.code
    block = json.loads((tmp_path / "net.json").read_text())["hepml"]
    assert [one["name"] for one in block["efps"]["columns"]] == list(names)
    assert {one["variable"] for one in block["ranges"]["quantities"] if one["input"] == "efp"} == set(names)
    _, candidates, images = images_of(sample["jets"])
    x = [
        hepml.high_level(images).astype(np.float32),
        compute_columns(images.ecal_et, images.hcal_et, names).astype(np.float32),
    ]
    scored = score_events(hepml.Evaluator(tmp_path / "net.json"), hepml.open_events(sample["jets"]))
    assert np.abs(scored.score[candidates.row] - np.asarray(run.model(x))[:, 0]).max() <= 1e-6
