"""Weight files as TMVA writes them."""

from tmva_bridge.writing.common import Body, weight_file
from tmva_bridge.writing.markup import Tag

__all__ = ["Body", "Tag", "weight_file"]
