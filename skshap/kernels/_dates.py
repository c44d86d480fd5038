"""Missing dates, which scikit-learn's steps read as numbers far from all others."""

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from skshap.utils._columns import missing_dates
from skshap.utils._sklearn import select_columns

__all__ = ["check_dates"]

# Steps that read dates as numbers, and those among them that do not.
NUMERIC = ("sklearn.impute", "sklearn.preprocessing")
DATES_READ = (FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder)


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
        If dates are missing, and the first step that they come to imputes or scales.
    """
    found = _misread([kernel], table) if len(table.shape) == 2 else None
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
    if not steps:
        return None
    first, *rest = steps
    if isinstance(first, Pipeline):
        return _misread([step for _, step in first.steps] + rest, table)
    if isinstance(first, ColumnTransformer):
        parts = (_misread([step, *rest], part) for step, part in _split(first, table))
        return next((found for found in parts if found is not None), None)
    is_numeric = type(first).__module__.startswith(NUMERIC)
    gaps = missing_dates(table) if is_numeric else []
    return (first, gaps) if gaps and not isinstance(first, DATES_READ) else None


def _is_identity(step):
    is_function = isinstance(step, FunctionTransformer)
    return step in (None, "passthrough") or (is_function and step.func is None)


def _split(transformer, table):
    """Yield steps of a column transformer with the columns that each reads."""
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
