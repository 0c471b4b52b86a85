"""Synthetic rows and the files written from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepml.dataset.blocks import Block
from hepml.dataset.layout import COLUMNS
from hepml.dataset.rows import VARIABLES
from hepml.dataset.sink import Sink
from hepml.dataset.writer import Writer
from hepml.geometry import PAPER
from hepml.images import SparseImages


def make_images(rng: np.random.Generator, n: int, side: int) -> SparseImages:
    dense = rng.exponential(2.0, (n, side, side)).astype(np.float32)
    dense[rng.random(dense.shape) > 0.05] = 0
    return SparseImages.from_dense(dense)


def make_block(n: int, seed: int = 0) -> Block:
    """Rows with different means for signal and background; every third event holds two candidates."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(np.float32)
    columns: dict[str, Any] = {
        name: rng.integers(0, 5, (n, width) if width else n) for name, (_, width) in COLUMNS.items()
    }
    columns["identity"] = rng.integers(0, 2**63, n)
    columns["group"] = rng.integers(0, 2**63, n)
    columns["group"][1::3] = columns["group"][0::3][: len(columns["group"][1::3])]
    columns["weight"] = rng.normal(1, 1, n)
    return Block(
        y=y,
        flats={
            token: (rng.normal(3, 2, (n, len(names))) + y[:, None]).astype(np.float32)
            for token, names in VARIABLES.items()
        },
        images={token: make_images(rng, n, side) for token, side in {"et": 31, "ht": 8, "ee": 31, "he": 8}.items()},
        columns={name: columns[name].astype(dtype) for name, (dtype, _) in COLUMNS.items()},
    )


def write(path: Path, blocks: list[Block], *, dense: bool = False) -> Path:
    """A data file from blocks, as convert writes it."""
    with Sink(path) as sink:
        writer = Writer(sink, geometry=PAPER, variables=VARIABLES, dense=dense)
        for block in blocks:
            writer.append(block)
        provenance = {"cut_flow": {"read": 1, "written": 1}, "inputs": [], "samples": []}
        task = {"kind": "binary", "names": ["background", "signal"]}
        writer.finish({"convention": "", "task": json.dumps(task), "provenance": json.dumps(provenance)})
    return path


@pytest.fixture(scope="session")
def block() -> Block:
    return make_block(500)


@pytest.fixture(scope="session")
def write_blocks() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def sparse_file(block: Block, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "data.h5", [block])


@pytest.fixture(scope="session")
def dense_file(block: Block, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "dense.h5", [block], dense=True)


@pytest.fixture(scope="session")
def big_blocks() -> list[Block]:
    return [make_block(4000, seed) for seed in range(5)]


@pytest.fixture(scope="session")
def big_file(big_blocks: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "big.h5", big_blocks)


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., Block]:
    return make_block
