"""How long calls take."""

import time

import torch

__all__ = ["timed"]


def timed(function, warm_up=None):
    """Time a call, after another one if the first makes buffers and checks more.

    Parameters
    ----------
    function : callable
        Without arguments.
    warm_up : callable or None, default=None
        Is called before.

    Returns
    -------
    seconds : float
        Of wall time, until GPUs are done.
    result : object
        What `function` returns.
    """
    if warm_up is not None:
        warm_up()
    _wait()
    start = time.perf_counter()
    result = function()
    _wait()
    return time.perf_counter() - start, result


def _wait():
    """Wait for what GPUs were told to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
