"""Imports go one way along the road, and heavy libraries stay with their owners."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "hepml"

# A module may import from those before it; the command line may import everything.
ROAD = [
    "_core",
    "errors",
    "retrying",
    "interruption",
    "geometry",
    "processors",
    "stages",
    "atomic",
    "ledger",
    "layouts",
    "trees",
    "identity",
    "truth",
    "samples",
    "candidates",
    "images",
    "features",
    "efp",
    "ranges",
    "dataset",
    "scale",
    "models",
    "training",
    "metrics",
    "evaluation",
    "guided",
    "plots",
    "reports",
    "records",
    "evaluator",
    "monitoring",
    "export",
    "folds",
    "working_points",
    "applying",
    "friends",
    "dask",
    "root",
    "demo",
    "workflow",
    "cli",
]
HEAVY = {
    "keras": {"models", "training", "export", "cli"},
    "tensorflow": {"models", "training", "export", "cli"},
    "matplotlib": {"plots"},
    "mplhep": {"plots"},
    "uproot": {"trees", "layouts", "cli", "friends", "identity"},
    "h5py": {"dataset", "training", "export"},
    "energyflow": set(),
    "ROOT": {"root"},
    "distributed": {"scale"},
    "dask_awkward": {"dask"},
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module name, and whether the import runs when the module is loaded."""
    tree = ast.parse(path.read_text())
    deferred = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or typing_only:
            deferred |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in deferred
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"hepml.{alias.name}" for alias in node.names] if node.module == "hepml" else [node.module]
            for name in names:
                yield name, id(node) not in deferred


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or "__" not in path.name)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_room_has_its_place_on_the_road() -> None:
    assert {room(path) for path in MODULES} <= set(ROAD)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = ROAD.index(room(path))
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "hepml" and len(parts) > 1 and parts[1] in ROAD:
            assert ROAD.index(parts[1]) <= here, f"{path.name} imports {name}, which comes later on the road"
        assert parts[0] != "tmva_bridge", f"{path.name} imports tmva_bridge"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_have_owners(path: Path) -> None:
    for name, _ in imports(path):
        library = name.split(".")[0]
        if library in HEAVY:
            assert room(path) in HEAVY[library], f"{path.name} imports {library}"


def test_import_hepml_is_light() -> None:
    code = (
        "import sys, hepml, hepml.cli\n"
        "heavy = {'keras', 'tensorflow', 'matplotlib', 'sklearn', 'uproot', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_public_names_exist() -> None:
    import hepml

    for name in hepml.__all__:
        assert getattr(hepml, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        hepml.no_such_name  # noqa: B018
