"""How many threads torch uses for a while."""

from contextlib import contextmanager
from threading import Lock, get_ident
from typing import NamedTuple

import torch

__all__ = ["at_most"]

_lock = Lock()
_limits = []  # of those within now, in their order
_last = 0  # number that was set last here


class Limit(NamedTuple):
    """Of one who is within.

    Attributes
    ----------
    ident : int
        Of the Python thread.
    n_threads : int
    before : int
        Threads that torch used in the Python thread before it came.
    """

    ident: int
    n_threads: int
    before: int


@contextmanager
def at_most(n_threads):
    """Let torch use no more than so many threads, and then as many as before.

    torch keeps a number for each Python thread, and begins a new one with that set
    last in any: who comes while others are within may find their limit.
    """
    with _lock:
        before = torch.get_num_threads()
        own = [limit for limit in _limits if limit.ident == get_ident()]
        if own or (_limits and before == _last):
            before = (own or _limits)[0].before
    limit = Limit(get_ident(), n_threads, before)
    try:  # from here on an interrupt finds it, wherever it comes
        with _lock:
            _limits.append(limit)
            _apply_limits(before)
        yield
    finally:
        try:
            _leave(limit)
        except KeyboardInterrupt:
            _leave(limit)
            raise


def _leave(limit):
    """Take a limit off, if it is there still, and set threads as the others allow."""
    with _lock:
        if any(other is limit for other in _limits):
            _limits.remove(limit)
        _apply_limits(limit.before)


def _apply_limits(before):
    """Let torch use as many threads as the limits of this Python thread allow."""
    global _last
    own = [limit.n_threads for limit in _limits if limit.ident == get_ident()]
    _last = min([before, *own])
    torch.set_num_threads(_last)
