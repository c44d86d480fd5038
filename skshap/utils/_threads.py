"""How many threads torch uses for a while."""

from contextlib import contextmanager

import torch

__all__ = ["at_most"]


@contextmanager
def at_most(n_threads):
    """Let torch use no more than so many threads, and then as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, n_threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)
