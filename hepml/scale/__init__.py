"""Many cores and many machines: parts of a conversion joined to one file, and workers of a dask cluster."""

from hepml.scale.merge import expand_parts, merge

__all__ = ["expand_parts", "merge"]
