"""The float64 copy of a network, against which the evaluator is judged where float32 Keras rounds."""

import keras
import numpy as np

from hepml.export.reference import in_float64


def test_adapted_constants_come_along() -> None:
    x = np.float32([[0, 100], [2, 300], [4, 800]])
    scaled = keras.layers.Normalization()
    scaled.adapt(x)
    model = keras.Sequential([keras.Input((2,)), scaled, keras.layers.Dense(3)])
    wide = in_float64(model)
    np.testing.assert_allclose(wide.predict(x, verbose=0), model.predict(x, verbose=0), rtol=0, atol=1e-6)
