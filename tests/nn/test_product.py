"""Long products as a GPU takes them, on the CPU."""

import pytest
import torch

from skshap.nn import _product


@pytest.fixture
def on_gpu(monkeypatch):
    """Tensors of the CPU take the ways of those of a GPU."""

    def wide(multiply, G, H):
        assert G.dtype == H.dtype == torch.bfloat16
        return multiply(G.float(), H.float().mT)

    monkeypatch.setattr(_product, "is_on_cpu", lambda G: False)
    monkeypatch.setattr(_product, "wide", wide)
    monkeypatch.setattr(_product, "is_worth_splitting", lambda device: True)


def matrices(dtype, shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]


@pytest.mark.parametrize("n_columns", [5, 12, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("is_square", [False, True])
def test_products(is_square, dtype, n_columns, on_gpu, monkeypatch):
    monkeypatch.setattr(_product, "LONGEST_SUM", 6)
    monkeypatch.setattr(_product, "CHUNK_COLUMNS", 7)
    monkeypatch.setattr(_product, "PANEL", 3)
    G, H = matrices(dtype, [(8, n_columns), (5, n_columns)])
    H = G if is_square else H
    before = torch.ones(len(G), len(H), dtype=torch.float64)
    K = before.clone()
    _product.add_product(K, G, None if is_square else H)
    wrong = K - before - G.double() @ H.double().T
    wrong = torch.tril(wrong) if is_square else wrong
    scale = G.double().norm(dim=1)[:, None] * H.double().norm(dim=1)
    tolerance = 2e-5 if dtype == torch.float32 else 1e-14
    assert (wrong.abs() <= tolerance * scale).all()
    if dtype == torch.float32:
        # Of both parts: bfloat16 alone has an error a hundred times as large.
        alone = G.bfloat16().double() @ H.bfloat16().double().T
        alone = alone - G.double() @ H.double().T
        assert wrong.norm() < alone.norm() / 50


def test_parts_hold_16_bits():
    (G,) = matrices(torch.float32, [(100, 100)])
    high, low = _product.split(G)
    assert high.dtype == low.dtype == torch.bfloat16
    lost = (G.double() - high.double() - low.double()).abs()
    assert (lost <= 2.0**-17 * G.abs()).all()
    assert (lost > 2.0**-20 * G.abs()).any()
