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
        layers.RandomFlip(),
        layers.CenterCrop(2, 2),
        layers.Resizing(2, 2),
        layers.AdaptiveMaxPooling2D(2),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_unknown_layers_are_named(tmp_path, layer):
    error = refused(tmp_path, on_image(layer), repr(layer.name), type(layer).__name__, "Conv2D")
    assert type(layer).__name__ in error.problem


def test_a_misspelt_neighbour_is_suggested(tmp_path):
    assert "MaxPooling2D" in refused(tmp_path, on_image(layers.AdaptiveMaxPooling2D(2))).parts["nearest"]


def test_classes_and_functions_of_the_users_own_are_not_taken_for_keras(tmp_path):
    refused(tmp_path, on_vector(Dense(3, name="mine")), "'mine'", "Dense")
    refused(tmp_path, on_vector(layers.Dense(3, activation=relu, name="d")), "'d'", "'activation'", "your own")
    refused(tmp_path, on_vector(layers.Dense(3, activation=lambda x: x, name="d")), "'d'", "lambda")
    refused(tmp_path, on_vector(layers.Lambda(lambda x: x, name="trick")), "'trick'", "Lambda")


@pytest.mark.parametrize(
    "activation",
    ["glu", keras.activations.threshold, lambda x: keras.activations.elu(x, alpha=2.0)],
    ids=["glu", "threshold", "lambda"],
)
def test_activations_without_an_equal_are_named(tmp_path, activation):
    name = activation if isinstance(activation, str) else activation.__name__
    layer = layers.Activation("linear", name="a")
    layer.activation = keras.activations.get(activation)
    refused(tmp_path, on_vector(layer), "layer 'a'", name, "'activation'", "leaky_relu")


@pytest.mark.parametrize(
    ("layer", "argument", "found"),
    [
        (layers.MaxPooling2D(2, data_format="channels_first", name="c"), "data_format", "channels_first"),
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
    ("make", "argument", "found"),
    [
        (layers.EinsumDense("abc,bc->ab", 5, name="c"), "equation", "abc,bc->ab"),
        (layers.EinsumDense("abc,bcd->abd", (5, 2), name="c"), "equation", "abc,bcd->abd"),
        (layers.UnitNormalization(axis=(0, 1), name="c"), "axis", "0"),
        (layers.Softmax(axis=0, name="c"), "axis", "0"),
        (layers.Dense(3, activation=layers.Softmax(axis=1, name="c")), "axis", "1"),
        (lambda x: layers.MultiHeadAttention(2, 3, output_shape=(2, 2), name="c")(x, x), "output_shape", "(2, 2)"),
        (lambda x: layers.MultiHeadAttention(2, 3, sliding_window=2, name="c")(x, x * 2.0), "sliding_window", "2"),
        (
            lambda x: layers.MultiHeadAttention(2, 3, name="c")(x, x, attention_mask=np.ones((1, 5, 5))),
            "attention_mask",
            "1",
        ),
        (
            lambda x: layers.MultiHeadAttention(2, 3, name="c")(x, x, return_attention_scores=True)[0],
            "return_attention_scores",
            "True",
        ),
        (lambda x: layers.MultiHeadAttention(2, 3, name="c")(x, x, training=True), "training", "True"),
        (lambda x: layers.Attention(name="c")([x, x], mask=[None, np.ones((1, 5))]), "mask", "1"),
    ],
)
def test_arguments_on_sequences_are_named(tmp_path, make, argument, found):
    x = keras.Input((5, 4), name="x")
    refused(tmp_path, keras.Model(x, make(x)), "'c'", f"'{argument}'", found)


def test_attention_along_one_of_several_axes(tmp_path):
    x = keras.Input((3, 5, 4), name="x")
    y = layers.MultiHeadAttention(2, 3, attention_axes=(2,), name="c")(x, x)
    refused(tmp_path, keras.Model(x, y), "'c'", "'attention_axes'", "(2,)")


def test_masks_that_layers_hand_on(tmp_path):
    x = keras.Input((5, 4), name="x")
    refused(tmp_path, keras.Model(x, layers.Softmax(name="c")(layers.Masking()(x))), "'c'", "mask")


def test_any_number_of_steps_where_one_is_needed(tmp_path):
    x = keras.Input((None, 4), name="x")
    for layer in (layers.Flatten(name="c"), layers.Permute((2, 1), name="c"), layers.Concatenate(axis=1, name="c")):
        y = layer([x, x]) if isinstance(layer, layers.Concatenate) else layer(x)
        refused(tmp_path, keras.Model(x, y), "'c'", "steps")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: ops.where(x > 0)[0] * 1.0, ("operation", "Where")),
        (lambda x: x > 0, ("dtype bool", "float32")),
        (lambda x: ops.cast(ops.sum(x > 0, axis=1), "float32"), ("operation", "Sum", "int32")),
        (lambda x: x * ops.cast(ops.argmax(x, axis=1, keepdims=True), "float32"), ("operation", "Argmax")),
        (lambda x: ops.cumsum(x, axis=1), ("operation", "Cumsum")),
        (lambda x: ops.einsum("bij,bik->bijk", x, x), ("operation", "Einsum")),
        (lambda x: ops.einsum("bij->bi", x), ("operation", "Einsum", "'subscripts'")),
        (lambda x: x * ops.mean(x), ("operation", "Mean", "'axis'", "None")),
        (lambda x: ops.mean(x, axis=(0, 1), keepdims=True) + x, ("operation", "Mean", "'axis'", "0")),
        (lambda x: ops.transpose(x, (1, 0, 2)), ("operation", "Transpose", "'axes'")),
        (lambda x: ops.norm(x, ord=1, axis=1), ("operation", "Norm", "'ord'", "1")),
        (lambda x: x + ops.mean(x, axis=1), ("operation", "Add", "'input shapes'", "expand_dims")),
        (lambda x: ops.flip(x, axis=0), ("operation", "Flip", "'axis'", "0")),
        (lambda x: ops.cast(x, "float16"), ("operation", "Cast", "'dtype'", "float16")),
        (lambda x: ops.matmul(np.ones((3, 5), "float32"), x), ("operation", "Matmul", "constant")),
    ],
)
def test_operations_that_are_no_layers(tmp_path, make, words):
    x = keras.Input((5, 4))
    refused(tmp_path, keras.Model(x, make(x)), *words)


def test_an_input_that_no_output_needs(tmp_path):
    x, idle = keras.Input((4,), name="x"), keras.Input((4,), name="idle")
    refused(tmp_path, keras.Model([x, idle], layers.Dense(2)(x)), "'idle'", "leave it out", error=DataError)


def test_a_number_an_event_is_no_output(tmp_path):
    x = keras.Input((4,))
    refused(tmp_path, keras.Model(x, x[:, 0]), "'output'", "()")


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
            return x if float(ops.convert_to_numpy(x).sum()) > 0 else -x

    model = Own(name="mine")
    refused(tmp_path, model, "'mine'", "not built", error=DataError)
    model(np.ones((2, 4), np.float32))
    refused(tmp_path, model, "'mine'", "symbolic")
    refused(tmp_path, keras.Sequential([layers.Dense(2)]), "not built", error=DataError)
    refused(tmp_path, object(), "not a Keras model", error=DataError)


@pytest.mark.parametrize("argument", ["activation", "recurrent_activation"])
def test_a_softmax_inside_of_a_recurrent_layer(tmp_path, argument):
    model = keras.Sequential([keras.Input((3, 2)), layers.LSTM(2, name="l", **{argument: "softmax"})])
    refused(tmp_path, model, "layer 'l'", argument, "'softmax'")


def test_what_keras_cannot_evaluate(tmp_path):
    x = keras.Input((None, 3), name="x")
    model = keras.Model(x, layers.Add()([x, layers.MaxPooling1D(2)(x)]))
    error = refused(tmp_path, model, "Keras cannot evaluate", "(16, 12, 3)", "Incompatible shapes", error=DataError)
    assert error.__cause__ is not None


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
