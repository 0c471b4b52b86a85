"""The seven published networks of electron identification, and the ranges they were searched in.

Settings and parameter counts: arXiv:2011.01984, tables III-V, and the authors' stored models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hepml.errors import SchemaError, nearest
from hepml.models.inputs import IMAGE_TOKENS
from hepml.models.settings import Settings

__all__ = ["PRESETS", "SEARCH_RANGES", "Preset", "preset_settings"]


@dataclass(frozen=True)
class Preset:
    """A published network.

    Attributes:
        features: its input tokens.
        settings: its hyper-parameters.
        parameters: trainable parameters, which the built network has exactly.
    """

    features: tuple[str, ...]
    settings: Settings
    parameters: int


def _dense(layers: int, units: int, learning_rate: float, dropout: float = 0.0) -> Settings:
    return Settings(layers=layers, units=units, learning_rate=learning_rate, dropout=dropout)


def _convolutional(
    conv_blocks: int, filters: int, layers: int, units: int, learning_rate: float, *, dropout: float = 0.0
) -> Settings:
    dense = _dense(layers, units, learning_rate, dropout)
    return dense.replace(conv_blocks=conv_blocks, filters=filters)


PRESETS: dict[str, Preset] = {
    "mass": Preset(("mass",), _dense(3, 10, 0.01), 251),
    "hl": Preset(("hl",), _dense(5, 149, 0.001, 0.0019), 90_742),
    "hl_and_mass": Preset(("hl", "mass"), _dense(3, 109, 0.0013), 25_071),
    "et": Preset(("et",), _convolutional(3, 117, 2, 160, 1e-4), 943_361),
    "ht": Preset(("ht",), _convolutional(2, 27, 2, 84, 0.01, dropout=0.5), 172_495),
    "et_and_ht": Preset(("et", "ht"), _convolutional(3, 47, 2, 146, 1e-4), 441_559),
    "et_and_ht_and_hl": Preset(("et", "ht", "hl"), _convolutional(3, 34, 2, 154, 1e-4), 297_869),
}

# kind of network -> setting -> (lowest, highest) of the published Bayesian search
SEARCH_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "convolutional": {
        "conv_blocks": (1, 4),
        "filters": (8, 128),
        "layers": (1, 3),
        "units": (1, 200),
        "learning_rate": (1e-4, 1e-2),
        "dropout": (0.0, 0.5),
    },
    "dense": {"layers": (1, 8), "units": (1, 200), "learning_rate": (1e-4, 1e-2), "dropout": (0.0, 0.5)},
}


def preset_settings(features: tuple[str, ...], preset: str | None = None, **overrides: Any) -> Settings:
    """The settings of a feature set: its preset's, else the nearest published network's, with overrides.

    Args:
        features: tokens, in any order.
        preset: take this preset's settings whatever the features.
        overrides: settings that replace the preset's.

    Raises:
        SchemaError: an unknown preset or setting.

    Example:
        >>> preset_settings(("hl",)).units, preset_settings(("hl",), units=20).units
        (149, 20)
    """
    if preset is not None and preset not in PRESETS:
        raise SchemaError(
            f"no preset is called {preset!r}",
            expected="one of " + ", ".join(PRESETS),
            nearest=nearest(preset, PRESETS),
        )
    if preset is not None:
        return PRESETS[preset].settings.replace(**overrides)
    for known in PRESETS.values():
        if set(known.features) == set(features):
            return known.settings.replace(**overrides)
    n_images = sum(token in IMAGE_TOKENS for token in features)
    close = "hl_and_mass" if n_images == 0 else "et_and_ht" if n_images == len(features) else "et_and_ht_and_hl"
    return PRESETS[close].settings.replace(**overrides)
