"""Every place of a command line where a file is read, and what may stand there instead of it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DAMAGES", "PLACES", "Place", "fits", "rare"]

Line = Callable[[Mapping[str, Path], Path, Path], tuple[object, ...]]


@dataclass(frozen=True)
class Place:
    """A file on a command line.

    Attributes:
        whole: name of the whole file, among those that the tests make; the damaged one has its suffix.
        line: the command, of (whole files, the damaged file, a folder for outputs).
        inside: the file's path within the folder that is given to the command, if it is not given itself.
        codes: exit codes; 3 where it is the command's work to tell what is damaged.
        but: damages that are none here.
        books: where the command notes what it has done, whatever comes of it.
        slow: much is done before the file is looked at: most damages are tried with `pytest -m slow` alone.
    """

    whole: str
    line: Line
    inside: str = ""
    codes: tuple[int, ...] = (1,)
    but: tuple[str, ...] = ()
    books: tuple[str, ...] = ()
    slow: bool = False


def _convert(*options: object) -> Line:
    return lambda at, x, to: ("convert", "--signal", at["root"], "--background", at["jets"], "-o", to / "o.h5",
                              *(x if one is None else one for one in options))  # fmt: skip


def _on_run(data: str, *more: str) -> Line:
    return lambda at, x, to: ("evaluate", x, at[data], "-o", to / "out", "--no-figures", *more)


_VARY = ("--no-figures", "--bootstrap", 10, "--quiet")
_SAME = ("--epochs", 3, "--set", "layers=1", "--set", "units=8")  # as the training that was begun
_TOLD = (1, 3)
_GONE = ("absent", "folder", "pipe", "dangling")  # as before an evaluation

PLACES: dict[str, Place] = {
    # ROOT files
    "convert SIGNAL": Place(
        "root", lambda at, x, to: ("convert", "--signal", x, "--background", at["jets"], "-o", to / "o.h5")
    ),
    "convert BACKGROUND": Place(
        "root", lambda at, x, to: ("convert", "--signal", at["jets"], "--background", x, "-o", to / "o.h5")
    ),
    "convert second file": Place(
        "root", lambda at, x, to: ("convert", "--signal", at["root"], x, "--background", at["jets"], "-o", to / "o.h5")
    ),
    "convert samples.yaml": Place(
        "root", lambda at, x, to: ("convert", "--samples", _samples(to, x, at), "-o", to / "o.h5")
    ),
    "apply FILE": Place("root", lambda at, x, to: ("apply", at["net"], x, "-o", to / "scores")),
    "apply FOLDER FILE": Place("root", lambda at, x, to: ("apply", at["folds"], x, "-o", to / "scores")),
    "skim FILE": Place("root", lambda at, x, to: ("skim", x, "-o", to / "o.root")),
    "skim second file": Place("root", lambda at, x, to: ("skim", at["root"], x, "-o", to / "o.root")),
    "inspect FILE": Place("root", lambda at, x, to: ("inspect", x)),
    "run analysis SIGNAL": Place(
        "root",
        lambda at, x, to: ("run", _analysis(to, x, at), "convert", "--quiet"),
        books=tuple(f"to/out{name}" for name in ("", "/ledger.json", "/log.txt", "/.checksums.json")),
    ),
    "evaluate --towers": Place(
        "root",
        lambda at, x, to: (
            *("evaluate", at["run"], at["data"], "-o", to / "out", "--vary", "scale=1.01"),
            *("--towers", x, "--towers", at["jets"], *_VARY),
        ),
        codes=_TOLD,
        but=("folder",),  # is searched
        slow=True,
    ),
    "evaluate pileup": Place(
        "root",
        lambda at, x, to: (
            *("evaluate", at["run"], at["data"], "-o", to / "out"),
            *("--vary", f"pileup.signal={x}+pileup.background={at['jets']}", *_VARY),
        ),
        slow=True,
    ),
    "evaluate overlay": Place(
        "root",
        lambda at, x, to: ("evaluate", at["run"], at["data"], "-o", to / "out", "--vary", f"pileup={x}", *_VARY),
        slow=True,
    ),
    # data files
    **{
        f"{command} DATA": Place("data", line, codes=codes)
        for command, line, codes in (
            ("show", lambda at, x, to: ("show", x), _TOLD),
            ("verify", lambda at, x, to: ("verify", x), _TOLD),
            ("train", lambda at, x, to: ("train", x, "--features", "hl", "-o", to / "run", "--quiet"), (1,)),
            ("evaluate", lambda at, x, to: ("evaluate", at["run"], x, "-o", to / "out", "--no-figures"), (1,)),
            (
                "evaluate --independent",
                lambda at, x, to: ("evaluate", at["run"], x, "--independent", "-o", to / "out", "--no-figures"),
                (1,),
            ),
            (
                "evaluate --vary",
                lambda at, x, to: ("evaluate", at["run"], x, "-o", to / "out", "--vary", "scale=1.01", *_VARY),
                (1,),
            ),
            ("predict", lambda at, x, to: ("predict", at["net"], x, "-o", to / "o.npz"), (1,)),
            ("monitor", lambda at, x, to: ("monitor", at["net"], x, "-o", to / "o.json"), (1,)),
            ("merge", lambda at, x, to: ("merge", x, "-o", to / "o.h5"), _TOLD),
            ("export --ranges", lambda at, x, to: ("export", at["keras"], "--ranges", x, "-o", to / "o.json"), (1,)),
            (
                "export --data",
                lambda at, x, to: ("export", at["run"], "--precision", "int8", "--data", x, "-o", to / "o.json"),
                (1,),
            ),
        )
    },
    # arrays
    "predict INPUTS": Place("npz", lambda at, x, to: ("predict", at["net"], x, "-o", to / "o.npz")),
    "monitor INPUTS": Place("npz", lambda at, x, to: ("monitor", at["net"], x, "-o", to / "o.json")),
    "export --ranges INPUTS": Place(
        "npz", lambda at, x, to: ("export", at["keras"], "--ranges", x, "-o", to / "o.json")
    ),
    "export --data INPUTS": Place(
        "npz", lambda at, x, to: ("export", at["run"], "--precision", "int8", "--data", x, "-o", to / "o.json")
    ),
    "monitor COUNTS": Place("counts", lambda at, x, to: ("monitor", at["net"], x, "-o", to / "o.json")),
    # networks
    "apply NET": Place("net", lambda at, x, to: ("apply", x, at["root"], "-o", to / "o.root")),
    "apply FOLDER": Place(
        "folds", lambda at, x, to: ("apply", x, at["root"], "-o", to / "o.root"), inside="fold_1.json"
    ),
    "predict NET": Place("net", lambda at, x, to: ("predict", x, at["npz"], "-o", to / "o.npz")),
    "monitor NET": Place("net", lambda at, x, to: ("monitor", x, at["npz"], "-o", to / "o.json")),
    "compact NET": Place("net", lambda at, x, to: ("compact", x, "-o", to / "o.json")),
    "export NET --source": Place(
        "net", lambda at, x, to: ("export", x, "--source", to / "o.hpp"), but=("folder", "a list")
    ),  # those are no network files, and -o is missing
    "verify NET": Place("net", lambda at, x, to: ("verify", x), codes=_TOLD),
    "show NET": Place("net", lambda at, x, to: ("show", x), codes=_TOLD),
    # what export takes
    "export KERAS": Place("keras", lambda at, x, to: ("export", x, "-o", to / "o.json")),
    "export MODEL.h5": Place("model2", lambda at, x, to: ("export", x, "-o", to / "o.json")),
    "export ARCHITECTURE": Place(
        "architecture",
        lambda at, x, to: ("export", x, "--weights", at["weights"], "-o", to / "o.json"),
        but=("folder",),  # has no --weights
    ),
    "export --weights": Place(
        "weights", lambda at, x, to: ("export", at["architecture"], "--weights", x, "-o", to / "o.json")
    ),
    "export --variables": Place(
        "variables",
        lambda at, x, to: (
            *("export", at["architecture"], "--weights", at["weights"], "--variables", x, "-o", to / "o.json"),
        ),
    ),
    "export BOOSTER": Place("booster", lambda at, x, to: ("export", x, "-o", to / "o.json")),
    # configurations and lists
    "convert --layout": Place("layout", _convert("--layout", None)),
    "apply --layout": Place(
        "layout", lambda at, x, to: ("apply", at["net"], at["root"], "--layout", x, "-o", to / "o.root")
    ),
    "skim --layout": Place("layout", lambda at, x, to: ("skim", at["root"], "--layout", x, "-o", to / "o.root")),
    "inspect --layout": Place("layout", lambda at, x, to: ("inspect", at["root"], "--layout", x)),
    "convert --samples": Place("samples", lambda at, x, to: ("convert", "--samples", x, "-o", to / "o.h5")),
    "evaluate pileup.yaml": Place(
        "samples",
        lambda at, x, to: ("evaluate", at["run"], at["data"], "-o", to / "out", "--vary", f"pileup={x}", *_VARY),
        slow=True,
    ),
    "convert --checksums": Place("sums", _convert("--checksums", None), but=("half",)),  # see R05
    "run ANALYSIS": Place("analysis", lambda at, x, to: ("run", x, "--quiet")),
    # runs
    "show run.json": Place("run", lambda at, x, to: ("show", x), inside="run.json", codes=_TOLD),
    "verify run.json": Place("run", lambda at, x, to: ("verify", x), inside="run.json", codes=_TOLD),
    "evaluate run.json": Place("run", _on_run("data"), inside="run.json"),
    "export run.json": Place("run", lambda at, x, to: ("export", x, "-o", to / "o.json"), inside="run.json"),
    "train run.json": Place(
        "run",
        lambda at, x, to: ("train", at["data"], "--features", "hl", "-o", x, "--quiet"),
        inside="run.json",
        but=("absent", "folder", "pipe", "dangling"),  # a folder that is no run is refused with 4, as any other output
    ),
    "verify model.keras": Place("run", lambda at, x, to: ("verify", x), inside="model.keras", codes=_TOLD),
    "show model.keras": Place("run", lambda at, x, to: ("show", x), inside="model.keras", codes=_TOLD),
    "export model.keras": Place("run", lambda at, x, to: ("export", x, "-o", to / "o.json"), inside="model.keras"),
    "evaluate model.keras": Place("run", _on_run("other", "--independent"), inside="model.keras"),
    "evaluate scores.h5": Place("run", _on_run("data"), inside="scores.h5"),
    "export reference.npz": Place("run", lambda at, x, to: ("export", x, "-o", to / "o.json"), inside="reference.npz"),
    "export ranges.json": Place(
        "run", lambda at, x, to: ("export", x, "-o", to / "o.json"), inside="ranges.json", but=("absent", "dangling")
    ),
    "export thresholds.json": Place(
        "run",
        lambda at, x, to: ("export", x, "-o", to / "o.json"),
        inside="thresholds.json",
        but=("absent", "dangling"),
    ),
    "show thresholds.json": Place(
        "run", lambda at, x, to: ("show", x), inside="thresholds.json", codes=_TOLD, but=_GONE
    ),
    "show metrics.json": Place("run", lambda at, x, to: ("show", x), inside="metrics.json", codes=_TOLD, but=_GONE),
    "show history.csv": Place("run", lambda at, x, to: ("show", x), inside="history.csv", codes=_TOLD),
    "train checkpoint.npz": Place(
        "begun",
        lambda at, x, to: ("train", at["data"], "--features", "hl", "-o", x, "--quiet", *_SAME),
        inside="checkpoint.npz",
        but=("absent", "dangling"),
        books=("begun/log.txt",),
    ),
    # scores and workflows
    "show SCORES": Place("scores", lambda at, x, to: ("show", x), codes=_TOLD),
    "verify SCORES": Place("scores", lambda at, x, to: ("verify", x), codes=_TOLD),
    "show ledger.json": Place("workflow", lambda at, x, to: ("show", x), inside="ledger.json", codes=_TOLD),
    "verify ledger.json": Place("workflow", lambda at, x, to: ("verify", x), inside="ledger.json", codes=_TOLD),
    "verify --inputs sidecar": Place(
        "converted", lambda at, x, to: ("verify", x / "data.h5", "--inputs"), inside="data.h5.log.json", codes=_TOLD
    ),
}


def _samples(folder: Path, signal: Path, at: Mapping[str, Path]) -> Path:
    path = folder / "samples.yaml"
    path.write_text(
        "format: hepml-samples\nversion: 1\ntask: binary\nsamples:\n"
        f"  - {{name: s, files: ['{signal}'], label: 1}}\n  - {{name: b, files: ['{at['jets']}'], label: 0}}\n"
    )
    return path


def _analysis(folder: Path, signal: Path, at: Mapping[str, Path]) -> Path:
    path = folder / "analysis.yaml"
    path.write_text(
        f"format: hepml-analysis\nversion: 1\noutput: {folder}/out\n"
        f"inputs: {{main: {{signal: '{signal}', background: '{at['jets']}'}}}}\n"
        "models: {hl: {features: hl}}\n"
    )
    return path


_ONNX = b"\x08\x0a\x12\x05hepml" + b":\x0c" + b"\x12\x04main" + bytes(400)  # a ModelProto begins so
_NETWORKS = ("net", "folds", "keras", "model2", "architecture", "booster")


def fits(place: Place, damage: str) -> bool:
    """Whether a damage is one at a place: networks of other programs are tried where a network is due."""
    return damage not in place.but and (damage not in ("ONNX", "TFLite") or place.whole in _NETWORKS)


# what a file may be instead; each is called with the path, which does not exist, and the whole content


def _half(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def _dangling(path: Path, whole: bytes) -> None:
    path.symlink_to(path.with_name("nowhere"))


class _Evil:
    def __reduce__(self) -> object:
        return os.mkdir, ("planted",)


DAMAGES: dict[str, Callable[[Path, bytes], object]] = {
    "absent": lambda path, whole: None,
    "empty": lambda path, whole: path.write_bytes(b""),
    "text": lambda path, whole: path.write_text("this is not what is wanted\n" * 50),
    "half": _half,
    "zeros": lambda path, whole: path.write_bytes(bytes(len(whole))),
    "pickle": lambda path, whole: path.write_bytes(pickle.dumps(_Evil())),
    "no UTF-8": lambda path, whole: path.write_bytes(b'{"a": "\xff\xfe\x80"}'),
    "nested": lambda path, whole: path.write_bytes(b"[" * 1500),
    "a list": lambda path, whole: path.write_text("[1, 2, null]"),
    "ONNX": lambda path, whole: path.write_bytes(_ONNX),
    "TFLite": lambda path, whole: path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(600)),
    "HDF5": lambda path, whole: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600)),
    "folder": lambda path, whole: path.mkdir(),
    "pipe": lambda path, whole: os.mkfifo(path),
    "dangling": _dangling,
}
_FEW = ("empty", "half", "pipe")  # for slow places
_BINARY = ("root", "data", "npz", "keras", "model2", "weights", "booster", "scores")
_TEXTS = ("no UTF-8", "nested", "a list")  # to a reader of bytes they are what "text" is


def rare(place: Place, damage: str) -> bool:
    """Whether a case is left to `pytest -m slow`: another one goes the same way, or it takes long."""
    as_text = place.whole in _BINARY and damage in _TEXTS
    return damage in ("zeros", "dangling") or as_text or (place.slow and damage not in _FEW)
