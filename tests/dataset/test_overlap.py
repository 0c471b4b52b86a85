"""Threads one step ahead and one behind: the order, the errors and the end are those of the work without them."""

import threading

import pytest

from hepml.dataset.overlap import ahead, behind

SECONDS = 30  # in which a thread must have begun


def test_the_next_item_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(4)]

    def items():
        for number, event in enumerate(begun):
            event.set()
            yield number

    steps = ahead(items())
    for number in range(3):
        assert next(steps) == number
        assert begun[number + 1].wait(SECONDS)
        assert not any(event.is_set() for event in begun[number + 2 :])
    assert list(steps) == [3]


def test_an_error_comes_in_the_place_of_its_item():
    def items():
        yield 1
        raise ValueError("the second")

    steps = ahead(items())
    assert next(steps) == 1
    with pytest.raises(ValueError, match="the second"):
        next(steps)


def test_whoever_stops_early_closes_the_generator():
    closed = []

    def items():
        try:
            yield from range(10)
        finally:
            closed.append(threading.current_thread())

    steps = ahead(items())
    assert next(steps) == 0
    steps.close()
    assert closed == [threading.current_thread()]


def test_work_goes_on_behind_and_is_done_at_the_end():
    go, done = threading.Event(), []

    def work(item):
        assert go.wait(SECONDS)
        done.append((item, threading.current_thread()))

    with behind(work) as put:
        put(1)
        assert done == []
        go.set()
        put(2)
        assert done[0][0] == 1
    assert [item for item, _ in done] == [1, 2]
    assert threading.current_thread() not in [thread for _, thread in done]


@pytest.mark.parametrize("more", [0, 1])
def test_an_error_of_the_work_comes_out(more):
    def work(item):
        raise OSError(f"no space for {item}")

    def write():
        with behind(work) as put:
            for number in range(1 + more):
                put(number)

    with pytest.raises(OSError, match="no space for 0"):
        write()


def test_an_error_of_the_caller_waits_for_the_work():
    done = []

    def write():
        with behind(done.append) as put:
            put(1)
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert done == [1]
