"""What an estimator says of each class: values, or else the labels it predicts."""

import numpy as np
from sklearn.utils.validation import column_or_1d

from skshap.utils._rows import number_of_rows

__all__ = ["class_values", "of_both"]

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
    predicted, n = np.asarray(model.predict(X)), number_of_rows(X)
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
            "number of rows to remove, or 'auto', works with any."
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
        values = of_both(values)
    if values.shape[1:] != classes.shape or not np.isfinite(values).all():
        return None
    if method == "decision_function" and not is_margin:
        # Of three classes there are three pairs as well.
        agree = classes[values.argmax(1)] == column_or_1d(model.predict(X))
        return values if agree.mean() >= AGREEING else None
    return values


def of_both(margin):
    """Return decision values of both classes, half of the margin to either side."""
    return np.column_stack([-margin, margin]) / 2
