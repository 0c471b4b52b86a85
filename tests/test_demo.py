"""`hepml demo` is README's main job: it must leave everything that it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hepml.cli.demo import make_room
from hepml.errors import OutputError


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "hepml", "demo", "--out", str(out), "--json"],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_table_holds_the_figures_of_merit(demo: tuple[Path, list[dict[str, object]]]) -> None:
    _, rows = demo
    assert [row["features"] for row in rows] == ["hl", "et_and_ht"]
    for row in rows:
        assert float(str(row["auc"])) > 0.93
        assert 0 < float(str(row["auc_error"])) < 0.02
        assert float(str(row["parity"])) <= 1e-6
        assert float(str(row["microseconds"])) > 0
        assert set(row["rejection"]) >= {"0.5", "0.8", "0.9"}  # type: ignore[call-overload]


def test_everything_is_written(demo: tuple[Path, list[dict[str, object]]]) -> None:
    out, _ = demo
    for name in ("data.h5", "net.json", "net_hl.json"):
        assert (out / name).is_file()
    assert json.loads((out / "net.json").read_text())["hepml"]["collection"] == "electron"
    for features in ("hl", "et_and_ht"):
        assert (out / "runs" / features / "model.keras").is_file()
        figures = out / "figures" / features
        assert {path.suffix for path in figures.iterdir()} >= {".pdf", ".png"}
        names = {path.stem for path in figures.glob("*.png")}
        assert any("roc" in name for name in names)


def test_folder_with_contents_is_refused(demo: tuple[Path, list[dict[str, object]]]) -> None:
    out, _ = demo
    done = subprocess.run(
        [sys.executable, "-m", "hepml", "demo", "--out", str(out)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4
    assert "not empty" in done.stderr


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (".data.h5-1.tmp", True),  # what a killed conversion leaves
        ("data.h5.log.json", True),
        ("data.h5 net.json", True),
        ("net.json", False),  # not without data.h5, which is removed last
        ("notes.txt", False),
    ],
)
def test_overwrite_takes_what_a_demonstration_has_left(there: str, taken: bool, tmp_path: Path) -> None:
    for name in there.split():
        (tmp_path / name).write_text("old")
    if taken:
        make_room(tmp_path, overwrite=True)
        assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    else:
        with pytest.raises(OutputError, match="not empty"):
            make_room(tmp_path, overwrite=True)
        assert (tmp_path / there).exists()
