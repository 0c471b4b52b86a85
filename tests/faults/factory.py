"""A training with tmva_bridge's Factory as a command, so that it is killed and disturbed as those of hepml are."""

from __future__ import annotations

import click
import numpy as np

__all__ = ["command"]


@click.command()
@click.option("--overwrite", is_flag=True, help="Not needed: files of an earlier training are replaced.")
def command(*, overwrite: bool) -> None:
    """Two methods, their weight files and TMVA.root."""
    from tmva_bridge import DataLoader, Factory

    rng = np.random.default_rng(7)
    loader = DataLoader("dataset")
    for name in "xy":
        loader.AddVariable(name)
    for name, mean in (("Signal", 1.0), ("Background", -1.0)):
        loader.AddTree({"x": rng.normal(mean, 1, 300), "y": rng.normal(0, 1, 300)}, name)
    factory = Factory("Job", "TMVA.root", "Silent:AnalysisType=Classification")
    for kind in ("Fisher", "LD"):
        factory.BookMethod(loader, kind, kind, "!H:!V")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
