import json
import shutil

import numpy as np
import pytest

from hepml.atomic import alone
from hepml.cli.main import main


@pytest.fixture
def own(data, runs, tmp_path):
    """A private copy of the run folders."""
    shutil.copytree(runs, tmp_path / "runs")
    return tmp_path / "runs"


def hepml(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--no-figures", "--bootstrap", "40", *map(str, arguments)])
    return stop.value.code or 0


def test_one_run_writes_into_its_folder_and_prints_a_table(data, own, capsys):
    assert hepml(own / "seeds", data) == 0
    shown = capsys.readouterr()
    for words in ("AUC", "rejection at 80 %", "3 seeds", "hadron", "train - test", "KS p"):
        assert words in shown.out
    metrics = json.loads((own / "seeds/metrics.json").read_text())
    assert metrics["auc"]["spread"] > 0
    thresholds = json.loads((own / "seeds/thresholds.json").read_text())
    assert {tuple(t) for t in thresholds} == {("signal_efficiency", "threshold", "pt", "eta")}
    assert thresholds[0]["pt"] is None
    bins = [t for t in thresholds if t["pt"] is not None]
    assert min(t["pt"][0] for t in bins) == 0
    assert "evaluate" in shown.err


def test_existing_metrics_are_kept_without_overwrite(data, own, capsys):
    assert hepml(own / "plain", data) == 0
    before = (own / "plain/metrics.json").read_bytes()
    assert hepml(own / "plain", data) == 4
    assert "exists" in capsys.readouterr().err
    assert hepml(own / "plain", data, "--overwrite") == 0
    assert (own / "plain/metrics.json").read_bytes() == before  # equal bytes: no time, no host


def test_a_second_evaluation_of_a_run_writes_nothing_while_the_first_does(data, own, capsys):
    assert hepml(own / "plain", data) == 0
    files = {path: path.read_bytes() for path in (own / "plain").iterdir() if path.is_file()}
    with alone(own / "plain/.metrics-lock", own / "plain/metrics.json"):
        assert hepml(own / "plain", data, "--overwrite", "--seed", "7") == 4
    assert "another process is writing" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (own / "plain").iterdir() if path.is_file()} == files


def test_selection_has_its_own_file_and_leaves_thresholds_alone(data, own):
    assert hepml(own / "plain", data) == 0
    thresholds = (own / "plain/thresholds.json").read_bytes()
    assert hepml(own / "plain", data, "--selection", "hard", "--reweight") == 0
    assert json.loads((own / "plain/metrics_hard_reweighted.json").read_text())["selection"] == "hard"
    assert (own / "plain/thresholds.json").read_bytes() == thresholds


def test_several_runs_are_compared_in_a_folder(data, own, tmp_path, capsys):
    out = tmp_path / "out"
    assert hepml(own / "plain", own / "worse", data, "-o", out) == 0
    assert "plain - worse" in capsys.readouterr().out
    assert {p.name for p in out.iterdir()} == {"plain", "worse", "comparison.json"}
    assert json.loads((out / "comparison.json").read_text())[0]["auc_difference"] > 0
    assert (own / "plain/thresholds.json").exists()
    assert hepml(own / "plain", data, "-o", out) == 4


def test_json_on_stdout_is_the_record(data, own, capsys):
    assert hepml(own / "plain", data, "--json") == 0
    one = json.loads(capsys.readouterr().out)
    assert one == json.loads((own / "plain/metrics.json").read_text())
    assert hepml(own / "plain", own / "folds", data, "--json", "--overwrite") == 0
    both = json.loads(capsys.readouterr().out)
    assert [run["part"] for run in both["runs"]] == ["test", "out-of-fold"]
    assert len(both["comparisons"]) == 1


def test_other_tasks_have_their_tables(make, tmp_path, capsys):
    for kind, words in (("classes", ("accuracy", "jet", "F1")), ("regression", ("resolution", "bias", "energy"))):
        data = make.data(tmp_path / f"{kind}.h5", kind=kind)
        assert hepml(make.run(tmp_path / kind, data), data) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in words)
        assert "not given" in shown


def test_limits_and_effective_numbers_are_printed(make, tmp_path, capsys):
    data = make.data(tmp_path / "data.h5", weighted=True)
    assert hepml(make.run(tmp_path / "run", data, quality=20.0), data) == 0
    shown = capsys.readouterr().out
    assert "N_eff" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["only_one"], 2, "data file"),
        (["{runs}/plain", "{data}", "--independent"], 2, "-o"),
        (["{runs}/plain", "{runs}/plain", "{data}"], 2, "different names"),
        (["{runs}/absent", "{data}"], 1, "absent"),
        (["{runs}/plain", "nowhere.h5"], 1, "nowhere.h5"),
        (["{runs}/plain", "{data}", "--selection", "soft"], 1, "hard"),
        (["{runs}/plain", "{data}", "--working-point", "0.81"], 2, "0.8"),
        (["{runs}/plain", "{other}"], 3, "not those of the run"),
    ],
)
def test_wrong_use_has_its_exit_code_and_writes_nothing(*, make, data, own, capsys, arguments, code, words):
    other = own / "other.h5"
    make.data(other, 200, seed=3)
    filled = [text.format(runs=own, data=data, other=other) for text in arguments]
    assert hepml(*filled) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert not (own / "plain/metrics.json").exists()


def test_numbers_do_not_depend_on_the_output_choice(data, own, tmp_path, capsys):
    hepml(own / "plain", data)
    hepml(own / "plain", data, "-o", tmp_path / "out")
    capsys.readouterr()
    first, second = ((folder / "metrics.json").read_bytes() for folder in (own / "plain", tmp_path / "out"))
    assert first == second
    assert np.isfinite(json.loads(first)["auc"]["value"])


def test_a_comparison_that_is_not_stored_says_so(data, own, capsys):
    assert hepml(own / "plain", own / "worse", data) == 0
    assert "comparison belongs to no run and is not stored: -o" in capsys.readouterr().err
    assert hepml(own / "plain", data, "--overwrite") == 0
    assert "not stored" not in capsys.readouterr().err
