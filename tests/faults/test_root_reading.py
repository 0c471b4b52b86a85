"""R30, R31: files that change or fail while apply and skim read them (convert: test_root_inputs.py)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uproot
from faults.outcomes import Done, check
from faults.root_files import content, write

from hepml import retrying
from hepml.trees import columns

pytestmark = pytest.mark.usefixtures("bounded")
Do = Callable[..., Done]
OUTPUTS = {"apply": ("out/bad.root", "hepml"), "skim": ("out.root", "Delphes")}


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Reads ten entries at a time, and calls a function with the number of the chunk before each."""
    read = columns.Tree.iterate

    def change(before: Callable[[int], None]) -> None:
        chunks = iter(range(1000))

        def iterate(self: Any, branches: Any, step_size: Any, start: int, stop: int, **options: Any) -> Any:
            for chunk in read(self, branches, 10, start, stop, **options):
                before(next(chunks))
                yield chunk

        monkeypatch.setattr(columns.Tree, "iterate", iterate)

    return change


def values(path: Path, tree: str) -> Any:
    with uproot.open(path) as file:
        return file[tree].arrays().tolist()


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("entry", ["R30"])
def test_a_file_that_is_replaced_while_it_is_read_is_noticed(
    *, entry: str, name: str, do: Do, bad: Path, step: Any, tmp_path: Path
) -> None:
    write(bad, content(30, 5))
    other = write(tmp_path / "other.root", content(30, 6))
    step(lambda number: os.replace(other, bad) if number == 1 else None)
    check(entry, do(name, bad), bad, "changed while it was read")
    assert not (tmp_path / OUTPUTS[name][0]).exists()


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("entry", ["R31 passes"])
def test_a_read_that_fails_is_repeated_from_where_it_failed(
    *, entry: str, name: str, do: Do, bad: Path, step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bad, content(50, 5))
    output, tree = OUTPUTS[name]
    assert do(name, bad).code == 0
    expected = values(tmp_path / output, tree)
    monkeypatch.setattr(retrying, "_PAUSE", 0.0)

    def fail(number: int) -> None:
        if number in (2, 3):  # once, and then in the second attempt
            raise columns.InputFileError("gone", where=bad) from OSError(errno.EIO, "Input/output error")

    step(fail)
    done = do(name, bad, "--overwrite")
    assert (done.code, entry) == (0, "R31 passes"), done.err
    assert "reading it again" in done.err
    assert len(expected) == 50
    assert values(tmp_path / output, tree) == expected


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("entry", ["R31"])
def test_reads_that_go_on_failing_stop(
    *, entry: str, name: str, do: Do, bad: Path, step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bad, content(50, 5))
    monkeypatch.setattr(retrying, "_PAUSE", 0.0)

    def fail(number: int) -> None:
        if number > 1:
            raise columns.InputFileError("gone", where=bad) from OSError(errno.EIO, "Input/output error")

    step(fail)
    check(entry, do(name, bad), bad)
    assert not (tmp_path / OUTPUTS[name][0]).exists()
