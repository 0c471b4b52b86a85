"""Kill `hepml run` within each of its steps, look at what it left, start it again, and compare with an undisturbed run.

The moments are within, before or after the writes, fsyncs and renames of a step, its entries in the ledger included,
and so many microseconds into it; see faults/killing.py, whose forks and preloaded library are used. With --adopting all
outputs are there, as the plain commands leave them, and the ledger is not: each step looks whether they are its own.

python -m workflow.kills [--kills N] [--seed S] [--output FILE.json] [--figures] [--adopting] [KIND...]    (in tests/)
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faults.killing import build, call, traced
from faults.remains import hidden, same, visible
from workflow.analyses import SAMPLE, content, written

from hepml.trees.skimming import skim
from hepml.workflow import damaged_outputs, load_analysis

__all__ = ["KINDS", "Killed", "Road", "kill_in_steps"]

KINDS = ("convert", "figures", "train", "evaluate", "study", "export", "apply")
FLAG = "FAULTS_LIBRARY"
# so that each fork has them
LOADED = ("keras", "hepml.cli.run", "hepml.training", "hepml.evaluation.evaluate", "hepml.export.runs", "hepml.friends")
RUNNING = ("ledger.json",)  # compared by what it says
BOOKS = ("ledger.json", "log.txt", ".checksums.json", ".lock")


@dataclass
class Killed:
    """What the kills in one step did."""

    step: str
    kills: int = 0
    goes_on: int = 0  # the step was unfinished
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Road:
    """A road of all kinds of steps; without figures as short as it can be.

    Attributes:
        base: a folder.
        library: from `faults.killing.build`.
        figures: whether they are drawn.
        kinds: of steps that are killed.
        adopting: whether the outputs of a step are there when it begins.
    """

    base: Path
    library: Path
    figures: bool
    kinds: tuple[str, ...]
    adopting: bool = False

    @property
    def work(self) -> Path:
        return self.base / "work"

    @property
    def before(self) -> Path:
        """The output folder as a step finds it."""
        return self.base / "before"

    @property
    def whole(self) -> Path:
        """The output folder after an undisturbed step."""
        return self.base / "whole"

    def steps(self) -> list[str]:
        """Names of those that are killed, and of those that they need, in the order of making."""
        inputs = self.base / "inputs"
        inputs.mkdir()
        for name in ("signal", "background"):
            skim(SAMPLE[name], inputs / f"{name}.root", lambda events: events.entry % 8 == 1)
        settings = {"layers": 1, "units": 8, "epochs": 3, "learning_rate": 0.01, "patience": 0}
        files = {name: f"{inputs}/{name}.root" for name in ("signal", "background")}
        document = content(
            output="work/out",
            inputs={"main": files},
            models={"hl": {"features": "hl", "settings": settings}},
            evaluation={"bootstrap": 5},
            studies={"hard": {"selection": "hard"}},
            export={"net": {"model": "hl", "source": True}},
            apply={"jets": {"files": [*files.values()]}},
            figures={"draw": self.figures},
        )
        return [*load_analysis(written(self.base, document)).chosen(self.kinds)]

    def fresh(self) -> None:
        """The output folder is as the step finds it."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        if self.before.exists():
            shutil.copytree(self.before, self.work / "out")

    def run(self, step: str, act: str = "") -> tuple[int, str]:
        return call(self.library, self.work, self.arguments(step), act)

    @staticmethod
    def arguments(step: str) -> list[str]:
        return ["run", "../analysis.yaml", step, "--quiet"]

    def trace(self, step: str) -> tuple[list[str], int]:
        """Makes a step undisturbed; gives its moments within calls, and the microseconds that it takes.

        After it `before` and `whole` are what they are to be for the step.
        """
        if self.whole.exists():
            shutil.rmtree(self.before, ignore_errors=True)
            self.whole.rename(self.before)
        self.fresh()
        found = moments_of(traced(self.library, self.work, self.arguments(step)))
        (self.work / "out").rename(self.whole)
        if self.adopting:
            made = self.base / "made"
            shutil.copytree(self.whole, made)
            for name in BOOKS:
                (made / name).unlink(missing_ok=True)
                if (self.before / name).exists():
                    shutil.copyfile(self.before / name, made / name)
            shutil.rmtree(self.before, ignore_errors=True)
            made.rename(self.before)
            self.fresh()
            found = moments_of(traced(self.library, self.work, self.arguments(step)))
        return found


def moments_of(trace: list[tuple[Any, ...]]) -> tuple[list[str], int]:
    """The moments within the calls of the only step of a run, and the microseconds that it took."""
    (begin,) = (n for n, line in enumerate(trace) if line[0] == "stage" and line[2] == "step")
    moments = [
        f"{line[1]}:{part}"
        for line in trace[begin:]
        if line[0] == "call"
        for part in (("before", "middle", "after") if line[2] == "write" else ("before", "after"))
    ]
    return moments, trace[-1][1] - trace[begin][1]


def entries(out: Path) -> dict[str, Any]:
    """What a ledger says of each step, but for the checksums of ROOT files, which hold their date."""
    path = out / "ledger.json"
    found: dict[str, Any] = json.loads(path.read_text())["steps"] if path.exists() else {}
    for entry in found.values():
        entry["outputs"] = {name: digest for name, digest in entry["outputs"].items() if not name.endswith(".root")}
    return found


def left(out: Path, whole: Path, adopting: bool) -> list[str]:
    """What is wrong after a kill: a step in the ledger that is not whole, or a file that is not as it is to be."""
    known, damages = damaged_outputs(out)
    found = [f"{step}: {', '.join(one)}" for step, one in damages.items() if one and known[step]["status"] == "done"]
    if adopting:
        found += [f"{name} is gone" for name in sorted({*visible(whole)} - {*visible(out)} - {*BOOKS})]
    trained = adopting or known.get("train/hl", {}).get("status") == "done"
    for name, path in visible(out).items():
        if name in RUNNING or (name.startswith("runs/") and not trained):  # a run that has not ended is refused whole
            continue
        if not (whole / name).is_file() or not same(path, whole / name):
            found.append(f"{name} is not what it is to be")
    return found


def differences(out: Path, whole: Path) -> list[str]:
    """What differs from an undisturbed run."""
    now, then = visible(out), visible(whole)
    found = [f"{name} is there once" for name in sorted({*now} ^ {*then})]
    found += [name for name in sorted({*now} & {*then}) if name not in RUNNING and not same(now[name], then[name])]
    if entries(out) != entries(whole):
        found.append("ledger.json")
    more = {*hidden(out)} - {*hidden(whole)}
    return found + [f"{name} is left behind" for name in sorted(more)]


def kill_in_steps(road: Road, kills: int, seed: int) -> list[Killed]:
    """Kills `hepml run` so many times in each step of the road's kinds, half of them by time.

    What a step needs is there, and in the ledger: a run makes this step alone.
    """
    results = []
    for step in road.steps():
        calls, took = road.trace(step)
        if step.split("/")[0] not in road.kinds:
            continue
        result, rng = Killed(f"{step} adopted" if road.adopting else step), random.Random(f"{seed} {step}")
        chosen = [f"kill:{one}" for one in rng.sample(calls, min(len(calls), kills - kills // 2))]
        chosen += [f"late:step:1:{int(took * rng.uniform(0.02, 0.98))}" for _ in range(kills - len(chosen))]
        for moment in chosen:
            kill_once(road, step, result, moment)
        print(f"{step}: {result.kills} kills, {len(result.problems)} problems", *result.problems, file=sys.stderr)
        results.append(result)
    return results


def kill_once(road: Road, step: str, result: Killed, moment: str) -> None:
    """One kill, what it left, and the end of the run that is started again."""
    out = road.work / "out"
    road.fresh()
    code, text = road.run(step, moment)
    while code == 0:  # it was faster than when it was traced
        head, _, last = moment.rpartition(":")
        moment = f"{head}:{int(last) // 2}" if head.startswith("late:") else f"kill:{int(head[5:]) - 1}:{last}"
        road.fresh()
        code, text = road.run(step, moment)
    if code != -signal.SIGKILL:
        result.problems.append(f"{moment}: ended with {code}: {text[-500:]}")
        return
    result.kills += 1
    if wrong := left(out, road.whole, road.adopting):
        result.problems.append(f"{moment}: wrong after the kill: {wrong}")
    status = entries(out).get(step, {}).get("status")
    result.goes_on += status is None if road.adopting else status in ("clearing", "started")
    code, text = road.run(step)
    if code:
        result.problems.append(f"{moment}: started again it ended with {code}: {text[-500:]}")
    elif wrong := differences(out, road.whole):
        result.problems.append(f"{moment}: started again it gave another result: {wrong}")


def main() -> None:
    """Kills in the steps of the kinds that are named, or of all but figures; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", default=[kind for kind in KINDS if kind != "figures"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--figures", action="store_true")
    parser.add_argument("--adopting", action="store_true")
    options = parser.parse_args()
    if FLAG not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            library = build(Path(folder))
            environment = {"LD_PRELOAD": str(library), FLAG: str(library), "TF_CPP_MIN_LOG_LEVEL": "3"}
            environment |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
            command = [sys.executable, "-m", "workflow.kills", *sys.argv[1:]]
            sys.exit(subprocess.run(command, env={**os.environ, **environment}, check=False).returncode)
    for name in LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as base:
        road = Road(Path(base), Path(os.environ[FLAG]), options.figures, tuple(options.kinds), options.adopting)
        results = kill_in_steps(road, options.kills, options.seed)
    if options.output is not None:
        options.output.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")
    sys.exit(1 if any(one.problems for one in results) else 0)


if __name__ == "__main__":
    main()
