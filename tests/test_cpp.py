"""The C++ side as its users meet it: its own tests, an install, a program that finds it, the two small programs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hepml

ROOT = Path(__file__).parents[1]
PROGRAM = """
#include <hepml/hepml.hpp>
#include <cstdio>

int main(int, char** argv) {
  const auto model = hepml::Model::load(argv[1]);
  hepml::Session session(model);
  for (float& value : session.input("hl")) value = 0.25F;
  const auto score = session.run();
  std::printf("%s %.9g %s\\n", hepml::version(), static_cast<double>(score[0]), model.cpu());
  try {
    session.input("hll");
  } catch (const hepml::Error& error) {
    std::printf("%s\\n", error.nearest().front().c_str());
  }
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES CXX)
find_package(hepml REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE hepml::hepml)
"""


def tool(name):
    """A program from PyPI, beside the Python that runs the tests, or on the path."""
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    assert found is not None, f"{name} is missing: pip install 'hepml[test]'"
    return found


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The library, its tests and its programs, built as on any machine, warnings being errors."""
    folder = tmp_path_factory.mktemp("cpp")
    run(
        *(tool("cmake"), "-S", ROOT / "cpp", "-B", folder / "build", "-G", "Ninja"),
        *(f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", f"-DPython_EXECUTABLE={sys.executable}"),
        *("-DHEPML_TESTS=ON", "-DHEPML_APPS=ON", "-DHEPML_LWTNN=ON", "-DCMAKE_CXX_FLAGS=-Werror"),
        f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}",
    )
    run(tool("cmake"), "--build", folder / "build", "--parallel", "2")
    run(tool("cmake"), "--install", folder / "build")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small network file with the input hl: score = sigmoid(sum / 7)."""
    variables = [{"name": name, "offset": 0.0, "scale": 1.0} for name in hepml.FEATURE_NAMES]
    layer = {"architecture": "dense", "weights": [1 / 7] * 7, "bias": [0.0], "activation": "sigmoid"}
    record = {
        "inputs": [{"name": "hl", "variables": variables}],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 7},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
        ],
        "layers": [layer],
        "outputs": {"output": {"labels": ["signal"], "node_index": 1}},
    }
    path = tmp_path_factory.mktemp("network") / "net.json"
    path.write_text(json.dumps(record))
    return path


def test_its_own_tests_pass(built):
    done = run(tool("ctest"), "--test-dir", built / "build", "--output-on-failure", "--parallel", "2")
    assert "100% tests passed" in done.stdout


def test_no_preset_allocates(built, tmp_path):
    """10,000 events of each of the published networks, every malloc of the process counted."""
    from hepml.export import export_model
    from hepml.models import PRESETS, InputSpec, build_model

    shapes = {"hl": (7,), "mass": (1,), "et": (31, 31, 1), "ht": (32, 32, 1)}
    files = []
    for name, preset in PRESETS.items():
        specs = [InputSpec(token, shapes[token]) for token in preset.features]
        files.append(tmp_path / f"{name}.json")
        export_model(build_model(specs, preset.settings, seed=1), files[-1], inputs=specs)
    done = run(built / "build" / "tests" / "test_allocation", *files)
    assert done.stdout.count(": 10000 events") == len(PRESETS) == 7


def consume(folder, cmake_dir, network):
    (folder / "main.cpp").write_text(PROGRAM)
    (folder / "CMakeLists.txt").write_text(CMAKE)
    run(
        *(tool("cmake"), "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-Dhepml_DIR={cmake_dir}"),
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
    )
    run(tool("cmake"), "--build", folder / "build")
    version, score, cpu, nearest = run(folder / "build" / "consumer", network).stdout.split()
    ev = hepml.Evaluator(network)
    assert version == hepml.__version__
    assert np.float32(score) == ev(np.full((1, 7), 0.25))["output"][0, 0]
    assert (cpu, nearest) == (ev.cpu, "hl")


def test_a_program_finds_an_install(built, network, tmp_path):
    (config,) = (built / "installed").rglob("hepmlConfig.cmake")
    consume(tmp_path, config.parent, network)


def test_a_program_finds_the_package_from_pip(network, tmp_path):
    printed = run(sys.executable, "-m", "hepml", "--cmake-dir").stdout.strip()
    assert (Path(printed) / "hepmlConfig.cmake").is_file()
    consume(tmp_path, printed, network)


def test_pkg_config(built, network, tmp_path):
    (file,) = (built / "installed").rglob("hepml.pc")
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and " " not in line)
    prefix = lines["prefix"].replace("${pcfiledir}", str(file.parent))
    flags = [f"-{k}{lines[v].replace('${prefix}', prefix)}" for k, v in (("I", "includedir"), ("L", "libdir"))]
    (tmp_path / "main.cpp").write_text(PROGRAM)
    run("g++", "-std=c++17", tmp_path / "main.cpp", *flags, "-lhepml", "-o", tmp_path / "consumer")
    assert run(tmp_path / "consumer", network).stdout.startswith(hepml.__version__)


def test_public_headers_need_only_the_standard_library(built):
    headers = sorted((built / "installed").rglob("include/hepml/*.hpp"))
    assert [header.name for header in headers if header.name == "hepml.hpp"]
    for header in headers:
        for line in header.read_text().splitlines():
            if line.startswith("#include"):
                assert line.startswith("#include <hepml/") or "." not in line, f"{header.name}: {line}"


def test_hepml_run_scores_lines(built, network):
    program = built / "installed" / "bin" / "hepml-run"
    rows = np.random.default_rng(3).normal(size=(5, 7)).astype(np.float32)
    expected = hepml.Evaluator(network)(rows)["output"][:, 0]
    lines = [",".join(f"{value:.9g}" for value in row) for row in rows]
    done = run(program, network, input="\n".join(lines))
    assert done.stdout.splitlines()[0] == "output.signal"
    assert np.array_equal(np.float32(done.stdout.split()[1:]), expected)
    names = list(hepml.FEATURE_NAMES)
    header = " ".join(names[::-1])
    reversed_lines = [" ".join(line.split(",")[::-1]) for line in lines]
    done = run(program, network, input="\n".join([header, *reversed_lines]))
    assert np.array_equal(np.float32(done.stdout.split()[1:]), expected)
    for text, words in [
        ("1,2,3", ["line 1", "expected: 7"]),
        (lines[0] + "x", ["not a number"]),
        ("a b", ["hl.r_had"]),
    ]:
        done = subprocess.run([program, network], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert all(word in done.stderr for word in words)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("r_had w_eta2", ["leaves out variables", "hl.r_phi, hl.r_eta"]),
        ("r_had r_had r_phi r_eta sigma_etaeta iso_03 iso_04", ["names a variable twice", "r_had"]),
        ("r_had hl.r_had r_phi r_eta sigma_etaeta iso_03 iso_04", ["names a variable twice", "hl.r_had"]),
    ],
)
def test_hepml_run_refuses_a_header_that_is_not_whole(built, network, header, words):
    program = built / "installed" / "bin" / "hepml-run"
    text = header + "\n" + " ".join(["1"] * len(header.split()))
    done = subprocess.run([program, network], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_hepml_run_takes_sequences_of_fixed_steps(built, tmp_path):
    program = built / "installed" / "bin" / "hepml-run"
    variables = [{"name": name, "offset": 0, "scale": 1} for name in ("pt", "eta")]
    record = {
        "inputs": [],
        "input_sequences": [{"name": "s", "steps": 3, "variables": variables}],
        "nodes": [
            {"type": "input_sequence", "sources": [0], "size": 2},
            {"type": "layer", "sources": [0], "layer_index": 0},
        ],
        "layers": [{"architecture": "reverse"}],
        "outputs": {"y": {"labels": ["pt", "eta"], "node_index": 1}},
    }
    path = tmp_path / "net.json"
    path.write_text(json.dumps(record))
    assert run(program, path, input="1,2,3,4,5,6").stdout.split()[-1] == "5,6,3,4,1,2"
    named = "s.2.pt,2.eta,1.pt,1.eta,0.pt,0.eta\n1,2,3,4,5,6"
    assert run(program, path, input=named).stdout.split()[-1] == "1,2,3,4,5,6"


def test_hepml_run_says_that_a_line_is_no_sequence(built, tmp_path):
    program = built / "installed" / "bin" / "hepml-run"
    record = {
        "inputs": [],
        "input_sequences": [{"name": "s", "variables": [{"name": "a", "offset": 0, "scale": 1}]}],
        "nodes": [{"type": "input_sequence", "sources": [0], "size": 1}, {"type": "sum", "sources": [0]}],
        "layers": [],
        "outputs": {"y": {"labels": ["a"], "node_index": 1}},
    }
    (tmp_path / "net.json").write_text(json.dumps(record))
    done = subprocess.run([program, tmp_path / "net.json"], input="1", capture_output=True, text=True, check=False)
    assert (done.returncode, "'s' is a sequence" in done.stderr) == (1, True)


def test_hepml_bench_measures(built, network):
    measured = json.loads(run(built / "installed" / "bin" / "hepml-bench", network, "50").stdout)
    assert measured["events"] == 50
    assert measured["parameters"] == 8
    assert 0 < measured["p10_us"] <= measured["median_us"] <= measured["p99_us"]


def test_the_networks_of_lwtnns_own_tests_through_its_interface(built, shared):
    program = built / "build" / "tests" / "lwtnn_patterns"
    records = json.loads((shared / "lwtnn" / "upstream" / "index.json").read_text())
    kinds = {"graph": "graph", "graphscan": "graph", "seq": "sequential", "rnn": "recurrent"}
    for record in records:
        folder = shared / "lwtnn" / "upstream" / record["name"]
        done = run(program, kinds[record["kind"]], folder / "lwtnn.json").stdout
        found = {}
        for line in done.splitlines():
            output, label, *values = line.split("\t")
            found.setdefault(output, {})[label.removesuffix(":")] = np.array(values, float)
        expected = json.loads((folder / "official_expected.json").read_text())
        nested = expected if kinds[record["kind"]] == "graph" else {"": expected}
        assert {name.removesuffix(":") for name in nested} == set(found), record["name"]
        for name, labels in nested.items():
            for label, right in labels.items():
                values = found[name.removesuffix(":")][label.removesuffix(":")]
                scale = np.maximum(1, np.abs(right))
                assert np.all(np.abs(values - np.array(right, ndmin=1)) <= 1e-5 * scale), (record["name"], label)
