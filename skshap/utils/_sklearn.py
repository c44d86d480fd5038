"""The private names of scikit-learn that skshap uses, here and nowhere else.

scikit-learn calls them "private tools" for third-party estimators; one module keeps
the risk of a rename in one place.
"""

import numpy as np
from sklearn.base import _fit_context as fit_context
from sklearn.metrics._scorer import _BaseScorer
from sklearn.pipeline import _name_estimators as name_estimators
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils import get_tags
from sklearn.utils._metadata_requests import _raise_for_params as raise_for_params
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    RealNotInt,
    StrOptions,
)
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params as slice_params

__all__ = [
    "BaseComposition",
    "HasMethods",
    "Hidden",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "fit_context",
    "is_scorer",
    "name_estimators",
    "raise_for_params",
    "safe_indexing",
    "safe_split",
    "select_columns",
    "slice_params",
]


class Interval(_Interval):
    """An interval of numbers; True and False are none."""

    def is_satisfied_by(self, val):
        return not isinstance(val, bool) and super().is_satisfied_by(val)


def safe_split(estimator, X, y, indices, train_indices=None):
    """Take some rows of both, of a kernel matrix, in a frame too, columns as well."""
    if not (hasattr(X, "columns") and get_tags(estimator).input_tags.pairwise):
        return _safe_split(estimator, X, y, indices, train_indices)
    columns = indices if train_indices is None else train_indices
    part = safe_indexing(safe_indexing(X, indices), columns, axis=1)
    return part, None if y is None else safe_indexing(y, indices)


def select_columns(X, columns):
    """Select columns as `ColumnTransformer` does; a single one as one-dimensional.

    Those of polars go by their positions: of frames of its second version, scikit-learn
    knows names from 1.9 on.
    """
    if hasattr(X, "columns") and not hasattr(X, "iloc"):
        columns = positions(list(X.columns), columns)
    return safe_indexing(X, columns, axis=1)


def positions(names, columns):
    """Turn names of columns, where there are any, into positions."""
    if isinstance(columns, str):
        return names.index(columns)
    if isinstance(columns, slice):
        first, last = columns.start, columns.stop
        if isinstance(first, str):
            first = names.index(first)
        if isinstance(last, str):
            last = names.index(last) + 1  # which is in it
        return slice(first, last, columns.step)
    if isinstance(columns, (set, frozenset)):
        raise ValueError("a set has no order: name them in a list")
    if not hasattr(columns, "__len__") or not len(columns):
        return columns
    if all(isinstance(one, (bool, np.bool_)) for one in columns):
        if len(columns) != len(names):
            raise ValueError(f"a mask has one entry a column, not {len(columns)}")
        return np.flatnonzero(columns)
    if any(isinstance(name, str) for name in columns):
        return [names.index(name) for name in columns]
    return columns


def is_scorer(function):
    """Whether ``function`` is a scikit-learn scorer, ``f(estimator, X, y)``."""
    return isinstance(function, _BaseScorer)
