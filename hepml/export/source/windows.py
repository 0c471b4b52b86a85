"""Windows that move along an axis."""

from __future__ import annotations

from dataclasses import dataclass

from hepml.export.source.program import Layer, Program, Tensor

__all__ = ["Window", "directions", "read_window"]


@dataclass(frozen=True)
class Window:
    """A window of `reach` places that moves by `step`; TensorFlow's rules of padding.

    "same" gives ceil(size / step) places and pads the smaller half before, "valid" pads nothing, "causal" pads before.
    """

    reach: int
    step: int
    padding: str

    def output(self, size: int) -> int:
        """Places of output on `size` places; 0 if the window does not fit."""
        if self.padding != "valid":
            return -(-size // self.step)
        return 0 if self.reach > size else (size - self.reach) // self.step + 1

    def _lost(self, size: int) -> int:
        return max(0, (self.output(size) - 1) * self.step + self.reach - size) if size else 0

    def before(self, size: int) -> int:
        """Places of padding before the first one."""
        if self.padding == "causal":
            return self.reach - 1
        return self._lost(size) // 2 if self.padding == "same" else 0

    def after(self, size: int) -> int:
        """Places of padding behind the last one."""
        return self._lost(size) - self.before(size) if self.padding == "same" else 0

    def steps(self, program: Program, x: Tensor) -> tuple[str, int]:
        """Places of output on the steps of a sequence, as Tensor.steps."""
        if not x.is_dynamic:
            return "", 0
        n, most = x.steps
        if self.padding == "valid":
            text = f"({n} - {self.reach}) / {self.step} + 1"
            return program.new_steps(text, max(self.output(most), 1), valid=f"{n} >= {self.reach}")
        if self.step == 1:
            return x.steps
        return program.new_steps(f"({n} + {self.step - 1}) / {self.step}", self.output(most))

    def before_text(self, x: Tensor, axis: int) -> str:
        """C++ text of the padding before the first place of this event."""
        if not (x.is_dynamic and axis == 0):
            return str(self.before(x.fixed[axis]))
        if self.padding != "same" or self.step == 1:
            return str(self.before(self.reach + self.step))
        return f"padding_before({x.steps[0]}, {self.reach}, {self.step})"


def directions(layer: Layer, key: str, n: int, absent: list[int] | None = None) -> list[int]:
    """A number for each direction."""
    value = layer.data.get(key, absent)
    assert value is not None, key  # the evaluator has read the file
    return list(value) if isinstance(value, list) else [int(value)] * n


def read_window(layer: Layer, reach: int, step: int) -> Window:
    """With the padding of the layer."""
    return Window(reach, step, layer.data["padding"])
