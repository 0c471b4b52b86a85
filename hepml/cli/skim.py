"""`hepml skim`: keep the events that hold a candidate, as a tree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from hepml.cli.options import CHECKSUMS, FINITE
from hepml.errors import printable
from hepml.ledger import check_not_input, json_text, sha256_file
from hepml.trees import Events, expand_files
from hepml.trees.skimming import skim


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE.root[:TREE]...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The new ROOT file.")
@click.option("--layout", metavar="NAME|FILE.yaml", help="Default: recognised.")
@click.option("--collection", default="electron", show_default=True, help="What candidates are made from.")
@click.option("--require", default="candidate", show_default=True, type=click.Choice(["candidate", "object"]))
@click.option("--min-pt", type=FINITE, metavar="GEV", help="Least pT of the object.")
@click.option("--max-eta", type=FINITE, help="Largest |eta| of the object.")
@CHECKSUMS
@click.option("--step-size", default="100 MB", show_default=True, help="How much is read at a time.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option("--json", "as_json", is_flag=True, help="The counts, for machines.")
def command(
    *,
    files: tuple[str, ...],
    output: Path,
    layout: str | None,
    collection: str,
    require: str,
    min_pt: float | None,
    max_eta: float | None,
    checksums: Path | None,
    step_size: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write the events that hold a candidate (or just an object) of the collection; every branch of numbers is kept."""
    rejected: Counter[str] = Counter()

    def keep(events: Events) -> NDArray[np.bool_]:
        mask = _mask(events, collection, require, min_pt, max_eta)
        rejected[f"no {require}"] += int((~mask).sum())
        return mask

    if checksums is not None:
        check_not_input(output, [checksums])
        _compare(files, checksums)
    result = skim(files, output, keep, layout=layout, step_size=step_size, overwrite=overwrite)
    flow = {"read": result.read, **rejected, "written": result.written}
    if as_json:
        record: dict[str, Any] = {"output": str(output), "flow": flow, "left_out": list(result.left_out)}
        click.echo(json_text(record, indent=1))
        return
    for name, number in flow.items():
        click.echo(f"{name:<14} {number:>10}")
    if result.left_out:
        names = ", ".join(result.left_out[:5]) + (" ..." if len(result.left_out) > 5 else "")
        click.echo(printable(f"{len(result.left_out)} branches left out: {names}"), err=True)


def _compare(files: tuple[str, ...], checksums: Path) -> None:
    from hepml.dataset.checklist import check_listed, read_checksums

    known = read_checksums(checksums)
    for file in expand_files(files):
        if not file.remote:
            check_listed(file.path, sha256_file(file.path), known)


def _mask(
    events: Events, collection: str, require: str, min_pt: float | None, max_eta: float | None
) -> NDArray[np.bool_]:
    from hepml.candidates import object_collection, select_candidates

    mask = np.zeros(len(events), np.bool_)
    if require == "candidate":
        candidates = select_candidates(
            events, collection=collection, which="all", truth=False, min_pt=min_pt, max_eta=max_eta
        )
        mask[candidates.row] = True
        return mask
    objects = object_collection(events, collection)
    good = np.ones(len(objects), np.bool_)
    if min_pt is not None:
        good &= objects.pt >= min_pt
    if max_eta is not None:
        good &= np.abs(objects.eta) <= max_eta
    np.logical_or.at(mask, np.repeat(np.arange(len(events)), objects.counts), good)
    return mask
