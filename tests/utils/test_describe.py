"""What is told apart, and what is the same in any process."""

import collections
import functools
import itertools
import os
import random
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import _distance_pybind
from sklearn.utils import check_random_state

from skshap.utils._describe import describe


class Slots:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


class Confident:
    def __init__(self, t):
        self.t = t

    def score(self, decision, y):
        return decision.max(1) > self.t

    def __call__(self, decision, y):
        return self.score(decision, y)


def score(decision, y, *, power=1):
    return decision[:, 0] ** power


def powered(power):
    def of_power(decision, y, *, power=power):
        return decision[:, 0] ** power

    return of_power


def through(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def closing_over(value):
    return lambda decision, y: (value, decision)


def with_margin(value):
    def of_margin(decision, y):
        return decision.max(1) > of_margin.margin

    of_margin.margin = value
    return of_margin


def by_type(value):
    @functools.singledispatch
    def of_type(decision, y):
        return decision

    @of_type.register
    def of_array(decision: np.ndarray, y):
        return value

    return of_type


class Descriptor:
    def __get__(self, owner, kind=None):
        return 5


def with_weights(value):
    class Weighted:
        five = Descriptor()

        @functools.cached_property
        def weights(self):
            return value

        def __call__(self, decision, y):
            return decision[:, 0] * self.weights * self.five

    return Weighted()


def reading(value):
    names = {"__name__": "prompt", "value": value}
    exec("class Reader:\n    def read(self):\n        return value", names)
    return names["Reader"]


def catching(x):
    try:
        return float(x)
    except ValueError:
        return None


def not_catching():
    code = catching.__code__.replace(co_exceptiontable=b"")
    return types.FunctionType(code, catching.__globals__)


def top_level(x):
    return x + 1


def nested():
    def top_level(x):
        return x + 1

    return top_level


def called(function):
    return type("Called", (), {"__call__": function})()


def large(last):
    array = np.zeros(5000)
    array[-1] = last
    return array


DIFFERENT = {
    "number": (1, 1.0),
    "text": ("a", b"a"),
    "list": ([1, 2], (1, 2)),
    "order": ([1, 2], [2, 1]),
    "dict": ({"a": 1}, {"a": 2}),
    "array": (large(0), large(1)),
    "dtype": (np.zeros(2), np.zeros(2, np.float32)),
    "tensor": (torch.zeros(2), torch.ones(2)),
    "half": (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2)),
    "object array": (np.array([1, "a"], object), np.array([1, "b"], object)),
    "method": (Confident(0.5).score, Confident(0.6).score),
    "callable": (Confident(0.5), Confident(0.6)),
    "slots": (Slots(1), Slots(2)),
    "keyword default": (powered(1), powered(2)),
    "default": (lambda d, y, a=1: a, lambda d, y, a=2: a),
    "constant": (lambda d, y: d + 1, lambda d, y: d + 2),
    "inner function": (lambda d, y: (lambda: 1)(), lambda d, y: (lambda: 2)()),
    "closure": (closing_over(large(0)), closing_over(large(1))),
    "decorated": (through(powered(1)), through(powered(2))),
    "partial": (functools.partial(score, power=1), functools.partial(score, power=2)),
    "partial array": (
        functools.partial(score, power=large(0)),
        functools.partial(score, power=large(1)),
    ),
    "compiled": (torch.tanh, torch.relu),
    "method of a dict": ({0: 1.0}.get, {0: 2.0}.get),
    "method of an array": (large(0).take, large(1).take),
    "method of a tensor": (torch.ones(2).mul, torch.zeros(2).mul),
    "operator of a tensor": (torch.ones(2).__mul__, torch.zeros(2).__mul__),
    "operator of a set": ({1}.__contains__, {2}.__contains__),
    "method of a pattern": (re.compile("a").match, re.compile("b").match),
    "method of a ufunc": (np.add.reduce, np.multiply.reduce),
    "method of a class": (dict.fromkeys, collections.OrderedDict.fromkeys),
    "arguments": (lambda y, *a: y * len(a), lambda y, a: y * len(a)),
    "arguments by name": (lambda y, *, a: y * a, lambda y, a: y * a),
    "arguments by place": (lambda y, a, /: y * a, lambda y, a: y * a),
    "what is caught": (catching, not_catching()),
    "operator that is no function": (called(torch.tanh), called(torch.sin)),
    "static operator": (called(staticmethod(np.exp)), called(staticmethod(np.log))),
    "operator that is a method": (
        called(Confident(0.5).score),
        called(Confident(0.6).score),
    ),
    "partial as operator": (
        called(functools.partial(score, power=1)),
        called(functools.partial(score, power=2)),
    ),
    "class": (Slots, Confident),
    "range": (range(3), range(4)),
    "cached": (functools.cache(powered(1)), functools.cache(powered(2))),
    "ufunc": (np.exp, np.log),
    "ufunc of Python": (
        np.frompyfunc(powered(1), 2, 1),
        np.frompyfunc(powered(2), 2, 1),
    ),
    "read by a class": (reading(Slots), reading(Confident)),
    "attribute": (with_margin(0.6), with_margin(0.8)),
    "by type": (by_type(1), by_type(2)),
    "cached property": (with_weights(1), with_weights(2)),
    "read by an object": (reading(Confident(0.5)), reading(Confident(0.6))),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_told_apart(name):
    first, second = DIFFERENT[name]
    assert describe(first) == describe(first)
    assert describe(first) != describe(second)


SAME = {
    "functions": (powered(3), powered(3)),
    "decorated": (through(powered(1)), through(powered(1))),
    "objects": (Confident(0.5), Confident(0.5)),
    "methods": (Confident(0.5).score, Confident(0.5).score),
    "slots": (Slots([1]), Slots([1])),
    "attribute": (with_margin(0.6), with_margin(0.6)),
    "by type": (by_type(1), by_type(1)),
    "cached property": (with_weights(1), with_weights(1)),
    "methods of dicts": ({0: 1.0}.get, {0: 1.0}.get),
    "methods of tensors": (torch.ones(2).mul, torch.ones(2).mul),
    "operators": (called(torch.tanh), called(torch.tanh)),
    "static operators": (called(staticmethod(np.exp)), called(staticmethod(np.exp))),
    "nested": (top_level, nested()),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "strided": (np.arange(6)[::2], np.array([0, 2, 4])),
    "shared parts": ([(large(0), 1)] * 2, [(large(0), 1), (large(0), 1)]),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same(name):
    first, second = SAME[name]
    assert describe(first) == describe(second)


def test_what_holds_itself():
    endless, other = [1], [2]
    endless.append(endless)
    other.append(other)
    assert describe(endless) != describe(other)

    def recursive(n):
        return recursive(n - 1) if n else 0

    assert describe(recursive) == describe(recursive)


def with_sets(decision, y):
    return decision[:, 0] * (str(y) in {"a", "b", "c", "d"})


def described():
    """Describe what differs in order, or address, between processes."""
    objects = [{"a", "b", "c"}, with_sets, through(with_sets), Confident({"x", "y"})]
    objects += [Confident, np.exp, reading(Confident({"x", "y"}))]
    objects += [torch.relu, {"a": 1}.get, np.add.reduce, called(torch.tanh)]
    objects += [
        random.random,
        random.choice,
        np.random.normal,
        check_random_state(None),
    ]
    objects += [_distance_pybind.cdist_euclidean]
    return " ".join(map(describe, objects))


def test_in_another_process():
    code = "from tests.utils.test_describe import described; print(described())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1"},  # its sets are in another order
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == described()


def test_the_order_of_a_dict_counts_but_not_that_of_attributes():
    class Steps:
        def __init__(self, **steps):
            self.steps = steps

        def __call__(self, decision, y):
            return decision[:, 0] * next(iter(self.steps.values()))

    class Named:
        def __init__(self, **names):
            vars(self).update(names)

    assert describe(Steps(a=1, b=2)) == describe(Steps(a=1, b=2))
    assert describe(Steps(a=1, b=2)) != describe(Steps(b=2, a=1))
    assert describe(Named(a=1, b=2)) == describe(Named(b=2, a=1))
    assert describe(Named(a=1, b=2)) != describe(Named(a=2, b=1))


@pytest.mark.parametrize("kind", ["function", "slots"])
def test_attributes_in_another_order(kind):
    class Partly:
        __slots__ = ("__dict__", "place")

    def named(names):
        one = powered(1) if kind == "function" else Partly()
        for name in names:
            setattr(one, name, 1)
        return one

    names = ["one", "two", "place"]
    assert describe(named(names)) == describe(named(names[::-1]))
    assert describe(named(names)) != describe(named(names[1:]))


def test_what_cannot_be_pickled_is_taken_for_no_other():
    first, second = ((i for i in range(3)) for _ in range(2))
    assert describe(first) == describe(first) != describe(second)


def test_objects_whose_repr_has_no_address():
    class Closed:
        def __init__(self, t):
            self.t = t

        def __reduce__(self):
            raise RuntimeError("never leaves")

        def __repr__(self):
            return "Closed()"

    first, second = Closed(0.5), Closed(0.6)
    assert describe(first) == describe(first) != describe(second)
    seen = {describe(Closed(n)) for n in range(5)}  # each in the place of the last
    assert len(seen) == 5


def test_what_is_nested_without_end():
    def nested(n):
        value = n
        for _ in range(3000):
            value = [value]
        return value

    assert describe(nested(0)) != describe(nested(1))


def test_globals_of_the_name_of_an_attribute_do_not_count():
    source = "def f(net):\n    return net.power + scale"

    def described(**names):
        exec(source, names)
        return describe(names["f"])

    assert described(scale=1, power=2) == described(scale=1, power=3)
    assert described(scale=1) != described(scale=2)


READERS = {
    "module": "import own\ndef f(d):\n    return own.gain(d)",
    "other name": "import own as other\ndef f(d):\n    return other.gain(d)",
    "part": "import own.part\ndef f(d):\n    return own.part.gain(d)",
    "part by name": "from own import part\ndef f(d):\n    return part.gain(d)",
    "data": "import own\ndef f(d):\n    return d * own.scale",
    "local name": "import own\ndef f(d):\n    m = own\n    return m.gain(d)",
    "inner function": "import own\ndef f(d):\n    return [own.gain(x) for x in d]",
    "closure": "def g():\n    import own\n    return lambda d: own.gain(d)\nf = g()",
    "class": "import own\nclass f:\n    def g(self, d):\n        return own.gain(d)",
    "object": "import own\ndef f(d):\n    return own.settings.rate",
    "string": "import own\ndef f(d):\n    return getattr(own, 'gain')(d)",
    "item": "import own\ndef f(d):\n    return vars(own)['gain'](d)",
    "global": "from own import gain\ndef f(d):\n    return globals()['gain'](d)",
}
OWN = """
import sys
from types import SimpleNamespace

self = sys.modules[__name__]  # as a package that its own parts import
scale = 2.0
settings = SimpleNamespace(rate=scale)

def helper(d):
    return d * self.scale

def gain(d):
    return helper(d)

def unread(d):
    return 1
"""


@pytest.mark.parametrize("name", READERS)
def test_what_code_reads_of_modules_counts(name, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "own").mkdir()

    def described(source):
        for file in ("__init__.py", "part.py"):
            (tmp_path / "own" / file).write_text(source)
        for module in ("own", "own.part"):
            sys.modules.pop(module, None)
        names = {"__name__": "prompt"}
        exec(READERS[name], names)
        return describe(names["f"])

    assert described(OWN) == described(OWN)
    assert described(OWN) != described(OWN.replace("2.0", "3.0"))
    assert described(OWN) == described(OWN.replace("return 1", "return 2"))
    assert described(OWN) == described("\n\n" + OWN)
    sys.modules.pop("own"), sys.modules.pop("own.part", None)


@pytest.mark.parametrize(
    "reader",
    [
        "import own\ndef f(d, m=own):\n    return m.gain(d)",
        "import own\nclass f:\n    m = own\n    def g(self, d):\n"
        "        return self.m.gain(d)",
        "import own\nfrom types import SimpleNamespace\nf = SimpleNamespace(m=own)",
    ],
)
def test_modules_that_code_reaches_count_by_their_files(reader, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def described(source):
        (tmp_path / "own.py").write_text(source)
        sys.modules.pop("own", None)
        names = {"__name__": "prompt"}
        exec(reader, names)
        return describe(names["f"])

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert described(OWN) == described(OWN)
    assert described(OWN) != described(OWN.replace("2.0", "3.0"))
    sys.modules.pop("own")


@pytest.mark.parametrize("part", ["from part import gain", "import part"])
def test_so_do_the_modules_that_these_hold(part, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "own.py").write_text(part)

    def described(source):
        (tmp_path / "part.py").write_text(source)
        for name in ("own", "part"):
            sys.modules.pop(name, None)
        names = {}
        exec("import own\ndef f(d, m=own):\n    return m.gain(d)", names)
        return describe(names["f"])

    assert described(OWN) == described(OWN)
    assert described(OWN) != described(OWN.replace("2.0", "3.0"))
    sys.modules.pop("own"), sys.modules.pop("part")


def test_modules_named_as_those_of_python_are_the_users_own(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "this", raising=False)

    def described(source):
        (tmp_path / "this.py").write_text(source)
        sys.modules.pop("this", None)
        names = {}
        exec("from this import gain\ndef f(d):\n    return gain(d)", names)
        return describe(names["f"])

    assert described(OWN) != described(OWN.replace("2.0", "3.0"))
    sys.modules.pop("this")


@pytest.mark.parametrize(
    "library", ["peft", "tokenizers", "sentencepiece", "sacremoses", "numpy"]
)
def test_functions_of_libraries_are_told_by_name(library):
    functions = powered(1), powered(2)
    assert len({*map(describe, functions)}) == 2
    for function in functions:
        function.__module__ = f"{library}.part"
    assert len({*map(describe, functions)}) == 1


def test_installed_modules_are_told_by_name(tmp_path, monkeypatch):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    (folder / "installed_here.py").write_text(
        "used = []\ndef gain(d):\n    return used"
    )
    import installed_here

    def scoring(d, y):
        return installed_here.gain(d)

    before = describe(scoring)
    installed_here.used.append(1)
    assert describe(scoring) == before
    del sys.modules["installed_here"]


class Unit(np.ndarray):
    """An array with an attribute."""


class MaskedUnit(np.ma.MaskedArray):
    """The same, with a mask."""


def test_masks_and_attributes_of_arrays_count():
    values, texts = np.arange(3.0), set()
    for mask in ([0, 0, 1], [1, 0, 0]):
        masked = np.ma.array(values, mask=mask)
        assert describe(masked) == describe(masked.copy())
        texts.add(describe(masked))
    for unit, kind in itertools.product((1, 10), (Unit, MaskedUnit)):
        array, same = values.view(kind), values.view(kind)
        array.unit = same.unit = unit
        assert describe(array) == describe(same)
        texts.add(describe(array))
    assert len({describe(values), *texts}) == 7
