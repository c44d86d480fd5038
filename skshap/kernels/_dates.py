"""Missing dates, which scikit-learn's steps read as numbers far from all others."""

from copy import deepcopy

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from skshap.utils._columns import missing_dates
from skshap.utils._sklearn import select_columns

__all__ = ["check_dates"]

# Steps of scikit-learn that do not read dates as numbers.
DATES_READ = (OneHotEncoder, OrdinalEncoder, TargetEncoder)


def check_dates(reader, kernel, table):
    """Raise if a step of a kernel would read missing dates as numbers.

    Parameters
    ----------
    reader : str
        What reads them, as "kernel 'dates'".
    kernel : object
        Perhaps a pipeline.
    table : dataframe, series or ndarray
        The columns that it reads.

    Raises
    ------
    ValueError
        If dates are missing, and the first step that they come to is one of
        scikit-learn that reads numbers.
    """
    found = _misread([kernel], table)
    if found is not None:
        step, gaps = found
        raise ValueError(
            f"{reader} reads columns {gaps} of dates, some of them missing, which "
            f"{type(step).__name__} takes for numbers far from all others; turn dates "
            "into numbers first, or use skrub's TableVectorizer."
        )


def _misread(steps, table):
    """Return a step that reads dates as numbers, and columns of which some miss."""
    steps = [step for step in steps if not _is_identity(step)]
    is_table = len(getattr(table, "shape", ())) == 2
    gaps = missing_dates(table) if steps and is_table else []
    if not gaps:
        return None
    first, *rest = steps
    if isinstance(first, FrozenEstimator):
        return _misread([first.estimator, *rest], table)
    if isinstance(first, Pipeline):
        return _misread([step for _, step in first.steps] + rest, table)
    if isinstance(first, (ColumnTransformer, FeatureUnion)):
        parts = (_misread([step, *rest], part) for step, part in _split(first, table))
        return next((found for found in parts if found is not None), None)
    if _hands_on(first):
        try:
            table = clone(first).fit_transform(deepcopy(table))  # it may change it
        except Exception:  # said by the step itself
            return None
        return _misread(rest, table)
    is_numeric = type(first).__module__.startswith("sklearn.")
    return (first, gaps) if is_numeric and not isinstance(first, DATES_READ) else None


def _hands_on(step):
    """Whether a step may hand dates on as they are, and can be tried at once."""
    is_skrub = type(step).__module__.startswith("skrub.")
    return is_skrub or isinstance(step, FunctionTransformer)


def _is_identity(step):
    is_function = isinstance(step, FunctionTransformer)
    return step in (None, "passthrough") or (is_function and step.func is None)


def _split(transformer, table):
    """Yield steps that go beside each other with the columns that each reads."""
    if isinstance(transformer, FeatureUnion):
        yield from ((step, table) for _, step in transformer.transformer_list)
        return
    rest = [*getattr(table, "columns", ())]
    for _, step, columns in transformer.transformers:
        columns = columns(table) if callable(columns) else columns
        try:
            part = select_columns(table, columns)
        except Exception:  # said by the transformer itself
            continue
        read = getattr(part, "columns", [getattr(part, "name", None)])
        rest = [name for name in rest if name not in read]
        if step != "drop" and len(part.shape) == 2:
            yield step, part
    if transformer.remainder != "drop" and rest:
        yield transformer.remainder, table[rest]
