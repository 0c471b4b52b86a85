"""Varied towers, from the ROOT files to changes of efficiency and rejection, on real networks."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot

import hepml
import hepml.layouts
from hepml.cli.main import main
from hepml.dataset import Dataset, convert
from hepml.dataset.rows import Options
from hepml.errors import DataError, InputFileError, SchemaError, VerificationError
from hepml.evaluation import evaluate, parse_variations, vary
from hepml.evaluation.towers import original_options, pileup_samples
from hepml.samples import Sample

QUICK = {"bootstrap": 40}


@pytest.fixture(scope="module")
def road(sample, tmp_path_factory):
    """A folder with the ROOT files, data.h5 and runs: plain, folds, cnn."""
    folder = tmp_path_factory.mktemp("vary")
    for name, path in sample.items():
        shutil.copyfile(path, folder / f"{name}.root")
    convert(folder / "electrons.root", folder / "jets.root", folder / "data.h5")
    small = {"epochs": 3, "layers": 1, "units": 16, "learning_rate": 0.01, "progress": False}
    hepml.train(folder / "data.h5", features="hl_and_mass", output=folder / "plain", **small)
    hepml.train(folder / "data.h5", features="hl", output=folder / "folds", folds=3, **small)
    cnn = {"filters": 2, "conv_blocks": 1, "steps_per_execution": 8} | small | {"epochs": 1}
    hepml.train(folder / "data.h5", features="et_and_ht_and_hl", output=folder / "cnn", **cnn)
    return folder


@pytest.fixture(scope="module")
def nominal(road):
    return evaluate(road / "plain", road / "data.h5", **QUICK)


def changed(road, evaluation, text, run="plain", **options):
    return vary(evaluation, road / run, road / "data.h5", text, **QUICK, **options).systematics


def numbers(systematics):
    return [(one.auc_change, *((c.change, c.moved_in) for c in (*one.signal, *one.background))) for one in systematics]


@pytest.mark.parametrize("run", ["plain", "folds", "cnn"])
def test_towers_that_are_not_different_change_nothing(road, run):
    evaluation = evaluate(road / run, road / "data.h5", **QUICK)
    one, two = changed(road, evaluation, "scale=1,scale=1.3", run)
    assert (one.n_signal, one.n_background) == (evaluation.n_signal, evaluation.n_background)
    assert all(c.moved_in == c.moved_out == c.change == 0 for c in (*one.signal, *one.background))
    assert (one.auc_change, one.lost, one.gained) == (0, (0, 0), (0, 0))
    assert [c.nominal for c in one.signal] == pytest.approx([0.5, 0.7, 0.8, 0.9, 0.95], abs=0.003)
    assert sum(c.moved_in + c.moved_out for c in (*two.signal, *two.background)) > 0
    for point, change in zip(evaluation.working_points, one.background, strict=True):
        assert point.limit or change.nominal == pytest.approx(1 / point.rejection)


def test_the_towers_that_count_are_those_of_the_data(road, tmp_path):
    """With all of them the scores would not be those that were evaluated."""
    data = tmp_path / "data.h5"
    convert(road / "electrons.root", road / "jets.root", data, max_towers=10, not_finite="keep")
    small = {"epochs": 1, "layers": 1, "units": 16, "progress": False}
    run = hepml.train(data, features="hl_and_mass", output=tmp_path / "run", **small)
    evaluation = evaluate(run, data, **QUICK)
    found = vary(evaluation, run, data, "scale=1", towers=[road], **QUICK).systematics[0]
    assert all(c.moved_in == c.moved_out == 0 for c in (*found.signal, *found.background))
    dataset = Dataset.open(data)
    assert original_options(dataset) == Options(max_towers=10, not_finite="keep")
    dataset.provenance["config"] |= {"max_towers": None, "not_finite": "drop"}
    with pytest.raises(VerificationError, match="does not give the scores"):
        vary(evaluation, run, dataset, "scale=1", towers=[road], **QUICK)
    for key in ("max_towers", "not_finite"):  # as in a data file of before
        del dataset.provenance["config"][key]
    assert original_options(dataset) == Options()


def test_the_result_does_not_depend_on_chunks_and_only_held_out_events_are_used(road, nominal):
    text = "noise=0.05,resolution=0.2,dead=0.05"
    seen = []
    some = changed(
        road, nominal, text, step_size=100, progress=lambda file, new, total: seen.append((file, new, total))
    )
    assert numbers(some) == numbers(changed(road, nominal, text, step_size="100 MB"))
    assert sum(new for _, new, _ in seen) == seen[0][2] == 5000
    assert all(one.n_signal + one.n_background <= len(nominal.events) + sum(one.gained) for one in some)
    assert numbers(some) != numbers(changed(road, nominal, text, seed=1))


def test_a_selection_that_is_repeated_follows_the_shower_and_a_kept_one_does_not(road, nominal):
    (repeated,), (kept,) = (
        changed(road, nominal, "shift.eta=2", candidates=candidates) for candidates in ("repeat", "keep")
    )
    assert kept.signal[2].change < -0.2  # the shower is no longer in the middle
    assert abs(repeated.signal[2].change) < 0.2 * abs(kept.signal[2].change)
    assert (kept.candidates, kept.lost, kept.gained) == ("keep", (0, 0), (0, 0))
    with pytest.raises(SchemaError, match="repeat, keep"):
        changed(road, nominal, "scale=1.1", candidates="again")


def test_a_hard_selection_is_made_again_too(road):
    hard = evaluate(road / "plain", road / "data.h5", selection="hard", **QUICK)
    (one,) = changed(road, hard, "scale.hcal=3")
    assert one.lost[1] > 0  # r_had grows
    assert one.gained == (0, 0)
    (kept,) = changed(road, hard, "scale.hcal=3", candidates="keep")
    assert (kept.lost, kept.n_background) == ((0, 0), hard.n_background)


def test_pileup_is_added_or_comes_as_samples_of_its_own(road, nominal, shared):
    piled, other = changed(
        road,
        nominal,
        [
            f"pileup={shared}/electrons/unslimmed_pileup50_jets.root",
            f"pileup.signal={shared}/electrons/eid_pileup50_electrons.root"
            f"+pileup.background={shared}/electrons/eid_pileup50_jets.root",
        ],
    )
    assert piled.paired
    assert not other.paired
    assert piled.signal[2].change < -0.3
    assert other.signal[2].change < -0.3
    assert (other.n_signal, other.n_background, other.lost) == (100, 100, None)
    assert "/" not in piled.name + other.name
    own = f"pileup.signal={road}/electrons.root+pileup.background={road}/jets.root"
    with pytest.raises(DataError, match="holds candidates of the pile-up samples"):
        changed(road, nominal, own)


def test_samples_with_pileup_are_weighted_as_in_a_conversion(road, nominal, shared, tmp_path):
    """Two background samples: their efficiencies are averaged with cross section over events read."""
    folder = shared / "electrons"
    files = [folder / f"{name}.root" for name in ("eid_pileup50_jets", "unslimmed_electrons")]
    signal = folder / "eid_pileup50_electrons.root"
    alone = changed(road, nominal, [f"pileup.signal={signal}+pileup.background={file}" for file in files])
    sections = (3.0, 50.0)
    lines = [f"  - {{name: s, files: {signal}, label: 1}}"]
    lines += [
        f"  - {{name: b{k}, files: {file}, label: 0, cross_section: {section}}}"
        for k, (file, section) in enumerate(zip(files, sections, strict=True))
    ]
    table = tmp_path / "pileup.yaml"
    table.write_text("format: hepml-samples\nversion: 1\ntask: binary\nsamples:\n" + "\n".join(lines) + "\n")
    (both,) = changed(road, nominal, f"pileup={table}")
    read = [uproot.open(file)["Delphes"].num_entries for file in files]
    weight = [x * one.n_background / n for x, one, n in zip(sections, alone, read, strict=True)]
    for k, found in enumerate(both.background):
        each = [one.background[k].varied for one in alone]
        assert found.varied == pytest.approx(np.average(each, weights=weight), rel=1e-9)
    assert any(one.background[0].varied != two.background[0].varied for one, two in [alone])
    assert both.n_background == sum(one.n_background for one in alone)
    assert (both.paired, both.name) == (False, "pileup=pileup.yaml")


def test_a_file_with_pileup_is_read_as_the_sample_that_it_stands_for(sample):
    (variation,) = parse_variations(f"pileup.signal={sample['electrons']}+pileup.background={sample['jets']}")
    own = {"files": (), "layout": "mine.yaml", "weight": "w", "group": "g"}
    nominal = [Sample("e", label=1.0, cross_section=2.0, **own), Sample("j", label=0.0, **own)]
    found = pileup_samples(variation, nominal).samples
    assert [(one.label, one.weight, one.layout, one.group, one.cross_section) for one in found] == [
        (1.0, "w", "mine.yaml", "g", 2.0),
        (0.0, "w", "mine.yaml", "g", None),
    ]
    assert [one.files[0].path for one in found] == [str(sample["electrons"]), str(sample["jets"])]
    other = Sample("q", label=0.0, cross_section=7.0, **own)
    for more in (other, replace(other, weight=None, cross_section=None)):
        with pytest.raises(DataError, match=r"several samples of different weights(.|\n)*j, q"):
            pileup_samples(variation, [*nominal, more])


def test_root_files_are_found_by_content(road, nominal, tmp_path):
    moved = tmp_path / "moved"
    moved.mkdir()
    data = shutil.copyfile(road / "data.h5", moved / "data.h5")  # without the log that knows the folder
    with pytest.raises(InputFileError, match=r"--towers"):
        vary(nominal, road / "plain", data, "scale=1.1", **QUICK)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("electrons", "jets"):
        shutil.copyfile(road / f"{name}.root", elsewhere / f"{name}_renamed.root")
    found = vary(nominal, road / "plain", data, "scale=1.1", towers=[elsewhere], **QUICK).systematics
    assert numbers(found) == numbers(changed(road, nominal, "scale=1.1"))
    shutil.copyfile(road / "electrons.root", moved / "electrons.root")
    content = bytearray((road / "jets.root").read_bytes())
    content[-200] ^= 1
    (moved / "jets.root").write_bytes(content)
    with pytest.raises(VerificationError, match="not the one that the data were made of"):
        vary(nominal, road / "plain", data, "scale=1.1", **QUICK)


def test_towers_of_another_time_are_noticed(road, nominal):
    events = nominal.events
    wrong = replace(nominal, events=replace(events, score=events.score + 0.01))
    with pytest.raises(VerificationError, match=r"does not give the scores(.|\n)*differ, by up to 0\.01"):
        changed(road, wrong, "scale=1.1")
    fewer = replace(nominal, events=events.take(np.arange(500)), identity=nominal.identity[:500])
    with pytest.raises(VerificationError, match="do not give the candidates"):
        changed(road, fewer, "scale=1.1")
    with pytest.raises(DataError, match="not reweighted"):
        changed(road, replace(nominal, reweighted=True), "scale=1.1")


def test_real_data_show_how_the_score_sculpts_the_mass(nominal):
    found = {one.name: one for one in nominal.dependence}
    assert list(found) == ["pt", "eta", "mass", "iso_03"]
    mass = found["mass"]
    assert mass.correlation[0] > 0.05  # a jet of low mass looks like an electron
    assert mass.distance[3] > mass.distance_by_chance[3]
    assert mass.background_efficiency[4, 0] > 3 * mass.background_efficiency[4, -1]


def test_data_without_a_history_are_refused(data, runs):
    with pytest.raises(DataError, match="do not say how they were made"):
        vary(evaluate(runs / "plain", data, **QUICK), runs / "plain", data, "scale=1.1")


def test_a_layout_file_is_found_too(road, tmp_path):
    layout = tmp_path / "mine.yaml"
    shutil.copyfile(Path(hepml.layouts.__file__).parent / "delphes-2011.01984.yaml", layout)
    for name in ("electrons", "jets"):
        shutil.copyfile(road / f"{name}.root", tmp_path / f"{name}.root")
    convert(tmp_path / "electrons.root", tmp_path / "jets.root", tmp_path / "data.h5", layout=layout)
    small = {"epochs": 1, "layers": 1, "units": 8, "progress": False}
    run = hepml.train(tmp_path / "data.h5", features="hl", output=tmp_path / "run", **small)
    dataset = Dataset.open(tmp_path / "data.h5")
    found = vary(evaluate(run, dataset, **QUICK), run, dataset, "scale=1", **QUICK)
    assert found.systematics[0].auc_change == 0


def hepml_command(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--bootstrap", "40", *map(str, arguments)])
    return stop.value.code or 0


def test_the_command_tabulates_draws_and_stores(road, tmp_path, capsys):
    out = tmp_path / "out"
    varied = ("--vary", "scale=1.02,scale=0.98", "--vary", "noise=0.1+threshold=0.3")
    assert hepml_command(road / "plain", road / "data.h5", "-o", out, *varied) == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("varied towers", "scale=1.02", "noise=0.1+threshold=0.3"))
    record = json.loads((out / "metrics.json").read_text())["systematics"]
    assert [one["name"] for one in record] == ["scale=1.02", "scale=0.98", "noise=0.1+threshold=0.3"]
    assert len(record[0]["signal"]) == len(record[0]["background"]) == len(record[0]["threshold"]) == 5
    tables = json.loads((out / "figures/systematics.json").read_text())["tables"]
    assert [table["name"] for table in tables] == [f"systematic {one['name']}" for one in record]
    assert (out / "figures/systematics.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--vary", "scael=1.1"], 1, "scale"),
        (["--vary", "scale=1.1", "--reweight"], 2, "--reweight"),
        (["--towers", "."], 2, "--vary"),
        (["--candidates", "keep"], 2, "--vary"),
        (["--vary", "scale=1.1", "--candidates", "drop"], 2, "keep"),
        (["--vary", "pileup=absent.root"], 1, "absent.root"),
    ],
)
def test_wrong_use_writes_nothing(*, road, tmp_path, capsys, arguments, code, words):
    out = tmp_path / "out"
    assert hepml_command(road / "plain", road / "data.h5", "-o", out, *arguments) == code
    assert words in capsys.readouterr().err
    assert not out.exists()
