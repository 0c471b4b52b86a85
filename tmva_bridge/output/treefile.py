"""Trees as ROOT's TTree writes them: names of several leaves in one branch, which uproot does not write.

uproot writes the values (the baskets); what describes them, the TTree object, is made here and put in the place of
uproot's own. Its layout is that of ROOT's classes TTree 20, TBranch 13, TLeaf 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Branch", "write_tree"]

_STEP = 100_000  # entries of a basket
_COUNTED, _NEW_CLASS = 0x40000000, 0xFFFFFFFF
_BASKETS_EMPTY = 10
# what a leaf is by its letter: class, bytes of a value, its smallest and largest value as they are stored
_LEAVES = {"I": ("TLeafI", 4, ">ii"), "F": ("TLeafF", 4, ">ff"), "D": ("TLeafD", 8, ">dd"), "C": ("TLeafC", 1, ">ii")}
_TYPES = {"I": np.int32, "F": np.float32, "D": np.float64}
_FILL = bytes.fromhex("40000006 0002 0000 03e9".replace(" ", ""))
_STYLE = bytes.fromhex("40000008 0002 025a 0001 0001 40000006 0002 0000 03e9 4000000a 0002 0001 0001 3f800000")
_FEATURES = bytes.fromhex("40000007 0000 1aa12f10 00")  # ROOT::TIOFeatures


@dataclass(frozen=True)
class Branch:
    """A branch and its values.

    Attributes:
        leaves: their names; a branch of one leaf has its own name there, as a rule.
        letter: "I" (int32), "F" (float32), "D" (float64) or "C" (text).
        values: (n,), or (n, leaves) if there are several; of text, (n,) int indices into `words`.
    """

    name: str
    leaves: tuple[str, ...]
    letter: str
    values: NDArray[Any]
    words: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return ":".join(f"{leaf}/{self.letter}" for leaf in self.leaves)


def write_tree(file: Any, path: str, branches: Sequence[Branch], title: str = "") -> None:
    """Writes a tree.

    Args:
        file: an open `uproot.WritableDirectory`.
        path: of the tree in the file.
        branches: at least one; all of as many entries.
        title: of the tree; its name if empty.
    """
    name = path.rpartition("/")[2]
    tree = file.mktree(path, {one.name: _type(one) for one in branches}, title=title or name)
    entries = len(branches[0].values)
    for begin in range(0, entries, _STEP):
        tree.extend({one.name: _values(one, begin, begin + _STEP) for one in branches})
    written = tree._cascading
    baskets = {datum["fName"]: datum for datum in written._branch_data}
    key, sink = written.key, file.file.sink
    ahead = 34 + sum(
        len(_text(one)) for one in ("TTree", name, title or name)
    )  # bytes of the key, from which ROOT counts
    content = _tree(
        (name, title or name), entries, [(one, baskets[one.name]) for one in branches], written.num_baskets, ahead
    )
    written.directory.add_object(sink, "TTree", name, title or name, content, len(content), replaces=key, big=True)
    start = key.seek_location
    written.freesegments.release(start, start + key.num_bytes + key.compressed_bytes)
    sink.set_file_length(written.freesegments.fileheader.end)
    sink.flush()


def _type(branch: Branch) -> Any:
    if branch.letter == "C":
        return "string"
    kind = np.dtype(_TYPES[branch.letter])
    return np.dtype((kind, (len(branch.leaves),))) if len(branch.leaves) > 1 else kind


def _values(branch: Branch, begin: int, end: int) -> Any:
    values = branch.values[begin:end]
    if branch.letter != "C":
        return values
    import awkward as ak

    return ak.Array(list(branch.words))[values]


def _tree(
    names: tuple[str, str], entries: int, branches: Sequence[tuple[Branch, Mapping[str, Any]]], baskets: int, ahead: int
) -> bytes:
    totals = [sum(int(datum[key]) for _, datum in branches) for key in ("fTotBytes", "fZipBytes")]
    numbers = struct.pack(
        ">qqqqqdiiiiIqqqqqq",
        *(entries, *totals, 0, 0),  # bytes: all, compressed, saved, flushed
        *(1.0, 0, 25, 0, 1000, 0),  # weight, timer, fields of a scan, updates, length of offsets, clusters
        *(10**12, 10**12, 0, -300_000_000, -30_000_000, 1_000_000),
    )
    head = _named(*names, 0x00000008) + _STYLE + numbers + b"\0\0" + _FEATURES
    written, places = [], []
    at = 6 + len(head) + 6 + len(_array_head(0))  # of the first branch in the object
    for branch, datum in branches:
        content, leaves = _branch(branch, datum, entries, baskets)
        places += [ahead + at + leaf for leaf in leaves]
        written.append(content)
        at += len(content)
    references = b"".join(struct.pack(">I", place + 2) for place in places)
    leaves_of_tree = _counted(3, _array_head(len(places)) + references)
    # no aliases, index of values, index, tree index, friends, user's information, references of branches
    return _counted(20, head + _array(written) + leaves_of_tree + b"\0" * 28)


def _branch(branch: Branch, datum: Mapping[str, Any], entries: int, baskets: int) -> tuple[bytes, list[int]]:
    """The object, and where its leaves begin in it."""
    kept = max(_BASKETS_EMPTY, baskets + 1)
    sizes, firsts, seeks = (
        np.resize(np.append(np.asarray(datum[key])[:used], np.zeros(kept, kind)), kept).astype(kind)
        for key, kind, used in (
            ("fBasketBytes", ">i4", baskets),
            ("fBasketEntry", ">i8", baskets + 1),
            ("fBasketSeek", ">i8", baskets),
        )
    )
    head = _named(branch.name, branch.title, 0x00400000) + _FILL
    head += struct.pack(">iiiiq", 0, 32000, int(datum["fEntryOffsetLen"]), baskets, entries) + _FEATURES
    head += struct.pack(">iIiqqqq", 0, kept, 0, entries, 0, int(datum["fTotBytes"]), int(datum["fZipBytes"])) + _array(
        []
    )
    leaves = [_leaf(branch, leaf, _LEAVES[branch.letter][1] * place) for place, leaf in enumerate(branch.leaves)]
    tail = _array(leaves) + _array([])
    tail += b"".join(b"\1" + one.tobytes() for one in (sizes, firsts, seeks)) + b"\0"
    body = _object("TBranch", _counted(13, head + tail))
    first = 8 + len(b"TBranch\0") + 6 + len(head) + 6 + len(_array_head(0))
    return body, [first + sum(map(len, leaves[:i])) for i in range(len(leaves))]


def _leaf(branch: Branch, name: str, offset: int) -> bytes:
    kind, size, limits = _LEAVES[branch.letter]
    longest = max((len(word.encode()) for word in branch.words), default=0) + 1 if branch.letter == "C" else 1
    largest = longest if branch.letter == "C" else 0
    shared = _named(name, name, 0) + struct.pack(">iii??", longest, size, offset, False, False) + b"\0" * 4
    return _object(kind, _counted(1, _counted(2, shared) + struct.pack(limits, 0, largest)))


def _text(text: str) -> bytes:
    data = text.encode()
    return (bytes([len(data)]) if len(data) < 255 else struct.pack(">BI", 255, len(data))) + data


def _counted(version: int, content: bytes) -> bytes:
    return struct.pack(">IH", (len(content) + 2) | _COUNTED, version) + content


def _object(kind: str, content: bytes) -> bytes:
    named = kind.encode() + b"\0"
    return struct.pack(">II", (len(named) + len(content) + 4) | _COUNTED, _NEW_CLASS) + named + content


def _named(name: str, title: str, bits: int) -> bytes:
    return _counted(1, struct.pack(">HII", 1, 0, 0x03000000 | bits) + _text(name) + _text(title))


def _array_head(length: int) -> bytes:
    return struct.pack(">HII", 1, 0, 0x03000000) + _text("") + struct.pack(">ii", length, 0)


def _array(items: Iterable[bytes]) -> bytes:
    items = list(items)
    return _counted(3, _array_head(len(items)) + b"".join(items))
