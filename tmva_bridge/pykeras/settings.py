"""The options of PyKeras that are more than a number: validation, schedule of the learning rate, processors."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from hepml.errors import DataError, MissingExtraError

__all__ = ["check_options", "schedule_of", "set_up", "validation_events"]

_GPU = "allow_growth"


def check_options(options: Mapping[str, Any]) -> None:
    """Raises DataError for an option that is refused, or a value that is not possible."""
    if options["UserCode"]:
        raise DataError(
            "UserCode is refused: it runs a file",
            found=options["UserCode"],
            fix="give what the model needs to BookMethod: custom_objects={'name': class_or_function}",
        )
    least = {"BatchSize": 1, "NumEpochs": 1, "NumThreads": 0, "TriesEarlyStopping": -1, "Verbose": 0}
    for name, low in least.items():
        if options[name] < low:
            raise DataError(f"{name} cannot be {options[name]}", expected=f"{low} or more")
    if options["Verbose"] > 2:
        raise DataError(f"Verbose cannot be {options['Verbose']}", expected="0, 1 or 2")
    schedule_of(str(options["LearningRateSchedule"]))
    validation_events(str(options["ValidationSize"]), 1 << 40)
    _gpu_growth(str(options["GpuOptions"]))
    tensorflow = os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
    needs = [name for name in ("NumThreads", "GpuOptions", "TensorBoard") if options[name]]
    if needs and not tensorflow:
        raise DataError(f"{needs[0]} is for TensorFlow alone", found=f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}")
    if options["TensorBoard"] and find_spec("tensorboard") is None:
        raise MissingExtraError("TensorBoard is not installed", fix="pip install tensorboard")


def schedule_of(text: str) -> dict[int, float]:
    """The learning rate from each epoch on, counted from 0, of "10,0.01;20,0.001", in brackets too.

    Raises:
        DataError: not pairs of an epoch and a rate above 0, or an epoch twice.

    Example:
        >>> schedule_of("[10,0.01; 20,0.001]")
        {10: 0.01, 20: 0.001}
    """
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    out: dict[int, float] = {}
    for pair in filter(str.strip, bare.split(";")):
        try:
            first, second = pair.split(",")
            epoch, rate = int(first), float(second)
        except ValueError:
            epoch, rate = -1, 0.0
        if epoch < 0 or not (rate > 0 and math.isfinite(rate)) or epoch in out:
            raise DataError(
                f"LearningRateSchedule cannot be {text!r}",
                expected="epoch,rate;epoch,rate with each epoch once, such as 10,0.01;20,0.001",
                found=pair.strip(),
            )
        out[epoch] = rate
    return out


def validation_events(text: str, events: int) -> int:
    """How many of the training events validate: "20%", "0.2", or a number of events.

    Raises:
        DataError: none, all, or no number.

    Example:
        >>> validation_events("20%", 1000), validation_events("0.2", 1000), validation_events("150", 1000)
        (200, 200, 150)
    """
    bare = text.strip()
    try:
        value = float(bare.removesuffix("%")) / (100 if bare.endswith("%") else 1)
    except ValueError:
        value = math.nan
    whole = value >= 1 and not bare.endswith("%")
    count = int(value) if whole else int(value * events) if 0 < value < 1 else 0
    if not 0 < count < events or (whole and value != count):
        raise DataError(
            f"ValidationSize cannot be {text!r}",
            expected="a part such as 20% or 0.2, or a number of events below that of the training",
            found=f"{count} of {events} events",
        )
    return count


def _gpu_growth(text: str) -> bool | None:
    """Whether memory grows, of "allow_growth=True"; None without options."""
    growth = None
    for item in filter(str.strip, text.split(",")):
        name, _, value = (part.strip() for part in item.partition("="))
        if name != _GPU or value not in ("True", "False"):
            raise DataError(f"the GpuOptions {item.strip()!r} are not read", expected=f"{_GPU}=True or {_GPU}=False")
        growth = value == "True"
    return growth


def set_up(options: Mapping[str, Any]) -> None:
    """Threads and memory of TensorFlow. Raises DataError if it runs already, with other ones."""
    growth = _gpu_growth(str(options["GpuOptions"]))
    threads = int(options["NumThreads"])
    if growth is None and not threads:
        return
    import tensorflow as tf

    try:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        for device in tf.config.list_physical_devices("GPU") if growth is not None else ():
            tf.config.experimental.set_memory_growth(device, growth)
    except RuntimeError as error:
        raise DataError(
            "threads and memory of TensorFlow are set once, before it starts",
            found=str(error).splitlines()[0],
            fix="give all PyKeras methods the same NumThreads and GpuOptions, and build models in another program",
        ) from error
