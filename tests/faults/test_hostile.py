"""H13, H14 and the known CVEs: files that want to run code or to read others. A canary tells if one did."""

from __future__ import annotations

import io
import json
import pickle
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from faults.hostile import Canary, watched
from faults.outcomes import Done, check, run, untouched

pytestmark = pytest.mark.usefixtures("bounded")


@pytest.fixture
def canary(tmp_path_factory: pytest.TempPathFactory) -> Canary:
    return Canary(tmp_path_factory.mktemp("canary") / "here")


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as Keras saves it."""
    import keras

    path = tmp_path_factory.mktemp("keras") / "net.keras"
    x = keras.Input((7,), name="hl")
    keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="last")(x)).save(path)
    return path


class Parts:
    """The members of a .keras file, to be changed and packed again."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.config: dict[str, Any] = json.loads(self.members["config.json"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        layers: list[dict[str, Any]] = self.config["config"]["layers"]
        return layers

    def write(self, path: Path) -> Path:
        self.members["config.json"] = json.dumps(self.config).encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.members.items():
                archive.writestr(name, content)
        return path

    def weights(self, change: Callable[[h5py.File], None]) -> None:
        stream = io.BytesIO(self.members["model.weights.h5"])
        with h5py.File(stream, "a") as file:
            change(file)
        self.members["model.weights.h5"] = stream.getvalue()


def layer(class_name: str, module: str = "keras.layers", registered: str | None = None, **config: Any) -> Any:
    """Changes the last layer into another."""

    def change(parts: Parts, canary: Canary) -> None:
        own = dict(config)
        for key, value in own.items():
            if value == "SECRET":
                own[key] = str(canary.secret)
        parts.layers[-1] |= {
            "class_name": class_name,
            "module": module,
            "registered_name": registered,
            "config": {"name": "last", **own},
        }

    return change


def lambda_code(parts: Parts, canary: Canary) -> None:
    code = "4wEAAAAAAAAAAAAAAAQAAAADAAAA8xYAAACXAHQBAAAAAAAAAABqAgAAAAAAAAAAfABTAA=="
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    layer("Lambda", function=function)(parts, canary)


def foreign_module(parts: Parts, canary: Canary) -> None:
    """CVE-2025-1550: any module, any callable, with arguments of the file."""
    parts.layers[-1] |= {
        "class_name": "system",
        "module": "os",
        "registered_name": None,
        "config": {"command": f"touch {canary.planted}"},
    }


def foreign_function(parts: Parts, canary: Canary) -> None:
    parts.layers[-1]["config"]["activation"] = {
        "class_name": "function",
        "module": "builtins",
        "config": "exec",
        "registered_name": "exec",
    }


def function(module: str, name: str) -> Any:
    """A function of Keras itself in the place of an activation, such as one that fetches and unpacks."""

    def change(parts: Parts, canary: Canary) -> None:
        parts.layers[-1]["config"]["activation"] = {
            "class_name": "function",
            "module": module,
            "config": name,
            "registered_name": name,
        }

    return change


def unsafe_by_config(parts: Parts, canary: Canary) -> None:
    """CVE-2025-9906: a configuration that switches the safe mode off first."""
    parts.layers[0] |= {
        "class_name": "function",
        "module": "keras.config",
        "config": "enable_unsafe_deserialization",
        "registered_name": "enable_unsafe_deserialization",
    }
    lambda_code(parts, canary)


def weights_elsewhere(parts: Parts, canary: Canary) -> None:
    """CVE-2026-1669: weights whose bytes are those of another file."""

    def change(file: h5py.File) -> None:
        name = next(name for name in _names(file) if file[name].shape == (7, 1))
        del file[name]
        file.create_dataset(name, (7, 1), "f4", external=[(str(canary.secret), 0, h5py.h5f.UNLIMITED)])

    parts.weights(change)


def weights_link(kind: Callable[[Canary], Any]) -> Any:
    def change(parts: Parts, canary: Canary) -> None:
        def links(file: h5py.File) -> None:
            name = next(name for name in _names(file) if file[name].shape == (7, 1))
            del file[name]
            file[name] = kind(canary)

        parts.weights(links)

    return change


def weights_virtual(parts: Parts, canary: Canary) -> None:
    def change(file: h5py.File) -> None:
        name = next(name for name in _names(file) if file[name].shape == (7, 1))
        del file[name]
        made = h5py.VirtualLayout((7, 1), "f4")
        made[:] = h5py.VirtualSource(str(canary.secret), "x", (7, 1))
        file.create_virtual_dataset(name, made)

    parts.weights(change)


def weights_bomb(parts: Parts, canary: Canary) -> None:
    """CVE-2026-0897: a shape that claims all memory."""

    def change(file: h5py.File) -> None:
        name = next(name for name in _names(file) if file[name].shape == (7, 1))
        del file[name]
        file.create_dataset(name, (10**12,), "f4", chunks=(1 << 20,))

    parts.weights(change)


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    return names


def asset(parts: Parts, canary: Canary) -> None:
    """CVE-2025-12060: members that leave the folder they are unpacked into."""
    parts.members["../../planted"] = b"x"


def zip_bomb(parts: Parts, canary: Canary) -> None:
    parts.members["metadata.json"] = b" " * (300 << 20)


def compiled(parts: Parts, canary: Canary) -> None:
    """What is compiled is never looked at: this one loads."""
    parts.config["compile_config"] = {"loss": {"class_name": "system", "module": "os", "config": {}}}


KERAS: dict[str, Callable[[Parts, Canary], None]] = {
    "CVE-2024-3660 Lambda": lambda_code,
    "CVE-2025-1550 module": foreign_module,
    "CVE-2025-1550 function": foreign_function,
    "CVE-2025-8747 get_file": function("keras.utils", "get_file"),
    "CVE-2025-8747 inner module": function("keras.src.utils.file_utils", "extract_archive"),
    "CVE-2025-8747 data sets": function("keras.datasets.mnist", "load_data"),
    "CVE-2025-9906 configuration": function("keras.config", "enable_unsafe_deserialization"),
    "CVE-2025-9905 load_model": function("keras.models", "load_model"),
    "CVE-2025-9906 safe mode off": unsafe_by_config,
    "CVE-2025-49655 TorchModuleWrapper": layer("TorchModuleWrapper", module_bytes="SECRET"),
    "CVE-2025-12058 StringLookup": layer("StringLookup", vocabulary="SECRET"),
    "CVE-2026-1462 TFSMLayer": layer("TFSMLayer", filepath="SECRET"),
    "CVE-2026-12481 registered name": layer("Dense", "__main__", "evil>Lambda", units=1),
    "CVE-2025-12060 traversal": asset,
    "CVE-2026-0897 shape bomb": weights_bomb,
    "CVE-2026-1669 external storage": weights_elsewhere,
    "PR 22900 external link": weights_link(lambda canary: h5py.ExternalLink(str(canary.secret), "x")),
    "PR 22900 soft link": weights_link(lambda canary: h5py.SoftLink("/layers")),
    "PR 22976 virtual": weights_virtual,
    "PR 23010 zip bomb": zip_bomb,
}


@pytest.mark.parametrize("name", [f"H13 {name}" for name in KERAS])
def test_a_hostile_keras_file_is_refused_before_keras_sees_it(
    name: str, keras_file: Path, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    parts = Parts(keras_file)
    KERAS[name.removeprefix("H13 ")](parts, canary)
    path = parts.write(tmp_path / "evil.keras")
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("Keras was given the file"))
    with untouched(tmp_path), watched(canary):
        check("H13", run("export", path, "-o", tmp_path / "net.json"), path)


@pytest.mark.parametrize("name", ["H13 compiled"])
def test_what_a_model_is_compiled_with_is_left_out(name: str, keras_file: Path, canary: Canary, tmp_path: Path) -> None:
    parts = Parts(keras_file)
    compiled(parts, canary)
    with watched(canary):
        done = run("export", parts.write(tmp_path / "net.keras"), "-o", tmp_path / "net.json")
    assert (done.code, name) == (0, "H13 compiled"), done.err


@pytest.mark.parametrize("name", ["H13 run"])
def test_a_hostile_network_in_a_run_is_refused(name: str, keras_file: Path, canary: Canary, tmp_path: Path) -> None:
    """A run folder of somebody else is no safer than a file."""
    from hepml.errors import InputFileError
    from hepml.training.run import Run

    parts = Parts(keras_file)
    foreign_module(parts, canary)
    parts.write(tmp_path / "model.keras")
    with watched(canary), pytest.raises(InputFileError, match="loaded safely") as error:
        _ = Run(tmp_path, {}).model
    assert (error.value.exit_code, name) == (1, "H13 run")


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, planted: Path) -> None:
        self.planted = planted

    def __reduce__(self) -> Any:
        return Path.touch, (self.planted,)


def pickled_in_npz(path: Path, evil: Evil) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([evil], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hl.npy", stream.getvalue())


def bomb_in_npz(path: Path, evil: Evil) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 7), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hl.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def packed_bomb_in_npz(path: Path, evil: Evil) -> None:
    size = 3 << 30
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 28}, 7), }}".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hl.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    whole = bytearray(path.read_bytes())
    at = whole.find(b"PK\x01\x02")
    whole[at + 24 : at + 28] = (size + 1000).to_bytes(4, "little")  # its size, unpacked, in the directory
    path.write_bytes(whole)


def packed_by_others(path: Path, evil: Evil) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive, archive.open("hl.npy", "w") as stream:
        np.lib.format.write_array(stream, np.zeros((10_000_000, 7), np.float32))


def code_in_header(path: Path, evil: Evil) -> None:
    header = b"{'descr': __import__('os').system('touch planted'), 'fortran_order': False, 'shape': (1, 7), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hl.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def pickled(path: Path, evil: Evil) -> None:
    path.write_bytes(pickle.dumps(evil))


ARRAYS = {
    "pickle in npz": ("x.npz", pickled_in_npz),
    "declared in npz": ("x.npz", bomb_in_npz),
    "packed in npz": ("x.npz", packed_bomb_in_npz),
    "otherwise packed": ("x.npz", packed_by_others),
    "code in npz": ("x.npz", code_in_header),
    "pickle as npz": ("x.npz", pickled),
    "pickle as npy": ("x.npy", pickled),
}
MODELS = ("net.pkl", "net.joblib", "net.pt", "net.keras", "net.h5", "net.json", "net.ubj")


@pytest.mark.parametrize("name", [f"H14 {name}" for name in ARRAYS])
def test_pickles_and_bombs_among_arrays_are_never_loaded(
    name: str, wholes: dict[str, Path], canary: Canary, tmp_path: Path
) -> None:
    file, make = ARRAYS[name.removeprefix("H14 ")]
    make(tmp_path / file, Evil(canary.planted))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with untouched(tmp_path), watched(canary):
        for command in ("predict", "monitor"):
            done = run(command, wholes["net"], tmp_path / file, "-o", tmp_path / "out.npz")
            check("H14", done, tmp_path / file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("command", ["export", "predict", "apply", "verify", "show"])
@pytest.mark.parametrize("name", [f"H14 {name}" for name in MODELS])
def test_a_pickle_given_as_a_model_is_refused(
    *, name: str, command: str, sample: dict[str, Path], canary: Canary, tmp_path: Path
) -> None:
    path = tmp_path / name.removeprefix("H14 ")
    pickled(path, Evil(canary.planted))
    np.savez(tmp_path / "x.npz", hl=np.zeros((2, 7)))
    arguments: dict[str, tuple[object, ...]] = {
        "export": (path, "-o", tmp_path / "out.json"),
        "predict": (path, tmp_path / "x.npz", "-o", tmp_path / "out.npz"),
        "apply": (path, sample["jets"], "-o", tmp_path / "out.root"),
        "verify": (path,),
        "show": (path,),
    }
    with untouched(tmp_path), watched(canary):
        done: Done = run(command, *arguments[command])
    check("H14", done, path)


def _bombs() -> dict[str, str]:
    lists = "&a [x,x,x,x,x,x,x,x,x,x]"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True):
        lists += f", &{two} [{', '.join([f'*{one}'] * 10)}]"
    head = "format: hepml-samples\nversion: 1\ntask: binary\n"
    return {
        "aliases": f"{head}samples: [{{name: s, files: [{lists}], label: 1}}]\n",
        "endless": "format: &a [*a]\n",
        "keys": "".join(f"k{number}: 1\n" for number in range(20_000)),
    }


@pytest.mark.parametrize("option", ["--samples", "--layout", "ANALYSIS"])
@pytest.mark.parametrize("kind", _bombs())
def test_a_small_yaml_file_that_stands_for_a_huge_one_is_refused(
    kind: str, option: str, sample: dict[str, Path], tmp_path: Path
) -> None:
    path, output = tmp_path / "x.yaml", tmp_path / "out.h5"
    path.write_text(_bombs()[kind])
    files = ("--signal", sample["electrons"], "--background", sample["jets"]) if option == "--layout" else ()
    with untouched(tmp_path):
        done = run("run", path) if option == "ANALYSIS" else run("convert", *files, option, path, "-o", output)
    assert done.code == 1, done
    assert done.err.startswith("SchemaError: ")
    assert len(done.err) < 8000
    assert ("aliases" in done.err) == (kind != "keys")
