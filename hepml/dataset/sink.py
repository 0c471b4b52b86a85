"""A new HDF5 file whose bytes depend on its content alone, and that survives a full disk.

HDF5 cannot close a file after a write has failed: the process crashes when it ends. Here HDF5 writes through an object
that keeps the first error and lets the library finish; the error is raised afterwards, as itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import h5py

from hepml.dataset.seal import seal

__all__ = ["Sink"]


class _Bytes:
    """The file as h5py's file-object driver wants it; after an error nothing more is written."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._position = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (os.fstat(self._descriptor).st_size if base is None else base)
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: memoryview) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self.error is None:
                done = os.pwrite(self._descriptor, rest, self._position)
                rest = rest[done:]
                self._position += done
        except OSError as error:
            self.error = error
        self._position += len(rest)
        return size

    def readinto(self, buffer: memoryview) -> int:
        whole = memoryview(buffer).cast("B")
        done = os.preadv(self._descriptor, [whole], self._position)
        whole[done:] = bytes(len(whole) - done)
        self._position += len(whole)
        return len(whole)

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        try:
            if self.error is None:
                os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.error = error
        return size

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        os.close(self._descriptor)


class Sink:
    """A new HDF5 file to write, in a `with` inside `hepml.ledger.atomic_path`.

    The file is of a fixed version of the format (1.10, which keeps checksums of its metadata) and holds no times, if
    its groups are made by `group` and its data sets with ``track_times=False``. What is complete is sealed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Sink(Path(folder) / "a.h5") as sink:
        ...         sink.group("et").create_dataset("test", data=[1.0], track_times=False)
        ...     h5py.File(Path(folder) / "a.h5")["et/test"][0]
        <HDF5 dataset "test": shape (1,), type "<f8">
        1.0
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._bytes = _Bytes(self._path)
        creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        creation.set_obj_track_times(False)
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
        access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, self._bytes)
        self.file = h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, fcpl=creation, fapl=access))

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._path.parent

    def group(self, name: str) -> h5py.Group:
        """A group of the file, made without times if it is not there; so are those above it."""
        above: h5py.Group = self.file
        creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
        creation.set_obj_track_times(False)
        for part in filter(None, name.split("/")):
            if part not in above:
                h5py.h5g.create(above.id, part.encode(), gcpl=creation)
            above = above[part]
        return above

    def check(self) -> None:
        """Raises the OSError that a write met, if one did."""
        if self._bytes.error is not None:
            raise self._bytes.error

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.file.close()
        finally:
            self._bytes.close()
            self.check()  # the disk's error comes before whatever HDF5 made of it
        if error is None:
            seal(self._path)
