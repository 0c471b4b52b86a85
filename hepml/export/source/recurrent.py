"""LSTM, GRU and SimpleRNN, from a state of zeros.

The input of a step and the state lie behind each other, so that one matrix serves both.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import function_of
from hepml.export.source.dense import matrix_call
from hepml.export.source.program import ALIGNED, Layer, Matrix, Program, Tensor, up

__all__ = ["gru", "lstm", "simplernn"]

FEW_UNITS = 64  # of a layer whose gates stay in registers
FEW_PRODUCTS = 128  # of an input and a state that are summed without blocks
NEAR = 12 * 1024  # floats that the nearest cache holds


class _Gates:
    """The numbers of a layer: of its gates, one below the other."""

    def __init__(self, layer: Layer, names: str, x: Tensor) -> None:
        parts = [Layer(layer.data["components"][name], layer.where) for name in names]
        self.layer = layer
        self.n_in = x.channels
        self.n = parts[0].floats("weights").size // self.n_in
        self.weights = [part.floats("weights").reshape(self.n, self.n_in) for part in parts]
        self.states = [part.floats("U").reshape(self.n, self.n) for part in parts]
        self.bias = [self._bias(part, "bias") for part in parts]
        self.recurrent_bias = [self._bias(part, "recurrent_bias") for part in parts]

    def _bias(self, part: Layer, key: str) -> NDArray[np.float32]:
        return part.floats(key) if part.data.get(key) else np.zeros(self.n, np.float32)

    @property
    def is_few(self) -> bool:
        return self.n <= FEW_UNITS and self.n_in + self.n <= FEW_PRODUCTS

    def both(self, gates: slice) -> Matrix:
        """Some gates, for the input and the state."""
        weights, states = np.concatenate(self.weights[gates]), np.concatenate(self.states[gates])
        return Matrix(np.concatenate([weights, states], axis=1), np.concatenate(self.bias[gates]))


def _recurrent(
    program: Program, gates: _Gates, inputs: list[Tensor], n_sums: int, step: Callable[[str], list[str]]
) -> Tensor:
    """`step` gives the lines of a step of the input at an address, and of `h`, the state.

    Its memory is `sums`, `c`, `reset` and, if it is named, `z`: a copy of the input with the state behind it.
    """
    x, n, layer = inputs[0], gates.n, gates.layer
    sequences = layer.data.get("return_sequences", True)
    y = program.tensor((x.shape[0], n), x.steps) if sequences else program.tensor((n,))
    front = up(gates.n_in)
    state = front + up(n + ALIGNED)
    c, shown, sums = 2 * state, 2 * state + up(n), 2 * state + 2 * up(n)
    places = {"z": front - gates.n_in, "h": front, "reset": state + front - gates.n_in, "c": c, "sums": sums}
    masked = len(inputs) == 2
    out = f"m + {shown}" if masked else "h"

    def text() -> list[str]:
        at = f"{x.columns} - 1 - t" if layer.data.get("go_backwards") else "t"
        body = step(f"{x.at} + ({at}) * {gates.n_in}")

        def used(name: str) -> bool:
            return name == "h" or any(re.search(rf"\b{name}\b", line) for line in body)

        names = [name for name in places if used(name)]
        if "z" in names:
            body.insert(0, f"copy_floats({x.at} + ({at}) * {gates.n_in}, z, {gates.n_in});")
        if masked:
            zeros = " else { " + f"fill({out}, {n}, 0.0F);" + " }" if layer.data.get("zero_output_for_mask") else ""
            body.append(f"copy_floats(h, {out}, {n});")
            body = [f"if (({inputs[1].at})[{at}] != 0.0F) {{", *(f"  {line}" for line in body), f"}}{zeros}"]
        if sequences:
            body.append(f"copy_floats({out}, {y.at} + t * {n}, {n});")
        whole = [
            *(f"float* const {name} = m + {places[name]};" for name in names),
            f"fill(m, {sums}, 0.0F);",
            f"for (std::size_t t = 0; t < {x.columns}; ++t) {{",
            *(f"  {line}" for line in body),
            "}",
        ]
        if not sequences:
            whole.append(f"copy_floats({out}, {y.at}, {n});")
        return ["{", *(f"  {line}" for line in whole), "}"]

    scratch = sums + up(n_sums * n + ALIGNED) + up(n_sums * n + ALIGNED)
    return program.step(inputs, y, text, kernels=["recurrent", "dense"], scratch=scratch)


def _function(program: Program, layer: Layer, key: str = "activation") -> str:
    """As function_of, in the form that a cell with a state waits less for."""
    text = function_of(program, layer, key)[0]
    return {"Tanh{}": "QuickTanh{}", "Sigmoid{}": "GateSigmoid{}"}.get(text, text)


def lstm(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """c = f c + i act(c~), h = o act(c)."""
    gates = _Gates(layer, "ifco", inputs[0])
    n_in, n = gates.n_in, gates.n
    functions = f"{_function(program, layer)}, {_function(program, layer, 'inner_activation')}"
    matrix = gates.both(slice(None))

    def panels(x: str) -> list[str]:
        size = up(n)
        arrays = []
        for rows in (matrix.weights.T.reshape(-1, 4, n), matrix.bias.reshape(1, 4, n)):
            padded = np.pad(rows, ((0, 0), (0, 0), (0, size - n)))
            arrays.append(program.array(padded.reshape(-1, 4, size // ALIGNED, ALIGNED).transpose(2, 0, 1, 3)))
        return [f"lstm_step<{n_in}, {n}>({x}, h, c, reset + {n_in}, {', '.join(arrays)}, {functions});"]

    def whole(_: str) -> list[str]:
        return [
            *matrix_call(program, matrix, "z", "sums", "Linear{}"),
            f"lstm_cell<{n}>(sums, c, h, {functions});",
        ]

    # of the others, gates without padding between them are fewer vectors, or lie near
    is_full = up(n) - n < ALIGNED // 4 and matrix.weights.size > NEAR
    return _recurrent(program, gates, inputs, 4, panels if n <= ALIGNED or is_full else whole)


def gru(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """h = z h + (1 - z) act(W x + b + U (r h)), or with `reset_after` act(W x + b + r (U h + b'))."""
    gates = _Gates(layer, "zrh", inputs[0])
    n, n_in = gates.n, gates.n_in
    functions = f"{_function(program, layer)}, {_function(program, layer, 'inner_activation')}"
    inner = _function(program, layer, "inner_activation")
    is_after = layer.data.get("reset_after")

    def few(x: str) -> list[str]:
        size = up(n)
        weights, bias = np.zeros((3, n_in + n, size), np.float32), np.zeros((4, size), np.float32)
        for k, gate in enumerate((1, 0, 2)):
            matrix = gates.both(slice(gate, gate + 1))
            weights[k, :, :n], bias[k, :n] = matrix.weights.T, matrix.bias
        call, memory = "gru_step", f"h, reset + {n_in}"
        if is_after:
            call, memory = "gru_after_step", "h"
            bias[:2, :n] += [gates.recurrent_bias[1], gates.recurrent_bias[0]]
            bias[3, :n] = gates.recurrent_bias[2]
        arrays = f"{program.array(weights)}, {program.array(bias)}"
        return [f"{call}<{n_in}, {n}, {size}>({x}, {memory}, {arrays}, {functions});"]

    def before(_: str) -> list[str]:
        candidate = f"sums + {up(2 * n + ALIGNED)}"
        return [
            *matrix_call(program, gates.both(slice(0, 2)), "z", "sums", "Linear{}"),
            f"copy_floats(z, reset, {n_in});",
            f"gru_reset<{n}>(sums, h, reset + {n_in}, {inner});",
            *matrix_call(program, gates.both(slice(2, 3)), "reset", candidate, "Linear{}"),
            f"gru_update<{n}>(sums, {candidate}, h, {functions});",
        ]

    def after(_: str) -> list[str]:
        given = Matrix(np.concatenate(gates.weights), np.concatenate(gates.bias))
        states = Matrix(np.concatenate(gates.states), np.concatenate(gates.recurrent_bias))
        second = f"sums + {up(3 * n + ALIGNED)}"
        return [
            *matrix_call(program, given, "z", "sums", "Linear{}"),
            *matrix_call(program, states, "h", second, "Linear{}"),
            f"gru_cell<{n}>(sums, {second}, h, {functions});",
        ]

    return _recurrent(program, gates, inputs, 3, few if gates.is_few else after if is_after else before)


def simplernn(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """h = act(W x + b + U h)."""
    gates = _Gates(layer, "h", inputs[0])
    activation = function_of(program, layer)[0]
    matrix = gates.both(slice(None))

    def few(x: str) -> list[str]:
        n, n_in, size = gates.n, gates.n_in, up(gates.n)
        weights, bias = np.zeros((n_in + n, size), np.float32), np.zeros(size, np.float32)
        weights[:, :n], bias[:n] = matrix.weights.T, matrix.bias
        arrays = f"{program.array(weights)}, {program.array(bias)}"
        return [f"rnn_step<{n_in}, {n}, {size}>({x}, h, {arrays}, {activation});"]

    def many(_: str) -> list[str]:
        return [
            *matrix_call(program, matrix, "z", "sums", "Linear{}"),
            f"rnn_cell<{gates.n}>(sums, h, {activation});",
        ]

    return _recurrent(program, gates, inputs, 1, few if gates.is_few else many)
