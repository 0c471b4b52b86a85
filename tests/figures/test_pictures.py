"""Pictures against committed ones. Both are averaged over blocks of pixels before, so that the way a library version
smooths its letters does not matter but a moved, missing or recoloured element does. With another matplotlib than the
one that drew the committed pictures, where everything may move by a pixel, the comparison is coarser.

`python tests/figures/test_pictures.py` writes the committed pictures and tables anew; look at them before committing.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from hepml.plots import FigureRecord, drawing

BASELINE = Path(__file__).parent / "baseline"
PICTURES = ("roc", "scores", "mean", "performance", "page")
LARGEST = 60_000
MADE_WITH = "3.11"  # matplotlib


def rendered(record: FigureRecord) -> bytes:
    """The figure at 100 dots an inch."""
    buffer = io.BytesIO()
    with drawing(record.style):
        record.figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()


def coarse(png: bytes, block: int) -> NDArray[np.float64]:
    """Means over blocks of pixels, shape (rows, columns, 3), 0 to 1."""
    pixels = imread(io.BytesIO(png))[..., :3]
    rows, columns = (block * (size // block) for size in pixels.shape[:2])
    shape = (rows // block, block, columns // block, block, 3)
    return np.asarray(pixels[:rows, :columns].reshape(shape).mean(axis=(1, 3)))


def difference(one: bytes, other: bytes, block: int) -> NDArray[np.float64]:
    """The largest difference of the three colours, block by block."""
    found, expected = coarse(one, block), coarse(other, block)
    assert found.shape == expected.shape
    return np.asarray(np.abs(found - expected).max(axis=-1))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_committed(records: dict[str, FigureRecord], name: str) -> None:
    path = BASELINE / f"{name}.png"
    assert path.stat().st_size <= LARGEST
    one, other = rendered(records[name]), path.read_bytes()
    if matplotlib.__version__.startswith(MADE_WITH + "."):
        fine = difference(one, other, 4)
        assert np.sqrt(np.mean(fine**2)) < 0.02
        assert np.mean(fine > 0.25) < 0.001
    rough = difference(one, other, 8)
    assert np.sqrt(np.mean(rough**2)) < 0.07
    assert rough.max() < 0.3


def test_the_comparison_notices_a_lost_curve(records: dict[str, FigureRecord]) -> None:
    expected = rendered(records["roc"])
    (line,) = [one for one in records["roc"].axes["main"].lines if one.get_label().startswith("mass")]
    line.set_visible(False)
    try:
        found = rendered(records["roc"])
    finally:
        line.set_visible(True)
    assert np.mean(difference(found, expected, 4) > 0.25) > 0.001


def write_baseline() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    import drawings
    import test_numbers

    made = {name: draw() for name, draw in drawings.DRAWINGS.items()}
    BASELINE.mkdir(exist_ok=True)
    for name in PICTURES:
        (BASELINE / f"{name}.png").write_bytes(rendered(made[name]))
    tables = {name: test_numbers.thinned(record) for name, record in made.items()}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in tables.items())
    (BASELINE / "tables.json").write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write_baseline()
