"""Pictures against committed ones. Both are averaged over 4 x 4 pixels before, so that the way a library version
smooths its letters does not matter but a moved, missing or recoloured element does.

`python tests/figures/test_pictures.py` writes the committed pictures and tables anew; look at them before committing.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from hepml.plots import FigureRecord, drawing

BASELINE = Path(__file__).parent / "baseline"
PICTURES = ("roc", "scores", "mean", "performance", "page")
LARGEST = 60_000


def rendered(record: FigureRecord) -> bytes:
    """The figure at 100 dots an inch."""
    buffer = io.BytesIO()
    with drawing(record.style):
        record.figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()


def coarse(png: bytes) -> NDArray[np.float64]:
    """Means over 4 x 4 pixels, shape (rows, columns, 3), 0 to 1."""
    pixels = imread(io.BytesIO(png))[..., :3]
    rows, columns = (4 * (size // 4) for size in pixels.shape[:2])
    return np.asarray(pixels[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4, 3).mean(axis=(1, 3)))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_committed(records: dict[str, FigureRecord], name: str) -> None:
    path = BASELINE / f"{name}.png"
    assert path.stat().st_size <= LARGEST
    found, expected = coarse(rendered(records[name])), coarse(path.read_bytes())
    assert found.shape == expected.shape
    difference = np.abs(found - expected).max(axis=-1)
    assert np.sqrt(np.mean(difference**2)) < 0.025
    assert np.mean(difference > 0.25) < 0.003


def test_the_comparison_notices_a_lost_curve(records: dict[str, FigureRecord]) -> None:
    expected = coarse((BASELINE / "roc.png").read_bytes())
    (line,) = [one for one in records["roc"].axes["main"].lines if one.get_label().startswith("mass")]
    line.set_visible(False)
    try:
        found = coarse(rendered(records["roc"]))
    finally:
        line.set_visible(True)
    assert np.mean(np.abs(found - expected).max(axis=-1) > 0.25) > 0.003


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
