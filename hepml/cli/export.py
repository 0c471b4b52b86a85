"""`hepml export`: a trained network as JSON for the C++ evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hepml.cli.inputs import Arrays, Polynomials, input_batches
from hepml.errors import printable
from hepml.ledger import check_not_input, check_output, json_text

if TYPE_CHECKING:
    from hepml.export.source import SourceFile
    from hepml.training import Run


def _batches(path: Path, efp: Polynomials | None, names: Sequence[str]) -> Iterator[Arrays]:
    """What the inputs are where the network is valid: an npz, or the training split of a data.h5."""
    return (arrays for arrays, _ in input_batches(path, names, efp=efp))


def _polynomials(run: Run | None) -> Polynomials | None:
    """What makes the input `efp` of a run from images."""
    from hepml.efp.columns import compute_columns

    columns = next((spec.variables for spec in run.inputs if spec.name == "efp"), ()) if run is not None else ()
    return (lambda et, ht: compute_columns(et, ht, columns).astype("float32")) if columns else None


def _validity(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if not all(key.strip() and sign for key, sign, _ in pairs):
        raise click.UsageError("--validity is KEY=VALUE, for example --validity runs=355000-362760")
    found = {key.strip(): value.strip() for key, _, value in pairs}
    if len(found) < len(pairs):
        raise click.UsageError("--validity names a key twice")
    return found


@click.command("export")
@click.argument(
    "source",
    type=click.Path(path_type=Path),
    metavar="RUN|MODEL.keras|ARCHITECTURE.json|MODEL.h5|MODEL.ubj|NETWORK.json",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The JSON file to write.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights .h5 that belong to ARCHITECTURE.json.")
@click.option("--variables", type=click.Path(path_type=Path), help="lwtnn's variables file: names, offsets, scales.")
@click.option(
    "--source", "header", type=click.Path(path_type=Path), help="A C++ header of the network to write as well."
)
@click.option("--namespace", help="C++ namespace of the header. Default: its name.")
@click.option("--max-steps", type=click.IntRange(1), default=256, help="Of sequences of any length, in the header.")
@click.option("--fold", type=click.IntRange(0), help="Of a run with folds. Default: the best on validation.")
@click.option("--folds", is_flag=True, help="All folds of a run; OUTPUT is a folder, which hepml apply takes.")
@click.option("--seed", type=click.IntRange(0), help="Of a run with several seeds. Default: the best on validation.")
@click.option("--ranges", type=click.Path(path_type=Path), help="npz or data.h5: what the inputs are, for monitors.")
@click.option("--validity", multiple=True, metavar="KEY=VALUE", help="What else it is valid for; may be repeated.")
@click.option("--onnx", type=click.Path(path_type=Path), help="The network as ONNX too, verified with ONNX Runtime.")
@click.option("--correctionlib", type=click.Path(path_type=Path), help="The working points of a run for correctionlib.")
@click.option("--precision", type=click.Choice(["bf16", "fp16", "int8"]), help="Of the weights; needs --data.")
@click.option("--data", type=click.Path(path_type=Path), help="data.h5, or npz with y: decisions are compared on it.")
@click.option("--tolerance", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Of flipped decisions.")
@click.option("--lwtnn", is_flag=True, help="Refuse what lwtnn 2.14 cannot read.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def command(
    *,
    source: Path,
    output: Path | None,
    weights: Path | None,
    variables: Path | None,
    header: Path | None,
    namespace: str | None,
    max_steps: int,
    fold: int | None,
    folds: bool,
    seed: int | None,
    ranges: Path | None,
    validity: tuple[str, ...],
    onnx: Path | None,
    correctionlib: Path | None,
    precision: str | None,
    data: Path | None,
    tolerance: float,
    lwtnn: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a network as JSON, and check that the C++ evaluator reproduces it.

    SOURCE is a run folder of hepml train, a .keras file, a model file of XGBoost (.json, .ubj), or a network of
    Keras 2: a whole model .h5, or the architecture JSON with --weights. What cannot be reproduced exactly is refused by
    name, and nothing is written.

    --source writes the same network as one C++ header without dependencies, both files or none; of a network file that
    hepml, or lwtnn's converters, wrote before: hepml export NETWORK.json --source net.hpp

    --folds writes the networks of all folds of one seed into the folder OUTPUT: fold_0.json, fold_1.json ... Given the
    folder, hepml apply scores each event with the network that did not train on it.

    --precision stores the weights of dense, convolutional and recurrent layers in 16 or 8 bits. The change of rejection
    and the rate of flipped decisions at 50, 80 and 90 % signal efficiency are measured on the test split of --data, and
    nothing is written if more than --tolerance of either class are flipped at one of them.

    \b
    The inputs of lwtnn's converters:
      hepml export architecture.json --weights weights.h5 > variables.json    a template to fill in
      hepml export architecture.json --weights weights.h5 --variables variables.json --lwtnn -o net.json
    """
    from hepml.cli.quiet import load_keras_quietly
    from hepml.export.correction import correction_document, write_correction
    from hepml.export.estimators.files import is_booster_file
    from hepml.export.onnx import export_onnx, require_onnx
    from hepml.export.source import SourceFile, is_network_file

    if (precision is None) != (data is None):
        raise click.UsageError("--precision and --data go together: what rounding does has to be measured")
    if not 0 <= tolerance <= 1:  # nan
        raise click.UsageError("--tolerance is a fraction, from 0 to 1")
    if precision is not None and any((header, onnx, correctionlib, lwtnn)):
        raise click.UsageError(
            "--precision is for hepml's own file: without --source, --onnx, --correctionlib, --lwtnn"
        )
    if folds:
        others = (weights, variables, header, namespace, ranges, onnx, correctionlib, precision, lwtnn or None, fold)
        if output is None or any(other is not None for other in others):
            raise click.UsageError("--folds goes with -o, --seed, --validity, --overwrite and --json alone")
        _write_folds(source, output, seed, _validity(validity), overwrite=overwrite, as_json=as_json)
        return
    if header is None and namespace is not None:
        raise click.UsageError("--namespace is for --source")
    if header is not None and is_network_file(source):
        if any((output, weights, variables, lwtnn)) or fold is not None or seed is not None:
            raise click.UsageError("SOURCE is a network file already: --source, --namespace, --max-steps are for it")
        _write_source(source, SourceFile(header, namespace, max_steps), overwrite=overwrite, as_json=as_json)
        return
    of_xgboost = is_booster_file(source)
    of_keras2 = not of_xgboost and not source.is_dir() and source.suffix in (".json", ".h5", ".hdf5")
    if (weights or variables) and not of_keras2:
        raise click.UsageError("--weights and --variables are for the files of Keras 2")
    if output is None and (variables is not None or not of_keras2):
        raise click.UsageError("Missing option '-o' / '--output'.")
    if header is not None and output is None:
        raise click.UsageError("--source is written beside the network: Missing option '-o' / '--output'.")
    given = _validity(validity)
    if output is None and (onnx or correctionlib) is not None:
        raise click.UsageError("--onnx and --correctionlib go with -o")
    if onnx is not None:
        require_onnx()
    outputs = [path for path in (output, header, onnx, correctionlib) if path is not None]
    for path in outputs:
        check_not_input(path, [path for path in (source, weights, variables, ranges, data) if path is not None])
        check_output(path, overwrite)
    if len({path.absolute() for path in outputs}) < len(outputs):
        raise click.UsageError("two outputs have one name")
    run = None
    if source.is_dir():
        from hepml.training import load_run

        run = load_run(source)
        if correctionlib is not None:
            correction_document(run.thresholds)  # refuses a run without, before anything is written
    elif correctionlib is not None:
        raise click.UsageError("--correctionlib is for run folders, which hold working points")
    elif fold is not None or seed is not None:
        raise click.UsageError("--fold and --seed are for run folders")
    if not of_xgboost:
        load_keras_quietly()
    from hepml.cli.precision import describe, reduce_to, table
    from hepml.evaluator import Evaluator
    from hepml.export.runs import (
        export_booster_file,
        export_keras2_file,
        export_keras_file,
        export_run,
        keras2_template,
    )

    if output is None:
        click.echo(json_text(keras2_template(source, weights)))
        return
    options: dict[str, Any] = {
        "ranges": None if ranges is None else partial(_batches, ranges, _polynomials(run)),
        "validity": given,
        "source": None if header is None else SourceFile(header, namespace, max_steps),
        "lwtnn": lwtnn,
        "overwrite": overwrite,
    }
    with _target(output, precision) as target:
        if run is not None:
            written = export_run(run, target, fold=fold, seed=seed, **options)
        elif of_xgboost:
            written = export_booster_file(source, target, **options)
        elif of_keras2:
            written = export_keras2_file(source, target, weights=weights, variables=variables, **options)
        else:
            written = export_keras_file(source, target, **options)
        reduced = None
        if precision is not None and data is not None:
            reduced = reduce_to(target, output, precision, data, tolerance=tolerance, overwrite=overwrite)
    other = None if onnx is None else export_onnx(output, onnx, overwrite=overwrite)
    if correctionlib is not None:
        thresholds = Evaluator(output).thresholds
        write_correction(thresholds, correctionlib, model_id=written.model_id, overwrite=overwrite)
    differences = written.differences
    if as_json:
        summary = {
            "output": str(output),
            "model_id": written.model_id if reduced is None else reduced.model_id,
            "inputs": written.inputs,
            "outputs": written.outputs,
            "parameters": written.parameters,
            "max_difference": differences.outputs,
            "max_logit_difference": differences.logits,
            **({} if header is None else {"source": str(header)}),
            "max_onnx_difference": None if other is None else other.difference,
            **({} if reduced is None else {"precision": describe(reduced)}),
        }
        click.echo(json_text(summary))
        return
    size = output.stat().st_size
    identity = written.model_id if reduced is None else reduced.model_id
    click.echo(f"{printable(output)}: {written.parameters} parameters, {size / 1e6:.2f} MB, model {identity[:12]}")
    logits = "" if differences.logits is None else f", logits {differences.logits:.1e}"
    name = "XGBoost" if of_xgboost else "Keras"
    click.echo(
        f"{name} and C++ on {differences.events} random events{'' if reduced is None else ', before rounding'}: "
        f"outputs within {differences.outputs:.1e}{logits}"
    )
    if reduced is not None:
        click.echo(table(reduced))
    if other is not None:
        click.echo(f"{printable(onnx)}: ONNX Runtime and C++ within {other.difference:.1e} on {other.events} events")
    if header is not None:
        click.echo(f"{printable(header)}: the same network as C++ source, {header.stat().st_size / 1e6:.2f} MB")


@contextmanager
def _target(output: Path, precision: str | None) -> Iterator[Path]:
    """Where the network is exported to: somewhere else if it is rounded afterwards."""
    if precision is None:
        yield output
        return
    with TemporaryDirectory() as folder:
        yield Path(folder) / output.name


def _write_folds(
    source: Path, output: Path, seed: int | None, validity: dict[str, str], *, overwrite: bool, as_json: bool
) -> None:
    """The networks of all folds, into a folder."""
    from hepml.cli.quiet import load_keras_quietly

    check_not_input(output, [source])
    check_output(output, overwrite)
    load_keras_quietly()
    from hepml.export.runs import export_folds
    from hepml.training import load_run

    written = export_folds(load_run(source), output, seed=seed, validity=validity, overwrite=overwrite)
    if as_json:
        networks = [{"output": str(one.path), "model_id": one.model_id} for one in written]
        click.echo(json_text({"output": str(output), "networks": networks}))
        return
    for one in written:
        click.echo(
            f"{printable(one.path)}: {one.parameters} parameters, model {one.model_id[:12]}, "
            f"outputs within {one.differences.outputs:.1e} of Keras"
        )


def _write_source(network: Path, header: SourceFile, *, overwrite: bool, as_json: bool) -> None:
    """A network file as a header."""
    from hepml.export.source import export_source

    check_not_input(header.path, [network])
    check_output(header.path, overwrite)
    written = export_source(
        network, header.path, namespace=header.namespace, max_steps=header.max_steps, overwrite=overwrite
    )
    if as_json:
        summary = {
            "source": str(written.path),
            "namespace": written.namespace,
            "inputs": written.inputs,
            "outputs": written.outputs,
            "memory": written.memory,
        }
        click.echo(json_text(summary))
        return
    size = written.path.stat().st_size
    name = f"{printable(written.path)}: {written.namespace}::Network"
    click.echo(f"{name} of {written.memory / 1e3:.1f} kB, source of {size / 1e6:.2f} MB")
