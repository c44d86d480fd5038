"""A progress bar for loops that may turn out long."""

from tqdm import tqdm

__all__ = ["progress", "progress_bar"]

DELAY = 3.0  # seconds; a shorter loop ends without having shown anything


def progress(iterable, *, total, desc, unit, verbose):
    """Wrap an iterable in a progress bar on standard error.

    Parameters
    ----------
    iterable : iterable
        What the loop runs over.
    total : int or None
        Number of items, None if it is not known.
    desc : str
        What is being done, shown before the bar.
    unit : str
        What one item is.
    verbose : int or bool
        Zero or False shows nothing and returns `iterable` itself. Otherwise the bar
        appears once the loop has run for 3 seconds.

    Returns
    -------
    iterable
        The same items in the same order.

    Examples
    --------
    >>> from skshap.utils._progress import progress
    >>> rows = progress([1, 2, 3], total=3, desc="rows", unit="row", verbose=1)
    >>> sum(rows)
    6
    """
    if not verbose:
        return iterable
    return tqdm(iterable, total=total, desc=desc, unit=unit, delay=DELAY)


def progress_bar(*, total, initial, desc, unit, verbose):
    """Return a progress bar to move by hand, with the time that remains.

    Parameters
    ----------
    total, initial : int
        Number of items, and of those that are done before the first one.
    desc : str
        What is being done, shown before the bar.
    unit : str
        What one item is.
    verbose : int or bool
        Zero or False shows nothing. Otherwise the bar appears on standard error after
        3 seconds.

    Returns
    -------
    tqdm
        A context manager with `update` and `set_postfix_str`.

    Examples
    --------
    >>> from skshap.utils._progress import progress_bar
    >>> options = {"desc": "rows", "unit": "row", "verbose": 0}
    >>> with progress_bar(total=3, initial=0, **options) as bar:
    ...     _ = bar.update()
    """
    return tqdm(
        total=total,
        initial=initial,
        desc=desc,
        unit=unit,
        delay=DELAY,
        disable=not verbose,
    )
