"""Facts about any file that hepml writes, as plain data: `hepml show` prints them, `--json` gives them to machines."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hepml.errors import InputFileError, SchemaError
from hepml.ledger import check_regular, read_json

__all__ = [
    "card_of",
    "data_card",
    "efps_card",
    "network_card",
    "run_card",
    "runs_card",
    "runs_in",
    "scores_card",
    "workflow_card",
]

_NUMBER = (int, float, type(None))  # null is what is not finite
_BOOKS = {"code": {"version": str}, "config": dict, "config_hash": str}
_BOOKS |= {"towers": {str: (int, float)}, "inputs": [{"not_finite": {str: int}}]}
_POINT = dict.fromkeys(("signal_efficiency", "threshold", "rejection", "lower", "upper"), _NUMBER)
_METRICS = {"auc": dict, "working_points": [_POINT]}


def card_of(path: Path) -> dict[str, Any]:
    """The facts about a data file, a run folder or a network, recognised by its content.

    Raises:
        InputFileError: absent, or none of these.
        VerificationError: the reference vectors of a network do not reproduce.
    """
    if path.is_dir():
        if (path / "ledger.json").is_file():
            return workflow_card(path)
        runs = runs_in(path)
        if not runs and any(path.glob("*.root")):
            return scores_card(path)
        return runs_card(path) if runs and path not in runs else run_card(path)
    if (path.parent / "run.json").is_file() and path.suffix != ".json":
        raise InputFileError("a file of a run", where=path, fix=f"give the folder: hepml show {path.parent}")
    check_regular(path)
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    if head.startswith(b"\x89HDF\r\n"):
        from hepml.dataset.efps import is_efp_file

        return efps_card(path) if is_efp_file(path) else data_card(path)
    if head.lstrip().startswith(b"{"):
        return network_card(path)
    if head.startswith(b"root"):
        return scores_card(path)
    fix = "export it to JSON with hepml export" if path.suffix == ".keras" else None
    raise InputFileError(
        "not a file that hepml can describe",
        where=path,
        expected="a data file (HDF5), a run folder, a network (JSON), or scores (ROOT)",
        found=f"a file that begins with {head[:8]!r}",
        fix=fix,
    )


def runs_in(folder: Path) -> list[Path]:
    """The run that a folder is, or those in it, two levels down at most: a whole disk is not searched."""
    for pattern in ("run.json", "*/run.json", "*/*/run.json"):
        with suppress(OSError):
            if found := [file.parent for file in sorted(folder.glob(pattern))]:
                return found
    return []


def workflow_card(path: Path) -> dict[str, Any]:
    """The output of `hepml run`: its steps, what they have written, and whether it is as they wrote it."""
    from hepml.workflow import damaged_outputs

    entries, changes = damaged_outputs(path)
    steps = {name: {**entry, "damaged": changes[name]} for name, entry in entries.items()}
    return {
        "kind": "workflow",
        "path": str(path),
        "steps": steps,
        "damaged": [each for of_step in changes.values() for each in of_step],
    }


def runs_card(path: Path) -> dict[str, Any]:
    """A folder of runs: the best of every feature set, chosen on validation."""
    from dataclasses import asdict

    from hepml.training import best_results

    best = [{**asdict(one), "path": str(one.path)} for one in best_results(path)]
    return {"kind": "runs", "path": str(path), "best": best}


def scores_card(path: Path) -> dict[str, Any]:
    """The scores of one file, or of all in a folder: their ledgers, and whether their branches agree with them.

    Raises:
        InputFileError: no output of `hepml apply`, or none in the folder.
        VerificationError: a ledger is damaged.
    """
    from hepml.friends import columns_damaged, outputs_in, read_books

    files = []
    for file in outputs_in(path) if path.is_dir() else [path]:
        books = read_books(file)
        files.append({"file": file.name, "size": file.stat().st_size, **books, "damaged": columns_damaged(file, books)})
    several = path.is_dir()
    counts: dict[str, int] = {}
    for each in files:
        for name, count in each["result"]["counts"].items():
            counts[name] = counts.get(name, 0) + count
    return {
        "kind": "scores",
        "path": str(path),
        "files": files,
        "entries": sum(each["result"]["entries"] for each in files),
        "counts": counts,
        "damaged": [f"{each['file']}: {name}" if several else name for each in files for name in each["damaged"]],
    }


def data_card(path: Path) -> dict[str, Any]:
    """A data file: inputs, splits, classes, cut flow, provenance, and whether its checksums agree."""
    from hepml.dataset import SPLITS, Dataset
    from hepml.dataset.checksum import damages
    from hepml.dataset.guard import open_hdf5
    from hepml.dataset.shape import check_shape
    from hepml.truth import TRUTH_CLASSES

    try:
        data = Dataset.open(path)
        with open_hdf5(path):
            inputs = [{"not_finite": {}, **each} for each in data.provenance["inputs"]]
            books = {"towers": {}, **data.provenance, "inputs": inputs}
            check_shape(books, _BOOKS, "provenance")
        damaged = damages(path)
    except InputFileError:
        Dataset.open(path, verify=True)  # tells if it is because the file does not agree with its checksums
        raise
    card: dict[str, Any] = {
        "kind": "data",
        "path": str(path),
        "size": path.stat().st_size,
        "layout": data.layout,
        "convention": data.convention,
        "collection": data.collection,
        "task": data.task,
        "geometry": data.geometry.to_dict(),
        "rows": {split: data.n(split) for split in SPLITS},
        "checksum": data.checksum,
        "damaged": damaged,
        "inputs": {
            token: {"shape": data.shape(token), "variables": data.variables(token), **data.scaling[token]}
            for token in data.tokens
        },
        "files": data.provenance["inputs"],
        "towers": books["towers"],
        "not_finite": {each["name"]: each["not_finite"] for each in books["inputs"] if each["not_finite"]},
        "made": _made(path, data.checksum),
        **{key: data.provenance[key] for key in ("samples", "cut_flow", "code", "config", "config_hash")},
    }
    if not damaged:
        counts = {split: _counts(data.y(split), data.task) for split in SPLITS}
        truth = sum(np.bincount(data.column("truth", split), minlength=len(TRUTH_CLASSES)) for split in SPLITS)
        weights = np.concatenate([data.column("weight", split) for split in SPLITS])
        card["classes"] = counts
        card["truth"] = dict(zip(TRUTH_CLASSES, np.asarray(truth).tolist(), strict=True))
        card["weights"] = {"sum": float(weights.sum()), "negative": int(np.count_nonzero(weights < 0))}
    return card


def efps_card(path: Path) -> dict[str, Any]:
    """A file of polynomials: columns, rows, the data they are of, and whether its checksums agree."""
    from hepml.dataset.checksum import damages
    from hepml.dataset.efps import EFPFile

    efps = EFPFile.open(path)
    damaged = damages(path)
    return {
        "kind": "polynomials",
        "path": str(path),
        "size": path.stat().st_size,
        "rows": {split: efps.n(split) for split in efps.splits},
        "columns": len(efps.names),
        "names": list(efps.names),
        "aliases": efps.aliases,
        "not_finite": efps.not_finite,
        "checksum": efps.checksum,
        "damaged": damaged,
        **efps.provenance,
    }


def _made(path: Path, checksum: str) -> dict[str, Any]:
    """When, where and from what a data file was made: its sidecar, if that is there and its own."""
    from hepml.dataset.verify import log_of

    with suppress(InputFileError):
        log = read_json(log_of(path))
        if (
            isinstance(log, dict)
            and isinstance(log.get("summary"), dict)
            and log["summary"].get("checksum") == checksum
        ):
            host = log["environment"].get("host") if isinstance(log.get("environment"), dict) else None
            return {key: log[key] for key in ("started", "jobs", "scheduler", "inputs", "parts") if key in log} | {
                "host": host
            }
    return {}


def _counts(y: Any, task: dict[str, Any]) -> dict[str, int]:
    if task["kind"] == "regression":
        return {}
    return {name: int(np.count_nonzero(y == number)) for number, name in enumerate(task["names"])}


def run_card(path: Path) -> dict[str, Any]:
    """A run folder: what was trained how, the best network, and the metrics if it was evaluated."""
    from hepml.training.run import read_history
    from hepml.training.verification import check_run

    checked = check_run(path)
    card = {"kind": "run", "path": str(path), **checked.record, "damaged": list(checked.damaged)}
    for name, shape in (("metrics", dict), ("thresholds", [dict])):
        file = path / f"{name}.json"
        card[name] = read_json(file) if file.is_file() else None
        if card[name] is not None:
            _check(card[name], shape, file)
    if (card["metrics"] or {}).get("auc"):
        _check(card["metrics"], _METRICS, path / "metrics.json")
    if (path / "history.csv").is_file() and "history.csv" not in checked.damaged:
        history = read_history(path / "history.csv")
        card["history"] = {name: values.tolist() for name, values in history.items()}
    card["files"] = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    return card


def _check(content: Any, shape: Any, path: Path) -> None:
    from hepml.dataset.shape import check_shape

    try:
        check_shape(content, shape, "$")
    except ValueError as error:
        raise InputFileError("not a file that hepml wrote whole", where=path, found=error) from error


def network_card(path: Path) -> dict[str, Any]:
    """A network: inputs, layers, outputs, geometry, thresholds, provenance; loading it runs its reference vectors."""
    content = read_json(path)
    if isinstance(content, dict) and content.get("format") in ("hepml-run",):
        return run_card(path.parent)
    if not isinstance(content, dict) or "layers" not in content:
        raise SchemaError(
            "JSON, but not a network", where=path, expected="keys inputs, layers, outputs", found=", ".join(content)
        )
    from hepml.evaluator import Evaluator

    evaluator = Evaluator(path)
    extra = content.get("hepml") or {}
    return {
        "kind": "network",
        "path": str(path),
        "size": path.stat().st_size,
        "format": "hepml" if extra else "lwtnn",
        "model_id": extra.get("model_id"),
        "features": extra.get("features"),
        "parameters": evaluator.n_parameters,
        "inputs": [_input(each) for each in evaluator.inputs],
        "outputs": [{"name": each.name, "labels": list(each.labels)} for each in evaluator.outputs],
        "layers": [_layer(layer) for layer in content["layers"]],
        "geometry": extra.get("geometry"),
        "convention": extra.get("convention"),
        "collection": extra.get("collection"),
        "towers": extra.get("towers"),
        "efps": (extra.get("efps") or {}).get("columns", []),
        "thresholds": extra.get("thresholds", []),
        "input_ranges": extra.get("input_ranges", {}),
        "ranges": extra.get("ranges"),
        "validity": extra.get("validity") or {},
        "provenance": extra.get("provenance", {}),
        "reference_events": _reference(extra),
    }


def _input(record: Any) -> dict[str, Any]:
    variables = [{"name": each.name, "offset": each.offset, "scale": each.scale} for each in record.variables]
    return {"name": record.name, "shape": list(record.shape), "variables": variables}


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    """What is set, how many numbers the layer holds, and in which type those are that are not text."""
    from hepml.export.packing import stored_numbers

    numbers, types = 0, set()

    def settings(value: dict[str, Any]) -> dict[str, Any]:
        nonlocal numbers
        kept = {}
        for key, member in value.items():
            stored = stored_numbers(member)
            if stored is not None:
                types.add(stored[0])
                numbers += stored[1]
            elif isinstance(member, list) and (len(member) > 3 or key in ("weights", "bias")):
                numbers += len(member)
            elif not isinstance(member, dict):
                kept[key] = member
            elif inner := settings(member):
                kept[key] = inner
        return kept

    found = settings(layer)
    return {**found, **({"stored": ", ".join(sorted(types))} if types else {}), "parameters": numbers}


def _reference(extra: dict[str, Any]) -> int:
    inputs = (extra.get("reference") or {}).get("inputs", {})
    return max((len(events) for events in inputs.values()), default=0)
