"""Predictions left to the estimator that was trained on the rows kept."""

from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skshap.utils._sklearn import safe_indexing

__all__ = ["DelegatedPredictions"]


def estimator_has(method):
    """Return a check of whether the estimator has a method."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class DelegatedPredictions:
    """Mixin of classifiers whose `estimator_` is fitted on `sample_indices_`."""

    def _rows(self, X):
        """Return rows as the estimator takes them."""
        check_is_fitted(self)
        if not get_tags(self.estimator_).input_tags.pairwise:
            return X
        return safe_indexing(X, self.sample_indices_, axis=1)

    @available_if(estimator_has("predict"))
    def predict(self, X):
        """Predict labels with the estimator trained on the rows kept.

        Parameters
        ----------
        X : rows as in `fit`
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        rows = self._rows(X)
        return self.estimator_.predict(rows)

    @available_if(estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Predict class probabilities with the estimator trained on the rows kept.

        Parameters
        ----------
        X : rows as in `fit`
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        rows = self._rows(X)
        return self.estimator_.predict_proba(rows)

    @available_if(estimator_has("predict_log_proba"))
    def predict_log_proba(self, X):
        """Predict log probabilities with the estimator trained on the rows kept.

        Parameters
        ----------
        X : rows as in `fit`
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms of probabilities.
        """
        rows = self._rows(X)
        return self.estimator_.predict_log_proba(rows)

    @available_if(estimator_has("decision_function"))
    def decision_function(self, X):
        """Compute decision values with the estimator trained on the rows kept.

        Parameters
        ----------
        X : rows as in `fit`
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Decision values.
        """
        rows = self._rows(X)
        return self.estimator_.decision_function(rows)
