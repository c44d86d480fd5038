"""How long calls take."""

import time

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
        Of wall time.
    result : object
        What `function` returns.
    """
    if warm_up is not None:
        warm_up()
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result
