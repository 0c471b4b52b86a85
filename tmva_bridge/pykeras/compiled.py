"""How a model in a file was compiled, of which nothing is trusted: names and numbers, put together anew.

Optimizers, losses and metrics are made from Keras' own by their names; their arguments are numbers, texts, flags and
lists of these. Nothing is deserialized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from hepml.errors import SchemaError, nearest

__all__ = ["compile_as_stored"]

_FLAGS = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
_PARTS = ("optimizer", "optimizer_config", "loss", "loss_weights", "metrics", "weighted_metrics", *_FLAGS)
_OLD = {"lr": "learning_rate"}  # names of Keras 1 and 2
# arguments of Keras 2 that mean nothing now, with the values that ask for nothing
_GONE: dict[str, tuple[Any, ...]] = {
    "is_legacy_optimizer": (True, False),
    "jit_compile": (True, False),
    "decay": (0, None),
    "initial_decay": (0, None),
    "epsilon": (None,),
}


def compile_as_stored(model: Any, settings: Mapping[str, Any] | None, where: object, custom: Mapping[str, Any]) -> None:
    """Compiles a model as its file says.

    Args:
        model: of Keras.
        settings: as `hepml.models.stored.compile_settings` gives them.
        where: the file, for messages.
        custom: classes and functions of the caller, by the names that the file uses.

    Raises:
        SchemaError: the model was not compiled, or with something that Keras does not have or that is no plain data.
    """
    _Builder(where, custom).compile(model, settings)


class _Builder:
    def __init__(self, where: object, custom: Mapping[str, Any]) -> None:
        self.where, self.custom = where, custom

    def wrong(self, problem: str, found: object, known: Any = ()) -> NoReturn:
        raise SchemaError(
            problem,
            where=f"{self.where}, how the model was compiled",
            found=found,
            nearest=nearest(str(found), known) if known else (),
            fix="compile the model with losses, metrics and optimizers of Keras, or give custom_objects=",
        )

    def compile(self, model: Any, settings: Mapping[str, Any] | None) -> None:
        if settings is None:
            raise SchemaError(
                "the model is not compiled",
                where=self.where,
                expected="a loss and an optimizer in the file",
                fix="call model.compile(...) before model.save(...)",
            )
        unknown = [name for name, value in settings.items() if name not in _PARTS and value not in (None, [], {})]
        if unknown:
            self.wrong(f"the setting {unknown[0]!r} is not read", settings[unknown[0]])
        optimizer = settings.get("optimizer") or settings.get("optimizer_config")
        if optimizer is None or settings.get("loss") is None:
            self.wrong("no optimizer or no loss", ", ".join(settings))
        more = {name: settings[name] for name in _FLAGS if settings.get(name) is not None}
        for name, value in more.items():
            self.check_plain(name, value)
        model.compile(
            optimizer=self.optimizer(optimizer),
            loss=self.loss(_single(settings["loss"])),
            loss_weights=self.plain("loss_weights", settings.get("loss_weights")),
            metrics=[self.metric(one) for one in _flat(settings.get("metrics"))],
            weighted_metrics=[self.metric(one) for one in _flat(settings.get("weighted_metrics"))],
            **more,
        )

    def optimizer(self, given: Any) -> Any:
        import keras

        kind, config = self.record(given)
        if kind in self.custom:
            return self.made(self.custom[kind], config, kind)
        known = _classes(keras.optimizers, keras.optimizers.Optimizer)
        chosen = known.get(kind.rpartition(">")[2].lower())
        if chosen is None:
            self.wrong(f"the optimizer {kind!r} is not one of Keras", kind, [one.__name__ for one in known.values()])
        config = {_OLD.get(name, name): value for name, value in config.items()}
        rate = config.get("learning_rate")
        if isinstance(rate, Mapping):
            schedules = _classes(keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule)
            name, arguments = self.record(rate)
            if name.lower() not in schedules:
                self.wrong(f"the schedule {name!r} is not one of Keras", name, [*schedules])
            config["learning_rate"] = self.made(schedules[name.lower()], arguments, name)
        elif isinstance(rate, int | float) and isinstance(config.get("decay"), int | float) and config["decay"] > 0:
            decay = config.pop("decay")  # Keras 2: the rate divided by 1 + decay * steps
            config["learning_rate"] = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
        return self.made(chosen, {name: value for name, value in config.items() if not self.is_gone(name, value)}, kind)

    @staticmethod
    def is_gone(name: str, value: Any) -> bool:
        return name in _GONE and value in _GONE[name]

    def loss(self, given: Any) -> Any:
        import keras

        kind, config = self.record(given)
        if kind in self.custom:
            return self.made(self.custom[kind], config, kind)
        classes = _classes(keras.losses, keras.losses.Loss)
        if isinstance(given, str) or kind.lower() not in classes:
            return self.named(kind, keras.losses.get, "loss")
        if config.get("reduction") == "auto":  # of Keras 2
            config["reduction"] = "sum_over_batch_size"
        return self.made(classes[kind.lower()], {k: v for k, v in config.items() if k != "fn"}, kind)

    def metric(self, given: Any) -> Any:
        import keras

        kind, config = self.record(given)
        if kind == "MeanMetricWrapper" and isinstance(config.get("fn"), str):
            return self.metric(config["fn"])
        if kind in self.custom:
            return self.made(self.custom[kind], config, kind)
        classes = _classes(keras.metrics, keras.metrics.Metric)
        if isinstance(given, str) or kind.lower() not in classes:
            if kind in ("accuracy", "acc", "crossentropy", "ce"):
                return kind
            return self.named(kind, keras.metrics.get, "metric")
        return self.made(classes[kind.lower()], config, kind)

    def named(self, name: str, get: Callable[[str], Any], what: str) -> Any:
        """A loss or a metric by its name."""
        try:
            found = get(name)
        except ValueError:
            self.wrong(f"the {what} {name!r} is not one of Keras", name)
        if not str(getattr(found, "__module__", "")).startswith("keras."):
            self.wrong(f"the {what} {name!r} is not one of Keras", name)
        return name

    def record(self, given: Any) -> tuple[str, dict[str, Any]]:
        """A name, and arguments."""
        if isinstance(given, str):
            return given, {}
        if isinstance(given, Mapping) and isinstance(given.get("class_name"), str):
            config = given.get("config") or {}
            if isinstance(config, str):  # a function
                return config, {}
            if isinstance(config, Mapping):
                return given["class_name"], dict(config)
        return self.wrong("neither a name nor a class with arguments", str(given)[:200])

    def made(self, kind: Any, config: dict[str, Any], name: str) -> Any:
        if not isinstance(kind, type):  # a function
            return kind
        for argument, value in config.items():
            if not hasattr(value, "get_config"):  # a schedule that was made here
                self.check_plain(f"{name}.{argument}", value)
        try:
            return kind(**config)
        except (TypeError, ValueError) as error:
            self.wrong(f"{name} does not take these arguments", f"{error}"[:200])

    def plain(self, name: str, value: Any) -> Any:
        self.check_plain(name, value)
        return value

    def check_plain(self, name: str, value: Any) -> None:
        values = value if isinstance(value, list) else list(value.values()) if isinstance(value, Mapping) else [value]
        if not all(one is None or isinstance(one, bool | int | float | str) for one in values):
            self.wrong(f"{name} is not plain data", str(value)[:200])


def _single(loss: Any) -> Any:
    """The loss of the only output."""
    if isinstance(loss, list) and len(loss) == 1:
        return loss[0]
    if isinstance(loss, Mapping) and len(loss) == 1 and "class_name" not in loss:
        return next(iter(loss.values()))
    return loss


def _flat(metrics: Any) -> list[Any]:
    """Metrics of the only output, however they are nested."""
    if isinstance(metrics, Mapping) and "class_name" not in metrics:
        metrics = list(metrics.values())
    if isinstance(metrics, list):
        return [one for item in metrics for one in _flat(item)]
    return [] if metrics is None else [metrics]


def _classes(module: Any, base: type) -> dict[str, Any]:
    """The classes of a module of Keras, by their names in lower case."""
    return {name.lower(): one for name, one in vars(module).items() if isinstance(one, type) and issubclass(one, base)}
