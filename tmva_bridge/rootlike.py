"""What scripts written for PyROOT use beside TMVA: TFile, TTree, TCut, TString, gROOT, gSystem, gApplication.

Only what the scripts of TMVA's users need; there is no interpreter of C++ here, and nothing is run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hepml.errors import DataError, MissingBranchError, OutputError, check_path, nearest
from hepml.trees.files import choose_tree, list_trees, one_file, open_file
from tmva_bridge.expressions import Column
from tmva_bridge.trees import check_source, column_names, read_columns

__all__ = ["Named", "TCut", "TFile", "TString", "TTree", "gApplication", "gROOT", "gSystem"]

_GUI = re.compile(r"TMVA(logon|Gui|RegGui|MultiClassGui)")
_NO_INTERPRETER = "there is no interpreter of C++ here"


class TString(str):
    """A text, with the calls of ROOT's.

    Example:
        >>> TString("a.root").Data(), TString("a.root").Contains("root")
        ('a.root', True)
    """

    __slots__ = ()

    def Data(self) -> str:  # noqa: N802
        return str(self)

    def Contains(self, part: str) -> bool:  # noqa: N802
        return part in self

    def Length(self) -> int:  # noqa: N802
        return len(self)


class TCut(TString):
    """A condition; `+` and `&` join two as "both", `|` as "either".

    Example:
        >>> TCut("x > 0") + TCut("y < 1"), TCut("") & "y < 1", TCut("x > 0") | "y < 1"
        ('(x > 0)&&(y < 1)', 'y < 1', '(x > 0)||(y < 1)')
    """

    __slots__ = ()

    def GetTitle(self) -> str:  # noqa: N802
        return str(self)

    def _joined(self, other: str, sign: str) -> TCut:
        if not self.strip() or not other.strip():
            return TCut(str(self) if self.strip() else other)
        return TCut(f"({self!s}){sign}({other!s})")

    def __add__(self, other: str) -> TCut:
        return self._joined(other, "&&")

    __and__ = __add__

    def __or__(self, other: str) -> TCut:
        return self._joined(other, "||")


class Named:
    """Something with a name, as lists of branches and keys hold it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def GetName(self) -> str:  # noqa: N802
        return self._name

    def __repr__(self) -> str:
        return f"<{self._name}>"


class TTree:
    """A tree to loop over: of uproot, "file.root:tree", a mapping of arrays or a DataFrame.

    Example:
        >>> from array import array
        >>> tree, x = TTree({"x": [1.0, 2.0]}), array("f", [0])
        >>> tree.SetBranchAddress("x", x)
        >>> _ = tree.GetEntry(1)
        >>> tree.GetEntries(), x[0], tree.x, [event.x for event in tree]
        (2, 2.0, 2.0, [1.0, 2.0])
    """

    def __init__(self, source: Any, name: str = "tree") -> None:
        self._source, self._name = check_source(source), name
        self._names = column_names(self._source)
        self._columns: dict[str, Column] = {}
        self._ends: dict[str, Any] = {}  # of arrays: where the elements of each entry end
        self._buffers: dict[str, Any] = {}
        self._entry = -1
        self._entries: int | None = None

    def GetName(self) -> str:  # noqa: N802
        return self._name

    def GetListOfBranches(self) -> list[Named]:  # noqa: N802
        """The branches, each with GetName()."""
        return [Named(name) for name in self._names]

    def GetBranch(self, name: str) -> Named | None:  # noqa: N802
        """The branch of a name; None if it is absent."""
        return Named(str(name)) if str(name) in self._names else None

    def GetEntries(self) -> int:  # noqa: N802
        """How many entries there are."""
        if self._entries is None:
            self._entries = next(iter(read_columns(self._source, self._names[:1], self._name).values())).entries
        return self._entries

    GetEntriesFast = __len__ = GetEntries

    def SetBranchAddress(self, name: str, buffer: Any) -> None:  # noqa: N802
        """Where GetEntry puts a branch: a buffer of as many numbers as the branch has.

        Raises:
            MissingBranchError: no such branch.
        """
        self._column(str(name))
        self._buffers[str(name)] = buffer

    def GetEntry(self, entry: int) -> int:  # noqa: N802
        """Fills the buffers with an entry; the number of bytes read, 0 beyond the last entry."""
        if not 0 <= entry < self.GetEntries():
            return 0
        self._entry = int(entry)
        size = 0
        for name, buffer in self._buffers.items():
            values = np.atleast_1d(self._value(name))
            if len(values) > len(buffer):
                raise DataError(
                    f"the buffer of {name!r} is too short", expected=f"{len(values)} numbers", found=len(buffer)
                )
            for place, value in enumerate(values):
                buffer[place] = type(buffer[0])(value)
            size += 8 * len(values)
        return size or 1

    def __iter__(self) -> Iterator[TTree]:
        for entry in range(self.GetEntries()):
            self.GetEntry(entry)
            yield self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(
                f"the tree has no branch {name!r}; it has {', '.join(self.__dict__.get('_names', []))}"
            )
        if self._entry < 0:
            raise AttributeError(f"no entry was read: call GetEntry before asking for {name!r}")
        return self._value(name)

    def _value(self, name: str) -> Any:
        column = self._column(name)
        if column.counts is None:
            return float(column.values[self._entry])
        if name not in self._ends:
            self._ends[name] = np.cumsum(column.counts)
        end = int(self._ends[name][self._entry])
        return column.values[end - int(column.counts[self._entry]) : end]

    def _column(self, name: str) -> Column:
        if name not in self._names:
            raise MissingBranchError(
                f"no branch {name!r}",
                where=self._name,
                expected=", ".join(self._names),
                nearest=nearest(name, self._names),
            )
        if name not in self._columns:
            self._columns[name] = read_columns(self._source, [name], self._name)[name]
        return self._columns[name]


class TFile:
    """A ROOT file: its trees to read, or the place where a Factory writes TMVA.root.

    Args:
        path: of the file.
        mode: "READ"; "RECREATE" for a Factory that replaces the file, "NEW" or "CREATE" for one that does not.

    Raises:
        InputFileError: a file to read that is absent or damaged.
        OutputError: a file to create that is there.
        DataError: another mode, such as UPDATE.
    """

    def __init__(self, path: str, mode: str = "READ") -> None:
        self.path, self._mode = check_path(str(path)), str(mode).upper() or "READ"
        if self._mode not in ("READ", "RECREATE", "NEW", "CREATE"):
            raise DataError(f"a file cannot be opened for {mode}", where=path, expected="READ, RECREATE, NEW or CREATE")
        self.replaces = self._mode == "RECREATE"
        if self._mode == "READ":
            with open_file(one_file(self.path)) as file:
                self._trees = list(list_trees(file, self.path))
        elif not self.replaces and os.path.lexists(self.path):
            raise OutputError("the output exists", where=self.path, fix="open it with RECREATE to replace it")

    @staticmethod
    def Open(path: str, mode: str = "READ") -> TFile:  # noqa: N802
        """As the constructor."""
        return TFile(path, mode)

    def Get(self, name: str) -> TTree:  # noqa: N802
        """A tree of the file. Raises InputFileError, with the nearest names, if it has none of that name."""
        if self._mode != "READ":
            raise DataError(f"the file is open for writing: it has no tree {name!r}", where=self.path)
        source = one_file(self.path)
        with open_file(source) as file:
            choose_tree(file, self.path, str(name))
        return TTree(f"{self.path}:{name}", str(name))

    __getitem__ = Get

    def __getattr__(self, name: str) -> TTree:
        if name.startswith("_") or name not in self.__dict__.get("_trees", ()):
            raise AttributeError(f"the file has no tree {name!r}; it has {', '.join(self.__dict__.get('_trees', ()))}")
        return self.Get(name)

    def GetListOfKeys(self) -> list[Named]:  # noqa: N802
        """The trees, each with GetName()."""
        return [Named(name) for name in self.__dict__.get("_trees", ())]

    def GetName(self) -> str:  # noqa: N802
        return self.path

    def IsOpen(self) -> bool:  # noqa: N802
        return True

    def IsZombie(self) -> bool:  # noqa: N802
        return False

    def cd(self) -> bool:
        """Has no effect: objects are not kept in a current folder."""
        return True

    def Close(self) -> None:  # noqa: N802
        """Has no effect: a Factory writes its file whole, and trees are read when they are asked for."""


class _System:
    """ROOT's gSystem, as far as paths go."""

    @staticmethod
    def AccessPathName(path: str) -> bool:  # noqa: N802
        """True if a path is NOT there, as in ROOT."""
        return not Path(str(path)).exists()

    @staticmethod
    def Exec(command: str) -> int:  # noqa: N802
        raise DataError("commands are not run", found=command, fix="use the module subprocess")

    @staticmethod
    def Load(library: str) -> int:  # noqa: N802
        """Libraries of TMVA need not be loaded. Raises DataError for others."""
        if "TMVA" not in str(library):
            raise DataError(f"the library {library!r} cannot be loaded", expected="libTMVA, which is not needed here")
        return 0


class _Root:
    """ROOT's gROOT: its version is that of the ROOT whose files are written; macros of TMVA's GUI are left out."""

    @staticmethod
    def GetVersion() -> str:  # noqa: N802
        return "6.38/00"

    @staticmethod
    def GetVersionCode() -> int:  # noqa: N802
        return 6 << 16 | 38 << 8

    @staticmethod
    def IsBatch() -> bool:  # noqa: N802
        return True

    @staticmethod
    def SetBatch(on: bool = True) -> None:  # noqa: N802
        """Has no effect: no windows are opened."""

    @staticmethod
    def SetMacroPath(path: str) -> None:  # noqa: N802
        """Has no effect: no macros are run."""

    def Macro(self, text: str) -> int:  # noqa: N802
        """Leaves out a macro of TMVA's GUI, and tells how to draw instead. Raises DataError for anything else."""
        if not _GUI.search(str(text)):
            raise DataError(_NO_INTERPRETER, found=text, fix="write it in Python")
        if "logon" not in str(text):
            print("TMVA's GUI is not there: draw the file with `hepml tmva report TMVA.root`", file=sys.stderr)
        return 0

    LoadMacro = ProcessLine = Macro


class _Application:
    @staticmethod
    def Run() -> None:  # noqa: N802
        """Returns at once: there are no windows to keep open."""


gROOT, gSystem, gApplication = _Root(), _System(), _Application()  # noqa: N816
