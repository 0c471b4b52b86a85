"""hepml-run and hepml-bench, as the package installs them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hepml

RUN, BENCH = (Path(sys.executable).parent / f"hepml-{name}" for name in ("run", "bench"))


def run(program, *words, text="", code=0, **options):
    """What a program wrote: stdout, or stderr where it fails as expected."""
    words = [str(word) for word in (program, *words)]
    done = subprocess.run(words, **{"input": text, "capture_output": True, "text": True, "check": False, **options})
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stderr if code else done.stdout


def network(path, *inputs, sequences=(), labels=("signal",)):
    """A network file whose output is its inputs, one after another."""
    kind = "input_sequence" if sequences else "input"
    records = inputs or sequences
    sizes = [len(record["variables"]) or int(np.prod(record["shape"])) for record in records]
    nodes = [{"type": kind, "sources": [k], "size": size} for k, size in enumerate(sizes)]
    if len(nodes) > 1:
        nodes.append({"type": "concatenate", "sources": list(range(len(nodes)))})
    document = {
        "inputs": inputs,
        "input_sequences": sequences,
        "nodes": nodes,
        "layers": [],
        "outputs": {"y": {"labels": labels, "node_index": len(nodes) - 1}},
    }
    path.write_text(json.dumps(document))
    return path


def variables(*names):
    return [{"name": name, "offset": 0, "scale": 1} for name in names]


@pytest.fixture
def vector(tmp_path):
    """Three variables, two of whose names read as numbers."""
    record = {"name": "x", "variables": variables("inf", "pt", "1")}
    return network(tmp_path / "net.json", record, labels=["a", "b", "c"])


def test_a_line_is_an_event(tmp_path):
    """The numbers of hepml.Evaluator, bit for bit, in any order of columns."""
    record = {"name": "hl", "variables": variables(*hepml.FEATURE_NAMES)}
    path = network(tmp_path / "net.json", record, labels=list(hepml.FEATURE_NAMES))
    document = json.loads(path.read_text())
    layer = {"architecture": "dense", "weights": [1 / 7] * 7, "bias": [0.0], "activation": "sigmoid"}
    document["layers"] = [layer]
    document["nodes"].append({"type": "feed_forward", "sources": [0], "layer_index": 0})
    document["outputs"] = {"output": {"labels": ["signal"], "node_index": 1}}
    path.write_text(json.dumps(document))
    rows = np.random.default_rng(3).normal(size=(5, 7)).astype(np.float32)
    expected = hepml.Evaluator(path)(rows)["output"][:, 0]
    lines = [",".join(f"{value:.9g}" for value in row) for row in rows]
    header, *scores = run(RUN, path, text="\n".join(lines)).splitlines()
    assert header == "output.signal"
    assert np.array_equal(np.float32(scores), expected)
    names = " ".join(hepml.FEATURE_NAMES[::-1])
    backwards = [" ".join(line.split(",")[::-1]) for line in lines]
    assert np.array_equal(np.float32(run(RUN, path, text="\n".join([names, *backwards])).split()[1:]), expected)
    for text, words in [
        ("1,2,3", ["line 1", "expected: 7"]),
        (lines[0] + "x", ["not a number"]),
        ("\n\n1;2;3", ["line 3"]),
        ("\na b", ["hl.r_had", "line 2"]),
    ]:
        error = run(RUN, path, text=text, code=1)
        assert all(word in error for word in words), error


@pytest.mark.parametrize(
    ("lines", "scores"),
    [
        ("\n \n1,pt,inf\n3,2,1", "1,2,3"),
        ("\n \nx.1,pt,inf\n3,2,1", "1,2,3"),
        ("inf,pt,x.1\n1,2,3", "1,2,3"),
        ("inf,2,1", "nan,nan,nan"),
        ("\n1,2,3", "1,2,3"),
    ],
)
def test_the_first_line_that_is_not_blank_may_hold_names(vector, lines, scores):
    assert run(RUN, vector, text=lines).splitlines() == ["y.a,y.b,y.c", scores]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("inf pt", ["leaves out variables", "x.1"]),
        ("pt inf pt", ["names a variable twice", "pt"]),
        ("pt x.pt 1", ["names a variable twice", "x.pt"]),
        ("1 pt PT", ["names no variable", "x.inf, x.pt, x.1", "PT"]),
    ],
)
def test_a_header_that_is_not_whole_is_refused(vector, header, words):
    error = run(RUN, vector, text=header + "\n1 2 3", code=1)
    assert all(word in error for word in words), error


def test_input_and_variable_together_always_mean_that(tmp_path):
    records = [{"name": name, "variables": variables(variable)} for name, variable in (("a", "b"), ("c", "a.b"))]
    path = network(tmp_path / "net.json", *records, labels=["first", "second"])
    assert run(RUN, path, text="c.a.b,a.b\n1,2").splitlines()[1] == "2,1"
    assert "names a variable twice" in run(RUN, path, text="a.b,a.b\n1,2", code=1)


def test_a_table_may_begin_with_the_mark_of_utf_8(vector):
    """Spreadsheets write it before the first name."""
    text = "pt,x.1,x.inf\n2,3,1\n"
    assert run(RUN, vector, text="\ufeff" + text) == run(RUN, vector, text=text)
    assert run(RUN, vector, text="\ufeff1,2,3\n") == run(RUN, vector, text="1,2,3\n")


def test_pixels_have_the_name_of_their_image(tmp_path):
    image = {"name": "et", "shape": [2, 1, 2], "offset": 0, "scale": 1, "variables": []}
    path = network(tmp_path / "net.json", image, labels=["et", "e"])
    assert run(RUN, path, text="1,2,3,4").splitlines() == ["y.0.et,y.0.e,y.1.et,y.1.e", "1,2,3,4"]
    assert run(RUN, path, text="et.3,et.2,et.1,et.0\n1,2,3,4").splitlines()[1] == "4,3,2,1"
    for header in ("et.3,et.2,et.1,0", "et.3,et.2,et.1,et.00", "et.3,et.2,et.1,et", "et.3,et.2,et.1,et.0.0"):
        assert "names no variable" in run(RUN, path, text=f"{header}\n1,2,3,4", code=1)


def test_sequences_of_fixed_steps(tmp_path):
    sequence = {"name": "s", "steps": 3, "variables": variables("pt", "eta")}
    path = network(tmp_path / "net.json", sequences=[sequence], labels=["pt", "eta"])
    header = "y.0.pt,y.0.eta,y.1.pt,y.1.eta,y.2.pt,y.2.eta"
    assert run(RUN, path, text="1,2,3,4,5,6").splitlines() == [header, "1,2,3,4,5,6"]
    assert run(RUN, path, text="s.2.pt,2.eta,1.pt,1.eta,0.pt,0.eta\n1,2,3,4,5,6").splitlines()[1] == "5,6,3,4,1,2"


def test_a_line_is_no_sequence_of_any_length(tmp_path):
    sequence = {"name": "s", "variables": variables("a")}
    path = network(tmp_path / "net.json", sequences=[sequence], labels=["a"])
    assert "'s' is a sequence" in run(RUN, path, text="1", code=1)


def test_hepml_bench_measures(vector):
    measured = json.loads(run(BENCH, vector, "50"))
    assert measured["events"] == 50
    assert measured["parameters"] == 0
    assert 0 < measured["p10_us"] <= measured["median_us"] <= measured["p99_us"]
    for who in ("cpu", "arithmetic"):
        assert 0 < measured[f"{who}_median_us"] <= measured[f"{who}_p999_us"]


@pytest.mark.parametrize("count", ["0", "-5", "many", "5x", "", "1e3", "2000000000", "99999999999999999999999"])
def test_hepml_bench_refuses_what_is_no_number_of_events(vector, count):
    error = run(BENCH, vector, count, code=2)
    assert error == f"hepml-bench: the number of events is a whole number from 1 to 1000000000, not '{count}'\n"


@pytest.mark.parametrize("program", [RUN, BENCH])
def test_an_output_that_cannot_be_written_is_exit_code_4(vector, program):
    assert "4 standard output cannot be written" in run(program, "--help")
    for words in ([vector], ["--help"], ["--version"]):
        with open("/dev/full", "w") as full:
            options = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
            error = run(program, *words, text="1,2,3\n" * 5000, code=4, **options)
        assert error == f"{program.name}: cannot write to standard output: No space left on device\n"


def test_a_full_disk_ends_the_work_at_once(vector):
    """The events go on for ever."""
    command = f"yes 1,2,3 | '{RUN}' '{vector}' > /dev/full"
    assert "No space left" in run("bash", "-c", f"{command}; exit $?", code=4)


@pytest.mark.parametrize("program", [RUN, BENCH])
def test_what_is_thrown_is_one_message(tmp_path, program):
    assert run(program, tmp_path / "absent.json", code=1).startswith(f"{program.name}: ")
    document = {
        "hepml": {
            "format_version": 1,
            "reference": {"inputs": {"x": [[1]]}, "outputs": {"y": [[2]]}, "tolerance": 1e-6},
        }
    }
    path = network(tmp_path / "net.json", {"name": "x", "variables": variables("a")})
    path.write_text(json.dumps(json.loads(path.read_text()) | document))
    assert "reference" in run(program, path, code=3)
