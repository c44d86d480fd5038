"""How well an estimator predicts each of some rows, whatever it says of them."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.utils.validation import column_or_1d

from skshap.utils._rows import number_of_rows

__all__ = ["class_values", "log_probabilities"]

LOG_SCALES = (-8.0, 8.0)  # of values whose median is 1
LARGEST = 20.0  # of these; a single wild one would decide the factor
AGREEING = 0.9  # share of rows whose largest decision value is that of their prediction


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
        each class, indicators of the labels that it predicts. Decision values of more
        than two classes must be largest for what is predicted.

    Raises
    ------
    ValueError
        If these are not one of `classes` for each row.
    """
    if np.array_equal(getattr(model, "classes_", ()), classes):
        for method in ("decision_function", "predict_proba"):
            values = usable_values(model, method, X, classes)
            if values is not None:
                return values
    predicted, n = np.asarray(model.predict(X)), number_of_rows(X, "X")
    what = ""
    if predicted.shape not in ((n,), (n, 1)):
        what = f"an array of shape {predicted.shape}"
    else:
        predicted = predicted.ravel()
        unknown = sorted(set(predicted.tolist()) - set(classes.tolist()), key=str)
        if unknown:
            what = f"labels that y has not, {unknown[:5]}"
    if what:
        raise ValueError(
            f"estimator must predict a label of y for each of {n} rows, got {what}; a "
            "number of rows to remove works with any."
        )
    return (predicted[:, None] == classes).astype(float)


def usable_values(model, method, X, classes):
    """Return what a method says for each class; None if it does not."""
    try:
        values = np.asarray(getattr(model, method)(X), dtype=float)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None  # it may still predict labels
    is_margin = values.ndim == 1 and len(classes) == 2
    if is_margin:
        values = np.column_stack([-values, values]) / 2
    if values.shape[1:] != classes.shape or not np.isfinite(values).all():
        return None
    if method == "decision_function" and not is_margin:
        # Of three classes there are three pairs as well.
        agree = classes[values.argmax(1)] == column_or_1d(model.predict(X))
        return values if agree.mean() >= AGREEING else None
    return values


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
        which it is largest on average (temperature scaling [1]_); values more than 20
        times as far from the mean of their row as the median is are cut. Of indicators
        the mean rises with the accuracy, once that is above chance.

    References
    ----------
    .. [1] Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017. https://arxiv.org/abs/1706.04599
    """
    rows = np.arange(len(y_index))
    values = values / (np.abs(values).max() or 1.0)  # so that no square overflows
    values = values - values.mean(1, keepdims=True)
    size = np.median(np.abs(values)) or np.abs(values).max() or 1.0
    unit = np.clip(values / size, -LARGEST, LARGEST)

    def scaled(log_scale):
        return log_softmax(np.exp(log_scale) * unit, axis=1)[rows, y_index]

    best = minimize_scalar(
        lambda log_scale: -scaled(log_scale).mean(), bounds=LOG_SCALES, method="bounded"
    )
    return scaled(best.x)
