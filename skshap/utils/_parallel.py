"""joblib's workers, whose results are taken one after the other."""

from joblib import Parallel

__all__ = ["make_parallel"]


def make_parallel(**options):
    """Make a `joblib.Parallel` that yields results in the order of its tasks.

    Parameters
    ----------
    **options
        Of :class:`joblib.Parallel`.

    Returns
    -------
    joblib.Parallel

    Raises
    ------
    ValueError
        If the backend cannot yield results, as "multiprocessing" cannot.
    """
    try:
        return Parallel(return_as="generator", **options)
    except ValueError as error:
        if "return_as" not in str(error):
            raise
        raise ValueError(
            "The backend of joblib that is in use returns results only all at once; "
            "choose another, as with parallel_config(backend='loky'), 'threading' or "
            f"'dask'. joblib says: {error}"
        ) from error
