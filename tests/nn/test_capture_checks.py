"""What is checked of a network before its gradients are believed."""

import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from skshap.exceptions import SmallerBatchWarning
from skshap.nn import _autograd, _passes
from skshap.nn._capture import GradientCapture
from skshap.nn._capture_checks import check_padding_unread
from skshap.nn._gram import gram
from skshap.nn._models import copy_network
from tests.nn.networks import Experts, check, kernel, naive, randomize, table


def captured(network, X):
    """Capture the kernel of rows that come in one batch."""
    capture, X = GradientCapture(network), torch.as_tensor(X)
    layout = capture.layout(X)
    return gram(layout, capture.rows(X, None)), capture


def assert_close(K, expected):
    np.testing.assert_allclose(K, expected, atol=1e-12 * np.abs(expected).max())


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


@pytest.mark.parametrize("leak, bias", [(0.005, 0.0), (1.0, 0.0), (1.0, 300.0)])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_bias_does_not_hide_that_rows_depend_on_their_batch(leak, bias, kind):
    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            hidden = torch.tanh(self.inner(x))
            return self.head(hidden + leak * hidden.mean(0))

    network = randomize(Leaky()).to(kind)
    torch.nn.init.constant_(network.head.bias, bias)
    X = torch.as_tensor(table(40, 4)).to(kind)
    with pytest.raises(ValueError, match="depends on the other rows of its batch"):
        captured(network, X)


@pytest.mark.parametrize("bias", [0.0, 2e5])
def test_a_bias_does_not_hide_chance(bias):
    class Dropping(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(4, 16), nn.Linear(16, 1)

        def forward(self, x):
            hidden = torch.tanh(self.inner(x))
            return self.head(nn.functional.dropout(hidden, 0.5, training=True))

    network = randomize(Dropping()).float()
    torch.nn.init.constant_(network.head.bias, bias)
    with pytest.raises(ValueError, match="depends on chance"):
        captured(network, torch.as_tensor(table(40, 4)).float())


@pytest.mark.parametrize("name", MIXING)
def test_rows_that_depend_on_their_batch(name):
    network, X = randomize(Sequences(MIXING[name]())), table(5, 12)
    with pytest.raises(ValueError, match="depends on the other rows of its batch"):
        captured(network, X)
    # One at a time there is nothing to mix with.
    capture = GradientCapture(network)
    for row in torch.as_tensor(X):
        capture.rows(row[None], None)


class Counting(nn.Module):
    """Adds more to each row that it reads than to the one before."""

    def forward(self, x):
        self.n_read = getattr(self, "n_read", 0) + 1
        return x + self.n_read


@pytest.mark.parametrize("n", [1, 3])
def test_rows_that_depend_on_chance(n):
    class Dropping(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, training=True)

    for layer in (Dropping(), Counting()):
        network = randomize(nn.Sequential(nn.Linear(4, 40), layer, nn.Linear(40, 1)))
        with pytest.raises(ValueError, match="depends on chance, or on what it read"):
            captured(network.eval(), table(n, 4))


def test_rounding_is_not_taken_for_chance():
    class Rounding(nn.Module):
        def forward(self, x):
            self.n_read = getattr(self, "n_read", 0) + 1
            return x * (1 + 1e-6 * (self.n_read % 2))

    network = nn.Sequential(nn.Linear(4, 40), Rounding(), nn.Linear(40, 1))
    captured(randomize(network).eval(), table(3, 4))


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


class Across(nn.Module):
    """Puts the rows of a batch beside each other: a sequence of one step for each."""

    def __init__(self, read):
        super().__init__()
        self.inner, self.head, self.read = nn.Linear(5, 4), nn.Linear(4, 2), read

    def forward(self, x):
        return self.read(self.head(torch.tanh(self.inner(x[None]))))


class Encoder(nn.Module):
    """Reads (n_steps, n, width), as layers of torch do by default."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 4, dropout=0.0)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.layer(x[None])[0])


class Prompted(nn.Module):
    """Copies one row of positions for all examples."""

    def __init__(self, copy):
        super().__init__()
        self.table, self.head, self.copy = nn.Embedding(4, 4), nn.Linear(4, 1), copy

    def forward(self, x):
        positions = self.copy(self.table(torch.arange(3)[None]), len(x))
        return self.head(torch.tanh(x.reshape(-1, 3, 4) + positions).mean(1))


class Parts(nn.Module):
    """Has its layer read parts of width 4 of all rows, put together in some way."""

    def __init__(self, layer, together, apart=None):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(4, 1)
        self.together, self.apart = together, apart

    def forward(self, x):
        x = x.reshape(len(x), -1, 4)
        told = torch.tanh(self.layer(self.together(x)))
        told = told.reshape(x.shape) if self.apart is None else self.apart(told)
        return self.head((told * x).sum(1))


class Moved(nn.Module):
    """Takes rows in another order on the way, as those who sort by length do."""

    def __init__(self, order):
        super().__init__()
        self.inner, self.head, self.order = nn.Linear(4, 4), nn.Linear(4, 2), order

    def forward(self, x):
        order = self.order(x)
        return self.head(torch.tanh(self.inner(x[order]))[order.argsort()])


def swapped(x):
    return x.transpose(0, 1)


PLACES = {
    "first of one": (lambda: Across(lambda x: x[0]), 5),
    "last of one": (lambda: Across(lambda x: x[-1]), 5),
    "squeezed": (lambda: Across(lambda x: x.squeeze(0)), 5),
    "summed": (lambda: Across(lambda x: x.sum(0)), 5),
    "encoder": (Encoder, 4),
    "repeated": (lambda: Prompted(lambda table, n: table.repeat(n, 1, 1)), 12),
    "picked": (lambda: Prompted(lambda table, n: table[0]), 12),
    "steps first": (
        lambda: Parts(nn.Linear(4, 4), swapped, swapped),
        12,
    ),
    "sorted": (lambda: Moved(lambda x: x[:, 0].argsort(descending=True)), 4),
    "flipped": (lambda: Moved(lambda x: torch.arange(len(x)).flip(0)), 4),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("n", [2, 7, 20])
def test_rows_that_change_places_go_alone(name, n):
    make, width = PLACES[name]
    network, X = randomize(make()), table(n, width)
    X[:, 0] = np.sort(X[:, 0])  # so that sorting moves the first and the last
    with pytest.warns(SmallerBatchWarning, match="each goes alone.*set batch_size=1"):
        K, _ = captured(network, X)
    assert_close(K, naive(network, X))


@pytest.mark.parametrize(
    "copy",
    [
        lambda table, n: table,
        lambda table, n: table.expand(n, -1, -1),
        lambda table, n: table + torch.zeros(n, 1, 1),
    ],
)
def test_rows_that_share_what_one_row_says_go_together(copy, recwarn):
    network, X = randomize(Prompted(copy)), table(7, 12)
    K, _ = captured(network, X)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-10)
    assert not recwarn


STACKED = {
    "linear": lambda: nn.Linear(4, 4),
    "norm": lambda: nn.LayerNorm(4),
    "norm over rows seen before": lambda: nn.BatchNorm1d(4),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 1, 3, padding=1), nn.Flatten()
    ),
    "several": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 4)),
}


@pytest.mark.parametrize("name", STACKED)
def test_tokens_of_all_rows_behind_each_other_go_together(name, recwarn):
    network = randomize(Parts(STACKED[name](), lambda x: x.flatten(0, 1)))
    X = table(11, 3, 4)
    K, capture = captured(network, X)
    assert_close(K, naive(network, X))
    assert not recwarn
    assert not capture._plan.general


def test_numbers_of_tokens_behind_each_other():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(5, 4, padding_idx=0), nn.Linear(4, 1)

        def forward(self, x):
            told = self.table(x.flatten().round().long())
            return self.head(torch.tanh(told).view(*x.shape, 4).sum(1))

    network = randomize(Net())
    X = np.random.default_rng(0).integers(0, 5, size=(11, 3)).astype(float)
    K, capture = captured(network, X)
    assert_close(K, naive(network, X))
    assert not capture._plan.general


@pytest.mark.parametrize("together", ["columns", "halves"])
def test_other_parts_of_all_rows_go_alone(together):
    # Steps outside and rows inside, or parts that are not the tokens of a row.
    if together == "columns":
        network = Parts(
            nn.Linear(4, 4),
            lambda x: swapped(x).flatten(0, 1),
            lambda told: swapped(told.reshape(3, -1, 4)),
        )
    else:
        network = Parts(nn.Linear(2, 2), lambda x: x.reshape(-1, 2))
    network, X = randomize(network), table(11, 3, 4)
    with pytest.warns(SmallerBatchWarning, match="each goes alone"):
        K, capture = captured(network, X)
    assert_close(K, naive(network, X))
    assert not capture._plan.general


class TokenExperts(nn.Module):
    """Sends each token to one of two layers; `where` holds of those for the first.

    `calls_all` is whether a layer is called even if no token is sent to it.
    """

    def __init__(self, where, *, calls_all=False):
        super().__init__()
        self.calls_all = calls_all
        self.one, self.other = nn.Linear(2, 3), nn.Linear(2, 3)
        self.head, self.where = nn.Linear(3, 1), where

    def forward(self, x):
        tokens, is_first = x.flatten(0, 1), self.where(x).flatten()
        told = x.new_zeros(len(tokens), 3)
        for layer, there in ((self.one, is_first), (self.other, ~is_first)):
            at = there.nonzero()[:, 0]
            if len(at) or self.calls_all:
                told = told.index_add(0, at, torch.tanh(layer(tokens[at])))
        return self.head(told.reshape(*x.shape[:2], 3).sum(1))


@pytest.mark.parametrize("calls_all", [False, True])
def test_experts_that_read_several_tokens_of_a_row(calls_all, recwarn):
    network = TokenExperts(lambda x: x[..., 0] > 0, calls_all=calls_all)
    network, X = randomize(network), table(9, 5, 2)
    X[3], X[4] = np.abs(X[3]), -np.abs(X[4])
    capture, rows = GradientCapture(network), torch.as_tensor(X)
    layout = capture.layout(rows[:3])
    found = [capture.rows(row[None], None)[0] for row in rows]
    assert_close(gram(layout, found), naive(network, X))
    assert not recwarn
    with pytest.warns(SmallerBatchWarning, match="each goes alone"):
        assert_close(captured(network, X)[0], naive(network, X))


@pytest.mark.parametrize("n_last", [(2, 4), (5, 5), (1, 2)])
def test_experts_that_read_alike_in_the_first_batch_only(n_last):
    """Of a later batch, an expert may read as many tokens in all, or each twice."""
    X = np.abs(table(4, 5, 2))
    for row, n in zip(X, (3, 3, *n_last), strict=True):
        row[:n, 0] *= -1
    network = randomize(TokenExperts(lambda x: x[..., 0] < 0))
    capture, batches = GradientCapture(network), torch.as_tensor(X).split(2)
    layout = capture.layout(batches[0])
    with pytest.warns(SmallerBatchWarning):
        rows = [row for batch in batches for row in capture.rows(batch, None)]
    assert_close(gram(layout, rows), naive(network, X))


class Unpadded(nn.Module):
    """Puts the tokens of all rows beside each other, but only if some are padding."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(2, 4), nn.Linear(4, 1)

    def forward(self, x):
        x = x.view(len(x), 3, 2)
        is_token = (x != 0).any(-1)
        if is_token.all():
            return self.head(torch.tanh(self.inner(x)).sum(1))
        told = torch.tanh(self.inner(x[is_token][None])[0])
        h = x.new_zeros(len(x), 3, 4).masked_scatter(is_token[..., None], told)
        return self.head(h.sum(1))


def test_later_batches_that_are_put_together_in_another_way():
    network, X = randomize(Unpadded()), table(16, 6)
    X[[9, 13], 4:] = 0
    X[11, 2:] = 0
    capture, batches = GradientCapture(network), torch.as_tensor(X).split(8)
    layout, rows = capture.layout(batches[0]), capture.rows(batches[0], None)
    with pytest.warns(SmallerBatchWarning, match="each goes alone"):
        rows += capture.rows(batches[1], None)
    np.testing.assert_allclose(gram(layout, rows), naive(network, X), rtol=1e-10)


@pytest.mark.parametrize("frozen", [(), ("norm", "head")])
def test_layers_that_some_rows_do_not_reach(frozen):
    network, X = randomize(Experts()), table(6, 2)
    for name in frozen:
        getattr(network, name).requires_grad_(False)
    X[:, 0] = [1, 2, 3, -1, -2, 1]
    capture, rows = GradientCapture(network), torch.as_tensor(X)
    layout = capture.layout(rows[:3])
    found = [capture.rows(row[None], None)[0] for row in rows]
    np.testing.assert_allclose(gram(layout, found), naive(network, X), atol=1e-10)
    with pytest.warns(SmallerBatchWarning):
        captured(network, X)


class SometimesOutside(nn.Module):
    """Uses a weight outside of its layer for rows that begin with a large number."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x):
        outside = (x[:, :1] > 5) * self.inner.weight.sum()
        return self.head(torch.tanh(self.inner(x))) + outside


def test_a_rule_that_fails_for_some_rows_only():
    network, X = randomize(SometimesOutside()), table(7, 4)
    X[3, 0] = 9
    with pytest.raises(ValueError, match=r"'inner.weight' outside .* for some rows"):
        captured(network, X)
    network.inner.weight.requires_grad_(False)
    np.testing.assert_allclose(captured(network, X)[0], naive(network, X), rtol=1e-10)


def test_more_rows_than_were_tried_are_tried_again():
    network, X = randomize(SometimesOutside()), torch.from_numpy(table(7, 4))
    X[3, 0] = 9
    capture = GradientCapture(network)
    capture.gradients(X[:3], None)
    with pytest.raises(ValueError, match=r"'inner.weight' outside .* for some rows"):
        capture.gradients(X, None)


def test_a_single_row_that_uses_a_weight_elsewhere():
    """In any batch, however many rows were tried before it."""
    network, X = randomize(SometimesOutside()), torch.from_numpy(table(64, 4))
    network.inner.bias.requires_grad_(False)
    capture = GradientCapture(network)
    capture.gradients(X, None)
    X[[37, 38]] = X[[38, 37]]
    capture.gradients(X, None)
    X[37, 0] = 9
    with pytest.raises(ValueError, match=r"'inner.weight' outside .* for some rows"):
        capture.gradients(X, None)
    flags = [parameter.requires_grad for parameter in network.parameters()]
    assert flags == [True, False, True, True]
    assert not network.inner._forward_hooks
    assert not network.inner._forward_pre_hooks


def test_a_weight_that_hardly_counts_elsewhere():
    """By less than rules in single precision are compared to."""

    class Hardly(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            outside = 1e-3 * nn.functional.linear(x, self.head.weight)
            return self.head(torch.tanh(self.inner(x))) + outside

    network, X = randomize(Hardly()), table(20, 4)
    expected = naive(network, X)
    K, capture = captured(network.float(), np.float32(X))
    np.testing.assert_allclose(K, expected, rtol=1e-5, atol=1e-6 * expected.max())
    assert "head.weight" in capture.outline()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_outputs_in_half_precision(dtype):
    class Half(nn.Sequential):
        def forward(self, x):
            return super().forward(x).to(dtype)

    layers = nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)
    network, X = randomize(Half(*layers)), table(6, 4)
    expected = naive(nn.Sequential(*layers), X)
    K, _ = captured(network, X)
    np.testing.assert_allclose(K, expected, atol=1e-12 * np.abs(expected).max())


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


class Wrapped(nn.Module):
    """Two layers, called in a way of the test's own."""

    def __init__(self, call):
        super().__init__()
        self.first, self.last, self.call = nn.Linear(3, 4), nn.Linear(4, 2), call

    def forward(self, x):
        return self.call(self, x)

    def plain(self, x):
        return self.last(self.first(x).tanh())


def disabled(network, x):
    torch.set_grad_enabled(False)
    return network.plain(x)


@pytest.mark.parametrize(
    "call",
    [
        torch.no_grad()(Wrapped.plain),
        lambda network, x: network.plain(x).detach(),
        disabled,
    ],
)
@pytest.mark.parametrize("outputs", ["first", "mean"])
def test_outputs_without_gradients(call, outputs):
    network = randomize(Wrapped(call))
    with pytest.raises(ValueError, match="no gradients with respect to any of its par"):
        GradientCapture(network, outputs).layout(torch.as_tensor(table(3, 3)))
    assert torch.is_grad_enabled() and all(
        p.requires_grad for p in network.parameters()
    )


def hooked():
    network, own = nn.Sequential(nn.Linear(3, 2)), nn.Linear(2, 2)
    network[0].register_forward_hook(lambda layer, read, out: own(out))
    return network


def patched():
    network = nn.Sequential(nn.Linear(3, 2))
    network.forward = lambda x: network[0](x)
    return network


def compiled():
    network = Wrapped(lambda network, x: network.part(x))
    network.part = torch.compile(network.plain, backend="eager")
    return network


def listed():
    network = Wrapped(lambda network, x: network.plain(network.others[0](x)))
    network.others = [nn.Linear(3, 3)]
    return network


@pytest.mark.filterwarnings("ignore")  # of torch.compile
@pytest.mark.parametrize("make", [hooked, patched, compiled, listed])
@pytest.mark.parametrize("outputs", ["first", "mean"])
def test_parameters_of_another_network(make, outputs):
    """As of the one that was copied: they would not count."""
    network = copy_network(make())
    with pytest.raises(ValueError, match=r"of shape \(\d.* none of model.parameters"):
        GradientCapture(network, outputs).layout(torch.ones(3, 3))


def test_parameters_of_another_network_that_few_rows_reach():
    def call(network, x):
        own = network.plain(x)
        far = x[:, 0] > 3
        return torch.where(far[:, None], network.others[0](x), own) if any(far) else own

    network, X = Wrapped(call), torch.as_tensor(table(30, 3)).clamp(max=2)
    network.others, X[20, 0] = [nn.Linear(3, 2).double()], 4.0
    capture = GradientCapture(randomize(network))
    capture.layout(X)
    capture.rows(X[:16], None)
    with pytest.raises(ValueError, match=r"none of model.parameters"):
        capture.rows(X[16:], None)


def test_parameters_that_are_made_in_a_forward_pass():
    """They are others each time: nobody could train them."""

    def call(network, x):
        return network.plain(nn.LayerNorm(3, dtype=x.dtype)(x))

    check(randomize(Wrapped(call)), table(4, 3))


def test_frozen_parameters_of_another_network():
    scale = nn.Parameter(torch.tensor(2.0), requires_grad=False)
    network = nn.Sequential(nn.Linear(3, 2))
    network[0].register_forward_hook(lambda layer, read, out: scale * out)
    check(randomize(network), table(4, 3))


def test_some_rows_without_gradients():
    def call(network, x):
        return network.plain(x) if (x[:, 0] > 0).any() else network.plain(x).detach()

    X = np.abs(table(4, 3))
    X[-1] *= -1
    network = randomize(Wrapped(call))
    K = kernel(network, X, batch_size=1)
    assert not K[-1].any()
    # Whichever rows are tried.
    first, every = (
        GradientCapture(network).layout(torch.as_tensor(rows)) for rows in (X[:1], X)
    )
    assert every == first
    np.testing.assert_allclose(K[:3, :3], naive(network, X[:3]), rtol=1e-10)


def test_frozen_parameters_do_not_make_outputs_without_gradients():
    # What counts is not on the way of these rows, but other parameters are.
    network = randomize(Wrapped(lambda network, x: network.plain(x)))
    network.requires_grad_(False)
    network.unused = nn.Linear(1, 1).double()
    assert not kernel(network, table(3, 3)).any()


def test_inference_mode_inside_of_the_forward():
    def half(network, x):
        with torch.inference_mode():
            x = network.first(x).tanh()
        return network.last(x)

    for call in (torch.inference_mode()(Wrapped.plain), half):
        network = randomize(Wrapped(call))
        for freeze in (False, True):
            network.first.requires_grad_(not freeze)
            name = "last" if freeze else "first"
            with pytest.raises(ValueError, match=f"layer '{name}', .*inference_mode"):
                captured(network, table(3, 3))


@pytest.mark.parametrize("outputs", ["first", "sum", "mean"])
def test_no_outputs(outputs):
    network = randomize(Wrapped(lambda network, x: network.plain(x)[:, :0]))
    with pytest.raises(ValueError, match=r"one output or more, got \(1, 0\)"):
        GradientCapture(network, outputs).layout(torch.as_tensor(table(3, 3)))


def test_layers_inside_of_vmap():
    def call(network, x):
        return torch.vmap(network.plain)(x)

    network, X = randomize(Wrapped(call)), table(9, 3)
    K, capture = captured(network, X)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-10)
    assert capture._plan.general == dict(network.named_parameters()).keys()


def test_errors_of_the_network_are_passed_on():
    def call(network, x):
        raise RuntimeError("no such size")

    with pytest.raises(RuntimeError, match="no such size"):
        captured(randomize(Wrapped(call)), table(9, 3))


@pytest.mark.parametrize("wrap", [tuple, lambda pair: {"out": pair[0]}])
def test_norms_that_return_several_tensors(wrap):
    class AddNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return wrap([nn.functional.rms_norm(x, (3,)) * self.weight, x])

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.norm = nn.Linear(3, 3), AddNorm()
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            found = self.norm(self.inner(x))
            return self.head(next(iter(found.values() if wrap is not tuple else found)))

    network, X = randomize(Net()), table(9, 3)
    K, capture = captured(network, X)
    np.testing.assert_allclose(K, naive(network, X), rtol=1e-10)
    assert capture._plan.general == {"norm.weight"}


def test_checkpoints():
    def call(network, x, use_reentrant=False):
        h = checkpoint(lambda x: network.first(x).tanh(), x, use_reentrant=False)
        return checkpoint(network.last, h, use_reentrant=use_reentrant)

    network = randomize(Wrapped(call))
    for freeze in (False, True):
        network.first.bias.requires_grad_(not freeze)
        check(network, table(5, 3))
    network.call = partial(call, use_reentrant=True)
    with pytest.raises(ValueError, match="needs use_reentrant=False"):
        captured(network, table(3, 3))


def test_too_little_memory_is_not_for_autograd_to_refuse(monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(_autograd, "gradients_of", fail)
    with pytest.raises(torch.OutOfMemoryError, match=r"^no memory"):
        _autograd.exact_gradients(torch.ones(1), [])


class Tokens(nn.Module):
    """Reads tokens with a frozen table, which hides from layers what is padding."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.table = nn.Embedding(9, 4).requires_grad_(False)
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 1)
        self.passes = 0

    def forward(self, input_ids, attention_mask):
        self.passes += 1
        x = self.table(input_ids)
        if self.how == "mean":  # of padding, too
            return self.head(torch.tanh(self.inner(x.mean(1))))
        x = x * attention_mask.unsqueeze(2)
        x = x.sum(1) / attention_mask.sum(1, keepdim=True)
        return self.head(torch.tanh(self.inner(x)))


def tokens(lengths):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    ids = torch.randint(1, 9, mask.shape, generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids * mask, "attention_mask": mask.double()}


def test_rows_that_go_alone_are_read_without_padding():
    network = randomize(Tokens("mean"))
    batch, lengths = tokens([5, 3, 4]), np.array([5, 3, 4])
    capture = GradientCapture(network)
    capture._most = 1
    found = capture.rows(batch, lengths)
    for i, length in enumerate(lengths):
        one = {name: part[i : i + 1, :length] for name, part in batch.items()}
        expected = GradientCapture(network).rows(one, None)[0]
        np.testing.assert_array_equal(found[i], expected)


@pytest.mark.parametrize("most", [8, 2])
def test_padding_that_counts_before_any_layer_that_is_watched(most):
    network = randomize(Tokens("mean"))
    capture = GradientCapture(network)
    capture._most = most
    with pytest.raises(ValueError, match=r"one of 3 tokens, padded to 5, so that"):
        capture.rows(tokens([5, 3, 5]), np.array([5, 3, 5]))
    with pytest.raises(ValueError, match="how much padding"):
        GradientCapture(network).forward(tokens([5, 3]), np.array([5, 3]))
    alike = GradientCapture(network).rows(tokens([4, 4]), np.array([4, 4]))
    assert np.isfinite(alike).all()


def test_padding_that_counts_beside_a_large_bias():
    network = randomize(Tokens("mean"))
    with torch.no_grad():
        network.head.bias.fill_(1e3)
    with pytest.raises(ValueError, match="how much padding follows"):
        GradientCapture(network).rows(tokens([5, 3, 5]), np.array([5, 3, 5]))


@pytest.mark.parametrize(
    ("others", "one", "bound"),
    [(0.0, 1.0, 2.0**-11.5 + 2.0**-15.25), (1e6, 1e6, 4e6 * 2.0**-17.25)],
)
def test_padding_may_count_as_much_as_rounding(others, one, bound):
    """By the root of that of float32, 2**-23, of how far outputs of a batch differ.

    Also in float64, which some networks do not compute all parts in.
    """
    x = torch.full((64, 4), others, dtype=torch.float64)
    x[9] = one
    lengths, sizes = np.array([4] * 60 + [2, 3, 2, 2]), []

    def run(batch, leak=0.0):
        sizes.append(len(batch["x"]))
        return [batch["x"][:, 0] - leak * (batch["x"].shape[1] < 3)]

    args = {"x": x}, lengths, x[:, :1]
    check_padding_unread(partial(run, leak=0.9 * bound), *args)
    assert sizes == [3, 1]
    with pytest.raises(ValueError, match=r"of 2 tokens, padded to 4, so that the"):
        check_padding_unread(partial(run, leak=1.1 * bound), *args)


class Largest(Tokens):
    """Takes the largest over all tokens, padding as well, unless tokens are below 5."""

    def __init__(self):
        super().__init__("largest")
        torch.manual_seed(0)
        for p in self.parameters():
            nn.init.normal_(p)
        with torch.no_grad():
            self.table.weight[1:5] += 9
            self.table.weight[5:] -= 9
        self.double()

    def forward(self, input_ids, attention_mask):
        x = self.table(input_ids) - 3 * (1 - attention_mask.unsqueeze(2))
        return self.head(torch.tanh(self.inner(x.amax(1))))


def low_tokens(lengths, *high):
    """Tokens below 5, in some rows above it."""
    batch = tokens(lengths)
    batch["input_ids"].clamp_(max=4)
    for i in high:
        batch["input_ids"][i, : lengths[i]] = 7
    return batch, np.array(lengths)


def test_padding_that_counts_in_short_rows_only():
    capture = GradientCapture(Largest())
    capture.rows(*low_tokens([12, 9, 12]))
    with pytest.raises(ValueError, match="one of 3 tokens, padded to 5"):
        capture.rows(*low_tokens([5, 3, 5], 1))


def test_padding_that_counts_in_a_row_that_is_not_the_shortest():
    with pytest.raises(ValueError, match="one of 4 tokens, padded to 5"):
        GradientCapture(Largest()).rows(*low_tokens([5, 3, 4, 5], 2))


class Quiet(nn.Sequential):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


@pytest.mark.parametrize("is_quiet", [False, True])
@pytest.mark.parametrize("few", [1 << 20, 0])
def test_padding_that_counts_in_later_batches(few, is_quiet, monkeypatch):
    """Seen from gradients at tokens, unless much is frozen between them and outputs."""
    monkeypatch.setattr(_passes, "FEW", few)
    network = Largest()
    if is_quiet:
        network.table = Quiet(network.table)
    network.inner.requires_grad_(False)
    capture = GradientCapture(network)
    capture.rows(*low_tokens([5, 3, 4, 5]))
    if few:
        with pytest.raises(ValueError, match=r"what layer 'table.* writes for padding"):
            capture.rows(*low_tokens([5, 3, 4, 5], 2))
    else:
        capture.rows(*low_tokens([5, 3, 4, 5], 2))


def test_rows_that_are_read_only_with_padding():
    class Wide(Tokens):
        def forward(self, input_ids, attention_mask):
            if input_ids.shape[1] < 4:
                raise RuntimeError("too short")
            return super().forward(input_ids, attention_mask)

    capture = GradientCapture(randomize(Wide("masked")))
    with pytest.raises(ValueError, match=r"a row of 3 tokens .*\(too short\); drop"):
        capture.rows(tokens([5, 3, 5]), np.array([5, 3, 5]))


def test_padding_is_tried_once_and_does_no_harm():
    network = randomize(Tokens("masked"))
    batch, lengths = tokens([5, 3, 5]), np.array([5, 3, 5])
    capture = GradientCapture(network)
    found = capture.rows(batch, lengths)
    for i, length in enumerate(lengths):
        one = {name: part[i : i + 1, :length] for name, part in batch.items()}
        np.testing.assert_allclose(found[i], capture.rows(one, None)[0], rtol=1e-12)
    network.passes = 0
    capture.rows(batch, lengths)
    assert network.passes == 2  # one in another order, to see if rows change places


@pytest.mark.parametrize("most", [8, 2])
def test_padding_that_counts_too_little_to_be_seen_in_outputs(most):
    class Leaky(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(9, 4).requires_grad_(False)
            self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, input_ids, attention_mask):
            x = torch.tanh(self.inner(self.table(input_ids)))
            share = torch.clamp(attention_mask, min=1e-13)
            return self.head((x * share.unsqueeze(2)).sum(1))

    capture = GradientCapture(randomize(Leaky()))
    capture._most = most
    with pytest.raises(ValueError, match="layer 'inner' writes for padding"):
        capture.rows(tokens([5, 3, 5]), np.array([5, 3, 5]))
