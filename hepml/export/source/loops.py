"""C++ text of loops over the axes of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from hepml.export.source.program import Tensor

__all__ = ["loops", "names_of", "place_of", "sizes_of"]


def loops(sizes: Sequence[str], names: Sequence[str], body: list[str]) -> list[str]:
    """Nested loops over axes; those of length 1 need none."""
    lines = list(body)
    for size, name in reversed(list(zip(sizes, names, strict=True))):
        if size != "1":
            lines = [
                f"for (std::size_t {name} = 0; {name} < {size}; ++{name}) {{",
                *(f"  {line}" for line in lines),
                "}",
            ]
    return lines


def place_of(names: Sequence[str], sizes: Sequence[str], strides: Sequence[int]) -> str:
    """C++ text of the distance of a place from the first element."""
    parts = [
        f"{name} * {stride}" for name, size, stride in zip(names, sizes, strides, strict=True) if size != "1" and stride
    ]
    return " + ".join(parts) or "0"


def sizes_of(x: Tensor) -> list[str]:
    """C++ texts of the lengths of the axes."""
    return [x.steps[0] if size is None else str(size) for size in x.shape]


def names_of(n: int, letter: str = "i") -> list[str]:
    """Of the indices of n axes."""
    return [f"{letter}{axis}" for axis in range(n)]
