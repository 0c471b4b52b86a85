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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hepml.errors import SchemaError, nearest
from hepml.layouts.yamlfile import read_lines
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
        SchemaError: it does not follow the schema, or a name or setting is wrong; the message has the line and the key.
        InputFileError: it, or a file that it names, is absent.
        DataError: unknown features, a file listed twice.
        OutputError: an input is in the output folder.

    Example:
        >>> list(load_analysis("analysis.yaml").steps)  # doctest: +SKIP
        ['convert/main', 'figures/main', 'train/cnn', 'evaluate/cnn', 'export/net']
    """
    content, lines = read_lines(path, "hepml.workflow", "analysis.schema.json")
    found = Reader(Path(path), content, lines)
    steps = {step.name: step for step in found.steps()}
    return Analysis(Path(path), Path(found.output), steps)
