"""What `save` writes: three complete files, the same bytes for the same numbers, and nothing else changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import matplotlib
import numpy as np
import pytest

from hepml.errors import DataError, OutputError
from hepml.plots import FigureRecord, Style, Table, drawing, roc_curves, save
from hepml.plots.record import Column


def test_save_writes_pdf_png_and_numbers(records: dict[str, FigureRecord], tmp_path: Path) -> None:
    paths = save(records["history"], tmp_path / "new" / "figures", "history")
    assert [path.name for path in paths] == ["history.pdf", "history.png", "history.json"]
    assert paths[0].read_bytes().startswith(b"%PDF-")
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    numbers = json.loads(paths[2].read_text(encoding="utf-8"))
    assert numbers["format"] == "hepml-figure"
    (table,) = numbers["tables"]
    assert [column["name"] for column in table["columns"]] == ["epoch", "loss", "val_loss", "learning_rate"]
    assert table["facts"] == {"best_epoch": 26}
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["history.json", "history.pdf", "history.png"]


def test_numbers_carry_units_intervals_and_null(records: dict[str, FigureRecord]) -> None:
    numbers = json.loads(records["performance"].to_json("performance"))
    table = numbers["tables"][1]
    assert table["name"] == "rejection pt hl"
    low, _, rejection, count, passing = table["columns"]
    assert low["unit"] == "GeV"
    assert rejection["values"][-1] is None  # nothing passes there: only a lower end
    assert rejection["lower"][-1] == 16
    assert count["values"][0] == 2 * passing["values"][0] == 400


def test_files_hold_no_date_and_no_path(records: dict[str, FigureRecord]) -> None:
    pdf, png = records["confusion"].render("pdf"), records["confusion"].render("png")
    assert b"CreationDate" not in pdf
    assert b"Software" not in png
    assert str(Path.home()).encode() not in pdf


def test_the_same_numbers_give_the_same_bytes(toy: ModuleType, tmp_path: Path) -> None:
    first = save(toy.roc(), tmp_path / "first", "roc")
    code = (
        "import sys, importlib.util, matplotlib\n"
        "matplotlib.rcParams.update({'font.size': 25, 'axes.facecolor': 'red', 'lines.linewidth': 9})\n"
        f"spec = importlib.util.spec_from_file_location('drawings', {str(Path(__file__).parent / 'drawings.py')!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"module.roc().save({str(tmp_path / 'second')!r}, 'roc')\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo"}
    environment.pop("DISPLAY", None)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment, cwd=tmp_path)
    for path in first:
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


def test_an_existing_figure_is_replaced_or_refused(records: dict[str, FigureRecord], tmp_path: Path) -> None:
    save(records["confusion"], tmp_path, "one")
    save(records["confusion"], tmp_path, "one")
    with pytest.raises(OutputError, match="exists"):
        save(records["confusion"], tmp_path, "one", overwrite=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        save(records["confusion"], tmp_path / "file", "one")
    assert caught.value.exit_code == 4


def test_a_name_with_a_folder_is_refused(records: dict[str, FigureRecord], tmp_path: Path) -> None:
    for name in ("", "a/b", ".."):
        with pytest.raises(DataError, match="not the name of a figure"):
            save(records["confusion"], tmp_path, name)


def test_the_users_settings_stay(toy: ModuleType) -> None:
    before = dict(matplotlib.rcParams)
    toy.residuals().render("png")
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(DataError):
        roc_curves({})
    assert dict(matplotlib.rcParams) == before


def test_pyplot_knows_of_no_figure(records: dict[str, FigureRecord]) -> None:
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_users_axes_are_drawn_into(toy: ModuleType) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(2, 1)
    record = roc_curves([toy.curve(2.0, "a"), toy.curve(4.0, "b")], reference="a", ax=axes)
    assert record.figure is figure
    assert record.axes["main"] is axes[0]
    assert record.axes["ratio"] is axes[1]
    one = Figure().subplots()
    assert set(roc_curves([toy.curve(2.0, "a"), toy.curve(4.0, "b")], reference="a", ax=one).axes) == {"main"}
    with pytest.raises(DataError, match="wrong number of panels"):
        roc_curves([toy.curve(2.0, "a")], ax=Figure().subplots(3))


def test_the_label_can_be_changed_or_left_out(toy: ModuleType) -> None:
    named = roc_curves([toy.curve(2.0, "a")], style=Style(experiment="CMS", text="Private work", energy="14 TeV"))
    bare = roc_curves([toy.curve(2.0, "a")], style=Style(experiment=""))
    assert len(named.axes["main"].artists) == 2
    assert len(bare.axes["main"].artists) == 0


def test_widths_of_a_column_and_of_a_page(toy: ModuleType) -> None:
    assert roc_curves([toy.curve(2.0, "a")]).figure.get_figwidth() == 3.4
    assert toy.roc_page().figure.get_figwidth() == 7.0
    with pytest.raises(DataError, match="width"):
        Style(width=0.1)


def test_own_parameters_have_the_last_word() -> None:
    with drawing(Style(rc={"lines.linewidth": 3.5})):
        assert matplotlib.rcParams["lines.linewidth"] == 3.5


def test_tables_are_checked() -> None:
    with pytest.raises(DataError, match="different lengths"):
        Table("bad", [Column("a", [1, 2]), Column("b", [1])])
    table = Table("good", [Column("a", np.array([np.nan, np.inf, 0.1 + 0.2]))])
    assert table.to_json()["columns"][0]["values"] == [None, None, 0.3]
    with pytest.raises(DataError, match="no column 'c'"):
        table["c"]
