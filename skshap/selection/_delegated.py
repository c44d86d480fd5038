"""What is left to the estimator that is trained on the rows kept."""

from typing import ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import is_regressor
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skshap.attribution import FreeShapAttributor
from skshap.selection._attributed import OF_REGRESSION
from skshap.utils._sklearn import safe_indexing
from skshap.utils._validation import check_column_names

__all__ = ["Delegated", "in_order_of"]


def estimator_has(method):
    """Return a check of whether the estimator has a method."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


def in_order_of(estimator, classes):
    """Return labels in the order in which a fitted classifier has them, if all."""
    places = {label: place for place, label in enumerate(classes.tolist())}
    own = np.asarray(getattr(estimator, "classes_", classes)).tolist()
    if len(own) != len(places) or set(own) != set(places):
        return classes
    return classes[[places[label] for label in own]]


class Delegated:
    """Mixin of classifiers whose `estimator_` is fitted on `sample_indices_`."""

    # Weights of scores are the estimator's to request.
    __metadata_request__score: ClassVar = {"sample_weight": UNUSED}

    def _check_estimator(self):
        """Raise if `estimator` is no classifier that could be trained."""
        if isinstance(self.estimator, FreeShapAttributor):
            raise ValueError(
                "estimator must be the classifier that is trained, got "
                "FreeShapAttributor, which values rows: pass it second, "
                "DataRemoval(classifier, FreeShapAttributor(...))."
            )
        if is_regressor(self.estimator):
            raise ValueError(
                f"estimator must be a classifier, got {type(self.estimator).__name__}, "
                f"which is a regressor: {OF_REGRESSION}"
            )

    def _rows(self, X):
        """Return rows as the estimator takes them."""
        check_is_fitted(self)
        X = check_column_names(self, X, reset=False)
        if not get_tags(self.estimator_).input_tags.pairwise:
            return X
        n, shape = len(self.sample_values_), np.shape(X)
        if shape[1:] != (n,):
            raise ValueError(
                f"X must have {n} columns, one for each row of fit, got shape {shape}; "
                "those of rows that were removed are left out here."
            )
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

    @available_if(estimator_has("score"))
    def score(self, X, y, sample_weight=None, **params):
        """Score the estimator trained on the rows kept, by its own `score`.

        Parameters
        ----------
        X : rows as in `fit`
            Rows.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows, if the estimator's `score` takes any.
        **params : dict
            Other parameters of the estimator's `score`; if metadata routing is enabled,
            those that it requests.

        Returns
        -------
        float
            The accuracy, of most classifiers.
        """
        rows = self._rows(X)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "score", **params).estimator.score
        return self.estimator_.score(rows, y, **params)

    def get_metadata_routing(self):
        """Return how metadata are routed: `X_val` and `y_val` here, others on.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        mapping = MethodMapping()
        for method in ("fit", "score"):
            mapping.add(caller=method, callee=method)
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags.sparse &= of_estimator.input_tags.sparse
        tags.input_tags.pairwise |= of_estimator.input_tags.pairwise
        tags.classifier_tags = of_estimator.classifier_tags
        return tags
