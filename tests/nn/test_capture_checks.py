"""What is checked of a network before its gradients are believed."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram
from tests.nn.networks import naive, randomize, table


def captured(network, X):
    """Capture the kernel of rows that come in one batch."""
    capture, X = GradientCapture(network), torch.as_tensor(X)
    layout = capture.layout(X)
    return gram(layout, capture.rows(X, None)), capture


class ChannelsNorm(nn.Module):
    """A norm over channels that come first, by its name taken for one over the last."""

    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.ones(c)),
            nn.Parameter(torch.ones(c)),
        )

    def forward(self, x):
        spread = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-6).sqrt()
        return self.weight[:, None] * spread + self.bias[:, None]


@pytest.mark.parametrize("seed", [12, 86, 91])
def test_rule_of_the_right_size_in_the_wrong_direction(seed):
    # With these seeds the norm of the wrong gradient is within a hundredth.
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.head = ChannelsNorm(4), nn.Linear(4, 1)
            self.head.requires_grad_(False)

        def forward(self, x):
            x = self.norm(x.reshape(len(x), 4, 4))
            return self.head(torch.tanh(x).square().mean(2))

    network, X = randomize(Net(), seed), table(5, 16, seed=seed)
    K, capture = captured(network, X)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-8, atol=1e-10)
    assert capture._plan.general == {"norm.weight", "norm.bias"}


def test_first_row_shows_nothing():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x):
            return self.head(torch.tanh(self.inner(x)) + x @ self.inner.weight)

    network, X = randomize(Net()), table(4, 3)
    X[0] = 0
    K, capture = captured(network, X)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-10)
    assert capture._plan.general == {"inner.weight"}


class Sequences(nn.Module):
    """A layer that reads (n, 3, 4), and a head on the mean over what it writes."""

    def __init__(self, layer, width=4):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 1)

    def forward(self, x):
        x = self.layer(x.reshape(len(x), 3, 4))
        x = x[0] if isinstance(x, tuple) else x
        return self.head(torch.tanh(x).mean(1))


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


MIXING = {
    "attention": lambda: nn.TransformerEncoderLayer(4, 2, 4, dropout=0.0),
    "recurrent": lambda: nn.GRU(4, 4),
    "norm without weights": lambda: nn.BatchNorm1d(
        3, affine=False, track_running_stats=False
    ),
    "frozen norm": lambda: nn.BatchNorm1d(3, track_running_stats=False).requires_grad_(
        False
    ),
    "mean": Centred,
}


@pytest.mark.parametrize("name", MIXING)
def test_rows_that_depend_on_their_batch(name):
    network, X = randomize(Sequences(MIXING[name]())), table(5, 12)
    with pytest.raises(ValueError, match="depends on the other rows of its batch"):
        captured(network, X)
    # One at a time there is nothing to mix with.
    capture = GradientCapture(network)
    for row in torch.as_tensor(X):
        capture.rows(row[None], None)


@pytest.mark.parametrize(
    "layer",
    [
        nn.TransformerEncoderLayer(4, 2, 4, dropout=0.0, batch_first=True),
        nn.GRU(4, 4, batch_first=True),
        nn.BatchNorm1d(3),
    ],
    ids=["attention", "recurrent", "norm"],
)
def test_rows_that_go_alone_as_in_a_batch(layer):
    network, X = randomize(Sequences(layer)), table(5, 12)
    np.testing.assert_allclose(captured(network, X)[0], naive(network, X), rtol=1e-8)


def test_threads_share_a_network():
    network = randomize(nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)))
    X = table(32, 6)
    expected, capture = captured(network, X)
    wrong, start = [], threading.Barrier(8)

    def work(n):
        start.wait()
        for _ in range(40):
            rows = capture.rows(torch.as_tensor(X[:n]), None)
            found = gram(capture.layout(), rows)
            if not np.allclose(found, expected[:n, :n]):
                wrong.append(n)

    def guarded(n):
        try:
            work(n)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(25, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_inference_mode():
    network = randomize(nn.Linear(3, 1))
    with torch.inference_mode(), pytest.raises(RuntimeError, match="inference_mode"):
        captured(network, table(3, 3))
