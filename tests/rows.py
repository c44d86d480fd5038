"""Rows and labels that tests share."""

import numpy as np
from scipy import sparse


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


def with_twins(table):
    """Return a sparse table with every entry as two halves, in descending columns."""
    table = sparse.csr_matrix(table)
    twins = [np.repeat(part, 2)[::-1] for part in (table.data / 2, table.indices)]
    lengths = 2 * np.diff(table.indptr)[::-1]
    turned = sparse.csr_matrix((*twins, np.r_[0, lengths.cumsum()]), table.shape)
    return turned[::-1]
