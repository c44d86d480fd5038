"""How well an estimator predicts each of some rows, whatever it says of them."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.utils.validation import column_or_1d

from skshap.utils._rows import number_of_rows

__all__ = ["class_values", "log_probabilities"]

LOG_SCALES = (-8.0, 8.0)  # of values whose mean square is 1


def class_values(model, X, classes):
    """Return what a model says for each class.

    Parameters
    ----------
    model : classifier
        Fitted.
    X : indexable
        Rows.
    classes : ndarray of shape (n_classes,)
        Sorted labels.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Decision values, or else probabilities, or, where there is no finite one for
        each class, indicators of the labels that it predicts.

    Raises
    ------
    ValueError
        If these are not one of `classes` for each row.
    """
    if np.array_equal(getattr(model, "classes_", ()), classes):
        for method in ("decision_function", "predict_proba"):
            if hasattr(model, method):
                values = np.asarray(getattr(model, method)(X), dtype=float)
                if values.ndim == 1 and len(classes) == 2:
                    values = np.column_stack([-values, values]) / 2
                if values.shape[1:] == classes.shape and np.isfinite(values).all():
                    return values
    predicted, n = column_or_1d(model.predict(X)), number_of_rows(X, "X")
    unknown = sorted(set(predicted.tolist()) - set(classes.tolist()), key=str)
    if len(predicted) != n or unknown:
        what = f"labels {unknown[:5]}, which y has not," if unknown else "labels"
        raise ValueError(
            f"estimator must predict a label of y for each of {n} rows, got "
            f"{len(predicted)} {what}; a number of rows to remove works with any."
        )
    return (predicted[:, None] == classes).astype(float)


def log_probabilities(values, y_index):
    """Score rows by the log probability of their label.

    Parameters
    ----------
    values : ndarray of shape (n, n_classes)
        From `class_values`.
    y_index : ndarray of shape (n,)
        Index of each row's label.

    Returns
    -------
    ndarray of shape (n,)
        In nats, of the softmax of the values times the factor, one for all rows, with
        which it is largest on average (temperature scaling [1]_). Of indicators the
        mean rises with the accuracy, once that is above chance.

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017. https://arxiv.org/abs/1706.04599
    """
    rows = np.arange(len(y_index))
    size = np.sqrt(np.square(values).mean())
    unit = values / size if size > 0 else values

    def scaled(log_scale):
        return log_softmax(np.exp(log_scale) * unit, axis=1)[rows, y_index]

    best = minimize_scalar(
        lambda log_scale: -scaled(log_scale).mean(), bounds=LOG_SCALES, method="bounded"
    )
    return scaled(best.x)
