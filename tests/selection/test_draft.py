"""Choices one after another that keep the shares of classes."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skshap.selection._draft import open_classes, order_by_class


@pytest.mark.parametrize(
    ("counts", "sizes", "n_left", "expected"),
    [
        ([0, 0], [5, 5], 10, [1, 1]),
        ([1, 0], [5, 5], 9, [0, 1]),
        ([4, 5], [48, 52], 9, [1, 0]),
        ([3, 2, 0], [50, 49, 1], 95, [0, 1, 0]),
        ([3, 2, 0], [50, 49, 1], 1, [0, 0, 1]),
        ([0, 0, 0], [50, 49, 1], 3, [1, 1, 1]),
        ([0, 0, 0], [50, 49, 1], 100, [1, 1, 1]),
    ],
)
def test_open_classes_by_hand(counts, sizes, n_left, expected):
    assert_array_equal(
        open_classes(np.array(counts), np.array(sizes), n_left), expected
    )


def test_order_by_class():
    scores = np.array([9.0, 8, 7, 6, 5, 1])
    y = np.array([0, 0, 0, 0, 0, 1])
    assert order_by_class(scores, y, 2).tolist() == [0, 5, 1, 2, 3, 4]
    assert order_by_class(scores, y, 4).tolist() == [0, 1, 2, 5, 3, 4]
    assert order_by_class(-scores, y, 2).tolist() == [5, 4, 3, 2, 1, 0]
