"""Loads TensorFlow without the remarks about processors and CUDA that its C++ code writes to stderr."""

from __future__ import annotations

import os
import sys
import tempfile

__all__ = ["load_keras_quietly"]


def load_keras_quietly() -> None:
    """Imports Keras and its back end; what they write to stderr is shown only if they fail."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        real = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            import keras

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
