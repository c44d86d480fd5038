"""Rows and labels that tests share."""

import numpy as np


def class_rows(n=30, n_classes=2, seed=0, *, n_features=3):
    """Normal rows of classes in turn, the first column higher for later classes.

    Returns
    -------
    X : ndarray of shape (n, n_features)
    y : ndarray of shape (n,)
        Integers from 0 on.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, n_features))
    X[:, 0] += 0.7 * y
    return X, y


def with_value(array, value):
    """Return an array with another value in one place."""
    array = array.copy()
    array[2, 1] = value
    return array
