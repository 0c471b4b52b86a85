"""Many cores and many machines: parts of a conversion joined to one file, and workers of a dask cluster."""

from hepml.scale.cluster import Cluster
from hepml.scale.merge import expand_parts, merge

__all__ = ["Cluster", "expand_parts", "merge"]
