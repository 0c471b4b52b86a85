"""The C++ side as its users meet it: its own tests, an install, a program that finds it, the two small programs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled import COMPILERS

import hepml

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "score"
ERRORS = """
#include <hepml/hepml.hpp>
#include <cstdio>

int main(int, char** argv) {
  const auto model = hepml::Model::load(argv[1]);
  try {
    hepml::Session(model).input("hll");
  } catch (const hepml::Error& error) {
    std::printf("%s %s\\n", error.nearest().front().c_str(), hepml::version());
  }
  try {
    hepml::Model::load("absent.json");
  } catch (const std::runtime_error& error) {
    std::printf("%s\\n", dynamic_cast<const hepml::Error*>(&error) != nullptr ? "Error" : "another");
  }
}
"""
# what the public headers declare, and nothing else
EXPORTED = re.compile(
    r"(hepml::(Error|Geometry|Grid|ImageMaker|Model|Monitor|Polynomials|Session|Tagger)::"
    r"|hepml::(all_finite|cpus|expand_hcal|hard_selection|high_level|isolation|mass|name|sigma_etaeta_log|summarise|version)"
    r"(\[abi:cxx11\])?\("
    r"|(typeinfo|typeinfo name|vtable) for hepml::Error$)"
)


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


def test_the_fuzzers_start_from_every_key_that_the_evaluator_reads():
    """Those that shorten() of cpp/fuzz/seeds.py leaves out are texts that nothing depends on."""
    schema = json.loads((ROOT / "hepml" / "export" / "schema" / "hepml-model-1.json").read_text())
    wanted = set(schema["$defs"]["hepml"]["properties"]) - {"model_id", "provenance"}
    files = list((ROOT / "cpp" / "fuzz" / "corpus").glob("*.json"))
    assert {key for file in files for key in json.loads(file.read_text()).get("hepml", {})} >= wanted
    quantities = ("sum", "maximum", "cells", "steps")
    text = (ROOT / "cpp" / "fuzz" / "corpus" / "monitored.json").read_text()
    assert all(f'"quantity":"{name}"' in text for name in quantities)
    assert '"variable":' in text


@pytest.mark.parametrize("n", [500, pytest.param(10000, marks=pytest.mark.slow)])
def test_no_preset_allocates(built, tmp_path, n):
    """Events of each of the published networks, every malloc of the process counted."""
    from hepml.export import export_model
    from hepml.models import PRESETS, InputSpec, build_model

    shapes = {"hl": (7,), "mass": (1,), "et": (31, 31, 1), "ht": (32, 32, 1)}
    files = []
    for name, preset in PRESETS.items():
        specs = [InputSpec(token, shapes[token]) for token in preset.features]
        files.append(tmp_path / f"{name}.json")
        export_model(build_model(specs, preset.settings, seed=1), files[-1], inputs=specs)
    done = run(built / "build" / "tests" / "test_allocation", n, *files)
    assert done.stdout.count(f": {n} events") == len(PRESETS) == 7


VALUES = ["0.25", "1", "-1", "0.5", "2", "0", "-0.125"]


def check_score(program, network):
    """The example gives the score of hepml.Evaluator, bit for bit."""
    score = run(program, network, *VALUES).stdout
    assert np.float32(score) == hepml.Evaluator(network)(np.float32([VALUES]))["output"][0, 0]


def consume(folder, cmake_dir, network, target="hepml::hepml"):
    lines = (EXAMPLE / "CMakeLists.txt").read_text()
    (folder / "CMakeLists.txt").write_text(lines.replace("hepml::hepml", target))
    shutil.copy(EXAMPLE / "score.cpp", folder)
    run(
        *(tool("cmake"), "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-Dhepml_DIR={cmake_dir}"),
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
    )
    run(tool("cmake"), "--build", folder / "build")
    check_score(folder / "build" / "score", network)


@pytest.mark.parametrize("target", ["hepml::hepml", "hepml::shared"])
def test_a_program_finds_an_install(built, network, tmp_path, target):
    (config,) = (built / "installed").rglob("hepmlConfig.cmake")
    consume(tmp_path, config.parent, network, target)


@pytest.mark.parametrize("target", ["hepml::hepml", "hepml::shared"])
def test_a_program_finds_the_package_from_pip(network, tmp_path, target):
    printed = run(sys.executable, "-m", "hepml", "--cmake-dir").stdout.strip()
    assert (Path(printed) / "hepmlConfig.cmake").is_file()
    consume(tmp_path, printed, network, target)


@pytest.mark.parametrize("name", ["hepml", "hepml-shared"])
def test_pkg_config(built, network, tmp_path, name):
    (file,) = (built / "installed").rglob(f"{name}.pc")
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if re.match(r"\w+=", line))
    values = {"pcfiledir": str(file.parent)}
    for key, value in lines.items():
        values[key] = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], value)
    fields = dict(line.split(": ", 1) for line in file.read_text().splitlines() if ": " in line)
    flags = {key: re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text).split() for key, text in fields.items()}
    program = tmp_path / "score"
    run("g++", "-std=c++17", EXAMPLE / "score.cpp", *flags["Cflags"], *flags["Libs"], "-o", program)
    check_score(program, network)
    assert fields["Version"] == hepml.__version__
    if pkg_config := shutil.which("pkg-config"):
        path = {**os.environ, "PKG_CONFIG_PATH": str(file.parent)}
        found = run(pkg_config, "--cflags", "--libs", name, env=path).stdout.split()
        assert sorted(map(os.path.normpath, found)) == sorted(map(os.path.normpath, flags["Cflags"] + flags["Libs"]))


def test_the_shared_library_shows_the_public_headers_and_nothing_else(built):
    (library,) = (path for path in (built / "installed").rglob("libhepml.so.*") if not path.is_symlink())
    lines = run("nm", "-D", "-C", "--defined-only", library).stdout.splitlines()
    names = [line.split(" ", 2)[2] for line in lines]
    assert [name for name in names if not EXPORTED.match(name)] == []
    for part in ("hepml::Session::run()", "hepml::Model::load(", "hepml::Tagger::operator()(", "hepml::version()"):
        assert any(name.startswith(part) for name in names), part
    version = ".".join(hepml.__version__.split(".")[:2])
    assert f"[libhepml.so.{version}]" in run("readelf", "-d", library).stdout


def test_exceptions_cross_the_boundary_of_the_shared_library(built, network, tmp_path):
    (library,) = (path for path in (built / "installed").rglob("libhepml.so") if path.is_symlink())
    (tmp_path / "main.cpp").write_text(ERRORS)
    flags = [f"-I{built / 'installed' / 'include'}", library, f"-Wl,-rpath,{library.parent}"]
    run("g++", "-std=c++17", tmp_path / "main.cpp", *flags, "-o", tmp_path / "errors")
    assert run(tmp_path / "errors", network).stdout.split() == ["hl", hepml.__version__, "Error"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_public_header_compiles_alone(compiler):
    include = ROOT / "cpp" / "include"
    headers = [path.relative_to(include) for path in include.rglob("*.h*")]
    headers = [path for path in headers if "generic" not in path.parts]  # they speak Eigen
    assert len(headers) > 15
    flags = ["-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{include}", "-fsyntax-only", "-xc++", "-"]
    for header in headers:
        run(compiler, "-std=c++17", *flags, input=f"#include <{header}>\n#include <{header}>\n")
    run(compiler, "-std=c++20", *flags, input="".join(f"#include <{header}>\n" for header in headers))


def test_public_headers_need_only_the_standard_library(built):
    headers = sorted((built / "installed").rglob("include/hepml/*.hpp"))
    assert [header.name for header in headers if header.name == "hepml.hpp"]
    for header in headers:
        for line in header.read_text().splitlines():
            if line.startswith("#include"):
                assert line.startswith("#include <hepml/") or "." not in line, f"{header.name}: {line}"


def programs(built):
    """hepml-run and hepml-bench, of the install and of the package."""
    folders = [built / "installed" / "bin", Path(sys.executable).parent]
    return [folder / f"hepml-{name}" for folder in folders for name in ("run", "bench")]


def test_the_programs_explain_themselves(built, network):
    for program in programs(built):
        assert run(program, "--version").stdout == f"{program.name} {hepml.__version__}\n"
        for option in ("--help", "-h"):
            assert run(program, option).stdout.startswith(f"usage: {program.name} net.json")
        for wrong in (["--nonsense", network], [], [network, "1", "2"]):
            done = subprocess.run([program, *wrong], capture_output=True, text=True, check=False, input="")
            assert (done.returncode, done.stdout) == (2, "")
            assert f"usage: {program.name}" in done.stderr


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
