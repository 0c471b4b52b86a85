"""Find the subcommand, run it, turn errors into one message and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import click

from hepml import interruption
from hepml.errors import HepmlError, OutputError

# name -> (module, one line for `hepml --help`), in the order of the work; the module holds a click command `command`
COMMANDS = {
    "demo": ("hepml.cli.demo", "The whole road on a bundled ROOT sample: towers to a score in C++."),
    "run": ("hepml.cli.run", "All steps of an analysis.yaml that are not up to date."),
    "inspect": ("hepml.cli.inspect", "What is in a ROOT file, which layout fits, what is missing."),
    "skim": ("hepml.cli.skim", "Keep the events that hold a candidate, as a tree."),
    "convert": ("hepml.cli.convert", "ROOT files to images and variables in data.h5."),
    "merge": ("hepml.cli.merge", "Parts of a conversion, from jobs of their own, to one data.h5."),
    "efp": ("hepml.cli.efp", "Energy-flow polynomials of data.h5, a column each."),
    "train": ("hepml.cli.train", "Train a network on data.h5, recorded completely."),
    "evaluate": ("hepml.cli.evaluate", "Held-out metrics with intervals, figures, working points."),
    "guide": ("hepml.cli.guide", "Which polynomials do variables lack that a network knows?"),
    "plot": ("hepml.cli.plot", "Figures of what needs no run and no data: the graphs of energy-flow polynomials."),
    "export": ("hepml.cli.export", "Write a trained network as JSON for the C++ evaluator."),
    "compact": ("hepml.cli.compact", "A network file that is smaller and loads faster."),
    "predict": ("hepml.cli.predict", "Score arrays with the C++ evaluator."),
    "apply": ("hepml.cli.apply", "Towers in, score out: score ROOT files with the C++ evaluator."),
    "monitor": ("hepml.cli.monitor", "Inputs of a run against those of the training: PSI, KS, NaN, out of range."),
    "verify": ("hepml.cli.verify", "Is a file what was written, byte for byte, and are its inputs what was read?"),
    "show": ("hepml.cli.show", "What any hepml file is: data, run or network."),
    "doctor": ("hepml.cli.doctor", "Versions, processor, extras and a self-test."),
}


class Commands(click.Group):
    """Subcommands by table, others (tmva_bridge) by the entry-point group hepml.commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(point.name for point in entry_points(group="hepml.commands"))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            command: click.Command = import_module(COMMANDS[name][0]).command
            return command
        for point in entry_points(group="hepml.commands", name=name):
            loaded: click.Command = point.load()
            return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The table's own lines: asking each command for its help would import them all.
        others = {point.name: point.module.partition(".")[0] for point in entry_points(group="hepml.commands")}
        rows = [(name, line) for name, (_, line) in COMMANDS.items()]
        rows += [(name, f"Commands of {package}.") for name, package in sorted(others.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"hepml {version('hepml')}")
        ctx.exit()


def _print_cmake_dir(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from pathlib import Path

        from hepml import _core

        click.echo(Path(_core.__file__).parent / "lib" / "cmake" / "hepml")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it.")
@click.option(
    "--cmake-dir",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_cmake_dir,
    help="Where find_package(hepml) looks.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and each stage of the work.")
@click.pass_context
def hepml(ctx: click.Context, debug: bool) -> None:
    """From a ROOT file to a trigger decision: convert, train, evaluate, export, apply."""
    ctx.obj = {"debug": debug}
    if debug:
        stages = logging.getLogger("hepml.stages")
        stages.setLevel(logging.DEBUG)
        stages.handlers[:] = [logging.StreamHandler()]


def main(arguments: list[str] | None = None) -> None:
    """Run `hepml`; exit codes: 0 done, 1 HepmlError, 2 usage, 3 verification or skipped input, 4 output, 130/143."""
    arguments = sys.argv[1:] if arguments is None else arguments
    interruption.listen()
    try:
        try:
            code = _run(arguments)
        finally:
            interruption.check()  # also if C code has made another error of it, as HDF5 does while it writes
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        interruption.leave()
        code = 130
    except SystemExit:
        interruption.leave()
        raise
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    """The exit code of a command that no signal has ended."""
    try:
        result: Any = hepml.main(arguments, prog_name="hepml", standalone_mode=False)
    except HepmlError as error:
        if "--debug" in arguments:
            raise
        click.echo(f"{type(error).__name__}: {error}", err=True)
        return error.exit_code
    except MemoryError as error:
        if "--debug" in arguments:
            raise
        short = HepmlError("there is not enough memory", found=error, fix="use fewer --jobs, or allow more memory")
        click.echo(f"HepmlError: {short}", err=True)
        return short.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except OSError as error:
        if "--debug" in arguments or error.filename is not None or not _stdout_is_broken():
            raise
        refused = OutputError("cannot write to standard output", found=error.strerror)
        click.echo(f"OutputError: {refused}", err=True)
        return refused.exit_code
    return result if isinstance(result, int) else 0


def _stdout_is_broken() -> bool:
    """Whether a line more cannot be written either; then what waits is dropped: Python would try again at its end."""
    try:
        click.echo()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
