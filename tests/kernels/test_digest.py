"""What the name of a stored kernel covers of the code of a network."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from skshap.kernels._digest import network_digest

SOURCE = """
import torch
from torch import nn

POWER = 2
CALLS = object()

def scaled(x):
    return x * inner(x)

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
        return self.layer(x * self.factor * (x.ndim in {1, 2}))
"""


def namespace(source=SOURCE):
    names = {"__name__": "prompt"}
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
}


@pytest.mark.parametrize("name", CHANGES)
def test_code_that_changed(name):
    before, after = CHANGES[name]
    assert SOURCE.count(before) == 1
    assert typed(SOURCE.replace(before, after)) != typed()


def test_code_typed_again():
    assert typed("\n\n# Further down.\n" + SOURCE) == typed()


def test_same_in_another_process():
    code = "from tests.kernels.test_digest import typed; print(typed())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == typed()


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


@pytest.mark.parametrize("kind", ["hook", "pre_hook"])
def test_hooks(kind):
    network = with_power(1)
    before = digest(network)
    changed = copy.deepcopy(network)
    getattr(changed, f"register_forward_{kind}")(lambda *args: None)
    with_one = digest(changed)
    assert with_one != before
    other = copy.deepcopy(network)
    getattr(other, f"register_forward_{kind}")(lambda *args: args[-1])
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
