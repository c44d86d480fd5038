"""Random networks and tables, and their kernels by autograd alone."""

import copy

import numpy as np
import torch
from numpy.testing import assert_allclose
from torch import nn

from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram
from tests.oracles import tangent_kernel


def kernel(network, X, batch_size=None, lengths=None):
    """Gram matrix of a network's gradients, captured in batches."""
    X = torch.as_tensor(X, dtype=torch.float64)
    capture = GradientCapture(network)
    layout = capture.layout(X[:1])
    size = batch_size or len(X)
    rows = [r for batch in X.split(size) for r in capture.rows(batch, lengths)]
    return gram(layout, rows)


def naive(network, X):
    network = copy.deepcopy(network)
    return tangent_kernel(
        lambda x: network(x[None])[0, 0],
        [p for p in network.parameters() if p.requires_grad],
        torch.as_tensor(X, dtype=torch.float64),
    )


def check(network, X, **kwargs):
    expected = naive(network, X)
    K = kernel(network, X, **kwargs)
    assert_allclose(K, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def randomize(network, seed=0):
    """Double precision, and no parameter at the value it has by default."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype) / 2)
    return network


def table(n, *shape, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *shape))


class Experts(nn.Module):
    """Sends each row to one of two layers."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(2, 3), nn.Linear(2, 3)
        self.norm, self.head = nn.LayerNorm(3), nn.Linear(3, 1)

    def forward(self, x):
        out = x.new_zeros(len(x), 3)
        for layer, rows in ((self.one, x[:, 0] > 0), (self.other, x[:, 0] <= 0)):
            if rows.any():
                told = self.norm(torch.tanh(layer(x[rows])))
                out = out.index_add(0, rows.nonzero()[:, 0], told)
        return self.head(out)
