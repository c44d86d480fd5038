"""Sketches of gradients against gradients written out in full."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.nn._batched_rows import BatchedRows
from skshap.nn._directions import allocate
from skshap.nn._factors import BatchGradients, Factor, Layout
from skshap.nn._gram import squared_norms
from skshap.nn._sketch import GradientSketch, _hash, first_width

TABLE = 4  # rows of the tables that are looked up
LAYOUTS = {
    "all": Layout(5, [Factor(3, 2), Factor(1, 3, True), Factor(1, 1), Factor(4, 6)]),
    "vector": Layout(5, []),
    "matrix": Layout(0, [Factor(4, 6)]),
    "lookup": Layout(0, [Factor(1, 4, True)]),
}


def random_batch(layout, n, n_tokens=3, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for factor in layout.factors:
        a = rng.normal(size=(n, n_tokens, factor.n_inputs))
        if factor.is_lookup:
            a = rng.integers(0, TABLE, size=a.shape).astype(float)
        d = rng.normal(size=(n, n_tokens, factor.n_outputs))
        d[::2, -1] = 0  # a token that does not count
        pairs.append((torch.from_numpy(a), torch.from_numpy(d)))
    vector = torch.from_numpy(rng.normal(size=(n, layout.n_vector)))
    counts = n_tokens - (np.arange(n) % 2 == 0)
    return BatchGradients(vector, pairs, [counts for _ in pairs])


def dense(layout, batch):
    """Gradients written out in full, (n, n_parameters)."""
    parts = [batch.vector.numpy()]
    for factor, (a, d) in zip(layout.factors, batch.pairs, strict=True):
        a, d = a.numpy(), d.numpy()
        if factor.is_lookup:
            a = np.eye(TABLE)[a[..., 0].astype(int)]
        parts.append(np.einsum("ntq,ntp->nqp", d, a).reshape(len(a), -1))
    return np.concatenate(parts, axis=1)


def fitted(layout, batch, **options):
    sketch = GradientSketch(layout, **{"width": 1 << 15, **options})
    sketch.fit_directions([batch])
    return sketch


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(LAYOUTS)),
    n=st.integers(1, 6),
    n_tokens=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_wide_sketch_is_the_gradient(name, n, n_tokens, seed):
    layout = LAYOUTS[name]
    batch = random_batch(layout, n, n_tokens, seed)
    # Directions that the sample does not show are kept too.
    sketch = fitted(layout, random_batch(layout, 2, seed=1 + seed))
    F, G = sketch.features(batch).numpy(), dense(layout, batch)
    if name in ("vector", "matrix"):
        assert_allclose(F @ F.T, G @ G.T, atol=1e-12)
    sketch = fitted(layout, batch)
    F = sketch.features(batch).numpy()
    assert_allclose(F @ F.T, G @ G.T, atol=1e-12)
    norms = squared_norms(layout, BatchedRows(layout, [batch]))
    assert_allclose(norms, (G**2).sum(1), atol=1e-12)


def test_directions_lead_the_moments_of_gradients():
    layout = Layout(0, [Factor(30, 20)])
    batch = random_batch(layout, 40)
    a, d = batch.pairs[0]
    batch.pairs[0] = (
        a * torch.logspace(0, -3, 30, dtype=torch.float64),
        d * torch.logspace(0, -2, 20, dtype=torch.float64),
    )
    G = dense(layout, batch).reshape(40, 20, 30)
    sketch = fitted(layout, batch, width=24)
    U, V = (part.numpy() for part in sketch.arrays)
    assert 24 <= U.shape[1] * V.shape[1] <= 48
    for found, moment in (
        (U, np.einsum("nqp,nqr->pr", G, G)),
        (V, np.einsum("nqp,nrp->qr", G, G)),
    ):
        assert_allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-12)
        values = np.linalg.eigvalsh(moment)[::-1]
        held = np.trace(found.T @ moment @ found)
        assert held <= values[: found.shape[1]].sum() * (1 + 1e-12)
        assert_allclose(held, values[: found.shape[1]].sum(), rtol=1e-3)


@pytest.mark.parametrize(
    ("n_factors", "width"), [(0, 1 << 15), (8, 1 << 15), (24, 24 << 12), (99, 1 << 17)]
)
def test_larger_networks_have_wider_sketches(n_factors, width):
    assert first_width(Layout(3, [Factor(30, 20)] * n_factors)) == width


def test_width_is_spent_where_it_helps():
    falling = [2.0**-k for k in range(50)]
    flat, small = [1.0] * 50, [1e-3] * 50
    sizes = allocate([(falling, flat), (small, small)], 200)
    assert sizes[0][1] > 10 * sizes[0][0]
    assert sizes[1] == [1, 1]
    assert 200 <= sum(r * s for r, s in sizes) <= 260
    assert allocate([(falling, flat), (small, small)], 10**6) == [[50, 50], [50, 50]]
    assert allocate([], 10) == []


@pytest.mark.parametrize("name", ["vector", "lookup"])
def test_hashing_has_no_bias(name):
    """The mean over seeds of hashed products, within five standard errors."""
    if name == "vector":
        layout = Layout(9000, [])
        vector = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 9000)) + 1)
        batch = BatchGradients(vector, [], [])
        exact = float(vector[0] @ vector[1])
    else:
        layout = Layout(0, [Factor(1, 1, True)])
        numbers = torch.arange(200).double().expand(2, 200)[..., None]
        batch = BatchGradients(
            torch.zeros(2, 0, dtype=torch.float64),
            [(numbers, torch.ones(2, 200, 1, dtype=torch.float64))],
            [],
        )
        exact = 200.0
    products = []
    for seed in range(100):
        sketch = fitted(layout, batch, width=40, seed=seed)
        F = sketch.features(batch)
        assert F.shape[1] == (4096 if name == "vector" else 40)
        products.append(float(F[0] @ F[1]))
    error = np.std(products) / 10
    assert error > 0
    assert abs(np.mean(products) - exact) < 5 * error


@pytest.mark.parametrize("n_components", [1, 4, 100])
def test_components_are_the_best_for_the_sample(n_components):
    layout = Layout(30, [])
    batch = random_batch(layout, 12)
    sketch = fitted(layout, batch)
    F = sketch.features(batch)
    projected = sketch.fit_components(F, n_components)
    assert_allclose(projected, sketch.features(batch), atol=1e-12)
    assert projected.shape[1] == min(n_components, 12)
    values = np.linalg.svd(F.numpy(), compute_uv=False) ** 2
    wrong = np.linalg.norm((F @ F.T - projected @ projected.T).numpy())
    assert_allclose(wrong, np.linalg.norm(values[n_components:]), atol=1e-10)


def test_components_of_gradients_of_zero():
    layout = Layout(3, [])
    batch = BatchGradients(torch.zeros(4, 3), [], [])
    sketch = fitted(layout, batch)
    assert sketch.fit_components(sketch.features(batch), 2).shape == (4, 0)


@pytest.mark.parametrize("with_components", [False, True])
def test_through_one_array(with_components):
    layout = LAYOUTS["all"]
    batch = random_batch(layout, 6)
    sketch = fitted(layout, batch, width=16, seed=3)
    F = sketch.features(batch)
    if with_components:
        sketch.fit_components(F, 2)
        F = sketch.features(batch)
    other = GradientSketch(layout, width=16, seed=3)
    other.from_flat(sketch.to_flat())
    assert_array_equal(other.features(batch), F)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_at_no_distance_share_their_places(seed):
    """Of 64 places, a share of 1/64 of all pairs does, with as many like signs."""
    place, sign = _hash(torch.arange(5000), 64, seed)
    assert_allclose(place.bincount(minlength=64), 5000 / 64, rtol=0.6)
    assert abs(sign.double().mean()) < 0.06
    for distance in range(1, 200):
        meets = place[distance:] == place[:-distance]
        assert meets.double().mean() < 2 / 64
        agrees = (sign[distance:] * sign[:-distance]).double()
        assert abs(agrees.mean()) < 0.1
