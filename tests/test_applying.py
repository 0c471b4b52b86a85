"""Towers to scores: bit for bit what predict gives to the images, and what the C++ Tagger gives to the towers."""

import json
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot

import hepml
from hepml.applying import score_events
from hepml.candidates import STATUS_NAMES
from hepml.errors import DataError, GranularityError, InputFileError, OutputError, SchemaError
from hepml.friends import apply, read_ledger
from hepml.geometry import PAPER, Grid
from hepml.trees.skimming import skim
from hepml.working_points import WorkingPoint, working_point

FEATURES = ["hl", "mass", "et_and_ht_and_hl"]
COLUMNS = ("offsets", "et", "e", "eta", "phi")


def predicted(evaluator, candidates):
    """Images and variables made step by step, as a user would."""
    images = hepml.make_images(candidates)
    arrays = {
        "et": images.ecal_et,
        "ht": images.hcal_et,
        "hl": hepml.high_level(images),
        "mass": hepml.mass(images)[:, None],
    }
    return evaluator({record.name: arrays[record.name] for record in evaluator.inputs})["output"][:, 0]


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("which", ["leading", "all"])
def test_towers_to_score_equals_images_to_score_and_the_tagger(network, sample, features, which):
    evaluator = hepml.Evaluator(network(features))
    for path in sample.values():
        events = hepml.open_events(path, entry_stop=400)
        scored = score_events(evaluator, events, which=which)
        candidates = hepml.select_candidates(events, which=which)
        kept = scored.status == 0
        assert np.array_equal(scored.status, candidates.status)
        assert np.array_equal(np.isnan(scored.score), ~kept)
        assert np.array_equal(scored.score[kept], predicted(evaluator, candidates))
        assert scored.score.dtype == np.float32

        objects = events.objects["electron"]
        if which == "all":
            row = np.repeat(np.arange(len(events)), np.diff(objects.offsets))
            eta, phi = objects.eta, objects.phi
        else:
            row, eta, phi = candidates.row, candidates.eta, candidates.phi
        ecal, hcal = (
            replace(towers, edges=None, **dict(zip(COLUMNS, placed[:5], strict=True)))
            for towers, placed in zip((events.ecal, events.hcal), candidates.cells, strict=True)
        )
        tags = evaluator.tag(ecal, hcal, row, eta, phi)
        found = scored.score if which == "all" else scored.score[row]
        assert np.array_equal(tags.score, found, equal_nan=True)
        assert np.array_equal(tags.status, scored.status if which == "all" else scored.status[row])


@pytest.mark.parametrize("not_finite", ["drop", "keep"])
@pytest.mark.parametrize("most", [None, 8, 20])
@pytest.mark.parametrize("convention", [None, "2011.01984"])
def test_the_towers_that_count_are_those_of_the_network(*, network, sample, tmp_path, convention, most, not_finite):
    """Training, `apply` and the C++ Tagger leave out the same towers: the same bits, whatever is in the others."""
    document = json.loads(network("et_and_ht_and_hl").read_text())
    document["hepml"] |= {"towers": {"max": most, "not_finite": not_finite}, "convention": convention}
    (tmp_path / "net.json").write_text(json.dumps(document))
    evaluator = hepml.Evaluator(tmp_path / "net.json")
    events = hepml.open_events(sample["jets"], entry_stop=300)
    rng = np.random.default_rng(3)

    def at_cells(towers, bad):
        values = {name: getattr(towers, name).copy() for name in ("et", "e")}
        for name, value in zip(values, (np.nan, np.inf), strict=True):
            values[name][rng.random(len(towers)) < bad] = value
        eta, phi = ((towers.edges[:, i] + towers.edges[:, i + 1]) / 2 for i in (0, 2))
        return replace(towers, edges=None, eta=eta, phi=phi, **values)

    events = replace(events, ecal=at_cells(events.ecal, 0.01), hcal=at_cells(events.hcal, 0.03))
    options = {"max_towers": most, "not_finite": not_finite, "convention": convention}
    candidates = hepml.select_candidates(events, **options)
    scored = score_events(evaluator, events)
    assert np.array_equal(scored.status, candidates.status)
    good = scored.status == 0
    assert (scored.status == STATUS_NAMES.index("not_finite")).any() == (not_finite == "drop")
    assert np.array_equal(scored.score[good], predicted(evaluator, candidates))
    objects = events.objects["electron"]
    row = np.flatnonzero(np.diff(objects.offsets))
    leading = [objects.offsets[k] + np.argmax(objects.pt[objects.offsets[k] : objects.offsets[k + 1]]) for k in row]
    tags = evaluator.tag(events.ecal, events.hcal, row, objects.eta[leading], objects.phi[leading])
    assert np.array_equal(tags.status, scored.status[row])
    assert np.array_equal(tags.score, scored.score[row], equal_nan=True)
    if most or not_finite == "keep":
        every = hepml.select_candidates(events, convention=convention)
        assert len(every) < len(candidates) or not np.array_equal(
            hepml.high_level(hepml.make_images(every)), hepml.high_level(hepml.make_images(candidates))
        )


def test_the_tree_has_one_entry_per_input_entry(network, sample, tmp_path):
    (record,) = apply(network("hl"), sample["jets"], tmp_path / "scores.root", step_size=700)
    assert record.entries == sum(record.counts.values()) == uproot.open(sample["jets"])["Delphes"].num_entries
    tree = uproot.open(tmp_path / "scores.root")["hepml"]
    assert tree.classname == "TTree"
    assert tree.typenames() == {"score": "float", "status": "uint8_t"}
    arrays = tree.arrays(library="np")
    expected = score_events(hepml.Evaluator(network("hl")), hepml.open_events(sample["jets"]))
    assert np.array_equal(arrays["score"], expected.score, equal_nan=True)
    assert np.array_equal(arrays["status"], expected.status)


def test_with_all_objects_the_branches_are_jagged_like_the_collection(network, sample, tmp_path):
    apply(network("hl"), sample["electrons"], tmp_path / "s.root", which="all", step_size=800, threshold=0.3)
    tree = uproot.open(tmp_path / "s.root")["hepml"]
    arrays = tree.arrays()
    sizes = uproot.open(sample["electrons"])["Delphes"]["Electron_size"].array(library="np")
    assert ak.num(arrays["score"]).tolist() == ak.num(arrays["status"]).tolist() == sizes.tolist()
    score, status, passed = (ak.to_numpy(ak.flatten(arrays[name])) for name in ("score", "status", "pass"))
    assert score.dtype == np.float32
    assert status.dtype == np.uint8
    assert np.array_equal(np.isnan(score), status != 0)
    assert {STATUS_NAMES[code] for code in np.unique(status)} > {"ok"}
    with np.errstate(invalid="ignore"):
        assert np.array_equal(passed, score >= np.float64(0.3))


def test_several_files_go_to_a_folder(network, sample, tmp_path):
    seen = []
    records = apply(
        network("mass"),
        list(sample.values()),
        tmp_path / "out",
        progress=lambda record, total: seen.append((record, total)),
    )
    assert [record.output.name for record in records] == ["sample_electrons.root", "sample_jets.root"]
    assert all(record.output.exists() for record in records)
    assert seen == [(record, 2) for record in records]
    with pytest.raises(OutputError, match="exists"):
        apply(network("mass"), list(sample.values()), tmp_path / "out")
    apply(network("mass"), list(sample.values()), tmp_path / "out", overwrite=True)
    with pytest.raises(DataError, match="several inputs for one output"):
        apply(network("mass"), list(sample.values()), tmp_path / "out.root")


def test_inputs_of_equal_base_names_get_outputs_of_their_own(network, sample, tmp_path):
    inputs = []
    for folder, path in zip(("a", "b"), sample.values(), strict=True):
        (tmp_path / folder).mkdir()
        inputs.append(tmp_path / folder / "events.root")
        inputs[-1].write_bytes(path.read_bytes())
    first = apply(network("mass"), inputs, tmp_path / "out")
    turned = apply(network("mass"), inputs[::-1], tmp_path / "turned")
    names = [record.output.name for record in first]
    assert len(set(names)) == 2
    assert all(name.startswith("events-") for name in names)
    assert [record.output.name for record in turned] == names[::-1]
    for record, path in zip(first, inputs, strict=True):
        expected = score_events(hepml.Evaluator(network("mass")), hepml.open_events(path))
        found = uproot.open(record.output)["hepml"]["score"].array(library="np")
        assert np.array_equal(found, expected.score, equal_nan=True)
    taken = tmp_path / names[0]
    taken.write_bytes(inputs[0].read_bytes()[::-1])
    with pytest.raises(DataError, match="same output"):
        apply(network("mass"), [*inputs, taken], tmp_path / "clash")
    assert not (tmp_path / "clash").exists()


def test_the_input_is_never_overwritten(network, sample, tmp_path):
    copy = tmp_path / "events.root"
    copy.write_bytes(sample["jets"].read_bytes())
    before = copy.read_bytes()
    for output in (copy, tmp_path):
        with pytest.raises(OutputError, match="is an input"):
            apply(network("hl"), copy, output, overwrite=True)
    assert copy.read_bytes() == before


def test_working_points(network):
    evaluator = hepml.Evaluator(network("hl"))
    assert working_point(evaluator) is None
    assert working_point(evaluator, signal_efficiency=0.9) == WorkingPoint(((0.25, None, None),))
    assert working_point(evaluator, threshold=0.7) == WorkingPoint(((0.7, None, None),))
    with pytest.raises(DataError, match=r"one of 0.8, 0.9"):
        working_point(evaluator, signal_efficiency=0.5)
    with pytest.raises(DataError, match="both"):
        working_point(evaluator, signal_efficiency=0.8, threshold=0.5)


def test_thresholds_in_bins_are_used_where_they_are_stored(network, sample):
    plain = score_events(hepml.Evaluator(network("hl")), hepml.open_events(sample["electrons"], entry_stop=500))
    low, high = np.nanquantile(plain.score, [0.3, 0.7]).tolist()
    flat = {"signal_efficiency": 0.8, "threshold": 0.99, "pt": None, "eta": None}
    bins = [
        {"signal_efficiency": 0.8, "threshold": low, "pt": [10.0, 25.0], "eta": [-1.0, 1.0]},
        {"signal_efficiency": 0.8, "threshold": high, "pt": [25.0, 1000.0], "eta": [-1.0, 1.0]},
    ]
    evaluator = hepml.Evaluator(network("hl", thresholds=[flat, *bins]))
    scored = score_events(evaluator, hepml.open_events(sample["electrons"], entry_stop=500))
    passed = working_point(evaluator, signal_efficiency=0.8).passes(scored.score, scored.pt, scored.eta)
    for k in range(len(passed)):
        cut = low if 10 <= scored.pt[k] < 25 else high if 25 <= scored.pt[k] < 1000 else np.inf
        expected = -1 <= scored.eta[k] < 1 and scored.score[k] >= cut
        assert passed[k] == expected
    assert 0 < passed.sum() < len(passed)


def test_networks_that_cannot_start_from_towers_are_refused(sample, tmp_path):
    import keras

    from hepml.export import export_model

    x = keras.Input((3,), name="isolation")
    model = keras.Model(x, keras.layers.Dense(1)(x))
    export_model(model, tmp_path / "bare.json")
    with pytest.raises(DataError, match="no image geometry"):
        apply(tmp_path / "bare.json", sample["jets"], tmp_path / "s.root")
    export_model(model, tmp_path / "other.json", geometry=PAPER.to_dict())
    with pytest.raises(DataError, match="'isolation' cannot be made from towers"):
        apply(tmp_path / "other.json", sample["jets"], tmp_path / "s.root")
    assert not (tmp_path / "s.root").exists()


def test_the_collection_of_the_training_is_applied_to(network, sample, tmp_path, caplog):
    document = json.loads(network("hl").read_text())
    document["hepml"]["collection"] = "muon"
    other = tmp_path / "muon.json"
    other.write_text(json.dumps(document))
    (muons,) = apply(other, sample["jets"], tmp_path / "muons.root")
    assert not caplog.text
    (electrons,) = apply(other, sample["jets"], tmp_path / "electrons.root", collection="electron")
    assert "trained on the collection 'muon' and is applied to 'electron'" in caplog.text
    (known,) = apply(network("hl"), sample["jets"], tmp_path / "known.root", collection="muon")
    assert muons.counts == known.counts != electrons.counts
    for wrong in ("", 3):
        document["hepml"]["collection"] = wrong
        other.write_text(json.dumps(document))
        with pytest.raises(SchemaError, match="collection of a network is a name"):
            apply(other, sample["jets"], tmp_path / "wrong.root")
    with pytest.raises(DataError, match="no collection ''"):
        apply(network("hl"), sample["jets"], tmp_path / "wrong.root", collection="")


def test_towers_of_another_granularity_are_refused_by_name(network, sample, tmp_path):
    finer = replace(PAPER, ecal=Grid("ecal", n_eta=160, n_phi=252))
    with pytest.raises(DataError, match="differ in geometry"):
        network("hl", geometry=finer.to_dict())
    evaluator = hepml.Evaluator(network("hl"))
    events = hepml.open_events(sample["jets"], entry_stop=20)
    bare = replace(events, ecal=replace(events.ecal, edges=None), geometry=finer)
    with pytest.raises(GranularityError, match=r"160 x 252"):
        score_events(evaluator, bare)
    if events.ecal.edges is not None:
        edges = events.ecal.edges.copy()
        edges[:, :2] += 0.0125  # half a cell
        shifted = replace(events, ecal=replace(events.ecal, edges=edges))
        both = r"do not nest(.|\n)*granularity(.|\n)*network's .*200 x 252(.|\n)*sizes(.|\n)*--overlap share"
        with pytest.raises(GranularityError, match=both):
            score_events(evaluator, shifted)
        assert len(score_events(evaluator, shifted, overlap="share").score) == 20


def test_events_without_objects_and_empty_chunks(network, sample):
    events = hepml.open_events(sample["jets"], entry_stop=30)
    electrons = events.objects["electron"]
    nothing = replace(electrons, offsets=np.zeros(31, np.int64), **{k: np.zeros(0) for k in ("pt", "eta", "phi")})
    empty = replace(events, objects={**events.objects, "electron": replace(nothing, fields={})})
    evaluator = hepml.Evaluator(network("hl"))
    scored = score_events(evaluator, empty)
    assert [STATUS_NAMES[code] for code in np.unique(scored.status)] == ["no_object"]
    assert np.isnan(scored.score).all()
    assert score_events(evaluator, empty, which="all").score.shape == (0,)
    none = hepml.open_events(sample["jets"], entry_stop=0)
    assert score_events(evaluator, none).score.shape == (0,)


@pytest.mark.parametrize("which", ["leading", "all"])
@pytest.mark.parametrize("content", ["no entries", "no candidates"])
def test_files_without_entries_or_candidates_give_friends_too(network, sample, tmp_path, which, content):
    source = tmp_path / "events.root"
    options = {"which": which, "threshold": 0.5, "collection": "muon"}
    kept = skim(
        sample["jets"],
        source,
        lambda events: (np.diff(events.objects["muon"].offsets) == 0) & (content == "no candidates"),
    ).written
    assert (kept > 100) == (content == "no candidates")
    (record,) = apply(network("hl"), source, tmp_path / "s.root", **options)
    assert (record.entries, record.counts["ok"], record.passed) == (kept, 0, 0)
    ledger = read_ledger(tmp_path / "s.root")
    assert ledger["result"]["entries"] == kept
    tree = uproot.open(tmp_path / "s.root")["hepml"]
    assert tree.num_entries == kept
    assert np.isnan(ak.to_numpy(ak.flatten(tree["score"].array(), axis=None))).all()
    assert apply(network("hl"), source, tmp_path / "s.root", resume=True, **options)[0].kept
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed: pip install 'hepml[root]'")
    file = ROOT.TFile.Open(str(source))
    events = file.Get("Delphes")
    events.AddFriend("hepml", str(tmp_path / "s.root"))
    assert events.GetEntries() == events.GetFriend("hepml").GetEntries() == kept
    assert events.GetBranch("status") or events.GetFriend("hepml").GetBranch("status")
    file.Close()


def test_a_nan_energy_rejects_the_event_by_name(network, sample):
    events = hepml.open_events(sample["jets"], entry_stop=30)
    et = events.ecal.et.copy()
    et[events.ecal.offsets[4]] = np.nan
    evaluator = hepml.Evaluator(network("hl"))
    scored = score_events(evaluator, replace(events, ecal=replace(events.ecal, et=et)))
    clean = score_events(evaluator, events)
    assert STATUS_NAMES[scored.status[4]] == "not_finite"
    others = np.arange(30) != 4
    assert np.array_equal(scored.score[others], clean.score[others], equal_nan=True)


def test_bad_files(network, sample, tmp_path):
    with pytest.raises(InputFileError):
        apply(network("hl"), tmp_path / "absent.root", tmp_path / "s.root")
    (tmp_path / "text.root").write_text("no ROOT file")
    with pytest.raises(InputFileError):
        apply(network("hl"), tmp_path / "text.root", tmp_path / "s.root")
    (tmp_path / "cut.root").write_bytes(sample["jets"].read_bytes()[:20_000])
    with pytest.raises(InputFileError):
        apply(network("hl"), tmp_path / "cut.root", tmp_path / "s.root")
    assert not (tmp_path / "s.root").exists()
    assert not list(tmp_path.glob(".*"))


def test_files_of_the_development_sample(network, shared, tmp_path):
    for name in ("noselection_jets", "unslimmed_electrons"):
        (record,) = apply(network("hl"), shared / "electrons" / f"{name}.root", tmp_path / f"{name}.root")
        assert record.entries == sum(record.counts.values())
    assert uproot.open(tmp_path / "noselection_jets.root")["hepml"].num_entries == 120
    status = uproot.open(tmp_path / "noselection_jets.root")["hepml"]["status"].array(library="np")
    assert np.count_nonzero(status == STATUS_NAMES.index("no_object")) == 70
