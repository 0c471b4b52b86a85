"""Networks: settings, the published presets, and the builder that puts the normalisation inside the model."""

from hepml.models.builder import build_layers, build_model, seeded
from hepml.models.inputs import IMAGE_TOKENS, InputSpec
from hepml.models.presets import PRESETS, SEARCH_RANGES, Preset, preset_settings
from hepml.models.settings import REFERENCE_NAMES, Settings

__all__ = [
    "IMAGE_TOKENS",
    "PRESETS",
    "REFERENCE_NAMES",
    "SEARCH_RANGES",
    "InputSpec",
    "Preset",
    "Settings",
    "build_layers",
    "build_model",
    "preset_settings",
    "seeded",
]
