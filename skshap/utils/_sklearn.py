"""The private names of scikit-learn that skshap uses, here and nowhere else.

scikit-learn calls them "private tools" for third-party estimators; one module keeps
the risk of a rename in one place.
"""

from sklearn.base import _fit_context
from sklearn.metrics._scorer import _BaseScorer
from sklearn.pipeline import _name_estimators
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import _BaseComposition

__all__ = [
    "BaseComposition",
    "HasMethods",
    "Interval",
    "StrOptions",
    "fit_context",
    "is_scorer",
    "name_estimators",
    "select_columns",
]

BaseComposition = _BaseComposition
fit_context = _fit_context
name_estimators = _name_estimators


def select_columns(X, columns):
    """Select columns as `ColumnTransformer` does; a single one as one-dimensional."""
    return _safe_indexing(X, columns, axis=1)


def is_scorer(function):
    """Whether ``function`` is a scikit-learn scorer, ``f(estimator, X, y)``."""
    return isinstance(function, _BaseScorer)
