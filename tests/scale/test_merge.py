"""Parts of a conversion joined: the bytes of one conversion, or a refusal that says why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from commands import run

from hepml.dataset import SPLITS, Dataset, convert
from hepml.errors import DataError, InputFileError, OutputError, VerificationError
from hepml.scale import merge

Files = dict[str, list[Path]]


@pytest.fixture(scope="module")
def whole(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "data.h5"
    convert(files["electrons"], files["jets"], path)
    return path


def parts_of(files: Files, folder: Path, n: int, **options: Any) -> list[Path]:
    paths = [folder / f"part{number}.h5" for number in range(1, n + 1)]
    for number, path in enumerate(paths, 1):
        convert(files["electrons"], files["jets"], path, part=(number, n), **options)
    return paths


@pytest.mark.parametrize("n", [1, 3, 8])
def test_parts_give_the_bytes_of_one_conversion(files: Files, whole: Path, tmp_path: Path, n: int) -> None:
    paths = parts_of(files, tmp_path, n)
    summary = merge(paths[::-1], tmp_path / "data.h5")
    assert (tmp_path / "data.h5").read_bytes() == whole.read_bytes()
    assert summary.cut_flow["read"] == 5000
    log = json.loads(summary.log.read_text())
    assert log["parts"] == [str(path) for path in paths]


@pytest.mark.parametrize("options", [{"which": "all", "dense": True}, {"convention": "2011.01984", "min_pt": 12.0}])
def test_options_layouts_and_steps(files: Files, tmp_path: Path, options: dict[str, Any]) -> None:
    convert(files["electrons"], files["jets"], tmp_path / "whole.h5", **options)
    merge(parts_of(files, tmp_path, 3, step_size=333, **options), tmp_path / "data.h5")
    assert (tmp_path / "data.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_whole_data_files_follow_each_other_sample_by_sample(files: Files, whole: Path, tmp_path: Path) -> None:
    electrons, jets = files["electrons"], files["jets"]
    convert(electrons[:1], jets[:3], tmp_path / "one.h5")
    convert(electrons[1:], jets[3:], tmp_path / "two.h5")
    merge([tmp_path / "one.h5", tmp_path / "two.h5"], tmp_path / "data.h5")
    assert (tmp_path / "data.h5").read_bytes() == whole.read_bytes()
    merge(tmp_path / "data.h5", tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == whole.read_bytes()


def _weighted(path: Path, seed: int, n: int) -> Path:
    """A tree of one electron and one tower an event, with weights that no float32 holds, some of them NaN."""
    rng = np.random.default_rng(seed)
    one = ak.from_regular(np.ones((n, 1), np.float32))
    columns: dict[str, Any] = dict.fromkeys(("t_eta", "t_phi", "h_eta", "h_phi", "h_et", "e_eta", "e_phi"), one)
    columns |= {name: ak.from_regular(rng.exponential(20, (n, 1)).astype("f4")) for name in ("t_et", "e_pt")}
    weight = rng.normal(1, 3, n) * 10.0 ** rng.integers(-8, 8, n)
    weight[::97] = np.nan
    with uproot.recreate(path) as file:
        file["calo"] = {**columns, "w": np.abs(weight)}
    return path


def test_weights_normalised_to_cross_sections(tmp_path: Path) -> None:
    files = [_weighted(tmp_path / f"{name}{seed}.root", seed, 400 + seed) for seed, name in enumerate("sssbbb")]
    (tmp_path / "mine.yaml").write_text(
        "format: hepml-layout\nversion: 1\nname: mine\n"
        "towers:\n  ecal: {et: t_et, eta: t_eta, phi: t_phi}\n  hcal: {et: h_et, eta: h_eta, phi: h_phi}\n"
        "objects:\n  electron: {pt: e_pt, eta: e_eta, phi: e_phi}\nevent: {weight: w}\n"
    )
    (tmp_path / "samples.yaml").write_text(
        "format: hepml-samples\nversion: 1\ntask: binary\nlayout: mine.yaml\nsamples:\n"
        "  - {name: s, files: s*.root, label: 1, cross_section: 0.7}\n"
        "  - {name: b, files: b*.root, label: 0, cross_section: 1.3}\n"
    )
    one = convert(None, None, tmp_path / "whole.h5", samples=tmp_path / "samples.yaml")
    convert(None, None, tmp_path / "steps.h5", samples=tmp_path / "samples.yaml", step_size=37)
    paths = [tmp_path / f"part{number}.h5" for number in (1, 2, 3, 4)]
    for number, path in enumerate(paths, 1):
        convert(None, None, path, samples=tmp_path / "samples.yaml", part=(number, 4))
    merge(paths, tmp_path / "data.h5")
    assert (tmp_path / "steps.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert (tmp_path / "data.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    data = Dataset.open(tmp_path / "data.h5")
    weight = np.concatenate([data.column("weight", split) for split in SPLITS])
    sample = np.concatenate([data.column("sample_id", split) for split in SPLITS])
    assert one.samples[0]["weights_not_finite"] == sum(len(range(0, 400 + seed, 97)) for seed in range(3))
    assert one.cut_flow["written"] == len(weight)
    written = [weight[sample == number].sum() for number in (0, 1)]
    np.testing.assert_allclose(written, [0.7, 1.3], rtol=1e-12)
    merge(tmp_path / "data.h5", tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert len(files) == 6


def test_missing_doubled_and_foreign_parts_are_refused(files: Files, whole: Path, tmp_path: Path) -> None:
    paths = parts_of(files, tmp_path, 4)
    out = tmp_path / "out" / "data.h5"
    with pytest.raises(DataError, match="2 of 4 parts are missing") as caught:
        merge([paths[0], paths[3]], out)
    assert "2/4, 3/4" in str(caught.value)
    (tmp_path / "copy.h5").write_bytes(paths[1].read_bytes())
    with pytest.raises(DataError, match="the same part twice"):
        merge([*paths, tmp_path / "copy.h5"], out)
    with pytest.raises(DataError, match="named twice"):
        merge([*paths, paths[0]], out)
    with pytest.raises(DataError, match="cannot be joined"):
        merge([*paths, whole], out)
    convert(files["electrons"], files["jets"], tmp_path / "other.h5", part=(1, 3))
    with pytest.raises(DataError, match="different divisions"):
        merge([*paths, tmp_path / "other.h5"], out)
    convert(files["electrons"], files["jets"], tmp_path / "cut.h5", part=(4, 4), min_pt=11.0)
    with pytest.raises(DataError, match="'min_pt' differs") as caught:
        merge([*paths[:3], tmp_path / "cut.h5"], out)
    assert "cut.h5" in str(caught.value)
    convert(files["electrons"], files["jets"][:3], tmp_path / "fewer.h5", part=(4, 4))
    with pytest.raises(DataError, match="'samples' differs"):
        merge([*paths[:3], tmp_path / "fewer.h5"], out)
    assert not out.parent.exists()


def test_inputs_of_two_parts_are_refused(files: Files, whole: Path, tmp_path: Path) -> None:
    convert(files["electrons"][2:], files["jets"][:1], tmp_path / "overlap.h5")
    with pytest.raises(DataError, match="same events") as caught:
        merge([whole, tmp_path / "overlap.h5"], tmp_path / "out.h5")
    assert "electrons2.root" in str(caught.value)
    assert "overlap.h5" in str(caught.value)


def test_damaged_parts_and_parts_of_other_code_are_refused(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = parts_of(files, tmp_path, 2)
    whole = two.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 4
    two.write_bytes(damaged)
    with pytest.raises(VerificationError, match=r"checksums(.|\n)*part2\.h5"):
        merge([one, two], tmp_path / "data.h5")
    two.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputFileError):
        merge([one, two], tmp_path / "data.h5")
    two.write_bytes(whole)
    newer = {"version": "0.2.0", "sources": "0" * 64, "core": "0" * 64}
    monkeypatch.setattr(sys.modules["hepml.scale.merge"], "code_version", lambda: newer)
    with pytest.raises(VerificationError, match="other code") as caught:
        merge([one, two], tmp_path / "data.h5")
    assert "0.2.0" in str(caught.value)
    assert one.name in str(caught.value)
    assert not (tmp_path / "data.h5").exists()


def test_one_sided_whole_files_are_refused(files: Files, tmp_path: Path) -> None:
    """convert writes none; here the book of a part is made to say that it read signal alone."""
    convert(files["electrons"][:1], files["jets"][:1], tmp_path / "one.h5")
    convert(files["electrons"][1:], files["jets"][1:], tmp_path / "two.h5")
    import h5py

    from hepml.dataset.checksum import content_checksum
    from hepml.dataset.seal import seal

    with h5py.File(tmp_path / "two.h5", "a") as file:
        books = json.loads(file.attrs["provenance"])
        for entry in books["inputs"]:
            entry["sample"] = "signal"
        file.attrs["provenance"] = json.dumps(books)
        file.attrs["content_sha256"] = content_checksum(file)
    seal(tmp_path / "two.h5")
    with pytest.raises(DataError, match="holds no input of a sample") as caught:
        merge([tmp_path / "one.h5", tmp_path / "two.h5"], tmp_path / "data.h5")
    assert "'background'" in str(caught.value)


def test_parts_that_are_no_parts(tmp_path: Path, whole: Path, sample: dict[str, Path]) -> None:
    for parts in ([], [tmp_path / "absent.h5"], [tmp_path / "*.h5"], [sample["jets"]]):
        with pytest.raises(InputFileError):
            merge(parts, tmp_path / "data.h5")
    with pytest.raises(OutputError, match="the output is an input"):
        merge([whole], whole, overwrite=True)


def test_no_such_part(files: Files, tmp_path: Path) -> None:
    for part in ((0, 2), (3, 2), (1, 9)):
        with pytest.raises(DataError, match="there is no part"):
            convert(files["electrons"], files["jets"], tmp_path / "a.h5", part=part)


def test_commands(files: Files, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = ["--signal", *files["electrons"], "--background", *files["jets"]]
    for number in (1, 2):
        assert run("convert", *inputs, "--part", f"{number}/2", "-o", tmp_path / f"{number}.h5") == 0
    for part in ("0/2", "3/2", "1", "a/b"):
        assert run("convert", *inputs, "--part", part, "-o", tmp_path / "x.h5") == 2
    assert run("merge", tmp_path / "2.h5", "-o", tmp_path / "data.h5") == 1
    assert "1/2" in capsys.readouterr().err
    assert run("merge", tmp_path / "[12].h5", "-o", tmp_path / "data.h5") == 0
    assert "5000" in capsys.readouterr().out
    assert (tmp_path / "data.h5").read_bytes() == whole.read_bytes()
    assert run("merge", tmp_path / "[12].h5", "-o", tmp_path / "data.h5") == 4


def test_nothing_is_lost_without_a_word(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that loses a row is found when the books are closed."""
    from hepml.dataset import convert as module
    from hepml.dataset.workers import read_inputs

    def losing(*arguments: Any, **options: Any) -> Any:
        for rows in read_inputs(*arguments, **options):
            object.__setattr__(rows, "block", rows.block.take(np.arange(1, len(rows.block))))
            yield rows

    monkeypatch.setattr(sys.modules["hepml.dataset.convert"], "read_inputs", losing)
    with pytest.raises(VerificationError, match="do not balance"):
        module(files["electrons"], files["jets"], tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
