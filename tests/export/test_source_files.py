"""The header of a network as a file: its names, what is written, and the command."""

import json

import pytest

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, OutputError, UnsupportedLayerError
from hepml.export.source import SourceFile, source_text


@pytest.mark.parametrize("namespace", ["", "a b", "class", "a::", "1a", "a__b", "_a"])
def test_a_namespace_has_to_be_a_name(namespace, network):
    with pytest.raises(DataError, match="no C\\+\\+ name"):
        source_text(network("hl"), namespace)


def test_the_same_file_gives_the_same_header(network):
    assert source_text(network("hl"), "net") == source_text(json.loads(network("hl").read_text()), "net")


def test_files_may_begin_with_the_mark_of_utf_8(network, run, tmp_path):
    """As the evaluator reads them; Windows' editors write it."""
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + network("hl").read_bytes())
    assert source_text(marked, "net") == source_text(network("hl"), "net")
    assert run("export", marked, "--source", tmp_path / "net.hpp")[0] == 0
    packed = [
        hepml.export.packing.compact(path, tmp_path / name) for path, name in ((marked, "a"), (network("hl"), "b"))
    ]
    assert packed[0].read_bytes() == packed[1].read_bytes()


def test_what_it_cannot_have_is_refused_by_name(tmp_path):
    """On each step there is what lwtnn has there."""
    document = {
        "inputs": [],
        "input_sequences": [{"name": "x", "variables": [{"name": n, "offset": 0, "scale": 1} for n in "ab"]}],
        "nodes": [
            {"type": "input_sequence", "sources": [0], "size": 2},
            {"type": "time_distributed", "sources": [0], "layer_index": 0},
        ],
        "layers": [{"architecture": "softmax", "axes": [0], "activation": "softmax"}],
        "outputs": {"y": {"labels": ["a", "b"], "node_index": 1}},
    }
    with pytest.raises(UnsupportedLayerError, match=r"'softmax' on each step(.|\n)*layers\[0\](.|\n)*dense, (.|\n)*"):
        hepml.export_source(document, tmp_path / "net.hpp")
    assert list(tmp_path.iterdir()) == []


def test_both_files_or_none(make, tmp_path):
    model, specs = make("hl")
    header = tmp_path / "net.hpp"
    header.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        hepml.export_model(model, tmp_path / "net.json", inputs=specs, source=header)
    assert [path.name for path in tmp_path.iterdir()] == ["net.hpp"]
    assert header.read_text() == "mine"
    wanted = SourceFile(header, namespace="trigger::hl")
    hepml.export_model(model, tmp_path / "net.json", inputs=specs, source=wanted, overwrite=True)
    assert "namespace trigger::hl {" in header.read_text()
    assert source_text(tmp_path / "net.json", "trigger::hl")[0] == header.read_text()


@pytest.fixture
def run(capsys):
    """Runs hepml; (exit code, stdout, stderr)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return call


def test_commands(run, make, network, tmp_path):
    make("hl")[0].save(tmp_path / "model.keras")
    net, header = tmp_path / "net.json", tmp_path / "net.hpp"
    code, out, _ = run("export", tmp_path / "model.keras", "-o", net, "--source", header)
    assert (code, str(header) in out) == (0, True)
    assert "struct Network" in header.read_text()
    code, _, err = run("export", tmp_path / "model.keras", "-o", tmp_path / "other.json", "--source", header)
    assert (code, (tmp_path / "other.json").exists()) == (4, False)
    assert "exists" in err
    assert run("export", tmp_path / "model.keras", "--source", tmp_path / "a.hpp")[0] == 2
    assert run("export", tmp_path / "model.keras", "-o", net, "--source", net, "--overwrite")[0] == 2
    # of a file that is there already
    code, out, _ = run("export", network("et"), "--source", tmp_path / "et.hpp", "--namespace", "a::b", "--json")
    assert code == 0
    summary = json.loads(out)
    assert (summary["namespace"], summary["inputs"]) == ("a::b", ["et"])
    assert run("export", network("et"), "--source", tmp_path / "b.hpp", "-o", tmp_path / "b.json")[0] == 2
    assert run("export", network("et"), "--source", tmp_path / "2.hpp")[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["et.hpp", "model.keras", "net.hpp", "net.json"]
