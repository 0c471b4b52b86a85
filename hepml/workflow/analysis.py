"""analysis.yaml to steps: checked as a whole, down to every name and setting, before anything is done.

    format: hepml-analysis
    version: 1
    output: electrons                      # folder of everything that is made, relative to this file as all paths
    inputs:
      main: {signal: signal/*.root, background: [qcd.root, "more.root:tree"]}
    models:
      cnn: {features: et_and_ht, settings: {epochs: 20}}
    export:
      net: {model: cnn}

docs/workflow.md describes every key; analysis.schema.json is the schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hepml.errors import OutputError, SchemaError, nearest
from hepml.layouts.yamlfile import read_yaml
from hepml.workflow.reader import Reader
from hepml.workflow.steps import Step

__all__ = ["Analysis", "load_analysis"]


@dataclass(frozen=True)
class Analysis:
    """The steps of an analysis.

    Attributes:
        path: of the YAML file.
        output: the folder of all outputs.
        steps: by name, each after those that it needs.
    """

    path: Path
    output: Path
    steps: Mapping[str, Step]

    def chosen(self, names: Iterable[str] = ()) -> dict[str, Step]:
        """The steps of these names, "train/hl" or all of a kind, "train", and those that they need; all for none.

        Raises:
            SchemaError: no such step.
        """
        wanted: set[str] = set()
        for name in names:
            found = [step.name for step in self.steps.values() if name in (step.name, step.kind)]
            if not found:
                kinds = dict.fromkeys(step.kind for step in self.steps.values())
                raise SchemaError(
                    f"there is no step {name!r}",
                    where=self.path,
                    expected=", ".join([*self.steps, *kinds]),
                    nearest=nearest(name, [*self.steps, *kinds]),
                )
            wanted.update(found)
        if not wanted:
            return dict(self.steps)
        for step in reversed(list(self.steps.values())):
            if step.name in wanted:
                wanted.update(step.needs)
        return {name: step for name, step in self.steps.items() if name in wanted}


def load_analysis(path: str | Path) -> Analysis:
    """The steps that a YAML file describes.

    Args:
        path: the file; names of files and folders in it are relative to its own folder.

    Raises:
        SchemaError: it does not follow the schema, or a name or setting in it is wrong; the message has the key.
        InputFileError: it, or a file that it names, is absent.
        DataError: unknown features, a file listed twice.
        OutputError: an input is in the output folder.

    Example:
        >>> list(load_analysis("analysis.yaml").steps)  # doctest: +SKIP
        ['convert/main', 'figures/main', 'train/cnn', 'evaluate/cnn', 'export/net']
    """
    content = read_yaml(path, "hepml.workflow", "analysis.schema.json")
    found = Reader(Path(path), content)
    steps = {step.name: step for step in found.steps()}
    _check_names(path, steps.values())
    output = Path(found.file(content["output"]))
    _check_places(path, output, steps.values())
    return Analysis(Path(path), output, steps)


def _check_names(path: str | Path, steps: Iterable[Step]) -> None:
    owners: dict[str, str] = {}
    for step in steps:
        for output in (*step.outputs, *step.sidecars):
            if output in owners:
                raise SchemaError(
                    f"{owners[output]} and {step.name} write the same file", where=path, found=output, fix="rename one"
                )
            owners[output] = step.name


def _check_places(path: str | Path, output: Path, steps: Iterable[Step]) -> None:
    folder = os.path.realpath(output)
    for step in steps:
        for _, file in step.files:
            if os.path.realpath(file).startswith(folder + os.sep):
                raise OutputError(
                    "an input is in the output folder",
                    where=f"{path}, {step.name}",
                    found=file,
                    fix="choose another folder as output",
                )
