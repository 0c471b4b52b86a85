"""Analyses of the bundled sample, and what a folder holds."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
UP = ("up to date", "")


SAMPLE = {
    "signal": str(ROOT / "hepml/data/sample_electrons.root"),
    "background": str(ROOT / "hepml/data/sample_jets.root"),
}


def content(**more):
    models = {"hl": {"features": "hl"}, "mass": {"features": "mass", "settings": {"epochs": 3}}}
    return {
        "format": "hepml-analysis",
        "version": 1,
        "output": "out",
        "inputs": {"main": SAMPLE},
        "models": models,
    } | more


def written(folder, document):
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def tree(folder: Path, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All files with their bytes, without those that hold times."""
    skipped = ("log.txt", ".checksums.json", ".lock", *but)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.endswith(skipped)}


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}
