"""hepml train: data on stdout, progress on stderr, exit codes."""

import json

import pytest

from hepml.cli.main import main

SMALL = ["--epochs", "2", "--set", "units=6", "--set", "layers=1"]


def call(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["train", *[str(argument) for argument in arguments]])
    return caught.value.code


def test_train_prints_a_summary_and_progress(data, tmp_path, capsys):
    assert call(data, "--features", "mass", "-o", tmp_path / "run", "--json", "--seed", "4", *SMALL) == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["features"] == "mass"
    assert summary["epochs"] == 2
    assert err.count("epoch ") == 2
    record = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert record["seed"] == 4
    assert record["settings"]["units"] == 6
    assert call(data, "--preset", "mass", "-o", tmp_path / "run", "--seed", "4", *SMALL) == 0
    assert "held_out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--features", "hll"], 1, "'hl'"),
        (["--features", "hl", "--set", "lr=3"], 1, "'learning_rate'"),
        (["--features", "hl", "--preset", "hm"], 1, "no preset"),
        ([], 2, "--features or --preset"),
        (["--features", "hl", "--folds", "x"], 2, "integer"),
        (["--features", "hl", "--folds", "1"], 1, "folds"),
    ],
)
def test_mistakes_have_their_exit_codes(data, tmp_path, capsys, *, arguments, code, message):
    assert call(data, "-o", tmp_path / "run", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert not (tmp_path / "run").exists()


def test_a_missing_file_and_a_taken_folder(data, tmp_path, capsys):
    assert call(tmp_path / "none.h5", "--features", "hl", "-o", tmp_path / "run") == 1
    assert "none.h5" in capsys.readouterr().err
    (tmp_path / "taken").write_text("x")
    assert call(data, "--features", "mass", "-o", tmp_path / "taken", *SMALL) == 4
