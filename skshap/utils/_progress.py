"""A progress bar for loops that may turn out long."""

from tqdm import tqdm

__all__ = ["progress_bar"]

DELAY = 3.0  # seconds; a shorter loop ends without having shown anything


def progress_bar(*, total, desc, unit, verbose, initial=0):
    """Return a progress bar to move by hand, with the time that remains.

    Parameters
    ----------
    total : int
        Number of items.
    desc : str
        What is being done, shown before the bar.
    unit : str
        What one item is.
    verbose : int or bool
        Zero or False shows nothing. Otherwise the bar appears on standard error after
        3 seconds.
    initial : int, default=0
        Number of items that are done before the first one.

    Returns
    -------
    tqdm
        A context manager with `update` and `set_postfix_str`.

    Examples
    --------
    >>> from skshap.utils._progress import progress_bar
    >>> options = {"desc": "rows", "unit": "row", "verbose": 0}
    >>> with progress_bar(total=3, **options) as bar:
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
