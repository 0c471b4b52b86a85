"""Keras models as JSON for the C++ evaluator and lwtnn, or as C++ source; what is not exactly the same is refused."""

from hepml.export.model import Export, export_model
from hepml.export.packing import compact
from hepml.export.precision import reduce_weights
from hepml.export.source import SourceExport, SourceFile, export_source
from hepml.export.validation import schema, validate
from hepml.export.writer import model_id

__all__ = [
    "Export",
    "SourceExport",
    "SourceFile",
    "compact",
    "export_model",
    "export_source",
    "model_id",
    "reduce_weights",
    "schema",
    "validate",
]
