"""Reads the files of a conversion, one after another or in several processes, always in the same order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from hepml.dataset.rows import Options, Rows, read_input
from hepml.dataset.sources import Input, Sample, Samples
from hepml.errors import HepmlError

__all__ = ["read_samples"]


def read_samples(
    samples: Samples, options: Options, *, jobs: int = 1, step_size: int | str = "100 MB"
) -> Iterator[Rows]:
    """The rows of all files in their order.

    With several jobs each process reads whole files, at most `jobs` + 1 files ahead of the writer; their rows wait in
    memory as sparse images, about 0.6 kB each.

    Raises:
        HepmlError: a process died; and whatever reading raises.
    """
    if jobs <= 1 or len(samples.inputs) <= 1:
        for number, each in enumerate(samples.inputs):
            yield from read_input(number, each, samples.samples[each.sample], options, step_size)
        return
    # spawned, not forked: a process that holds threads of TensorFlow or OpenMP must not be forked
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(samples.inputs)), mp_context=context) as pool:
        waiting: deque[tuple[Input, Future[list[Rows]]]] = deque()
        rest = iter(enumerate(samples.inputs))
        try:
            while True:
                for number, each in rest:
                    sample = samples.samples[each.sample]
                    waiting.append((each, pool.submit(_read_whole, number, each, sample, options, step_size)))
                    if len(waiting) > jobs:
                        break
                if not waiting:
                    return
                each, future = waiting.popleft()
                try:
                    yield from future.result()
                except BrokenProcessPool as error:
                    raise HepmlError(
                        "a process that was reading died",
                        where=each.file.path,
                        fix="use fewer --jobs: memory may be short",
                    ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read_whole(number: int, each: Input, sample: Sample, options: Options, step_size: int | str) -> list[Rows]:
    return list(read_input(number, each, sample, options, step_size))
