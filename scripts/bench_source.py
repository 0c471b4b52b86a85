"""Time generated source against the library, one event on one thread, and the compiler on the headers.

    python scripts/bench_source.py --library build/libhepml.a [--only hl GRU] [--march x86-64-v3 native]

Both answer the same events in blocks of some 100 microseconds that take turns; the ratio is the median over pairs of
blocks. Networks have random weights; the library takes the instruction set that the header is compiled for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, machine
from numpy.typing import NDArray

from hepml.export.source import export_source
from hepml.ledger import config_hash, write_json

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "cpp" / "bench"))
from chains import deep, mnist, recurrent, unscaled  # noqa: E402
from networks import network  # noqa: E402

OCCUPANCIES = (0.01, 0.05, 1.0)
MOST_DIFFERENT = 1e-6
ALONE = "void run(net::Network& network, const float* x, float* y) { NETWORK_CALL(network, x, y); }\n"
CPUS = {"x86-64-v3": "avx2"}  # for others the best of the processor
PIXELS = 31 * 31 + 32 * 32


def exported(folder: Path) -> dict[str, dict[str, Any]]:
    """Networks of Keras, as initialised: attention on 40 particles, volumes, and images by groups and transposed."""
    import keras
    from keras import layers as kl

    from hepml.export import export_model

    particles, volume, image = keras.Input((40, 16)), keras.Input((12, 12, 12, 4)), keras.Input((16, 16, 32))
    y = kl.Add()([particles, kl.MultiHeadAttention(4, 8)(particles, particles)])
    y = kl.Add()([y, kl.Dense(16)(kl.Dense(32, activation="gelu")(kl.LayerNormalization()(y)))])
    z = kl.MaxPooling3D(2)(kl.Conv3D(16, 3, padding="same", activation="relu")(volume))
    z = kl.Conv3D(32, 3, padding="same", activation="relu")(z)
    w = kl.SeparableConv2D(32, 3, padding="same", activation="relu")(image)
    w = kl.Conv2D(32, 3, groups=4, padding="same", activation="relu")(w)
    w = kl.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(w)
    angles = keras.Input((300,))
    models = {
        "attention": keras.Model(particles, kl.Dense(1)(kl.GlobalAveragePooling1D()(y))),
        "volumes": keras.Model(volume, kl.Dense(1)(kl.GlobalAveragePooling3D()(z))),
        "groups, transposed": keras.Model(image, kl.Dense(1)(kl.GlobalAveragePooling2D()(w))),
        "sin, arctan2, power": keras.Model(
            angles, [keras.ops.arctan2(keras.ops.sin(angles), keras.ops.power(keras.ops.abs(angles), 1.7))]
        ),
    }
    documents = {}
    for k, (name, model) in enumerate(models.items()):
        export_model(model, folder / f"keras{k}.json")
        documents[name] = json.loads((folder / f"keras{k}.json").read_text())
    return documents


def networks() -> dict[str, dict[str, Any]]:
    """Name -> network file."""
    return {
        "hl": unscaled(network("hl")),
        "HIGGS deep": deep(28, 5, 300),
        "MNIST": mnist(),
        "GRU": recurrent("gru"),
        "GRU, reset after": recurrent("gru", reset_after=True),
        "LSTM": recurrent("lstm"),
        "GRU, 64 units": recurrent("gru", units=64),
        "LSTM, 64 units": recurrent("lstm", units=64),
        "et_and_ht": unscaled(network("et_and_ht")),
    }


def sizes(document: dict[str, Any]) -> list[int]:
    """Floats of each input."""
    inputs = [int(np.prod(item.get("shape", len(item["variables"])))) for item in document["inputs"]]
    return inputs + [item["steps"] * len(item["variables"]) for item in document.get("input_sequences", [])]


def events(name: str, n: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Kind of input -> events of n numbers."""
    if name == "et_and_ht":
        values = {o: rng.exponential(size=(32, PIXELS)) * (rng.random((32, PIXELS)) < o) for o in OCCUPANCIES}
        return {f"occupancy {occupancy:g}": array for occupancy, array in values.items()}
    if name == "MNIST":
        return {"uniform": rng.random((64, 784))}
    return {"normal": rng.normal(size=(64, n))}


def call(written: Any, document: dict[str, Any]) -> str:
    """Macro that runs a network on an event."""
    starts = np.cumsum([0, *sizes(document)[:-1]])
    inputs = ", ".join(f"x + {start}" for start in starts)
    assert len(starts) == len(written.inputs)
    return f"NETWORK_CALL(network, x, y)=network.run({inputs}, y)"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="libhepml.a, Release")
    parser.add_argument("--only", nargs="+", help="names of networks")
    parser.add_argument("--march", nargs="+", default=["x86-64-v3", "native"])
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--results", type=Path, help="JSON to write, such as docs/source_speed.json")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    rng = np.random.default_rng(0)
    rows = []
    for name, document in (networks() | exported(folder)).items():
        if options.only and name not in options.only:
            continue
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document))
        header = folder / f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}.hpp"
        written = export_source(path, header, namespace="net")
        for march in options.march:
            program = folder / f"{header.stem}-{march}"
            words = [options.compiler, "-std=c++17", "-O3", f"-march={march}", f"-I{ROOT / 'cpp' / 'include'}"]
            words += [f'-DNETWORK_HEADER="{header}"', f"-D{call(written, document)}"]
            subprocess.run(
                [*words, str(ROOT / "cpp" / "bench" / "source.cpp"), str(options.library), "-o", str(program)],
                check=True,
            )
            alone = folder / "alone.cpp"
            alone.write_text(f'#include "{header}"\n{ALONE}')
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            compiled = [*words[:4], words[-1], "-c", str(alone)]
            subprocess.run([*compiled, "-o", str(folder / "alone.o")], check=True)
            seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before  # of the processor
            for kind, values in events(
                name, sum(sizes(document)), np.random.default_rng(rng.integers(1 << 30))
            ).items():
                values.astype(np.float32).tofile(folder / "events")
                command = [program, path, folder / "events", str(options.blocks)]
                environment = os.environ | ({"HEPML_CPU": CPUS[march]} if march in CPUS else {})
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                row = {"network": name, "input": kind, "march": march, **json.loads(done.stdout)}
                row |= {
                    "header_mb": header.stat().st_size / 1e6,
                    "compile_s": seconds,
                    "memory_kb": written.memory / 1e3,
                }
                if row["difference"] > MOST_DIFFERENT:
                    sys.exit(f"{name}: differs from the library by {row['difference']}")
                rows.append(row)
                print(
                    f"{name:11} {kind:14} {march:9} library ({row['cpu']}) {row['library_us']:8.2f} us, source "
                    f"{row['source_us']:8.2f} us, ratio {row['ratio']:.3f} ({row['ratio_low']:.3f} to "
                    f"{row['ratio_high']:.3f}); {row['header_mb']:.2f} MB, compiled in {seconds:.1f} s",
                    flush=True,
                )
    if options.results:
        about = {"commit": commit(ROOT), "config": config_hash({"blocks": options.blocks}), "seed": 0}
        about |= {"machine": machine(), "compiler": f"{options.compiler} -O3"}
        write_json(options.results, {"about": about, "rows": rows}, overwrite=True)


if __name__ == "__main__":
    main()
