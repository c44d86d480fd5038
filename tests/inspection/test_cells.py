"""What a row holds, by name, of any kind of table or text."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skshap.inspection._cells import cells_of, column_name, has_names
from skshap.inspection._page import row_html
from tests.rows import with_twins


@pytest.mark.parametrize("kind", ["csr", "csc", "lil"])
def test_a_zero_that_a_sparse_table_stores_is_no_cell(kind):
    table = sparse.csr_array(np.array([[0.0, 2.0, 3.0], [4.0, 0.0, 0.0]]))
    table.data[0] = 0.0
    assert table.nnz == 3
    rows = table.asformat(kind)
    assert cells_of(rows, 0) == {"x2": 3.0}
    assert cells_of(rows, 1) == {"x0": 4.0}


def test_an_entry_that_is_stored_twice_is_one_cell():
    assert cells_of(with_twins(np.array([[0.0, 2.0, 3.0]])), 0) == {"x1": 2, "x2": 3}


@pytest.mark.parametrize("make", [list, np.array, sparse.csr_array])
def test_columns_without_names_are_numbered(make):
    assert cells_of(make([[1.5, 2.5], [3.5, 4.5]]), 1) == {"x0": 3.5, "x1": 4.5}


def test_texts_and_pairs_of_them_have_no_columns():
    assert cells_of(["a", "b"], 1) == {"": "b"}
    assert cells_of(pd.Series(["a", "b"], index=[7, 8]), 1) == {"": "b"}
    assert list(cells_of([("a", "b")], 0).values()) == ["a", "b"]


@pytest.mark.parametrize("cell", [[2, [3]], [[2], [3, 4]], [np.zeros(2), [None]]])
def test_cells_that_are_ragged_lists(cell):
    frame = pd.DataFrame({"x": [1, 2], "list": [cell, None]})
    for cells in (cells_of([[1, cell]], 0), cells_of(frame, 0)):
        assert [*cells.values()] == [1, cell]
        assert f'<dd dir="auto">{cell}</dd>' in row_html(cells)
    assert list(cells_of([cell], 0).values()) == cell
    assert "missing" in row_html(cells_of(frame, 1))


def test_cells_of_frames_keep_their_types():
    columns = {"n": [1, 2], "x": [0.5, 1.5], "word": ["a", "b"]}
    for frame in (pd.DataFrame(columns, index=[5, 3]), pl.DataFrame(columns)):
        cells = cells_of(frame, 1)
        assert cells == {"n": 2, "x": 1.5, "word": "b"}
        assert isinstance(cells["n"], (int, np.integer))


def test_columns_of_one_name_are_numbered():
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "a (2)", "a"])
    names = ["a", "a (2)", "a (2) (2)", "a (3)"]
    assert cells_of(frame, 0) == dict(zip(names, [1, 2, 3, 4], strict=True))


def test_rows_have_names_if_these_are_not_their_positions():
    frame = pd.DataFrame({"a": [1, 2]})
    assert not has_names(frame)
    assert not has_names(pl.DataFrame({"a": [1, 2]}))
    assert not has_names(["a", "b"])
    for index in ([1, 0], ["x", "y"]):
        assert has_names(frame.set_axis(index))
        assert has_names(frame["a"].set_axis(index))


def test_names_that_are_taken_are_marked():
    assert column_name("a", {"b"}) == "a"
    assert column_name("a", {"a", "X_a"}) == "X_X_a"
    assert [column_name(name, ()) for name in cells_of([("a", "b")], 0)] == [
        "text",
        "text_1",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234650.0, "1234650"),
        (np.float32(16777216), "16777216"),
        (-3.0, "-3"),
        (22539.99, "22539.99"),
        (1234567.891, "1234567.89"),
        (0.123456789, "0.123457"),
        (1e20, "1e+20"),
        (1.5e-7, "1.5e-07"),
        (np.inf, "inf"),
    ],
)
def test_numbers_can_be_read(value, text):
    assert f">{text}</dd>" in row_html({"amount": value})
