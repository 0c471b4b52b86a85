"""The library as one header: it compiles without a warning, and its scores are those of the library, bit for bit."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nlohmann_json
import numpy as np
import pytest
from compiled import COMPILERS
from sklearn.ensemble import GradientBoostingClassifier

import hepml
from hepml.evaluator import cpus
from hepml.geometry import PAPER

ROOT = Path(__file__).parents[1]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
# With the instructions of this processor everywhere, code that must not use them is to stay as it is.
FLAGS = [["-std=c++17", "-O2"], ["-std=c++20", "-O3", "-march=native"]]
# towers.bin of examples/trigger in, a line of bits for each event: score and what the network saw
TOWERS = """
#include <hepml/hepml.hpp>

#include <cstdio>

#include "events.hpp"

int main(int, char** argv) {
  const auto model = hepml::Model::load(argv[1]);
  hepml::Tagger tagger(model);
  const auto events = Events::read(argv[2]);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& object = events.object(i);
    const float score = tagger(events.ecal(i), events.hcal(i), object.eta, object.phi);
    std::printf("%a", static_cast<double>(score));
    for (std::size_t k = 0; k < model.inputs().size(); ++k) {
      for (const float value : tagger.session().input(k)) std::printf(" %a", static_cast<double>(value));
    }
    std::printf("\\n");
  }
}
"""


def script(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    path = tmp_path_factory.mktemp("vendored") / "hepml" / "hepml.hpp"
    path.parent.mkdir()
    run(sys.executable, ROOT / "scripts" / "single_header.py", path)
    return path


# clang makes other choices of a * b + c in the kernels
@pytest.fixture(scope="module", params=[(name, flags) for name in COMPILERS for flags in FLAGS], ids=str)
def programs(request, header, tmp_path_factory):
    """The example and a program for towers, each linked with the one file that has the implementation."""
    compiler, flags = request.param
    folder = tmp_path_factory.mktemp("built") / compiler
    folder.mkdir()
    (folder / "hepml.cpp").write_text("#define HEPML_IMPLEMENTATION\n#include <hepml/hepml.hpp>\n")
    (folder / "towers.cpp").write_text(TOWERS)
    words = [compiler, *flags, *WARNINGS, f"-I{header.parents[1]}"]
    run(*words, "-isystem", nlohmann_json.get_include(), "-c", folder / "hepml.cpp", "-o", folder / "hepml.o")
    for source in (ROOT / "examples" / "score" / "score.cpp", folder / "towers.cpp"):
        include = f"-I{ROOT / 'examples' / 'trigger'}"
        run(*words, include, source, folder / "hepml.o", "-o", folder / source.stem)
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Files of one input each."""
    folder = tmp_path_factory.mktemp("networks")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "cpp" / "bench")
        chains, presets = (script(ROOT / "cpp" / "bench" / f"{name}.py") for name in ("chains", "networks"))
    files = {"dense": presets.network("hl"), "images": chains.mnist(), "gru": chains.recurrent("gru")}
    for name, file in files.items():
        (folder / f"{name}.json").write_text(json.dumps(file))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 5))
    trees = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, x[:, 0] * x[:, 1] > 0)
    hepml.export_model(trees, folder / "trees.json")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("name", ["dense", "images", "gru", "trees"])
def test_the_example_gives_the_scores_of_the_library(programs, networks, name, cpu):
    evaluator = hepml.Evaluator(networks[name], cpu=cpu)
    (record,) = evaluator.inputs
    values = np.random.default_rng(2).normal(size=(3, *record.shape)).astype(np.float32)
    expected = next(iter(evaluator(values).values()))
    assert len(np.unique(expected[:, 0])) == 3
    for event, scores in zip(values, expected, strict=True):
        words = [f"{value:.9g}" for value in event.ravel()]
        found = run(programs / "score", networks[name], *words, env={**os.environ, "HEPML_CPU": cpu})
        found = np.array(found.split(), np.float32)
        if programs.name == "g++":  # which built the library
            assert np.array_equal(found, scores)
        assert np.abs(found - scores).max() <= 1e-6


def test_towers_give_the_images_and_variables_of_the_library(programs, sample, tmp_path):
    """Whatever the compiler may do with a * b + c."""
    variables = [{"name": name, "offset": 0.0, "scale": 1.0} for name in hepml.FEATURE_NAMES]
    image = {"shape": [31, 31, 1], "offset": 0.0, "scale": 1.0, "variables": []}
    mass = {"name": "mass", "variables": [{"name": "mass", "offset": 0.0, "scale": 1.0}]}
    weights = np.random.default_rng(3).normal(scale=0.01, size=961 + 7 + 1).tolist()
    record = {
        "inputs": [{"name": "et", **image}, {"name": "hl", "variables": variables}, mass],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 961},
            {"type": "input", "sources": [1], "size": 7},
            {"type": "input", "sources": [2], "size": 1},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
            {"type": "concatenate", "sources": [3, 1, 2]},
            {"type": "feed_forward", "sources": [4], "layer_index": 1},
        ],
        "layers": [
            {"architecture": "flatten"},
            {"architecture": "dense", "weights": weights, "bias": [0.1], "activation": "sigmoid"},
        ],
        "outputs": {"output": {"labels": ["signal"], "node_index": 5}},
        "hepml": {"format_version": 1, "model_id": "abc", "geometry": PAPER.to_dict(), "thresholds": []},
    }
    (tmp_path / "net.json").write_text(json.dumps(record))
    n = script(ROOT / "examples" / "trigger" / "towers.py").write(str(sample["electrons"]), tmp_path / "towers.bin")
    lines = run(programs / "towers", tmp_path / "net.json", tmp_path / "towers.bin").splitlines()
    found = np.array([[float.fromhex(word) for word in line.split()] for line in lines], np.float32)
    candidates = hepml.select_candidates(hepml.open_events(sample["electrons"]))
    images = hepml.make_images(candidates)
    given = {
        "et": images.ecal_et,
        "hl": hepml.high_level(images),
        "mass": hepml.mass(images)[:, None].astype(np.float32),
    }
    score = hepml.Evaluator(tmp_path / "net.json")(given)["output"]
    assert len(found) == n > 1000
    inputs = np.concatenate([array.reshape(n, -1) for array in given.values()], axis=1).astype(np.float32)
    assert np.array_equal(found[:, 1:], inputs)
    assert np.abs(found[:, :1] - score).max() <= 1e-6


def test_the_header_is_whole_and_the_same_each_time(header, tmp_path):
    text = header.read_text()
    run(sys.executable, ROOT / "scripts" / "single_header.py", tmp_path / "again.hpp")
    assert (tmp_path / "again.hpp").read_text() == text
    assert text.startswith(f"// hepml {hepml.__version__},")
    for line in (ROOT / "LICENSE").read_text().splitlines():
        assert f"// {line}".rstrip() + "\n" in text
    declared, defined = text.split("#if defined(HEPML_IMPLEMENTATION)", 1)
    includes = [re.findall(r"^#include (.*)$", part, re.M) for part in (declared, defined)]
    assert all(re.fullmatch(r"<[a-z_]+>", name) for name in includes[0])
    others = {name for name in includes[1] if not re.fullmatch(r"<[a-z_]+>", name)}
    assert others == {"<immintrin.h>", "<nlohmann/json.hpp>"}
