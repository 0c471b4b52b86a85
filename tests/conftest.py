"""Fixtures: the bundled sample, and the real data beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data are not beside the checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def sample() -> dict[str, Path]:
    """The ROOT sample that the package carries: "electrons" and "jets"."""
    import hepml

    folder = Path(hepml.__file__).parent / "data"
    return {name: folder / f"sample_{name}.root" for name in ("electrons", "jets")}
