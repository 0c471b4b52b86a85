"""hepml export, predict and apply: exit codes, messages, and outputs that are whole or absent."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest

import hepml
from hepml.cli.main import main


@pytest.fixture
def run(capsys):
    """Runs hepml; (exit code, stdout, stderr)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return call


@pytest.fixture
def keras_file(make, tmp_path):
    model, _ = make("hl")
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_export_of_a_keras_file(run, keras_file, tmp_path):
    code, out, _ = run("export", keras_file, "-o", tmp_path / "net.json")
    assert code == 0
    assert "145 parameters" in out
    code, out, _ = run("export", keras_file, "-o", tmp_path / "net2.json", "--json", "--lwtnn")
    summary = json.loads(out)
    assert summary["max_difference"] <= 1e-6
    assert summary["inputs"] == ["hl"]
    assert hepml.Evaluator(tmp_path / "net2.json").model_id == summary["model_id"]


def test_export_errors(run, keras_file, make, tmp_path):
    net = tmp_path / "net.json"
    net.write_text("mine")
    code, _, err = run("export", keras_file, "-o", net)
    assert (code, net.read_text()) == (4, "mine")
    assert "exists" in err
    code, _, err = run("export", tmp_path / "absent.keras", "-o", tmp_path / "n.json")
    assert (code, "no such file" in err) == (1, True)
    (tmp_path / "bad.keras").write_bytes(b"PK\3\4 not a zip")
    code, _, err = run("export", tmp_path / "bad.keras", "-o", tmp_path / "n.json")
    assert (code, "bad.keras" in err) == (1, True)
    (tmp_path / "old.h5").write_bytes(b"\x89HDF")
    code, _, err = run("export", tmp_path / "old.h5", "-o", tmp_path / "n.json")
    assert (code, "not an HDF5 file, or a truncated one" in err) == (1, True)
    code, _, err = run("export", tmp_path, "-o", tmp_path / "n.json")
    assert (code, "not that of a run" in err) == (1, True)
    assert run("export", keras_file, "-o", tmp_path / "n.json", "--fold", "0")[0] == 2
    assert run("export", keras_file)[0] == 2
    model, _ = make("et")
    model.save(tmp_path / "et.keras")
    code, _, err = run("export", tmp_path / "et.keras", "-o", tmp_path / "n.json", "--lwtnn")
    assert (code, "lwtnn has no images" in err) == (1, True)
    assert not (tmp_path / "n.json").exists()


def test_code_in_a_keras_file_is_not_run(run, tmp_path):
    import keras

    x = keras.Input((2,))
    keras.Model(x, keras.layers.Lambda(lambda v: v)(x)).save(tmp_path / "lambda.keras")
    code, _, err = run("export", tmp_path / "lambda.keras", "-o", tmp_path / "n.json")
    assert code == 1
    assert "safely" in err


def test_a_file_that_does_not_reproduce_gives_exit_code_3(run, network, sample, tmp_path):
    document = json.loads(network("hl").read_text())
    document["hepml"]["reference"]["outputs"]["output"][0][0] += 1e-4
    (tmp_path / "net.json").write_text(json.dumps(document))
    np.savez(tmp_path / "x.npz", hl=np.zeros((2, 7)))
    for command in (("predict", tmp_path / "x.npz"), ("apply", sample["jets"])):
        code, _, err = run(command[0], tmp_path / "net.json", command[1], "-o", tmp_path / "out")
        assert code == 3
        assert "reference" in err
        assert not (tmp_path / "out").exists()


def test_predict_arrays(run, network, tmp_path):
    path = network("et_and_ht_and_hl")
    generator = np.random.default_rng(0)
    arrays = {
        "et": generator.random((9, 31, 31, 1)),
        "ht": generator.random((9, 32, 32)).astype(np.float32),
        "hl": generator.random((9, 7)),
    }
    arrays["hl"][3, 2] = np.nan
    np.savez(tmp_path / "x.npz", **arrays)
    code, out, _ = run("predict", path, tmp_path / "x.npz", "-o", tmp_path / "s.npz")
    assert code == 0
    assert "9 events, 1 of them not finite" in out
    with np.load(tmp_path / "s.npz", allow_pickle=False) as scores:
        assert scores.files == ["output"]
        found = scores["output"]
    assert np.array_equal(found, hepml.Evaluator(path)(arrays)["output"], equal_nan=True)
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == [3]
    assert run("predict", path, tmp_path / "x.npz", "-o", tmp_path / "s.npz")[0] == 4
    assert run("predict", path, tmp_path / "x.npz", "-o", tmp_path / "s.npz", "--overwrite", "--logits")[0] == 0
    with np.load(tmp_path / "s.npz") as logits:
        assert np.nanmax(np.abs(1 / (1 + np.exp(-logits["output"].astype(float))) - found)) < 1e-6


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, ("'hl' is missing",)),
        ({"HL": np.zeros((2, 7))}, ("'HL'", "nearest", "'hl'")),
        ({"hl": np.zeros((2, 7)), "y": np.zeros(2)}, ("no input 'y'", "exactly the keys hl")),
        ({"hl": np.zeros((2, 6))}, ("'hl'", "(n, 7)", "(2, 6)")),
        ({"hl": np.zeros(7)}, ("'hl'", "(n, 7)", "(7,)")),
        ({"hl": np.array(["a"])}, ("'hl'", "numbers")),
        ({"hl": np.array([None])}, ("cannot be read", "allow_pickle")),
    ],
    ids=range(7),
)
def test_predict_names_wrong_keys_and_shapes(run, network, tmp_path, arrays, words):
    np.savez(tmp_path / "x.npz", **arrays)
    code, _, err = run("predict", network("hl"), tmp_path / "x.npz", "-o", tmp_path / "s.npz")
    assert code == 1
    for word in words:
        assert word in err
    assert not (tmp_path / "s.npz").exists()


def test_predict_refuses_other_files(run, network, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 7)))
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "cut.npz", hl=np.zeros((200, 7)))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:500])
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("x.npy", "text.npz", "cut.npz", "empty.npz", "absent.npz", "absent.h5", "text.h5"):
        if name == "text.h5":
            (tmp_path / name).write_text("hello")
        code, _, err = run("predict", network("hl"), tmp_path / name, "-o", tmp_path / "s.npz")
        assert code == 1, name
        assert name in err
        assert "Traceback" not in err
    code, _, err = run("predict", tmp_path / "absent.json", tmp_path / "x.npy", "-o", tmp_path / "s.npz")
    assert (code, "absent.json" in err) == (1, True)
    (tmp_path / "bad.json").write_text('{"inputs": [')
    assert run("predict", tmp_path / "bad.json", tmp_path / "x.npy", "-o", tmp_path / "s.npz")[0] == 1


@pytest.fixture(scope="module")
def folded(data, tmp_path_factory):
    """A run of two folds with two seeds each."""
    path = tmp_path_factory.mktemp("runs") / "mass"
    hepml.train(data, features="mass", output=path, folds=2, seeds=2, epochs=2, progress=False)
    return path


def test_export_of_a_run_takes_the_best_network_or_the_one_asked_for(run, folded, tmp_path):
    record = json.loads((folded / "run.json").read_text())
    thresholds = [{"signal_efficiency": 0.8, "threshold": 0.25, "pt": None, "eta": None}]
    (folded / "thresholds.json").write_text(json.dumps(thresholds))
    code, out, err = run("export", folded, "-o", tmp_path / "best.json", "--json")
    assert code == 0, err
    block = json.loads((tmp_path / "best.json").read_text())["hepml"]
    assert block["features"] == "mass"
    assert block["thresholds"] == thresholds
    assert block["provenance"]["member"] == record["best"]["member"]
    assert block["provenance"]["data"] == record["config"]["data"]
    assert block["provenance"]["config"] == record["config_hash"]
    assert len(block["reference"]["inputs"]["mass"]) == 16
    one = next(one for one in record["members"] if one["name"] == record["best"]["member"])
    assert block["ranges"]["events"] == one["n_train"]
    assert block["ranges"]["quantities"][0]["maximum"] == block["input_ranges"]["mass"]["maximum"][0]
    extras = ("--correctionlib", tmp_path / "wp.json", "--validity", "runs=1-9", "--validity", "pt = > 20 GeV")
    code, _, err = run("export", folded, "-o", tmp_path / "extras.json", *extras)
    assert code == 0, err
    evaluator = hepml.Evaluator(tmp_path / "extras.json")
    assert evaluator.validity == {"runs": "1-9", "pt": "> 20 GeV"}
    assert evaluator.model_id == json.loads(out)["model_id"] == block["model_id"]
    assert json.loads((tmp_path / "wp.json").read_text())["corrections"][0]["data"]["content"][0]["value"] == 0.25
    for wrong in (
        ("--validity", "runs"),
        ("--validity", "a=1", "--validity", "a=2"),
        ("--correctionlib", tmp_path / "wrong.json"),
    ):
        assert run("export", folded, "-o", tmp_path / "wrong.json", *wrong)[0] == 2
    ids = {json.loads(out)["model_id"]}
    for one in record["members"]:
        path = tmp_path / f"{one['name']}.json"
        code, out, _ = run("export", folded, "-o", path, "--fold", one["fold"], "--seed", one["seed"], "--json")
        assert code == 0
        ids.add(json.loads(out)["model_id"])
        best = one["name"] == record["best"]["member"]
        assert json.loads(path.read_text())["hepml"]["thresholds"] == (thresholds if best else [])
    assert len(ids) == 4
    code, _, err = run("export", folded, "-o", tmp_path / "none.json", "--fold", "2")
    assert (code, "no such network" in err) == (1, True)


@pytest.mark.parametrize("features", ["hl", "et_and_ht_and_hl"])
def test_apply_equals_predict_bit_for_bit(run, network, data, sample, tmp_path, *, features):
    """Towers -> score through `apply`, images -> score through `predict`."""
    import uproot

    from hepml.dataset import Dataset

    assert run("predict", network(features), data, "-o", tmp_path / "p.npz", "--split", "all")[0] == 0
    assert run("apply", network(features), *sample.values(), "-o", tmp_path / "out", "--step-size", "999")[0] == 0
    by_entry = [
        uproot.open(tmp_path / "out" / path.name)["hepml"]["score"].array(library="np") for path in sample.values()
    ]
    dataset = Dataset.open(data)
    columns = {
        name: np.concatenate([dataset.column(name, split) for split in ("train", "valid", "test")])
        for name in ("entry", "identity")
    }
    with np.load(tmp_path / "p.npz") as scores:
        assert set(scores.files) == {"output", "identity", "y", "weight"}
        assert np.array_equal(scores["identity"], columns["identity"])
        signal = scores["y"] == 1
        score = scores["output"][:, 0]
    assert len(score) == np.count_nonzero(~np.isnan(np.concatenate(by_entry)))
    for mask, scores_of_file in zip((signal, ~signal), by_entry, strict=True):
        assert np.array_equal(scores_of_file[columns["entry"][mask]], score[mask])


def test_apply_prints_counts_and_rate(run, network, sample, tmp_path):
    arguments = ("apply", network("hl"), sample["jets"], "-o", tmp_path / "s.root", "--signal-efficiency", "0.8")
    code, out, err = run(*arguments)
    assert code == 0
    assert "entries; ok " in out
    assert ", pass " in out
    assert "/s" in err
    code, out, err = run(*arguments, "--overwrite", "--json", "--quiet")
    (record,) = json.loads(out)
    assert record["entries"] == sum(record["counts"].values())
    assert err == ""


def test_apply_errors(run, network, sample, tmp_path):
    net, jets = network("hl"), sample["jets"]
    code, _, err = run("apply", net, jets, "-o", tmp_path / "s.root", "--signal-efficiency", "0.55")
    assert (code, "0.8, 0.9" in err) == (1, True)
    assert run("apply", net, jets, "-o", tmp_path / "s.root", "--signal-efficiency", "0.8", "--threshold", "1")[0] == 2
    code, _, err = run("apply", net, jets, "-o", tmp_path / "s.root", "--collection", "Electrons")
    assert (code, "electron, muon" in err) == (1, True)
    code, _, err = run("apply", net, jets, "-o", tmp_path / "s.root", "--layout", "delphes-2011")
    assert (code, "delphes-2011.01984" in err) == (1, True)
    assert run("apply", net, tmp_path / "absent.root", "-o", tmp_path / "s.root")[0] == 1
    assert run("apply", net, "-o", tmp_path / "s.root")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(network, sample, tmp_path):
    np.savez(tmp_path / "x.npz", hl=np.zeros((60_000, 7), np.float32))
    before = sorted(tmp_path.iterdir())
    for arguments in (
        ["apply", network("hl"), sample["jets"], "-o", tmp_path / "s.root", "--quiet"],
        ["predict", network("hl"), tmp_path / "x.npz", "-o", tmp_path / "s.npz"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "hepml", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
        assert done.returncode == 4, done.stderr
        assert done.stderr.count("OutputError") == 1
        assert "Traceback" not in done.stderr
        assert sorted(tmp_path.iterdir()) == before
