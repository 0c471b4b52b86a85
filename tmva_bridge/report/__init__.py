"""What is in a TMVA.root: figures and numbers, for `hepml tmva report`."""

from tmva_bridge.report.reading import Bins, OutputFile, open_output
from tmva_bridge.report.report import report

__all__ = ["Bins", "OutputFile", "open_output", "report"]
