"""Each trap of `hepml tmva lint` is found in a file that is in it, and not in one that is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tmva_files as files

from hepml.errors import SchemaError
from tmva_bridge.lint import TRAPS, lint
from tmva_bridge.weights import EXAMPLE

TUTORIAL = "cls_tutorial/weights/TMVA_{}.weights.xml"


def names(path: Path) -> set[str]:
    return {one.trap.name for one in lint(path)}


# of real files -> exactly the traps that they are in
REAL = {
    TUTORIAL.format("Fisher"): {"spectators", "expressions"} | {"smoothing"},
    TUTORIAL.format("FisherG"): {"spectators", "expressions", "no-densities"},
    TUTORIAL.format("MLPtanhN"): {"rational-tanh", "no-offset-attribute", "spectators", "expressions", "no-densities"},
    TUTORIAL.format("MLP"): {"spectators", "expressions", "no-densities"},
    TUTORIAL.format("Cuts"): {"cut-efficiency", "spectators", "expressions"},
    TUTORIAL.format("Likelihood"): {"smoothing", "log-likelihood", "spectators", "expressions", "no-densities"},
    TUTORIAL.format("LikelihoodS0"): {"spectators", "expressions", "no-densities"},
    "cls_plain_weighted/weights/TMVA_BDT.weights.xml": {"no-densities"},
    "reg/weights/TMVA_BDTG.weights.xml": {"first-weight", "spectators"},
    "multiclass/weights/TMVA_MLPN.weights.xml": {"no-offset-attribute"},
}


@pytest.mark.parametrize("name", REAL)
def test_traps_of_real_files(name: str, shared: Path) -> None:
    assert names(shared / "tmva" / name) == REAL[name]


def fisher(path: Path, **more: object) -> Path:
    return files.written(path, "Fisher", files.fisher(0.0, 1.0, 1.0), **more)


def network(path: Path, kind: str, release: str, estimator: str) -> Path:
    layers = files.network([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]], [[1.0], [1.0], [0.0]])
    options = {"NeuronType": kind, "NeuronInputType": "sum", "EstimatorType": estimator}
    return files.written(path, "MLP", layers, options=options, release=release)


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def normalised(path: Path, chain: str) -> Path:
    rows = "".join(f'<Range Index="{i}" Min="0" Max="1"/>' for i in range(2))
    sets = "".join(f'<Class ClassIndex="{i}"><Ranges>{rows}</Ranges></Class>' for i in range(3))
    items = {
        side: "".join(f'<{side} Type="Variable" Label="{one}" Expression="{one}"/>' for one in "xy")
        for side in ("Input", "Output")
    }
    both = "".join(f'<{side} N{side}s="2">{text}</{side}>' for side, text in items.items())
    node = f'<Transform Name="Normalize" UseOffsetOrNot="UseOffset"><Selection>{both}</Selection>{sets}</Transform>'
    chained = f'<Transformations NTransformations="1">{node}</Transformations>'
    return fisher(path, options={"VarTransform": chain}, transformations=chained)


CUTS = [f"Preselection{name}Var{i}" for i in (0, 1) for name in ("LowBkg", "LowSig", "HighBkg", "HighSig")]
STUMP = files.forest((1.0, files.node("s")), more=" ".join(f'{name}="0" {name}Value="0"' for name in CUTS))
# trap -> a file that is in it, and the same in another way that is not
MADE: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Path]]] = {
    "class-suffix": (lambda path: normalised(path, "N_Signal"), lambda path: normalised(path, "N")),
    "true-tanh": (
        lambda path: network(path, "tanh", "4.1.0 [262400]", "CE"),
        lambda path: network(path, "tanh", "4.2.1 [262657]", "CE"),
    ),
    "rational-tanh": (
        lambda path: network(path, "tanh", "4.2.1 [262657]", "CE"),
        lambda path: network(path, "sigmoid", "4.2.1 [262657]", "CE"),
    ),
    "old-estimator": (
        lambda path: network(path, "sigmoid", "4.0.5 [262149]", "MSE"),
        lambda path: network(path, "sigmoid", "4.2.1 [262657]", "CE"),
    ),
    "preselection": (
        lambda path: files.written(path, "BDT", STUMP, options={"BoostType": "Grad", "DoPreselection": "True"}),
        lambda path: files.written(path, "BDT", STUMP, options={"BoostType": "Grad", "DoPreselection": "False"}),
    ),
    "constant-variable": (
        lambda path: edited(fisher(path), 'Max="1.00000000e+00"', 'Max="0.00000000e+00"'),
        fisher,
    ),
    "model-elsewhere": (
        lambda path: files.written(path, "PyRandomForest", "<Weights/>", options={"FilenameTrainedModel": "a.h5"}),
        fisher,
    ),
    "expressions": (lambda path: fisher(path, variables=("x*2", "y")), fisher),
    "no-densities": (fisher, lambda path: path.write_text(EXAMPLE) and path),
}


@pytest.mark.parametrize("name", MADE)
def test_traps_of_files_by_hand(name: str, tmp_path: Path) -> None:
    inside, outside = MADE[name]
    assert name in names(inside(tmp_path / "in.weights.xml"))
    assert name not in names(outside(tmp_path / "out.weights.xml"))


def test_integers_of_a_likelihood(shared: Path, tmp_path: Path) -> None:
    text = (shared / "tmva" / TUTORIAL.format("Likelihood")).read_text()
    path = tmp_path / "TMVA_Likelihood.weights.xml"
    path.write_text(text.replace('Type="F"', 'Type="I"', 1))
    assert "integer-variable" in names(path)


def test_kernel_of_knn(shared: Path, tmp_path: Path) -> None:
    text = (shared / "tmva" / TUTORIAL.format("KNN")).read_text()
    path = tmp_path / "TMVA_KNN.weights.xml"
    changed = re.sub(r'(<Option name="UseKernel"[^>]*>)False', r"\1True", text)
    assert changed != text
    path.write_text(changed)
    assert "gaus-kernel" in names(path)
    assert "gaus-kernel" not in names(shared / "tmva" / TUTORIAL.format("KNN"))


def test_files_of_ten_megabytes(tmp_path: Path) -> None:
    path = fisher(tmp_path / "TMVA_Fisher.weights.xml")
    path.write_text(path.read_text() + "\n" * 10_000_001)
    assert "large-file" in names(path)


def test_every_trap_is_tested_and_has_its_name() -> None:
    tested = {*MADE, "integer-variable", "large-file", "gaus-kernel"}.union(*REAL.values())
    assert {trap.name for trap in TRAPS} == tested
    assert len({trap.name for trap in TRAPS}) == len(TRAPS)


def test_the_page_lists_every_trap() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tmva.md").read_text()
    for trap in TRAPS:
        assert f"| `{trap.name}` | {'warning' if trap.warns else 'note'} | {trap.text} |" in page


def test_warnings_come_first(shared: Path) -> None:
    found = [one.trap.warns for one in lint(shared / "tmva" / TUTORIAL.format("MLPtanhN"))]
    assert found == sorted(found, reverse=True)
    assert found[0]
    assert not found[-1]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = fisher(tmp_path / "TMVA_Fisher.weights.xml")
    path.write_text(path.read_text().replace("NVar", "NVariables"))
    with pytest.raises(SchemaError):
        lint(path)
