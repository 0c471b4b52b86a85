"""The network of a run as a recipe: fresh weights for every fold, seed and retry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, SchemaError
from hepml.models import InputSpec, Settings, build_layers, build_model, seeded
from hepml.models.tower import trains_sparse
from hepml.training.decorrelate import mixing
from hepml.training.source import Source

__all__ = ["Recipe"]

LOSS = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
_LAST = {"binary": "sigmoid", "multiclass": "softmax"}


class Recipe:
    """Makes the networks of a run.

    Args:
        settings: hyper-parameters.
        source: what it is trained on.
        model: a `keras.Model` or a list of Keras layers to train instead of the network of `settings`; only its
            configuration is used, the weights are drawn anew.
    """

    def __init__(self, settings: Settings, source: Source, model: Any = None) -> None:
        self.settings, self.source = settings, source
        self.model: Any = None
        self.layers: list[Any] | None = None
        if model is not None:
            self._take(model)
            self._check()

    def _take(self, model: Any) -> None:
        import keras

        if isinstance(model, keras.Sequential) and not model.built:
            model = model.layers
        if isinstance(model, keras.Model):
            if not getattr(model, "inputs", None):
                raise SchemaError(
                    "the model has no inputs yet", expected="a functional or Sequential keras.Model", found=type(model)
                )
            self.model = model
        elif isinstance(model, Sequence) and not isinstance(model, str):
            if len(self.source.specs) != 1:
                raise SchemaError("a list of layers takes one input", found=[spec.name for spec in self.source.specs])
            self.layers = list(model)
        else:
            raise SchemaError("not a network", expected="a keras.Model or a list of Keras layers", found=type(model))

    def _check(self) -> None:
        network, source = self.make(self.source.specs, 0), self.source
        shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in network.inputs}
        wanted = {spec.name: tuple(spec.shape) for spec in source.specs}
        single = len(shapes) == len(wanted) == 1
        if shapes != wanted and not (single and list(shapes.values()) == list(wanted.values())):
            raise DataError("the model's inputs are not the data's", expected=wanted, found=shapes)
        if len(network.outputs) != 1 or network.outputs[0].shape[-1] != source.n_outputs:
            found = [tuple(tensor.shape) for tensor in network.outputs]
            raise DataError(
                f"the model's output does not fit {source.task} labels",
                expected=f"one output of {source.n_outputs}",
                found=found,
                fix="change the last layer, or set task",
            )
        activation = getattr(network.layers[-1], "activation", None)
        name, last = getattr(activation, "__name__", None), _LAST.get(source.task)
        if last and name and name != last:
            raise SchemaError(
                f"the last activation is {name!r}",
                where=f"layer {network.layers[-1].name!r}",
                expected=f"{last!r} for {source.task} labels",
                fix='end with it, or set task="regression"',
            )

    def mixing(self, specs: tuple[InputSpec, ...], rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """The matrix that decorrelates the vectors while the network is fitted; None if it is not used."""
        own = self.model is None and self.layers is None
        return mixing(self.source, rows, specs) if own and self.settings.decorrelate else None

    @property
    def sparse(self) -> bool:
        """Whether convolutions are fitted where the images are not empty, see `hepml.models.tower`."""
        own = self.model is None and self.layers is None
        return own and trains_sparse(self.source.specs, self.settings)

    def make(
        self,
        specs: Sequence[InputSpec],
        seed: int,
        dtype: str | None = None,
        matrix: Any = None,
        sparse: bool = False,
    ) -> Any:
        """A fresh network, not compiled."""
        if self.model is not None:
            import keras

            with seeded(seed):
                return keras.models.clone_model(self.model)
        plain = [_without_scaling(spec) for spec in specs] if not self.settings.normalise else list(specs)
        if self.layers is not None:
            return build_layers(self.layers, plain[0], seed)
        task, n_outputs = self.source.task, self.source.n_outputs
        more = {"dtype": dtype, "mixing": matrix, "sparse": sparse}
        return build_model(plain, self.settings, seed, task=task, n_outputs=n_outputs, **more)

    def specs(self, specs: Sequence[InputSpec]) -> tuple[InputSpec, ...]:
        """What the networks say about their inputs: no scaling where they do not contain it."""
        own = self.model is None and self.settings.normalise
        return tuple(specs) if own else tuple(_without_scaling(spec) for spec in specs)

    def names(self, network: Any) -> list[str]:
        """The data's names of the network's inputs, in the network's order."""
        own = [tensor.name for tensor in network.inputs]
        return own if len(own) > 1 else [self.source.specs[0].name]

    def record(self) -> Any:
        """The configuration of a given network, names replaced by numbers; None for a network of `settings`."""
        if self.model is None and self.layers is None:
            return None
        network = self.make(self.source.specs, 0)
        text = network.to_json()
        for number, layer in enumerate(network.layers):
            text = text.replace(json.dumps(layer.name), f'"layer_{number}"')
        record = json.loads(text)["config"]
        record.pop("name", None)
        return record

    def compiled(
        self,
        specs: Sequence[InputSpec],
        seed: int,
        *,
        learning_rate: float,
        steps: int,
        matrix: Any = None,
        loss: Any = None,
    ) -> Any:
        """A fresh network ready to be fitted; `loss` is that of the task if None."""
        import keras

        dtype = None if self.settings.precision == "float32" else self.settings.precision
        network = self.make(specs, seed, dtype, matrix, self.sparse)
        optimizer = keras.optimizers.get({"class_name": self.settings.optimizer, "config": {}})
        optimizer.learning_rate = learning_rate
        loss = loss or LOSS[self.source.task]
        network.compile(optimizer, loss, jit_compile=False, steps_per_execution=steps)
        return network


def _without_scaling(spec: InputSpec) -> InputSpec:
    record = spec.to_dict() | {"offset": None, "scale": None}
    return InputSpec.from_dict(record, spec.reference)
