"""The trainings with a real TMVA whose files are the reference: what was declared, as our DataLoader."""

from __future__ import annotations

from pathlib import Path

from tmva_bridge import DataLoader

LOADERS = {"spec": "AddSpectator", "target": "AddTarget", "var": "AddVariable"}


def settings(folder: Path) -> list[tuple[str, list[str]]]:
    """The lines of case.cfg: a word, and what follows it between bars."""
    lines = (line.partition(" ") for line in (folder / "case.cfg").read_text().splitlines())
    return [(word, rest.split("|")) for word, _, rest in lines]


def loader_of(folder: Path, **trees: object) -> DataLoader:
    """The DataLoader of a case, with the trees of ROOT's example file."""
    lines = settings(folder)
    file = folder.parent / next(words[0] for word, words in lines if word == "input")
    loader = DataLoader(next(words[0] for word, words in lines if word == "dataset"))
    for word, words in lines:
        if word in ("var", "spec", "target"):
            # label := expression|title|unit|type, or expression|type
            spelled = [words[0], words[1], "", words[3]] if len(words) == 4 and not words[2] else words
            getattr(loader, LOADERS[word])(*spelled)
        if word == "tree":
            loader.AddTree(trees.get(words[0], f"{file}:{words[0]}"), words[1], float(words[2]))
        if word == "weight":
            loader.SetWeightExpression(words[0])
        if word == "cut":
            loader.SetCut(words[0])
        if word == "prep":
            loader.PrepareTrainingAndTestTree("", words[0])
    return loader
