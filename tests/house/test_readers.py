"""Files of others are opened in the guarded readers alone; nothing is unpickled, evaluated or run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# call -> the modules that may make it, and why it is safe there
ALLOWED = {
    "h5py.File": {
        "hepml/dataset/guard.py": "the guard",
        "hepml/dataset/sink.py": "writes",
        "hepml/training/run.py": "writes",
    },
    "np.load": {
        "hepml/cli/inputs.py": "without pickles, through hepml.dataset.npz",
        "hepml/training/checkpoint.py": "without pickles, through hepml.dataset.npz",
    },
    "yaml.load": {},
    "_Loader": {"hepml/layouts/yamlfile.py": "a SafeLoader; what aliases stand for is measured before it is built"},
    "zipfile.ZipFile": {
        "hepml/models/stored.py": "members are listed, and read no further than they may be long",
        "hepml/training/files.py": "what Keras has just written",
        "hepml/cli/predict.py": "writes",
    },
    "keras.saving.load_model": {"hepml/models/stored.py": "after every object and array in the file was looked at"},
    "keras.models.load_model": {},
    "uproot.open": {
        "hepml/trees/files.py": "every error means damage",
        "hepml/friends/books.py": "outputs of hepml apply; every error means damage",
    },
    "json.loads": {
        "hepml/ledger.py": "read_json: every error is told",
        "hepml/models/stored.py": "of a bounded length",
        "hepml/export/keras2/files.py": "every error is told",
        "hepml/dataset/reader.py": "attributes, inside of the guard",
        "hepml/dataset/efps.py": "attributes, inside of the guard",
        "hepml/dataset/apart.py": "what its other process has printed; every error means that it crashed",
        "hepml/friends/books.py": "every error means damage",
        "hepml/training/checkpoint.py": "every error is told",
        "hepml/layouts/yamlfile.py": "a schema of the package",
        "hepml/efp/graphs.py": "a table of the package",
        "hepml/export/validation.py": "a schema of the package",
        "hepml/evaluator.py": "what C++ has parsed",
        "hepml/training/network.py": "what Keras has just written",
        "hepml/training/files.py": "what Keras has just written",
        "hepml/export/model.py": "what was just written",
        "tmva_bridge/export/document.py": "what was just written",
        "hepml/export/estimators/export.py": "what was just written",
        "hepml/export/estimators/boosters.py": "what XGBoost has just written",
    },
}
NEVER = {
    *("eval", "exec", "__import__", "os.system", "os.popen", "np.fromfile", "np.memmap", "json.load"),
    *("yaml.unsafe_load", "yaml.full_load", "keras.config.enable_unsafe_deserialization"),
}
UNPICKLING = {"pickle", "joblib", "dill", "shelve", "marshal"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in ("hepml", "tmva_bridge"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


NODES = [(path, node) for path, tree in trees() for node in ast.walk(tree)]
CALLS = [(path, ast.unparse(node.func), node) for path, node in NODES if isinstance(node, ast.Call)]


@pytest.mark.parametrize("name", ALLOWED)
def test_files_are_opened_in_the_guarded_readers_alone(name: str) -> None:
    assert {path for path, called, _ in CALLS if called == name} == set(ALLOWED[name])


def test_nothing_runs_what_a_file_says() -> None:
    assert not [(path, called, call.lineno) for path, called, call in CALLS if called in NEVER]


def test_nothing_that_unpickles_is_imported() -> None:
    names = [(path, one.name) for path, node in NODES if isinstance(node, ast.Import) for one in node.names]
    names += [(path, node.module or "") for path, node in NODES if isinstance(node, ast.ImportFrom)]
    assert not [(path, name) for path, name in names if name.split(".")[0] in UNPICKLING]


def test_arrays_are_loaded_without_pickles() -> None:
    loads = [call for _, called, call in CALLS if called == "np.load"]
    assert [[ast.unparse(word) for word in call.keywords] for call in loads] == [["allow_pickle=False"]] * len(loads)
