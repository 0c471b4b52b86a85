"""`hepml doctor`: versions, processor, extras and a self-test, for bug reports and fresh installations."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

CORE = [
    *("numpy", "scipy", "uproot", "awkward", "h5py", "hist", "mplhep", "matplotlib", "scikit-learn"),
    *("tensorflow", "keras", "click", "rich", "PyYAML", "jsonschema"),
]
EXTRAS = {"energyflow": ["energyflow", "wasserstein"], "test": ["pytest", "hypothesis"]}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _imports(names: list[str]) -> bool:
    """Whether these modules can be imported: in a process of their own, as a broken one may end it."""
    return not subprocess.run([sys.executable, "-c", f"import {', '.join(names)}"], capture_output=True).returncode


def _module() -> str:
    from hepml import _core

    return str(_core.__file__)


def _kernels() -> str:
    return str(_xor()[1])


def _xor() -> tuple[list[float], str]:
    """A network with a known answer through the compiled code, and the instruction set that this chose."""
    import tempfile
    from pathlib import Path

    import numpy as np

    from hepml.evaluator import Evaluator

    # XOR with nine parameters: outputs 0, 1, 1, 0
    network = {
        "inputs": [{"name": "x", "variables": [{"name": n, "offset": 0.0, "scale": 1.0} for n in ("a", "b")]}],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 2},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
            {"type": "feed_forward", "sources": [1], "layer_index": 1},
        ],
        "layers": [
            {"architecture": "dense", "weights": [1, 1, 1, 1], "bias": [0, -1], "activation": "rectified"},
            {"architecture": "dense", "weights": [1, -2], "bias": [0], "activation": "linear"},
        ],
        "outputs": {"output": {"labels": ["xor"], "node_index": 2}},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xor.json"
        path.write_text(json.dumps(network))
        events = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
        evaluator = Evaluator(path)
        return evaluator({"x": events})["output"].ravel().tolist(), evaluator.cpu


def _reads() -> bool:
    import hepml
    from hepml.demo import sample_file

    events = hepml.open_events(sample_file("electrons"), entry_stop=20)
    images = hepml.make_images(hepml.select_candidates(events))
    return len(images.entry) > 0 and float(images.ecal_et.sum()) > 0


SELF_TESTS: dict[str, Callable[[], bool]] = {
    "packages: all that hepml needs are installed": lambda: None not in map(_version, CORE),
    "evaluator: XOR gives 0, 1, 1, 0": lambda: _xor()[0] == [0.0, 1.0, 1.0, 0.0],
    "reading: 20 events of the bundled sample give images": _reads,
}


def _tried(what: Callable[[], Any]) -> Any:
    """The result, or in one line why there is none: a broken installation is what this command is for."""
    try:
        return what()
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def report() -> dict[str, Any]:
    """Everything that `hepml doctor` prints, as plain data."""
    results = {name: _tried(test) for name, test in SELF_TESTS.items()}
    return {
        "hepml": _version("hepml") or "not installed",
        "module": _tried(_module),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "kernels": _tried(_kernels),
        "packages": {name: _version(name) for name in CORE},
        "extras": {extra: _imports(names) for extra, names in EXTRAS.items()},
        "self_test": {name: result is True for name, result in results.items()},
        "errors": {name: result for name, result in results.items() if isinstance(result, str)},
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Print versions, the processor level in use, extras, and run a self-test (exit 3 if it fails)."""
    facts = report()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for key in ("hepml", "module", "python", "platform", "processors", "kernels"):
            click.echo(f"{key:<12} {facts[key]}")
        for name, found in facts["packages"].items():
            click.echo(f"{name:<12} {found or 'not installed'}")
        for extra, found in facts["extras"].items():
            click.echo(f"{'extra':<12} {extra}: " + ("yes" if found else f'no (pip install "hepml[{extra}]")'))
        for test, passed in facts["self_test"].items():
            why = f" ({facts['errors'][test]})" if test in facts["errors"] else ""
            click.echo(f"{'self-test':<12} {'ok' if passed else 'FAILED'}: {test}{why}")
    if not all(facts["self_test"].values()):
        sys.exit(3)
