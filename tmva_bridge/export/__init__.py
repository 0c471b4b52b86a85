"""Weight files as network files of hepml: `to_json`."""

from tmva_bridge.export.document import to_json

__all__ = ["to_json"]
