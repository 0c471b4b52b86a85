"""Every documented argument of every layer is reproduced, refused by name, or without effect after training.

A new argument in a new Keras is in none of the sets, and the test that walks the signatures says so.
"""

import inspect
import re

import keras
import pytest
from keras import layers

from hepml.errors import UnsupportedLayerError
from hepml.export import export_model
from hepml.export.layers import CALL_HANDLERS, HANDLERS

# The network is evaluated after training, with the weights that it has.
NO_EFFECT = re.compile(
    r"(.*_(initializer|regularizer|constraint)|activity_regularizer|recurrent_dropout|dropout|rate|seed|noise_shape"
    r"|stddev|l1|l2|momentum|renorm.*|flash_attention|gptq_.*|synchronized|unroll|use_cudnn|unit_forget_bias|weights|name|lora_rank|lora_alpha)"
)
REPRODUCED = {
    *("activation", "alpha", "axes", "axis", "backward_layer", "bias_axes", "center", "cropping", "depth_multiplier"),
    *("dilation_rate", "dims", "epsilon", "equation", "filters", "go_backwards", "groups", "head_dim", "input_dim"),
    *("invert", "keepdims", "kernel_size", "key_dim", "layer", "mask_value", "mask_zero", "max_value", "mean"),
    *("merge_mode", "n", "negative_slope", "normalize", "num_heads", "num_key_value_heads", "num_query_heads"),
    *("offset", "output_dim", "output_shape", "padding", "pool_size", "power_iterations", "recurrent_activation"),
    *(
        "reset_after",
        "return_sequences",
        "scale",
        "score_mode",
        "shared_axes",
        "size",
        "sliding_window",
        "strides",
        "target_shape",
    ),
    *("threshold", "units", "use_bias", "use_gate", "use_scale", "value_dim", "variance"),
}
# Refused by name, but for the value that changes nothing.
REFUSED = {
    "attention_axes": "those between the batch and the channels",
    "data_format": "channels_last",
    "dtype": "float32",
    "interpolation": "nearest",
    "output_padding": None,
    "quantization_config": None,
    "return_state": False,
    "stateful": False,
}


@pytest.mark.parametrize("kind", [*HANDLERS, *CALL_HANDLERS])
def test_every_argument_is_classified(kind):
    for name, parameter in inspect.signature(getattr(layers, kind).__init__).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        places = [bool(NO_EFFECT.fullmatch(name)), name in REPRODUCED, name in REFUSED]
        assert sum(places) == 1, f"{kind}({name}=) is in {sum(places)} of the sets"


def test_the_sets_hold_nothing_that_no_layer_has():
    known = {
        name
        for kind in [*HANDLERS, *CALL_HANDLERS]
        for name in inspect.signature(getattr(layers, kind).__init__).parameters
    }
    assert set(REFUSED) | REPRODUCED <= known


@pytest.mark.parametrize(
    ("layer", "shape", "argument"),
    [
        (layers.Conv2D(2, 2, dtype="float16"), (4, 4, 1), "dtype"),
        (layers.MaxPooling2D(2, data_format="channels_first"), (2, 4, 4), "data_format"),
        (layers.UpSampling2D(2, interpolation="bilinear"), (4, 4, 1), "interpolation"),
        (layers.Conv2DTranspose(2, 3, strides=2, output_padding=1), (4, 4, 1), "output_padding"),
        (layers.LSTM(2, stateful=True), (3, 2), "stateful"),
        (layers.Conv2DTranspose(2, 3, dilation_rate=2), (4, 4, 1), "dilation_rate"),
        (layers.Bidirectional(layers.LSTM(2), merge_mode=None), (4, 3), "merge_mode"),
        (layers.TimeDistributed(layers.Conv2D(2, 2)), (3, 4, 4, 1), "layer"),
        (layers.TimeDistributed(layers.BatchNormalization(axis=1)), (3, 3), "axis"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_is_named(tmp_path, layer, shape, argument):
    x = keras.Input(shape, name="x", batch_size=1 if argument == "stateful" else None)
    model = keras.Model(x, layer(x))
    with pytest.raises(UnsupportedLayerError) as error:
        export_model(model, tmp_path / "net.json")
    assert argument in str(error.value)
    assert repr(layer.name) in str(error.value)
    assert not (tmp_path / "net.json").exists()


def test_states_are_refused(tmp_path):
    x = keras.Input((3, 2), name="x")
    output, *_ = layers.LSTM(2, return_state=True, name="l")(x)
    with pytest.raises(UnsupportedLayerError, match="return_state"):
        export_model(keras.Model(x, output), tmp_path / "net.json")
    y = keras.Input((2,), name="y")
    with pytest.raises(UnsupportedLayerError, match="initial_state"):
        export_model(keras.Model([x, y], layers.GRU(2)(x, initial_state=y)), tmp_path / "net.json")


def test_dynamic_steps_are_refused_where_they_must_be_known(tmp_path):
    for layer in (layers.Flatten(), layers.ZeroPadding1D(1), layers.Permute((2, 1)), layers.UpSampling1D(2)):
        model = keras.Sequential([keras.Input((None, 3), name="x"), layer])
        with pytest.raises(UnsupportedLayerError, match="fixed number of steps"):
            export_model(model, tmp_path / "net.json")
