"""`hepml predict`: score arrays with the C++ evaluator."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, HepmlError, InputFileError, nearest
from hepml.identity import SPLITS
from hepml.ledger import atomic_path, check_not_input, check_output, json_text

if TYPE_CHECKING:
    from hepml.dataset import Dataset
    from hepml.evaluator import Evaluator

Arrays = dict[str, NDArray[Any]]
_CHUNK = 4096


@click.command("predict")
@click.argument("network", type=click.Path(path_type=Path), metavar="NET.json")
@click.argument("inputs", type=click.Path(path_type=Path), metavar="INPUTS.npz|DATA.h5")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The npz to write.")
@click.option("--split", type=click.Choice([*SPLITS, "all"]), default="test", show_default=True, help="Of a data.h5.")
@click.option("--logits", is_flag=True, help="What the output's activation is applied to, instead of the output.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    *, network: Path, inputs: Path, output: Path, split: str, logits: bool, overwrite: bool, as_json: bool
) -> None:
    """Score arrays of raw values, event by event as in a trigger.

    The keys of INPUTS.npz are the names of the network's inputs (et, ht, hl ...); those of the output are the names of
    its outputs (output). From a DATA.h5 of hepml convert the output also holds identity, y and weight.
    """
    from hepml.evaluator import Evaluator

    check_not_input(output, [network, inputs])
    check_output(output, overwrite)
    evaluator = Evaluator(network)
    if inputs.suffix in (".h5", ".hdf5"):
        results = _from_dataset(evaluator, inputs, split, logits)
    else:
        results = evaluator(_read_npz(inputs, [record.name for record in evaluator.inputs]), logits=logits)
    buffer = io.BytesIO()  # on a full disk an open zip file would complain again when it is closed
    np.savez(buffer, **results)
    with atomic_path(output, overwrite=overwrite) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    scores = results[evaluator.outputs[0].name]
    bad = int(np.count_nonzero(~np.isfinite(scores).all(axis=1)))
    summary = {"output": str(output), "events": len(scores), "not_finite": bad, "model_id": evaluator.model_id}
    if as_json:
        click.echo(json_text(summary))
    else:
        click.echo(f"{output}: {len(scores)} events" + (f", {bad} of them not finite" if bad else ""))


def _read_npz(path: Path, names: list[str]) -> Arrays:
    """The arrays of an npz whose keys are exactly `names`; nothing in it is executed."""
    import zipfile

    expected = "an npz file with the keys " + ", ".join(names)
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputFileError(
                    "a single array instead of an npz",
                    where=path,
                    expected=expected,
                    fix=f"np.savez(path, {names[0]}=array) names the input",
                )
            with file:
                _check_keys(path, file.files, names)
                return {name: file[name] for name in names}
    except HepmlError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputFileError("the inputs cannot be read", where=path, expected=expected, found=reason) from error


def _check_keys(path: Path, keys: list[str], names: list[str]) -> None:
    for key in keys:
        if key not in names:
            raise DataError(
                f"the network has no input {key!r}",
                where=path,
                expected="exactly the keys " + ", ".join(names),
                found=", ".join(keys),
                nearest=nearest(key, names),
            )
    for name in names:
        if name not in keys:
            raise DataError(
                f"the input {name!r} is missing",
                where=path,
                expected="exactly the keys " + ", ".join(names),
                found=", ".join(keys) or "no arrays",
            )


def _from_dataset(evaluator: Evaluator, path: Path, split: str, logits: bool) -> Arrays:
    from hepml.dataset import Dataset

    splits = SPLITS if split == "all" else (split,)
    data = Dataset.open(path)
    for record in evaluator.inputs:
        if record.name not in data.tokens:
            raise DataError(
                f"the data file does not hold the input {record.name!r}",
                where=path,
                expected=", ".join(one.name for one in evaluator.inputs),
                found=", ".join(data.tokens),
            )
    convention = evaluator.metadata.get("convention")
    if convention is not None and convention != data.convention:
        raise DataError(
            "the network and the data are of different conventions",
            where=path,
            expected=convention,
            found=data.convention,
        )
    _warn_of_folds(evaluator, data)
    parts: dict[str, list[NDArray[Any]]] = {record.name: [] for record in evaluator.outputs}
    for name in splits:
        for batch in _batches(data, [record.name for record in evaluator.inputs], name):
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


def _batches(data: Dataset, tokens: list[str], split: str) -> Iterator[Arrays]:
    for x, _, _ in data.batches(tokens, split, _CHUNK, shuffle=False):
        yield dict(x)
