"""What the name of a stored kernel covers of the code of a network."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import transformers as tr
from torch import nn

from skshap.kernels._digest import (
    network_digest,
    network_settings,
    settings_digest,
    weights_digest,
)

SOURCE = """
import enum
import functools
import threading
import types
from dataclasses import dataclass

import torch
from numpy import exp
from torch import nn

POWER = 2
CALLS = object()
UNREAD = threading.Lock()

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2 * ctx.saved_tensors[0]

class Helper:
    shift = 4

    @staticmethod
    def move(x):
        return x + Helper.shift

@dataclass
class Config:
    scale: float = 5.0

class Mode(enum.Enum):
    ON = 6
    OFF = 60

class Act:
    def __init__(self, slope):
        self.slope = slope

    def __call__(self, x):
        return x * self.slope if self is ACT else x

def hinge(x, at):
    return (x - at).abs()

@functools.cache
def offset(n):
    return n + 11

class Block(nn.Module):
    def forward(self, x):
        return x * 12

MODES = {Mode.ON, Mode.OFF}
CONFIG = Config(scale=7.0)
SPACE = types.SimpleNamespace(rate=8.0)
ACT = Act(9.0)
HINGE = functools.partial(hinge, at=10.0)
GATE = nn.Linear(3, 3)
nn.init.constant_(GATE.weight, 0.1)
nn.init.constant_(GATE.bias, 0.1)
TABLE = {"block": Block(), "exp": exp}

def scaled(x):
    return x * inner(x)

def rest(x):
    x = HINGE(ACT(Helper.move(Square.apply(x)) * CONFIG.scale * SPACE.rate))
    x = x + (Mode.ON.value if Mode.ON in MODES else 0)
    return TABLE["block"](GATE(x)) + offset(1)

def inner(x):
    return x + 1

class Mixin:
    def pool(self, x):
        return x

class Net(Mixin, nn.Module):
    factor = 2.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)

    @property
    def twice(self):
        return 2

    @staticmethod
    def cut(x):
        return x

    def forward(self, x):
        x = self.pool(self.cut(scaled(x))) ** POWER + self.twice
        return self.layer(rest(x * self.factor * (x.ndim in {1, 2})))
"""


def namespace(source=SOURCE):
    names = {"__name__": "prompt"}
    sys.modules["prompt"] = ModuleType("prompt")  # dataclasses look it up
    exec(compile(source, "<prompt>", "exec"), names)
    return names


def digest(network):
    return network_digest(network, None, 32)


def typed(source=SOURCE):
    return digest(namespace(source)["Net"]())


CHANGES = {
    "value of the module": ("POWER = 2", "POWER = 3"),
    "function": ("x * inner(x)", "x - inner(x)"),
    "function of a function": ("x + 1", "x + 2"),
    "mixin": (
        "def pool(self, x):\n        return x",
        "def pool(self, x):\n        return -x",
    ),
    "class attribute": ("factor = 2.0", "factor = 3.0"),
    "property": ("return 2\n", "return 3\n"),
    "static method": (
        "def cut(x):\n        return x",
        "def cut(x):\n        return -x",
    ),
    "forward": ("{1, 2}", "{1, 3}"),
    "function of autograd": ("gradient * 2", "gradient * 3"),
    "helper": ("x + Helper.shift", "x - Helper.shift"),
    "attribute of a helper": ("shift = 4", "shift = 5"),
    "dataclass": ("scale=7.0", "scale=7.5"),
    "namespace": ("rate=8.0", "rate=8.5"),
    "enumeration": ("ON = 6\n", "ON = 7\n"),
    "callable": ("Act(9.0)", "Act(9.5)"),
    "class of a callable": ("x * self.slope if", "x / self.slope if"),
    "partial": ("at=10.0", "at=10.5"),
    "function of a partial": ("(x - at).abs()", "(x + at).abs()"),
    "cached function": ("n + 11", "n - 11"),
    "module": ("GATE.weight, 0.1", "GATE.weight, 0.2"),
    "module in a dict": ("x * 12", "x / 12"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_code_that_changed(name):
    before, after = CHANGES[name]
    assert SOURCE.count(before) == 1
    assert typed(SOURCE.replace(before, after)) != typed()


def test_code_typed_again():
    assert typed("\n\n# Further down.\n" + SOURCE) == typed()


def elsewhere(code):
    """Return what is printed by another process, whose sets are in another order."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_same_in_another_process():
    code = "from tests.kernels.test_digest import typed; print(typed())"
    assert elsewhere(code) == typed()


def test_which_weights_are_shared():
    """Networks of the same names and numbers, whose kernels differ."""

    def network(owner):
        torch.manual_seed(0)
        layers = [nn.Linear(3, 3, bias=False) for _ in range(3)]
        with torch.no_grad():
            layers[1].weight.copy_(layers[0].weight)
        layers[2].weight = layers[owner].weight
        return nn.Sequential(*layers)

    first, second = network(0), network(1)
    assert digest(first) == digest(network(0)) != digest(second)
    assert weights_digest(first) == weights_digest(network(0)) != weights_digest(second)


def test_which_module_is_called_again():
    class Scale(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return self.factor * x

    layer, scales = nn.Linear(3, 3), [Scale(2.0), Scale(3.0)]
    first, second = (nn.Sequential(layer, *scales, nn.Tanh(), s) for s in scales)
    assert str(first) == str(second)
    assert digest(first) != digest(second)
    assert network_settings(first) != network_settings(second)


class Short(nn.Sequential):
    def __repr__(self):
        return f"Short(depth={len(self)})"


def test_which_module_is_of_which_class():
    """Of networks that print the same, and have the same classes."""
    layer, tanh, sigmoid = nn.Linear(3, 3), nn.Tanh, nn.Sigmoid
    first, again, second = (
        Short(layer, tanh(), sigmoid(), last()) for last in (tanh, tanh, sigmoid)
    )
    assert str(first) == str(second)
    assert digest(first) == digest(again) != digest(second)
    assert network_settings(first) == network_settings(again)
    assert network_settings(first) != network_settings(second)


def test_which_module_is_of_which_class_of_one_name():
    def activation(function):
        class Act(nn.Module):
            def forward(self, x):
                return function(x)

        return Act

    one, other = activation(torch.tanh), activation(torch.sigmoid)
    first, second = (nn.Sequential(one(), other(), kind()) for kind in (one, other))
    layer = nn.Linear(3, 3)
    assert str(first) == str(second)
    assert digest(first.append(layer)) != digest(second.append(layer))


def test_what_cannot_be_described_is_not_shared():
    source = SOURCE.replace("x = HINGE(", "x = UNREAD and HINGE(")
    assert typed(source) != typed(source)
    network = namespace(source)["Net"]()
    assert digest(network) == digest(network)


def with_power(power):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            return self.layer(x**power)

    return Net()


def test_closure():
    assert digest(with_power(1)) == digest(with_power(1)) != digest(with_power(3))


@pytest.mark.parametrize(
    "kind",
    [
        "forward_hook",
        "forward_pre_hook",
        "full_backward_hook",
        "full_backward_pre_hook",
    ],
)
def test_hooks(kind):
    network = with_power(1)
    before = digest(network)
    changed = copy.deepcopy(network)
    getattr(changed, f"register_{kind}")(lambda *args: None)
    with_one = digest(changed)
    assert with_one != before
    other = copy.deepcopy(network)
    getattr(other, f"register_{kind}")(lambda *args: args[-1])
    assert digest(other) not in (before, with_one)
    assert digest(network) == before


def test_function_as_an_attribute():
    def with_act(act):
        network = with_power(1)
        network.act = act
        return digest(network)

    def square(x):
        return x**2

    assert with_act(square) == with_act(square) != with_act(lambda x: x**3)


def test_how_a_model_was_loaded_does_not_count():
    network = with_power(1)
    before = digest(network)
    network._weight_conversions = [object()]  # as transformers leaves in it
    assert digest(network) == before


def test_settings_in_another_order():
    names = ["eps", "mode"]
    networks = [with_power(1), with_power(1)]
    for network, order in zip(networks, (names, names[::-1]), strict=True):
        for name in order:
            setattr(network, name, f"{name} of the test")
    first, second, other = (
        settings_digest(network_settings(network), set())
        for network in (*networks, with_power(1))
    )
    assert first == second != other


def test_a_config_in_another_order():
    class Config:
        def __init__(self, entries):
            self.entries = entries

        def to_dict(self):
            return self.entries

    def digests(entries):
        network = with_power(1)
        network.config = Config(entries)
        return digest(network), settings_digest(network_settings(network), set())

    rope = {"factor": 2.0, "rope_type": "dynamic"}
    config = {"rope": rope, "vocab_size": 9}
    other = {"vocab_size": 9, "rope": dict(reversed(rope.items()))}
    assert digests(config) == digests(other)
    for changed in (
        config | {"vocab_size": 8},
        config | {"rope": rope | {"factor": 3}},
    ):
        assert not set(digests(config)) & set(digests(changed))


def test_longest_text_that_was_read_is_no_setting():
    sizes = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 9}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    rope = {"rope_type": "dynamic", "factor": 2.0}
    config = tr.LlamaConfig(
        **sizes, max_position_embeddings=4, pad_token_id=0, rope_scaling=rope
    )
    network = tr.LlamaModel(config)
    before = network_settings(network)
    network(torch.ones(1, 7, dtype=torch.int64))
    assert network.rotary_emb.max_seq_len_cached == 7
    assert network_settings(network) == before
