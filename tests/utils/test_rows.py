"""How many rows there are, and how much each counts."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skshap.utils._rows import (
    check_number,
    check_several,
    check_weights,
    number_of_rows,
)


@pytest.mark.parametrize(
    "make", [list, tuple, np.array, pd.DataFrame, sparse.csr_array, sparse.coo_array]
)
def test_rows_are_counted_of_any_kind(make):
    assert number_of_rows(make([[1, 2], [3, 4], [5, 6]])) == 3


@pytest.mark.parametrize("rows", ["a text", 3, None, np.array(1.0), iter([1])])
def test_what_holds_no_rows_is_named(rows):
    with pytest.raises(ValueError, match=f"^Z must hold rows, .*{type(rows).__name__}"):
        number_of_rows(rows, "Z")


@pytest.mark.parametrize("y", ["neg", b"neg", 3, 0.5, True, np.array("neg")])
def test_a_single_entry_goes_into_a_list(y):
    value = re.escape(repr(np.asarray(y).item()))
    with pytest.raises(
        ValueError, match=rf"^Z must be a list .* value {value}; .*: \[{value}\]\.$"
    ):
        check_several(y, "Z")
    check_several([y], "Z")
    check_several(np.array([y]), "Z")
    check_several(None)


@pytest.mark.parametrize("make", [list, np.array, pd.DataFrame, sparse.csr_array])
def test_entries_are_as_many_as_rows(make):
    entries = make([[1], [0], [2]])
    check_number(entries, ["a", "b", "c"], "Z")
    message = "Z must hold one entry a row of X, got 3 entries for 2 rows"
    with pytest.raises(ValueError, match=message):
        check_number(entries, ["a", "b"], "Z")
    for single in (None, 1.0, np.array(1)):
        check_number(single, ["a", "b"], "Z")


def test_weights_are_numbers_of_which_some_count():
    found = check_weights([0, 1, 2], "abc")
    assert found.dtype == np.float64
    assert_array_equal(found, [0, 1, 2])
    for weights in ([0, 0, 0], [1, -1, 1], [1, np.nan, 1], [1, np.inf, 1]):
        with pytest.raises(ValueError, match="sample_weight"):
            check_weights(weights, "abc")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        check_weights([1, 1], "abc")
