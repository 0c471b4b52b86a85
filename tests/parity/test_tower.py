"""The towers that are trained where images are not empty are Keras' own, in outputs, gradients and trained networks."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

from hepml.evaluator import cpus
from hepml.models import InputSpec, Settings, build_model
from hepml.models.tower import sparse_tower, trains_sparse
from hepml.training import train
from tests.training.conftest import squares

RNG_SEED = 5


def images(n, rows, columns, kind):
    rng = np.random.default_rng(RNG_SEED)
    x = np.zeros((n, rows, columns, 1), dtype=np.float32)
    if kind == "full":
        x[:] = rng.exponential(size=x.shape)
    elif kind == "sparse":  # clusters, some at the borders, and an empty event
        for event in x[1:]:
            for _ in range(3):
                row, column = rng.integers(0, rows), rng.integers(0, columns)
                event[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] += rng.normal(size=()) ** 2
        x[1, 0, 0] = x[2, -1, -1] = x[3, 0, -1] = 2.0
        x[4] = np.where(x[4] > 0, -x[4], 0)  # negative noise is a deposit too
    return x


def plain(convolutions):
    import keras

    def tower(x):
        for number, convolution in enumerate(convolutions):
            x = convolution(x)
            if number % 2:
                x = keras.layers.MaxPooling2D(2, 2, padding="same")(x)
        return keras.layers.Flatten()(x)

    return tower


def towers(rows, columns, blocks, filters):
    import keras

    keras.utils.set_random_seed(RNG_SEED)  # other weights may put two pixels of a pool within a rounding of each other
    rng = np.random.default_rng(RNG_SEED)
    shared = [
        keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"c{number}")
        for number in range(2 * blocks)
    ]
    tensor = keras.Input((rows, columns, 1))
    reference = keras.Model(tensor, plain(shared)(tensor))
    for convolution in shared:  # biases that are not zero: an empty image gives something
        kernel, bias = convolution.get_weights()
        convolution.set_weights([kernel, rng.normal(scale=0.2, size=bias.shape)])
    return reference, keras.Model(tensor, sparse_tower(shared, "tower")(tensor))


def gradients(model, x, head):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        output = model(x, training=True)
        loss = tf.reduce_mean(tf.tensordot(output, head, 1) ** 2)
    found = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    paths = ["/".join(variable.path.split("/")[-2:]) for variable in model.trainable_variables]
    return np.asarray(output), {path: np.asarray(value) for path, value in zip(paths, found, strict=True)}


def close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=max(scale, 1e-6) * 5e-5)


SHAPES = [(31, 31, 3, 5), (32, 32, 2, 27), (7, 10, 2, 16), (1, 3, 1, 1), (2, 2, 1, 33), (5, 4, 3, 49)]


@pytest.mark.parametrize(("rows", "columns", "blocks", "filters"), SHAPES)
@pytest.mark.parametrize("kind", ["sparse", "full", "empty"])
def test_outputs_and_gradients_are_those_of_whole_convolutions(rows, columns, blocks, filters, kind):
    x = images(19, rows, columns, kind)
    reference, sparse = towers(rows, columns, blocks, filters)
    head = np.random.default_rng(1).normal(size=reference.output_shape[1]).astype(np.float32)
    expected, wanted = gradients(reference, x, head)
    output, found = gradients(sparse, x, head)
    close(output, expected)
    assert found.keys() == wanted.keys()
    for path in wanted:
        close(found[path], wanted[path])


@pytest.mark.parametrize("cpu", cpus())
def test_every_instruction_set(cpu, monkeypatch):
    monkeypatch.setenv("HEPML_CPU", cpu)
    reference, sparse = towers(9, 9, 2, 21)
    x, head = images(8, 9, 9, "sparse"), np.ones(reference.output_shape[1], dtype=np.float32)
    expected, wanted = gradients(reference, x, head)
    output, found = gradients(sparse, x, head)
    close(output, expected)
    for path in wanted:
        close(found[path], wanted[path])


def test_the_same_bits_again():
    _, sparse = towers(31, 31, 2, 8)
    x, head = images(40, 31, 31, "sparse"), np.ones(sparse.output_shape[1], dtype=np.float32)
    first, second = gradients(sparse, x, head), gradients(sparse, x, head)
    np.testing.assert_array_equal(first[0], second[0])
    for path, gradient in first[1].items():
        np.testing.assert_array_equal(gradient, second[1][path])


def test_no_events():
    _, sparse = towers(8, 8, 1, 4)
    assert sparse(np.zeros((0, 8, 8, 1), dtype=np.float32)).shape == (0, 64)


def test_nan_comes_out():
    _, sparse = towers(8, 8, 1, 4)
    x = images(6, 8, 8, "sparse")
    x[2, 4, 4] = np.nan
    output = np.asarray(sparse(x))
    assert np.isnan(output[2]).any()
    assert np.isfinite(np.delete(output, 2, axis=0)).all()


def test_a_gradient_of_an_earlier_call_is_refused():
    import tensorflow as tf

    _, sparse = towers(8, 8, 1, 4)
    x = images(6, 8, 8, "sparse")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(sparse(x))
    sparse(x)
    with pytest.raises(Exception, match="after another call"):
        tape.gradient(loss, [variable.value for variable in sparse.trainable_variables])


def test_an_engine_goes_with_its_network():
    sparse = towers(8, 8, 1, 4)[1]
    x = images(6, 8, 8, "sparse")
    sparse.compile("sgd", "mse")
    sparse.train_on_batch(x, np.zeros((6, sparse.output_shape[1])))
    alive = weakref.ref(sparse.layers[-1])
    del sparse
    gc.collect()
    assert alive() is None


EXHAUSTED = """
import resource
import numpy as np
from hepml._core import Tower
n = {threads} * 8 * 16
kernels = [np.ones((3, 3, c, 96), np.float32) for c in (1, 96)]
empty = [np.zeros((31, 31, 96), np.float32) for _ in range(2)]
tower = Tower(31, 31, 1, 96, {threads})
images = np.ones((n, 31, 31, 1), np.float32)
tower.forward(images[:1], kernels, empty)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 30 * 2**20,) * 2)
try:
    tower.forward(images, kernels, empty)
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_too_little_memory_is_an_exception_in_any_thread(threads):
    script = EXHAUSTED.format(threads=threads)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "MemoryError"), done.stderr


def test_threads_follow_the_environment(monkeypatch):
    from hepml.models import tower

    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert tower._threads() == 7


def test_more_threads_than_events_cost_nothing():
    from hepml._core import Tower

    tower = Tower(4, 4, 1, 2, 10_000)
    kernels = [np.ones((3, 3, n, 2), dtype=np.float32) for n in (1, 2)]
    empty = [np.zeros((4, 4, 2), dtype=np.float32) for _ in range(2)]
    output = tower.forward(np.ones((3, 4, 4, 1), dtype=np.float32), kernels, empty)
    assert len(tower.backward(output)) == 4


def spec(**changes):
    record = {"name": "et", "shape": (31, 31, 1), "offset": (0.0,), "scale": (2.0,)} | changes
    return InputSpec(**record)


CASES = [
    ([spec()], {}, True),
    ([spec(offset=None, scale=None)], {}, True),
    ([spec(), InputSpec("hl", (7,))], {}, True),
    ([spec(), InputSpec("hl", (7,))], {"sparse": False}, False),
    ([spec()], {"activation": "elu"}, False),
    ([spec()], {"precision": "mixed_bfloat16"}, False),
    ([spec()], {"conv_blocks": 0}, False),
    ([spec(shape=(31, 31, 2))], {}, False),
    ([spec(offset=(1.0,))], {}, False),  # an empty pixel would not be zero
    ([InputSpec("hl", (7,))], {}, False),
]


@pytest.mark.parametrize(("inputs", "changes", "expected"), CASES)
def test_it_is_used_only_where_it_is_the_same_network(inputs, changes, expected):
    assert trains_sparse(inputs, Settings(**changes)) is expected


def test_the_same_initial_weights_as_the_plain_network():
    inputs = [spec(), spec(name="ht", shape=(32, 32, 1)), InputSpec("hl", (7,))]
    settings = Settings(conv_blocks=2, filters=4, layers=1, units=6)
    dense = {weight.path: weight for weight in build_model(inputs, settings, 3).weights}
    sparse = {
        "/".join(weight.path.split("/")[-2:]): weight
        for weight in build_model(inputs, settings, 3, sparse=True).weights
    }
    assert dense.keys() == sparse.keys()
    for path, weight in dense.items():
        np.testing.assert_array_equal(weight, sparse[path])


@pytest.mark.parametrize("vectors", [False, True])
def test_training_gives_the_network_that_plain_training_gives(tmp_path, vectors):
    toy = squares()
    arrays, y = toy["arrays"], toy["y"]
    if vectors:
        arrays = arrays | {"v": np.random.default_rng(1).normal(size=(len(y), 3)) + y[:, None]}
    runs = {}
    for sparse in (True, False):
        runs[sparse] = train(
            arrays=arrays, y=y, output=tmp_path / str(sparse), progress=False, sparse=sparse,
            conv_blocks=2, filters=6, layers=1, units=8, epochs=4, learning_rate=3e-3,
        )  # fmt: skip
        assert runs[sparse].record["config"]["sparse"] is sparse
    losses = [runs[sparse].history["loss"] for sparse in (True, False)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    layers = [[layer.name for layer in runs[sparse].model.layers] for sparse in (True, False)]
    assert layers[0] == layers[1]  # nothing of the tower is left
    for mine, other in zip(*(runs[sparse].model.get_weights() for sparse in (True, False)), strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-3)
    inputs = [arrays[one.name] for one in runs[True].model.inputs]
    scores = runs[True].model.predict(inputs if vectors else inputs[0], verbose=0)
    np.testing.assert_allclose(runs[True].scores().score, scores, atol=1e-6)


def test_the_engine_refuses_what_does_not_fit():
    from hepml._core import Tower

    tower = Tower(4, 4, 1, 2, 1)
    kernels = [np.zeros((3, 3, n, 2), dtype=np.float32) for n in (1, 2)]
    empty = [np.zeros((4, 4, 2), dtype=np.float32) for _ in range(2)]
    good = {"images": np.zeros((1, 4, 4, 1), dtype=np.float32), "kernels": kernels, "empty": empty}
    tower.forward(**good)
    for numbers in ((0, 4, 1, 2, 1), (4, 4, 0, 2, 1), (4, 4, 1, 0, 1), (4, 4, 1, 2, 0)):
        with pytest.raises(ValueError, match="needs rows"):
            Tower(*numbers)
    wrong = [{"images": np.zeros((1, 5, 4, 1), dtype=np.float32)}, {"kernels": kernels[:1]}, {"empty": kernels}]
    for change in wrong:
        with pytest.raises(ValueError, match=r"fit|array a convolution"):
            tower.forward(**good | change)
    with pytest.raises(ValueError, match="gradient does not fit"):
        tower.backward(np.zeros((2, tower.size), dtype=np.float32))
