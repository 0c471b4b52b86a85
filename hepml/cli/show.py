"""`hepml show`: what any hepml file is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hepml.errors import VerificationError, printable
from hepml.ledger import json_text


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(path: Path, as_json: bool) -> None:
    """Print what a data file, polynomials, a run, a network or scores hold, and check them (exit 3 if damaged).

    Scores are an output of hepml apply, or a folder of them; the output folder of hepml run is shown by its steps.
    """
    from hepml.cli.cards import card_of

    card = card_of(path)
    if as_json:
        click.echo(json_text(card, indent=1))
    else:
        _SHOWN[card["kind"]](card, wide_console())
    if card.get("damaged"):
        raise VerificationError(
            "the file does not agree with its checksums",
            where=path,
            found="damaged: " + ", ".join(card["damaged"]),
            fix=f"make it again: hepml {_MAKERS[card['kind']]}",
        )


def wide_console() -> Console:
    """Standard output; wide where it is no terminal, so that tables in logs are not folded."""
    return Console() if Console().is_terminal else Console(width=140)


def size_text(size: float) -> str:
    """Bytes as people write them.

    Example:
        >>> size_text(18240423)
        '18.2 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def cut_flow_table(samples: Sequence[Mapping[str, Any]], total: Mapping[str, int]) -> Table:
    """A line a cut, a column a sample; cuts that nothing fell to are left out."""
    columns = [(sample["name"], sample["cut_flow"]) for sample in samples]
    if len(columns) > 1:
        columns.append(("sum", total))
    rows = [
        [cut, *(flow.get(cut, 0) for _, flow in columns)]
        for cut, count in total.items()
        if count or cut in ("read", "written")
    ]
    return _table("Cut flow", ["", *(name for name, _ in columns)], rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(escape(printable(column)), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return (
            " x ".join(map(_text, value))
            if all(isinstance(item, int) for item in value)
            else ", ".join(map(_text, value))
        )
    if isinstance(value, dict):
        return ", ".join(f"{printable(key)} {_text(item)}" for key, item in value.items() if item not in (None, ""))
    return printable(value)


def _facts(console: Console, facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        if value not in (None, "", [], {}):
            console.print(f"{printable(key) + ':':<14} {_text(value)}", markup=False, highlight=False, soft_wrap=True)


def _numbers(values: Sequence[float], most: int = 4) -> str:
    shown = ", ".join(f"{value:.4g}" for value in values[:most])
    return shown + (" ..." if len(values) > most else "")


def _show_data(card: dict[str, Any], console: Console) -> None:
    geometry = card["geometry"]
    _facts(
        console,
        {
            "data file": f"{card['path']} ({size_text(card['size'])}, {card['layout']})",
            "task": f"{card['task']['kind']}: {', '.join(card['task']['names'])}",
            "convention": card["convention"],
            "collection": card["collection"],
            "ecal": f"{geometry['ecal']['n_eta']} x {geometry['ecal']['n_phi']} cells",
            "hcal": f"{geometry['hcal']['n_eta']} x {geometry['hcal']['n_phi']} cells",
            "code": f"hepml {card['code']['version']}, sources {_digest(card['code'].get('sources'))}, "
            f"C++ {_digest(card['code'].get('core'))}",
            "configuration": card["config_hash"],
            "options": {key: value for key, value in card["config"].items() if key not in ("samples", "task")},
            "made": {key: value for key, value in card["made"].items() if key not in ("inputs", "parts")},
            "merged from": card["made"].get("parts"),
            "checksum": card["checksum"] + (" DAMAGED" if card["damaged"] else " (ok)"),
        },
    )
    inputs = card["inputs"].items()
    columns = ["input", "shape", "variables", "offset", "scale"]
    rows = [
        (token, each["shape"], each["variables"], _numbers(each["offset"]), _numbers(each["scale"]))
        for token, each in inputs
    ]
    console.print(_table("Inputs: raw values; scaled x' = (x + offset) * scale", columns, rows))
    classes = card.get("classes", {})
    names: dict[str, int] = next(iter(classes.values()), {})
    rows = [(split, n, *classes.get(split, {}).values()) for split, n in card["rows"].items()]
    console.print(_table("Splits", ["split", "candidates", *names], rows))
    console.print(cut_flow_table(card["samples"], card["cut_flow"]))
    files = [
        (
            *(each[key] for key in ("name", "sample", "layout")),
            " to ".join(map(str, each.get("entries", []))),
            *(each["read"], each["written"], _digest(each["sha256"]), _text(each.get("uuid"))[:8]),
        )
        for each in card["files"]
    ]
    columns = ["file", "sample", "layout", "entries", "read", "written", "sha256", "uuid"]
    console.print(_table("Files", columns, files))
    if skipped := [(each["name"], each["skipped"]) for each in card["files"] if "skipped" in each]:
        console.print(_table("Skipped", ["file", "reason"], skipped))
    towers = card["towers"]
    left_out = [
        (reason, towers.get(f"{key}_events"), towers[f"{key}_towers"])
        for key, reason in (("over_limit", "over the limit"), ("not_finite", "not finite"))
        if f"{key}_towers" in towers
    ]
    if left_out:
        console.print(_table("Towers that do not count", ["reason", "events", "towers"], left_out))
    _facts(console, {"not finite": card["not_finite"], "truth": card.get("truth"), "weights": card.get("weights")})


def _show_polynomials(card: dict[str, Any], console: Console) -> None:
    config, source = card["config"], card["input"]
    _facts(
        console,
        {
            "polynomials": f"{card['path']} ({size_text(card['size'])}, {config['dtype']})",
            "columns": f"{card['columns']} stored, {len(card['aliases'])} equal one of them by definition",
            "not finite": card["not_finite"],
            "graphs": f"{len(config['graphs'])}, {config['graphs'][0]} to {config['graphs'][-1]}",
            "kappa": config["kappa"],
            "beta": config["beta"],
            "calorimeters": config["calorimeters"],
            "rows": card["rows"],
            "made from": f"{source['name']} ({size_text(source['size'])}, content {_digest(source['content_sha256'])})",
            "code": f"hepml {card['code']['version']}, sources {_digest(card['code'].get('sources'))}",
            "configuration": card["config_hash"],
            "checksum": card["checksum"] + (" DAMAGED" if card["damaged"] else " (ok)"),
        },
    )


def _show_run(card: dict[str, Any], console: Console) -> None:
    config, best = card["config"], card.get("best") or {}
    history = card.get("history") or {}
    metrics = card["metrics"] or {}
    auc = metrics.get("auc") or {}
    _facts(
        console,
        {
            "run": f"{card['path']} ({card['status']})",
            "features": config["features"],
            "task": config["task"],
            "parameters": card.get("parameters"),
            "folds, seeds": f"{config['folds']}, {config['seeds']} from {config['seed']}",
            "settings": config["settings"],
            "best": {"network": best.get("member"), "validation loss": best.get("val_loss")},
            "epochs": len(next(iter(history.values()), [])) or None,
            "data": config["data"],
            "code": f"hepml {card['code']['version']}",
            "keras": card["environment"]["packages"].get("keras"),
            "checksums": f"{len(card['checksums']) + 1} files" + (" DAMAGED" if card["damaged"] else " (ok)")
            if "checksums" in card
            else None,
        },
    )
    if card.get("members"):
        columns = ["name", "seed", "fold", "epochs", "best_epoch", "loss", "val_loss"]
        # from 1, as the training prints them
        counted = [{**member, "best_epoch": member.get("best_epoch", -1) + 1} for member in card["members"]]
        rows = [[member.get(key) for key in columns] for member in counted]
        console.print(_table("Networks", columns, rows))
    if auc:
        _facts(console, {"evaluated on": metrics.get("part"), "AUC": {k: v for k, v in auc.items() if _short(v)}})
        points = [
            (p["signal_efficiency"], p["threshold"], *_rejection(p), p.get("n_background"))
            for p in metrics.get("working_points", [])
        ]
        console.print(
            _table(
                "Working points", ["signal efficiency", "threshold", "rejection", "interval", "background left"], points
            )
        )
    elif card["status"] == "done":
        console.print("not evaluated yet: hepml evaluate", markup=False, highlight=False)


def _show_runs(card: dict[str, Any], console: Console) -> None:
    rows = [
        (one["features"], one["n_trainings"], f"{one['val_loss']:.5f}", _text(one["auc"]), one["path"])
        for one in card["best"]
    ]
    columns = ("features", "trainings", "validation loss", "held-out AUC", "best run")
    console.print(_table("Best run of each feature set, chosen by validation loss", columns, rows))


def _rejection(point: Mapping[str, Any]) -> tuple[str, str]:
    """Rejection and its interval, or its lower limit where too little background is left."""
    if point.get("limit"):
        return f"> {_text(point['rejection'])}", "limit"
    return _text(point["rejection"]), f"{_text(point['lower'])} .. {_text(point['upper'])}"


def _short(value: Any) -> bool:
    return isinstance(value, int | float | str)


def _show_network(card: dict[str, Any], console: Console) -> None:
    provenance = card["provenance"] or {}
    _facts(
        console,
        {
            "network": f"{card['path']} ({size_text(card['size'])}, {card['format']})",
            "model id": card["model_id"],
            "features": card["features"],
            "parameters": card["parameters"],
            "convention": card["convention"],
            "collection": card["collection"],
            "towers": card["towers"],
            "valid for": ", ".join(f"{key}: {value}" for key, value in card["validity"].items()) or None,
            "ranges": card["ranges"] and f"{len(card['ranges']['quantities'])} of {card['ranges']['events']} events",
            "outputs": [f"{each['name']} ({', '.join(each['labels'])})" for each in card["outputs"]],
            "reference": f"{card['reference_events']} events, reproduced" if card["reference_events"] else None,
        },
    )
    rows = []
    for each in card["inputs"]:
        ranges = card["input_ranges"].get(each["name"], {})
        low, high = (_as_list(ranges.get(key)) for key in ("minimum", "maximum"))
        if each["variables"]:
            for number, variable in enumerate(each["variables"]):
                span = f"{low[number]:.4g} .. {high[number]:.4g}" if number < len(low) else "-"
                rows.append((each["name"], variable["name"], variable["offset"], variable["scale"], span))
        else:
            span = f"{low[0]:.4g} .. {high[0]:.4g}" if low else "-"
            rows.append((each["name"], _text(each["shape"]), None, None, span))
    console.print(_table("Inputs", ["input", "variable", "offset", "scale", "trained range"], rows))
    if card["efps"]:
        console.print(_table("Energy-flow polynomials", _EFP_COLUMNS, [_efp(each) for each in card["efps"]]))
    layers = [
        (n, layer["architecture"], _details(layer), layer["parameters"]) for n, layer in enumerate(card["layers"])
    ]
    console.print(_table("Layers", ["", "layer", "settings", "parameters"], layers))
    if card["geometry"]:
        _facts(console, card["geometry"])
    thresholds = [
        (each.get("signal_efficiency"), each.get("threshold"), _range(each.get("pt")), _range(each.get("eta")))
        for each in card["thresholds"]
    ]
    if thresholds:
        console.print(_table("Thresholds", ["signal efficiency", "threshold", "pT", "eta"], thresholds))
    _facts(console, {str(key): value for key, value in provenance.items()})


_EFP_COLUMNS = ["polynomial", "image", "edges", "kappa", "beta", "z"]


def _efp(column: Mapping[str, Any]) -> tuple[str, ...]:
    edges = " ".join(f"{i}-{j}" for i, j in column["edges"])
    exponents = f"{column['kappa']:g}", f"{column['beta']:g}"
    return column["name"], column["calorimeter"], edges, *exponents, "fraction" if column["normed"] else "ET"


def _show_scores(card: dict[str, Any], console: Console) -> None:
    files = card["files"]
    networks = list(dict.fromkeys(_text(each["network"].get("model_id")) for each in files))
    codes = [f"hepml {each['code']['version']}, sources {_digest(each['code'].get('sources'))}" for each in files]
    _facts(
        console,
        {
            "scores": card["path"],
            "entries": card["entries"],
            "network": networks if len(networks) == 1 else f"{len(networks)} networks, see the table",
            "options": files[0]["options"] if all(each["options"] == files[0]["options"] for each in files) else None,
            "code": "; ".join(dict.fromkeys(codes)),
            "counts": card["counts"],
        },
    )
    names = list(card["counts"])
    rows = []
    for each in files:
        result, source = each["result"], each["input"]
        rows.append(
            (
                *(each["file"], source["name"], _digest(source.get("sha256")), _text(source.get("uuid"))[:8]),
                *(f"0 to {result['entries']}", *(result["counts"].get(name, 0) for name in names), result["passed"]),
                *(_text(each["network"].get("model_id"))[:12], ", ".join(each["damaged"]) or "ok"),
            )
        )
    columns = ["file", "input", "sha256", "uuid", "entries", *names, "pass", "network", "checksums"]
    console.print(_table("Files", columns, rows))


def _show_workflow(card: dict[str, Any], console: Console) -> None:
    rows = [
        (
            *(name, each["status"], len(each["key"].get("inputs", [])), len(each["outputs"]), len(each["skipped"])),
            ", ".join(each["damaged"]) or ("ok" if each["outputs"] else "-"),
        )
        for name, each in card["steps"].items()
    ]
    columns = ["step", "state", "inputs", "outputs", "skipped", "checksums"]
    console.print(_table(f"Steps of {card['path']}", columns, rows))


def _digest(value: Any) -> str:
    """The beginning of a checksum."""
    return value[:12] if isinstance(value, str) else "-"


def _as_list(value: Any) -> list[float]:
    """A number or a list of them, as a list.

    Example:
        >>> _as_list(1.0), _as_list([1.0, 2.0]), _as_list(None)
        ([1.0], [1.0, 2.0], [])
    """
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _details(layer: Mapping[str, Any]) -> str:
    return _text({key: value for key, value in layer.items() if key not in ("architecture", "parameters")})


def _range(interval: Sequence[float] | None) -> str:
    return "all" if interval is None else " .. ".join(_text(edge) for edge in interval)


_SHOWN = {
    "data": _show_data,
    "polynomials": _show_polynomials,
    "run": _show_run,
    "runs": _show_runs,
    "network": _show_network,
    "scores": _show_scores,
    "workflow": _show_workflow,
}
_MAKERS = {"data": "convert", "polynomials": "efp", "run": "train", "scores": "apply --resume", "workflow": "run"}
