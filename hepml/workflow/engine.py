"""The state of every step, and making those that are not up to date, in order."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

from hepml.errors import HepmlError, OutputError
from hepml.ledger import code_version, config_hash
from hepml.stages import stage
from hepml.workflow.adopting import compare
from hepml.workflow.analysis import Analysis
from hepml.workflow.books import Books
from hepml.workflow.crew import Crew, Here
from hepml.workflow.steps import (
    DONE,
    FAILED,
    MISSING,
    NOT_RUN,
    STALE,
    UNFINISHED,
    UP_TO_DATE,
    WAITS,
    Made,
    Outcome,
    Place,
    Step,
)

__all__ = ["make", "plan"]

Key = dict[str, Any]
_Work = Generator[Place, Any, Outcome]
_SHOWN = 3  # reasons
_CODE = {"sources": "Python code", "core": "C++ code"}


class _Making(NamedTuple):
    """A step that is being made: what it was, what goes on when its action is done, and since when."""

    found: Outcome
    work: _Work
    start: float


def plan(
    analysis: Analysis,
    targets: Iterable[str] = (),
    *,
    force: bool = False,
    any_code: bool = False,
    rehash: bool = False,
) -> list[Outcome]:
    """What `make` would do, from what is on disk; nothing is written.

    Args:
        analysis: from `load_analysis`.
        targets: names of steps, or kinds of steps; all by default.
        force: make the targets whatever they are.
        any_code: keep what another version of hepml's code has made.
        rehash: read every byte of inputs and outputs, also of files whose size and times are as they were.

    Returns:
        An outcome a step, in the order of making, with the seconds that it took the last time. A step that waits for
        one that it needs may turn out to be up to date, since only contents count.

    Raises:
        SchemaError: no such step.
        InputFileError: the ledger is damaged; an input cannot be read.
        OutputError: a file that no step has written is in the way.
    """
    targets = tuple(targets)
    books = Books(analysis.output, rehash)
    took = books.seconds()
    states: dict[str, Outcome] = {}
    for step in analysis.chosen(targets).values():
        found = _state(step, books, any_code)
        waiting = [name for name in step.needs if states[name].state != UP_TO_DATE]
        if _forced(step, targets, force):
            found = replace(found, state=STALE, why="forced")
        elif waiting and found.state == UP_TO_DATE:
            found = replace(found, state=WAITS, why=f"{waiting[0]} comes first")
        states[step.name] = replace(found, seconds=took.get(step.name, 0.0))
    return list(states.values())


def make(
    analysis: Analysis,
    targets: Iterable[str] = (),
    *,
    jobs: int = 1,
    at_once: int = 1,
    force: bool = False,
    keep_going: bool = False,
    any_code: bool = False,
    rehash: bool = False,
    telling: Callable[[Outcome], object] = lambda _: None,
    progress: Callable[[Step], AbstractContextManager[Any]] = lambda _: nullcontext(),
) -> list[Outcome]:
    """Makes the steps that are not up to date, one after another, or several at once.

    A step loses its old outputs before it is made again; one that was interrupted goes on where it can, and gives what
    it would have given. What a step has skipped on request is in its outcome, every time.

    Args:
        analysis, targets, force, any_code, rehash: as for `plan`.
        jobs: processes that read and score files, for each step; the outputs do not depend on their number.
        at_once: steps that are made at the same time, each in a process of its own, if none needs the other; no
            progress is told of them, and what they print is in the folder logs. After a failure those at work end.
        keep_going: after a failure make all steps that do not need the one that failed; its error is in its outcome.
        telling: called with the outcome of each step, also when it starts: with the state that it was found in; after
            a failure also with those that are not made.
        progress: gives, for a step, a context with what its library function calls with its progress.

    Returns:
        An outcome a step, in the order of making.

    Raises:
        OutputError: another `make` works in the folder; see `plan`.
        HepmlError: whatever a step raises, unless `keep_going`.
    """
    targets = tuple(targets)
    chosen = analysis.chosen(targets)
    books = Books(analysis.output, rehash)
    states: dict[str, Outcome] = {}
    failure: HepmlError | None = None
    waiting, making = list(chosen.values()), dict[str, _Making]()
    crew = Crew(at_once) if at_once > 1 else Here(progress)

    def told(outcome: Outcome, *, final: bool = True) -> None:
        if final:
            there = tuple(name for name in outcome.outputs if (analysis.output / name).exists())
            outcome = states[outcome.step] = replace(outcome, outputs=there)
        telling(outcome)

    def begin(step: Step) -> None:
        lost = [name for name in step.needs if states[name].state in (FAILED, NOT_RUN)]
        if lost or (failure is not None and not keep_going):
            why = f"needs {lost[0]}" if lost else "stopped after a failure"
            told(Outcome(step.name, NOT_RUN, why, step.outputs))
            return
        found = _state(step, books, any_code)
        if _forced(step, targets, force):
            found = replace(found, state=STALE, why="forced")
        told(found, final=found.state == UP_TO_DATE)
        if found.state != UP_TO_DATE:
            making[step.name] = _Making(found, _make(step, books, found, jobs), time.perf_counter())
            go_on(step, None)

    def go_on(step: Step, result: Made | HepmlError | None) -> None:
        """Takes a step to its action, and with the result of that to its end."""
        nonlocal failure
        found, work, start = making[step.name]
        try:
            crew.start(step, work.throw(result) if isinstance(result, HepmlError) else work.send(result))
            return
        except StopIteration as end:
            found = replace(end.value, seconds=time.perf_counter() - start)
            books.log(f"{step.name} {found.state} in {found.seconds:.1f} s")
        except HepmlError as error:
            failure = failure or error
            seconds = time.perf_counter() - start
            found = replace(found, state=FAILED, why=error.problem, error=error, seconds=seconds)
            books.log(f"{step.name} failed: {type(error).__name__}: {error.problem}")
        del making[step.name]
        told(found)

    with books.claimed(), crew:
        while waiting or making:
            ready = next((one for one in waiting if all(name in states for name in one.needs)), None)
            if ready is not None and len(making) < crew.most:
                waiting.remove(ready)
                begin(ready)
                continue
            name, result = crew.wait()
            go_on(chosen[name], result)
        books.save()
    if failure is not None and not keep_going:
        raise failure
    return [states[name] for name in chosen]


def _forced(step: Step, targets: tuple[str, ...], force: bool) -> bool:
    return force and (not targets or step.name in targets or step.kind in targets)


def _adoptable(step: Step, books: Books) -> bool:
    """Whether something is in the place of the outputs of a step that was never made, and may be them."""
    return step.name not in books.entries and (books.folder / step.outputs[0]).exists()


def _make(step: Step, books: Books, found: Outcome, jobs: int) -> _Work:
    """Makes a step, and its entry in the books, such that a kill at any moment is noticed.

    Yields:
        Where and how the step's action is to be done; is sent what that gave, or the error that it raised.
    """
    stage("step", step.name)
    if found.state == MISSING and _adoptable(step, books):  # forced ones are stale
        return (yield from _adopt(step, books, found, jobs))
    key = _key(step, books, hashed=step.resumes)
    entry = books.entries.get(step.name)
    resume = step.resumes and entry is not None and entry["status"] == "started"
    resume = resume and config_hash(books.entries[step.name]["key"]) == config_hash(key)
    if not resume:
        books.clear(step)
        books.begin(step, key)
    books.log(f"{step.name} {'goes on' if resume else 'starts'} on {platform.node()}: {found.why}")
    before = {path: books.stamp(path) for _, path in step.files}
    made = yield Place(books.folder, jobs=jobs, resume=resume)
    for path, digest in made.sha256.items():
        books.learn(path, before.get(path), digest)
    if not step.resumes:
        key = _key(step, books, known=made.sha256)
    books.end(step, key, made.skipped)
    return replace(found, state=DONE, skipped=tuple(made.skipped))


def _adopt(step: Step, books: Books, found: Outcome, jobs: int) -> _Work:
    """Takes an output that something else has made for that of the step; a kill leaves it as it was.

    Raises:
        OutputError: it is damaged, or of other inputs, options or code; it is left as it is.
    """
    path = books.folder / step.outputs[0]
    books.log(f"{step.name} looks at what is there on {platform.node()}")
    aside = books.aside(step) if step.adopts is None else None
    made = Made() if aside is None else (yield Place(aside, jobs=jobs))
    try:
        if aside is not None:
            compare(step, books.folder, aside)
        elif step.adopts is not None:
            step.adopts(path)
            made = yield Place(books.folder, jobs=jobs, resume=True)
    except HepmlError as error:
        raise OutputError(
            f"the output of {step.name} exists, and is not what the step makes",
            where=path,
            found=": ".join([error.problem, *(error.parts[key] for key in ("where", "found") if key in error.parts)]),
            fix="move it away, or name another folder as output",
        ) from error
    books.end(step, _key(step, books, known=made.sha256), made.skipped)
    why = "made by something else, from the same inputs, options and code"
    return replace(found, state=UP_TO_DATE, why=why, skipped=tuple(made.skipped))


def _key(step: Step, books: Books, *, hashed: bool = True, known: Mapping[str, str] | None = None) -> Key:
    """All that the outputs of a step depend on.

    Args:
        step: the step, the outputs of whose needs are in the books.
        books: the books.
        hashed: with the checksums of external files.
        known: checksums of external files that the step has read, by path: what it has seen counts, not what is there.
    """
    files = [(label, (known or {}).get(path) or books.sha256(path)) for label, path in step.files] if hashed else []
    return {
        "config": dict(step.config),
        "inputs": [{"name": label, "sha256": digest} for label, digest in files],
        "needs": {name: books.digest(name) for name in sorted(step.needs)},
        "code": code_version(),
    }


def _state(step: Step, books: Books, any_code: bool) -> Outcome:
    """What a step is, from the books and the files; what it needs is not looked at, but for its contents."""
    entry = books.entries.get(step.name)
    if entry is None:
        if _adoptable(step, books):
            return Outcome(step.name, MISSING, "what is there is kept if it is what the step makes", step.outputs)
        books.refuse_foreign(step)
        return Outcome(step.name, MISSING, "never made", step.outputs)
    skipped = tuple(entry["skipped"])
    if entry["status"] != "done":
        why = "was interrupted" + (", goes on" if step.resumes and entry["status"] == "started" else "")
        return Outcome(step.name, UNFINISHED, why, step.outputs)
    damages = books.damages(step)
    made = all(name in books.entries for name in step.needs)
    reasons = _differences(entry["key"], _key(step, books), any_code) if made else []
    why = "; ".join([*damages, *reasons][:_SHOWN])
    if len(damages) + len(reasons) > _SHOWN:
        why += f"; and {len(damages) + len(reasons) - _SHOWN} more"
    gone = any(reason.endswith(" is gone") for reason in damages)
    state = MISSING if gone else STALE if why else UP_TO_DATE
    return Outcome(step.name, state, why, step.outputs, skipped=skipped)


def _differences(old: Mapping[str, Any], new: Key, any_code: bool) -> list[str]:
    """What a step would be made of now and was not made of then, for people."""
    found = []
    before, after = _flat(old.get("config")), _flat(new["config"])
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            found.append(f"{key}: {_text(before.get(key))} -> {_text(after.get(key))}")
    one, other = ([(each["name"], each["sha256"]) for each in key["inputs"]] for key in (old, new))
    if one != other:
        names, others = [name for name, _ in one], [name for name, _ in other]
        found += [f"input {name} is new" for name in others if name not in names]
        found += [f"input {name} is gone" for name in names if name not in others]
        seen = dict(one)
        found += [f"input {name} has changed" for name, digest in other if seen.get(name, digest) != digest]
        if not found:
            found.append("the order of the inputs has changed")
    for name in dict.fromkeys([*old["needs"], *new["needs"]]):
        if old["needs"].get(name) != new["needs"].get(name):
            found.append(f"the outputs of {name} have changed")
    if not any_code:
        parts = [name for key, name in _CODE.items() if old["code"].get(key) != new["code"][key]]
        versions = dict.fromkeys(str(key["code"].get("version")) for key in (old, new))
        if parts or len(versions) > 1:
            arrow = f": {' -> '.join(versions)}" if len(versions) > 1 else ""
            found.append(f"hepml's {' and '.join(parts) or 'version'} has changed{arrow}")
    return found


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {key: one for name, item in value.items() for key, one in _flat(item, f"{place}.{name}").items()}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return {key: one for i, item in enumerate(value) for key, one in _flat(item, f"{place}[{i}]").items()}
    return {place.removeprefix("."): list(value) if isinstance(value, tuple) else value}


def _text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
