"""samples.yaml: which files make a data set, and what their candidates are labelled with.

    format: hepml-samples
    version: 1
    task: binary                  # or classes, or regression
    samples:
      - name: zprime
        files: [zprime_*.root]    # names, globs, file.root:tree; relative to this file
        label: 1                  # binary: 1 signal, 0 background; classes: a name of `classes`; regression: a number
        truth: prompt             # optional: the truth class of all; else it is found for each candidate
      - name: dijets
        files: [dijets.root]
        label: 0
        weight: Event.Weight      # optional: branch of the event weight
        cross_section: 8.4e7      # optional, pb: weights are scaled so that the events read sum up to it
        group: PartonEvent.Id     # optional: branch whose equal values stay in one split

Regression may take its target from a branch instead of a label: `target: Event.Scale`. `layout` (a name or a YAML file)
and `tree` may be given for each sample, `layout` also for all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hepml.errors import SchemaError, nearest
from hepml.layouts.yamlfile import read_yaml
from hepml.trees import Source, expand_files

__all__ = ["Sample", "SampleSet", "load_samples"]


@dataclass(frozen=True)
class Sample:
    """Files of one process.

    Attributes:
        name: for tables and messages.
        files: in the order of reading.
        label: 1 or 0, the number of the class, or the regression target; None if `target` names a branch.
        target, weight, group: branches of the regression target, the event weight and the group, or None.
        cross_section: pb, or None.
        truth: truth class of every candidate, or None to find it.
        layout: name or YAML file, or None to recognise it.
    """

    name: str
    files: tuple[Source, ...]
    label: float | None
    target: str | None = None
    weight: str | None = None
    group: str | None = None
    cross_section: float | None = None
    truth: str | None = None
    layout: str | None = None


@dataclass(frozen=True)
class SampleSet:
    """The samples of a data set.

    Attributes:
        task: "binary", "classes" or "regression".
        classes: names by class number; ("background", "signal") for binary, empty for regression.
        samples: in the order of the file.
        path: of the YAML file.
    """

    task: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    path: str


def load_samples(path: str | Path) -> SampleSet:
    """Read samples.yaml and find its files.

    Args:
        path: the YAML file; names in it are relative to its folder.

    Raises:
        SchemaError: it does not follow the schema, or a label does not suit the task.
        InputFileError: it, or a file that it names, is absent.
        DataError: a file is listed twice.
    """
    content = read_yaml(path, "hepml.layouts", "samples.schema.json")
    task = content["task"]
    classes = ("background", "signal") if task == "binary" else tuple(content.get("classes", ()))
    if (task == "classes") != ("classes" in content):
        raise SchemaError(
            "a list of classes belongs to the task 'classes', and only to it", where=path, found=f"task: {task}"
        )
    folder = Path(path).resolve().parent
    samples = tuple(_sample(item, content, classes, folder, path) for item in content["samples"])
    expand_files([file for sample in samples for file in sample.files])  # refuses a file in two samples
    names = [sample.name for sample in samples]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"two samples are named {name!r}", where=path, fix="give each its own name")
    if task != "regression":
        missing = set(range(len(classes))) - {int(sample.label or 0) for sample in samples}
        if missing:
            raise SchemaError(
                "a class has no sample", where=path, found="none of " + ", ".join(classes[i] for i in sorted(missing))
            )
    return SampleSet(task, classes, samples, str(path))


def _sample(
    item: dict[str, Any], content: dict[str, Any], classes: tuple[str, ...], folder: Path, path: str | Path
) -> Sample:
    names = [item["files"]] if isinstance(item["files"], str) else item["files"]
    files = expand_files([name if "://" in name else os.path.join(folder, name) for name in names])
    if "tree" in item:
        files = [replace(file, tree=file.tree or item["tree"]) for file in files]
    layout = item.get("layout", content.get("layout"))
    if layout is not None and layout.endswith((".yaml", ".yml")):
        layout = os.path.join(folder, layout)
    return Sample(
        name=item["name"],
        files=tuple(files),
        label=_label(item, content["task"], classes, path),
        target=item.get("target"),
        weight=item.get("weight"),
        group=item.get("group"),
        cross_section=item.get("cross_section"),
        truth=item.get("truth"),
        layout=layout,
    )


def _label(item: dict[str, Any], task: str, classes: tuple[str, ...], path: str | Path) -> float | None:
    label = item.get("label")
    where = f"{path}, sample {item['name']!r}"
    if task == "regression":
        if ("target" in item) == (label is not None) or isinstance(label, str):
            raise SchemaError("a regression needs a number or a branch", where=where, expected="label or target")
        return None if label is None else float(label)
    if "target" in item or label is None:
        raise SchemaError("a sample needs a label", where=where, expected="label: " + " or ".join(_choices(classes)))
    if label in classes:
        return float(classes.index(str(label)))
    if task == "binary" and label in (0, 1) and not isinstance(label, str):
        return float(label)
    raise SchemaError(
        f"the label {label!r} is none of the task's",
        where=where,
        expected=" or ".join(_choices(classes)),
        nearest=nearest(str(label), classes),
    )


def _choices(classes: tuple[str, ...]) -> list[str]:
    return ["1", "0"] if classes == ("background", "signal") else list(classes)
