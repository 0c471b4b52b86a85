"""TrainTree and TestTree have the branches, leaves and values of those that a real TMVA wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tmva_files
import tmva_outputs
import uproot

from hepml.errors import DataError
from tmva_bridge import MethodOutput, write_output
from tmva_bridge.output import treefile
from tmva_bridge.output.treefile import Branch, write_tree


@pytest.fixture(scope="module", params=tmva_files.CASES)
def case(request: pytest.FixtureRequest, shared: Path) -> Path:
    return shared / "tmva" / request.param


def described(tree: uproot.TTree) -> list[object]:
    """What a tree says of itself, but where its baskets are."""
    out: list[object] = [tree.name, tree.title, tree.num_entries]
    for branch in tree.branches:
        leaves = [
            (leaf.classname, *(leaf.member(key) for key in ("fName", "fTitle", "fLen", "fOffset", "fIsRange")))
            for leaf in branch.member("fLeaves")
        ]
        out.append((branch.name, branch.title, branch.typename, leaves))
    return out


def written(case: Path, folder: Path) -> Path:
    train, test = (tmva_outputs.sample(case, name) for name in ("TrainTree", "TestTree"))
    path = folder / "TMVA.root"
    write_output(path, tmva_outputs.setup(case), train, test, tmva_outputs.methods(case), overwrite=True)
    return path


def test_trees_are_those_of_tmva(case: Path, tmp_path: Path) -> None:
    with uproot.open(written(case, tmp_path)) as ours, uproot.open(case / "TMVA.root") as theirs:
        for name in ("dataset/TrainTree", "dataset/TestTree"):
            assert described(ours[name]) == described(theirs[name])
            for branch in theirs[name].keys():  # noqa: SIM118
                a, b = (file[name][branch].array(library="np") for file in (ours, theirs))
                if branch.startswith("prob_"):  # made from responses that are float32 here
                    np.testing.assert_allclose(a, b, rtol=0, atol=3e-6)
                else:
                    np.testing.assert_array_equal(a, b)


def test_root_reads_the_trees(case: Path, tmp_path: Path) -> None:
    root = pytest.importorskip("ROOT")
    path = written(case, tmp_path)
    file = root.TFile.Open(str(path))
    with uproot.open(path) as ours:
        for name in ("dataset/TrainTree", "dataset/TestTree"):
            tree = file.Get(name)
            for branch in tree.GetListOfBranches():
                for leaf in branch.GetListOfLeaves():
                    if leaf.ClassName() == "TLeafC":
                        continue
                    column = ours[name][branch.GetName()].array(library="np")
                    column = column[leaf.GetName()] if column.dtype.names else column
                    tree.SetEstimate(tree.GetEntries())
                    tree.Draw(f"{branch.GetName()}.{leaf.GetName()}", "", "goff")
                    found = np.frombuffer(tree.GetV1(), dtype=np.float64, count=tree.GetSelectedRows())
                    np.testing.assert_array_equal(found.astype(np.float32), column.astype(np.float32))
            first = tmva_outputs.setup(case).classes[0]
            count = int((ours[name]["classID"].array(library="np") == 0).sum())
            assert tree.GetEntries(f'className=="{first}"') == count
    file.Close()


def test_trees_of_several_baskets_and_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treefile, "_STEP", 7)
    values = np.arange(300, dtype=np.float32).reshape(100, 3)
    words = np.arange(100, dtype=np.int32) % 2
    branches = [Branch("three", ("a", "b", "c"), "F", values), Branch("word", ("word",), "C", words, ("x" * 300, "é"))]
    with uproot.recreate(tmp_path / "a.root") as file:
        write_tree(file, "folder/full", branches)
        write_tree(
            file, "folder/none", [Branch("one", ("one",), "I", words[:0]), Branch("t", ("u", "v"), "F", values[:0, :2])]
        )
        file["after"] = "text"
    with uproot.open(tmp_path / "a.root") as file:
        found = file["folder/full"].arrays(library="np")
        assert [found["three"][leaf].tolist() for leaf in "abc"] == values.T.tolist()
        assert found["word"].tolist() == [("x" * 300, "é")[i] for i in words]
        assert file["folder/full/three"].num_baskets == 15
        assert file["folder/none"].num_entries == 0
        assert file["folder/none/t"].title == "u/F:v/F"
        assert str(file["after"]) == "text"
    root = pytest.importorskip("ROOT")
    file = root.TFile.Open(str(tmp_path / "a.root"))
    tree = file.Get("folder/full")
    tree.Draw("three.b", "", "goff")
    assert np.frombuffer(tree.GetV1(), count=100).tolist() == values[:, 1].tolist()
    assert tree.GetEntries('word=="é"') == 50
    file.Close()


def test_what_does_not_fit_is_refused(shared: Path, tmp_path: Path) -> None:
    case = shared / "tmva" / "multiclass"
    train, test = (tmva_outputs.sample(case, name) for name in ("TrainTree", "TestTree"))
    one = tmva_outputs.methods(case)[0]
    few = MethodOutput(one.kind, one.title, one.weight_file, one.train_response[:, :2], one.test_response)
    with pytest.raises(DataError, match=r"responses of BDTG of another shape than the training sample"):
        write_output(tmp_path / "TMVA.root", tmva_outputs.setup(case), train, test, [few])
    with pytest.raises(DataError, match="two methods of one title"):
        write_output(tmp_path / "TMVA.root", tmva_outputs.setup(case), train, test, [one, one])
    assert not list(tmp_path.iterdir())
