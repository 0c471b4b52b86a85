"""Friend trees of many files: processes, resuming, files that cannot be read, and ROOT's AddFriend."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import uproot

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, InputFileError, MissingBranchError, OutputError, VerificationError
from hepml.friends import apply, read_ledger


@pytest.fixture
def inputs(sample, tmp_path):
    """Three copies of the sample under names of their own."""
    paths = [tmp_path / f"{name}.root" for name in ("a", "b", "c")]
    for path, name in zip(paths, ("electrons", "jets", "electrons"), strict=True):
        path.write_bytes(sample[name].read_bytes())
    return paths


def contents(path):
    with uproot.open(path) as file:
        arrays = file["hepml"].arrays(library="np")
        return {name: values.tobytes() for name, values in arrays.items()}, str(file["hepml_ledger"])


def test_the_outputs_do_not_depend_on_the_number_of_processes(network, inputs, tmp_path):
    one = apply(network("hl"), inputs, tmp_path / "one", signal_efficiency=0.8)
    two = apply(network("hl"), inputs, tmp_path / "two", signal_efficiency=0.8, jobs=2, step_size=700)
    assert [record.counts for record in one] == [record.counts for record in two]
    for left, right in zip(one, two, strict=True):
        assert left.output.name == right.output.name
        assert contents(left.output) == contents(right.output)


def test_several_processes_need_a_file(network, inputs, tmp_path):
    with pytest.raises(DataError, match="need the file of the network"):
        apply(hepml.Evaluator(network("hl")), inputs, tmp_path / "out", jobs=2)


def test_the_ledger_says_what_the_scores_are_made_of(network, inputs, tmp_path):
    (record,) = apply(network("hl"), inputs[0], tmp_path / "s.root", threshold=0.5)
    ledger = read_ledger(record.output)
    assert ledger["input"]["name"] == "a.root"
    assert ledger["network"]["model_id"] == hepml.Evaluator(network("hl")).model_id
    assert ledger["options"]["threshold"] == 0.5
    assert ledger["result"]["counts"] == record.counts
    assert sum(record.counts.values()) == record.entries
    assert ledger["result"]["passed"] == record.passed
    assert str(tmp_path) not in json.dumps(ledger)


def test_resuming_keeps_what_is_whole_and_writes_the_rest(network, inputs, tmp_path):
    out = tmp_path / "out"
    first = apply(network("hl"), inputs, out)
    before = {record.output: contents(record.output) for record in first}
    first[0].output.unlink()
    damaged = bytearray(first[1].output.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    first[1].output.write_bytes(damaged)
    kept = first[2].output.stat().st_mtime_ns
    again = apply(network("hl"), inputs, out, resume=True)
    assert [record.kept for record in again] == [False, False, True]
    assert [record.counts for record in again] == [record.counts for record in first]
    assert {record.output: contents(record.output) for record in again} == before
    assert first[2].output.stat().st_mtime_ns == kept


def test_no_flipped_bit_goes_unseen(network, inputs, tmp_path):
    (record,) = apply(network("hl"), inputs[0], tmp_path / "s.root")
    whole, expected = record.output.read_bytes(), contents(record.output)
    seen = 0
    for place in np.linspace(0, len(whole) - 1, 150).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        record.output.write_bytes(damaged)
        try:
            read_ledger(record.output)
        except VerificationError:
            seen += 1
        except InputFileError:  # its first four bytes: it is no longer a ROOT file
            assert place < 4
        else:
            assert contents(record.output) == expected
    assert seen > 0


@pytest.mark.parametrize(
    ("change", "what"),
    [({"threshold": 0.2}, "options"), ({"which": "all"}, "options"), ({"network": "mass"}, "network")],
)
def test_an_output_made_differently_is_refused(network, inputs, tmp_path, change, what):
    apply(network("hl"), inputs[0], tmp_path / "s.root")
    before = (tmp_path / "s.root").read_bytes()
    name = change.pop("network", "hl")
    with pytest.raises(OutputError, match=f"another {what}"):
        apply(network(name), inputs[0], tmp_path / "s.root", resume=True, **change)
    assert (tmp_path / "s.root").read_bytes() == before


def test_an_output_of_another_input_is_refused(network, inputs, tmp_path):
    apply(network("hl"), inputs[0], tmp_path / "s.root")
    with pytest.raises(OutputError, match="another input"):
        apply(network("hl"), inputs[1], tmp_path / "s.root", resume=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_that_cannot_be_read_are_skipped_on_request_only(network, inputs, tmp_path, jobs):
    inputs[1].write_bytes(inputs[1].read_bytes()[:5000])
    with pytest.raises(InputFileError):
        apply(network("hl"), inputs, tmp_path / "out", jobs=jobs)
    records = apply(network("hl"), inputs, tmp_path / "out", jobs=jobs, skip_bad=True, overwrite=True)
    assert [record.skipped is None for record in records] == [True, False, True]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.root", "c.root"]


def test_a_branch_that_is_missing_in_one_file_is_named(network, inputs, tmp_path):
    with uproot.recreate(inputs[1]) as file:
        file.mktree("Delphes", {"other": "float32"}).extend({"other": np.ones(3, np.float32)})
    (good, bad, _) = apply(network("hl"), inputs, tmp_path / "out", skip_bad=True)
    assert good.skipped is None
    assert bad.skipped.startswith(MissingBranchError.__name__)


def command(*arguments):
    return [sys.executable, "-m", "hepml", "apply", *map(str, arguments)]


def test_the_command_lists_what_it_skipped(network, inputs, tmp_path):
    inputs[2].write_text("no ROOT file")
    words = command(network("hl"), *inputs, "-o", tmp_path / "out", "--skip-bad", "--json")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert [one["skipped"] is None for one in json.loads(done.stdout)] == [True, True, False]
    assert f"skipped {inputs[2]}: InputFileError" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_whole_files_or_none_and_can_be_resumed(network, sample, tmp_path, how):
    inputs = []
    for number in range(12):
        inputs.append(tmp_path / f"{number}.root")
        inputs[-1].write_bytes(sample["electrons"].read_bytes())
    out = tmp_path / "out"
    words = [*command(network("et_and_ht_and_hl"), *inputs, "-o", out, "--resume", "--quiet"), "--step-size", "50"]
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(out.glob("[0-9]*.root")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(run.pid, how)
    started = time.monotonic()
    code = run.wait(timeout=30)
    assert code == (143 if how == signal.SIGTERM else -signal.SIGKILL)
    assert time.monotonic() - started < 5
    finished = sorted(path.name for path in out.glob("[0-9]*.root"))
    assert 0 < len(finished) < 12
    for name in finished:
        read_ledger(out / name)
    subprocess.run(words, check=True)
    reference = apply(network("et_and_ht_and_hl"), inputs[0], tmp_path / "reference.root")
    expected, _ = contents(reference[0].output)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in inputs)
    for path in out.iterdir():
        assert contents(path)[0] == expected


def test_root_takes_the_tree_as_a_friend(network, inputs, tmp_path):
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed: pip install 'hepml[root]'")
    apply(network("hl"), inputs[0], tmp_path / "scores.root")
    file = ROOT.TFile.Open(str(inputs[0]))
    tree = file.Get("Delphes")
    tree.AddFriend("hepml", str(tmp_path / "scores.root"))
    tree.SetBranchStatus("*", 0)
    for name in ("Electron_size", "score", "status"):
        tree.SetBranchStatus(name, 1)
    frame = ROOT.RDataFrame(tree)
    score = frame.AsNumpy(["hepml.score"])["hepml.score"]
    expected = uproot.open(tmp_path / "scores.root")["hepml"]["score"].array(library="np")
    assert np.array_equal(score, expected, equal_nan=True)
    file.Close()


def test_a_file_behind_a_url_that_changed_is_not_kept(network, inputs, sample, tmp_path):
    url, output = inputs[0].as_uri(), tmp_path / "s.root"
    apply(network("hl"), url, output)
    assert apply(network("hl"), url, output, resume=True)[0].kept
    inputs[0].write_bytes(sample["jets"].read_bytes())
    with pytest.raises(OutputError, match="made differently"):
        apply(network("hl"), url, output, resume=True)


def test_the_lengths_of_jagged_scores_are_checked_too(network, inputs, tmp_path):
    (record,) = apply(network("hl"), inputs[1], tmp_path / "s.root", which="all")
    ledger = read_ledger(record.output)
    with uproot.open(record.output) as file:
        counts = file["hepml/n"].array(library="np").astype("<i4")
    assert ledger["result"]["sha256"]["n"] == hashlib.sha256(counts.tobytes()).hexdigest()


def hepml_command(*words):
    with pytest.raises(SystemExit) as done:
        main([*map(str, words)])
    return done.value.code


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_verify_and_show_know_scores(network, inputs, tmp_path, capsys):
    (record,) = apply(network("hl"), inputs[1], tmp_path / "s.root", signal_efficiency=0.8)
    assert hepml_command("verify", record.output) == 0
    assert "2500" in capsys.readouterr().out
    assert hepml_command("show", record.output) == 0
    told = capsys.readouterr().out
    ledger = read_ledger(record.output)
    for word in ("b.root", "0 to 2500", ledger["network"]["model_id"], ledger["input"]["sha256"][:12], "which leading"):
        assert word in told
    for name, count in record.counts.items():
        assert f"{name} {count}" in told
    assert ledger["input"]["size"] == inputs[1].stat().st_size
    assert ledger["input"]["uuid"] == str(uproot.open(inputs[1]).file.uuid)
    assert hepml_command("show", record.output, "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["kind"], card["entries"], card["counts"]) == ("scores", 2500, record.counts)
    assert card["files"][0]["options"] == ledger["options"]
    whole = record.output.read_bytes()
    flip(record.output, len(whole) // 2)
    for command in ("verify", "show"):
        assert hepml_command(command, record.output) == 3
        told = capsys.readouterr()
        assert "checksums" in told.err
        assert ": ok" not in told.out
    for length in (len(whole) // 3, len(whole) - 50):
        record.output.write_bytes(whole[:length])
        assert hepml_command("verify", record.output) == hepml_command("show", record.output) == 3


def test_verify_and_show_know_a_folder_of_scores(network, inputs, tmp_path, capsys):
    records = apply(network("hl"), inputs, tmp_path / "out")
    for command in ("verify", "show"):
        assert hepml_command(command, tmp_path / "out") == 0
        assert "7500" in capsys.readouterr().out
    assert hepml_command("show", tmp_path / "out", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert [each["input"]["name"] for each in card["files"]] == ["a.root", "b.root", "c.root"]
    assert card["counts"]["ok"] == sum(record.counts["ok"] for record in records)
    for record in records[1:]:
        flip(record.output, record.output.stat().st_size // 2)
    assert hepml_command("verify", tmp_path / "out") == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "2 of 3 do not agree" in told.err
    assert "b.root" in told.err
    assert "c.root" in told.err
    assert hepml_command("show", tmp_path / "out") == 3
    assert "b.root: score" in capsys.readouterr().err


def test_what_is_not_of_apply_is_neither_verified_nor_replaced(network, inputs, tmp_path, capsys):
    foreign = tmp_path / "s.root"
    foreign.write_bytes(inputs[2].read_bytes())
    (tmp_path / "others").mkdir()
    (tmp_path / "others/a.root").write_bytes(foreign.read_bytes())
    for path in (foreign, tmp_path / "others"):
        for command in ("verify", "show"):
            assert hepml_command(command, path) == 1
            assert "hepml apply" in capsys.readouterr().err
    with pytest.raises(OutputError, match="not of hepml apply"):
        apply(network("hl"), inputs[0], foreign, resume=True)
    assert foreign.read_bytes() == inputs[2].read_bytes()


@pytest.mark.parametrize("how", ["replaced", "written to"])
def test_an_input_that_changes_while_it_is_scored_gives_no_scores(network, inputs, tmp_path, monkeypatch, how):
    module = sys.modules["hepml.friends.scoring"]
    real = module.score_events
    other = tmp_path / "other"
    other.write_bytes(inputs[0].read_bytes())

    def scoring(*arguments, **options):
        if how == "replaced" and other.exists():
            other.replace(inputs[1])
        elif how == "written to":
            with inputs[1].open("ab") as file:
                file.write(b"more")
        return real(*arguments, **options)

    monkeypatch.setattr(module, "score_events", scoring)
    with pytest.raises(InputFileError, match="changed while it was read"):
        apply(network("hl"), inputs[1], tmp_path / "s.root", step_size=1000)
    assert not (tmp_path / "s.root").exists()


def test_books_that_do_not_balance_give_no_scores(network, inputs, tmp_path, monkeypatch):
    module = sys.modules["hepml.friends.scoring"]
    real = module.score_events

    def losing(*words, **options):
        scored = real(*words, **options)
        return replace(scored, score=scored.score[1:], status=scored.status[1:])

    monkeypatch.setattr(module, "score_events", losing)
    with pytest.raises(VerificationError, match="do not balance"):
        apply(network("hl"), inputs[1], tmp_path / "s.root")
    assert not (tmp_path / "s.root").exists()
