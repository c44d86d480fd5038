"""Rules of layers against one backward pass an example."""

import pytest
import torch
from torch import nn

from skshap.nn import _plan
from skshap.nn._capture import GradientCapture
from tests.nn.networks import check, kernel, randomize, table


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Gated(nn.Linear):
    """A linear layer with one parameter more, used by the network it is in."""

    def __init__(self, *args):
        super().__init__(*args)
        self.gate = nn.Parameter(torch.ones(()))


class Shifted(nn.Module):
    """The norm of Gemma: weights are counted from one."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        return x * x.square().mean(-1, keepdim=True).rsqrt() * (1 + self.weight)


class ShiftedRMSNorm(Shifted):
    """A name by which norms are known."""


class GatedNorm(Shifted):
    """A norm by its name, which reads two tensors; its rule would give it one."""

    def forward(self, x, gate):
        return super().forward(x) * torch.sigmoid(gate)


class WithItself(nn.Module):
    """Applies a layer of two inputs to one."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, x)


class Lookup(nn.Module):
    """Reads an embedding at whole numbers made of its input."""

    def __init__(self, **kwargs):
        super().__init__()
        self.table = nn.Embedding(5, 4, **kwargs)

    def forward(self, x):
        return x + self.table((x[..., 0].abs() * 10).long() % 5)


class Positions(nn.Module):
    """Looks one row of positions up, for all examples at once."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, x):
        return x + self.table(torch.arange(x.shape[1])[None])


class Mixer(nn.Module):
    """Applies a layer across tokens: a convolution, say."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.mT).mT


class Grid(nn.Module):
    """Applies a layer to the tokens as a picture of one channel."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return x + self.layer(x[:, None]).mean((1, 2, 3))[:, None, None]


def conv1d_of_transformers():
    from transformers.pytorch_utils import Conv1D

    return Conv1D(4, 4)


def cut_down(layer, *sizes):
    """A layer of a smaller weight, whose attributes still say the sizes before."""
    cut = tuple(slice(size) for size in sizes)
    layer.weight = nn.Parameter(layer.weight.detach()[cut].clone())
    if getattr(layer, "bias", None) is not None:
        layer.bias = nn.Parameter(layer.bias.detach()[: sizes[0]].clone())
    return layer


def cut_lookup():
    lookup = Lookup()
    lookup.table = cut_down(nn.Embedding(5, 6), 5, 4)
    return lookup


LAYERS = {
    "conv1d": lambda: Mixer(nn.Conv1d(4, 4, 3, padding=1)),
    "dilated": lambda: Mixer(nn.Conv1d(4, 4, 3, padding=2, dilation=2, bias=False)),
    "grouped": lambda: Mixer(nn.Conv1d(4, 4, 3, padding=1, groups=2)),
    "same": lambda: Mixer(nn.Conv1d(4, 4, 3, padding="same")),
    "circular": lambda: Mixer(nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular")),
    "conv2d": lambda: Grid(nn.Conv2d(1, 3, (2, 3), stride=(2, 1), padding=(1, 0))),
    "transposed": lambda: Mixer(nn.ConvTranspose1d(4, 4, 1)),
    "batch norm": lambda: Mixer(nn.BatchNorm1d(4)),
    "group norm": lambda: Mixer(nn.GroupNorm(2, 4)),
    "instance norm": lambda: Mixer(nn.InstanceNorm1d(4, affine=True)),
    "rms norm": lambda: nn.RMSNorm(4),
    "shifted norm": lambda: ShiftedRMSNorm(4),
    "norm of no known name": lambda: Shifted(4),
    "norm of two inputs": lambda: WithItself(GatedNorm(4)),
    "embedding": lambda: Lookup(),
    "embedding with padding": lambda: Lookup(padding_idx=1),
    "sparse embedding": lambda: Lookup(sparse=True),
    "positions": lambda: Positions(),
    "conv1d of transformers": conv1d_of_transformers,
    "linear cut down": lambda: cut_down(nn.Linear(6, 6), 4, 4),
    "conv1d cut down": lambda: Mixer(cut_down(nn.Conv1d(4, 6, 5, padding=1), 4, 4, 3)),
    "conv2d cut down": lambda: Grid(
        cut_down(nn.Conv2d(1, 5, 3, padding=1), 3, 1, 2, 2)
    ),
    "embedding cut down": cut_lookup,
    "scaled": lambda: Scaled(4, 4),
    "unused gate": lambda: Gated(4, 4),
    "parametrized": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)),
    "attention": lambda: SelfAttention(),
    "recurrent": lambda: First(nn.LSTM(4, 4, batch_first=True)),
}
WITHOUT_RULE = {
    *["grouped", "same", "circular", "transposed", "norm of no known name"],
    *["norm of two inputs", "scaled", "unused gate", "parametrized", "attention"],
    "recurrent",
}


class SelfAttention(nn.Module):
    """Uses the weight of its output layer without calling it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.layer(x, x, x, need_weights=False)[0]


class First(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Around(nn.Module):
    """A layer in the middle of a network, where its output is not the only path."""

    def __init__(self, layer):
        super().__init__()
        self.before = nn.Linear(4, 4)
        self.layer = layer
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.before(x)
        return self.head(torch.tanh(self.layer(x)).mean(1) + x[:, 0])


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_layers(name, batch_size):
    network = randomize(Around(LAYERS[name]()))
    check(network, table(5, 6, 4), batch_size=batch_size)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_have_rules(name):
    # Values alone do not tell: what has no rule, or a wrong one, is right all the same.
    network = randomize(Around(LAYERS[name]()))
    capture = GradientCapture(network)
    capture.layout(torch.as_tensor(table(1, 6, 4)))
    assert bool(capture._plan.general) == (name in WITHOUT_RULE)


def test_a_general_parameter_that_is_too_large(monkeypatch):
    monkeypatch.setattr(_plan, "LARGEST_VECTOR", 10)
    network = randomize(Around(Scaled(4, 4)))
    with pytest.raises(ValueError, match=r"no rule for .*'layer.weight'.* 20 entries"):
        kernel(network, table(5, 6, 4))
    network.layer.weight.requires_grad_(False)
    check(network, table(5, 6, 4))
