"""`hepml verify`: is a file what was written, and are its inputs what was read?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hepml.cli.cards import runs_in
from hepml.errors import VerificationError, printable
from hepml.ledger import check_regular, json_text, read_json

if TYPE_CHECKING:
    from hepml.dataset.efps import EFPFile

Found = TypeVar("Found")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--inputs", is_flag=True, help="Read the inputs again as well, where the sidecar says they are.")
@click.option("--folder", "folders", multiple=True, type=click.Path(path_type=Path), help="Look for the inputs here.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(path: Path, inputs: bool, folders: tuple[Path, ...], as_json: bool) -> None:
    """Compare data, polynomials, scores or a run with their checksums, a network with its reference vectors.

    PATH may be a folder of scores or of runs, or the output of hepml run; of a run every file that hepml train wrote is
    compared, those of all its networks. Exit code 3 says that something differs.
    """
    kind, facts, checks = _verified(path, inputs or bool(folders), folders)
    bad = [check for check in checks if check["problem"]]
    if as_json:
        click.echo(json_text({"path": str(path), "kind": kind, **facts, "inputs": checks, "ok": not bad}, indent=1))
    elif not bad:
        told = [f"{key} {value}" for key, value in facts.items()]
        told += [f"{len(checks)} of {len(checks)} inputs as they were read"] if checks else []
        click.echo(f"{printable(path)}: {kind}, {', '.join(told)}: ok")
    if bad:
        raise VerificationError(
            f"{len(bad)} of {len(checks)} inputs are not what was read",
            where=path,
            found="; ".join(f"{check['path'] or check['name']}: {check['problem']}" for check in bad),
            fix="convert again, or look for the inputs elsewhere with --folder",
        )


def _verified(path: Path, inputs: bool, folders: tuple[Path, ...]) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """What was found whole: kind of file, facts, and the state of its inputs."""
    check_regular(path)
    if not (path.is_dir() or _begins(path, b"{") or _begins(path, b"root")):
        from hepml.dataset.efps import EFPFile, is_efp_file
        from hepml.dataset.verify import check_inputs, verify, verify_as

        if is_efp_file(path):
            efps = verify_as(EFPFile, path)
            checks = _made_from(efps, folders) if inputs else []
            return "polynomials", {"columns": len(efps.names), "content": efps.checksum}, checks
        data = verify(path)
        checks = [check.__dict__ for check in check_inputs(data, folders)] if inputs else []
        return "data", {"content": data.checksum}, checks
    if inputs:
        raise click.UsageError("--inputs and --folder are for data files and polynomials")
    if _begins(path, b"{"):
        from hepml.cli.cards import network_card
        from hepml.export.packing import check_identity

        card = network_card(path)
        check_identity(path, read_json(path))
        return card["kind"], {key: card[key] for key in ("model_id", "reference_events") if key in card}, []
    if path.is_dir() and (path / "ledger.json").is_file():
        return "workflow", _workflow(path), []
    if path.is_dir() and (runs := runs_in(path)):
        from hepml.training.verification import verify_run

        checked = _all(runs, verify_run)
        others = ", ".join(sorted({name for each in checked for name in each.others}))
        facts: dict[str, Any] = {"runs": len(runs), "files": sum(each.files for each in checked)}
        facts |= {"not recorded": others} if others else {}
        return "run" if path in runs else "runs", facts, []
    from hepml.friends import outputs_in, read_ledger

    files = outputs_in(path) if path.is_dir() else [path]
    entries = sum(each["result"]["entries"] for each in _all(files, read_ledger))
    return "scores", ({"files": len(files)} if path.is_dir() else {}) | {"entries": entries}, []


def _made_from(efps: EFPFile, folders: tuple[Path, ...]) -> list[dict[str, Any]]:
    """The data file that polynomials were made from, looked at again."""
    from hepml.dataset.verify import check_entry, log_of

    entry = efps.provenance["input"]
    places = [str(folder / entry["name"]) for folder in folders]
    if not folders:
        log = read_json(log_of(efps.path))
        places = [log["input"]] if isinstance(log, dict) and isinstance(log.get("input"), str) else []
    path = next((place for place in places if Path(place).is_file()), None)
    return [{"name": entry["name"], "sample": "", "path": path, "problem": check_entry(entry, path)}]


def _workflow(folder: Path) -> dict[str, Any]:
    from hepml.workflow import damaged_outputs

    steps, changes = damaged_outputs(folder)
    damaged = [each for of_step in changes.values() for each in of_step]
    if damaged:
        raise VerificationError(
            "outputs of steps do not agree with the ledger",
            where=folder,
            found="damaged: " + ", ".join(damaged),
            fix="make them again: hepml run",
        )
    unfinished = [name for name, entry in steps.items() if entry["status"] != "done"]
    facts: dict[str, Any] = {"steps": len(steps), "files": sum(len(entry["outputs"]) for entry in steps.values())}
    return facts | ({"unfinished": ", ".join(unfinished)} if unfinished else {})


def _all(files: Sequence[Path], read: Callable[[Path], Found]) -> list[Found]:
    """What is read from each file or run; all that are damaged are named together."""
    found, damaged = [], []
    for file in files:
        try:
            found.append(read(file))
        except VerificationError as error:
            if len(files) == 1:
                raise
            damaged.append(f"{file.name} ({error.parts.get('found')})")
    if damaged:
        raise VerificationError(
            f"{len(damaged)} of {len(files)} do not agree with their checksums",
            where=files[0].parent,
            found="; ".join(damaged),
            fix="make them again, or copy them again from where they were whole",
        )
    return found


def _begins(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(16).lstrip().startswith(mark)
    except OSError:  # told by who reads it
        return False
