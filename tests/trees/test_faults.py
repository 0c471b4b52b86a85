"""Bad input: one HepmlError each, which names the file and what to do."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import DataError, HepmlError, InputFileError, MissingBranchError, MissingExtraError, SchemaError
from hepml.trees import expand_files, inspect_file, iterate_events, open_events
from hepml.trees.files import reading

COLLECTIONS = {"ECalTowers": ("ET", "E", "Eta", "Phi"), "HCalTowers": ("ET", "E", "Eta", "Phi")}
ELECTRON = {"Electron": ("PT", "Eta", "Phi")}


def columns(n_events: int = 2) -> dict[str, ak.Array]:
    """Events with two towers and one electron each, as separate arrays."""
    tower = ak.Array([[1.0, 2.0]] * n_events)[:n_events]
    electron = ak.Array([[20.0]] * n_events)
    names = {f"{c}_{leaf}": tower for c, leaves in COLLECTIONS.items() for leaf in leaves}
    return names | {f"{c}_{leaf}": electron for c, leaves in ELECTRON.items() for leaf in leaves}


def write(path: Path, content: dict[str, ak.Array], tree: str = "Delphes", **others: object) -> Path:
    with uproot.recreate(path) as file:
        for name in (tree, *others):
            new = file.mktree(name, {key: ak.type(values).content for key, values in content.items()})
            new.extend(content)
    return path


def test_the_written_tree_is_read(tmp_path: Path) -> None:
    events = open_events(write(tmp_path / "a.root", columns()))
    assert events.ecal.et.tolist() == [1, 2, 1, 2]
    assert events.objects["electron"].pt.tolist() == [20, 20]


def test_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "electrons.root").touch()
    with pytest.raises(InputFileError, match="no such file") as error:
        open_events(tmp_path / "electron.root")
    assert "electrons.root" in error.value.parts["nearest"]
    with pytest.raises(InputFileError, match="no file matches"):
        expand_files(str(tmp_path / "nothing_*.root"))
    with pytest.raises(InputFileError, match="a folder is not"):
        expand_files(tmp_path)
    with pytest.raises(InputFileError, match="no input file"):
        expand_files([])


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("damaged/zero_bytes.root", "the file is empty"),
        ("damaged/text_named.root", "not a ROOT file"),
        ("damaged/simple_bad_magic.root", "not a ROOT file"),
        ("damaged/Zmumu_zstd_truncated.root", "the file is truncated"),
        ("damaged/delphes_truncated_half.root", "the file is truncated"),
        ("coffea/bad_delphes.root", "no tree in the file"),
        ("scikit-hep-testdata/uproot-histograms.root", "no tree in the file"),
    ],
)
def test_files_that_cannot_be_read(shared: Path, name: str, problem: str) -> None:
    with pytest.raises(InputFileError, match=problem) as error:
        open_events(shared / "public" / name)
    assert name.rsplit("/", maxsplit=1)[-1] in error.value.parts["where"]


def test_zeroed_baskets_are_an_error(shared: Path, tmp_path: Path) -> None:
    layout = tmp_path / "zmumu.yaml"
    layout.write_text(
        "format: hepml-layout\nversion: 1\nname: z\nobjects:\n  electron: {px: j_px, py: j_py, pz: j_pz}\n"
        "event: {weight: M}\n"
    )
    with pytest.raises(HepmlError):
        open_events(shared / "public/damaged/Zmumu_zeroed_baskets.root", layout=layout)


def test_every_truncation_is_one_message(sample: dict[str, Path], tmp_path: Path) -> None:
    whole = sample["electrons"].read_bytes()
    path = tmp_path / "cut.root"
    for i in range(64):
        path.write_bytes(whole[: len(whole) * i // 64])
        with pytest.raises(InputFileError):
            open_events(path)


def test_flipped_bits_never_give_another_exception(shared: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = tmp_path / "flipped.root"
    for codec in ("none", "zlib", "lz4", "zstd", "lzma", "rntuple"):
        whole = (shared / f"electrons/layouts/bg200_{codec}.root").read_bytes()
        for i in range(6):
            damaged = bytearray(whole)
            position = rng.integers(len(damaged) if i % 2 else 600)
            damaged[position] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            with contextlib.suppress(HepmlError):
                assert len(open_events(path)) <= 200


def test_a_file_whose_end_was_never_written(shared: Path, tmp_path: Path) -> None:
    whole = bytearray((shared / "electrons/layouts/bg200_zlib.root").read_bytes())
    whole[12:16] = bytes(4)  # fEND
    path = tmp_path / "open.root"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputFileError) as error:
        open_events(path)
    assert "open.root" in error.value.parts["where"]


def test_trees_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", columns(), "signal", background=True)
    with pytest.raises(InputFileError, match="2 trees in the file and none is named") as error:
        open_events(path)
    assert "signal, background" in error.value.parts["expected"]
    assert len(open_events(f"{path}:background")) == 2
    assert len(open_events(path, tree="signal")) == 2
    with pytest.raises(InputFileError, match="no tree named 'signl'") as error:
        open_events(f"{path}:signl")
    assert error.value.parts["nearest"] == "'signal'"


@pytest.mark.parametrize("trees", ["calorimeter", "[calorimeter, other]"])
def test_a_tree_that_the_users_layout_names_is_not_replaced(tmp_path: Path, trees: str) -> None:
    path = write(tmp_path / "a.root", columns(), "calo")
    layout = tmp_path / "mine.yaml"
    towers = "{et: ECalTowers_ET, eta: ECalTowers_Eta, phi: ECalTowers_Phi}"
    layout.write_text(
        f"format: hepml-layout\nversion: 1\nname: mine\ntree: {trees}\ntowers:\n  ecal: {towers}\n  hcal: {towers}\n"
    )
    with pytest.raises(InputFileError, match=r"no tree 'calorimeter'.*which the layout 'mine' names") as error:
        open_events(path, layout=layout)
    assert error.value.parts["found"] == error.value.parts["nearest"].strip("'") == "calo"
    with pytest.raises(InputFileError, match=r"which the layout 'delphes-2011\.01984' names"):
        open_events(path, layout="delphes-2011.01984")
    assert len(open_events(path, layout=layout, tree="calo")) == len(open_events(f"{path}:calo", layout=layout)) == 2
    assert len(open_events(path)) == 2  # recognised, not asked for


def test_a_missing_branch_is_named_with_its_neighbours(tmp_path: Path) -> None:
    content = columns()
    content["HCalTowers_Et"] = content.pop("HCalTowers_ET")
    path = write(tmp_path / "a.root", content)
    with pytest.raises(MissingBranchError, match=r"'HCalTowers\.ET'") as error:
        open_events(path, layout="delphes-2011.01984")
    assert "HCalTowers_Et" in error.value.parts["nearest"]
    assert str(path) in error.value.parts["where"]
    with pytest.raises(MissingBranchError, match="no layout fits"):
        open_events(path)
    with pytest.raises(MissingBranchError, match=r"Event\.Weight"):
        open_events(write(tmp_path / "b.root", columns()), weight="Event.Weight")
    with pytest.raises(MissingBranchError, match="Nothing"):
        open_events(tmp_path / "b.root", columns=["Nothing"])


def test_a_branch_that_the_caller_names_is_not_blamed_on_a_layout(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", columns() | {"w": ak.Array([1.0, 2.0])})
    for options, option in (
        ({"weight": "wt"}, "weight"),
        ({"group": "wt", "layout": "delphes-2011.01984"}, "group"),
        ({"columns": "wt"}, "target"),
    ):
        with pytest.raises(MissingBranchError, match="the branch 'wt' is not in the tree") as error:
            open_events(path, **options)
        assert "layout" not in str(error.value)
        assert f"samples file, {option}:" in error.value.parts["expected"]
        assert error.value.parts["nearest"] == "'w'"


def test_every_alternative_of_a_missing_branch_is_named(tmp_path: Path) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text(
        "format: hepml-layout\nversion: 1\nname: mine\nobjects:\n"
        "  electron: {pt: [Electron_Pt, ele_pt], eta: Electron_Eta, phi: Electron_Phi}\n"
    )
    with pytest.raises(MissingBranchError, match="the branch 'Electron_Pt' or 'ele_pt' of layout 'mine'") as error:
        open_events(write(tmp_path / "a.root", columns()), layout=layout)
    assert error.value.parts["expected"] == "'Electron_Pt' or 'ele_pt'"


def test_the_branch_missing_in_the_last_file_is_named(tmp_path: Path) -> None:
    first = write(tmp_path / "a.root", columns())
    content = columns()
    del content["ECalTowers_Phi"]
    last = write(tmp_path / "b.root", content)
    with pytest.raises(MissingBranchError, match=r"ECalTowers\.Phi") as error:
        list(iterate_events([first, last]))
    assert "b.root" in error.value.parts["where"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (ak.Array([1.0, 2.0]), "one value per event"),
        (ak.Array([[True, False], [True, True]]), "bool"),
        (ak.Array(["a", "b"]), "char"),
    ],
)
def test_a_branch_of_another_type(tmp_path: Path, values: ak.Array, found: str) -> None:
    content = columns() | {"ECalTowers_ET": values}
    path = write(tmp_path / "a.root", content)
    with pytest.raises(DataError, match="'ECalTowers_ET' has another type") as error:
        open_events(path)
    assert found in error.value.parts["found"]


def test_jagged_where_one_number_is_expected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", columns() | {"w": ak.Array([[1.0], [1.0, 2.0]])})
    with pytest.raises(DataError, match="'w' has another type") as error:
        open_events(path, weight="w")
    assert error.value.parts["found"] == "2 values in entry 1"


def test_branches_of_different_lengths(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", columns() | {"ECalTowers_E": ak.Array([[1.0, 2.0], [1.0]])})
    with pytest.raises(DataError, match="different lengths") as error:
        open_events(path)
    assert "entry 1" in error.value.parts["where"]


def test_doubly_jagged_and_objects_are_refused(shared: Path, tmp_path: Path) -> None:
    layout = tmp_path / "a.yaml"
    layout.write_text("format: hepml-layout\nversion: 1\nname: a\nobjects:\n  electron: {pt: x, eta: x, phi: x}\n")
    with pytest.raises(DataError, match="'x' has another type"):
        open_events(shared / "public/scikit-hep-testdata/uproot-vectorVectorDouble.root", layout=layout)


def test_unsplit_objects_are_named(shared: Path) -> None:
    with pytest.raises(DataError, match="ECalTowers \\(TClonesArray\\) is not split") as error:
        open_events(shared / "electrons/layouts/bg200_unsplit.root")
    assert "split level 99" in error.value.parts["fix"]
    assert "extra" not in error.value.parts["fix"]  # pyproject.toml has none that would help


def test_an_empty_tree_gives_no_events_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.root", {name: values[:0] for name, values in columns().items()})
    assert len(open_events(path)) == 0
    with caplog.at_level(logging.WARNING, "hepml"):
        chunks = list(iterate_events(path))
    assert [len(events) for events in chunks] == [0]
    assert "has no entries" in caplog.text


def test_a_file_listed_twice(sample: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DataError, match="listed twice"):
        expand_files([sample["jets"], str(sample["jets"])])
    copy = tmp_path / "copy.root"
    shutil.copy(sample["electrons"], copy)
    with caplog.at_level(logging.WARNING, "hepml"):
        list(iterate_events([sample["electrons"], copy]))
    assert "holds the same events as" in caplog.text


def test_names_with_odd_characters(sample: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a b.root", "it's.root", "a:b.root", "a[1].root", "é\n.root"):
        path = tmp_path / name
        shutil.copy(sample["electrons"], path)
        assert len(open_events(path, entry_stop=1)) == 1


def test_more_files_than_may_be_open(sample: dict[str, Path], tmp_path: Path) -> None:
    import resource

    content = columns()
    paths = []
    for i in range(25):
        content["Electron_PT"] = ak.Array([[20.0 + i]] * 2)
        paths.append(write(tmp_path / f"{i:02}.root", content))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(used + 15, hard), hard))
    try:
        assert sum(len(events) for events in iterate_events(paths)) == 50
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_unknown_layouts_and_collections(sample: dict[str, Path]) -> None:
    with pytest.raises(SchemaError, match="no layout is named 'delfes'") as error:
        open_events(sample["jets"], layout="delfes")
    assert "delphes" in error.value.parts["nearest"]
    with pytest.raises(DataError, match="no collection 'tau'"):
        open_events(sample["jets"], collections=["tau"])


def test_a_bare_name_is_one_name(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=5, collections="electron", columns="Event.Scale")
    assert (list(events.objects), list(events.columns)) == (["electron"], ["Event.Scale"])


@pytest.mark.parametrize("files", [3, None, b"/x", [3], [None]])
def test_what_is_no_path_is_refused_by_name(files: object) -> None:
    for function in (open_events, inspect_file, lambda path: next(iterate_events(path))):
        with pytest.raises(DataError, match="not a path"):
            function(files)


@pytest.mark.parametrize("option", ["entry_start", "entry_stop", "weight", "group", "columns", "collections"])
def test_options_of_another_type_are_refused_by_name(sample: dict[str, Path], option: str) -> None:
    with pytest.raises(DataError, match=rf"the option '{option}' cannot be 1\.5"):
        open_events(sample["jets"], **{option: 1.5})


def test_several_files_where_one_is_read(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.root", columns())
    for function in (open_events, inspect_file):
        with pytest.raises(DataError, match="several files where one is read") as error:
            function(f"{tmp_path}/*.root")
        assert "b.root" in error.value.parts["found"]


def test_a_library_that_uproot_lacks_is_named_with_its_command() -> None:
    def fails() -> None:
        try:
            import hepml_no_such_library  # noqa: F401
        except ImportError as error:
            raise ImportError("FileSystem requires another library") from error

    with pytest.raises(MissingExtraError, match="without a library") as error, reading("http://x/a.root", "the file"):
        fails()
    assert error.value.parts["fix"] == "pip install hepml_no_such_library"
    assert error.value.parts["found"] == "FileSystem requires another library"


def test_skim_never_replaces_its_input(sample: dict[str, Path], tmp_path: Path) -> None:
    from hepml.errors import OutputError
    from hepml.trees.skimming import skim

    own = tmp_path / "own.root"
    own.write_bytes(sample["electrons"].read_bytes())
    before = own.read_bytes()
    with pytest.raises(OutputError, match="is an input"):
        skim(own, own, lambda events: np.ones(len(events), dtype=bool), overwrite=True)
    assert own.read_bytes() == before
