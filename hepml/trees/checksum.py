"""The checksum of a sample: what identifies it, whatever its file is called and however it is compressed.

It covers the number of entries, the seed collection as stored, and the number of ECal towers of every event: cheap to
read, and different for any two samples. Each branch is hashed on its own over the whole tree, so that neither the step
size nor the compression matters; values are widened to float64, so that neither does the byte order.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from hepml.layouts import Binding
from hepml.trees.columns import Tree, widened

__all__ = ["sample_checksum"]


def sample_checksum(tree: Tree, binding: Binding, step_size: int | str = "1 MB") -> str:
    """SHA-256 (hex) of the content of a tree, read in a pass of its own.

    Args:
        tree: the tree.
        binding: its branches.
        step_size: how much is read at a time; the result does not depend on it.
    """
    seed = dict(binding.blocks.get(f"objects.{binding.layout.seed}", {}))
    towers = binding.blocks.get("towers.ecal", {})
    counter, is_count = _counter(tree, next(iter(towers.values()))) if towers else (None, False)
    hashes = {key: hashlib.sha256() for key in (*sorted(seed), "count", "towers")}
    branches = list(dict.fromkeys([*seed.values(), *([counter] if counter else [])]))
    for first, _, arrays in tree.iterate(branches, step_size, 0, tree.n_entries):
        for key in sorted(seed):
            offsets, values = tree.jagged(seed[key], arrays[seed[key]])
            hashes[key].update(widened(values).tobytes())
        if seed:
            hashes["count"].update(np.diff(offsets).astype("<i8").tobytes())
        if counter:
            counts: NDArray[np.generic]
            counts = (
                tree.scalar(counter, arrays[counter], first)
                if is_count
                else np.diff(tree.jagged(counter, arrays[counter])[0])
            )
            hashes["towers"].update(counts.astype("<i8").tobytes())
    total = hashlib.sha256(f"hepml-sample-1 {tree.n_entries}".encode())
    for key, part in hashes.items():
        total.update(f" {key} {part.hexdigest()}".encode())
    return total.hexdigest()


def _counter(tree: Tree, branch: str) -> tuple[str, bool]:
    """A branch that holds the numbers of towers, and whether it holds nothing else."""
    if tree.is_rntuple:
        return branch, False
    counter = tree.tree[branch].count_branch
    for name in (branch.partition("/")[0], "" if counter is None else str(counter.name)):
        if name in tree.tree and name != branch:
            dtype, jagged = tree.numeric(name)
            if dtype is not None and dtype.kind in "iu" and not jagged:
                return name, True
    return branch, False
