"""The tools that a person would run by hand: formatters, linters, the type checker."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_ruff_finds_nothing() -> None:
    run(tool("ruff"), "check", ".")


def test_python_is_formatted() -> None:
    run(tool("ruff"), "format", "--check", ".")


def test_types_are_sound() -> None:
    run(tool("mypy"))


@pytest.mark.parametrize("suffix", ["hpp", "cpp"])
def test_cpp_is_formatted(suffix: str) -> None:
    files = sorted(str(path) for folder in ("cpp", "hepml") for path in (ROOT / folder).rglob(f"*.{suffix}"))
    assert files
    run(tool("clang-format"), "--dry-run", "--Werror", *files)
