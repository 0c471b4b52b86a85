"""PyKeras: the response of a model of Keras, whose file stands beside the weight file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import InputFileError
from hepml.ledger import sha256_file
from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.sample import Setup
from tmva_bridge.xmlfile import Element

__all__ = ["read"]


def read(weights: Element, header: Header) -> Respond:
    """The response; the model is read when the first events come.

    Raises:
        InputFileError: its file is not there, or not the one that was trained.
    """
    path = _place(header)
    written = weights.attributes.get("ModelSHA256")
    if written is not None and sha256_file(path) != written:
        raise InputFileError(
            "the model is not the one that this weight file was written for",
            where=path,
            expected=f"the SHA-256 {written}",
            found=sha256_file(path),
            fix="keep both files of a training together, or train again",
        )
    models: list[Any] = []

    def respond(events: Events) -> NDArray[np.float64]:
        from tmva_bridge.pykeras.models import check_shape, predicted, read_model

        if not models:
            setup = Setup("", header.analysis, header.classes, header.variables, (), header.targets)
            model = read_model(path, header.custom_objects)
            check_shape(model, setup, path)
            models.append(model)
        out = predicted(models[0], events.transformed())
        return out[:, 0] if header.analysis == "Classification" else out

    return respond


def _place(header: Header) -> Path:
    """The file: beside the weight file if it is there, else where the option says."""
    name = header.option("FilenameTrainedModel")
    places = [Path(header.file).parent / Path(name).name, Path(name)]
    for place in places:
        if place.is_file():
            return place
    raise InputFileError(
        "the model that the weight file names is not there",
        where=f"{header.file}, option FilenameTrainedModel",
        expected=" or ".join(dict.fromkeys(str(place) for place in places)),
        found="no such file",
        fix="copy it beside the weight file",
    )
