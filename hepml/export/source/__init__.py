"""Networks as one C++ header: weights and arithmetic of compile-time sizes, no JSON, no heap, no library."""

from hepml.export.source.writer import SourceExport, SourceFile, export_source, is_network_file, source_text

__all__ = ["SourceExport", "SourceFile", "export_source", "is_network_file", "source_text"]
