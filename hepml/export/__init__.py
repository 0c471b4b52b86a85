"""Keras models as JSON for the C++ evaluator and for lwtnn; what cannot be reproduced exactly is refused."""

from hepml.export.model import Export, export_model
from hepml.export.packing import compact
from hepml.export.validation import schema, validate
from hepml.export.writer import model_id

__all__ = ["Export", "compact", "export_model", "model_id", "schema", "validate"]
