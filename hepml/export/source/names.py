"""C++ names for the inputs and outputs of a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["KERNELS", "Names", "kernel_text", "reserved_words"]

# files of kernels, in the order in which they may call each other, and what they need
KERNELS = (
    "vectors",
    "functions",
    "more",
    "angles",
    "power",
    "rows",
    "tensors",
    "elementwise",
    "dense",
    "convolution",
    "pixels",
    "pooling",
    "windows",
    "matrices",
    "embedding",
    "sparse",
    "recurrent",
    "trees",
)
NEEDS = {
    "matrices": ("rows",),
    "pixels": ("convolution",),
    "recurrent": ("dense",),
    "sparse": ("convolution",),
    "tensors": ("rows", "more"),
}
# what generated code calls by name
OURS = {"m", "r", "c", "i", "k", "n", "at", "good", "status", "kernels", "weights", "model_id", "max_steps", "run"}
OURS |= {"infinity", "nan", "V", "I", "Network", "Status", "reproduces_reference"}
# what it numbers: arrays of weights, steps of sequences, and pixels that deposits reach
NUMBERED = re.compile(r"[dfn]\d+|(active|before|steps)_\d+")


@dataclass(frozen=True)
class Names:
    """C++ names.

    Attributes:
        namespace: of everything.
        inputs, outputs: parameters of run(), in the order of the file.
        steps: parameters behind the inputs that are sequences of any length.
    """

    namespace: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: tuple[str, ...]

    @classmethod
    def of(cls, namespace: str, inputs: Sequence[str], outputs: Sequence[str]) -> Names:
        """Distinct identifiers that are neither words of C++, nor macros, nor names that the header uses.

        Example:
            >>> names = Names.of("net", ["et", "hl mass", "2d", "float", "f0"], ["et"])
            >>> names.inputs, names.outputs
            (('et', 'hl_mass', 'x_2d', 'float_2', 'f0_2'), ('et_2',))
        """
        text = re.sub("//.*", "", kernel_text(set(KERNELS)))
        taken = set(reserved_words()) | OURS | set(re.findall(r"([A-Za-z_]\w+)\s*[({<]", text))

        def identifier(name: str) -> str:
            found = re.sub("_+", "_", re.sub(r"\W", "_", name, flags=re.ASCII)).strip("_") or "input"
            found = f"x_{found}" if found[0].isdigit() else found
            # not an _ alone, since two together are reserved and the constants' names go on with one
            wanted, k = found, 1
            while found in taken or NUMBERED.fullmatch(found):
                k += 1
                found = f"{wanted}_{k}"
            taken.add(found)
            return found

        x, y = tuple(map(identifier, inputs)), tuple(map(identifier, outputs))
        return cls(namespace, x, y, tuple(identifier(f"n_{name}") for name in x))


@cache
def reserved_words() -> frozenset[str]:
    """Words of C++, and macros of its headers and compilers."""
    path = files("hepml.export.source") / "kernels" / "reserved.txt"
    return frozenset(path.read_text(encoding="utf-8").split())


def kernel_text(names: set[str]) -> str:
    """The kernels of these names and those that they need."""
    wanted = set(names)
    for name in reversed(KERNELS):
        if name in wanted:
            wanted.update(NEEDS.get(name, ()))
    folder = files("hepml.export.source") / "kernels"
    return "\n".join((folder / f"{name}.hpp").read_text(encoding="utf-8") for name in KERNELS if name in wanted)
