"""H: data files that are damaged, foreign or hostile, through the commands that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from faults.hostile import Canary, watched
from faults.outcomes import Done, check, run, untouched

from hepml.dataset import SPLITS

pytestmark = pytest.mark.usefixtures("bounded")


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    path = tmp_path / "bad.h5"
    path.write_bytes(whole.read_bytes())
    return path


@pytest.fixture
def canary(tmp_path_factory: pytest.TempPathFactory) -> Canary:
    return Canary(tmp_path_factory.mktemp("canary") / "here")


COMMANDS = ("show", "verify", "train", "evaluate", "predict", "monitor", "merge", "export --ranges", "export --data")
TOLD = ("show", "verify", "merge")  # compare checksums first: 3


@pytest.fixture
def do(net: Path, trained: Path, wholes: dict[str, Path], tmp_path: Path) -> Callable[..., Done]:
    """The commands that read data files, as a function of their name and the file."""
    output = tmp_path / "o.json"

    def command(name: str, path: Path) -> Done:
        return {
            "show": lambda: run("show", path),
            "verify": lambda: run("verify", path),
            "train": lambda: run("train", path, "--features", "hl", "-o", tmp_path / "run", "--epochs", 1, "--quiet"),
            "evaluate": lambda: run("evaluate", trained, path, "-o", tmp_path / "out", "--no-figures"),
            "predict": lambda: run("predict", net, path, "-o", tmp_path / "scores.npz"),
            "monitor": lambda: run("monitor", wholes["net"], path, "-o", output),
            "merge": lambda: run("merge", path, "-o", tmp_path / "merged.h5"),
            "export --ranges": lambda: run("export", wholes["keras"], "--ranges", path, "-o", output),
            "export --data": lambda: run("export", trained, "--precision", "int8", "--data", path, "-o", output),
        }[name]()

    return command


def everywhere(
    entry: str,
    do: Callable[..., Done],
    data: Path,
    canary: Canary,
    *named: object,
    commands: Sequence[str] = COMMANDS,
) -> None:
    """Every command ends as the table says, with one short message in ASCII, leaves nothing and opens nothing else."""
    for name in commands:
        with untouched(data.parent), watched(canary):
            done = do(name, data)
            check(entry, done, data, *(named if name not in TOLD else ()))
            assert done.code == 1 or name in TOLD
            assert all(letter.isprintable() or letter == "\n" for letter in done.err)
            assert len(done.err) < 8000


def replace(path: Path, array: object, **options: object) -> None:
    """Other labels, in every split."""
    with h5py.File(path, "a") as file:
        for split in SPLITS:
            del file[f"y/{split}"]
            file.create_dataset(f"y/{split}", data=array, **options)


@pytest.mark.parametrize("entry", ["H01"])
def test_a_truncated_file_is_one_message(entry: str, do: Callable[..., Done], data: Path, canary: Canary) -> None:
    content = data.read_bytes()
    for point in range(12):
        data.write_bytes(content[: len(content) * point // 12])
        everywhere(entry, do, data, canary)


@pytest.mark.parametrize("entry", ["H02"])
def test_every_flipped_bit_is_found(entry: str, do: Callable[..., Done], data: Path) -> None:
    flipped(entry, do, data, 25)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["H02 300"])
def test_each_of_300_flipped_bits_is_found_by_the_command(entry: str, do: Callable[..., Done], data: Path) -> None:
    flipped(entry[:3], do, data, 300)


def flipped(entry: str, do: Callable[..., Done], data: Path, times: int) -> None:
    """`hepml verify` finds each, a third of them in the first pages, where the books of HDF5 are."""
    content = data.read_bytes()
    random = np.random.default_rng(7)
    anywhere, near = (random.integers(0, size, times) for size in (len(content), 4096))
    for number, position in enumerate(
        [len(content) - 1, *np.where(np.arange(1, times) % 3 == 0, near[1:], anywhere[1:])]
    ):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        data.write_bytes(damaged)
        done = do("verify", data)
        assert done.code, (number, position)
        check(entry, done, data)


@pytest.mark.parametrize("entry", ["H02"])
@pytest.mark.parametrize("name", ["show", "verify", "train", "predict"])
def test_a_bit_on_which_the_library_crashes_ends_no_command(
    entry: str, name: str, do: Callable[..., Done], data: Path
) -> None:
    """In the leaf of a tree of names: HDF5 1.14 finds its checksum wrong, and frees what it has not."""
    content = data.read_bytes()
    damaged = bytearray(content)
    damaged[content.rindex(b"BTLF") + 20] ^= 4
    data.write_bytes(damaged)
    with untouched(data.parent):
        check(entry, do(name, data), data)


@pytest.mark.parametrize("entry", ["H02"])
def test_40_other_bytes_end_no_command(entry: str, do: Callable[..., Done], data: Path) -> None:
    """One file in ten of this kind makes the HDF5 library crash, some never end."""
    content = data.read_bytes()
    for seed in range(12):
        random = np.random.default_rng(seed)
        damaged = bytearray(content)
        for position in random.integers(0, 60_000, 40):
            damaged[position] = int(random.integers(256))
        data.write_bytes(damaged)
        with untouched(data.parent):
            check(entry, do("verify", data), data)
            check(entry, do("predict", data), data)


SHAPES: dict[str, Any] = {
    "flat": np.zeros((3, 2, 2), "f4"),
    "rows": np.zeros(10**6, "f4"),
    "none": np.zeros(0, "f4"),
    "scalar": np.float32(1),
    "null": h5py.Empty("f4"),
}
TYPES: dict[str, Any] = {
    "float16": np.zeros(70, "f2"),
    "big-endian": np.zeros(70, ">f4"),
    "text": np.array([b"label"] * 70),
    "compound": np.zeros(70, [("a", "f4"), ("b", "i8")]),
    "object": np.array(["label"] * 70, dtype=h5py.string_dtype()),
    "reference": np.array([h5py.Reference()] * 3, dtype=h5py.ref_dtype),
}


@pytest.mark.parametrize(
    ("entry", "array"),
    [
        pytest.param(entry, array, id=f"{entry} {name}")
        for entry, arrays in (("H03", SHAPES), ("H04", TYPES))
        for name, array in arrays.items()
    ],
)
def test_another_shape_or_type_is_refused(
    *, entry: str, array: Any, do: Callable[..., Done], data: Path, canary: Canary
) -> None:
    replace(data, array)
    everywhere(entry, do, data, canary)


def shape_bomb(file: h5py.File, canary: Canary) -> None:
    file.create_dataset("y/test", shape=(10**12,), dtype="f4", chunks=(1 << 20,))


def many_bombs(file: h5py.File, canary: Canary) -> None:
    for number in range(1000):
        file.create_dataset(f"hl/{number}", shape=(1 << 28,), dtype="f4", chunks=(1 << 20,))
    file.create_dataset("y/test", shape=(1 << 28,), dtype="f4", chunks=(1 << 20,), compression="gzip")


def external_storage(file: h5py.File, canary: Canary) -> None:
    file.create_dataset("y/test", (44,), "f4", external=[(str(canary.secret), 0, h5py.h5f.UNLIMITED)])


def external_link(file: h5py.File, canary: Canary) -> None:
    file["y/test"] = h5py.ExternalLink(str(canary.secret), "x")


def external_group(file: h5py.File, canary: Canary) -> None:
    del file["hl"]
    file["hl"] = h5py.ExternalLink(str(canary.secret), "x")
    file["y/test"] = h5py.ExternalLink(str(canary.secret), "x")


def soft_loop(file: h5py.File, canary: Canary) -> None:
    file["y/test"] = h5py.SoftLink("/y/again")
    file["y/again"] = h5py.SoftLink("/y/test")


def virtual(file: h5py.File, canary: Canary) -> None:
    layout = h5py.VirtualLayout((44,), "f4")
    layout[:] = h5py.VirtualSource(str(canary.secret), "x", (44,))
    file.create_virtual_dataset("y/test", layout)


def deep(file: h5py.File, canary: Canary) -> None:
    group = file["y"]
    for _ in range(10_000):
        group = group.create_group("g")


HOSTILE: dict[str, tuple[Callable[[h5py.File, Canary], None], str]] = {
    "H05": (shape_bomb, "declared larger"),
    "H06": (many_bombs, "declared larger"),
    "H07": (external_storage, "another file"),
    "H08": (external_link, "a link where"),
    "H08 group": (external_group, "a link where"),
    "H09": (soft_loop, "a link where"),
    "H10": (virtual, "another file"),
    "H12": (deep, "y/test"),
}


@pytest.mark.parametrize("entry", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_else_is_opened(
    entry: str, do: Callable[..., Done], data: Path, canary: Canary
) -> None:
    make, words = HOSTILE[entry]
    with h5py.File(data, "a") as file:
        del file["y/test"]
        make(file, canary)
    everywhere(entry[:3], do, data, canary, words)


SECRET = "\x1b[31mred\x1b[0m%n%s{0.__class__}\u202eevil\n"
TEXTS: dict[str, Any] = {
    "escapes": SECRET,
    "huge": "A" * (64 << 20),
    "bytes": np.bytes_(b"\xff\xfe\x00\x1b[2J"),
    "array": np.array([SECRET.encode()] * 100),
}


@pytest.mark.parametrize("name", ["format", "layout", "provenance", "content_sha256"])
@pytest.mark.parametrize("entry", [f"H11 {name}" for name in TEXTS])
def test_a_hostile_attribute_is_shown_as_plain_text(
    *, entry: str, name: str, do: Callable[..., Done], data: Path, canary: Canary
) -> None:
    with h5py.File(data, "a", libver="latest") as file:
        del file.attrs[name]
        file.attrs[name] = TEXTS[entry.partition(" ")[2]]
    everywhere("H11", do, data, canary)


@pytest.mark.parametrize("entry", ["H11"])
def test_hostile_names_in_a_whole_file_are_shown_as_plain_text(
    entry: str, sample: dict[str, Path], tmp_path: Path
) -> None:
    from faults.root_files import content, write

    from hepml.dataset.verify import verify

    for name, seed in (("s.root", 1), ("b.root", 2)):
        write(tmp_path / name, content(30, seed))
    samples = tmp_path / "samples.yaml"
    names = [f"{SECRET}[bold]{kind}[/bold]" for kind in "sb"]
    samples.write_text(
        json.dumps(
            {
                "format": "hepml-samples",
                "version": 1,
                "task": "binary",
                "samples": [
                    {"name": name, "files": [file], "label": label}
                    for name, file, label in zip(names, ("s.root", "b.root"), (1, 0), strict=True)
                ],
            }
        )
    )
    path = tmp_path / "data.h5"
    for done in (run("convert", "--samples", samples, "-o", path), run("show", path)):
        assert (done.code, entry) == (0, "H11"), done.err
        assert all(letter.isprintable() or letter == "\n" for letter in done.out + done.err)
        assert "[bold]" in done.out
    assert verify(path).provenance["samples"][0]["name"] == names[0]


# the HDF5 files of others: networks of Keras 2, and the scores of a run


def _weights_of(path: Path) -> str:
    """The name of an array of numbers in a file."""
    names: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    return names[0]


def shape_of_a_gibibyte(file: h5py.File, canary: Canary) -> None:
    file.create_dataset("y/test", (1 << 28,), "f4", chunks=(1 << 20,), compression="gzip")


OTHERS = {name: make for name, (make, _) in HOSTILE.items() if name != "H08 group"}
OTHERS["H05 small"] = shape_of_a_gibibyte
FILES = ("model2", "weights", "scores")


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("entry", OTHERS)
def test_hostile_weights_and_scores_are_refused(
    entry: str, kind: str, wholes: dict[str, Path], canary: Canary, tmp_path: Path
) -> None:
    """Data sets of the hostile file are put in the place of one that the command needs."""
    import shutil

    given = tmp_path / "given"
    if kind == "scores":
        shutil.copytree(wholes["run"], given)
        bad, name = given / "scores.h5", "y"
    else:
        bad = tmp_path / "bad.h5"
        shutil.copy(wholes[kind], bad)
        name = _weights_of(bad)
    with h5py.File(bad, "a") as file:
        file.create_group("wrong/y")
        file.create_group("wrong/hl")
        OTHERS[entry](file["wrong"], canary)
        del file[name]
        link = file["wrong"].get("y/test", getlink=True)
        place = "y" if link is None else "y/test"  # a tower of groups is in y itself
        file[name] = file["wrong"][place] if link is None or isinstance(link, h5py.HardLink) else link
    asked = {
        "model2": ("export", bad, "-o", tmp_path / "o.json"),
        "weights": ("export", wholes["architecture"], "--weights", bad, "-o", tmp_path / "o.json"),
        "scores": ("evaluate", given, wholes["data"], "-o", tmp_path / "o", "--no-figures"),
    }[kind]
    with untouched(tmp_path), watched(canary):
        done = run(*asked)
    check(entry[:3], done, bad)
    assert done.code == 1
