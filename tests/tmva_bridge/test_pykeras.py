"""PyKeras with Keras 3: every option, the files that it reads and writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras
import keras2_files
import numpy as np
import pytest

from hepml.errors import DataError, HepmlError, InputFileError, MissingExtraError, SchemaError, TrainingError
from tmva_bridge import DataLoader, Factory, Reader, read_weights
from tmva_bridge.factory import Booked
from tmva_bridge.pykeras.compiled import compile_as_stored

N = 200  # events of each class


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(1)
    return tmp_path


def network(outputs: int = 2, last: str = "softmax", **compiled: Any) -> keras.Model:
    model = keras.Sequential(
        [
            keras.layers.Input((2,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(outputs, activation=last),
        ]
    )
    settings = {"loss": "categorical_crossentropy", "optimizer": keras.optimizers.Adam(0.01), "metrics": ["accuracy"]}
    model.compile(**settings | compiled)
    return model


def blobs(classes: tuple[str, ...] = ("Signal", "Background"), options: str = "NormMode=NumEvents") -> DataLoader:
    rng = np.random.default_rng(7)
    loader = DataLoader("dataset")
    loader.AddVariable("x")
    loader.AddVariable("y")
    for i, name in enumerate(classes):
        loader.AddTree({"x": rng.normal(2 * i, 1, 2 * N), "y": rng.normal(-i, 1, 2 * N)}, name)
    loader.PrepareTrainingAndTestTree("", options)
    return loader


def booked(options: str, loader: DataLoader | None = None, **more: Any) -> tuple[Factory, Booked]:
    if not Path("model.keras").exists():
        network().save("model.keras")
    factory = Factory("job", "Silent")
    quiet = "" if "Verbose=" in options else "Verbose=0:"
    base = "" if "FilenameModel" in options else "FilenameModel=model.keras:"
    return factory, factory.BookMethod(loader or blobs(), "PyKeras", "PyKeras", f"{base}{quiet}{options}", **more)


def trained(options: str, loader: DataLoader | None = None, **more: Any) -> tuple[Factory, Booked]:
    factory, one = booked(options, loader, **more)
    factory.TrainAllMethods()
    return factory, one


def watch(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `fit` is called with, and its history."""
    seen: dict[str, Any] = {}
    fit = keras.Model.fit

    def spied(self: Any, *arguments: Any, **words: Any) -> Any:
        seen.update(words, x=arguments[0], y=arguments[1], model=self)
        seen["history"] = fit(self, *arguments, **words)
        return seen["history"]

    monkeypatch.setattr(keras.Model, "fit", spied)
    return seen


def test_training_files_and_reading_back() -> None:
    factory, one = trained("!H:!V:VarTransform=G:NumEpochs=4:BatchSize=32")
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    assert sorted(one.name for one in Path("dataset/weights").iterdir() if one.suffix in (".keras", ".xml")) == [
        "TrainedModel_PyKeras.keras",
        "job_PyKeras.weights.xml",
    ]
    method = read_weights(one.weight_file)
    assert (method.kind, method.title, method.options["FilenameTrainedModel"]) == (
        "PyKeras",
        "PyKeras",
        "dataset/weights/TrainedModel_PyKeras.keras",
    )
    setup, train, test = one.loader.samples()
    model = keras.saving.load_model("dataset/weights/TrainedModel_PyKeras.keras")
    inputs = method.chain.forward(test.values)
    assert np.abs(inputs - test.values).max() > 0.1  # Gauss changed them
    np.testing.assert_allclose(one.responses[1], model.predict(inputs, verbose=0)[:, 0], atol=1e-6)
    assert one.responses[1][test.classes == 0].mean() > one.responses[1][test.classes == 1].mean() + 0.3
    reader = Reader("!Color:Silent")
    reader.AddVariable("x")
    reader.AddVariable("y")
    reader.BookMVA("PyKeras", "dataset/weights/job_PyKeras.weights.xml")
    event = [float(value) for value in test.values[0]]
    assert reader.EvaluateMVA(event, "PyKeras") == pytest.approx(one.responses[1][0], abs=1e-6)
    assert setup.classes == method.classes
    assert len(train) == 2 * N


def test_the_last_events_validate_and_weights_count(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    loader = blobs()
    loader.SetSignalWeightExpression("1 + (x > 0)")
    for size, held in (("20%", 80), ("0.1", 40), ("100", 100)):
        trained(f"NumEpochs=1:BatchSize=17:ValidationSize={size}", loader)
        _, train, _ = loader.samples()
        x, y, w = seen["validation_data"]
        assert np.array_equal(x, train.values[-held:])
        assert np.array_equal(seen["x"], train.values[:-held])
        assert np.array_equal(y[:, 1], train.classes[-held:])
        np.testing.assert_allclose(w, train.weights[-held:].astype(np.float32))
        assert len(seen["sample_weight"]) == 2 * N - held
        assert (seen["batch_size"], seen["epochs"], seen["verbose"]) == (17, 1, 0)


def test_the_schedule_counts_epochs_from_zero_and_keeps_the_rate_between(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    for text in ("1,0.5;3,0.25", "[1,0.5; 3,0.25]"):
        trained(f"NumEpochs=5:LearningRateSchedule={text}")
        rates = seen["history"].history["learning_rate"]
        np.testing.assert_allclose(rates, [0.01, 0.5, 0.5, 0.25, 0.25])


def test_early_stopping_and_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    for best in (True, False):
        _, one = trained(f"NumEpochs=40:TriesEarlyStopping=2:LearningRateSchedule=2,1.5:SaveBestOnly={best}")
        losses = seen["history"].history["val_loss"]
        assert len(losses) < 40
        x, y, w = seen["validation_data"]
        model = keras.saving.load_model(one.weight_file.parent / "TrainedModel_PyKeras.keras")
        loss = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)["loss"]
        assert loss == pytest.approx(min(losses) if best else losses[-1], rel=1e-5)


def test_continuing_begins_with_the_trained_model_and_never_gets_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    trained("NumEpochs=8:FilenameTrainedModel=mine.keras")
    before = keras.saving.load_model("mine.keras").get_weights()
    seen = watch(monkeypatch)
    _, one = trained("NumEpochs=1:FilenameTrainedModel=mine.keras:ContinueTraining:LearningRateSchedule=0,9")
    after = keras.saving.load_model("mine.keras").get_weights()
    assert seen["history"].history["val_loss"][0] > 0.5  # spoilt, and so not kept
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert read_weights(one.weight_file).options["ContinueTraining"] == "True"


def test_threads_gpu_memory_and_negative_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    seen = watch(monkeypatch)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    loader = blobs()
    loader.SetWeightExpression("x > -1 ? 1 : -0.1")
    trained(f"NumEpochs=1:GpuOptions=allow_growth=True:IgnoreNegWeightsInTraining:NumThreads={threads}", loader)
    _, train, _ = loader.samples()
    assert len(seen["x"]) + len(seen["validation_data"][0]) == (train.weights > 0).sum() < len(train)
    with pytest.raises(DataError, match="are set once"):
        trained(f"NumEpochs=1:NumThreads={threads + 1}")


def test_tensorboard_writes_where_the_option_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmva_bridge.pykeras.settings.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install tensorboard"):
        booked("TensorBoard=logs")
    monkeypatch.setattr("tmva_bridge.pykeras.settings.find_spec", lambda name: name)
    made: list[str] = []

    class Board(keras.callbacks.Callback):
        def __init__(self, log_dir: str) -> None:  # in the place of Keras' own, which needs TensorBoard
            super().__init__()
            made.append(log_dir)

    monkeypatch.setattr(keras.callbacks, "TensorBoard", Board)
    trained("NumEpochs=1:TensorBoard=logs")
    assert made == ["logs"]


def test_regression_and_multiclass() -> None:
    rng = np.random.default_rng(2)
    loader = DataLoader("reg")
    loader.AddVariable("x")
    loader.AddVariable("y")
    loader.AddTarget("t := 10 + 3*x - y")
    loader.AddRegressionTree({"x": rng.normal(0, 1, 800), "y": rng.normal(0, 1, 800)})
    network(1, "linear", loss="mse", optimizer=keras.optimizers.Adam(0.03)).save("reg.keras")
    factory, one = trained("VarTransform=N:FilenameModel=reg.keras:NumEpochs=12:BatchSize=20", loader)
    factory.TestAllMethods()
    _, _, test = loader.samples()
    assert np.abs(one.responses[1] - test.targets[:, 0]).mean() < 0.5  # back in their own units
    network(3).save("three.keras")
    loader = blobs(("a", "b", "c"))
    factory, one = trained("FilenameModel=three.keras:NumEpochs=6:BatchSize=20", loader)
    factory.TestAllMethods()
    _, _, test = loader.samples()
    assert one.responses[1].shape == (len(test), 3)
    assert (one.responses[1].argmax(axis=1) == test.classes).mean() > 0.6


def test_models_of_keras_3_in_hdf5(capfd: pytest.CaptureFixture[str]) -> None:
    network().save("model.h5")
    factory, one = trained("FilenameModel=model.h5:FilenameTrainedModel=trained.h5:NumEpochs=4:BatchSize=20")
    factory.TestAllMethods()
    assert factory.GetROCIntegral(one.loader, "PyKeras") > 0.8
    assert Path("trained.h5").is_file()


def keras2_model(path: str, training: dict[str, Any] | None) -> None:
    """A whole model of Keras 2, by hand."""
    layers = [
        keras2_files.layer("Dense", "a", units=4, activation="relu", use_bias=True, batch_input_shape=[None, 2]),
        keras2_files.layer("Dense", "b", units=2, activation="softmax", use_bias=True),
    ]
    rng = np.random.default_rng(5)
    with h5py.File(path, "w") as file:
        architecture = keras2_files.sequential(layers)
        for name in ("keras_version", "backend"):
            file.attrs[name] = architecture[name]
        file.attrs["model_config"] = json.dumps(architecture)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
        arrays = {
            name: {f"{name}/kernel:0": rng.normal(size=shape), f"{name}/bias:0": np.zeros(shape[1])}
            for name, shape in (("a", (2, 4)), ("b", (4, 2)))
        }
        keras2_files.write_arrays(file.create_group("model_weights"), arrays)


KERAS2 = {
    "loss": {
        "class_name": "CategoricalCrossentropy",
        "config": {"reduction": "auto", "name": "categorical_crossentropy", "from_logits": False, "label_smoothing": 0},
    },
    "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "fn": "categorical_accuracy"}}]],
    "weighted_metrics": None,
    "loss_weights": None,
    "sample_weight_mode": None,
    "optimizer_config": {
        "class_name": "SGD",
        "config": {"name": "SGD", "learning_rate": 0.05, "decay": 0.0, "momentum": 0.9, "nesterov": False},
    },
}


def test_models_of_keras_2_with_their_compile_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    keras2_model("old.h5", KERAS2)
    factory, one = trained("FilenameModel=old.h5:NumEpochs=4:BatchSize=20")
    factory.TestAllMethods()
    optimizer = seen["model"].optimizer
    assert (type(optimizer).__name__, optimizer.momentum) == ("SGD", 0.9)
    np.testing.assert_allclose(float(optimizer.learning_rate), 0.05)
    assert seen["model"].loss.name == "categorical_crossentropy"
    assert factory.GetROCIntegral(one.loader, "PyKeras") > 0.8


def compiled(**changes: Any) -> keras.Model:
    model = network()
    compile_as_stored(model, {**KERAS2, **changes}, "a.h5", {"mine": lambda a, b: keras.ops.mean((a - b) ** 4)})
    return model


def test_compile_settings_are_names_and_numbers() -> None:
    old = {"class_name": "SGD", "config": {"lr": 0.5, "decay": 0.1, "momentum": 0.0, "nesterov": False}}
    schedule = compiled(optimizer_config=old, loss="mse", metrics=["acc", "mae"]).optimizer
    np.testing.assert_allclose(float(schedule.learning_rate), 0.5)
    schedule.iterations.assign(10)
    np.testing.assert_allclose(float(schedule.learning_rate), 0.5 / (1 + 0.1 * 10), rtol=1e-6)
    rate = {
        "class_name": "ExponentialDecay",
        "config": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    }
    new = compiled(optimizer={"class_name": "Adam", "config": {"learning_rate": rate, "epsilon": None}}).optimizer
    new.iterations.assign(5)
    np.testing.assert_allclose(float(new.learning_rate), 0.05, rtol=1e-6)
    assert compiled(optimizer="rmsprop", loss="mine", metrics=None).loss.__name__ == "<lambda>"
    auc = {"class_name": "AUC", "config": {"num_thresholds": 10}}
    assert compiled(metrics=[auc], weighted_metrics=["mse"], loss=["categorical_crossentropy"]).compiled


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"loss": "my_loss"}, "the loss 'my_loss' is not one of Keras"),
        ({"loss": None}, "no optimizer or no loss"),
        ({"loss": 3}, "neither a name nor a class"),
        ({"metrics": ["os.system"]}, "the metric 'os.system' is not one of Keras"),
        ({"optimizer": "Sgdd"}, r"the optimizer 'Sgdd' is not one of Keras(.|\n)*'SGD'"),
        (
            {"optimizer": {"class_name": "SGD", "config": {"lr": {"class_name": "eval", "config": {}}}}},
            "the schedule 'eval'",
        ),
        ({"optimizer": {"class_name": "SGD", "config": {"rate": 1}}}, "SGD does not take these arguments"),
        ({"optimizer": {"class_name": "SGD", "config": {"momentum": [{}]}}}, "SGD.momentum is not plain data"),
        ({"steps_per_execution": [[1]]}, "steps_per_execution is not plain data"),
        ({"callbacks": ["x"]}, "the setting 'callbacks' is not read"),
    ],
)
def test_compile_settings_that_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        compiled(**changes)


@keras.saving.register_keras_serializable(package="mine")
class Twice(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


def test_custom_objects_are_those_of_the_caller() -> None:
    model = keras.Sequential([keras.layers.Input((2,)), Twice(), keras.layers.Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    model.save("custom.keras")
    with pytest.raises(InputFileError, match="an object that is no layer of Keras"):
        booked("FilenameModel=custom.keras")
    options = "FilenameModel=custom.keras:NumEpochs=2:CreateMVAPdfs"
    factory, one = trained(options, custom_objects={"mine>Twice": Twice})
    factory.TestAllMethods()
    with pytest.raises(InputFileError, match="an object that is no layer of Keras"):
        read_weights(one.weight_file).evaluate([[0.0, 0.0]])
    again = read_weights(one.weight_file, {"mine>Twice": Twice})
    _, _, test = one.loader.samples()
    np.testing.assert_allclose(again.evaluate(test.values), one.responses[1], atol=1e-6)
    assert ((again.proba(test.values) >= 0) & (again.proba(test.values) <= 1)).all()
    reader = Reader()
    reader.AddVariable("x")
    reader.AddVariable("y")
    reader.BookMVA("tag", one.weight_file, custom_objects={"mine>Twice": Twice})
    assert 0 <= reader.EvaluateMVA([0.0, 0.0], "tag") <= 1


def test_files_that_run_code_are_refused(folder: Path) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)])
    model.compile(loss="mse", optimizer="adam")
    for name in ("lambda.keras", "lambda.h5"):
        model.save(name)
        with pytest.raises(InputFileError, match="an object that runs code or opens files"):
            booked(f"FilenameModel={name}")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("UserCode=code.py", r"UserCode is refused(.|\n)*custom_objects="),
        ("FilenameModel=", "no FilenameModel"),
        ("FilenameModel=absent.keras", "no such file"),
        ("FilenameModel=model.txt", "not a file of a model"),
        ("FilenameModel=bare.keras", "the model is not compiled"),
        ("FilenameModel=one.keras", r"does not fit the variables(.|\n)*two output nodes"),
        ("ContinueTraining", "no such file"),
        ("FilenameTrainedModel=model.keras", "the output is an input"),
        ("FilenameTrainedModel=a.pkl", "FilenameTrainedModel cannot be"),
        ("NumEpochs=0", "NumEpochs cannot be 0"),
        ("BatchSize=0", "BatchSize cannot be 0"),
        ("Verbose=3", "Verbose cannot be 3"),
        ("TriesEarlyStopping=-2", "TriesEarlyStopping cannot be -2"),
        ("GpuOptions=visible_device_list=0", "are not read"),
        ("ValidationSize=0", "ValidationSize cannot be '0'"),
        ("ValidationSize=100%", "ValidationSize cannot be '100%'"),
        ("ValidationSize=1.5", "ValidationSize cannot be '1.5'"),
        ("ValidationSize=many", "ValidationSize cannot be 'many'"),
        ("LearningRateSchedule=10", "LearningRateSchedule cannot be '10'"),
        ("LearningRateSchedule=1,0.1;1,0.2", "each epoch once"),
        ("LearningRateSchedule=1,-0.1", "LearningRateSchedule cannot be"),
        ("Epochs=10", r"unknown option 'Epochs'(.|\n)*'NumEpochs'"),
        ("FilenameTrainedModel=trained.h5ContinueTraining=false", "missing ':' before ContinueTraining"),
        ("TriesEarlyStopping=5LearningRateSchedule=10,0.01", "missing ':' before LearningRateSchedule"),
        ("SaveBestOnly=trueTriesEarlyStopping=5", "missing ':' before TriesEarlyStopping"),
        ("LearningRateSchedule=[10,0.01; 20,0.001]SaveBestOnly=true", "missing ':' before SaveBestOnly"),
    ],
)
def test_what_cannot_be_booked(options: str, problem: str) -> None:
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2)]).save("bare.keras")
    network(1, "sigmoid", loss="binary_crossentropy").save("one.keras")
    with pytest.raises(HepmlError, match=problem):
        booked(options)


def test_two_methods_do_not_share_a_file() -> None:
    factory, one = booked("FilenameTrainedModel=mine.keras")
    with pytest.raises(DataError, match="two methods with one FilenameTrainedModel"):
        factory.BookMethod(one.loader, "PyKeras", "other", "FilenameModel=model.keras:FilenameTrainedModel=mine.keras")


def test_trainings_that_go_wrong(folder: Path) -> None:
    with pytest.raises(DataError, match=r"ValidationSize cannot be '400'(.|\n)*400 of 400 events"):
        trained("ValidationSize=400:NumEpochs=1")
    with pytest.raises(DataError, match=r"no validation events of the class 'Signal'(.|\n)*MixMode"):
        trained("NumEpochs=1", blobs(options="SplitMode=Block"))
    trained("NumEpochs=1", blobs(options="SplitMode=Block:MixMode=Alternate"))
    network(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9))).save("s.keras")
    with pytest.raises(DataError, match="compiled with a schedule of its own"):
        trained("FilenameModel=s.keras:NumEpochs=1:LearningRateSchedule=1,0.1")
    shutil.rmtree("dataset")
    network(2, "linear", loss="mse", optimizer=keras.optimizers.SGD(1e30)).save("wild.keras")
    with pytest.raises(TrainingError, match="the loss is not finite"):
        trained("FilenameModel=wild.keras:NumEpochs=3:BatchSize=10")
    assert not list(folder.rglob("*.xml"))


def test_the_model_beside_a_weight_file_is_the_one_that_was_trained(folder: Path) -> None:
    _, one = trained("NumEpochs=1")
    model = one.weight_file.parent / "TrainedModel_PyKeras.keras"
    shutil.copytree("dataset", "moved")
    shutil.rmtree("dataset")
    moved = read_weights(folder / "moved/weights/job_PyKeras.weights.xml")  # the model is found beside it
    assert 0 <= moved.evaluate([[0.0, 0.0]])[0] <= 1
    network().save("moved/weights/TrainedModel_PyKeras.keras")
    with pytest.raises(InputFileError, match="not the one that this weight file was written for"):
        read_weights("moved/weights/job_PyKeras.weights.xml")
    (Path("moved/weights") / model.name).unlink()
    with pytest.raises(InputFileError, match="the model that the weight file names is not there"):
        read_weights("moved/weights/job_PyKeras.weights.xml")


def test_weight_files_of_tmva_have_no_weights_and_no_checksum() -> None:
    _, one = trained("NumEpochs=1")
    text = one.weight_file.read_text()
    begin = text.index("<Weights")
    plain = text[:begin] + text[text.index("/>", begin) + 2 :]
    one.weight_file.write_text(plain)
    assert 0 <= read_weights(one.weight_file).evaluate([[0.0, 0.0]])[0] <= 1
