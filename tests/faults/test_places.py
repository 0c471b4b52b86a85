"""Each command that reads a file x each thing that the file may be instead: one message, and nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from faults.outcomes import messages_of, run, snapshot
from faults.places import DAMAGES, PLACES, Place, fits, rare

pytestmark = pytest.mark.usefixtures("bounded")


@contextmanager
def never_waiting(path: Path) -> Iterator[None]:
    """Whoever opens a pipe to read waits for a writer: one comes after 5 s, and the block fails."""
    asked = ["sh", "-c", 'sleep 5; : > "$0"', path]
    with subprocess.Popen(asked, start_new_session=True) as writer:
        yield
        late = writer.poll() is not None
        if not late:
            os.killpg(writer.pid, signal.SIGKILL)
    assert not late, "the command waits for what comes out of a pipe"


def left(folder: Path, place: Place) -> dict[str, str]:
    """What is in the folder, but for the books."""
    return {name: content for name, content in snapshot(folder).items() if name not in place.books}


CASES = [
    pytest.param(
        *(name, damage),
        id=f"{name} is {damage}",
        marks=[pytest.mark.slow] if rare(place, damage) else [],
    )
    for name, place in PLACES.items()
    for damage in DAMAGES
    if fits(place, damage)
]


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_a_file_that_is_not_what_it_should_be_is_one_message(
    name: str, damage: str, wholes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, whole = PLACES[name], wholes[PLACES[name].whole]
    monkeypatch.chdir(tmp_path)
    (to := tmp_path / "to").mkdir()
    if place.inside:
        given = tmp_path / whole.name
        shutil.copytree(whole, given, symlinks=True)
        bad = given / place.inside
        content = bad.read_bytes()
        bad.unlink()
    else:
        given = bad = tmp_path / f"bad{whole.suffix}"
        content = whole.read_bytes()
    DAMAGES[damage](bad, content)
    asked = place.line(wholes, given, to)
    before = left(tmp_path, place)
    with never_waiting(bad) if damage == "pipe" else nullcontext():
        done = run(*asked)
    assert left(tmp_path, place) == before
    assert done.code in place.codes, (done, asked)
    assert "Traceback" not in done.err
    assert len(messages_of(done)) == 1, done.err
    assert bad.name in done.err or (not bad.is_file() and given.name in done.err), done.err
    assert all(letter.isprintable() or letter == "\n" for letter in done.err)
    assert len(done.err) < 8000
