"""Facts about the repository itself."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_one_version_number() -> None:
    import hepml
    from hepml import _core

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert hepml.__version__ == _core.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_bundled_sample_is_small() -> None:
    files = list((ROOT / "hepml" / "data").glob("*.root"))
    assert files
    assert sum(path.stat().st_size for path in files) <= 4_000_000


def test_files_are_short() -> None:
    for folder in ("hepml", "tmva_bridge", "cpp"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".cpp", ".hpp", ".hh", ".inl"):
                assert len(path.read_text().splitlines()) <= 400, path


def test_help_names_every_command() -> None:
    from hepml.cli.main import COMMANDS

    done = subprocess.run([sys.executable, "-m", "hepml", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)
        sub = subprocess.run(
            [sys.executable, "-m", "hepml", name, "--help"], capture_output=True, text=True, timeout=60
        )
        assert sub.returncode == 0, sub.stderr


def test_unknown_command_is_a_usage_error() -> None:
    done = subprocess.run([sys.executable, "-m", "hepml", "nonsense"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nonsense" in done.stderr
