"""Rows that change places inside of a network."""

import copy
import warnings
from types import MethodType

import numpy as np
import pytest
import torch
from torch import nn

from skshap.exceptions import SmallerBatchWarning
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram
from skshap.nn._places import draw_places, has_moved, may_move_rows
from tests.nn.networks import naive, randomize, table


class Sorting(nn.Module):
    """Reads rows in the order of a column, as those who pack sequences do."""

    def __init__(self, descending=False):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 2)
        self.descending = descending

    def forward(self, x):
        order = x[:, 0].argsort(descending=self.descending)
        return self.head(torch.tanh(self.inner(x[order])))[order.argsort()]


def captured(network, X, size):
    """Gram matrix of gradients captured in batches."""
    capture, X = GradientCapture(network), torch.as_tensor(X)
    batches = X.split(size)
    layout = capture.layout(batches[0], batches[-1])
    return gram(layout, [row for batch in batches for row in capture.rows(batch, None)])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("key", ["in order", "in reverse", "ties", "groups", "any"])
@pytest.mark.parametrize("size", [3, 16, 32])
def test_models_that_sort_rows(descending, key, size):
    """Whatever order rows come in, and though equal ones change places as well."""
    network, X = randomize(Sorting(descending)), table(64, 4)
    n = np.arange(64)
    X[:, 0] = {
        "in order": n,
        "in reverse": -n,
        "ties": 0 * n,
        "groups": n // 22,
        "any": X[:, 0],
    }[key]
    expected = naive(network, X)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallerBatchWarning)
            K = captured(network, X, size)
    except ValueError as error:
        assert key != "any" and "change places inside of model" in str(error)
    else:
        np.testing.assert_allclose(K, expected, atol=1e-12 * expected.max())


@pytest.mark.parametrize("place", range(32))
@pytest.mark.parametrize("descending", [False, True])
def test_one_row_that_is_sorted_elsewhere(place, descending):
    """A single one may be shorter than all others, or longer."""

    class Stable(Sorting):
        def forward(self, x):
            key = x[:, 0].sort(descending=self.descending, stable=True).indices
            return self.head(torch.tanh(self.inner(x[key])))[key.argsort()]

    network, X = randomize(Stable(descending)), table(32, 4)
    X[:, 0] = 5
    X[place, 0] = 1
    expected = naive(network, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallerBatchWarning)
        K = captured(network, X, 32)
    np.testing.assert_allclose(K, expected, atol=1e-12 * expected.max())


def test_new_rows_in_another_order():
    """Those of `fit` were in the order that the model sorts them to."""
    network, X = randomize(Sorting()), torch.as_tensor(table(48, 4))
    X[:, 0] = torch.arange(48) // 16
    capture = GradientCapture(network)
    for batch in X.split(16):
        capture.rows(batch, None)
    with pytest.raises(ValueError, match=r"change places .* set batch_size=1"):
        for batch in X[torch.randperm(48)].split(16):
            capture.rows(batch, None)
    np.testing.assert_allclose(captured(network, X, 1), naive(network, X), rtol=1e-9)


def patched(network):
    def forward(network, x):
        order = x[:, 0].argsort(stable=True)
        return nn.Sequential.forward(network, x[order])[order.argsort()]

    network.forward = MethodType(forward, network)


def hooked(network):
    orders = []

    def before(network, read):
        orders.append(read[0][:, 0].argsort(stable=True))
        return (read[0][orders[-1]],)

    network.register_forward_pre_hook(before)
    network.register_forward_hook(lambda network, read, out: out[orders[-1].argsort()])


@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_forward_pre_hook"]
)
def test_hooks_may_move_rows(register):
    network = nn.Sequential(nn.Linear(2, 2))
    assert not may_move_rows(network)
    getattr(network[0], register)(lambda *args: None)
    assert may_move_rows(network)


@pytest.mark.parametrize("sort", [patched, hooked])
def test_layers_of_torch_that_are_made_to_sort_rows(sort):
    network = randomize(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)))
    sort(network)
    X = table(32, 4)
    X[:, 0] = np.arange(32) == 20  # those that are tried together are in order
    with pytest.warns(SmallerBatchWarning, match="each goes alone"):
        K = captured(network, X, 32)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-9)


def test_networks_of_known_layers_are_not_asked_again():
    assert not may_move_rows(nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2)))
    assert may_move_rows(nn.Sequential(nn.Linear(2, 2), Sorting()))
    assert may_move_rows(torch.fx.symbolic_trace(Sorting()))
    nn.utils.parametrizations.weight_norm(Sorting().inner)
    assert may_move_rows(nn.utils.parametrizations.orthogonal(nn.Linear(2, 2)))


class Asking(nn.Module):
    """Reads the same for all rows, and then what they say to it."""

    def __init__(self, width=36):
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, 5, width, dtype=torch.float64))
        shape = {"dropout": 0.0, "batch_first": True, "dtype": torch.float64}
        self.decoder = nn.TransformerDecoderLayer(width, 4, 64, **shape)
        self.inner = nn.Linear(8, width, dtype=torch.float64)
        self.head = nn.Linear(width, 2, dtype=torch.float64)

    def forward(self, x):
        asked = self.queries.expand(len(x), -1, -1)
        found = self.decoder(asked, self.inner(x.unflatten(1, (10, 8))))
        return self.head(found.mean(1))


@pytest.mark.parametrize("seed", range(6))
def test_rounding_of_what_is_the_same_for_all_rows(seed):
    torch.manual_seed(seed)
    capture, X = GradientCapture(Asking().eval()), torch.randn(70, 80).double()
    capture.layout(X[:1])
    for batch in X.split(32):
        capture.rows(batch, None)
    assert capture._most > 32


@pytest.mark.parametrize("n, n_drawn", [(2, 4), (9, 4), (32, 8)])
def test_places_are_all_different_and_the_same_again(n, n_drawn):
    places = draw_places(n, n_drawn)
    assert len(set(places)) == min(n, n_drawn) and set(places) <= set(range(n))
    assert places == sorted(places, reverse=True)
    assert places[0] == n - 1 and places[-1] == 0
    torch.manual_seed(5)
    assert draw_places(n, n_drawn) == places


KINDS = [torch.float64, torch.float32, torch.bfloat16, torch.int64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5,), (6, 5), (2, 3, 5)])
@pytest.mark.parametrize("is_flat", [False, True])
def test_what_is_read_of_other_rows(kind, shape, is_flat):
    """By rows, or the tokens of all rows behind each other."""
    rng = np.random.default_rng(0)
    rows = torch.as_tensor(100 * rng.normal(size=(9, *shape)) + 1000).to(kind)
    places = [7, 4, 2, 0]
    some = rows[places]
    if kind.is_floating_point:  # of rounding
        noise = torch.as_tensor(rng.uniform(-1, 1, some.shape)).to(kind)
        some = some * (1 + torch.finfo(kind).eps * noise)
    moved = torch.as_tensor(rng.permutation(9))
    assert (moved[places] != torch.tensor(places)).any()
    for read, is_moved in ((rows, False), (rows[moved], True)):
        one, other = read, copy.copy(some)
        if is_flat and len(shape) > 1:
            one, other = (part.flatten(0, 1) for part in (one, other))
        assert has_moved(one, other, 9, places) == is_moved
    # Where some are no longer than others, what is cut says nothing.
    if len(shape) > 1:
        assert not has_moved(rows, some[:, :2], 9, places)
        assert has_moved(rows[moved], some[:, :2], 9, places)


def test_copies_have_not_moved():
    rows = torch.ones(6, 3).double()
    rows[3:] += 1
    assert not has_moved(rows, rows[[2, 0]] * (1 + 1e-15), 6, [1, 0])
    assert has_moved(rows, rows[[4, 5]], 6, [1, 0])
    assert not has_moved(rows[:5], rows[:3], 6, [1, 0])  # not as much of each
    rows[0] = torch.nan
    assert not has_moved(rows, rows[[2, 0]], 6, [2, 0])
