"""The commands that are killed and disturbed, small, and the inputs that they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.stages import OUTPUT, STAGES

__all__ = ["JOBS", "KERAS", "SCRIPTS", "Job", "prepare"]

KERAS = {"train", "guide", "vary", "export", "run", "demo"}  # they load it


@dataclass(frozen=True)
class Job:
    """A command to be killed.

    Attributes:
        arguments: of the command, with INPUTS for the folder of the inputs; outputs are relative.
        again: what is added when it is started again.
        output: the output that an old one is put in place of, if `--overwrite` is given; "" for none.
        begun: an input that has to be in the folder itself.
        checkpoint: what a command that is asked to end, or finds the disk full, leaves in order to go on.
    """

    arguments: str
    again: str = "--overwrite"
    output: str = ""
    begun: str = ""
    checkpoint: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """Of its command; of a script those of every output."""
        return STAGES.get(self.arguments.split()[0], OUTPUT)


JOBS = {
    "skim": Job("skim INPUTS/signal1.root INPUTS/signal2.root -o out.root", output="out.root"),
    "convert": Job(
        "convert --signal INPUTS/signal1.root INPUTS/signal2.root "
        "--background INPUTS/background1.root INPUTS/background2.root -o data.h5",
        again="--resume",
        output="data.h5",
    ),
    "merge": Job("merge INPUTS/part1.h5 INPUTS/part2.h5 -o data.h5", output="data.h5"),
    "efp": Job(
        "efp INPUTS/data.h5 -o efps.h5 --graphs 2_1_0 --kappa 1 --beta 1 --quiet",
        again="--resume",
        output="efps.h5",
        checkpoint=".efps.h5.parts",
    ),
    "train": Job(
        "train INPUTS/data.h5 --features hl -o run --seeds 2 --epochs 4 --set layers=1 --set units=8 "
        "--set learning_rate=0.01 --quiet",
        again="",
    ),
    "guide": Job(
        "guide INPUTS/data.h5 INPUTS/efps.h5 --benchmark INPUTS/run -o guided --max-passes 1 --seeds 1 --bootstrap 5 "
        "--set layers=1 --set units=8 --set epochs=2 --set learning_rate=0.01 --stop-at 1 --quiet",
        again="",
    ),
    "evaluate": Job("evaluate run INPUTS/data.h5 --bootstrap 20", begun="run"),
    "vary": Job("evaluate run INPUTS/data.h5 --bootstrap 20 --vary scale=1.02,noise=0.1", begun="run"),
    "export": Job("export INPUTS/run -o net.json --source net.hpp", output="net.json"),
    "compact": Job("compact INPUTS/net.json -o small.json", output="small.json"),
    "predict": Job("predict INPUTS/net.json INPUTS/data.h5 -o scores.npz", output="scores.npz"),
    "apply": Job(
        "apply INPUTS/net.json INPUTS/signal1.root INPUTS/background1.root -o scores",
        again="--resume",
        output="scores/signal1.root",
    ),
    "monitor": Job("monitor INPUTS/net.json INPUTS/data.h5 --split train -o report.json", output="report.json"),
    "run": Job("run analysis.yaml --quiet", again="", begun="analysis.yaml"),
    "plot": Job("plot graphs 2_1_0 -o figures --format png --quiet", output="figures/2_1_0.png"),
    "demo": Job("demo --out demo"),
    "tmva": Job("tmva convert INPUTS/TMVA_BDT.weights.xml -o net.json", output="net.json"),
    "tmva_report": Job("tmva report INPUTS/TMVA.root -o report --quiet"),
    "factory": Job("factory", again="", output="TMVA.root"),
}
SCRIPTS = {"factory": "faults.factory"}  # what is no command: where it is one for these tests


def prepare(folder: Path, commands: list[str]) -> None:
    """The inputs of the jobs, from the sample that the package carries; networks only if they are needed."""
    import hepml
    from hepml.trees.skimming import skim

    sample = Path(hepml.__file__).parent / "data"
    for name, file in (("signal", "electrons"), ("background", "jets")):
        for k in (1, 2):
            skim(sample / f"sample_{file}.root", folder / f"{name}{k}.root", lambda events, k=k: events.entry % 16 == k)

    def hepml_(arguments: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        done = subprocess.run(
            [sys.executable, "-m", "hepml", *arguments.split()],
            cwd=folder,
            env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    inputs = "--signal signal1.root signal2.root --background background1.root background2.root"
    hepml_(f"convert {inputs} -o data.h5")
    if "merge" in commands:
        for k in (1, 2):
            hepml_(f"convert {inputs} -o part{k}.h5 --part {k}/2")
    if "guide" in commands:
        hepml_("efp data.h5 -o efps.h5 --graphs d<=2 --kappa 1,2 --beta 1 --quiet")
    if {"guide", "evaluate", "vary", "export", "compact", "predict", "apply", "monitor"} & {*commands}:
        hepml_("train data.h5 --features hl -o run --epochs 2 --set layers=1 --set units=8 --quiet")
        hepml_("export run -o net.json")
    if "tmva" in commands:
        from tmva_files import forest, node, written

        leaves = node("l", nType=-1), node("r", nType=1)
        trees = forest((1.0, node("s", *leaves, IVar=0, Cut=0.5)))
        written(folder / "TMVA_BDT.weights.xml", "BDT", trees, options={"BoostType": "AdaBoost"})
    if "tmva_report" in commands:
        from faults.factory import command

        with chdir(folder):
            command([], standalone_mode=False)
    if "run" in commands:
        (folder / "analysis.yaml").write_text(json.dumps(_analysis(folder)))


def _analysis(inputs: Path) -> dict[str, Any]:
    """A small one with a step of each kind, figures excepted."""
    files = {name: [str(inputs / f"{name}{k}.root") for k in (1, 2)] for name in ("signal", "background")}
    return {
        "format": "hepml-analysis",
        "version": 1,
        "output": "out",
        "inputs": {"main": files},
        "models": {"hl": {"features": "hl", "settings": {"layers": 1, "units": 8, "epochs": 2}}},
        "evaluation": {"bootstrap": 10},
        "export": {"net": {"model": "hl"}},
        "apply": {"jets": {"files": files["background"][0], "network": "net"}},
        "figures": {"draw": False},
    }
