"""Scores as columns of RDataFrame: the numbers of hepml.Evaluator, and messages before the event loop."""

import json
import subprocess
import sys

import numpy as np
import pytest

import hepml
from hepml.errors import DataError, InputFileError

N = 200


def variables(*names):
    return [{"name": name, "offset": -0.5, "scale": 0.7} for name in names]


def dense(n_in, n_out, activation, seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=n_in * n_out).tolist()
    return {"architecture": "dense", "weights": weights, "bias": [0.1] * n_out, "activation": activation}


def write(path, record):
    path.write_text(json.dumps(record))
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A vector with one output; an image and a vector with two outputs; a sequence and a vector with three classes."""
    folder = tmp_path_factory.mktemp("networks")
    thresholds = [
        {"signal_efficiency": 0.8, "threshold": 0.4, "pt": None, "eta": None},
        {"signal_efficiency": 0.9, "threshold": 0.3, "pt": [0.0, 1.0], "eta": [-1.0, 1.0]},
        {"signal_efficiency": 0.9, "threshold": 0.6, "pt": [1.0, 2.0], "eta": [-1.0, 1.0]},
    ]
    scalars = {
        "inputs": [{"name": "hl", "variables": variables("a", "b", "c", "d", "e")}],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 5},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
            {"type": "feed_forward", "sources": [1], "layer_index": 1},
        ],
        "layers": [dense(5, 16, "tanh", 1), dense(16, 1, "sigmoid", 2)],
        "outputs": {"output": {"labels": ["signal"], "node_index": 2}},
        "hepml": {"format_version": 1, "model_id": "abc", "geometry": None, "thresholds": thresholds},
    }
    image = {
        "inputs": [
            {"name": "image", "shape": [2, 3, 1], "offset": 0.0, "scale": 0.5, "variables": []},
            {"name": "flat", "variables": variables("a", "b")},
        ],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 6},
            {"type": "input", "sources": [1], "size": 2},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
            {"type": "concatenate", "sources": [1, 2]},
            {"type": "feed_forward", "sources": [3], "layer_index": 1},
            {"type": "feed_forward", "sources": [3], "layer_index": 2},
        ],
        "layers": [{"architecture": "flatten"}, dense(8, 1, "sigmoid", 3), dense(8, 2, "linear", 4)],
        "outputs": {
            "output": {"labels": ["signal"], "node_index": 4},
            "regression": {"labels": ["pt", "mass"], "node_index": 5},
        },
        "hepml": {"format_version": 1, "model_id": "abc", "geometry": None, "thresholds": []},
    }
    sequence = {
        "inputs": [{"name": "event", "variables": variables("a")}],
        "input_sequences": [{"name": "tracks", "variables": variables("track_pt", "track_d0")}],
        "nodes": [
            {"type": "input", "sources": [0], "size": 1},
            {"type": "input_sequence", "sources": [0], "size": 2},
            {"type": "time_distributed", "sources": [1], "layer_index": 0},
            {"type": "sum", "sources": [2]},
            {"type": "concatenate", "sources": [0, 3]},
            {"type": "feed_forward", "sources": [4], "layer_index": 1},
        ],
        "layers": [dense(2, 4, "tanh", 5), dense(5, 3, "softmax", 6)],
        "outputs": {"flavour": {"labels": ["b", "c", "light"], "node_index": 5}},
    }
    return {
        name: write(folder / f"{name}.json", record)
        for name, record in {"scalars": scalars, "image": image, "sequence": sequence}.items()
    }


@pytest.fixture(scope="module", name="ROOT")
def installed_root():
    return pytest.importorskip("ROOT", reason="ROOT is not installed: pip install 'hepml[root]'")


@pytest.fixture(params=[False, True], ids=["one thread", "threads"])
def rdf(ROOT, request):
    """Columns of several types made from the entry number; `entry` to sort by."""
    if ROOT.IsImplicitMTEnabled():  # left on by whoever used ROOT before in this process; off twice is a warning
        ROOT.DisableImplicitMT()
    if request.param:
        ROOT.EnableImplicitMT(4)
    frame = ROOT.RDataFrame(N).Define("entry", "rdfentry_").Define("x", "double(rdfentry_) / 50 - 2")
    for name, expression in {
        "a": "sin(3 * x)",
        "b": "float(cos(5 * x))",
        "c": "int(rdfentry_ % 5)",
        "d": "rdfentry_ % 2 == 0",
        "e": "rdfentry_ % 3",
        "image": "ROOT::RVec<double>{x, x * x, sin(x), cos(x), 1. / (x + 7), 2.}",
        "track_pt": "ROOT::RVec<float>(rdfentry_ % 4, float(x))",
        "track_d0": "ROOT::RVec<double> v; for (unsigned i = 0; i < rdfentry_ % 4; ++i) v.push_back(x * i); return v;",
    }.items():
        frame = frame.Define(name, expression)
    assert (frame.GetNSlots() > 1) == request.param
    yield frame
    if request.param:
        ROOT.DisableImplicitMT()


def taken(frame, *names):
    """Columns as NumPy arrays in the order of entries; arrays of an entry as a list of arrays."""
    arrays = frame.AsNumpy(["entry", *names])
    order = np.argsort(arrays["entry"])
    assert np.array_equal(arrays["entry"][order], np.arange(len(order)))
    return [
        [np.array(arrays[name][i]) for i in order] if arrays[name].dtype == object else arrays[name][order]
        for name in names
    ]


def same(left, right):
    left, right = np.asarray(left), np.asarray(right)
    assert left.dtype == right.dtype == np.float32
    assert left.shape == right.shape
    assert left.tobytes() == right.tobytes()


def test_scalars_of_every_type_give_the_bits_of_the_evaluator(rdf, files):
    frame = hepml.root.define(rdf, "score", files["scalars"])
    score, *columns = taken(frame, "score", *"abcde")
    right = hepml.Evaluator(files["scalars"])(np.stack([np.float32(c) for c in columns], axis=1))["output"][:, 0]
    assert len(np.unique(score)) > N // 2
    same(score, right)


def test_columns_that_are_called_as_roots_own_parameters(rdf, files):
    """ROOT 6.40 takes var1, var2 for one another in what it compiles."""
    for i, name in enumerate("abcd"):
        rdf = rdf.Define(f"var{i}", name)
    columns = {"a": "var0", "b": "var1", "c": "var2 + 0 * var1", "d": "var3"}
    frame = hepml.root.define(hepml.root.define(rdf, "right", files["scalars"]), "score", files["scalars"], columns)
    frame = hepml.root.passes(
        frame, "passed", files["scalars"], "score", 0.9, pt="abs(var0)", eta="var0 - var0 + 0 * var1"
    )
    score, right, passed, a = taken(frame, "score", "right", "passed", "a")
    same(score, right)
    np.testing.assert_array_equal(passed, right >= np.where(np.abs(a) < 1, np.float32(0.3), np.float32(0.6)))


def test_an_image_and_a_choice_of_output_and_label(rdf, files):
    frame = hepml.root.define(rdf, "score", files["image"])
    frame = hepml.root.define(frame, "both", files["image"], output="regression")
    frame = hepml.root.define(frame, "mass", files["image"], output="regression", label="mass")
    score, both, mass, image, a, b = taken(frame, "score", "both", "mass", "image", "a", "b")
    arrays = {"image": np.float32(image).reshape(-1, 2, 3, 1), "flat": np.stack([np.float32(a), b], axis=1)}
    right = hepml.Evaluator(files["image"])(arrays)
    same(score, right["output"][:, 0])
    same(np.stack(both), right["regression"])
    same(mass, right["regression"][:, 1])


@pytest.mark.parametrize("one", [False, True])
def test_sequences_by_variable_or_as_one_array(rdf, files, one):
    columns = None
    if one:
        rdf = rdf.Define("both", "ROOT::RVec<double> v; for (size_t i = 0; i < track_pt.size(); ++i) {"
                         " v.push_back(track_pt[i]); v.push_back(track_d0[i]); } return v;")  # fmt: skip
        columns = {"tracks": "both"}
    frame = hepml.root.define(rdf, "flavour", files["sequence"], columns)
    flavour, a, pt, d0 = taken(frame, "flavour", "a", "track_pt", "track_d0")
    tracks = [np.stack([p, d], axis=1).astype(np.float32) for p, d in zip(pt, d0, strict=True)]
    assert {len(t) for t in tracks} == {0, 1, 2, 3}
    same(np.stack(flavour), hepml.Evaluator(files["sequence"])({"event": a[:, None], "tracks": tracks})["flavour"])


@pytest.mark.parametrize(
    "columns",
    [
        ["b", "a", "x", "c", "x * x + 1"],
        {"a": "b", "b": "a", "c": "x", "d": "c", "e": "x * x + 1"},
        {"hl": {"a": "b", "b": "a", "c": "x", "d": "c", "e": "x * x + 1"}},
        {"hl": ["b", "a", "x", "c", "x * x + 1"]},
        ["ROOT::RVec<double>{b, a, x, double(c), x * x + 1}"],
        {"hl": "std::array<double, 5>{b, a, x, double(c), x * x + 1}"},
    ],
    ids=["list", "variables", "nested", "list of an input", "array", "array of an input"],
)
def test_columns_are_named_in_any_way(rdf, files, columns):
    score, *values = taken(hepml.root.define(rdf, "score", files["scalars"], columns), "score", *"baxc")
    values.append(values[2] * values[2] + 1)
    same(score, hepml.Evaluator(files["scalars"])(np.stack(values, axis=1))["output"][:, 0])


def test_what_an_input_cannot_take_gives_nan(ROOT, files):
    frame = ROOT.RDataFrame(8).Define("entry", "rdfentry_").Define("a", "rdfentry_ == 7 ? NAN : 1.")
    frame = frame.Define("b", "2.f").Define("image", "ROOT::RVec<float>(rdfentry_, 1.f)")
    frame = frame.Define("track_pt", "image").Define("track_d0", "ROOT::RVec<float>(rdfentry_ / 2 * 2, 1.f)")
    frame = hepml.root.define(frame, "score", files["image"])
    frame = hepml.root.define(frame, "both", files["image"], output="regression")
    frame = hepml.root.define(frame, "flavour", files["sequence"], max_steps=4)
    frame = hepml.root.define(frame, "odd", files["sequence"], {"tracks": "image"}, label="c")
    score, both, flavour, odd = taken(frame, "score", "both", "flavour", "odd")
    entries = np.arange(8)
    assert np.array_equal(np.isfinite(score), entries == 6)  # the image has 6 pixels
    assert np.array_equal(np.isfinite(np.stack(both)), np.stack([entries == 6] * 2, axis=1))
    assert np.array_equal(np.isfinite(np.stack(flavour)).all(axis=1), (entries % 2 == 0) & (entries <= 4))
    assert np.array_equal(np.isfinite(odd), entries % 2 == 0)


def test_columns_in_a_functor_of_ones_own(ROOT, rdf, files):
    hepml.root.load()
    ROOT.gInterpreter.Declare("""
#ifndef HEPML_TEST_BOOK
#define HEPML_TEST_BOOK
#include <memory>
ROOT::RDF::RNode book(ROOT::RDF::RNode rdf, const char* path) {
  const auto model = hepml::Model::load(path);
  const std::vector<std::size_t> each{1, 2};
  const auto scorer = std::make_shared<hepml::Columns>(model, rdf.GetNSlots(), each);
  auto score = [scorer](unsigned slot, const ROOT::RVecD& image, double a, float b) {
    return (*scorer)(slot, 0, image, a, b)[0];
  };
  return rdf.DefineSlot("score", score, {"image", "a", "b"});
}
bool refuses(const char* path, std::vector<std::size_t> each) try {
  hepml::Columns(hepml::Model::load(path), 1, each);
  return false;
} catch (const hepml::Error& error) {
  return error.code() == hepml::Error::Code::usage;
}
#endif
""")
    frame = hepml.root.define(ROOT.book(ROOT.RDF.AsRNode(rdf), files["image"]), "other", files["image"])
    score, other = taken(frame, "score", "other")
    same(score, other)
    for each, refused in [
        ([1, 2], False),
        ([1, 1], False),
        ([1], True),
        ([2, 2], True),
        ([1, 3], True),
        ([1, 0], True),
    ]:
        assert ROOT.refuses(files["image"], each) == refused, each


def test_working_points(rdf, files):
    frame = hepml.root.define(rdf, "score", files["scalars"])
    frame = hepml.root.passes(frame, "loose", files["scalars"], "score", 0.8)
    frame = hepml.root.passes(frame, "tight", files["scalars"], "score", 0.9, pt="x", eta="a / 0.9")
    score, x, a, loose, tight = taken(frame, "score", "x", "a", "loose", "tight")
    assert np.array_equal(loose, score >= 0.4)
    low = (x >= 0) & (x < 1) & (score >= 0.3)
    high = (x >= 1) & (x < 2) & (score >= 0.6)
    assert np.array_equal(tight, (low | high) & (a / 0.9 >= -1) & (a / 0.9 < 1))
    assert 0 < tight.sum() < loose.sum() < N


def test_everything_is_refused_before_the_event_loop(ROOT, files, tmp_path):
    base = ROOT.RDataFrame(3).Define("alpha", "1.f").Define("a", "1.f").Define("name", 'std::string("x")')
    frame = base.Define("b", "2.").Define("c", "3.").Define("d", "4.").Define("e", "5.").Define("v", "ROOT::RVecD{1.}")
    net, image = files["scalars"], files["image"]
    cases = [
        ((base, "score", net), {}, ["no column 'b'"]),
        ((frame, "score", net, {"a": "alpa"}), {}, ["no column 'alpa'", "'alpha'"]),
        ((frame, "score", net, {"a": "alpa + 1"}), {}, ["'alpa + 1' cannot be compiled", "alpa", "'alpha'"]),
        ((frame, "score", net, {"aa": "a"}), {}, ["no input or variable 'aa'", "'a'"]),
        ((frame, "score", net, {"hl": {"f": "a"}}), {}, ["no variable in the input 'hl'", "a, b, c, d, e"]),
        ((frame, "score", net, {"a": "v"}), {}, ["'v' cannot fill the input 'hl'", "a number", "'v[0]'"]),
        ((frame, "score", net, {"a": "name"}), {}, ["'name' cannot fill the input 'hl'", "string"]),
        ((frame, "score", net, {"a": 1}), {}, ["no column", "found:    1"]),
        ((frame, "score", net, ["a", "b"]), {}, ["5, for a, b, c, d, e", "found:    2"]),
        ((frame, "score", net, "a"), {}, ["a list or a mapping"]),
        ((frame, "a", net), {}, ["a column 'a' already"]),
        ((frame, "a b", net), {}, ["cannot be called 'a b'"]),
        ((frame, "score", image), {}, ["no column 'image'"]),
        ((frame, "score", image, {"image": "a"}), {}, ["'a' cannot fill the input 'image'", "an array"]),
        ((frame, "score", image, {"image": "v"}), {"output": "regresion"}, ["no output 'regresion'", "'regression'"]),
        ((frame, "s", image, {"image": "v"}), {"output": "regression", "label": "mas"}, ["no label 'mas'", "'mass'"]),
        (("events.root", "score", net), {}, ["not a local RDataFrame", "str"]),
    ]
    for arguments, options, words in cases:
        with pytest.raises(DataError) as caught:
            hepml.root.define(*arguments, **options)
        assert all(word in str(caught.value) for word in words), f"{caught.value}\n{words}"
    with pytest.raises(InputFileError):
        hepml.root.define(frame, "score", tmp_path / "absent.json")
    scored = hepml.root.define(frame, "score", net)
    for options, words in [
        ({"signal_efficiency": 0.7}, ["0.7", "0.8, 0.9"]),
        ({"signal_efficiency": 0.9}, ["bins of pt", "pt=COLUMN"]),
        ({"signal_efficiency": 0.8, "score": "scor"}, ["no column 'scor'", "'score'"]),
    ]:
        with pytest.raises(DataError) as caught:
            hepml.root.passes(scored, "pass", net, **{"score": "score", **options})
        assert all(word in str(caught.value) for word in words), caught.value
    assert scored.Count().GetValue() == 3


def test_a_missing_root_is_one_message_and_importing_needs_none(files):
    code = f"""
import sys
sys.modules["ROOT"] = None
import hepml
try:
    hepml.root.define(None, "score", {files["scalars"]!r})
except hepml.HepmlError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "MissingExtraError ROOT is not installed\n  fix:      pip install 'hepml[root]'\n"
