"""Gram matrices of factored gradients against gradients multiplied out."""

from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.utils.flop_counter import FlopCounterMode

from skshap.nn import _gram, _sorted_rows
from skshap.nn._batched_rows import BatchedRows
from skshap.nn._factors import BatchGradients, Factor, Layout
from skshap.nn._gram import gram, quick_squared_norms, squared_norms
from skshap.nn._product import add_product
from tests.patching import using


@contextmanager
def cut(**sizes):
    """Set sizes in the modules that have them."""
    with ExitStack() as stack:
        for module in (_gram, _sorted_rows):
            own = {name: sizes[name] for name in sizes if hasattr(module, name)}
            stack.enter_context(using(module, **own))
        yield


# What is least work by tokens, multiplied out at once, and one output at a time.
FORMS = {
    "tokens": (Layout(3, [Factor(80, 70)]), {}),
    "whole": (Layout(3, [Factor(3, 2)]), {}),
    "pieces": (Layout(3, [Factor(3, 2)]), {"CHUNK_COLUMNS": 3}),
}


LAYOUTS = {
    "all": Layout(5, [Factor(3, 2), Factor(1, 3, True), Factor(1, 1), Factor(4, 6)]),
    "vector": Layout(5, []),
    "matrix": Layout(0, [Factor(4, 6)]),
    "lookup": Layout(0, [Factor(1, 4, True)]),
    "large": Layout(0, [Factor(30, 40)]),
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
    columns=st.sampled_from([4, 1 << 15]),
    left=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    right=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    bucket=st.integers(1, 10),
)
def test_every_form_equals_the_definition(name, columns, left, right, bucket):
    layout = LAYOUTS[name]
    left = random_rows(layout, left)
    right = random_rows(layout, right, seed=1)
    with cut(CHUNK_COLUMNS=columns, BUCKET=bucket):
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
    with cut(CHUNK_COLUMNS=columns, CHUNK_BYTES=n_bytes, BUCKET=bucket):
        K = gram(layout, rows)
        part = gram(layout, rows, rows[:3])
    assert_allclose(K, expected, rtol=0, atol=1e-13 * expected.max())
    assert_allclose(part, expected[:, :3], rtol=0, atol=1e-13 * expected.max())


@pytest.mark.parametrize("n_tokens", [1, 3, 5, 6, 20])
def test_the_form_of_less_work_is_taken(n_tokens):
    p, q, n, m = 40, 60, 3, 2
    layout = Layout(0, [Factor(p, q)])
    left, right = (random_rows(layout, [n_tokens] * k) for k in (n, m))
    norms = [np.ones(n), np.ones(m)]  # which cost a little, too
    with FlopCounterMode(display=False) as counter:
        gram(layout, left, right, norms=norms)
    by_tokens = n * m * n_tokens**2 * (p + q)
    multiplied_out = (n * m + (n + m) * n_tokens) * p * q
    assert counter.get_total_flops() == 2 * min(by_tokens, multiplied_out)


@pytest.mark.parametrize("limit", [{"CHUNK_COLUMNS": 90}, {"CHUNK_BYTES": 6 * 8 * 90}])
def test_no_more_is_multiplied_out_at_once_than_fits(limit):
    layout, widths = Layout(0, [Factor(40, 60)]), []
    left, right = (random_rows(layout, [20] * 3, seed=seed) for seed in (0, 1))

    def watched(K, G, H=None):
        widths.append(G.shape[1])
        add_product(K, G, H)

    with cut(add_product=watched, **limit):
        K = gram(layout, left, right)
    assert widths == [80] * 30  # two outputs
    expected = naive(layout, left, right)
    assert_allclose(K, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_in_blocks(form):
    # More rows than a bucket holds and than the blocks of a symmetric product.
    layout, options = FORMS[form]
    lengths = np.random.default_rng(0).integers(1, 6, 600)
    rows = random_rows(layout, lengths)
    with cut(**options):
        K = gram(layout, rows)
        part = gram(layout, rows[:7], rows)
    expected = naive(layout, rows, rows)
    assert_allclose(K, expected, rtol=0, atol=1e-13 * expected.max())
    assert_allclose(part, expected[:7], rtol=0, atol=1e-13 * expected.max())
    assert_array_equal(K, K.T)


@pytest.mark.parametrize("form", FORMS)
def test_order_of_rows(form):
    layout, options = FORMS[form]
    rows = random_rows(layout, [3, 5, 1, 4, 4, 2])
    order = [4, 0, 5, 1, 3, 2]
    with cut(BUCKET=2, **options):
        K = gram(layout, rows)
        shuffled = gram(layout, [rows[i] for i in order])
    assert_allclose(shuffled, K[np.ix_(order, order)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_single_precision(form):
    layout, options = FORMS[form]
    layout = Layout(50, [*layout.factors, Factor(1, 20, True)])
    rows = random_rows(layout, [3, 40, 17], dtype=np.float32)
    expected = naive(layout, rows, rows)
    with cut(**options):
        K = gram(layout, rows)
    assert K.dtype == np.float64
    assert_allclose(K, expected, rtol=0, atol=2e-6 * expected.max())
    assert_allclose(squared_norms(layout, rows), np.diag(expected), rtol=1e-6)


def cancelling_rows(layout, lengths):
    """Rows whose terms are far larger than their sums, each ten times the next one."""
    rows, rng = [], np.random.default_rng(0)
    for k, t in enumerate(lengths):
        parts = [[t] * len(layout.factors)]
        for factor in layout.factors:
            a = 1000 + rng.normal(size=(t, factor.n_inputs))
            d = rng.normal(size=(t, factor.n_outputs)) / 10**k
            parts += [a.ravel(), (d - d.mean(0)).ravel()]
        rows.append(np.concatenate(parts).astype(np.float32))
    return rows


def test_terms_that_cancel_are_summed_exactly():
    layout = Layout(0, [Factor(30, 50), Factor(60, 40)])
    cancelling = cancelling_rows(layout, [2, 3, 2, 4, 5])
    others = random_rows(layout, [2, 1, 3], dtype=np.float32)
    others[0][len(layout.factors) :] = 0  # in a bucket with others
    left, right = cancelling + others, others + cancelling[:3]
    sizes = [np.sqrt(squared_norms(layout, rows)) for rows in (left, right)]
    sizes = [np.where(size > 0, size, 1) for size in sizes]
    for bucket in (2, 64):
        with cut(BUCKET=bucket):
            K = gram(layout, left, right)
            square = gram(layout, left)
            inexact = gram(layout, left, norms=[np.full(len(left), np.inf)])
        scale = np.outer(sizes[0], sizes[1])
        assert np.abs((K - naive(layout, left, right)) / scale).max() < 5e-6
        scale = np.outer(sizes[0], sizes[0])
        expected = naive(layout, left, left)
        assert np.abs((square - expected) / scale).max() < 5e-6
        assert np.abs((inexact - expected) / scale).max() > 1e-3
    two = gram(layout, cancelling[:1] + cancelling[2:3])  # of two tokens each
    places = np.ix_([0, 2], [0, 2])
    assert np.abs((two - expected[places]) / scale[places]).max() < 5e-6
    # Where none cancel, nothing is summed in more digits than it was.
    rows = random_rows(layout, [2, 5, 3, 4], dtype=np.float32)
    working = gram(layout, rows, norms=[np.full(4, np.inf)])
    assert_array_equal(gram(layout, rows), working)


@pytest.mark.parametrize(
    ("left", "right", "is_exact"), [(5, 5, False), (20, 20, True), (100, 2, True)]
)
def test_how_far_terms_must_cancel_on_both_sides(left, right, is_exact):
    """A product of ratios of 84 may be wrong by 1e-5 of the norms, in float32."""
    layout = Layout(0, [Factor(30, 50)])
    rows = [random_rows(layout, [2], dtype=np.float32, seed=s)[0] for s in (0, 1)]
    norms = []
    for row, ratio in zip(rows, (left, right), strict=True):
        a, d = (part.reshape(2, -1) for part in np.split(row[1:], [60]))
        terms = (np.linalg.norm(a, axis=1) * np.linalg.norm(d, axis=1)).sum()
        norms.append(np.array([(terms / ratio) ** 2]))
    found = gram(layout, rows[:1], rows[1:], norms=norms)
    expected = naive(layout, rows[:1], rows[1:])
    size = np.sqrt(np.prod([naive(layout, [r], [r]) for r in rows]))
    assert (np.abs(found - expected) < 1e-14 * size) == is_exact


def test_quick_norms_are_exact_where_terms_cancel():
    layout = Layout(3, [Factor(30, 50)])
    batches = []
    for offset in (0, 30):
        rng = np.random.default_rng(0)
        a = torch.from_numpy(offset + rng.normal(size=(4, 3, 30))).float()
        d = rng.normal(size=(4, 3, 50))
        d = torch.from_numpy(d - d.mean(1, keepdims=True)).float()
        vector = torch.zeros(4, 3)
        batches.append(BatchGradients(vector, [(a, d)], [np.full(4, 3)]))
    for batch, is_exact in zip(batches, (False, True), strict=True):
        rows = BatchedRows(layout, [batch])
        quick, exact = quick_squared_norms(layout, rows), squared_norms(layout, rows)
        assert_allclose(quick, exact, rtol=1e-5)
        assert (quick == exact).all() == is_exact


def test_no_norm_is_negative_where_terms_cancel_altogether():
    layout, rng = Layout(0, [Factor(3, 5)]), np.random.default_rng(0)
    rows = []
    for _ in range(50):  # two tokens that read the same, but for rounding
        a, d = 1e4 * rng.normal(size=3), rng.normal(size=5)
        rows.append(np.concatenate([[2], a, a * (1 + 1e-15), d, -d]))
    assert (squared_norms(layout, rows) >= 0).all()


def test_rows_are_not_changed():
    layout = LAYOUTS["all"]
    rows = random_rows(layout, [2, 5, 3])
    before = [row.copy() for row in rows]
    gram(layout, rows)
    gram(layout, rows, rows[:2])
    squared_norms(layout, rows)
    for row, old in zip(rows, before, strict=True):
        assert_array_equal(row, old)
