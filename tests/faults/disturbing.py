"""Disturb a command in each of its stages other than by killing it, and look at what it says and leaves.

full: the disk is full from a call in the stage on. One OutputError, exit code 4; nothing half-written; with space, the
      command gives the result of an undisturbed run.
term: SIGTERM in the stage. Exit code 143 within 5 s; nothing half-written; the command can be given again.
two:  the command is stopped at a write, and started a second time. The second is refused, exit code 4, and the
      first, which goes on then, gives the result of an undisturbed run.

python -m faults.disturbing [--how full,term,two] [--times N] [--seed S] [--stages NAME,...] [--output FILE.json]
[COMMAND...]    (in tests/)
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faults.jobs import JOBS
from faults.killing import begin, call, differences, finish, preload, prepared, start, undisturbed
from faults.outcomes import snapshot
from faults.remains import hidden, visible, wrong

SECONDS = 5.0
_FAILING = ("write", "truncate", "fsync", "rename", "link", "mkdir")
_MESSAGE = re.compile(r"^(\w+Error): ", re.MULTILINE)


@dataclass
class Disturbed:
    """What happened in one stage.

    Attributes:
        how, command, stage: which.
        times: how often the command was disturbed there.
        seconds: from SIGTERM to the end, at most.
        problems: what was not as it should be.
    """

    how: str
    command: str
    stage: str
    times: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """Where a command is disturbed: its name, the folders, the library, and its undisturbed outputs."""

    command: str
    inputs: Path
    work: Path
    library: Path
    whole: dict[str, Path]

    def again(self, arguments: list[str], old: bool = False) -> list[str]:
        """What is wrong when the command is given once more; with `old` it has --overwrite already."""
        more = [] if old else JOBS[self.command].again.split()
        code, text = call(self.library, self.work, [*arguments, *more], "")
        if code != 0:
            return [f"started again it ended with {code}: {text[-500:]}"]
        found = [f"started again it gave another result: {each}" for each in differences(self.work, self.whole)]
        return found + [f"left behind: {each}" for each in hidden(self.work)]

    def left(self, begun: dict[str, bytes]) -> list[str]:
        """What is wrong in the folder after a command that has ended by itself."""
        found = [f"wrong afterwards: {name}" for name in wrong(self.command, self.work, begun, self.whole)]
        left = [name for name in hidden(self.work) if name != JOBS[self.command].checkpoint]
        return found + [f"left behind: {name}" for name in left]


def refused(code: int, text: str, words: tuple[str, ...]) -> list[str]:
    """What is wrong with the refusal of a command that could not write."""
    found = [] if code == 4 else [f"ended with {code}: {text[-500:]}"]
    if _MESSAGE.findall(text) != ["OutputError"] or not any(one in text for one in words) or "Traceback" in text:
        found.append(f"not one clear message: {text[-500:]}")
    return found


def _full(scene: Scene, moment: int, result: Disturbed) -> list[str]:
    old = bool(JOBS[scene.command].output) and result.times % 2 == 0
    arguments, begun = start(scene.command, scene.inputs, scene.work, old)
    code, text = call(scene.library, scene.work, arguments, f"full:{moment}")
    found = refused(code, text, ("the disk is full", "No space left")) + scene.left(begun)
    there = visible(scene.work).keys()
    if old and (there != begun.keys() if len(scene.whole) == 1 else not there >= begun.keys()):
        found.append("the old output is gone, or another is there")
    return found + scene.again(arguments, old)


def _term(scene: Scene, moment: tuple[str, int, int], result: Disturbed) -> list[str]:
    stage, number, delay = moment
    arguments, begun = start(scene.command, scene.inputs, scene.work, old=False)
    with tempfile.TemporaryDirectory() as aside:
        sent = Path(aside) / "sent"
        code, text = call(scene.library, scene.work, arguments, f"term:{stage}:{number}:{delay}:{sent}")
        ended, when = time.monotonic(), sent.read_text() if sent.exists() else ""
    if (not when or code == 0) and delay:  # it was faster than when it was traced
        return _term(scene, (stage, number, delay // 2), result)
    seconds = ended - int(when) / 1e6
    result.seconds = max(result.seconds, round(seconds, 2))
    found = [] if code == 143 else [f"ended with {code}: {text[-500:]}"]
    if seconds > SECONDS:
        found.append(f"ended after {seconds:.1f} s")
    return found + scene.left(begun) + scene.again(arguments)


def _two(scene: Scene, moment: int, result: Disturbed) -> list[str]:
    arguments, _ = start(scene.command, scene.inputs, scene.work, old=False)
    first = begin(scene.library, scene.work, arguments, f"stop:{moment}:before")
    _, status = os.waitpid(first[0], os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        return [f"the first ended with {status}"]
    with_it = [*arguments, *JOBS[scene.command].again.split()]
    before = snapshot(scene.work)
    code, text = call(scene.library, scene.work, with_it, "")
    found = refused(code, text, ("another process is writing",))
    if snapshot(scene.work) != before:
        found.append("the second has changed something")
    os.kill(first[0], signal.SIGCONT)
    code, text = finish(*first)
    if code != 0:
        found.append(f"the first ended with {code}: {text[-500:]}")
    found += [f"the first gave another result: {each}" for each in differences(scene.work, scene.whole)]
    return found + [f"left behind: {each}" for each in hidden(scene.work)]


def _calls(trace: list[tuple[Any, ...]], stage: str, kinds: tuple[str, ...], *, next_one: bool) -> list[int]:
    """Numbers of calls within a stage; of the next one where it has none itself, if asked for."""
    found: list[int] = []
    for place, line in enumerate(trace):
        if line[0] != "stage" or line[2] != stage:
            continue
        rest = trace[place + 1 :]
        over = next(k for k, one in enumerate(rest) if one[0] == "stage")
        if stage == "write":
            over = next(k for k, one in enumerate(rest) if one[0] == "stage" and one[2:] == ("fsync", line[3]))
        own = [one[1] for one in rest[:over] if one[0] == "call" and one[2] in kinds]
        if not own and next_one:
            own = [one[1] for one in rest if one[0] == "call" and one[2] in kinds][:1]
        found += own
    return list(dict.fromkeys(found))


def _moments(how: str, trace: list[tuple[Any, ...]], stage: str, times: int, rng: random.Random) -> list[Any]:
    """Where a command is disturbed in one stage: the first and the last place, and others."""
    if how == "term":
        lines = [line for line in trace if line[0] == "stage"]
        gaps = [after[1] - one[1] for one, after in itertools.pairwise(lines) if one[2] == stage]
        chosen = [(number, gap) for number, gap in enumerate(gaps, 1) if number in (1, len(gaps))]
        chosen += [rng.choice(list(enumerate(gaps, 1))) for _ in range(times)]
        return [(stage, number, int(gap * rng.uniform(0, 0.9))) for number, gap in chosen[:times]]
    kinds = {"two": ("write",), "full": _FAILING}[how]
    if stage == "rename":  # a folder can be synchronised whatever the disk holds
        kinds = tuple(kind for kind in kinds if kind != "fsync")
    calls = _calls(trace, stage, kinds, next_one=how == "full")
    if len(calls) <= times:
        return calls
    return [calls[round(k * (len(calls) - 1) / max(1, times - 1))] for k in range(times)]


HOWS: dict[str, Callable[[Scene, Any, Disturbed], list[str]]] = {"full": _full, "term": _term, "two": _two}


def disturb(
    hows: list[str],
    command: str,
    times: int,
    seed: int,
    *,
    base: Path,
    library: Path,
    stages: list[str] | None = None,
) -> list[Disturbed]:
    """Disturbs a command in each of its stages.

    Args:
        hows: of HOWS.
        command: of JOBS.
        times: in each stage, at most; fewer where it makes fewer calls.
        seed: of the choice of moments by time.
        base: a folder with `inputs`.
        library: from `killing.build`.
        stages: only these.
    """
    trace, whole = undisturbed(command, base, library)
    scene = Scene(command, base / "inputs", base / "work", library, whole)
    before, rng, results = snapshot(scene.inputs), random.Random(f"{seed} {command}"), []
    for how, stage in itertools.product(hows, JOBS[command].stages if stages is None else stages):
        result = Disturbed(how, command, stage)
        for moment in _moments(how, trace, stage, times, rng):
            problems = HOWS[how](scene, moment, result)
            result.problems += [f"{moment}: {each}" for each in problems]
            result.times += 1
        results.append(result)
    if snapshot(scene.inputs) != before:
        results[-1].problems.append("an input was changed")
    return results


def main() -> None:
    """Disturbs the commands that are named, or all; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--how", default=",".join(HOWS))
    parser.add_argument("commands", nargs="*", default=list(JOBS))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", type=lambda names: names.split(","), help="only these, of all commands")
    parser.add_argument("--output", type=Path, help="all results so far, after each command")
    options = parser.parse_intermixed_args()
    preload("faults.disturbing")
    results: list[Disturbed] = []
    with prepared(options.commands) as base:
        for command in options.commands:
            library = Path(os.environ["FAULTS_LIBRARY"])
            where: dict[str, Any] = {"base": base, "library": library, "stages": options.stages}
            found = disturb(options.how.split(","), command, options.times, options.seed, **where)
            for one in found:
                counts = f"{one.times} times, {len(one.problems)} problems, {one.seconds:.2f} s"
                print(f"{one.how} {one.command} {one.stage}: {counts}", *one.problems, sep="\n    ", file=sys.stderr)
            results += found
            if options.output is not None:
                options.output.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")
    sys.exit(1 if any(result.problems for result in results) else 0)


if __name__ == "__main__":
    main()
