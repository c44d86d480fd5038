"""The private names of scikit-learn that skshap uses, here and nowhere else.

scikit-learn calls them "private tools" for third-party estimators; one module keeps
the risk of a rename in one place.
"""

from sklearn.base import _fit_context
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["HasMethods", "Interval", "StrOptions", "fit_context", "is_scorer"]

fit_context = _fit_context


def is_scorer(function):
    """Whether ``function`` is a scikit-learn scorer, ``f(estimator, X, y)``."""
    return isinstance(function, _BaseScorer)
