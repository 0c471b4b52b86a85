"""examples/root: a compiled TTree loop and a macro for cling give the scores of hepml.Evaluator."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot

import hepml
from hepml.cli.main import hepml as command

EXAMPLE = Path(__file__).parents[1] / "examples" / "root"


def tool(name):
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    assert found is not None, f"{name} is missing: pip install 'hepml[test]'"
    return found


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel():
    """The folder of ROOT from PyPI."""
    spec = importlib.util.find_spec("ROOT")
    if spec is None:
        pytest.skip("ROOT is not installed: pip install 'hepml[root]'")
    folder = Path(spec.submodule_search_locations[0])
    if not (folder / "cmake" / "ROOTConfig.cmake").is_file():
        pytest.skip("this ROOT is not from PyPI")
    return folder


@pytest.fixture(scope="module")
def mended(wheel, tmp_path_factory):
    """ROOT as it is after the line of docs/root.md, beside the installed one, which stays as it is."""
    site = tmp_path_factory.mktemp("site")
    (site / "ROOT").mkdir()
    for path in wheel.iterdir():
        if path.name == "cmake":
            shutil.copytree(path, site / "ROOT" / "cmake")
        elif path.name == "bin":
            shutil.copytree(path, site / "ROOT" / "bin")  # root-config follows links to itself
        elif path.name != "mock_site_packages":
            (site / "ROOT" / path.name).symlink_to(path)
    for path in wheel.parent.iterdir():  # cppyy, root.libs
        if path.name != "ROOT":
            (site / path.name).symlink_to(path)
    page = (EXAMPLE.parents[1] / "docs" / "root.md").read_text()
    (line,) = (line for line in page.splitlines() if line.startswith("ln -s "))
    run("bash", "-c", line, env={**os.environ, "R": str(site / "ROOT")})
    return site / "ROOT"


@pytest.fixture
def network(tmp_path):
    from hepml.export import export_model
    from hepml.models import PRESETS, InputSpec, build_model

    specs = [InputSpec("hl", (7,))]
    export_model(build_model(specs, PRESETS["hl"].settings, seed=1), tmp_path / "net.json", inputs=specs)
    return tmp_path / "net.json"


def check_loop(program, network, folder):
    """Branches of several types, and one that the network does not read."""
    rng = np.random.default_rng(2)
    types = ["f4", "f8", "i4", "f4", "f8", "i2", "f4"]
    names = hepml.Evaluator(network).inputs[0].variables
    columns = {v.name: (rng.normal(size=500) * 3).astype(t) for v, t in zip(names, types, strict=True)}
    with uproot.recreate(folder / "events.root") as file:
        file.mktree("electrons", {name: column.dtype for name, column in columns.items()} | {"other": "f8"})
        file["electrons"].extend({**columns, "other": np.zeros(500)})
    assert "500 scores" in run(program, network, folder / "events.root", "electrons", folder / "scores.root")
    score = uproot.open(folder / "scores.root")["hepml"]["score"].array(library="np")
    right = hepml.Evaluator(network)(np.stack([c.astype(np.float32) for c in columns.values()], axis=1))["output"][:, 0]
    assert score.dtype == np.float32
    assert score.tobytes() == right.tobytes()
    for words, message in [
        ([folder / "absent.json", folder / "events.root", "electrons"], "absent.json"),
        ([network, folder / "events.root", "muons"], "no tree muons"),
        ([network, folder / "scores.root", "hepml"], f"no branch {names[0].name}"),
    ]:
        done = subprocess.run([program, *words, folder / "no.root"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert message in done.stderr


def test_the_loop_builds_with_cmake(mended, network, tmp_path):
    run(
        *(tool("cmake"), "-S", EXAMPLE, "-B", tmp_path / "build", "-G", "Ninja"),
        *(f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", f"-Dhepml_DIR={cmake_dir()}"),
        f"-DROOT_DIR={mended / 'mock_site_packages' / 'ROOT' / 'cmake'}",
    )
    run(tool("cmake"), "--build", tmp_path / "build")
    check_loop(tmp_path / "build" / "score_tree", network, tmp_path)


def test_the_loop_builds_with_root_config(mended, network, tmp_path):
    flags = run(mended / "bin" / "root-config", "--cflags", "--libs").split()
    ours = [f"-I{hepml.root.include_dir()}", Path(hepml.root.library()).with_suffix(".a")]
    run("g++", EXAMPLE / "score_tree.cpp", *ours, *flags, "-o", tmp_path / "score_tree")
    check_loop(tmp_path / "score_tree", network, tmp_path)


def macro(network):
    return f'{EXAMPLE / "score.C"}("{network}")'


def right(network):
    return hepml.Evaluator(network)(np.float32(0.1) * np.arange(7, dtype=np.float32)[None])["output"][0, 0]


def test_the_macro_in_root(wheel, network):
    env = {**os.environ, "ROOT_INCLUDE_PATH": hepml.root.include_dir()}
    loading = f'gSystem->Load("{hepml.root.library()}")'
    root = Path(sys.executable).with_name("root")
    printed = run(root, "-l", "-b", "-q", "-e", loading, macro(network), env=env)
    assert np.float32(printed.split()[-1]) == right(network)


def test_the_macro_from_python(wheel, network):
    code = f"import hepml; hepml.root.load().gROOT.Macro({macro(network)!r})"
    assert np.float32(run(sys.executable, "-c", code).split()[-1]) == right(network)


def cmake_dir():
    from click.testing import CliRunner

    return CliRunner().invoke(command, ["--cmake-dir"]).output.strip()
