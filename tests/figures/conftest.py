"""Every figure is drawn once a session."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hepml.plots import FigureRecord


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"figures_{name}", Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


drawings = _load("drawings")


@pytest.fixture(scope="session")
def toy() -> ModuleType:
    """The functions that make the toy figures."""
    return drawings


@pytest.fixture(scope="session")
def records() -> dict[str, FigureRecord]:
    """One record of every kind, by name."""
    return {name: draw() for name, draw in drawings.DRAWINGS.items()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "drawing_name" in metafunc.fixturenames:
        metafunc.parametrize("drawing_name", list(drawings.DRAWINGS))
