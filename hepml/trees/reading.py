"""Open and iterate: files, a layout, and out come Events."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hepml import interruption
from hepml.errors import DataError, InputFileError, MissingBranchError, check_whole, printable
from hepml.layouts import Binding, Layout, bind, layout_names, load_layout
from hepml.retrying import wait_for
from hepml.trees.checksum import sample_checksum
from hepml.trees.chunk import Request, assemble, branches_to_read, named
from hepml.trees.columns import Columns, Tree
from hepml.trees.events import Events
from hepml.trees.files import Source, choose_tree, expand_files, one_file, open_file, reading

__all__ = ["check_files", "in_attempts", "iterate_events", "open_events", "opened", "refuse_layouts"]

log = logging.getLogger("hepml")
Chunk = TypeVar("Chunk")
Files = str | os.PathLike[str] | Source | Iterable[str | os.PathLike[str] | Source]


def open_events(
    path: str | os.PathLike[str] | Source,
    *,
    layout: str | Path | Layout | None = None,
    tree: str | None = None,
    entry_start: int = 0,
    entry_stop: int | None = None,
    weight: str | None = None,
    group: str | None = None,
    columns: str | Sequence[str] = (),
    collections: str | Iterable[str] | None = None,
) -> Events:
    """The events of one file, read whole.

    Args:
        path: a ROOT file, also "file.root:tree" or a URL.
        layout: name of a shipped layout, a YAML file, or None to recognise it.
        tree: its name, if the file has several and the layout does not say.
        entry_start, entry_stop: range of entries; negative numbers count from the end.
        weight, group: branches of the event weight and of the group, instead of the layout's.
        columns: further branches with one number per event, for `Events.columns`.
        collections: objects to read ("electron", "particle" ...); all that the layout names if None.

    Returns:
        The events; no events if the tree or the range is empty.

    Raises:
        InputFileError: absent, not a ROOT file, truncated or damaged; no tree, or several and none named.
        MissingBranchError: the layout or you name a branch that is not there, or no layout fits.
        DataError: a branch of another type than the layout expects; an option that cannot be used.

    Example:
        >>> from importlib.resources import files
        >>> events = open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=10)
        >>> len(events), events.ecal.offsets.shape, sorted(events.objects)
        (10, (11,), ['electron', 'jet', 'muon', 'particle', 'track'])
    """
    source, request = one_file(path), Request.of(collections, columns)
    start = check_whole("entry_start", entry_start)
    stop = None if entry_stop is None else check_whole("entry_stop", entry_stop)
    with opened(source, layout, tree, weight, group) as (data, binding):
        first, last, _ = slice(start, stop).indices(data.n_entries)
        names = branches_to_read(data, binding, request)
        sample = sample_checksum(data, binding)
        chunks = list(data.iterate(names, max(last - first, 1), first, last))
        read = Columns(data, chunks[0][2], first) if chunks else None
        return assemble(data, binding, request, sample, (first, max(last, first), read))


def iterate_events(
    files: Files,
    *,
    layout: str | Path | Layout | None = None,
    tree: str | None = None,
    step_size: int | str = "100 MB",
    weight: str | None = None,
    group: str | None = None,
    columns: str | Sequence[str] = (),
    collections: str | Iterable[str] | None = None,
) -> Iterator[Events]:
    """The events of one or many files, in chunks; a chunk never spans two files.

    Args:
        files: a file, a glob, "file.root:tree", or a list of these.
        layout, tree, weight, group, columns, collections: as for `open_events`; the layout is recognised per file.
        step_size: entries in a chunk, or the memory it may take ("100 MB").

    Yields:
        Events; a file without entries gives one chunk without events, and a warning.

    Raises:
        InputFileError, MissingBranchError, DataError: as for `open_events`; also if a file is listed twice.

    Example:
        >>> from importlib.resources import files
        >>> folder = files("hepml") / "data"
        >>> sum(len(events) for events in iterate_events(f"{folder}/sample_*.root", step_size=1000))
        5000
    """
    request = Request.of(collections, columns)
    known: dict[str, str] = {}
    for source in expand_files(files):
        with_start = partial(_chunks, source, (layout, tree, weight, group), request, step_size)
        for events in in_attempts(source.path, with_start, lambda events: events):
            where = f"{events.path}:{events.tree}"
            if known.setdefault(events.sample, where) != where and len(events) and events.entry[0] == 0:
                log.warning("%s holds the same events as %s", printable(where), printable(known[events.sample]))
            yield events


def _chunks(
    source: Source, how: tuple[Any, ...], request: Request, step_size: int | str, start: int
) -> Iterator[Events]:
    """The events of a file from an entry on."""
    with opened(source, *how) as (data, binding):
        names = branches_to_read(data, binding, request)
        sample = sample_checksum(data, binding)
        if data.n_entries == 0:
            log.warning("%s has no entries", printable(data.where))
            interruption.check()
            yield assemble(data, binding, request, sample, (0, 0, None))
        step, together = data.steps(names, step_size)
        for first, last, arrays in data.iterate(names, together, start, data.n_entries):
            read = Columns(data, arrays, first)
            for begin in range(first, last, step):
                end = min(begin + step, last)
                part = read.part(begin - first, end - first) if end - begin < last - first else read
                interruption.check()
                yield assemble(data, binding, request, sample, (begin, end, part))


def check_files(
    sources: Sequence[Source],
    layout: str | Path | Layout | None = None,
    *,
    group: str | None = None,
    collections: str | Iterable[str] | None = None,
) -> None:
    """Opens every file once: what is missing in the last one is told before the first is read.

    Raises:
        InputFileError, MissingBranchError, DataError: as for `iterate_events`, but for damage in the middle of a file.
    """
    request = Request.of(collections, ())
    for source in sources:
        with opened(source, layout, group=group) as (data, binding):
            branches_to_read(data, binding, request)


def in_attempts(path: str, chunks: Callable[[int], Iterator[Chunk]], of: Callable[[Chunk], Events]) -> Iterator[Chunk]:
    """All chunks; after an error of the disk or the net, the file is opened again and read from where it failed.

    Args:
        path: of the file, for messages.
        chunks: gives those from an entry on.
        of: the events of a chunk.
    """
    attempt = start = 0
    sample: str | None = None
    while True:
        try:
            for chunk in chunks(start):
                events = of(chunk)
                if sample not in (None, events.sample):
                    raise InputFileError("the file was replaced while it was read", where=path)
                sample = events.sample
                yield chunk
                start += len(events)
            return
        except InputFileError as error:
            attempt += 1
            wait_for(error, attempt)


@contextmanager
def opened(
    source: Source,
    layout: str | Path | Layout | None = None,
    tree: str | None = None,
    weight: str | None = None,
    group: str | None = None,
) -> Iterator[tuple[Tree, Binding]]:
    """An open tree and the branches that the layout finds in it; the file is closed afterwards."""
    layouts = [load_layout(name) for name in ((layout,) if layout is not None else layout_names())]
    own = {key: name for key, name in (("weight", weight), ("group", group)) if name is not None}
    with open_file(source) as file:
        preferred = [name for item in layouts for name in item.trees]
        asked = None if layout is None else layouts[0].name
        name = choose_tree(file, source.path, tree or source.tree, preferred, asked)
        with reading(source.path, f"the tree {name!r}"):
            data = Tree(file[name], source.path, name)
        branches = named(data, own)
        layouts = [
            replace(item, event={key: column for key, column in item.event.items() if key not in own})
            for item in layouts
        ]
        bindings: list[Binding] = []
        for item in layouts:
            bindings.append(bind(item, data.names()))
            if bindings[-1].fits:
                break
        else:
            refuse_layouts(data, bindings)
        binding = bindings[-1]
        yield data, replace(binding, event={**binding.event, **branches})


def refuse_layouts(data: Tree, bindings: Sequence[Binding]) -> NoReturn:
    """Raise for the layout that comes nearest: what is missing, and what is near it."""
    best = min(bindings, key=lambda item: len(item.missing))
    for missing in best.missing:
        for name in missing.names:
            whole = data.unsplit(name)
            if whole:
                raise DataError(
                    f"the branch {whole} is not split: it holds whole objects, which uproot cannot turn into arrays",
                    where=data.where,
                    expected=f"a branch {name!r} of numbers",
                    fix="write the tree again, in ROOT, with split level 99, as Delphes does; hepml reads no other",
                )
    wanted = [" or ".join(map(repr, item.names)) for item in best.missing]
    first = best.missing[0]
    others = "" if len(best.missing) == 1 else f" and {len(best.missing) - 1} more"
    name = best.layout.name
    raise MissingBranchError(
        f"the branch {wanted[0]}{others} of layout {name!r} is not in the tree"
        if len(bindings) == 1
        else f"no layout fits the tree; {name!r} comes nearest and lacks {wanted[0]}{others}",
        where=data.where,
        expected=", ".join(wanted[:6]) + (" ..." if wanted[6:] else ""),
        nearest=first.nearest,
        fix=f"see `hepml inspect {data.path}`, and name your branches in a YAML layout",
    )
