"""Tiles whose gradients stay on a GPU, on the CPU: the kernel is that of the CPU."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skshap.kernels import _explicit, _gpu_gram
from skshap.kernels._gradients import RowGradients, distinct
from skshap.nn._capture import GradientCapture
from tests.conftest import WORDS
from tests.oracles import encoder_kernel

N = 20


def texts(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 20))) for _ in range(n)]


@pytest.fixture
def on_gpu(monkeypatch):
    """Has gradients stay where they are computed; returns a function for its memory."""
    monkeypatch.setattr(RowGradients, "is_on_gpu", True)

    def have(n_bytes):
        monkeypatch.setattr(_gpu_gram, "free_bytes", lambda device: n_bytes)

    have(1 << 40)
    return have


@pytest.fixture
def captured(monkeypatch):
    """How many rows each captured batch had, but for those that rules are tried on."""
    counts, capture = [], GradientCapture._capture

    def counting(self, batch, lengths):
        found = capture(self, batch, lengths)
        counts.append(len(found.vector))
        return found

    monkeypatch.setattr(GradientCapture, "_capture", counting)
    return counts


@pytest.mark.parametrize("n_bytes", [1, 600_000, 1 << 40])
@pytest.mark.parametrize("n_frozen_layers", [0, 2])
def test_kernel(n_frozen_layers, n_bytes, make, bert, tiny_tokenizer, on_gpu):
    on_gpu(n_bytes)
    rows, others = texts(), [*texts(5, seed=1), *texts()[:3], texts()[0]]
    kernel = make(normalize=False, n_frozen_layers=n_frozen_layers, batch_size=4)
    expected = encoder_kernel(
        bert,
        tiny_tokenizer,
        [*rows, *others],
        seed=0,
        n_frozen_layers=n_frozen_layers,
    )
    atol = 1e-12 * np.abs(expected).max()
    K = kernel.fit_transform(rows)
    assert_allclose(K, expected[:N, :N], rtol=0, atol=atol)
    assert_array_equal(K, K.T)
    assert_allclose(kernel.transform(others), expected[N:, :N], rtol=0, atol=atol)
    assert_allclose(kernel.diag(others), expected.diagonal()[N:], rtol=0, atol=atol)


def test_gradients_and_norms_are_computed_once(make, on_gpu, captured, monkeypatch):
    kernel = make(method="exact", batch_size=4).fit(texts())
    captured.clear()
    kernel.fit_transform(texts())
    assert sum(captured) in (N, N + 1)  # one shows how many tokens factors have
    kernel = make(method="exact", batch_size=4).fit(texts())
    monkeypatch.setattr(_gpu_gram, "squared_norms", None)
    kernel.transform(texts()[::-1])


def test_blocks_fit_into_memory(make, on_gpu):
    kernel = make(method="exact", batch_size=4).fit(texts())
    gradients = kernel._gradients
    side = distinct(texts())[0]
    sizes = [
        _gpu_gram._n_bytes(gradients, side.rows, *batch[:2])
        for batch in gradients.batches(side.rows)
    ]
    assert max(sizes) > 1.2 * min(sizes)  # texts are of different lengths
    held = [b for _, b in gradients.captured(side.rows)]
    real = [
        sum(a.nbytes + d.nbytes for a, d in b.pairs) + b.vector.nbytes for b in held
    ]
    assert_allclose(sizes, real, rtol=1e-12)
    on_gpu(2.5 * max(sizes) / _gpu_gram.SIDE_SHARE)
    blocks = _gpu_gram._cut(gradients, side)
    assert len(blocks) > 1
    assert sorted(np.concatenate([block.places for block in blocks])) == list(range(N))
    for block in blocks:
        some = [side.rows[k] for k in block.places]
        n_bytes = sum(
            _gpu_gram._n_bytes(gradients, some, *batch[:2])
            for batch in gradients.batches(some)
        )
        assert n_bytes <= 2.5 * max(sizes)


@pytest.mark.parametrize("devices", [1, 3])
def test_several(devices, make, on_gpu, monkeypatch):
    """Each GPU gets tiles, however much memory there is."""
    expected = make(method="exact").fit_transform(texts())
    kernel = make(method="exact", batch_size=2)
    names = [torch.device("cpu")] * devices
    monkeypatch.setattr("skshap.kernels._network.find_devices", lambda d: names)
    tiles, gram = [], _gpu_gram.gram

    def counting(*args, **options):
        tiles.append(args)
        return gram(*args, **options)

    monkeypatch.setattr(_gpu_gram, "gram", counting)
    assert_allclose(kernel.fit_transform(texts()), expected, rtol=1e-12)
    n_blocks = sum(len(args) == 2 for args in tiles)  # with themselves
    assert n_blocks == 1 if devices == 1 else n_blocks >= 2 * devices
    assert len(tiles) == n_blocks * (n_blocks + 1) / 2


def test_tiles_are_stored(make, on_gpu, tmp_path, captured):
    """A run that was broken off goes on with the tiles that are there."""
    options = {"method": "exact", "batch_size": 2, "memory": tmp_path}
    expected = make(**options | {"memory": None}).fit_transform(texts())
    on_gpu(400_000)
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    tiles = sorted(tmp_path.rglob("gram/*.npz"))
    assert len(tiles) > 3
    assert not list(tmp_path.rglob("rows/*/*.npz"))
    captured.clear()
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    assert not captured
    tiles[0].unlink()
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    assert 0 < sum(captured) < N


def test_cost(make, on_gpu, tmp_path):
    """A prediction takes few rows and leaves nothing behind."""
    costs = [make(memory=None).estimate_cost(texts(n)) for n in (20, 200)]
    assert 0 < costs[0].seconds < costs[1].seconds < 100
    assert 8 * 200**2 < costs[1].memory - costs[0].memory + 17 * 20**2 + 1
    assert costs[0].disk == 0
    stored = make(memory=tmp_path).estimate_cost(texts())
    assert 8 * N**2 <= stored.disk < 20_000 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit, method", [(1, "sketch"), (1e15, "exact")])
def test_method(limit, method, make, on_gpu, monkeypatch):
    """What gradients would take counts nothing: they are not held."""
    monkeypatch.setattr(_explicit, "GPU_OPERATIONS", limit)
    monkeypatch.setattr(_explicit, "EXACT_BYTES", 0)
    monkeypatch.setattr(_explicit, "EXACT_OPERATIONS", 0)
    assert make().fit(texts()).method_ == method
