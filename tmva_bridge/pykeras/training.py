"""PyKeras: a model of Keras from a file, trained by TMVA's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, TrainingError
from hepml.ledger import atomic_path, check_not_input, sha256_file
from tmva_bridge.declared import COMMON
from tmva_bridge.fitting.training import Outcome, Task, Training
from tmva_bridge.header import ANALYSES
from tmva_bridge.options import Declared
from tmva_bridge.pykeras.models import SUFFIXES, check_shape, compiled_model, outputs_of
from tmva_bridge.pykeras.settings import check_options, schedule_of, set_up, validation_events
from tmva_bridge.sample import Setup
from tmva_bridge.writing.markup import Tag

__all__ = ["PYKERAS", "check_booking", "pykeras"]

Floats = NDArray[np.float32]

OPTIONS: dict[str, Declared] = {
    **COMMON,
    "FilenameModel": "",
    "FilenameTrainedModel": "",
    "BatchSize": 100,
    "NumEpochs": 10,
    "NumThreads": 0,
    "GpuOptions": "",
    "Verbose": 1,
    "ContinueTraining": False,
    "SaveBestOnly": True,
    "TriesEarlyStopping": -1,
    "LearningRateSchedule": "",
    "TensorBoard": "",
    "ValidationSize": "20%",
    "UserCode": "",
    "tf.keras": True,
    "tfkeras": True,
}


def pykeras(custom_objects: Mapping[str, Any]) -> Training:
    """The training, for models that need classes or functions of the caller, by the names that their files use."""
    return replace(PYKERAS, run=partial(_run, custom_objects=custom_objects))


def check_booking(options: Mapping[str, Any], setup: Setup, title: str, custom_objects: Mapping[str, Any]) -> None:
    """Looks at the options and at the model before anything is trained.

    Raises:
        DataError: an option that is refused, or a value that is not possible; a model of another shape.
        InputFileError, SchemaError: a model that is absent, damaged, not safe to load or not compiled.
    """
    check_options(options)
    _model(options, setup, title, custom_objects)


def _trained_file(options: Mapping[str, Any], setup: Setup, title: str) -> Path:
    name = str(options["FilenameTrainedModel"]) or f"{setup.loader}/weights/TrainedModel_{title}.keras"
    if Path(name).suffix not in SUFFIXES:
        raise DataError(f"FilenameTrainedModel cannot be {name!r}", expected=f"a name in {' or '.join(SUFFIXES)}")
    return Path(name)


def _model(options: Mapping[str, Any], setup: Setup, title: str, custom_objects: Mapping[str, Any]) -> Any:
    """The compiled model that the training begins with."""
    trained = _trained_file(options, setup, title)
    name = str(trained if options["ContinueTraining"] else options["FilenameModel"])
    if not name:
        raise DataError("no FilenameModel", where=f"method {title}", expected="FilenameModel=model.keras")
    if not options["ContinueTraining"]:
        check_not_input(trained, [name])
    model = compiled_model(name, custom_objects)
    check_shape(model, setup, name)
    return model


def _run(task: Task, custom_objects: Mapping[str, Any] | None = None) -> Outcome:
    options, setup, custom = task.options, task.setup, custom_objects or {}
    check_options(options)
    set_up(options)
    model = _model(options, setup, task.title, custom)
    trained = _trained_file(options, setup, task.title)
    if options["V"] or options["VerbosityLevel"] in ("Debug", "Verbose"):
        model.summary()
    x, y, w = task.values().astype(np.float32), _answers(task), task.sample.weights.astype(np.float32)
    held = validation_events(str(options["ValidationSize"]), len(x))
    _check_parts(task, held)
    callbacks, best = _callbacks(model, options, (x[-held:], y[-held:], w[-held:]))
    history = model.fit(
        x[:-held],
        y[:-held],
        sample_weight=w[:-held],
        validation_data=(x[-held:], y[-held:], w[-held:]),
        batch_size=int(str(options["BatchSize"])),
        epochs=int(str(options["NumEpochs"])),
        verbose=int(str(options["Verbose"])),
        callbacks=callbacks,
    ).history
    if not np.isfinite([*history["loss"], *history["val_loss"]]).all():
        raise TrainingError(
            "the loss is not finite",
            where=f"method {task.title}, epoch {int(np.argmin(np.isfinite(history['loss'])))}",
            expected="finite losses",
            fix="lower the learning rate, or transform the variables: VarTransform=N",
        )
    if best is not None:
        model.set_weights(best.weights)
    with atomic_path(trained, overwrite=True) as temporary:
        model.save(temporary)
    weights = Tag("Weights", {"ModelSHA256": sha256_file(trained)})
    return Outcome(weights, {"FilenameTrainedModel": trained.as_posix()}, custom)


def _answers(task: Task) -> Floats:
    """What the outputs shall be: targets, or 1 for the class of an event and 0 for the others."""
    if task.setup.analysis == "Regression":
        return task.targets().astype(np.float32)
    out: Floats = np.eye(outputs_of(task.setup), dtype=np.float32)[task.sample.classes]
    return out


def _check_parts(task: Task, held: int) -> None:
    """Both parts need every class: with SplitMode=Block the last events are of one class only."""
    if task.setup.analysis == "Regression":
        return
    classes = task.sample.classes
    for part, name in ((classes[:-held], "training"), (classes[-held:], "validation")):
        absent = [one for i, one in enumerate(task.setup.classes) if not (part == i).any()]
        if absent:
            raise DataError(
                f"no {name} events of the class {absent[0]!r}",
                where=f"method {task.title}",
                expected="events of every class among the last ones, which validate, and among the others",
                found="the events of one class stand together",
                fix="MixMode=Random or MixMode=Alternate in PrepareTrainingAndTestTree",
            )


def _callbacks(model: Any, options: Mapping[str, Any], held: tuple[Floats, Floats, Floats]) -> tuple[list[Any], Any]:
    """TMVA's, in its order; and the one that keeps the best weights, if there is one."""
    import keras

    class Best(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps the weights of the least val_loss; a continued training keeps the former ones if none is better."""

        def __init__(self, loss: float) -> None:
            super().__init__()
            self.loss, self.weights = loss, model.get_weights()

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            loss = float((logs or {}).get("val_loss", np.inf))
            if loss < self.loss:
                self.loss, self.weights = loss, model.get_weights()

    callbacks: list[Any] = []
    best = None
    if options["SaveBestOnly"]:
        before = np.inf
        if options["ContinueTraining"]:
            before = model.evaluate(*held[:2], sample_weight=held[2], verbose=0, return_dict=True)["loss"]
        best = Best(float(before))
        callbacks.append(best)
    if options["TriesEarlyStopping"] >= 0:
        callbacks.append(keras.callbacks.EarlyStopping(monitor="val_loss", patience=options["TriesEarlyStopping"]))
    rates = schedule_of(str(options["LearningRateSchedule"]))
    if rates:
        if not isinstance(getattr(model.optimizer, "_learning_rate", None), keras.Variable):
            raise DataError(
                "LearningRateSchedule, and a model that was compiled with a schedule of its own", fix="use one of them"
            )
        callbacks.append(keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates.get(epoch, float(rate))))
    if options["TensorBoard"]:
        callbacks.append(keras.callbacks.TensorBoard(log_dir=str(options["TensorBoard"])))
    return callbacks, best


PYKERAS = Training("PyKeras", OPTIONS, _run, ANALYSES)
