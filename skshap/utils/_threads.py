"""How many threads torch uses for a while."""

from contextlib import contextmanager
from threading import Lock, get_ident

import torch

__all__ = ["at_most"]

_lock = Lock()
_limits = []  # of those within now, with the Python thread each is in
_before = 1  # threads that torch used before the first of them came


@contextmanager
def at_most(n_threads):
    """Let torch use no more than so many threads, and then as many as before.

    torch keeps a number for each Python thread, and begins a new one with that set
    last in any: who comes while others are within may find their limit.
    """
    global _before
    limit = get_ident(), n_threads
    with _lock:
        _before = max(torch.get_num_threads(), _before if _limits else 1)
        _limits.append(limit)
        _apply_limits()
    try:
        yield
    finally:
        with _lock:
            _limits.remove(limit)
            _apply_limits()


def _apply_limits():
    """Let torch use as many threads as the limits of this Python thread allow."""
    own = [n for ident, n in _limits if ident == get_ident()]
    torch.set_num_threads(min([_before, *own]))
