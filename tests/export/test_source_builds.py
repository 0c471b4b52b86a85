"""Generated C++ source in other people's builds: it needs nothing, raises nothing, and mixes with other networks."""

import importlib.util
import re
import subprocess
import sys

import pytest
from compiled import COMPILERS, WARNINGS, Compiled, chain, events, randomised
from keras import layers as kl

import hepml

LARGEST = {"everything": "1e30F", "further": "1e6F"}  # the second has powers
FLAGS = ["", "-march=x86-64-v3", "-march=x86-64-v4", "-DHEPML_SOURCE_PLAIN"]


@pytest.mark.parametrize("name", LARGEST)
def test_no_floating_point_exception(name, request, tmp_path):
    """At large numbers, where overflow, division by zero and invalid operations would trap."""
    hepml.export_source(request.getfixturevalue(name), tmp_path / "net.hpp")
    (tmp_path / "net.cpp").write_text(
        "#include <cfenv>\n#include <cstdio>\n"
        '#include "net.hpp"\n'
        "int main() {\n"
        "  static net::Network network;\n"
        "  static float image[net::image_size], steps[5 * net::steps_size], y[net::output_size];\n"
        "  std::feclearexcept(FE_ALL_EXCEPT);\n"
        f"  const float values[] = {{{LARGEST[name]}, -{LARGEST[name]}, 0.0F, 1e-38F}};\n"
        "  for (float value : values) {\n"
        "    for (float& x : image) x = value;\n"
        "    for (float& x : steps) x = -value;\n"
        "    if (network.run(image, steps, 5, y) != net::Status::ok) return 1;\n"
        "  }\n"
        "  return std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) == 0 ? 0 : 2;\n"
        "}\n"
    )
    words = ["g++", "-std=c++17", "-O2", str(tmp_path / "net.cpp"), "-o", str(tmp_path / "net")]
    subprocess.run(words, check=True)
    assert subprocess.run([str(tmp_path / "net")], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "compiler", "flags"),
    [*(("everything", compiler, flags) for compiler in COMPILERS for flags in FLAGS), ("further", "g++", "")],
)
def test_it_needs_nothing_and_changes_nothing(name, compiler, flags, request, tmp_path):
    hepml.export_source(request.getfixturevalue(name), tmp_path / "net.hpp")
    text = (tmp_path / "net.hpp").read_text()
    assert set(re.findall(r"#include (\S+)", text)) == {"<cstddef>", "<cstdint>"}
    (tmp_path / "net.cpp").write_text(
        '#include "net.hpp"\n'
        "void run(net::Network& network, const float* a, const float* b, float* y) { network.run(a, b, 9, y); }\n"
        "struct Made { net::Network network; };\n"
        "bool check(Made& made) { return net::reproduces_reference(made.network); }\n"
        "static_assert(sizeof(net::Network) < 100000);\n"
    )
    words = [compiler, "-std=c++17", "-O1", *WARNINGS, "-ffreestanding", "-fno-exceptions", "-c"]
    words += [*flags.split(), str(tmp_path / "net.cpp"), "-o", str(tmp_path / "net.o")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    symbols = subprocess.run(["nm", str(tmp_path / "net.o")], capture_output=True, text=True, check=True).stdout
    kinds = [line.split()[-2:] for line in symbols.splitlines()]
    assert {name for kind, name in kinds if kind == "U"} <= {"memcpy", "memset"}
    # no variable: an object for each thread is enough
    assert not [name for kind, name in kinds if kind in "bBdD" and not name.startswith("__")]


def test_networks_of_one_namespace_do_not_mix(tmp_path):
    both = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        hepml.export_model(randomised(chain((3,), kl.Dense(2)), seed), folder / "net.json")
        both.append(Compiled(folder / "net.json", folder))
    given = events(both[0].evaluator)
    for compiled in both:
        compiled.compare(given)


@pytest.mark.skipif(importlib.util.find_spec("ROOT") is None, reason="needs ROOT's interpreter: pip install --pre root")
@pytest.mark.parametrize("name", LARGEST)
def test_it_can_be_included_in_root(name, request, tmp_path):
    network = request.getfixturevalue(name)
    hepml.export_source(network, tmp_path / "net.hpp")
    given = events(evaluator := hepml.Evaluator(network), n=1)
    numbers = {name: ", ".join(map(repr, array.ravel().tolist())) for name, array in given.items()}
    (tmp_path / "macro.py").write_text(
        "import ROOT\n"
        "assert ROOT.gInterpreter.Declare('#include \"net.hpp\"')\n"
        "ROOT.gInterpreter.Declare('''float score() {\n"
        "  static net::Network network;\n"
        f"  const float image[] = {{{numbers['image']}}}, steps[] = {{{numbers['steps']}}};\n"
        "  float output[3];\n"
        "  network.run(image, steps, 5, output);\n"
        "  return output[1];\n"
        "}''')\n"
        "good = 'bool good() { static net::Network network; return net::reproduces_reference(network); }'\n"
        "assert ROOT.gInterpreter.Declare(good)\n"
        "assert ROOT.good()\n"
        "print(ROOT.score())\n"
    )
    words = [sys.executable, "-W", "ignore", "macro.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = evaluator(given)["output"][0]
    assert abs(float(done.stdout.splitlines()[-1]) - expected[1]) <= 1e-6 * max(1, *map(abs, expected))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("width", [4, 8, 16, "plain"])
def test_sanitizers_find_nothing(width, compiler, everything, tmp_path):
    """Address and undefined behaviour, with memory that ends where an array does."""
    hepml.export_source(everything, tmp_path / "net.hpp")
    text = (tmp_path / "net.hpp").read_text()
    if width != "plain":
        text = re.sub(r"#define HEPML_SOURCE_WIDTH \d+", f"#define HEPML_SOURCE_WIDTH {width}", text)
    (tmp_path / "net.hpp").write_text(text)
    (tmp_path / "net.cpp").write_text(
        "#include <memory>\n#include <vector>\n"
        '#include "net.hpp"\n'
        "int main() {\n"
        "  const auto network = std::make_unique<net::Network>();\n"
        "  if (!net::reproduces_reference(*network)) return 1;\n"
        "  for (std::size_t n = 0; n < 17; ++n) {\n"
        "    std::vector<float> image(net::image_size), steps(n * net::steps_size), y(net::output_size);\n"
        "    for (std::size_t k = n; k < image.size(); k += n + 1) image[k] = 0.5F;\n"
        "    for (std::size_t k = 0; k < steps.size(); ++k) steps[k] = 0.1F * static_cast<float>(k);\n"
        "    if (network->run(image.data(), steps.data(), n, y.data()) != net::Status::ok) return 2;\n"
        "  }\n"
        "  return 0;\n"
        "}\n"
    )
    words = [compiler, "-std=c++17", "-O1", "-g0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    words += ["-DHEPML_SOURCE_PLAIN"] if width == "plain" else ["-Wno-psabi"]
    subprocess.run([*words, str(tmp_path / "net.cpp"), "-o", str(tmp_path / "net")], check=True)
    done = subprocess.run([str(tmp_path / "net")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
