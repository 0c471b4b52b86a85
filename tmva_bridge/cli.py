"""`hepml tmva`: TMVA's weight files and output files from the shell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from hepml.cli.options import QUIET
from hepml.cli.show import size_text, wide_console
from hepml.errors import DataError, printable
from hepml.ledger import check_not_input, check_output, json_text

__all__ = ["command"]

_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@click.group("tmva")
def command() -> None:
    """TMVA's weight files and output files, without ROOT."""


@command.command("report")
@click.argument("file", type=click.Path(path_type=Path), metavar="TMVA.root")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the report.")
@click.option("--loader", metavar="NAME", help="The DataLoader, if the file holds several.")
@_OVERWRITE
@QUIET
@_JSON
def report_command(
    *, file: Path, output: Path, loader: str | None, overwrite: bool, quiet: bool, as_json: bool
) -> None:
    """Figures and numbers of an output file of TMVA's Factory.

    Input variables, correlations, responses with the overtraining test and ROC curves; of a regression the deviations.
    Each figure is written as .pdf, .png and .json; report.json holds ROC integrals and overtraining tests.
    """
    from tmva_bridge.report import report

    def telling(line: str) -> None:
        if not quiet:
            click.echo(printable(line), err=True)

    record = report(file, output, loader=loader, overwrite=overwrite, telling=telling)
    if as_json:
        click.echo(json_text(record, indent=1))
        return
    rows = [[one.get(key) for key in _REPORTED] for one in record["methods"]]
    _print_table(f"{record['analysis']} {record['loader']}".strip(), list(_REPORTED.values()), rows)
    click.echo(f"{len(record['figures'])} figures in {printable(output)}")


_REPORTED = {
    "title": "method",
    "type": "type",
    "roc_integral": "ROC integral",
    "ks_signal": "KS signal",
    "ks_background": "KS background",
}


@command.command("lint")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.weights.xml...")
@_JSON
def lint_command(*, files: tuple[Path, ...], as_json: bool) -> int:
    """Traps that weight files are in: what gives other numbers than one expects.

    Exit code 3 if there is a warning; notes alone give 0.
    """
    from tmva_bridge.lint import lint

    found = {str(path): lint(path) for path in files}
    if as_json:
        rows = [
            {"file": path, "trap": one.trap.name, "warning": one.trap.warns, "what": one.what, "text": one.trap.text}
            for path, each in found.items()
            for one in each
        ]
        click.echo(json_text(rows, indent=1))
    else:
        for path, each in found.items():
            for one in each:
                word = "warning" if one.trap.warns else "note"
                click.echo(f"{printable(path)}: {word}: {one.trap.name}: {printable(one.what)}")
                click.echo(f"    {one.trap.text}")
            if not each:
                click.echo(f"{printable(path)}: no trap")
    return 3 if any(one.trap.warns for each in found.values() for one in each) else 0


@command.command("convert")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="net.json or x.weights.xml.")
@click.option("--variables", metavar="NAME,...", help="Of a network: what the Reader is to call its inputs.")
@_OVERWRITE
def convert_command(*, file: Path, output: Path, variables: str | None, overwrite: bool) -> None:
    """A weight file to a network of the C++ evaluator, or a network of Keras to a weight file.

    FILE.weights.xml -o net.json, or model.keras -o x.weights.xml. Both are compared with what they were made from
    before they have their names.
    """
    ways = {(".xml", ".json"): _to_json, (".keras", ".xml"): _to_weights}
    way = ways.get((file.suffix.lower(), output.suffix.lower()))
    if way is None:
        raise DataError(
            "no way from one to the other",
            expected="FILE.weights.xml -o net.json, or model.keras -o x.weights.xml",
            found=f"{file} -o {output}",
        )
    if variables and way is not _to_weights:
        raise click.UsageError("--variables belongs to a network that becomes a weight file")
    check_not_input(output, [file])
    check_output(output, overwrite)
    way(file, output, variables, overwrite)
    click.echo(f"{printable(output)}: {size_text(output.stat().st_size)}")


def _to_json(file: Path, output: Path, _variables: str | None, overwrite: bool) -> None:
    from tmva_bridge import to_json

    to_json(file, output, overwrite=overwrite)


def _to_weights(file: Path, output: Path, variables: str | None, overwrite: bool) -> None:
    from hepml.cli.quiet import load_keras_quietly

    load_keras_quietly()
    from hepml.export.runs import load_keras_file
    from tmva_bridge import write_weights

    names = [name.strip() for name in variables.split(",")] if variables else None
    write_weights(load_keras_file(file), output, variables=names, overwrite=overwrite)


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@_JSON
def show_command(*, file: Path, as_json: bool) -> None:
    """What a weight file, or an output file, holds."""
    card = _card_of_output(file) if file.suffix == ".root" else _card_of_weights(file)
    if as_json:
        click.echo(json_text(card, indent=1))
        return
    console = wide_console()
    for key, value in card.items():
        if value and not isinstance(value, list | dict):
            console.print(f"{key + ':':<14} {printable(value)}", markup=False, highlight=False, soft_wrap=True)
        elif isinstance(value, list) and value and not isinstance(value[0], dict):
            console.print(f"{key + ':':<14} {', '.join(map(printable, value))}", markup=False, highlight=False)
    for key, value in card.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            _print_table(key, list(value[0]), [list(row.values()) for row in value])
        elif isinstance(value, dict):
            _print_table(key, ["option", "value"], [list(pair) for pair in value.items()])


def _card_of_output(file: Path) -> dict[str, Any]:
    from tmva_bridge.report import open_output

    with open_output(file) as output:
        return {
            "output file": str(file),
            "loader": output.loader,
            "analysis": output.analysis,
            "classes": list(output.classes),
            "transformed": list(output.transformations),
            "methods": [{"type": kind, "title": title} for kind, title in output.methods],
        }


def _card_of_weights(file: Path) -> dict[str, Any]:
    from tmva_bridge.weights import read_description

    method = read_description(file)
    header = method.header
    ranges = [(one.get("Min", "-"), one.get("Max", "-")) for one in _variables(method)]
    return {
        "weight file": f"{file} ({size_text(file.stat().st_size)})",
        "method": f"{method.kind} {method.title}",
        "analysis": method.analysis,
        "TMVA": ".".join(map(str, header.release)),
        "classes": list(method.classes),
        "targets": list(method.targets),
        "spectators": [one.expression for one in header.spectators],
        "chain": header.option("VarTransform", "None"),
        "densities": "of the response" if method.densities else "none",
        "variables": [
            {
                "label": one.label,
                "expression": one.expression,
                "type": one.kind,
                "unit": one.unit,
                "min": low,
                "max": high,
            }
            for one, (low, high) in zip(header.variables, ranges, strict=True)
        ],
        "options": method.options,
    }


def _variables(method: Any) -> list[Any]:
    return list(method.header.element.child("Variables").every("Variable"))


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(title=escape(printable(title)), title_justify="left")
    for column in columns:
        table.add_column(escape(printable(column)), overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(_text(value))) for value in row))
    wide_console().print(table)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
