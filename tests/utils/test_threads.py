"""Limits of torch's threads, set by several Python threads at once."""

from threading import Event, Thread

import pytest
import torch

from skshap.utils._threads import at_most


@pytest.fixture(autouse=True)
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def in_new_thread(function):
    """Return what a function returns in a Python thread of its own."""
    returned = []
    thread = Thread(target=lambda: returned.append(function()))
    thread.start()
    thread.join()
    return returned[0]


def test_limits_within_each_other():
    with at_most(2):
        assert torch.get_num_threads() == 2
        with at_most(5):
            assert torch.get_num_threads() == 2
        with at_most(1):
            assert torch.get_num_threads() == 1
            assert in_new_thread(torch.get_num_threads) == 1
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("is_main_first", [True, False])
def test_who_leaves_last_leaves_as_many_as_before_the_first_came(is_main_first):
    is_within, may_leave, after = Event(), Event(), []

    def other():
        with at_most(1):
            is_within.set()
            may_leave.wait(10)
        after.append(torch.get_num_threads())

    thread = Thread(target=other)
    if not is_main_first:
        thread.start()
        is_within.wait(10)
    with at_most(1):
        if is_main_first:
            thread.start()
            is_within.wait(10)
        assert torch.get_num_threads() == 1
        if not is_main_first:
            may_leave.set()
            thread.join()
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    may_leave.set()
    thread.join()
    assert after == [3]
    assert torch.get_num_threads() == in_new_thread(torch.get_num_threads) == 3


def test_a_thread_with_a_number_of_its_own_keeps_it():
    def other():
        torch.set_num_threads(1)
        with at_most(3):
            within = torch.get_num_threads()
        return within, torch.get_num_threads()

    with at_most(2):
        assert in_new_thread(other) == (1, 1)
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("moment", ["coming", "leaving"])
def test_an_interrupt_leaves_no_limit_behind(moment, monkeypatch):
    numbers, set_num_threads = [], torch.set_num_threads

    def interrupted(n):
        numbers.append(n)
        if len(numbers) == ["coming", "leaving"].index(moment) + 1:
            raise KeyboardInterrupt
        set_num_threads(n)

    monkeypatch.setattr(torch, "set_num_threads", interrupted)
    with pytest.raises(KeyboardInterrupt), at_most(1):
        pass
    assert torch.get_num_threads() == 3
    with at_most(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 3
