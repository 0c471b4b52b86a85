"""A road of four steps that copy text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import hepml.workflow.books as books_module
from hepml.workflow import Analysis, Step, make, plan
from hepml.workflow.steps import Made


class Toy:
    """Steps that copy text: a reads a file, b and c read a, d reads b; `calls` are the steps that were made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.source = folder, folder / "out", folder / "source.txt"
        self.source.write_text("one")
        self.calls: list[tuple[str, bool]] = []
        self.options = dict.fromkeys("abcd", 1)
        self.during = lambda _name, _place: None

    def action(self, name, needs, rounded=False):
        def run(place):
            self.calls.append((name, place.resume))
            texts = [(place.folder / f"{one}.txt").read_text() for one in needs] or [self.source.read_text()]
            self.during(name, place)
            folder = place.folder / f"{name}.d"
            folder.mkdir(exist_ok=True)
            (folder / "log.txt").write_text(str(time.time()))
            (folder / "part").write_text(f"{name} of {texts}")
            made = f"{name}({','.join(texts)})*{self.options[name]}"
            (place.folder / f"{name}.txt").write_text("rounded" if rounded else made)
            return Made()

        return run

    @property
    def analysis(self):
        graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)}
        steps = {
            f"copy/{name}": Step(
                f"copy/{name}",
                self.action(name, needs),
                {"options": {"times": self.options[name]}},
                (f"{name}.txt", f"{name}.d"),
                needs=tuple(f"copy/{one}" for one in needs),
                files=() if needs else (("source.txt", str(self.source)),),
                resumes=name == "b",
            )
            for name, needs in graph.items()
        }
        return Analysis(self.folder / "toy.yaml", self.out, steps)

    def make(self, *targets, **options):
        """Which steps were made, in order."""
        self.calls.clear()
        make(self.analysis, targets, **options)
        return "".join(name for name, _ in self.calls)

    def states(self, *targets, **options):
        return {one.step[-1]: (one.state, one.why) for one in plan(self.analysis, targets, **options)}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setattr(books_module, "_YOUNG", 0.02)
    return Toy(tmp_path)
