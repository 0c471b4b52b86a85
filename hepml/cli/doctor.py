"""`hepml doctor`: versions, processor, extras and a self-test, for bug reports and fresh installations."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import click

CORE = [
    *("numpy", "scipy", "uproot", "awkward", "h5py", "hist", "mplhep", "scikit-learn"),
    *("tensorflow", "keras", "click", "rich", "PyYAML", "jsonschema"),
]
EXTRAS = {"energyflow": ["energyflow", "wasserstein"], "test": ["pytest", "hypothesis"]}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _self_test() -> tuple[dict[str, bool], str]:
    """A network with a known answer and towers through the compiled code; the instruction set that it chose."""
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
        xor = evaluator({"x": events})["output"].ravel().tolist()
    return {"evaluator: XOR gives 0, 1, 1, 0": xor == [0.0, 1.0, 1.0, 0.0], **_sample_test()}, evaluator.cpu


def _sample_test() -> dict[str, bool]:
    import hepml
    from hepml.demo import sample_file

    events = hepml.open_events(sample_file("electrons"), entry_stop=20)
    images = hepml.make_images(hepml.select_candidates(events))
    total = float(images.ecal_et.sum())
    return {"reading: 20 events of the bundled sample give images": len(images.entry) > 0 and total > 0}


def report() -> dict[str, Any]:
    """Everything that `hepml doctor` prints, as plain data."""
    from hepml import _core

    tests, kernels = _self_test()
    return {
        "hepml": version("hepml"),
        "module": _core.__file__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "kernels": kernels,
        "packages": {name: _version(name) for name in CORE},
        "extras": {extra: all(find_spec(name) is not None for name in names) for extra, names in EXTRAS.items()},
        "self_test": tests,
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
            click.echo(f"{'self-test':<12} {'ok' if passed else 'FAILED'}: {test}")
    if not all(facts["self_test"].values()):
        sys.exit(3)
