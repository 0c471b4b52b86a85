"""Time hepml's evaluator against the peers that are on this machine, one event on one thread.

    python scripts/bench_inference.py --library build/libhepml.a FOLDER... [--data data.h5]

All answer the same events in turn in one program, and the outputs of all are compared. A FOLDER is a checkout or an
install of something that a peer needs; a peer that lacks something is left out:

    ONNX Runtime    the package of PyPI, and onnxruntime_c_api.h of this or an older version
    lwtnn           its sources or an install, Eigen, headers of Boost
    frugally-deep   its sources, with the converter, FunctionalPlus, Eigen
    RTNeural        its sources, Eigen

Networks have random weights, or those that networks.py draws, and each peer gets those that it can express. With --data
the convolutional network sees its images too, electrons and jets apart. The results replace those of the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from bench_peers import FLAGS, peers
from machine import commit, machine
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hepml.evaluator import cpus
from hepml.ledger import config_hash, write_json

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "cpp" / "bench"))
from chains import GATES, deep, mnist, recurrent, unscaled  # noqa: E402
from networks import network  # noqa: E402

OCCUPANCIES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
ROUNDS = {"et_and_ht": 100}
# hepml's instructions, and what the peers that do not choose for themselves are built for
CPUS = (("avx512", "native"), ("avx2", "x86-64-v3"))
MOST_DIFFERENT = 1e-6
ONNX_GATES = {"gru": "zrh", "lstm": "iofc"}
CELL = {"weights": 6, "U": 25}
PADDINGS = {"same": "SAME_UPPER", "valid": "VALID"}


class Translation:
    """A network file of dense layers, convolutions, poolings, recurrent layers and concatenations as an ONNX graph."""

    def __init__(self, file: dict[str, Any]) -> None:
        self.file = file
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        # of a node: the name of its tensor, its image's shape if it is one, and where each element of the ONNX vector
        # stands in the file's, which has the channels last
        self.made: list[tuple[str, tuple[int, int, int] | None, NDArray[np.int64]]] = []

    def constant(self, values: NDArray[np.float32]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def axis_0(self) -> str:
        self.weights.append(numpy_helper.from_array(np.array([0], np.int64), "axis_0"))
        return "axis_0"

    def layer(self, layer: dict[str, Any], source: int) -> None:
        name, shape, order = self.made[source]
        kind = layer["architecture"]
        if kind == "dense":
            kernel = np.reshape(np.array(layer["weights"], np.float32), (len(layer["bias"]), -1))[:, order]
            bias = np.array(layer["bias"], np.float32)
            name = self.add("Gemm", [name, self.constant(kernel.T), self.constant(bias)])
            shape, order = None, np.arange(len(bias))
        elif kind == "conv2d":
            assert shape is not None
            kernel = np.reshape(np.array(layer["weights"], np.float32), (*layer["kernel_size"], shape[2], -1))
            bias = np.array(layer["bias"], np.float32)
            inputs = [name, self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias)]
            name = self.add("Conv", inputs, kernel_shape=layer["kernel_size"], auto_pad=PADDINGS[layer["padding"]])
            lost = [size - 1 if layer["padding"] == "valid" else 0 for size in layer["kernel_size"]]
            shape = (shape[0] - lost[0], shape[1] - lost[1], layer["filters"])
        elif kind == "maxpooling2d":
            assert shape is not None
            name = self.add("MaxPool", [name], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
            shape = ((shape[0] + 1) // 2, (shape[1] + 1) // 2, shape[2])
        elif kind in GATES:
            parts = [layer["components"][gate] for gate in ONNX_GATES[kind]]
            matrices = [np.array([part[key] for part in parts], np.float32).reshape(-1, n) for key, n in CELL.items()]
            bias = np.array([part["bias"] for part in parts], np.float32).ravel()
            after = "reset_after" in layer
            of_state = np.array([part["recurrent_bias"] for part in parts]).ravel() if after else np.zeros_like(bias)
            last = f"h{len(self.nodes)}"
            steps_first = self.add("Transpose", [name], perm=[1, 0, 2])
            inputs = [steps_first, *(self.constant(m[None]) for m in matrices)]
            inputs.append(self.constant(np.concatenate([bias, of_state])[None]))
            extra = {"linear_before_reset": 1} if after else {}
            self.nodes.append(helper.make_node(kind.upper(), inputs, ["", last], hidden_size=25, **extra))
            name = self.add("Squeeze", [last, self.axis_0()])
            shape, order = None, np.arange(25)
        else:
            assert kind == "flatten"
            assert shape is not None
            name = self.add("Flatten", [name])
            order, shape = np.arange(int(np.prod(shape))).reshape(shape).transpose(2, 0, 1).ravel(), None
        activation = {"rectified": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}.get(layer.get("activation", ""))
        self.made.append((self.add(activation, [name]) if activation else name, shape, order))

    def model(self) -> Any:
        """The whole model."""
        inputs = []
        for node in self.file["nodes"]:
            if node["type"] == "input":
                item = self.file["inputs"][node["sources"][0]]
                shape = tuple(item["shape"]) if "shape" in item else None
                n = len(item["variables"])
                dims = [1, shape[2], *shape[:2]] if shape else [1, n]
                inputs.append(helper.make_tensor_value_info(item["name"], TensorProto.FLOAT, dims))
                self.made.append((item["name"], shape, np.arange(n)))
            elif node["type"] == "input_sequence":
                item = self.file["input_sequences"][node["sources"][0]]
                dims = [1, item["steps"], len(item["variables"])]
                inputs.append(helper.make_tensor_value_info(item["name"], TensorProto.FLOAT, dims))
                self.made.append((item["name"], None, np.arange(0)))
            elif node["type"] == "concatenate":
                parts = [self.made[i] for i in node["sources"]]
                starts = np.cumsum([0, *(len(order) for _, _, order in parts)])
                order = np.concatenate([start + part[2] for start, part in zip(starts, parts, strict=False)])
                self.made.append((self.add("Concat", [part[0] for part in parts], axis=1), None, order))
            else:
                self.layer(self.file["layers"][node["layer_index"]], node["sources"][0])
        self.nodes[-1].output[0] = "output"
        output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, len(self.made[-1][2])])
        graph = helper.make_graph(self.nodes, "network", inputs, [output], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def images(data: Path, label: int, n: int) -> NDArray[np.float32]:
    """Events of et and ht from a data.h5, held out ones of one label, on the scale of the network."""
    from hepml.dataset import Dataset

    dataset = Dataset.open(data)
    chosen = np.flatnonzero(dataset.y("test") == label)[:n]
    parts = [0.05 * dataset.raw(token, "test")[chosen].reshape(len(chosen), -1) for token in ("et", "ht")]
    return np.concatenate(parts, axis=1).astype(np.float32)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", help="checkouts and installs for the peers")
    parser.add_argument("--library", type=Path, required=True, help="libhepml.a")
    parser.add_argument("--data", type=Path, help="a data.h5 with et and ht")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "inference_speed.json")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp())
    program = folder / "compare"
    words = ["g++", "-std=c++17", "-O2", f"-I{ROOT / 'cpp' / 'include'}", ROOT / "cpp" / "bench" / "compare.cpp"]
    subprocess.run([str(word) for word in (*words, options.library, "-ldl", "-o", program)], check=True)

    files = {
        "et_and_ht": unscaled(network("et_and_ht")),
        "hl": unscaled(network("hl")),
        "HIGGS deep": deep(28, 5, 300),
        "MNIST": mnist(),
        "GRU": recurrent("gru"),
        "GRU, reset after": recurrent("gru", reset_after=True),
        "LSTM": recurrent("lstm"),
    }
    for name, file in files.items():
        (folder / f"{name}.json").write_text(json.dumps(file))
        onnx.save(Translation(file).model(), folder / f"{name}.onnx")
    pixels = 31 * 31 + 32 * 32
    runs: list[tuple[str, str, NDArray[np.float32]]] = [
        ("hl", "normal", rng.normal(size=(64, 7)).astype(np.float32)),
        ("HIGGS deep", "normal", rng.normal(size=(64, 28)).astype(np.float32)),
        ("MNIST", "uniform", rng.random((64, 784)).astype(np.float32)),
        ("GRU", "normal", rng.normal(size=(64, 90)).astype(np.float32)),
        ("GRU, reset after", "normal", rng.normal(size=(64, 90)).astype(np.float32)),
        ("LSTM", "normal", rng.normal(size=(64, 90)).astype(np.float32)),
    ]
    for occupancy in OCCUPANCIES:
        values = rng.exponential(size=(32, pixels)) * (rng.random((32, pixels)) < occupancy)
        runs.append(("et_and_ht", f"occupancy {occupancy:g}", values.astype(np.float32)))
    if options.data:
        for label, kind in ((1, "electrons"), (0, "jets")):
            runs.append(("et_and_ht", kind, images(options.data, label, 256)))
    rows = []
    for cpu, march in CPUS[-1:] if cpus()[0] == "avx2" else CPUS:
        (folder / march).mkdir()
        there = peers(options.folders, folder / march, march)
        forms = {
            (name, peer.name): peer.write(file, folder / f"{name}.json", folder / march)
            for name, file in files.items()
            for peer in there
        }
        for name, kind, values in runs:
            values.tofile(folder / "events")
            rounds = str(min(options.rounds, ROUNDS.get(name, options.rounds)))
            command: list[str | Path] = [program, folder / f"{name}.json", folder / "events", rounds]
            for peer in there:
                if form := forms[name, peer.name]:
                    command += [peer.name, peer.library, form]
            environment = os.environ | {"HEPML_CPU": cpu}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr}")
            row = {"network": name, "input": kind, **json.loads(done.stdout)}
            for one, measured in row["peers"].items():
                if measured["difference"] > MOST_DIFFERENT:
                    sys.exit(f"{name}: differs from {one} by {measured['difference']}")
            occupied = {"occupied": float(np.mean(values != 0))} if name == "et_and_ht" else {}
            rows.append(row | occupied)
            others = ", ".join(f"{one} {part['us']:.2f} ({part['ratio']:.2f})" for one, part in row["peers"].items())
            print(f"{row['cpu']:7} {name:16} {kind:15} {row['hepml_us']:9.2f} us; {others}", flush=True)
    about = {
        "commit": commit(ROOT),
        "config": config_hash({"occupancies": list(OCCUPANCIES), "rounds": options.rounds, "flags": FLAGS}),
        "seed": 0,
        "machine": machine(),
        "load": round(os.getloadavg()[1], 1),
        "peers": {peer.name: peer.version for peer in there},
    }
    known = json.loads(options.results.read_text())["runs"] if options.results.exists() else []
    elsewhere = [run for run in known if run["about"]["machine"] != about["machine"]]
    write_json(options.results, {"runs": [*elsewhere, {"about": about, "rows": rows}]}, overwrite=True)


if __name__ == "__main__":
    main()
