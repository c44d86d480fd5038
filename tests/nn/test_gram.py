"""Gram matrices of factored gradients against gradients multiplied out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.nn import _gram
from skshap.nn._factors import Factor, Layout
from skshap.nn._gram import gram, squared_norms
from tests.patching import using

# By tokens, multiplied out at once, and multiplied out one output at a time.
FORMS = {
    "tokens": lambda factor, *args: [None],
    "whole": lambda factor, *args: [slice(0, factor.n_outputs)],
    "pieces": lambda factor, *args: [slice(k, k + 1) for k in range(factor.n_outputs)],
}


LAYOUTS = {
    "all": Layout(5, [Factor(3, 2), Factor(1, 3, True), Factor(1, 1), Factor(4, 6)]),
    "vector": Layout(5, []),
    "matrix": Layout(0, [Factor(4, 6)]),
    "lookup": Layout(0, [Factor(1, 4, True)]),
}
TABLE = 4  # rows of the tables that are looked up


def random_rows(layout, lengths, dtype=np.float64, seed=0):
    """Flat rows of so many tokens, one more in each factor than in the last."""
    rng = np.random.default_rng(seed)
    rows = []
    for length in lengths:
        counts = [length + k for k in range(len(layout.factors))]
        parts = [counts, rng.normal(size=layout.n_vector)]
        for factor, count in zip(layout.factors, counts, strict=True):
            a = rng.normal(size=(count, factor.n_inputs))
            if factor.is_lookup:
                a = rng.integers(0, TABLE, size=a.shape)
            parts += [a.ravel(), rng.normal(size=count * factor.n_outputs)]
        rows.append(np.concatenate(parts).astype(dtype))
    return rows


def dense(layout, row):
    """One gradient written out in full, in double precision."""
    row = np.asarray(row, dtype=np.float64)
    k = len(layout.factors)
    counts, rest = row[:k].astype(int), row[k + layout.n_vector :]
    parts = [row[k : k + layout.n_vector]]
    for f, count in zip(layout.factors, counts, strict=True):
        sizes = np.cumsum([count * f.n_inputs, count * f.n_outputs])
        a, d, rest = np.split(rest, sizes)
        a, d = a.reshape(count, -1), d.reshape(count, -1)
        if f.is_lookup:
            a = np.eye(TABLE)[a[:, 0].astype(int)]
        parts.append(np.einsum("tq,tp->qp", d, a).ravel())
    return np.concatenate(parts)


def naive(layout, left, right):
    G, H = (np.array([dense(layout, row) for row in rows]) for rows in (left, right))
    return G @ H.T


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(LAYOUTS)),
    form=st.sampled_from(sorted(FORMS)),
    left=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    right=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    bucket=st.integers(1, 10),
)
def test_every_form_equals_the_definition(name, form, left, right, bucket):
    layout = LAYOUTS[name]
    left = random_rows(layout, left)
    right = random_rows(layout, right, seed=1)
    with using(_gram, _plan=FORMS[form], BUCKET=bucket):
        K = gram(layout, left, right)
        square = gram(layout, left)
        norms = squared_norms(layout, left)
    assert K.dtype == square.dtype == norms.dtype == np.float64
    scale = np.sqrt(naive(layout, left, left).diagonal().max())
    scale *= np.sqrt(naive(layout, right, right).diagonal().max())
    assert_allclose(K, naive(layout, left, right), rtol=0, atol=1e-13 * scale)
    assert_allclose(square, naive(layout, left, left), rtol=1e-12, atol=1e-11)
    assert_array_equal(square, square.T)
    assert_allclose(norms, square.diagonal(), rtol=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    columns=st.integers(1, 40),
    n_bytes=st.integers(1, 2000),
    bucket=st.integers(1, 5),
)
def test_chunks_change_nothing(lengths, columns, n_bytes, bucket):
    layout = LAYOUTS["all"]
    rows = random_rows(layout, lengths)
    expected = naive(layout, rows, rows)
    with using(_gram, CHUNK_COLUMNS=columns, CHUNK_BYTES=n_bytes, BUCKET=bucket):
        K = gram(layout, rows)
        cut = gram(layout, rows, rows[:3])
    assert_allclose(K, expected, rtol=0, atol=1e-13 * expected.max())
    assert_allclose(cut, expected[:, :3], rtol=0, atol=1e-13 * expected.max())


def test_plan_takes_the_cheaper_form():
    layout = Layout(0, [Factor(40, 60)])
    plans = {}
    for length in (2, 20):
        rows = _gram._Rows(layout, random_rows(layout, [length] * 3), "cpu")
        plans[length] = _gram._plan(layout.factors[0], 0, rows, None, False)
    assert plans[2] == [None]  # 2 * 2 * 100 < 40 * 60
    assert plans[20] == [slice(0, 60)]
    with using(_gram, CHUNK_COLUMNS=90):
        tasks = _gram._plan(layout.factors[0], 0, rows, None, False)
    covered = [k for task in tasks for k in range(60)[task]]
    assert covered == list(range(60)) and len(tasks) == 30


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_in_blocks(form):
    # More rows than a bucket holds and than the blocks of a symmetric product.
    layout = Layout(3, [Factor(3, 2)])
    lengths = np.random.default_rng(0).integers(1, 6, 600)
    rows = random_rows(layout, lengths)
    with using(_gram, _plan=FORMS[form]):
        K = gram(layout, rows)
        part = gram(layout, rows[:7], rows)
    expected = naive(layout, rows, rows)
    assert_allclose(K, expected, rtol=0, atol=1e-13 * expected.max())
    assert_allclose(part, expected[:7], rtol=0, atol=1e-13 * expected.max())
    assert_array_equal(K, K.T)


@pytest.mark.parametrize("form", FORMS)
def test_order_of_rows(form):
    layout = LAYOUTS["all"]
    rows = random_rows(layout, [3, 9, 1, 4, 4, 7])
    order = [4, 0, 5, 1, 3, 2]
    with using(_gram, _plan=FORMS[form], BUCKET=2):
        K = gram(layout, rows)
        shuffled = gram(layout, [rows[i] for i in order])
    assert_allclose(shuffled, K[np.ix_(order, order)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_single_precision(form):
    layout = Layout(50, [Factor(30, 20), Factor(1, 20, True)])
    rows = random_rows(layout, [3, 40, 17], dtype=np.float32)
    expected = naive(layout, rows, rows)
    with using(_gram, _plan=FORMS[form]):
        K = gram(layout, rows)
    assert K.dtype == np.float64
    assert_allclose(K, expected, rtol=0, atol=2e-6 * expected.max())
    assert_allclose(squared_norms(layout, rows), np.diag(expected), rtol=1e-6)


def test_rows_are_not_changed():
    layout = LAYOUTS["all"]
    rows = random_rows(layout, [2, 5, 3])
    before = [row.copy() for row in rows]
    for form in FORMS.values():
        with using(_gram, _plan=form):
            gram(layout, rows)
            gram(layout, rows, rows[:2])
    squared_norms(layout, rows)
    for row, old in zip(rows, before, strict=True):
        assert_array_equal(row, old)
