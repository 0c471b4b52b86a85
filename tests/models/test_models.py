"""The published networks have exactly their published size, take raw inputs and reload with stock Keras."""

import numpy as np
import pytest

from hepml.errors import SchemaError
from hepml.models import PRESETS, SEARCH_RANGES, InputSpec, Settings, build_layers, build_model, preset_settings

SHAPES = {"et": (31, 31, 1), "ht": (32, 32, 1), "hl": (7,), "mass": (1,)}
PUBLISHED = {
    "hl": 90_742,
    "mass": 251,
    "hl_and_mass": 25_071,
    "et": 943_361,
    "ht": 172_495,
    "et_and_ht": 441_559,
    "et_and_ht_and_hl": 297_869,
}


def spec(token: str) -> InputSpec:
    width = 1 if len(SHAPES[token]) == 3 else SHAPES[token][0]
    return InputSpec(
        token, SHAPES[token], offset=[-0.0] * width if width == 1 else [-3.0] * width, scale=[0.25] * width
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_preset_has_the_published_number_of_parameters(name):
    preset = PRESETS[name]
    model = build_model([spec(token) for token in preset.features], preset.settings)
    assert model.count_params() == PUBLISHED[name] == preset.parameters
    assert [tensor.name for tensor in model.inputs] == list(preset.features)
    assert model.layers[-1].name == "output"


def test_images_come_first_and_vectors_are_concatenated_first():
    model = build_model([spec("hl"), spec("et")], Settings(filters=2))
    assert [tensor.name for tensor in model.inputs] == ["et", "hl"]
    joined = model.get_layer("concatenate")
    assert [tuple(tensor.shape) for tensor in joined.input] == [(None, 7), (None, 16 * 16 * 2)]


def test_raw_inputs_are_scaled_inside_the_model():
    raw = np.array([[5.0] * 7, [3.0] * 7], dtype=np.float32)
    inside = build_model([spec("hl")], Settings(layers=1, units=4), seed=3)
    outside = build_model([InputSpec("hl", (7,))], Settings(layers=1, units=4), seed=3)
    scaled = (raw - 3.0) * 0.25
    np.testing.assert_allclose(inside(raw), outside(scaled), rtol=1e-6)


def test_the_seed_decides_the_initial_weights_and_nothing_global_changes():
    import random

    state = random.getstate()
    one, same, other = (build_model([spec("hl")], Settings(), seed=seed) for seed in (1, 1, 2))
    assert random.getstate() == state
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])


def test_a_saved_model_reloads_without_custom_code(tmp_path):
    import keras

    model = build_model([spec("et"), spec("hl")], Settings(filters=3, dropout=0.1))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    x = [rng.random((5, 31, 31, 1), dtype=np.float32), rng.random((5, 7), dtype=np.float32)]
    np.testing.assert_array_equal(model(x), again(x))


def test_layer_list_makes_a_free_network_with_fresh_weights():
    import keras

    layers = [keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")]
    model = build_layers(layers, InputSpec("x", (2,)), seed=1)
    assert model.count_params() == 9
    with pytest.raises(SchemaError, match="Keras layers"):
        build_layers([3], InputSpec("x", (2,)))


def test_other_feature_sets_take_the_nearest_published_network():
    assert preset_settings(("hl", "et_mass")) == PRESETS["hl_and_mass"].settings
    assert preset_settings(("et", "ee")) == PRESETS["et_and_ht"].settings
    assert preset_settings(("et", "mass")).filters == 34
    assert preset_settings(("hl",), preset="mass", epochs=3) == PRESETS["mass"].settings.replace(epochs=3)


def test_published_networks_lie_in_the_published_search_ranges():
    for name, preset in PRESETS.items():
        kind = "convolutional" if "t" in name.replace("_and_", " ").replace("mass", "") else "dense"
        for key, (low, high) in SEARCH_RANGES[kind].items():
            assert low <= getattr(preset.settings, key) <= high


def test_input_record_goes_through_json():
    import json

    one = InputSpec("hl", (7,), ("a",) * 7, {"x": 1}, [0.0] * 7, [1.0] * 7, [0.0] * 7, [2.0] * 7)
    assert InputSpec.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    with pytest.raises(SchemaError, match="offset"):
        InputSpec("hl", (7,), offset=[0.0])
    with pytest.raises(SchemaError):
        InputSpec.from_dict({"name": "hl"})


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"unit": 3}, "'units'"),
        ({"lr": 3}, "'learning_rate'"),
        ({"units": 0}, "from 1"),
        ({"units": 2.5}, "whole number"),
        ({"units": True}, "whole number"),
        ({"dropout": 1.5}, "0.999"),
        ({"learning_rate": float("nan")}, "number"),
        ({"activation": "rleu"}, "'relu'"),
        ({"balance": 1}, "true or false"),
    ],
)
def test_a_wrong_setting_says_what_is_right(changes, found):
    with pytest.raises(SchemaError, match=found):
        Settings().replace(**changes)


def test_settings_are_read_from_the_command_line():
    assert Settings.parse(["units=20", "balance=true", "learning_rate=1e-4", "activation=tanh", "dropout=0"]) == {
        "units": 20,
        "balance": True,
        "learning_rate": 1e-4,
        "activation": "tanh",
        "dropout": 0.0,
    }
    with pytest.raises(SchemaError, match="KEY=VALUE"):
        Settings.parse(["units"])
    with pytest.raises(SchemaError, match="whole number"):
        Settings.parse(["units=many"])
