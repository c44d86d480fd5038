"""Some rows, which stand for all."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skshap.kernel_ridge import _some_rows
from skshap.kernel_ridge._some_rows import some_rows


def test_they_hold_all_rows_of_small_tables_and_every_class():
    y_index = np.array([0] * 3000 + [1] * 6)
    along = np.random.default_rng(0).normal(size=3006)
    rows = some_rows(along, y_index)
    assert 999 <= len(np.unique(rows)) == len(rows) <= 1000
    assert (np.diff(rows) > 0).all()
    assert set(y_index[rows]) == {0, 1}
    assert_allclose(along[rows].mean(), along.mean(), atol=0.05)
    assert_array_equal(some_rows(along[-700:], y_index[-700:]), np.arange(700))


def test_they_are_the_same_in_whatever_order_rows_come(monkeypatch):
    monkeypatch.setattr(_some_rows, "MOST_ROWS", 20)
    rng = np.random.default_rng(0)
    along, y_index = rng.normal(size=100), rng.integers(0, 2, 100)
    order = rng.permutation(100)
    some = some_rows(along, y_index)
    other = order[some_rows(along[order], y_index[order])]
    assert_array_equal(np.sort(other), some)
    # And whatever their classes are called.
    assert_array_equal(some_rows(along, 1 - y_index), some)


def test_a_class_of_one_row_is_there_once():
    rows = some_rows(np.arange(3001.0), np.array([0] * 3000 + [1]))
    assert (rows == 3000).sum() == 1
    assert len(np.unique(rows)) == len(rows)
