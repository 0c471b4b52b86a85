"""S: what the operating system and other processes do to a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults.outcomes import check, run, untouched

from hepml import ledger


@pytest.mark.parametrize("entry", ["S04"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    entry: str, sample: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o555)
    monkeypatch.setattr(ledger.os, "access", lambda path, _: Path(path) != folder)  # root may write everywhere
    inputs = ("--signal", sample["electrons"], "--background", sample["jets"])
    with untouched(tmp_path):
        check(entry, run("convert", *inputs, "-o", folder / "data.h5"), "cannot be written", folder)
    os.chmod(folder, 0o755)
