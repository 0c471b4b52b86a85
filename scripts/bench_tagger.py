"""What energy-flow polynomials add to the time from towers to score: networks with and without them, in turn.

python scripts/bench_tagger.py events.root --library build/libhepml.a [--rounds N] [--events N]

The networks are the published one on the seven variables, with polynomials beside them, and have random weights. Prints
a table; needs g++.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import hepml
from hepml.efp.columns import compute_columns
from hepml.geometry import PAPER
from hepml.models import PRESETS, InputSpec, build_model

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "examples" / "trigger")]
from towers import write  # noqa: E402

NETWORKS = {
    "`hl`": (),
    "and 2 of the ECal": ("et_efp_2_1_0_k_1_b_1", "et_efp_3_3_1_k_0.5_b_2"),
    "and 2 of the ECal, 4 vertices": ("et_efp_4_4_3_k_1_b_1", "et_efp_4_4_4_k_1_b_0.5"),
    "and a tetrahedron of the ECal": ("et_efp_4_6_21_k_1_b_1",),
    "and 2 of the HCal": ("ht_efp_2_1_0_k_1_b_1", "ht_efp_3_3_1_k_0.5_b_2"),
}


def main() -> None:
    """Export, compile, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=1000, help="the first ones")
    options = parser.parse_args()
    images = hepml.make_images(hepml.select_candidates(hepml.open_events(options.source, entry_stop=options.events)))
    pixels = [int(np.median(np.count_nonzero(one, axis=(1, 2, 3)))) for one in (images.ecal_et, images.hcal_et)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(str(options.source), folder / "towers.bin")
        files = []
        for k, names in enumerate(NETWORKS.values()):
            specs = [InputSpec("hl", (7,), hepml.FEATURE_NAMES, PAPER.to_dict())]
            if names:
                x = compute_columns(images.ecal_et, images.hcal_et, names)
                scale = {"offset": (-x.mean(0)).tolist(), "scale": (1 / x.std(0)).tolist()}
                specs.append(InputSpec("efp", (len(names),), names, PAPER.to_dict(), **scale))
            files.append(folder / f"{k}.json")
            hepml.export_model(build_model(specs, PRESETS["hl"].settings, seed=1), files[-1], inputs=specs)
        flags = ["-std=c++17", "-O3", f"-I{ROOT / 'cpp' / 'include'}", f"-I{ROOT / 'examples' / 'trigger'}"]
        program = folder / "tagger"
        source = ROOT / "cpp" / "bench" / "tagger.cpp"
        subprocess.run(["g++", *flags, source, options.library, "-o", program], check=True)
        command = [program, folder / "towers.bin", str(options.rounds), str(options.events), *files]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    filled = f"{pixels[0]} pixels of the ECal and {pixels[1]} of the HCal (medians)"
    print(f"{len(images.ecal_et)} events, {filled}, {rows[0]['cpu']}")
    print("| network | median, us | 90 %, us | 99 %, us | to `hl` |\n|---|---|---|---|---|")
    for name, row in zip(NETWORKS, rows, strict=True):
        ratio = row["median_us"] / rows[0]["median_us"]
        print(f"| {name} | {row['median_us']:.1f} | {row['p90_us']:.1f} | {row['p99_us']:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
