"""Gradients of whole batches against one backward pass an example."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skshap.exceptions import SmallerBatchWarning
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram, squared_norms
from tests.nn.networks import check, kernel, naive, randomize, table
from tests.oracles import tangent_kernel


def deep_mlp(n_outputs=2):
    return nn.Sequential(
        nn.Linear(5, 7),
        nn.LayerNorm(7),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(7, 6, bias=False),
        nn.Tanh(),
        nn.LayerNorm(6, bias=False),
        nn.LayerNorm(6, elementwise_affine=False),
        nn.Linear(6, n_outputs),
    )


class OverTokens(nn.Module):
    """Attention over tokens: query, key and value read one tensor."""

    def __init__(self, width=4, inner=6):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        h = self.norm(x)
        scores = self.query(h) @ self.key(h).mT
        x = x + self.out(scores.softmax(-1) @ self.value(h))
        return self.head(x.mean(1))


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_mlp(batch_size):
    check(randomize(deep_mlp()), table(8, 5), batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("n_tokens", [1, 2, 9])
def test_tokens(batch_size, n_tokens):
    # One token and batches of one are where shapes are most easily mistaken.
    network = randomize(OverTokens())
    check(network, table(7, n_tokens, 4), batch_size=batch_size)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_choice_of_parameters(data):
    network = randomize(OverTokens())
    names = [name for name, _ in network.named_parameters()]
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1))
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in chosen)
    X = table(4, 3, 4)
    expected = naive(network, X)
    K = kernel(network, X, batch_size=data.draw(st.integers(1, 5)))
    # The bias of the keys' side of a softmax and the like: zero up to rounding.
    assert_allclose(K, expected, rtol=1e-10, atol=1e-12)


def test_frozen_parameters_are_left_out():
    network = randomize(deep_mlp())
    everything = kernel(network, table(4, 5))
    network[0].requires_grad_(False)
    network[4].weight.requires_grad_(False)
    network[8].bias.requires_grad_(False)
    check(network, table(4, 5))
    assert (np.diag(everything) > np.diag(kernel(network, table(4, 5)))).all()


def test_first_output_only():
    network = randomize(deep_mlp(n_outputs=3))
    K = kernel(network, table(4, 5))
    with torch.no_grad():
        network[8].weight[1:] = 99
    assert_allclose(kernel(network, table(4, 5)), K, rtol=1e-13)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 2)])
def test_norm_over_several_axes(shape):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(shape[-2:])
            self.head = nn.Linear(int(np.prod(shape)), 1)

        def forward(self, x):
            return self.head(self.norm(x).tanh().flatten(1))

    check(randomize(Net()), table(4, *shape))


def test_one_tensor_read_as_itself_or_as_a_copy():
    # contiguous() copies a batch of four, but returns a batch of one as it is: what
    # counts as the same input then differs between batches.
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(3, 4)
            self.head = nn.Linear(4, 1)

        def forward(self, x):
            x = x[:, :3].T.T
            return self.head(torch.tanh(self.left(x) * self.right(x.contiguous())))

    for batch_size in (1, 2, 4):
        check(randomize(Net()), table(4, 6), batch_size=batch_size)


def test_inputs_that_are_one_tensor_only_sometimes():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2, bias=False)

        def forward(self, x):
            factor = 1 if len(x) == 1 else 2
            read = x if len(x) == 1 else factor * x
            return self.left(x) * self.right(read) / factor

    with pytest.raises(ValueError, match=r"'left\.weight' and 'right.weight' belong"):
        kernel(randomize(Net()), table(4, 3))


def test_inputs_of_equal_shape_are_not_confused():
    # Tensors that are freed lend their addresses to later ones.
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(6))

        def forward(self, x):
            for layer in self.layers:
                x = torch.tanh(layer(x * 1.0))
            return x

    check(randomize(Net()), table(5, 4))


def test_in_place_operations_on_outputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            x = self.first(x)
            x += 1
            x.mul_(2).tanh_()
            return self.second(x)

    check(randomize(Net()), table(5, 4))


def test_input_changed_in_place_later():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            x = x + 1
            y = self.first(x)
            x.mul_(3)
            return self.second(x + y)

    with pytest.raises(ValueError, match="'first' reads is changed in place"):
        kernel(randomize(Net()), table(5, 4))


def test_hooks_that_the_network_came_with():
    network = randomize(deep_mlp())
    network[4].register_forward_hook(lambda module, args, output: 3 * output)
    network[8].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    check(network, table(5, 5))


def test_input_passed_by_name():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 1)

        def forward(self, x):
            return self.layer(input=x)

    check(randomize(Net()), table(5, 4))


def test_layer_off_the_path_counts_zero():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 1), nn.Linear(4, 1)

        def forward(self, x):
            return torch.cat([self.used(x), self.unused(x)], 1)

    check(randomize(Net()), table(5, 4))


def test_under_no_grad():
    network = randomize(deep_mlp())
    X = torch.as_tensor(table(5, 5))
    expected, capture = kernel(network, X), GradientCapture(network)
    with torch.no_grad():
        K, layout = kernel(network, X), capture.layout(X)
    assert_allclose(K, expected, rtol=1e-14)
    assert len(layout.factors) == 3  # all layers keep their rules


def test_network_is_left_as_it_was():
    network = randomize(deep_mlp())
    network[0].bias.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    kernel(network, table(5, 5))
    with pytest.raises(RuntimeError):
        kernel(network, table(5, 6))
    assert [p.requires_grad for p in network[0].parameters()] == [True, False]
    assert all(p.requires_grad for p in network[4].parameters())
    assert all(p.grad is None for p in network.parameters())
    assert not any(m._forward_hooks for m in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_bare_parameter():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.ones(4))
            self.layer = nn.Linear(4, 1)

        def forward(self, x):
            return self.layer((x + self.shift).tanh())

    check(randomize(Net()), table(3, 4))


class Tied(nn.Module):
    """Weights that are shared in one of several ways, and count once."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.table = nn.Embedding(4, 4)
        self.head = nn.Linear(4, 2)
        if how == "linear":
            self.b.weight = self.a.weight
        elif how == "everything":
            self.b = self.a
        elif how == "decoder":
            self.b.weight = self.table.weight
        elif how == "two tables":
            self.more = nn.Embedding(4, 4)
            self.more.weight = self.table.weight

    def forward(self, x):
        numbers = (x[..., 0].abs() * 10).long() % 4
        x = torch.tanh(self.a(x + self.table(numbers)))
        if self.how == "function":
            x = torch.nn.functional.linear(x, self.table.weight)
        if self.how == "two tables":
            x = x + self.more((numbers + 1) % 4)
        return self.head(torch.tanh(self.b(x)).mean(1))


@pytest.mark.parametrize(
    "how", ["linear", "everything", "decoder", "function", "two tables"]
)
def test_shared_parameters_count_once(how):
    check(randomize(Tied(how)), table(5, 3, 4), batch_size=3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.BatchNorm1d(4, track_running_stats=False), "track_running_stats=True"),
        (nn.Embedding(5, 4, scale_grad_by_freq=True), "scale_grad_by_freq=False"),
    ],
)
def test_layers_that_mix_the_examples(layer, message):
    network = nn.ModuleDict({"mixer": layer})
    with pytest.raises(ValueError, match=rf"'mixer' \(.*{message}"):
        GradientCapture(network)
    network.mixer.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter"):
        GradientCapture(network)


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize("make", ["script", "trace"])
def test_layers_of_torchscript(make):
    """They have no classes to tell rules by, nor parameters that stay the same."""

    def network():
        layer = nn.Linear(3, 4).double()
        if make == "script":
            return nn.Sequential(torch.jit.script(layer.requires_grad_(is_wanted)))
        return nn.Sequential(torch.jit.trace(layer.requires_grad_(is_wanted), X[:2]))

    X, is_wanted = torch.as_tensor(table(5, 3)), True
    with pytest.raises(ValueError, match="layer '0' of model is of TorchScript"):
        GradientCapture(network())
    is_wanted = False
    check(network().append(nn.Linear(4, 2).double()), X)


@pytest.mark.parametrize("name", ["linear", "function", "two tables"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_outputs(name, batch_size):
    network = randomize(Tied(name))
    parameters = list(network.parameters())
    X = torch.as_tensor(table(5, 3, 4))

    def naive(choose):
        return tangent_kernel(lambda x: choose(network(x[None]))[0], parameters, X)

    each = [naive(lambda o, c=c: o[:, c]) for c in range(2)]
    expected = {
        "first": each[0],
        "sum": naive(lambda o: o.sum(1)),
        "mean": (each[0] + each[1]) / 2,
    }
    for outputs, K in expected.items():
        capture = GradientCapture(network, outputs)
        layout = capture.layout(X)
        rows = [r for batch in X.split(batch_size) for r in capture.rows(batch, None)]
        assert_allclose(gram(layout, rows), K, rtol=1e-10)
        assert_allclose(squared_norms(layout, rows), np.diag(K), rtol=1e-10)


def test_signs():
    """The kernel of the signs of gradients, each parameter counted once."""
    for how in ("linear", "function", "two tables"):
        network = randomize(Tied(how))
        X = torch.as_tensor(table(5, 3, 4))
        signs = []
        for x in X:
            network.zero_grad()
            network(x[None])[0, 0].backward()
            parts = [
                torch.zeros(p.numel()) if p.grad is None else p.grad.flatten().sign()
                for p in network.parameters()
            ]
            signs.append(torch.cat([part.double() for part in parts]))
        signs = torch.stack(signs).numpy()
        network.zero_grad()
        capture = GradientCapture(network)
        layout, rows = capture.layout(X), capture.rows(X, None)
        K = gram(layout, rows, is_sign=True)
        assert_array_equal(K, signs @ signs.T)
        assert_array_equal(gram(layout, rows[:2], rows, is_sign=True), K[:2])
        assert_array_equal(squared_norms(layout, rows, is_sign=True), np.diag(K))


def test_tokens_that_do_not_count_are_not_kept():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.every, self.one = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.one(torch.tanh(self.every(x)).cumsum(1))[:, 2]

    network = randomize(Net())
    capture = GradientCapture(network)
    X = torch.as_tensor(table(3, 6, 4))
    layout = capture.layout(X)
    rows = capture.rows(X, None)
    assert [layout.counts(row).tolist() for row in rows] == [[3, 1]] * 3
    check(network, X)


def test_no_parameter():
    with pytest.raises(ValueError, match="no parameter with requires_grad=True"):
        GradientCapture(nn.Linear(4, 4).requires_grad_(False))


class Misused(nn.Module):
    """Calls its layer in one of several unusual ways."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.layer = nn.Linear(4, 4)
        self.other = nn.Linear(4, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        x = self.other(x)
        if self.how == "twice":
            x = self.layer(self.layer(x))
        elif self.how == "flattened":
            x = self.layer(x.flatten(0, 1)).view(x.shape)
        elif self.how == "four axes":
            x = self.layer(x[:, None])[:, 0]
        elif self.how == "fewer tokens":
            x = x[:, :1] + self.layer(x[:, 1:])
        return self.head(x.mean(1))


@pytest.mark.parametrize(
    "how", ["twice", "never", "flattened", "four axes", "fewer tokens"]
)
def test_layer_used_in_another_way(how):
    # As many tokens as examples: no shape gives the mistake away.
    check(randomize(Misused(how)), table(3, 3, 4))


@pytest.mark.parametrize(
    "output",
    [
        lambda x: x[:, 0],
        lambda x: x[:, None],
        lambda x: (x, x),
        lambda x: {"scores": x},
        lambda x: x.mean(0, keepdim=True),
        lambda x: x.repeat(2, 1),
        lambda x: x.long(),
        lambda x: x.to(torch.complex128),
    ],
)
def test_forward_of_another_shape(output):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x):
            return output(self.layer(x))

    with pytest.raises(ValueError, match="forward of model must return"):
        capture = GradientCapture(Wrapped().double())
        capture.rows(torch.zeros(3, 4, dtype=torch.float64), None)


class OfDict(nn.Linear):
    def forward(self, features):
        return super().forward(features["input_ids"])


NAMES = "input_ids, attention_mask"


@pytest.mark.parametrize(
    ("network", "batch", "message"),
    [
        (
            OfDict(4, 2),
            dict.fromkeys(NAMES.split(", "), torch.ones(3, 4)),
            rf"model=OfDict\(...\) is called with .* by name: {NAMES};.*'features'.*"
            r"sentence-transformers its folder, or model\[0\].auto_model",
        ),
        (
            nn.Bilinear(4, 4, 2),
            torch.ones(3, 4),
            r"model=Bilinear\(...\) is called with one tensor of rows;.*'input2'",
        ),
    ],
)
def test_forward_that_takes_something_else(network, batch, message):
    with pytest.raises(ValueError, match=message):
        GradientCapture(network).layout(batch)


def test_other_errors_of_a_forward_are_passed_on():
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x + None)

    with pytest.raises(TypeError, match="unsupported operand"):
        GradientCapture(Broken(4, 2)).layout(torch.ones(3, 4))


def test_padding_that_counts():
    capture = GradientCapture(randomize(OverTokens()).double())
    batch = {"x": torch.as_tensor(table(3, 5, 4))}
    with pytest.raises(ValueError, match="depends on how much padding follows"):
        capture.rows(batch, np.array([5, 4, 5]))
    capture.rows(batch, np.array([5, 5, 5]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite(value):
    network = randomize(deep_mlp())
    with torch.no_grad():
        network[4].weight[0, 0] = value
    with pytest.raises(ValueError, match="not finite"):
        kernel(network, table(3, 5))


class Hungry(OverTokens):
    """Has no memory for more than some rows at once."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error = most, error
        self.sizes = []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.most:
            raise self.error
        return super().forward(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_batches_that_do_not_fit_are_halved(error):
    network = randomize(Hungry(2, error))
    X = torch.tensor(table(11, 3, 4))
    X[::2, 2:] = 0  # rows with fewer tokens
    expected = naive(randomize(Hungry(99, error)), X)
    with pytest.warns(SmallerBatchWarning) as caught:
        K = kernel(network, X, batch_size=9)
    assert_allclose(K, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert [int(str(w.message).split()[3]) for w in caught] == [9, 4]
    assert "batch_size=2" in str(caught[-1].message)
    # Some rows are tried first, and those that fit are compared with each alone and
    # with autograd. What was learnt holds for later batches.
    tried = [8, 4, 2, 1, 1, 2, 2]
    # Each batch is read in another order as well, to see if rows change places.
    assert network.sizes[-18:] == [*tried, *[2, 2] * 4, 1, 2, 2]


def test_one_row_that_does_not_fit():
    network = randomize(Hungry(0, torch.OutOfMemoryError("CUDA out of memory.")))
    with pytest.raises(torch.OutOfMemoryError):
        GradientCapture(network).rows(torch.ones(1, 3, 4, dtype=torch.float64), None)


def test_other_errors_are_passed_on():
    network = randomize(Hungry(1, RuntimeError("something else")))
    X = torch.ones(4, 3, 4, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="something else"):
        GradientCapture(network).rows(X, None)


def test_squared_norms_are_the_diagonal():
    network = randomize(OverTokens())
    X = torch.as_tensor(table(5, 3, 4))
    capture = GradientCapture(network)
    rows = capture.rows(X, None)
    assert_allclose(
        squared_norms(capture.layout(X), rows), np.diag(naive(network, X)), rtol=1e-12
    )
