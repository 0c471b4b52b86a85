"""The peers that bench_inference.py finds on this machine, each built from cpp/bench/peers as a library of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nlohmann_json
import numpy as np
import onnxruntime

PEERS = Path(__file__).parents[1] / "cpp" / "bench" / "peers"
# Those that are built here need to be told the instructions; ONNX Runtime chooses at run time, as hepml does.
FLAGS = ["-std=c++17", "-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden"]
VERSION = r"project\(\s*\S+ VERSION (\d[\d.]+\d)"
GATES = {"gru": "zrh", "lstm": "ifco"}


@dataclass(frozen=True)
class Peer:
    """A peer that is there.

    Attributes:
        name: as in the record.
        version: of what was built, or what stands in its place.
        library: for cpp/bench/compare.
        write: makes the network in the peer's form from (network file, its path, folder), or None if it has none.
    """

    name: str
    version: str
    library: Path
    write: Callable[[dict[str, Any], Path, Path], Path | None]


class Places:
    """Folders of checkouts and installs, and where and for which instructions to build what is in them."""

    def __init__(self, folders: list[Path], out: Path, march: str) -> None:
        self.out, self.march = out, march
        nlohmann = Path(nlohmann_json.get_include())
        self.folders = [*folders, nlohmann, Path("/usr/local"), Path("/usr")]

    def include(self, name: str) -> Path:
        """The folder to include a header from."""
        for folder in self.folders:
            for part in ("", "include", "include/eigen3", "usr/include", "usr/include/eigen3"):
                if (folder / part / name).exists():
                    return folder / part
        raise FileNotFoundError(name)

    def includes(self, *names: str) -> list[str]:
        """Options of the compiler for headers, all of the system for it."""
        known = (Path("/usr/include"), Path("/usr/local/include"))  # of the compiler, in an order that matters
        folders = dict.fromkeys(self.include(name) for name in names)
        return [f"-isystem{folder}" for folder in folders if folder not in known]

    def beside(self, header: str, name: str) -> Path | None:
        """A file of the checkout that a header is from."""
        folder = self.include(header)
        return next((path for path in (folder / name, folder.parent / name) if path.exists()), None)

    def build(self, name: str, *options: str | Path) -> Path:
        """The library of a peer."""
        library = self.out / f"{name}.so"
        words = ["g++", *FLAGS, f"-march={self.march}", "-shared", PEERS / f"{name}.cpp", *options, "-o", library]
        subprocess.run([str(word) for word in words], check=True)
        return library


def found(pattern: str, path: Path | None) -> str:
    """The version that a file names."""
    match = re.search(pattern, path.read_text(encoding="utf-8")) if path else None
    return match[1] if match else "of unknown version"


def keras_model(file: dict[str, Any]) -> Any:
    """The network as a Keras model. Matrices of the file are transposed, the rest is in Keras' order."""
    import keras

    kinds = {"rectified": "relu"}
    made: list[Any] = []
    inputs, weights = [], []
    for node in file["nodes"]:
        if node["type"] in ("input", "input_sequence"):
            of = file["inputs" if node["type"] == "input" else "input_sequences"][node["sources"][0]]
            n = len(of["variables"])
            shape = of.get("shape") or ([of["steps"], n] if "steps" in of else [n])
            made.append(keras.Input(shape))
            inputs.append(made[-1])
            continue
        sources = [made[i] for i in node["sources"]]
        if node["type"] == "concatenate":
            made.append(keras.layers.Concatenate()(sources))
            continue
        layer = file["layers"][node["layer_index"]]
        kind = layer["architecture"]
        activation = kinds.get(layer.get("activation", "linear"), layer.get("activation", "linear"))
        if kind == "dense":
            one = keras.layers.Dense(len(layer["bias"]), activation)
            values = [np.reshape(layer["weights"], (len(layer["bias"]), -1)).T, layer["bias"]]
        elif kind == "conv2d":
            size = layer["kernel_size"]
            one = keras.layers.Conv2D(layer["filters"], size, padding=layer["padding"], activation=activation)
            values = [np.reshape(layer["weights"], (*size, -1, layer["filters"])), layer["bias"]]
        elif kind == "maxpooling2d":
            one, values = keras.layers.MaxPooling2D(layer["pool_size"], padding=layer["padding"]), []
        elif kind == "flatten":
            one, values = keras.layers.Flatten(), []
        else:
            parts = [layer["components"][gate] for gate in GATES[kind]]
            n = len(parts[0]["bias"])
            one = keras.layers.LSTM(n) if kind == "lstm" else keras.layers.GRU(n, reset_after="reset_after" in layer)
            kernel, recurrent = ([np.reshape(part[key], (n, -1)).T for part in parts] for key in ("weights", "U"))
            bias = np.concatenate([part["bias"] for part in parts])
            if "reset_after" in layer:
                bias = np.stack([bias, np.concatenate([part["recurrent_bias"] for part in parts])])
            values = [np.concatenate(kernel, axis=1), np.concatenate(recurrent, axis=1), bias]
        made.append(one(sources[0]))
        weights.append((one, values))
    for one, values in weights:
        one.set_weights([np.asarray(value, np.float32) for value in values])
    return keras.Model(inputs, made[-1])


def lwtnn_form(file: dict[str, Any], path: Path, folder: Path) -> Path | None:
    """The file itself, where lwtnn knows its layers."""
    known = all(one["architecture"] in ("dense", "gru", "lstm") for one in file["layers"])
    return path if known and not any("reset_after" in one for one in file["layers"]) else None


def rtneural_form(file: dict[str, Any], path: Path, folder: Path) -> Path | None:
    """The JSON of RTNeural's converter, for a chain of layers; its GRU is Keras' with reset_after."""
    first = file["layers"][0]
    kinds = {one["architecture"] for one in file["layers"]}
    if not kinds <= {"dense", "gru", "lstm"} or (first["architecture"] == "gru" and "reset_after" not in first):
        return None
    model, layers = keras_model(file), []
    for layer in model.layers[1:]:
        activation = getattr(layer.activation, "__name__", "") if type(layer).__name__ == "Dense" else ""
        record = {"type": type(layer).__name__.lower(), "activation": activation, "shape": [None, layer.units]}
        layers.append({**record, "weights": [values.tolist() for values in layer.get_weights()]})
    target = folder / f"{path.stem}.rtneural.json"
    target.write_text(json.dumps({"in_shape": model.input_shape, "layers": layers}))
    return target


def frugally_deep_form(converter: Path) -> Callable[[dict[str, Any], Path, Path], Path | None]:
    """What frugally-deep's own converter makes of the Keras model."""

    def write(file: dict[str, Any], path: Path, folder: Path) -> Path | None:
        target, model = (folder / f"{path.stem}.{end}" for end in ("fdeep.json", "keras"))
        keras_model(file).save(model)
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([sys.executable, converter, model, target], check=True, capture_output=True, env=environment)
        return target

    return write


def onnx_runtime(places: Places) -> Peer:
    """ONNX Runtime of PyPI, whose wheel has the library and not its header."""
    shared = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    options = [*places.includes("onnxruntime_c_api.h"), f'-DONNXRUNTIME_LIBRARY="{shared}"', "-ldl"]
    library = places.build("onnxruntime", *options)
    version = f"{onnxruntime.__version__}, C API, one thread"
    return Peer("ONNX Runtime", version, library, lambda file, path, folder: path.with_suffix(".onnx"))


def lwtnn(places: Places) -> Peer:
    """lwtnn, an install or sources that are compiled here."""
    header = "lwtnn/generic/FastGraph.hh"
    includes = places.includes(header, "Eigen/Dense", "boost/property_tree/ptree.hpp")
    version = found(VERSION, places.beside(header, "CMakeLists.txt"))
    if parser := places.beside(header, "src/parse_json.cxx"):
        sources = [one for one in parser.parent.glob("*.cxx") if not one.name.startswith(("lwtnn-", "test_"))]
        library = places.build("lwtnn", *includes, *sorted(sources))
        how = "FastGraph<float>"
    else:  # Eigen's types depend on the instructions: those of the install
        shared = places.beside(header, "lib/liblwtnn.so")
        if shared is None:
            raise FileNotFoundError("liblwtnn.so")
        options: list[str | Path] = [*includes, "-march=x86-64", shared, f"-Wl,-rpath,{shared.parent}"]
        library = places.build("lwtnn", *options)
        how = "FastGraph<float>, as installed"
    return Peer("lwtnn", f"{version}, {how}", library, lwtnn_form)


def frugally_deep(places: Places) -> Peer:
    """frugally-deep with its converter."""
    header = "fdeep/fdeep.hpp"
    converter = places.beside(header, "keras_export/convert_model.py")
    if converter is None:
        raise FileNotFoundError("keras_export/convert_model.py")
    includes = places.includes(header, "fplus/fplus.hpp", "Eigen/Dense", "nlohmann/json.hpp")
    version = found(VERSION, places.beside(header, "CMakeLists.txt"))
    return Peer("frugally-deep", version, places.build("frugally_deep", *includes), frugally_deep_form(converter))


def rtneural(places: Places) -> Peer:
    """RTNeural on Eigen, whose largest objects it puts on the stack."""
    includes = places.includes("RTNeural/RTNeural.h", "Eigen/Dense")
    macros = ["RTNEURAL_USE_EIGEN=1", "RTNEURAL_DEFAULT_ALIGNMENT=32", "EIGEN_STACK_ALLOCATION_LIMIT=0"]
    version = found(VERSION, places.beside("RTNeural/RTNeural.h", "CMakeLists.txt"))
    library = places.build("rtneural", *includes, *(f"-D{macro}" for macro in macros))
    return Peer("RTNeural", f"{version}, Eigen, sizes known to the compiler", library, rtneural_form)


def peers(folders: list[Path], out: Path, march: str) -> list[Peer]:
    """Those that can be built of what is there; for the others, a line that says what is missing."""
    places, there = Places(folders, out, march), []
    for make in (onnx_runtime, lwtnn, frugally_deep, rtneural):
        try:
            there.append(make(places))
        except FileNotFoundError as error:
            print(f"without {make.__name__}: no {error}", file=sys.stderr)
    return there
