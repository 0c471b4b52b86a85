"""Files read by the workers of a dask cluster: a scheduler's address is all that is needed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from hepml import interruption
from hepml.dataset.processes import whole
from hepml.dataset.rows import Rows
from hepml.dataset.sources import Input
from hepml.dataset.workers import Task
from hepml.errors import HepmlError, InputFileError, MissingExtraError, VerificationError
from hepml.ledger import code_version

__all__ = ["Cluster"]


class Cluster:
    """Workers of a dask.distributed scheduler, for `convert(..., workers=...)`.

    The workers must run the same hepml and see the files under the same paths. A file whose worker is lost is given to
    another one, by dask; two files for each thread of the cluster are read ahead of the one that is awaited.

    Args:
        address: of the scheduler, such as "tcp://host:8786", or a file that it wrote with --scheduler-file.
        timeout: seconds to wait for the scheduler and, with no file read meanwhile, for the awaited file.

    Raises:
        MissingExtraError: dask.distributed is not installed.
        HepmlError: no scheduler answers.

    Example:
        >>> with Cluster("tcp://localhost:8786") as workers:  # doctest: +SKIP
        ...     hepml.dataset.convert("a.root", "b.root", "data.h5", workers=workers)
    """

    def __init__(self, address: str, timeout: float = 1800.0) -> None:
        self._distributed = _distributed()
        self._timeout = timeout
        self._address = address
        found = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        try:
            self._client = self._distributed.Client(
                **found, timeout=min(30.0, timeout), set_as_default=False, name="hepml"
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise HepmlError(
                "no dask scheduler answers",
                where=address,
                expected="the address of a running scheduler, such as tcp://host:8786, or its --scheduler-file",
                found=" ".join(str(error).split())[:200],
            ) from error

    def __str__(self) -> str:
        return self._address

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close(timeout=5)

    def read(self, inputs: Sequence[Input], task: Task) -> Iterator[tuple[Input, list[Rows] | HepmlError]]:
        """Every input in its order, with its rows or why there are none."""
        todo = deque(inputs)
        waiting: deque[tuple[Input, Any]] = deque()
        try:
            while todo or waiting:
                while todo and len(waiting) <= self._ahead():
                    each = todo.popleft()
                    future = self._client.submit(_read, _everywhere(each), task, code_version(), pure=False)
                    waiting.append((each, future))
                each, future = waiting[0]
                self._await(each, future, [one for _, one in waiting])
                waiting.popleft()
                yield each, self._result(each, future)
        finally:
            self._client.cancel([future for _, future in waiting])

    def _ahead(self) -> int:
        """Grows with the cluster; one while there are no workers yet."""
        return max(1, 2 * sum(map(int, self._client.nthreads().values())))

    def _await(self, each: Input, future: Any, futures: list[Any]) -> None:
        """Waits for a future, as long as others are done now and then."""
        quiet, last = 0.0, -1
        while not future.done():
            interruption.check()
            try:
                future.exception(timeout=1.0)
            except TimeoutError:
                quiet += 1.0
            done = sum(one.done() for one in futures)
            quiet, last = (quiet, last) if done == last else (0.0, done)
            if quiet >= self._timeout and not future.done():
                workers = len(self._client.nthreads())
                raise InputFileError(
                    f"no worker of the cluster has read a file for {self._timeout:g} s",
                    where=each.file.path,
                    found=f"{workers} workers at {self._address}",
                    fix="see the scheduler's dashboard, or give a longer --timeout",
                )

    def _result(self, each: Input, future: Any) -> list[Rows] | HepmlError:
        try:
            result: list[Rows] | HepmlError = future.result()
        except HepmlError:
            raise
        except Exception as error:
            return InputFileError(
                "the workers of the cluster could not read the file",
                where=each.file.path,
                found=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                fix="if workers are killed, give them more memory or fewer threads",
            )
        return result


def _read(each: Input, task: Task, code: dict[str, str]) -> list[Rows] | HepmlError:
    """Runs on a worker."""
    if code_version() != code:
        raise VerificationError(
            "a worker of the cluster runs another hepml than this",
            where=os.uname().nodename,
            expected=f"hepml {code['version']}, sources {code['sources'][:12]}, C++ {code['core'][:12]}",
            found=str(code_version()),
            fix="install the same hepml on every worker",
        )
    return whole(each, task)


def _everywhere(each: Input) -> Input:
    """The input under the paths that other machines know it by."""
    file, layout = each.file, each.sample.layout
    if not file.remote:
        file = replace(file, path=os.path.abspath(file.path))
    if layout is not None and os.path.isfile(layout):
        layout = os.path.abspath(layout)
    return replace(each, file=file, sample=replace(each.sample, layout=layout))


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("dask.distributed is not installed", fix="pip install 'hepml[dask]'") from error
    return distributed
