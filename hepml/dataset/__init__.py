"""The data set of a study in one HDF5 file: writer, reader, splits, scaling, loaders.

    ROOT files -> convert -> data.h5 -> Dataset | load_data | load_combined_data -> batches

The file holds raw values and, beside them, the scaling constants fitted on its training split, the identity of every
candidate, and what it was made from. See `hepml.dataset.layout` for its groups.
"""

from hepml.dataset.convert import Summary, convert
from hepml.dataset.efps import EFPFile
from hepml.dataset.layout import SPLITS
from hepml.dataset.loaders import load_combined_data, load_data
from hepml.dataset.polynomials import EFPSummary, write_efps
from hepml.dataset.reader import Dataset
from hepml.dataset.tokens import TOKENS, parse_features

__all__ = [
    "SPLITS",
    "TOKENS",
    "Dataset",
    "EFPFile",
    "EFPSummary",
    "Summary",
    "convert",
    "load_combined_data",
    "load_data",
    "parse_features",
    "write_efps",
]
