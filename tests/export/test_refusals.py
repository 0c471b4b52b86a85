"""Whatever cannot be reproduced exactly is an error that names the layer and the argument."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export import export_model
from hepml.export.inputs import describe_inputs
from hepml.export.reference import random_events


def refused(tmp_path, model, *words, error=UnsupportedLayerError, **options):
    """Exporting fails with a message that holds the words, and leaves nothing behind."""
    with pytest.raises(error) as caught:
        export_model(model, tmp_path / "net.json", **options)
    for word in words:
        assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    return caught.value


def on_vector(*stack, n=4):
    return keras.Sequential([keras.Input((n,), name="x"), *stack])


def on_image(*stack, shape=(6, 6, 2)):
    return keras.Sequential([keras.Input(shape, name="image"), *stack, layers.Flatten()])


@keras.saving.register_keras_serializable("tests")
class Dense(layers.Dense):
    """A class of the user's own with the name of Keras' class, that computes something else."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs)


@keras.saving.register_keras_serializable("tests")
def relu(x):
    """A function of the user's own with the name of Keras' function."""
    return ops.relu(x) + 1


@pytest.mark.parametrize(
    "layer",
    [
        layers.SeparableConv2D(2, 2),
        layers.DepthwiseConv2D(2),
        layers.Conv2DTranspose(2, 2),
        layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D(),
        layers.ZeroPadding2D(),
        layers.LayerNormalization(),
        layers.PReLU(),
        layers.UpSampling2D(),
        layers.Permute((2, 1, 3)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_unknown_layers_are_named(tmp_path, layer):
    error = refused(tmp_path, on_image(layer), repr(layer.name), type(layer).__name__, "Conv2D")
    assert type(layer).__name__ in error.problem


def test_a_misspelt_neighbour_is_suggested(tmp_path):
    assert "MaxPooling2D" in refused(tmp_path, on_image(layers.AveragePooling2D(2))).parts["nearest"]


def test_classes_and_functions_of_the_users_own_are_not_taken_for_keras(tmp_path):
    refused(tmp_path, on_vector(Dense(3, name="mine")), "'mine'", "Dense")
    refused(tmp_path, on_vector(layers.Dense(3, activation=relu, name="d")), "'d'", "'activation'", "your own")
    refused(tmp_path, on_vector(layers.Dense(3, activation=lambda x: x, name="d")), "'d'", "lambda")
    refused(tmp_path, on_vector(layers.Lambda(lambda x: x, name="trick")), "'trick'", "Lambda")


@pytest.mark.parametrize(
    "activation",
    ["hard_sigmoid", "selu", "gelu", "softplus", "softsign", "exponential", "mish", "relu6", "log_softmax"],
)
def test_activations_without_an_equal_are_named(tmp_path, activation):
    model = on_vector(layers.Dense(3, activation=activation, name="d"))
    refused(tmp_path, model, "layer 'd'", activation.replace("hard_silu", "hard"), "'activation'", "leaky_relu")


def test_hard_sigmoid_says_why(tmp_path):
    assert "another function" in refused(tmp_path, on_vector(layers.Dense(2, activation="hard_sigmoid"))).parts["fix"]


@pytest.mark.parametrize(
    ("layer", "argument", "found"),
    [
        (layers.Conv2D(4, 3, groups=2, name="c"), "groups", "2"),
        (layers.MaxPooling2D(2, data_format="channels_first", name="c"), "data_format", "channels_first"),
        (layers.Flatten(data_format="channels_first", name="c"), "data_format", "channels_first"),
        (layers.Reshape((4, 18), name="c"), "target_shape", "(4, 18)"),
        (layers.Conv2D(4, 3, dtype="float16", name="c"), "dtype", "float16"),
        (layers.Conv2D(4, 3, dtype="mixed_float16", name="c"), "dtype", "mixed_float16"),
        (layers.Conv2D(4, 3, dtype="float64", name="c"), "dtype", "float64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arguments_on_images_are_named(tmp_path, layer, argument, found):
    model = keras.Sequential([keras.Input((6, 6, 2)), layer])
    refused(tmp_path, model, "layer 'c'", f"'{argument}'", found)


def test_channels_first_convolution(tmp_path):
    image = keras.Input((2, 6, 6))
    layer = layers.Conv2D(4, 3, data_format="channels_first", name="c")
    tensor = keras.KerasTensor((None, 4, 4, 4))
    layer.compute_output_spec = lambda *_, **__: tensor  # the back end has no such convolution on a CPU
    refused(tmp_path, keras.Model(image, layers.Flatten()(layer(image))), "'data_format'", "channels_first")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layers.ReLU(max_value=6, name="r"), ("layer 'r'", "'max_value'", "6")),
        (layers.ReLU(threshold=1.0, name="r"), ("layer 'r'", "'threshold'")),
        (layers.BatchNormalization(name="b", axis=1), ("layer 'b'",)),
        (layers.Dense(3, name="d"), ("layer 'd'", "Flatten")),
        (layers.Activation("relu", name="a"), ("layer 'a'",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments_and_shapes_on_images(tmp_path, layer, words):
    refused(tmp_path, on_image(layer), *words)


def test_softmax_over_another_axis(tmp_path):
    model = on_image(layers.Conv2D(3, 2), layers.Softmax(axis=1, name="s"))
    refused(tmp_path, model, "layer 's'", "'axis'", "1")


def test_concatenation_along_another_axis_or_of_images(tmp_path):
    a, b = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    model = keras.Model([a, b], layers.Flatten()(layers.Concatenate(axis=1, name="c")([a, b])))
    refused(tmp_path, model, "'c'", "(4, 4, 1)")


def test_broadcasting_add(tmp_path):
    a, b = keras.Input((4,)), keras.Input((1,))
    refused(tmp_path, keras.Model([a, b], layers.Add(name="plus")([a, b])), "'plus'", "[4, 1]")


def test_operations_that_are_no_layers(tmp_path):
    x = keras.Input((4,))
    refused(tmp_path, keras.Model(x, ops.exp(x)), "operation", "Exp")
    refused(tmp_path, keras.Model(x, x * 2.0), "operation", "Multiply")


def test_calls_in_training_mode(tmp_path):
    x = keras.Input((4,))
    refused(tmp_path, keras.Model(x, layers.Dropout(0.5, name="d")(x, training=True)), "'d'", "training")
    refused(tmp_path, keras.Model(x, layers.BatchNormalization(name="b")(x, training=True)), "'b'", "training")


def test_inputs_that_are_no_vectors_or_images(tmp_path):
    refused(tmp_path, keras.Sequential([keras.Input((None,), name="s"), layers.ReLU()]), "input 's'")
    refused(tmp_path, keras.Sequential([keras.Input((None, None, 1), name="s"), layers.Conv2D(2, 2)]), "input 's'")
    x = keras.Input((4,), dtype="int32", name="codes")
    refused(tmp_path, keras.Model(x, layers.Dense(2)(x)), "input 'codes'", "int32")
    for dtype in ("uint8", "bool"):
        x = keras.Input((4,), dtype=dtype, name="codes")
        refused(tmp_path, keras.Model(x, layers.Dense(2)(x)), "input 'codes'", dtype, "Embedding")


def test_integers_are_for_embeddings_alone(tmp_path):
    codes = keras.Input((4,), dtype="int32", name="codes")
    embedded = layers.Embedding(9, 3)(codes)
    model = keras.Model(codes, layers.Flatten()(embedded))
    records = describe_inputs(model, None)
    assert records[0].levels == 9
    (events,) = random_events(records, 200)
    assert set(np.unique(events)) == set(range(9))
    both = keras.Model(codes, layers.Concatenate()([layers.Flatten()(embedded), layers.Rescaling(1.0)(codes)]))
    refused(tmp_path, both, "input 'codes'", "int32", "Embedding")


def test_models_that_are_not_graphs_or_not_built(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    refused(tmp_path, Own(name="mine"), "'mine'", "Functional")
    refused(tmp_path, keras.Sequential([layers.Dense(2)]), "not built", error=DataError)
    refused(tmp_path, object(), "not a Keras model", error=DataError)


def test_weights_that_are_not_finite(tmp_path):
    model = on_vector(layers.Dense(2, name="d"))
    kernel, bias = model.layers[0].get_weights()
    kernel[1, 0] = np.nan
    model.layers[0].set_weights([kernel, bias])
    refused(tmp_path, model, "layer 'd'", "weights", "nan", error=DataError)


def test_lwtnn_refuses_what_it_cannot_read_by_layer_name(tmp_path):
    refused(tmp_path, on_image(layers.Conv2D(2, 2)), "lwtnn", "'image'", lwtnn=True)
    x = keras.Input((4,), name="x")
    y = layers.Dense(2)(x)
    export_model(keras.Model(x, y), tmp_path / "net.json", lwtnn=True)


def test_specs_that_do_not_fit(tmp_path):
    from hepml.models import InputSpec

    model = on_vector(layers.Dense(2))
    refused(tmp_path, model, "'xx'", "nearest", error=DataError, inputs=[InputSpec("xx", (4,))])
    refused(tmp_path, model, "shape", error=DataError, inputs=[InputSpec("x", (5,), tuple("abcd"))])
    refused(tmp_path, model, "4 different names", error=DataError, inputs=[InputSpec("x", (4,), tuple("abca"))])
    refused(tmp_path, model, "2 different names", error=DataError, labels={"output": ["a"]})
    refused(tmp_path, model, "'out'", error=DataError, labels={"out": ["a", "b"]})
