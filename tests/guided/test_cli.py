"""hepml guide on the bundled sample: files, table, figures, and what evaluate and export make of a pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepml.cli.main import main
from hepml.errors import DataError, VerificationError
from hepml.guided import load_problem

QUICK = ["--set", "layers=1", "--set", "units=8", "--set", "epochs=3", "--set", "learning_rate=0.01", "--quiet"]
SEARCH = ["--max-passes", "1", "--seeds", "2", "--bootstrap", "10", "--stop-at", "1"]


def call(*arguments: Any) -> Any:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture(scope="module")
def place(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data.h5, efps.h5, other.h5 and its efps, two benchmarks and a search."""
    from hepml.dataset import convert

    folder = tmp_path_factory.mktemp("guide")
    convert(sample["electrons"], sample["jets"], folder / "data.h5")
    convert(sample["jets"], sample["electrons"], folder / "other.h5")
    for name in ("data", "other"):
        words = ["--graphs", "d<=2", "--kappa", "1,2", "--beta", "1", "--quiet"]
        assert call("efp", folder / f"{name}.h5", "-o", folder / f"{name}_efps.h5", *words) == 0
    for name in ("data", "other"):
        words = [folder / f"{name}.h5", "--features", "hl_and_mass", "-o", folder / f"{name}_run", "--epochs", "4"]
        assert call("train", *words, *QUICK[:4], *QUICK[6:]) == 0
    assert call(*guide(folder), *SEARCH) == 0
    return folder


def guide(folder: Path, *words: Any, data: str = "data", efps: str = "data", benchmark: str = "data") -> list[Any]:
    names = [folder / f"{data}.h5", folder / f"{efps}_efps.h5", "--benchmark", folder / f"{benchmark}_run"]
    return ["guide", *names, "--start", "mass", "-o", folder / "guided", *QUICK, *words]


def test_the_table_and_the_record_say_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*guide(place), *SEARCH) == 0  # given again
    lines = capsys.readouterr().out.splitlines()
    record = json.loads((place / "guided" / "guided.json").read_text())
    assert [line.split("|")[1].strip() for line in lines[:5]] == ["pass", "---", "0", "1", ""]
    chosen = record["steps"][1]["chosen"]
    assert f"| {chosen['name'].split('_')[0]} {record['steps'][1]['graph']} |" in lines[3]
    assert f"{record['steps'][1]['auc']['value']:.2f}"[:4] in lines[3]
    assert "Ended: after 1 passes." in lines[-1]
    assert call(*guide(place), *SEARCH, "--json") == 0
    assert json.loads(capsys.readouterr().out) == record


def test_figures_have_their_numbers(place: Path) -> None:
    figures = place / "guided" / "figures"
    names = [f"{name}.{kind}" for name in ("guided_distributions", "guided_search") for kind in ("json", "pdf", "png")]
    assert sorted(path.name for path in figures.iterdir()) == names
    record = json.loads((place / "guided" / "guided.json").read_text())
    drawn = json.loads((figures / "guided_search.json").read_text())["tables"][0]
    columns = {column["name"]: column["values"] for column in drawn["columns"]}
    assert columns["auc"] == pytest.approx([step["auc"]["value"] for step in record["steps"]], rel=1e-6)


def test_a_pass_is_a_run_that_is_evaluated_and_exported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = place / "guided" / "pass1"
    assert call("evaluate", run, place / "data.h5", "--no-figures", "--bootstrap", "10", "--quiet", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    record = json.loads((place / "guided" / "guided.json").read_text())
    assert found["auc"]["value"] == pytest.approx(record["steps"][1]["auc"]["value"], abs=1e-12)
    assert call("export", run, "-o", place / "net.json") == 0
    network = json.loads((place / "net.json").read_text())
    names = [one["name"] for one in network["hepml"]["efps"]["columns"]]
    assert names == [record["steps"][1]["chosen"]["name"]]


def test_kappa_is_the_only_one(place: Path) -> None:
    words = (place / "data.h5", place / "data_efps.h5", place / "data_run")
    every, safe = (load_problem(*words, start="mass", kappa=kappa).names for kappa in (None, 1))
    assert set(safe) == {name for name in every if "_k_1_" in name} < set(every)
    with pytest.raises(DataError, match="no polynomial has the exponent"):
        load_problem(*words, kappa=3)


def test_polynomials_and_benchmarks_of_other_data_are_refused(place: Path) -> None:
    data, efps, run = place / "data.h5", place / "data_efps.h5", place / "data_run"
    with pytest.raises(DataError, match="of other data"):
        load_problem(data, place / "other_efps.h5", run)
    with pytest.raises(VerificationError, match="no run on these data"):
        load_problem(data, efps, place / "other_run")
    words = [data, "--features", "hl", "-o", place / "folds", "--folds", "2", *QUICK]
    assert call("train", *words) == 0
    with pytest.raises(DataError, match="folds have seen the test split"):
        load_problem(data, efps, place / "folds")
    for start, message in (("et", "does not start from 'et'"), ("hl_and_efp", "from 'efp'"), ("hll", "'hll'")):
        with pytest.raises(DataError, match=message):
            load_problem(data, efps, run, start=start)


def test_the_rows_are_those_of_the_data(place: Path) -> None:
    from hepml.dataset import Dataset

    problem = load_problem(place / "data.h5", place / "data_efps.h5", place / "data_run", start="hl")
    data = Dataset.open(place / "data.h5")
    for split in ("train", "valid", "test"):
        rows = problem.rows(split)
        assert np.array_equal(problem.label[rows], data.y(split))
        assert np.array_equal(problem.inputs["hl"][rows], data.raw("hl", split))
        assert problem.read(problem.names[:2], [split]).shape == (data.n(split), 2)
    assert problem.selection == slice(0, data.n("train") + data.n("valid"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--kappa", "nan"], 2, "finite"),
        (["--seeds", "0"], 2, "seeds"),
        (["--bootstrap", "1"], 2, "bootstrap"),
        (["--set", "lr=3"], 1, "'learning_rate'"),
        (["--seed", "7"], 1, "other data or with other options"),
    ],
)
def test_mistakes_have_their_exit_codes(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert call(*guide(place), *SEARCH, *words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
