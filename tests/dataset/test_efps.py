"""hepml efp: what the file holds, that it is whole or absent, and that begun work is taken up again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import run
from dataset.conftest import make_block, write

import hepml
from hepml.dataset import Dataset, convert, efp_blocks
from hepml.dataset.efp_tables import efp_duplicates
from hepml.dataset.efps import EFPFile
from hepml.dataset.feather import write_feather
from hepml.dataset.polynomials import write_efps
from hepml.errors import DataError, InputFileError, MissingExtraError, OutputError, VerificationError

SMALL: dict[str, Any] = {"graphs": "d<=2", "kappa": (-1, 1), "beta": (0.5, 1)}
NAMES = [f"efp_{graph}_k_{kappa}_b_{beta}" for graph in ("1_0_0", "2_1_0", "2_2_0", "3_2_0")
         for kappa in (-1, 1) for beta in (0.5, 1)]  # fmt: skip


@pytest.fixture(scope="module")
def efps(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("efps") / "efps.h5"
    write_efps(data, path, **SMALL)
    return path


def test_every_column_is_that_of_the_images_of_its_row(data: Path, efps: Path) -> None:
    found, dataset = EFPFile.open(efps), Dataset.open(data)
    found.check_data(dataset.checksum, data)
    assert found.splits == ("train", "valid", "test")
    assert {*found.names, *found.aliases} == {f"{token}_{name}" for token in ("et", "ht") for name in NAMES}
    assert found.aliases["et_efp_2_2_0_k_1_b_0.5"] == "et_efp_2_1_0_k_1_b_1"
    for split in found.splits:
        assert found.n(split) == dataset.n(split)
        for token, calorimeter in (("et", "ecal"), ("ht", "hcal")):
            right = hepml.efp(dataset.raw(token, split), "d<=2", (-1, 1), (0.5, 1), calorimeter)
            np.testing.assert_allclose(found.columns(right.names, split), right.values, rtol=1e-11)
    mixed = ["ht_efp_3_2_0_k_1_b_1", "et_efp_1_0_0_k_-1_b_1", "et_efp_3_2_0_k_-1_b_0.5"]
    rows = found.columns(mixed, "test")
    for number, name in enumerate(mixed):
        np.testing.assert_array_equal(found.column(name, "test"), rows[:, number])


def test_other_programs_read_it(data: Path, efps: Path) -> None:
    with h5py.File(efps) as file:
        names = json.loads(file["et"].attrs["columns"])
        stored = file["et/train"][:, names.index("et_efp_2_1_0_k_1_b_1")]
        assert file["et/train"].chunks == (1024, 8)
        assert json.loads(file.attrs["provenance"])["input"]["name"] == "data.h5"
    np.testing.assert_array_equal(stored, EFPFile.open(efps).column("et_efp_2_1_0_k_1_b_1", "train"))


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("blocks", [0, 1, 5])
def test_begun_work_goes_on_with_the_block_where_it_was(
    data: Path, efps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    computed: list[tuple[str, int, int]] = []
    real = efp_blocks.row_columns

    def counting(dataset: Dataset, names: Any, rows: tuple[str, int, int], **options: Any) -> Any:
        if len(computed) == stop_at:
            raise StoppedError
        computed.append((names[0][:2], *rows))
        return real(dataset, names, rows, **options)

    monkeypatch.setattr(efp_blocks, "row_columns", counting)
    dataset, out = Dataset.open(data), tmp_path / "efps.h5"
    every = [
        (token, split, first, min(first + 128, dataset.n(split)))
        for token in ("et", "ht")
        for split in ("train", "valid", "test")
        for first in range(0, dataset.n(split), 128)
    ]
    before_block = [number for number, one in enumerate(every) if one[2] % 1024 == 0]
    stop_at = before_block[blocks] + (3 if blocks else 0)  # within the block
    with pytest.raises(StoppedError):
        write_efps(data, out, threads=2, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ([".efps.h5.parts"] if blocks else [])
    computed, stop_at = [], -1
    summary = write_efps(data, out, threads=1, **SMALL)
    assert computed == every[before_block[blocks] :]
    assert (summary.resumed, summary.blocks) == (blocks, len(before_block))
    assert out.read_bytes() == efps.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["efps.h5", "efps.h5.log.json"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "another command"])
def test_a_block_that_is_not_whole_or_of_another_command_is_computed(
    data: Path, efps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    out, real = tmp_path / "efps.h5", efp_blocks.row_columns

    def stopping(dataset: Dataset, names: Any, rows: tuple[str, int, int], **options: Any) -> Any:
        if rows == ("valid", 0, 128):
            raise StoppedError
        return real(dataset, names, rows, **options)

    other = {"kappa": (-1, 2)} if damage == "another command" else {}
    monkeypatch.setattr(efp_blocks, "row_columns", stopping)
    with pytest.raises(StoppedError):
        write_efps(data, out, **(SMALL | other))
    monkeypatch.undo()
    part = tmp_path / ".efps.h5.parts" / "et-train-1"
    whole = part.read_bytes()
    part.write_bytes(
        {"cut": whole[:-9], "flipped": bytes([whole[0] ^ 1]) + whole[1:], "longer": whole + b"0"}.get(damage, whole)
    )
    summary = write_efps(data, out, **SMALL)
    n_train = -(-Dataset.open(data).n("train") // 1024)
    assert summary.resumed == (0 if damage == "another command" else n_train - 1)
    assert out.read_bytes() == efps.read_bytes()


def test_values_that_are_not_finite_are_counted_by_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A negative pixel has no root: kappa 0.5 gives NaN, kappa 2 does not."""
    block = make_block(2500)
    pixel = np.concatenate([[0], np.cumsum(block.images["et"].counts, dtype=np.int64)])
    for row in (7, 8, 2100):
        block.images["et"].value[pixel[row]] = -3.0
    data, out = write(tmp_path / "data.h5", [block]), tmp_path / "efps.h5"
    options = ("--graphs", "d<=2", "--kappa", "0.5,2", "--beta", "1", "--quiet")
    assert run("efp", data, "-o", out, *options, "--duplicates", tmp_path / "tables", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    file = EFPFile.open(out)
    counted = {name: sum(int((~np.isfinite(file.column(name, s))).sum()) for s in file.splits) for name in file.names}
    bad = {name: count for name, count in counted.items() if count}
    assert {*bad} == {name for name in file.names if name.startswith("et_") and "_k_0.5_" in name}
    assert {*bad.values()} == {3}
    assert summary["not_finite"] == file.not_finite == bad
    assert f"{len(bad)} columns hold values that are not finite: {next(iter(bad))} 3" in caplog.text
    assert run("verify", out) == run("show", out) == 0
    assert f"{next(iter(bad))} 3" in capsys.readouterr().out
    first = {name: int((~np.isfinite(file.columns([name], "test", 500))).sum()) for name in bad}
    rows = (tmp_path / "tables" / "not_finite.csv").read_text().splitlines()
    assert rows == ["efp,values", *(f"{name},{count}" for name, count in first.items() if count)]
    assert write_efps(data, out, graphs="d<=2", kappa=(0.5, 2), beta=1, resume=True).not_finite == bad


def test_a_full_disk_names_the_block_that_it_stopped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def full(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if mode == "wb" and self.parent.name == ".efps.h5.parts":
            return open("/dev/full", "wb", buffering=0)
        return real(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_efps(data, tmp_path / "efps.h5", **SMALL)
    assert caught.value.parts["where"] == str(tmp_path / ".efps.h5.parts" / "et-train-0")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_an_output_is_kept_refused_or_replaced(data: Path, efps: Path, tmp_path: Path) -> None:
    out = tmp_path / "efps.h5"
    first = write_efps(data, out, **SMALL)
    with pytest.raises(OutputError, match="exists"):
        write_efps(data, out, **SMALL)
    assert write_efps(data, out, resume=True, **SMALL).to_dict() | {"seconds": 0} == first.to_dict() | {"seconds": 0}
    with pytest.raises(OutputError, match="config differs"):
        write_efps(data, out, resume=True, **(SMALL | {"beta": 1}))
    out.write_bytes(out.read_bytes()[:-200])
    write_efps(data, out, resume=True, **SMALL)
    assert out.read_bytes() == efps.read_bytes()
    write_efps(data, out, overwrite=True, graphs="2_1_0", kappa=1, beta=1, calorimeters="hcal", splits="test")
    found = EFPFile.open(out)
    assert (found.names, found.splits, found.aliases) == (("ht_efp_2_1_0_k_1_b_1",), ("test",), {})
    with pytest.raises(DataError, match="without this split"):
        found.n("train")
    other = tmp_path / "other.h5"
    other.write_bytes(data.read_bytes())
    for resume in (False, True):
        with pytest.raises(OutputError, match=r"input|not of hepml efp"):
            write_efps(other if not resume else data, other, overwrite=not resume, resume=resume)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_found(efps: Path, tmp_path: Path, place: float, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(efps.read_bytes())
    content[int(place * len(content))] ^= 4
    damaged = tmp_path / "efps.h5"
    damaged.write_bytes(content)
    assert run("verify", damaged) == 3
    assert "does not agree" in capsys.readouterr().err
    with pytest.raises((VerificationError, InputFileError)):
        EFPFile.open(damaged, verify=True)


def test_it_is_shown_and_verified(data: Path, efps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", efps, "--inputs", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["kind"], card["columns"], card["inputs"][0]["path"]) == ("polynomials", 24, str(data))
    assert run("show", efps) == 0
    assert "24 stored, 8 equal one of them" in capsys.readouterr().out
    assert run("show", efps, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"]["test"] == Dataset.open(data).n("test")


def test_names_and_positions_that_are_not_there(data: Path, efps: Path) -> None:
    found = EFPFile.open(efps)
    with pytest.raises(DataError, match="et_efp_2_1_0_k_1_b_1"):
        found.column("et_efp_2_1_0_k_1_b_11", "test")
    assert found.at([3, 0]) == (found.names[3], found.names[0])
    for wrong in ([24], [-1], [1, 1], [0.5], [True]):
        with pytest.raises(DataError, match="position"):
            found.at(wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no split"):
        found.n("tset")
    with pytest.raises(InputFileError, match="not one of hepml's files of polynomials"):
        EFPFile.open(data)
    with pytest.raises(DataError, match="other data"):
        found.check_data("0" * 64, "other.h5")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"graphs": "9_9_9"}, "no graph is named"),
        ({"graphs": "n>30"}, "no graph"),
        ({"kappa": float("inf")}, "finite"),
        ({"beta": (1, 1)}, "different"),
        ({"beta": 1 / 3}, "six digits"),
        ({"calorimeters": "tracker"}, "calorimeters"),
        ({"splits": ()}, "splits"),
        ({"dtype": "float16"}, "float16"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        write_efps(data, tmp_path / "efps.h5", **(SMALL | options))
    assert not [*tmp_path.iterdir()]


def test_float32_holds_what_it_can_and_refuses_the_rest(tmp_path: Path) -> None:
    block = make_block(40, seed=2)
    path = write(tmp_path / "data.h5", [block])
    write_efps(path, tmp_path / "wide.h5", **SMALL)
    write_efps(path, tmp_path / "narrow.h5", dtype="float32", **SMALL)
    wide, narrow = EFPFile.open(tmp_path / "wide.h5"), EFPFile.open(tmp_path / "narrow.h5")
    assert (wide.dtype, narrow.dtype, wide.names) == (np.dtype("f8"), np.dtype("f4"), narrow.names)
    for split in wide.splits:
        values = wide.columns(wide.names, split)
        np.testing.assert_array_equal(narrow.columns(wide.names, split), values.astype(np.float32))
    with pytest.raises(DataError, match="float32 cannot hold") as refused:
        write_efps(path, tmp_path / "other.h5", dtype="float32", graphs="8_7_0", kappa=-8, beta=1)
    assert "et_efp_8_7_0_k_-8_b_1" in str(refused.value)
    with pytest.raises(DataError, match="float32 cannot hold") as refused:
        write_efps(path, tmp_path / "other.h5", dtype="float32", graphs="8_7_0", kappa=4, beta=4)
    assert "0, or at least" in str(refused.value)


def test_a_split_without_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "data.h5", [make_block(1)])
    write_efps(path, tmp_path / "efps.h5", **SMALL)
    found, dataset = EFPFile.open(tmp_path / "efps.h5", verify=True), Dataset.open(path)
    sizes = [dataset.n(split) for split in found.splits]
    assert sorted(sizes) == [0, 0, 1]
    assert [found.columns(found.names, split).shape for split in found.splits] == [(n, 24) for n in sizes]


def test_images_of_other_cells_are_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = hepml.Geometry(ecal=hepml.Grid("ecal", n_eta=100, n_phi=126))
    monkeypatch.setattr(Dataset, "geometry", geometry, raising=False)
    monkeypatch.setattr(Dataset, "__setattr__", lambda one, key, value: one.__dict__.update({key: value})
                        if key != "geometry" else one.__dict__.update(geometry=geometry))  # fmt: skip
    with pytest.raises(DataError, match="other cells"):
        write_efps(data, tmp_path / "efps.h5", **SMALL)


def test_tables_of_duplicates(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, folder = tmp_path / "efps.h5", tmp_path / "tables"
    options = ("--graphs", "d<=2", "--kappa", "0.5,1", "--beta", "0.5,1", "--calorimeter", "ecal")
    assert run("efp", data, "-o", out, *options, "--duplicates", folder) == 0
    assert "in 500 events" in capsys.readouterr().out
    tables = {
        file.stem: [line.split(",") for line in file.read_text().splitlines()] for file in sorted(folder.iterdir())
    }
    found = EFPFile.open(out)
    by_definition = {row[0]: row[1] for row in tables["duplicates"] if row[2] == "definition"}
    assert by_definition == found.aliases
    assert [row[0] for row in tables["constants"]] == ["efp", "et_efp_1_0_0_k_1_b_0.5"]
    assert float(tables["constants"][1][1]) == pytest.approx(1, rel=1e-12)
    assert tables["split"] == [["efp", "other"]]
    kept = [row[0] for row in tables["uniques"][1:]]
    assert sorted([*kept, *by_definition, "et_efp_1_0_0_k_1_b_0.5"]) == sorted([*found.names, *found.aliases])
    assert run("efp", data, "-o", out, *options, "--duplicates", folder, "--resume", "--duplicate-events", 40) == 0
    assert "in 40 events" in capsys.readouterr().out
    assert run("efp", data, "-o", tmp_path / "b.h5", "--splits", "train", "--duplicates", folder) == 4
    assert run("efp", data, "-o", tmp_path / "b.h5", "--splits", "train", "--duplicates", tmp_path / "b") == 2
    every = efp_duplicates(out, "train", None)
    assert (every.events, set(every.uniques)) == (found.n("train"), {*kept})


@pytest.mark.parametrize("option", ["--duplicates", "--feather"])
def test_no_folder_is_replaced_that_holds_something_else(
    option: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once the data file itself was lost, with the folder that it lay in."""
    if option == "--feather":
        pytest.importorskip("pyarrow", reason="the extra feather is not installed")
    hold, theirs, out = tmp_path / "hold", tmp_path / "theirs", tmp_path / "efps.h5"
    hold.mkdir()
    theirs.mkdir()
    own = hold / "data.h5"
    own.write_bytes(data.read_bytes())
    (theirs / "thesis.csv").write_text("all of it")
    options = ("-o", out, "--graphs", "d<=1", "--kappa", 1, "--calorimeter", "ecal")
    for how in ("--overwrite", "--resume"):
        for folder, problem in ((hold, "input"), (theirs, "something else"), (tmp_path, "input"), (out, "output")):
            assert run("efp", own, *options, how, option, folder) == 4, (how, folder)
            assert problem in capsys.readouterr().err
    assert not out.exists()
    assert own.read_bytes() == data.read_bytes()
    assert (theirs / "thesis.csv").read_text() == "all of it"
    assert run("efp", own, *options, option, tmp_path / "new") == 0
    assert run("efp", own, *options, "--overwrite", option, tmp_path / "new") == 0


def test_feather_files_are_those_of_the_reference(data: Path, efps: Path, tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather", reason="the extra feather is not installed")
    assert write_feather(efps, data, tmp_path / "efp") == 3 * 32
    found, dataset = EFPFile.open(efps), Dataset.open(data)
    for split in found.splits:
        files = sorted((tmp_path / "efp" / split).iterdir())
        assert [file.stem for file in files] == sorted([*found.names, *found.aliases])
        for file in files[::5]:
            table = feather.read_table(file)
            assert table.column_names == ["features", "targets"]
            np.testing.assert_array_equal(table["features"], found.column(file.stem, split))
            np.testing.assert_array_equal(table["targets"], dataset.y(split))
    with pytest.raises(OutputError, match="exists"):
        write_feather(efps, data, tmp_path / "efp")


def test_without_pyarrow_the_command_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run("efp", data, "-o", tmp_path / "efps.h5", "--feather", tmp_path / "efp") == 1
    assert "pip install 'hepml[feather]'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
    with pytest.raises(MissingExtraError):
        write_feather(tmp_path, data, tmp_path / "efp")


def test_the_command(data: Path, efps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "efps.h5"
    options = ("--graphs", "d<=2", "--kappa", "-1,1", "--beta", "0.5,1", "--threads", 1)
    assert run("efp", data, "-o", out, *options, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["asked"], summary["stored"], summary["aliases"]) == (32, 24, 8)
    assert out.read_bytes() == efps.read_bytes()
    assert run("efp", data, "-o", out, *options) == 4
    assert run("efp", data, "-o", out, *options, "--resume") == 0
    assert "24 columns are stored; 8 of the 32 asked for" in capsys.readouterr().out
    assert run("efp", data, "-o", out, *options, "--resume", "--overwrite") == 2
    assert run("efp", data, "-o", tmp_path / "b.h5", "--kappa", "one") == 2
    one = ("--graphs", "2_1_0", "--graphs", "3_3_1", "--kappa", 1, "--beta", 1, "--calorimeter", "ecal")
    assert run("efp", data, "-o", tmp_path / "two.h5", *one, "--splits", "valid,test") == 0
    assert EFPFile.open(tmp_path / "two.h5").names == ("et_efp_2_1_0_k_1_b_1", "et_efp_3_3_1_k_1_b_1")


def test_real_candidates(shared: Path, tmp_path: Path) -> None:
    """The development sample: two graphs for all of its candidates."""
    source = shared / "electrons"
    convert(source / "eid_dev_electrons.root", source / "eid_dev_jets.root", tmp_path / "data.h5")
    write_efps(tmp_path / "data.h5", tmp_path / "efps.h5", graphs=("2_1_0", "3_3_1"))
    found, dataset = EFPFile.open(tmp_path / "efps.h5", verify=True), Dataset.open(tmp_path / "data.h5")
    some = np.arange(0, dataset.n("train"), 371)
    for token, calorimeter in (("et", "ecal"), ("ht", "hcal")):
        images = dataset.pixels(token, "train").dense(some)
        right = hepml.efp(images, ["2_1_0", "3_3_1"], (-1, 0, 0.5, 1, 2), (0.5, 1, 2), calorimeter)
        np.testing.assert_allclose(found.columns(right.names, "train")[some], right.values, rtol=1e-11)
