"""TMVA.root: the file that TMVA's Factory writes, for TMVAGui and for people who read it; written with uproot."""

from tmva_bridge.output.writing import MethodOutput, write_output

__all__ = ["MethodOutput", "write_output"]
