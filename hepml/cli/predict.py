"""`hepml predict`: score arrays with the C++ evaluator."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from hepml.cli.inputs import Arrays, dataset_batches, open_dataset, polynomials_of, read_npz
from hepml.errors import DataError, printable
from hepml.identity import SPLITS
from hepml.ledger import atomic_path, check_not_input, check_output, json_text
from hepml.stages import stage

if TYPE_CHECKING:
    from hepml.dataset import Dataset
    from hepml.evaluator import Evaluator


@click.command("predict")
@click.argument("network", type=click.Path(path_type=Path), metavar="NET.json")
@click.argument("inputs", type=click.Path(path_type=Path), metavar="INPUTS.npz|DATA.h5")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The npz to write.")
@click.option("--split", type=click.Choice([*SPLITS, "all"]), default="test", show_default=True, help="Of a data.h5.")
@click.option("--logits", is_flag=True, help="What the output's activation is applied to, instead of the output.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Default: the processors that may be used.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    *,
    network: Path,
    inputs: Path,
    output: Path,
    split: str,
    logits: bool,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score arrays of raw values, with the bits of a trigger on any number of threads.

    The keys of INPUTS.npz are the names of the network's inputs (et, ht, hl ...); those of the output are the names of
    its outputs (output). From a DATA.h5 of hepml convert the output also holds identity, y and weight.
    """
    from hepml.evaluator import Evaluator

    check_not_input(output, [network, inputs])
    check_output(output, overwrite)
    evaluator = Evaluator(network, threads=threads)
    stage("score", inputs)
    if inputs.suffix in (".h5", ".hdf5"):
        results = _from_dataset(evaluator, inputs, split, logits)
    else:
        results = evaluator(read_npz(inputs, [record.name for record in evaluator.inputs]), logits=logits)
    buffer = io.BytesIO()  # on a full disk an open zip file would complain again when it is closed
    with zipfile.ZipFile(buffer, "w") as archive:  # an npz; np.savez has arguments of its own beside the arrays
        for name, array in results.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.save(stream, array, allow_pickle=False)
    with atomic_path(output, overwrite=overwrite) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    scores = results[evaluator.outputs[0].name]
    bad = int(np.count_nonzero(~np.isfinite(scores).all(axis=tuple(range(1, scores.ndim)))))
    summary = {"output": str(output), "events": len(scores), "not_finite": bad, "model_id": evaluator.model_id}
    if as_json:
        click.echo(json_text(summary))
    else:
        click.echo(f"{printable(output)}: {len(scores)} events" + (f", {bad} of them not finite" if bad else ""))


def _from_dataset(evaluator: Evaluator, path: Path, split: str, logits: bool) -> Arrays:
    splits = SPLITS if split == "all" else (split,)
    for name in ("identity", "weight", "y"):
        if any(record.name == name for record in evaluator.outputs):
            raise DataError(
                f"the network's output {name!r} has the name of a column of the data",
                where=path,
                fix="give the inputs as npz, or name the output otherwise",
            )
    names, efp = [record.name for record in evaluator.inputs], polynomials_of(evaluator)
    data = open_dataset(path, names, evaluator.metadata.get("convention"), efp)
    _warn_of_folds(evaluator, data)
    parts: dict[str, list[NDArray[Any]]] = {record.name: [] for record in evaluator.outputs}
    for name in splits:
        for batch in dataset_batches(data, names, name, efp):
            for key, values in evaluator(batch, logits=logits).items():
                parts[key].append(values)
    empty = {
        record.name: np.zeros((0, *(size or 0 for size in record.shape)), np.float32) for record in evaluator.outputs
    }
    results = {key: np.concatenate(values) if values else empty[key] for key, values in parts.items()}
    for name in ("identity", "weight"):
        results[name] = np.concatenate([data.column(name, one) for one in splits])
    results["y"] = np.concatenate([data.y(one) for one in splits])
    return results


def _warn_of_folds(evaluator: Evaluator, data: Dataset) -> None:
    """One network of several saw most candidates of every split; only the run knows which."""
    origin = evaluator.metadata.get("provenance") or {}
    member = str(origin.get("member") or "")
    if member.startswith("fold") and origin.get("data") == data.checksum:
        click.echo(
            f"{member} of the run {origin.get('run')!r} was trained on candidates of every split of these data: "
            "its scores are not held out; those of hepml evaluate are",
            err=True,
        )
