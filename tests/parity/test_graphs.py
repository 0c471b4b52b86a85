"""Graphs: shared layers, activations used twice, nested models, several outputs, branches."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from hepml.errors import VerificationError
from hepml.evaluator import Evaluator, cpus
from hepml.export import export_model, validate, verification
from hepml.export.reference import in_float64
from hepml.models import InputSpec


def test_a_shared_layer_is_written_once_and_used_twice(parity):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, activation="tanh")
    document = parity(keras.Model([a, b], layers.Concatenate()([shared(b), shared(a)])))
    assert len(document["layers"]) == 1
    assert sum(node["type"] == "feed_forward" for node in document["nodes"]) == 2


def test_an_activation_layer_used_twice(parity):
    x = keras.Input((4,), name="x")
    relu = layers.ReLU()
    y = relu(layers.Dense(5)(relu(layers.Dense(5)(x))))
    document = parity(keras.Model(x, layers.Dense(1)(y)))
    assert sum(node["type"] == "feed_forward" for node in document["nodes"]) == 5


def test_a_shared_activation_on_two_widths(parity):
    x = keras.Input((4,), name="x")
    relu = layers.Activation("tanh")
    parity(keras.Model(x, layers.Dense(1)(relu(layers.Dense(9)(relu(layers.Dense(5)(x)))))))


def test_a_shared_convolution_with_an_activation_behind_one_use(parity):
    a, b = keras.Input((5, 4, 1), name="a"), keras.Input((5, 4, 1), name="b")
    convolution, flatten = layers.Conv2D(2, 3), layers.Flatten()
    branches = [flatten(layers.ReLU()(convolution(a))), flatten(convolution(b))]
    parity(keras.Model([a, b], layers.Concatenate()(branches)))
    branches = [flatten(convolution(a)), flatten(layers.ReLU()(convolution(b)))]
    parity(keras.Model([a, b], layers.Concatenate()(branches)))
    relu = layers.ReLU()
    branches = [flatten(relu(convolution(a))), flatten(relu(convolution(b)))]
    parity(keras.Model([a, b], layers.Concatenate()(branches)))


def test_residual_adds(parity):
    x = keras.Input((6,), name="x")
    y = layers.Dense(6, activation="relu")(x)
    small = keras.initializers.RandomNormal(stddev=0.02, seed=1)  # larger weights would amplify rounding
    for _ in range(30):
        y = layers.Add()([y, layers.Dense(6, activation="tanh", kernel_initializer=small)(y)])
    document = parity(keras.Model(x, layers.Dense(1, activation="sigmoid")(y)), weights=False)
    assert sum(node["type"] == "add" for node in document["nodes"]) == 30


def test_nested_models_share_their_layers(parity):
    inner_input = keras.Input((3,), name="inner")
    inner = keras.Model(
        inner_input, layers.Dense(2, activation="relu")(layers.Dense(4, activation="tanh")(inner_input))
    )
    stack = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Activation("sigmoid")])
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([stack(inner(a)), inner(b)])
    document = parity(keras.Model([a, b], layers.Dense(1)(joined)))
    assert len(document["layers"]) == 5


def test_several_outputs_keep_their_names(parity):
    x = keras.Input((4,), name="x")
    y = layers.Dense(5, activation="relu")(x)
    outputs = [layers.Dense(3, activation="softmax", name="kind")(y), layers.Dense(1, name="energy")(y), y]
    document = parity(keras.Model(x, outputs))
    assert list(document["outputs"])[:2] == ["kind", "energy"]
    assert document["outputs"]["kind"]["labels"] == ["out_0", "out_1", "out_2"]
    assert document["outputs"]["energy"]["labels"] == ["signal"]


def test_a_part_of_a_larger_model(parity):
    x = keras.Input((4,), name="x")
    y = layers.Dense(5, activation="relu", name="hidden")(x)
    whole = keras.Model(x, layers.Dense(1)(y))
    document = parity(keras.Model(whole.inputs, whole.get_layer("hidden").output))
    assert len(document["layers"]) == 1


def test_a_model_that_only_normalises(parity):
    x = keras.Input((2,), name="x")
    document = parity(keras.Model(x, layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0])(x)))
    assert document["layers"] == []


def test_a_saved_and_loaded_model(parity, tmp_path):
    x = keras.Input((4,), name="x")
    y = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 4, 9, 16])(x)
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Dense(5, activation="relu")(y)))
    model.save(tmp_path / "model.keras")
    parity(keras.saving.load_model(tmp_path / "model.keras", safe_mode=True))


class Own(keras.Model):
    """A class of the user's own; its call works on symbolic tensors."""

    def __init__(self):
        super().__init__()
        self.hidden, self.last = layers.Dense(5, activation="mish"), layers.Dense(2)

    def call(self, inputs, training=False):
        return self.last(layers.Dropout(0.5)(self.hidden(inputs) * 2.0, training=training))


class Pair(keras.Model):
    """The same with several inputs and outputs."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return {"sum": self.dense(inputs["a"]) + self.dense(inputs["b"]), "first": self.dense(inputs["a"])}


def test_a_model_that_is_a_class_of_its_own_is_traced(parity):
    model = Own()
    model(np.zeros((3, 4), np.float32))
    outer = keras.Input((4,), name="x")
    parity(keras.Model(outer, layers.Dense(1)(model(outer))))


def test_the_export_of_such_a_model_alone(tmp_path):
    model = Own()
    model(np.zeros((3, 4), np.float32))
    export_model(model, tmp_path / "net.json")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(Evaluator(tmp_path / "net.json")(x)["output"], np.asarray(model(x)), atol=2e-6)


def test_a_class_with_named_inputs_and_outputs(tmp_path):
    model = Pair()
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(5, 4)).astype(np.float32) for name in "ab"}
    right = model(given)
    written = export_model(model, tmp_path / "net.json")
    assert written.inputs == ("a", "b")
    assert written.outputs == ("first", "sum")
    found = Evaluator(tmp_path / "net.json")(given)
    for name, values in right.items():
        np.testing.assert_allclose(found[name], np.asarray(values), atol=2e-6)


def test_inputs_and_outputs_in_dicts_and_lists(parity):
    inputs = {"p": keras.Input((4,), name="p"), "q": keras.Input((4,), name="q")}
    y = layers.Dense(2)(inputs["p"])
    document = parity(keras.Model(inputs, {"w": y, "u": layers.Add()(list(inputs.values()))}))
    assert list(document["outputs"]) == ["u", "w"]
    parity(keras.Model(list(inputs.values()), [y, [inputs["q"] * 2.0, y]]))


def test_several_results_of_one_operation_have_names_of_their_own(parity):
    x = keras.Input((6, 2), name="x")
    document = parity(keras.Model(x, keras.ops.split(x, 3, axis=1)))
    assert len(document["outputs"]) == 3


@pytest.mark.parametrize("steps", [None, 4])
def test_the_variables_of_a_sequence_have_names_and_ranges(tmp_path, steps):
    x = keras.Input((steps, 2), name="tracks")
    spec = InputSpec("tracks", (steps, 2), ("dr", "z"), minimum=[0.0, -3.0], maximum=[2.0, 3.0])
    export_model(keras.Model(x, layers.GRU(3)(x)), tmp_path / "net.json", inputs=[spec])
    document = json.loads((tmp_path / "net.json").read_text())
    validate(document)
    assert [one["name"] for one in document["input_sequences"][0]["variables"]] == ["dr", "z"]
    assert document["hepml"]["input_ranges"] == {"tracks": {"minimum": [0.0, -3.0], "maximum": [2.0, 3.0]}}
    events = np.float32(document["hepml"]["reference"]["inputs"]["tracks"]).reshape(16, -1, 2)
    assert events[..., 0].min() >= 0
    assert np.abs(events[..., 1]).max() <= 3


def amplifier() -> keras.Model:
    """Sums of about 40, of whose difference the output is made: float32 leaves five digits of it."""
    rng = np.random.default_rng(0)
    x = keras.Input((32,), name="x")
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Dense(64, activation="relu")(x)))
    last = rng.normal(scale=0.2, size=(64, 1))
    model.set_weights([rng.normal(scale=0.1, size=(32, 64)), np.full(64, 40.0), last - last.mean(), np.zeros(1)])
    return model


@pytest.mark.parametrize("nested", [False, True])
def test_a_network_that_amplifies_rounding_gets_the_tolerance_that_it_needs(tmp_path, caplog, nested):
    model = amplifier()
    if nested:
        x = keras.Input((32,), name="x")
        model = keras.Model(x, layers.Rescaling(1.0)(model(x)))
    written = export_model(model, tmp_path / "net.json")
    document = json.loads((tmp_path / "net.json").read_text())
    validate(document)
    tolerance = document["hepml"]["reference"]["tolerance"]
    assert 1e-6 < tolerance < 1e-4
    assert 1e-6 < written.differences.outputs <= tolerance
    (said,) = (record for record in caplog.records if "round apart" in record.message)
    assert said.levelname == "WARNING"


def test_the_float64_network_is_float64_throughout():
    inner = amplifier()
    x = keras.Input((32,), name="x")
    wide = in_float64(keras.Model(x, inner(x)))
    models = [layer for layer in wide._flatten_layers() if isinstance(layer, keras.Model)]
    assert {
        layer.compute_dtype for model in models for layer in model.layers if layer.weights and layer not in models
    } == {"float64"}
    assert {tensor.dtype for model in models for tensor in model.inputs} == {"float64"}


def small_network() -> keras.Model:
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Dense(8, activation="tanh")(x)))


def move_float32(monkeypatch, name: str, by: float) -> None:
    """Let Keras' float32 outputs or logits be off by so much; its float64 ones are right."""
    right = getattr(verification, name)

    def moved(model, events):
        found = right(model, events)
        (values,) = found if name == "keras_outputs" else (found,)
        values = values + np.float32(by) if values.dtype == np.float32 else values
        return [values] if name == "keras_outputs" else values

    monkeypatch.setattr(verification, name, moved)


@pytest.mark.parametrize(("name", "by"), [("keras_outputs", 1e-5), ("keras_logits", 2.3e-5)])
def test_where_float32_keras_is_what_differs_float64_is_the_reference(tmp_path, caplog, monkeypatch, name, by):
    caplog.set_level("INFO", "hepml")
    model = small_network()
    move_float32(monkeypatch, name, by)
    written = export_model(model, tmp_path / "net.json")
    assert written.differences.outputs < 1e-6
    assert "round apart" in caplog.text
    reference = json.loads((tmp_path / "net.json").read_text())["hepml"]["reference"]
    assert reference["tolerance"] == 1e-6
    exact = np.asarray(in_float64(model)(np.float32(reference["inputs"]["x"]), training=False))
    np.testing.assert_array_equal(np.float32(reference["outputs"]["output"]), np.float32(exact))


def test_rounding_that_uses_up_most_of_the_tolerance_leaves_some_to_the_evaluator(tmp_path):
    rng = np.random.default_rng(25)  # a sum of exponentials, of which float32 Keras keeps 1e-6 only just
    image, x = keras.Input((13, 1, 2), name="image"), keras.Input((1,), name="x")
    convolved = layers.Conv2D(8, (2, 3), padding="same", groups=2, activation="exponential", use_bias=False)(image)
    model = keras.Model([x, image], layers.Dense(1)(layers.Concatenate()([x, layers.Flatten()(convolved)])))
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.weights])
    assert 1e-6 < export_model(model, tmp_path / "net.json").differences.outputs <= 2e-6


def test_tolerances_grow_with_the_rounding_of_keras():
    widths = [verification._widened(rounding, 1e-6) for rounding in (0.0, 2e-7, 4e-7, 9e-7, 1e-6, 2e-6)]
    assert widths == pytest.approx([1e-6, 1e-6, 1.6e-6, 2e-6, 2e-6, 8e-6])


def test_a_layer_that_the_back_end_does_not_have_in_float64(tmp_path, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("others pool volumes in float64")
    x = keras.Input((2, 2, 2, 1), name="x")
    move_float32(monkeypatch, "keras_outputs", 1e-5)
    with pytest.raises(VerificationError, match="does not reproduce Keras"):
        export_model(keras.Model(x, layers.Flatten()(layers.MaxPooling3D(2)(x))), tmp_path / "net.json")


@pytest.mark.parametrize(("name", "by"), [("keras_outputs", 3e-5), ("keras_logits", 3e-5)])
def test_keras_too_far_from_float64_is_told(tmp_path, monkeypatch, name, by):
    move_float32(monkeypatch, name, by)
    with pytest.raises(VerificationError, match="float32 Keras does not reproduce this network") as error:
        export_model(small_network(), tmp_path / "net.json")
    assert "3.0e-05" in error.value.parts["found"]
    assert not (tmp_path / "net.json").exists()


class Moved:
    """The evaluator with its outputs or logits moved on one instruction set."""

    def __init__(self, path, *, verify=True, cpu=None):
        self.right = Evaluator(path, verify=verify, cpu=cpu)
        self.cpu = self.right.cpu

    def __call__(self, arrays, *, logits=False):
        found = self.right(arrays, logits=logits)
        moved = self.cpu == self.on and logits == self.of_logits
        return {name: values + np.float32(self.by if moved else 0) for name, values in found.items()}


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("wrong", [{"of_logits": False, "by": 6e-5}, {"of_logits": True, "by": 1.1e-4}])
@pytest.mark.parametrize("keras_by", [0.0, 1e-5])
def test_a_wrong_instruction_set_is_found_whatever_keras_does(tmp_path, monkeypatch, cpu, wrong, keras_by):
    # moved Keras allows for 4e-5 on the outputs
    move_float32(monkeypatch, "keras_outputs", keras_by)
    monkeypatch.setattr(verification, "Evaluator", type("Wrong", (Moved,), {"on": cpu} | wrong))
    with pytest.raises(VerificationError, match="does not reproduce Keras") as error:
        export_model(small_network(), tmp_path / "net.json")
    assert error.value.parts["where"].startswith(cpu)
    assert not (tmp_path / "net.json").exists()


def test_rounding_of_the_outputs_does_not_excuse_the_logits(tmp_path, monkeypatch):
    move_float32(monkeypatch, "keras_outputs", 1e-5)
    wrong = {"on": "generic", "of_logits": True, "by": 3e-5}
    monkeypatch.setattr(verification, "Evaluator", type("Wrong", (Moved,), wrong))
    with pytest.raises(VerificationError, match="does not reproduce Keras"):
        export_model(small_network(), tmp_path / "net.json")


def test_outputs_that_are_images_or_sequences(parity, tmp_path):
    x = keras.Input((5, 4, 2), name="x")
    parity(keras.Model(x, layers.Conv2D(3, 2, activation="relu")(x)))
    written = export_model(keras.Model(x, layers.Conv2D(3, 2)(x)), tmp_path / "net.json")
    (record,) = Evaluator(written.path).outputs
    assert (record.shape, record.labels) == ((4, 3, 3), ("out_0", "out_1", "out_2"))
