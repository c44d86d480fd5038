"""Texts and pairs of texts are told from other rows, and checked."""

import datetime
import enum

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skshap.utils._texts import check_text, is_text

TEXTS = ["one", "two three"]
PAIRS = [("one", "two"), ("three", "four")]


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=np.dtypes.StringDType()),
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype=object, index=[5, 3]),
        pd.Series(TEXTS, dtype="string"),
        [*enum.Enum("Kind", {"A": TEXTS[0], "B": TEXTS[1]}, type=str)],
    ],
)
def test_texts_come_out_as_a_list_of_str(X):
    assert is_text(X)
    assert check_text(X) == TEXTS
    assert all(type(text) is str for text in check_text(X))


@pytest.mark.parametrize(
    "X",
    [
        PAIRS,
        [list(pair) for pair in PAIRS],
        np.array(PAIRS),
        np.array(PAIRS, dtype=object),
        pd.DataFrame(PAIRS, index=[5, 3]),
        [list(enum.Enum("Kind", dict(a=p[0], b=p[1]), type=str)) for p in PAIRS],
    ],
)
def test_pairs_come_out_as_a_list_of_tuples(X):
    assert is_text(X)
    assert check_text(X) == PAIRS
    assert all(type(part) is str for pair in check_text(X) for part in pair)


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0]],
        [1, 2],
        np.ones((2, 2)),
        np.ones((2, 2), dtype=object),
        np.array(3.0),
        np.array("text"),
        pd.DataFrame({"a": [1.0], "b": ["x"]}),
        pd.DataFrame({"a": [1.0, 2.0]}),
        pd.Series([1.0, 2.0]),
        sparse.eye_array(3, format="csr"),
        sparse.eye_array(3, format="dok"),
        torch.ones(2, 2),
        [],
        np.empty((0, 3)),
        [["a", "b", "c"]],
        [None, None],
        [[np.nan, 1.0]],
        5,
        None,
    ],
)
def test_anything_else_is_no_text(X):
    assert not is_text(X)


def test_columns_of_types_that_share_none():
    day = datetime.date(2020, 1, 1)
    assert not is_text(pl.DataFrame({"a": ["w"], "b": [1.0], "c": [day]}))


@settings(deadline=None)
@given(text=st.text())
def test_a_bare_string_is_no_sequence_of_texts(text):
    with pytest.raises(ValueError, match=r"X must be a sequence.*\[text\]"):
        is_text(text)


def test_values_of_a_dict_are_no_sequence():
    with pytest.raises(ValueError, match=r"such as a list, .* got dict_values"):
        is_text({0: "one", 1: "two"}.values())


def test_a_long_bare_string_is_cut_in_the_message():
    with pytest.raises(ValueError) as caught:
        is_text("x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "X, words",
    [
        (["one", ""], ["row 1", "''", "empty"]),
        (["one", " \n\t"], ["row 1", "empty"]),
        (["one", None], ["row 1", "None", "NoneType"]),
        ([None, "one"], ["row 0", "None", "missing"]),
        ([np.nan, "one"], ["row 0", "nan", "float"]),
        (["one", None, "", np.nan], ["row 1", "In all, 3 rows lack a text."]),
        (["one", " ", None], ["row 1", "In all, 2 rows lack a text."]),
        ([("one", None), ("", None), ("a", "b")], ["row 0", "In all, 2 rows"]),
        (["one", 3], ["row 1", "3", "int", "make a text of it"]),
        (np.ma.array(TEXTS, object, mask=[0, 1]), ["missing", "1 entries are masked"]),
        (["one", b"two"], ["row 1", "bytes"]),
        (pd.Series([None, "one"]), ["row 0", "missing"]),
        (pd.Series([pd.NA, "one"], dtype="string"), ["row 0", "missing"]),
        ([("one", "two"), ("three", "")], ["row 1", "empty"]),
        ([("one", "two"), ("three", None)], ["row 1", "None"]),
        ([("one", "two"), ("three",)], ["row 1", "1 columns"]),
        ([("one", "two"), ("a", "b", "c")], ["row 1", "3 columns"]),
        ([("one", "two"), "three"], ["row 1", "'three'", "not both"]),
        ([("one", "two"), None], ["row 1", "None", "missing"]),
        (["one", ("two", "three")], ["row 1", "('two', 'three')", "not both"]),
        (np.array([["one"], ["two"]]), ["row 0", "1 columns", "not df[['text']]"]),
        (pd.DataFrame({"text": TEXTS}), ["row 0", "1 columns", "not df[['text']]"]),
    ],
)
def test_malformed_texts_are_named(X, words):
    assert is_text(X)
    with pytest.raises(ValueError, match="X must") as caught:
        check_text(X)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


def test_a_single_missing_text_is_not_counted():
    with pytest.raises(ValueError, match=r"fill the missing text\.$"):
        check_text(["one", None, "two"])
