"""The objects that speak like PyROOT's."""

from __future__ import annotations

from array import array
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import DataError, HepmlError, InputFileError, MissingBranchError
from tmva_bridge import TMVA, TCut, TFile, TString, TTree, gApplication, gROOT, gSystem


def test_files_and_trees_are_looped_over(shared: Path) -> None:
    path = shared / "tmva" / "tmva_class_example.root"
    file = TFile.Open(TString(path))
    tree = file.Get("TreeB")
    assert [one.GetName() for one in tree.GetListOfBranches()] == ["var1", "var2", "var3", "var4", "weight"]
    assert [one.GetName() for one in file.GetListOfKeys()] == ["TreeS", "TreeB"]
    assert (file.IsOpen(), file.IsZombie(), tree.GetName(), len(tree), tree.GetEntries()) == (
        True,
        False,
        "TreeB",
        6000,
        6000,
    )
    buffer = array("f", [-999])
    tree.SetBranchAddress("var2", buffer)
    with uproot.open(path) as real:
        values = real["TreeB/var2"].array(library="np")
    for entry in (0, 17, 5999):
        assert tree.GetEntry(entry) > 0
        assert buffer[0] == values[entry] == tree.var2
    assert tree.GetEntry(6000) == 0
    assert sum(event.var2 for event in file.TreeB) == pytest.approx(values.astype(float).sum())
    file.Close()


def test_branches_that_are_arrays() -> None:
    tree = TTree({"n": [1, 2], "x": ak.Array([[1.5], [2.5, 3.5]])})
    buffer, count = np.zeros(3), array("i", [0])
    tree.SetBranchAddress("x", buffer)
    tree.SetBranchAddress("n", count)
    tree.GetEntry(1)
    assert (buffer.tolist(), count[0], tree.x.tolist()) == ([2.5, 3.5, 0.0], 2, [2.5, 3.5])
    tree.SetBranchAddress("x", np.zeros(1))
    with pytest.raises(DataError, match="the buffer of 'x' is too short"):
        tree.GetEntry(1)


def test_what_is_not_there_is_told(shared: Path) -> None:
    file = TFile(str(shared / "tmva" / "tmva_class_example.root"))
    with pytest.raises(InputFileError, match="no tree named 'Trees'"):
        file.Get("Trees")
    with pytest.raises(AttributeError, match="it has TreeS, TreeB"):
        file.Trees  # noqa: B018
    tree = file.TreeS
    with pytest.raises(MissingBranchError, match="no branch 'var9'"):
        tree.SetBranchAddress("var9", array("f", [0]))
    with pytest.raises(AttributeError, match="no entry was read"):
        tree.var1  # noqa: B018
    assert tree.GetBranch("var9") is None
    with pytest.raises(InputFileError, match="no such file"):
        TFile.Open("absent.root")
    with pytest.raises(DataError, match="opened for UPDATE"):
        TFile.Open("absent.root", "UPDATE")
    with pytest.raises(DataError, match="open for writing"):
        TFile.Open("absent.root", "RECREATE").Get("TreeS")
    with pytest.raises(AttributeError, match="nearest: DataLoader"):
        TMVA.DataLoadr  # noqa: B018


def test_cuts_and_texts() -> None:
    cut = TCut("a > 1") & TCut("b < 2")
    cut = cut + "c"
    assert (cut, cut.GetTitle()) == ("((a > 1)&&(b < 2))&&(c)", "((a > 1)&&(b < 2))&&(c)")
    assert TCut("") + TCut("") == ""
    assert (TString("abc").Length(), TString("abc").Contains("b"), TString("abc").Data()) == (3, True, "abc")


def test_macros_of_the_gui_are_left_out_and_others_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    gROOT.SetMacroPath("./")
    gROOT.SetBatch(True)
    gROOT.Macro("./TMVAlogon.C")
    assert not capsys.readouterr().err
    gROOT.ProcessLine('TMVAGui("TMVA.root")')
    assert "hepml tmva report" in capsys.readouterr().err
    assert gROOT.GetVersionCode() == 402944
    assert (gSystem.AccessPathName(str(tmp_path)), gSystem.AccessPathName(str(tmp_path / "a"))) == (False, True)
    assert gSystem.Load("libTMVA") == 0
    gApplication.Run()
    for call in (lambda: gROOT.ProcessLine(".x a.C"), lambda: gSystem.Exec("rm x"), lambda: gSystem.Load("libRooFit")):
        with pytest.raises(DataError):
            call()
    with pytest.raises(HepmlError, match=r"hepml tmva report a\.root"):
        TMVA.TMVAGui("a.root")
