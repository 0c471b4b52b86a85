"""Keras 2 (and Keras 1) networks as Keras 3 models, without running anything that their files hold.

architecture JSON + weights .h5, or a whole model .h5
  -> files.py    texts and plain arrays
  -> keras1.py   a Keras 1 configuration in the words of Keras 2
  -> build.py    layers from the allow-list of arguments.py, called as the file says; arrays from weights.py
"""

from hepml.export.keras2.build import read_keras2

__all__ = ["read_keras2"]
