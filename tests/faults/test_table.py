"""Every entry of the table has its test, every test its entry, and the page says what the table says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from faults.table import FAMILIES, FAULTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("faults_table", ROOT / "scripts" / "faults_table.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tests(script: ModuleType) -> dict[str, list[str]]:
    found: dict[str, list[str]] = script.tests_of_entries()
    return found


def test_every_entry_has_a_test_or_a_reason(tests: dict[str, list[str]]) -> None:
    assert {entry for entry, fault in FAULTS.items() if not fault.absent} == set(tests)


def test_a_row_tells_what_is_given_or_why_there_is_nothing() -> None:
    for entry, fault in FAULTS.items():
        assert bool(fault.gives) != bool(fault.absent), entry
        assert not (fault.absent and fault.codes), entry


def test_families_are_whole() -> None:
    for family, size in FAMILIES.items():
        wanted = {f"{family}{number:02}" for number in range(1, size + 1)}
        assert {entry for entry in FAULTS if entry.startswith(family)} == wanted


def test_the_page_is_the_table(script: ModuleType, tests: dict[str, list[str]]) -> None:
    written = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert written == script.page(tests), "run: python scripts/faults_table.py"
