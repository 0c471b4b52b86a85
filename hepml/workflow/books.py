"""What is known about an output folder: how each output was made, and the checksums of files.

    OUTPUT/ledger.json       of each step its configuration, inputs and code, the SHA-256 of its outputs, and its own
    OUTPUT/.checksums.json   SHA-256 of files by path, size, inode and times: so that terabytes are not read again
    OUTPUT/log.txt           when and where which step was made, and how long it took
    OUTPUT/.aside            where a step is made a second time, to be compared with what something else has made
    OUTPUT/.lock             held while `hepml run` works in the folder

ledger.json says nothing of time and place: two folders made from the same inputs hold the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hepml.atomic import alone, sweep
from hepml.dataset.shape import check_shape
from hepml.errors import InputFileError, OutputError, VerificationError
from hepml.ledger import check_output, config_hash, make_folder, read_json, sealed, sha256_file, write_json
from hepml.workflow.steps import Step

__all__ = ["Books", "damaged_outputs", "files_of"]

_FORMAT, _VERSION = "hepml-ledger", 1
_ENTRY = {"status": str, "owns": [str], "key": dict, "outputs": {str: str}, "skipped": [dict]}
_TIMES_INSIDE = ("log.txt", ".log.json")  # ends of names of files that say when and where
_TOOK = re.compile(r"\S+ (\S+) done in (\d+\.\d+) s")  # a line of the log
_YOUNG = 0.1  # seconds: a file that was changed so short a time ago may change again and keep its times


def damaged_outputs(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The entries of a ledger by step, and what is no longer as the step has written it: every byte is read.

    Raises:
        VerificationError: the ledger itself is damaged.
    """
    try:
        books = Books(folder, rehash=True)
    except InputFileError as error:
        raise VerificationError(error.problem, **error.parts) from error
    return books.entries, {step: books.changes(step) for step in books.entries}


def files_of(step: Step, folder: Path) -> list[str]:
    """The files of a step's outputs by path, without those of other steps, hidden ones, and what holds times."""
    found = []
    for output in (folder / name for name in step.outputs):
        files = sorted(output.rglob("*")) if output.is_dir() else [output]
        names = [file.relative_to(folder).as_posix() for file in files if file.is_file()]
        found += [name for name in names if not any(f"{name}/".startswith(f"{one}/") for one in step.inner)]
    return [name for name in found if not name.endswith(_TIMES_INSIDE) and not Path(name).name.startswith(".")]


class Books:
    """The ledger and the checksums of an output folder.

    Args:
        folder: the output folder, which may be absent.
        rehash: forget the known checksums: every byte is read again.

    Raises:
        InputFileError: the ledger is damaged, or of a newer hepml.
    """

    def __init__(self, folder: Path, rehash: bool = False) -> None:
        self.folder = folder
        self.path = folder / "ledger.json"
        self.entries: dict[str, dict[str, Any]] = self._read()
        self._aside = folder / ".aside"
        self._cache = folder / ".checksums.json"
        self._known: dict[str, list[Any]] = {}
        if not rehash and self._cache.exists():
            with contextlib.suppress(InputFileError):  # a damaged one costs nothing but time
                found = read_json(self._cache)
                self._known = found if isinstance(found, dict) else {}
        self._saved = dict(self._known)

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self.path.exists():
            return {}
        content = read_json(self.path)
        try:
            check_shape(
                content, {"format": str, "format_version": int, "steps": {str: _ENTRY}, "checksum": str}, "ledger"
            )
            if (content["format"], content["format_version"]) != (_FORMAT, _VERSION):
                raise ValueError(f"{content['format']} {content['format_version']} is not {_FORMAT} {_VERSION}")
            if sealed(content) != content:
                raise ValueError("it does not agree with its own checksum")
            for entry in content["steps"].values():
                for name in (*entry["owns"], *entry["outputs"]):
                    place = PurePosixPath(name)
                    if place.is_absolute() or ".." in place.parts or name in ("", "."):
                        raise ValueError(f"{name!r} is not in the folder")
        except ValueError as error:
            raise InputFileError(
                "not the ledger of a workflow, or a damaged one",
                where=self.path,
                found=error,
                fix="move the output folder away, or name another one as output",
            ) from error
        return dict(content["steps"])

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """The folder, made if absent, for this process alone.

        Raises:
            OutputError: another process works in it, or it cannot be written.
        """
        check_output(self.path, overwrite=True)
        make_folder(self.folder)
        with alone(self.folder / ".lock", self.folder):
            for path in (self.path, self._cache):  # what a process has left that was killed while it wrote them
                sweep(path)
            self.entries = self._read()  # the other one may have ended since
            self._clear_aside()
            try:
                yield
            finally:
                self._clear_aside()

    def aside(self, step: Step) -> Path:
        """A hidden folder in which a step finds all that it needs, as links, and can be made once more."""
        place = self._aside / step.name.replace("/", "-")
        for name in step.needs:
            entry = self.entries[name]
            for file in dict.fromkeys([*entry["outputs"], *entry["owns"]]):
                if (self.folder / file).is_file():
                    make_folder((place / file).parent)
                    (place / file).symlink_to((self.folder / file).resolve())
        make_folder(place)
        return place

    def _clear_aside(self) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    def sha256(self, path: str) -> str:
        """Of a file, from its bytes only if it is new or its size, inode or times have changed; of a URL its text.

        Raises:
            InputFileError: it cannot be read.
        """
        if "://" in path:
            return f"url:{path}"
        name, before = os.path.abspath(path), self.stamp(path)
        found = self._known.get(name)
        if isinstance(found, list) and found[:-1] == before:
            return str(found[-1])
        digest = sha256_file(path)
        self.learn(path, before, digest)
        return digest

    def stamp(self, path: str) -> list[int] | None:
        """Size, inode and times of a file; None if there is none."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]

    def learn(self, path: str, before: list[int] | None, digest: str) -> None:
        """Keeps a checksum, if the file was left alone since `before`, and for a while before that."""
        if before is not None and before == self.stamp(path) and time.time() - max(before[2:]) / 1e9 > _YOUNG:
            self._known[os.path.abspath(path)] = [*before, digest]

    def changes(self, step: str) -> list[str]:
        """The outputs of a step that are no longer as it has written them."""
        found = []
        for name, digest in self.entries[step]["outputs"].items():
            path = self.folder / name
            if not path.is_file():
                found.append(f"{name} is gone")
            elif self.sha256(str(path)) != digest:
                found.append(f"{name} was changed by something else")
        return found

    def damages(self, step: Step) -> list[str]:
        """What is no longer as the step has written it, its sidecars included."""
        gone = [f"{name} is gone" for name in step.sidecars if not (self.folder / name).is_file()]
        return self.changes(step.name) + gone

    def digest(self, name: str) -> str:
        """Of all outputs of a step that another one may read: not of figures."""
        outputs = self.entries[name]["outputs"]
        return config_hash({file: digest for file, digest in outputs.items() if "/figures/" not in file})

    def clear(self, step: Step) -> None:
        """Removes what the step has written; a kill in between leaves files that are known to be in its way.

        Raises:
            OutputError: something is there that no step has written, or it cannot be removed.
        """
        self.refuse_foreign(step)
        owned = list(dict.fromkeys([*self.entries.get(step.name, {}).get("owns", []), *step.outputs, *step.sidecars]))
        self._enter(step, "clearing", {}, owns=owned)
        for path in (self.folder / name for name in owned):
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError("an old output cannot be removed", where=path, found=error.strerror) from error

    def refuse_foreign(self, step: Step) -> None:
        """Refuses to write over what no step has written."""
        owned = {name for entry in self.entries.values() for name in entry["owns"]}
        for name in (*step.outputs, *step.sidecars):
            if name not in owned and os.path.lexists(self.folder / name):
                raise OutputError(
                    f"the output of {step.name} exists, and no step of the ledger has written it",
                    where=self.folder / name,
                    fix="move it away, or name another folder as output",
                )

    def begin(self, step: Step, key: Mapping[str, Any]) -> None:
        """Notes that the step is being made, and of what."""
        self._enter(step, "started", key)

    def end(self, step: Step, key: Mapping[str, Any], skipped: list[dict[str, str]]) -> None:
        """Notes that the step is done, with the checksums of all that it has written."""
        time.sleep(1.1 * _YOUNG)
        self._enter(step, "done", key, outputs=self._written(step), skipped=skipped)
        self.save()

    def save(self) -> None:
        """Keeps the checksums for the next time."""
        if self._known != self._saved:
            write_json(self._cache, self._known)
            self._saved = dict(self._known)

    def _written(self, step: Step) -> dict[str, str]:
        return {name: self.sha256(str(self.folder / name)) for name in files_of(step, self.folder)}

    def _enter(
        self,
        step: Step,
        status: str,
        key: Mapping[str, Any],
        *,
        owns: list[str] | None = None,
        outputs: Mapping[str, str] | None = None,
        skipped: list[dict[str, str]] | None = None,
    ) -> None:
        self.entries[step.name] = {
            "status": status,
            "owns": owns if owns is not None else [*step.outputs, *step.sidecars],
            "key": dict(key),
            "outputs": dict(outputs or {}),
            "skipped": skipped or [],
        }
        content = {"format": _FORMAT, "format_version": _VERSION, "steps": dict(sorted(self.entries.items()))}
        write_json(self.path, sealed(content))

    def seconds(self) -> dict[str, float]:
        """What making each step took the last time, as far as the log says it."""
        path = self.folder / "log.txt"
        if not path.is_file():
            return {}
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return {found[1]: float(found[2]) for line in lines if (found := _TOOK.fullmatch(line))}

    def log(self, line: str) -> None:
        """A line for people in log.txt, with the time."""
        path = self.folder / "log.txt"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}\n")
        except OSError as error:
            raise OutputError("cannot write the log", where=path, found=error.strerror) from error
