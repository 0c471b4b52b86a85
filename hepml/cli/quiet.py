"""Loads TensorFlow without the remarks about processors and CUDA that its C++ code writes to stderr."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from hepml.errors import HepmlError, MissingExtraError

__all__ = ["load_keras_quietly"]


def load_keras_quietly() -> None:
    """Imports Keras and its back end; what they write to stderr is shown only if they fail.

    Raises:
        MissingExtraError: the back end that the environment chooses is not installed.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        real = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            keras = _keras()
            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                tf.config.list_physical_devices()
        except BaseException:
            kept.seek(0)
            os.write(real, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)


def _keras() -> Any:
    try:
        import keras
    except (ImportError, ValueError) as error:  # ValueError: no back end has this name
        if "map segment" in str(error) or "allocate memory" in str(error):
            raise HepmlError(
                "there is not enough memory to load TensorFlow",
                found=error,
                fix="allow more: it takes about 2 GiB of addresses (ulimit -v)",
            ) from error
        chosen = os.environ.get("KERAS_BACKEND")
        package = getattr(error, "name", None)
        raise MissingExtraError(
            "Keras cannot load its back end",
            where="Keras's own settings" if chosen is None else f"the environment variable KERAS_BACKEND={chosen}",
            expected="tensorflow, or another back end that is installed",
            found=error,
            fix="unset KERAS_BACKEND" + (f", or: pip install {package}" if package else ""),
        ) from error
    return keras
