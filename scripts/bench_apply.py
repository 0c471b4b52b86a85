"""Events a second of `hepml apply`, from ROOT towers to a friend tree, in turn with a peer that does less.

python scripts/bench_apply.py [--events N] [--rounds N] [-o docs/apply_speed.json]

The files: N events with 20 (a slim tree, the towers around the object) or 60 towers on average in flat branches of
float32 and one electron, zstd. hepml reads them, selects and centres the candidate, fills both images, computes the
seven variables, evaluates the `hl` network, and writes scores, status and ledger. The peer, uproot and one np.bincount
for 2048 events, fills the two images around the electron and stops there. One process; the median processor time over
rounds is kept, which a busy machine changes less than wall clock. Needs the extra `root`, for the tree's writer.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench_convert import LAYOUT, bincount_images, measured, write_tree
from machine import commit, machine

import hepml
from hepml.features import FEATURE_NAMES
from hepml.friends import apply
from hepml.geometry import PAPER
from hepml.ledger import write_json
from hepml.models import InputSpec, build_model
from hepml.models.presets import preset_settings

TOWERS = (20, 60)


def network(path: Path) -> Path:
    """The preset of the seven variables, with random weights: its time does not depend on them."""
    scale = (1 / np.array([1.0, 0.02, 1.0, 1.0, 1.0, 20.0, 20.0])).tolist()
    spec = InputSpec("hl", (7,), FEATURE_NAMES, PAPER.to_dict(), [0.0] * 7, scale)
    hepml.export_model(build_model([spec], preset_settings(("hl",)), seed=1), path, inputs=[spec])
    return path


def images_alone(path: Path, n: int) -> None:
    """What the peer does."""
    for _ in bincount_images(path, n):
        pass


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    n = options.events
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layout = folder / "flat.yaml"
        layout.write_text(LAYOUT)
        net = network(folder / "net.json")
        ways: dict[str, tuple[int, Callable[[], Any]]] = {}
        for towers in TOWERS:
            path = folder / f"{towers}.root"
            write_tree(path, n, towers, towers)

            def scored(path: Path = path) -> None:
                apply(net, path, folder / "scores.root", layout=layout, overwrite=True)

            ways[f"{towers} hepml apply"] = (n, scored)
            ways[f"{towers} uproot and bincount"] = (n, lambda path=path: images_alone(path, n))
        rows = measured(ways, options.rounds)
    files = {
        str(towers): {
            "apply": rows[f"{towers} hepml apply"],
            "bincount": rows[f"{towers} uproot and bincount"],
            "per_second": 1e6 / rows[f"{towers} hepml apply"]["us"],
        }
        for towers in TOWERS
    }
    about = {
        "machine": machine(),
        "commit": commit(Path(__file__).parents[1]),
        "events": n,
        "rounds": options.rounds,
    }
    for towers, one in files.items():
        print(
            f"{towers} towers: {one['apply']['us']:.2f} us, {one['per_second']:.0f}/s; peer {one['bincount']['us']:.2f}"
        )
    if options.output:
        write_json(options.output, {"about": about, "files": files}, overwrite=True)


if __name__ == "__main__":
    main()
