"""What `hepml export` takes: a run folder, a .keras file, the files of Keras 2, or a model file of XGBoost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepml.errors import DataError, InputFileError
from hepml.export.deployment import Ranges
from hepml.export.model import Export, export_model
from hepml.export.source.writer import SourceFile
from hepml.export.variables import read_variables, template
from hepml.ledger import atomic_folder, sha256_file

if TYPE_CHECKING:
    from hepml.training import Run

__all__ = [
    "export_booster_file",
    "export_folds",
    "export_keras2_file",
    "export_keras_file",
    "export_run",
    "keras2_template",
    "load_keras_file",
]

_KEPT = "a run folder, a .keras file, or the architecture .json or whole model .h5 of Keras 2"


def load_keras_file(path: str | Path) -> Any:
    """The model in a .keras file; no code of the file is run, see `hepml.models.stored`.

    Raises:
        InputFileError: absent, another format, damaged, or with layers that are not Keras' own.
    """
    from hepml.models.stored import load_model

    path = Path(path)
    if not path.is_file():
        raise InputFileError("no such file", where=path, expected=_KEPT)
    if path.suffix != ".keras":
        raise InputFileError(
            "not a .keras file",
            where=path,
            expected=_KEPT,
            found=path.suffix or "no suffix",
            fix="load it with the Keras that wrote it and save it as .keras",
        )
    return load_model(path)


def export_keras_file(
    path: str | Path,
    output: str | Path,
    *,
    ranges: Ranges | None = None,
    validity: Mapping[str, str] | None = None,
    lwtnn: bool = False,
    source: SourceFile | None = None,
    overwrite: bool = False,
) -> Export:
    """Exports a .keras file; its inputs get the names that they have in Keras."""
    provenance = {"model": sha256_file(path) if Path(path).is_file() else None}
    options: dict[str, Any] = {"ranges": ranges, "validity": validity, "lwtnn": lwtnn, "source": source}
    return export_model(load_keras_file(path), output, provenance=provenance, overwrite=overwrite, **options)


def export_keras2_file(
    architecture: str | Path,
    output: str | Path,
    *,
    weights: str | Path | None = None,
    variables: str | Path | None = None,
    ranges: Ranges | None = None,
    validity: Mapping[str, str] | None = None,
    lwtnn: bool = False,
    source: SourceFile | None = None,
    overwrite: bool = False,
) -> Export:
    """Exports a network of Keras 2 (or Keras 1), from the files that lwtnn's converters take.

    Args:
        architecture: the JSON of `model.to_json()`, or a whole model .h5.
        output: the file to write.
        weights: the .h5 of `model.save_weights()`; not needed with a whole model.
        variables: lwtnn's variables file; its offsets and scales are done before the network. Without it the inputs
            have their Keras names.
        ranges, validity: as for `export_model`.
        lwtnn: refuse whatever lwtnn 2.14 cannot read, and read sequences as lwtnn does: of any number of steps,
            without padding, so that Masking layers are left out.
        source: a C++ header to write as well.
        overwrite: replace an existing file.

    Raises:
        InputFileError, SchemaError: a file is absent, damaged or of another kind.
        UnsupportedLayerError, DataError, VerificationError, OutputError: as for `export_model`.
    """
    from hepml.export.keras2 import read_keras2

    model = read_keras2(architecture, weights, as_lwtnn=lwtnn)
    given = None if variables is None else read_variables(variables)
    files = {"architecture": architecture, "weights": weights, "variables": variables}
    provenance = {name: sha256_file(path) for name, path in files.items() if path is not None}
    options: dict[str, Any] = {"ranges": ranges, "validity": validity, "lwtnn": lwtnn, "source": source}
    return export_model(model, output, variables=given, provenance=provenance, overwrite=overwrite, **options)


def keras2_template(architecture: str | Path, weights: str | Path | None = None) -> dict[str, Any]:
    """A variables file for a network of Keras 2, to be filled in."""
    from hepml.export.keras2 import read_keras2

    return template(read_keras2(architecture, weights, as_lwtnn=True))


def export_booster_file(
    path: str | Path,
    output: str | Path,
    *,
    ranges: Ranges | None = None,
    validity: Mapping[str, str] | None = None,
    lwtnn: bool = False,
    source: SourceFile | None = None,
    overwrite: bool = False,
) -> Export:
    """Exports a model file of XGBoost (.json, .ubj), all rounds of it; XGBoost reads it."""
    from hepml.export.estimators import load_booster

    booster = load_booster(path)
    options: dict[str, Any] = {"ranges": ranges, "validity": validity, "lwtnn": lwtnn, "source": source}
    return export_model(booster, output, provenance={"file": sha256_file(path)}, overwrite=overwrite, **options)


def export_run(
    run: Run,
    output: str | Path,
    *,
    fold: int | None = None,
    seed: int | None = None,
    ranges: Ranges | None = None,
    validity: Mapping[str, str] | None = None,
    lwtnn: bool = False,
    source: SourceFile | None = None,
    overwrite: bool = False,
) -> Export:
    """Exports a network of a run, with its geometry, input ranges, working points and provenance.

    Args:
        run: from `load_run`.
        output: the file to write.
        fold, seed: which network of a run of several; by default the run's own choice, the best on validation.
            Working points belong to that one and are left out for others.
        ranges: of the inputs; by default what they were in the training of this network, if the run has that.
        validity, lwtnn, source, overwrite: as for `export_model`.

    Raises:
        DataError: the run has no such fold or seed.
        UnsupportedLayerError, VerificationError, OutputError: as for `export_model`.
    """
    member = _member(run, fold, seed)
    best = str(run.record["best"]["member"])
    if member == best:
        model, thresholds = run.model, run.thresholds
    else:
        model, thresholds = load_keras_file(run.path / member / "model.keras"), []
    provenance = {
        "run": run.path.name,
        "member": member or None,
        "data": run.record["config"]["data"],
        "config": run.record["config_hash"],
        "code": run.record["code"],
        "val_loss": _record(run, member)["val_loss"],
    }
    return export_model(
        model,
        output,
        inputs=run.inputs,
        features=run.features,
        geometry=None if run.geometry is None else run.geometry.to_dict(),
        thresholds=thresholds,
        provenance=provenance,
        ranges=run.ranges(member) if ranges is None else ranges,
        validity=validity,
        fold=_fold(run, member),
        lwtnn=lwtnn,
        source=source,
        overwrite=overwrite,
    )


def export_folds(
    run: Run,
    folder: str | Path,
    *,
    seed: int | None = None,
    validity: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> list[Export]:
    """Exports the networks of all folds of one seed, for `hepml apply` to score each event by the one that held it out.

    Args:
        run: from `load_run`, trained with folds on a data.h5.
        folder: gets fold_0.json, fold_1.json ...; all of them or none.
        seed: by default that of the run's own choice.
        validity: as for `export_model`.
        overwrite: replace the folder.

    Raises:
        DataError: the run has no folds, or its folds cannot be known again in trees.
        UnsupportedLayerError, VerificationError, OutputError: as for `export_model`.

    Example:
        >>> [one.path.name for one in export_folds(load_run("runs/hl"), "nets")]  # doctest: +SKIP
        ['fold_0.json', 'fold_1.json']
    """
    best = _record(run, str(run.record["best"]["member"]))
    n = int(run.record["config"]["folds"])
    if not n:
        raise DataError("the run has no folds", where=run.path, fix="train with --folds, or export its one network")
    if _fold(run, str(best["name"])) is None:
        branches = run.record["config"].get("group_branches", [])
        raise DataError(
            "the folds of the run cannot be known again in trees",
            where=run.path,
            expected="one branch that keeps relatives together in all inputs, or none",
            found=", ".join(name or "the event" for name in branches) or "a run on arrays",
        )
    path, written = Path(folder), []
    with atomic_folder(path, overwrite) as temporary:
        for number in range(n):
            name = f"fold_{number}.json"
            options: dict[str, Any] = {"seed": best["seed"] if seed is None else seed, "validity": validity}
            written.append(replace(export_run(run, temporary / name, fold=number, **options), path=path / name))
    return written


def _fold(run: Run, member: str) -> dict[str, Any] | None:
    """What a file says of the fold that its network held out; None without folds, or where trees do not tell them."""
    config = run.record["config"]
    branches = config.get("group_branches", [None])
    if not config["folds"] or run.geometry is None or len(branches) > 1:
        return None
    return {"number": _record(run, member)["fold"], "of": config["folds"], "group": branches[0]}


def _record(run: Run, member: str) -> dict[str, Any]:
    return dict(next(one for one in run.record["members"] if str(one["name"]) == member))


def _member(run: Run, fold: int | None, seed: int | None) -> str:
    if fold is None and seed is None:
        return str(run.record["best"]["member"])
    members = run.record["members"]
    found = [one for one in members if fold in (None, one["fold"]) and seed in (None, one["seed"])]
    if not found:
        known = ", ".join(f"fold {one['fold']} seed {one['seed']}" for one in members)
        raise DataError("the run has no such network", where=run.path, expected=known, found=f"fold {fold} seed {seed}")
    return str(min(found, key=lambda one: one["val_loss"])["name"])
