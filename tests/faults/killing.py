"""Kill a command in each of its stages, look at what it left, start it again, and compare with an undisturbed run.

A preloaded library (faults.c) sees what a command writes and which stages its log names, and sends SIGKILL at a chosen
moment: within a write, before or after it, before or after fsync and rename, or so many microseconds into a stage. The
commands run in forks of one process that has loaded the libraries; what the killed one leaves is on the disk.

python -m faults.killing [--kills N] [--seed S] [--stages NAME,...] [--output FILE.json] [COMMAND...]    (in tests/)
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from faults.jobs import JOBS, KERAS, SCRIPTS, prepare
from faults.lighter import lighten
from faults.remains import RUNS, hidden, same, visible, wrong

__all__ = ["Killed", "build", "call", "kill_in_stages", "same", "traced"]

OLD = b"the old output"


@dataclass
class Killed:
    """What the kills in one stage did."""

    command: str
    stage: str
    kills: int = 0
    left_whole: int = 0  # the output had its name already
    left_old: int = 0
    problems: list[str] = field(default_factory=list)


def build(folder: Path) -> Path:
    """Compiles the library that is preloaded."""
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-pthread"], check=True)
    return library


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def begin(library: Path, folder: Path, arguments: list[str], act: str) -> tuple[int, IO[bytes]]:
    """Begins a command in a fork, in a folder; gives its process and the file that it writes to."""
    written = tempfile.TemporaryFile()  # noqa: SIM115 (`finish` closes it)
    sys.stdout.flush()
    process = os.fork()
    if not process:
        try:
            os.chdir(folder)
            os.dup2(written.fileno(), 1)
            os.dup2(written.fileno(), 2)
            sys.stdout, sys.stderr = (os.fdopen(os.dup(fd), "w", buffering=1) for fd in (1, 2))
            code = _child(library, folder, arguments, act)
        except BaseException:
            logging.getLogger().exception("the fork failed")
            code = 99
        os._exit(code)
    return process, written


def finish(process: int, written: IO[bytes]) -> tuple[int, str]:
    """Waits for a command; gives its exit code, negative for a signal, and what it wrote."""
    status = os.waitpid(process, 0)[1]
    with written:
        written.seek(0)
        return os.waitstatus_to_exitcode(status), written.read().decode(errors="replace")


def call(library: Path, folder: Path, arguments: list[str], act: str) -> tuple[int, str]:
    """Runs a command in a fork, in a folder; gives its exit code, negative for a signal, and what it wrote."""
    return finish(*begin(library, folder, arguments, act))


def _child(library: Path, folder: Path, arguments: list[str], act: str) -> int:
    os.dup2(2, 90)  # log lines go to stderr itself, not to a copy of it
    sys.stderr = os.fdopen(2, "w", buffering=1)
    stages = logging.getLogger("hepml.stages")
    stages.setLevel(logging.DEBUG)
    stages.handlers[:] = [logging.StreamHandler(sys.stderr)]
    lighten(arguments[0], folder.parent / "inputs")
    with _environment(FAULTS_FOLDER=str(folder), FAULTS_ACT=act):
        ctypes.CDLL(str(library)).faults_configure()
    from hepml.cli.main import COMMANDS, main

    COMMANDS.update({name: (module, "") for name, module in SCRIPTS.items()})
    try:
        main(arguments)
    except SystemExit as stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one that comes now comes too late
        code = stop.code
        sys.stdout.flush()
        if modules := os.environ.get("FAULTS_MODULES"):
            Path(modules).write_text("\n".join(sys.modules))
        return code if isinstance(code, int) else 98
    return 97


def traced(library: Path, folder: Path, arguments: list[str]) -> list[tuple[Any, ...]]:
    """What an undisturbed run does: ("stage", microseconds, name, what) and ("call", number, kind), in order."""
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "trace"
        code, text = call(library, folder, arguments, f"trace:{file}")
        assert code == 0, text
        lines = file.read_text().splitlines()
    found: list[tuple[Any, ...]] = []
    for line in lines:
        time, kind, rest = line.split(" ", 2)
        if kind == "stage":
            found.append(("stage", int(time), *rest.split(": ", 1)))
        else:
            number, name, _ = rest.split(" ")
            found.append(("call", int(number), name))
    found.append(("stage", int(lines[-1].split(" ", 1)[0]), "end", ""))
    return found


def load_modules(library: Path, folder: Path, arguments: list[str]) -> None:
    """Imports what a run of a command imports, so that each fork has it."""
    with tempfile.NamedTemporaryFile("r") as file:
        with _environment(FAULTS_MODULES=file.name):
            code, text = call(library, folder, arguments, "")
        assert code == 0, text
        for name in file.read().splitlines():
            with contextlib.suppress(Exception):  # some only exist inside others
                importlib.import_module(name)


def moments(trace: list[tuple[Any, ...]], stage: str, n: int, rng: random.Random) -> list[str]:
    """Moments within a stage, as the library wants them: within its calls, and by time where they are few."""
    calls: list[str] = []
    late: list[tuple[int, int]] = []
    for begin, line in enumerate(trace):
        if line[0] != "stage" or line[2] != stage:
            continue
        rest = trace[begin + 1 :]
        over = next(k for k, one in enumerate(rest) if one[0] == "stage")
        if stage == "write":  # until the same output is synchronised: other stages are passed meanwhile
            over = next(k for k, one in enumerate(rest) if one[0] == "stage" and one[2:] == ("fsync", line[3]))
            written = [one[1] for one in rest[:over] if one[0] == "call" and one[2] == "write"]
            calls += [f"{number}:{part}" for number in written for part in ("middle", "after")]
            continue
        calls += [
            f"{one[1]}:{part}"
            for one in rest[:over]
            if one[0] == "call"
            for part in (("before", "middle", "after") if one[2] == "write" else ("before", "after"))
        ]
        late.append((len(late) + 1, rest[over][1] - line[1]))
    calls = list(dict.fromkeys(calls))
    chosen = [f"kill:{one}" for one in rng.sample(calls, min(len(calls), n if stage == "write" else n // 2))]
    while len(chosen) < n:
        if late:
            number, gap = rng.choice(late)
            chosen.append(f"late:{stage}:{number}:{int(gap * rng.uniform(0.02, 0.98))}")
        else:
            chosen.append(f"kill:{rng.choice(calls)}")
    return chosen


def start(command: str, inputs: Path, folder: Path, old: bool) -> tuple[list[str], dict[str, bytes]]:
    """A fresh folder for a command; its arguments, and the files that are there."""
    job = JOBS[command]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    arguments = job.arguments.replace("INPUTS", str(inputs)).split()
    if name := job.begun:
        (shutil.copytree if (inputs / name).is_dir() else shutil.copyfile)(inputs / name, folder / name)
    if old:
        (folder / job.output).parent.mkdir(exist_ok=True)
        (folder / job.output).write_bytes(OLD)
        arguments.append("--overwrite")
    return arguments, {name: path.read_bytes() for name, path in visible(folder).items()}


def undisturbed(command: str, base: Path, library: Path) -> tuple[list[tuple[Any, ...]], dict[str, Path]]:
    """What a command does if it is left alone, and its outputs."""
    inputs, work = base / "inputs", base / "work"
    arguments, _ = start(command, inputs, work, old=False)
    load_modules(library, work, arguments)
    arguments, _ = start(command, inputs, work, old=False)
    trace = traced(library, work, arguments)
    reference = base / f"whole-{command}"
    shutil.rmtree(reference, ignore_errors=True)
    work.rename(reference)
    return trace, visible(reference)


def differences(work: Path, whole: dict[str, Path]) -> list[str]:
    """Outputs that are not those of the undisturbed run."""
    now = visible(work)
    return sorted(
        name for name in {*now, *whole} if name not in now or name not in whole or not same(now[name], whole[name])
    )


def kill_in_stages(
    command: str,
    kills: int,
    seed: str,
    *,
    base: Path,
    library: Path,
    stages: list[str] | None = None,
    report: Callable[[Killed], None] = lambda _: None,
) -> list[Killed]:
    """Kills a command `kills` times in each of its stages.

    Args:
        command: of JOBS.
        kills: in each stage; every second one finds an old output there, where the command has one.
        seed: of the choice of the moments.
        base: a folder with `inputs`.
        library: from `build`.
        stages: only these.
        report: told each stage that is done.
    """
    job, inputs, work = JOBS[command], base / "inputs", base / "work"
    trace, whole = undisturbed(command, base, library)
    results, rng = [], random.Random(seed)
    for stage in job.stages if stages is None else stages:
        result = Killed(command, stage)
        for number, chosen in enumerate(moments(trace, stage, kills, rng)):
            moment = chosen
            old = bool(job.output) and number % 2 == 1
            arguments, begun = start(command, inputs, work, old)
            code, text = call(library, work, arguments, moment)
            while code == 0 and moment.startswith("late:"):  # it was faster than when it was traced
                head, delay = moment.rsplit(":", 1)
                moment = f"{head}:{int(delay) // 2}"
                arguments, begun = start(command, inputs, work, old)
                code, text = call(library, work, arguments, moment)
            where = f"{moment}{' with an old output' if old else ''}"
            if code != -signal.SIGKILL:
                result.problems.append(f"{where}: ended with {code}: {text[-500:]}")
                continue
            result.kills += 1
            if found := wrong(command, work, begun, whole):
                result.problems.append(f"{where}: wrong after the kill: {found}")
            now = visible(work)
            result.left_whole += bool(now) and now.keys() == whole.keys() and not old and command not in RUNS
            result.left_old += old and now[job.output].read_bytes() == OLD
            again = job.again.split() if not old else []  # --overwrite is there
            code, text = call(library, work, [*arguments, *again], "")
            if code != 0:
                result.problems.append(f"{where}: started again it ended with {code}: {text[-500:]}")
            elif differs := differences(work, whole):
                result.problems.append(f"{where}: started again it gave another result: {differs}")
            elif left := hidden(work):
                result.problems.append(f"{where}: left behind: {left}")
        report(result)
        results.append(result)
    return results


def preload(module: str) -> None:
    """Starts this process' own work anew with the library; comes back in the process that has it."""
    if "FAULTS_LIBRARY" in os.environ:
        return
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        environment = {"LD_PRELOAD": str(library), "FAULTS_LIBRARY": str(library), "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        sys.exit(subprocess.run(command, env={**os.environ, **environment}, check=False).returncode)


@contextmanager
def prepared(commands: list[str]) -> Iterator[Path]:
    """A folder with the inputs of commands; the libraries that they need are loaded."""
    with tempfile.TemporaryDirectory() as base:
        inputs = Path(base) / "inputs"
        inputs.mkdir()
        prepare(inputs, commands)
        if KERAS & {*commands}:
            import keras  # noqa: F401
        yield Path(base)


def main() -> None:
    """Kills the commands that are named, or all; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=list(JOBS))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", type=lambda names: names.split(","), help="only these, of all commands")
    parser.add_argument("--output", type=Path, help="all results so far, after each stage")
    options = parser.parse_args()
    preload("faults.killing")
    library = Path(os.environ["FAULTS_LIBRARY"])
    results: list[Killed] = []

    def report(result: Killed) -> None:
        print(
            f"{result.command} {result.stage}: {result.kills} kills, {len(result.problems)} problems", file=sys.stderr
        )
        for problem in result.problems:
            print(f"    {problem}", file=sys.stderr)
        results.append(result)
        if options.output is not None:
            options.output.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")

    with prepared(options.commands) as base:
        for number, command in enumerate(options.commands):
            seed = f"{options.seed} {number} {command}"
            more = {"stages": options.stages, "report": report}
            kill_in_stages(command, options.kills, seed, base=base, library=library, **more)
    sys.exit(1 if any(result.problems for result in results) else 0)


if __name__ == "__main__":
    main()
