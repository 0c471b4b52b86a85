"""Work that overlaps: a thread that reads one step ahead, and a thread that writes one step behind.

Unpacking, kernels, checksums and writing leave the interpreter to others while they work. The order of everything is
that of the work without threads, so the result is too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from hepml import interruption

__all__ = ["ahead", "behind"]

Item = TypeVar("Item")


def ahead(steps: Generator[Item]) -> Iterator[Item]:
    """The items of a generator, each made in a thread while the one before is used.

    What the generator raises comes out in place of its item. Whoever stops early waits for the item that is being
    made; then the generator is closed.

    Example:
        >>> list(ahead(number**2 for number in range(4)))
        [0, 1, 4, 9]
    """
    end = object()
    try:
        with ThreadPoolExecutor(1) as thread:
            coming: Future[Any] = _submitted(thread, next, steps, end)
            while (item := coming.result()) is not end:
                coming = _submitted(thread, next, steps, end)
                yield item
    finally:
        steps.close()


@contextmanager
def behind(work: Callable[[Item], object]) -> Iterator[Callable[[Item], None]]:
    """A function that gives each item to `work` in a thread, once the item before it is done.

    What `work` raises comes out of the next call, or at the end of the context.

    Example:
        >>> done = []
        >>> with behind(done.append) as put:
        ...     for number in range(4):
        ...         put(number)
        >>> done
        [0, 1, 2, 3]
    """
    with ThreadPoolExecutor(1) as thread:
        last: Future[object] | None = None

        def put(item: Item) -> None:
            nonlocal last
            if last is not None:
                last.result()
            last = _submitted(thread, work, item)

        yield put
        if last is not None:
            last.result()


def _submitted(thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Work for a thread. An exception while the thread is made would leave it running, and nobody waiting for it."""
    with interruption.deferred():
        return thread.submit(work, *arguments)
