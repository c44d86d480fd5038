"""What functions and classes do, as text that can be told from that of others.

Compiled code is taken without file names and line numbers, so that what is typed again
is found again. Of what it reads from outside, values of a closure, functions and plain
data of its module count; other modules, and what they hold, do not.
"""

import inspect
from collections import deque
from functools import cache
from types import CodeType

import numpy as np
import torch

__all__ = ["class_text", "function_text"]

# Their classes are told by name and source, and do not change under it.
LIBRARIES = {"torch", "transformers", "peft"}
PLAIN = (bool, int, float, complex, str, bytes, type(None), np.ndarray, np.generic)


def class_text(kind, value_text):
    """Describe the code of a class of modules, and what its code reads.

    Parameters
    ----------
    kind : type
    value_text : callable
        Describes data.

    Returns
    -------
    str
    """
    parts = []
    for base in kind.__mro__[:-1]:
        library = base.__module__.split(".")[0]
        if library == "torch":
            continue  # told by its name
        if library in LIBRARIES:
            if base is kind or "forward" in vars(base):
                parts.append(_source(base))
            continue
        for name, value in vars(base).items():
            found = _functions(value)
            if found:
                parts.extend(f"{name} {function_text(f, value_text)}" for f in found)
            elif not name.startswith("__") and name != "_abc_impl":
                parts.append(f"{name} {value_text(value)}")
    return "\n".join(parts)


def function_text(function, value_text):
    """Describe the code of a function, and of the functions and data that it reads.

    Parameters
    ----------
    function : callable
        Written in Python, or a method of an object.
    value_text : callable
        Describes data.

    Returns
    -------
    str
    """
    parts, seen, waiting = [], set(), deque([function])
    while waiting:
        function = waiting.popleft()
        owner = getattr(function, "__self__", None)
        if owner is not None:
            parts.append(value_text(owner))
        function = getattr(function, "__func__", function)
        if id(function) in seen:
            continue
        seen.add(id(function))
        parts.append(_code_text(function.__code__))
        parts.append(value_text((function.__defaults__, function.__kwdefaults__)))
        for name, value in _read_outside(function):
            found = _functions(value)
            if found and not _is_library(found[0]):
                waiting.extend(found)
            elif found or inspect.isclass(value):
                parts.append(f"{name} {value.__module__}.{value.__qualname__}")
            elif _is_plain(value):
                parts.append(f"{name} {value_text(value)}")
    return "\n".join(parts)


@cache
def _source(kind):
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # a program that carries compiled code only
        functions = [f for value in vars(kind).values() for f in _functions(value)]
        return "\n".join(_code_text(f.__code__) for f in functions)


def _functions(value):
    """Return the Python functions that an attribute stands for."""
    if isinstance(value, property):
        return [f for f in (value.fget, value.fset, value.fdel) if f is not None]
    value = inspect.unwrap(value) if callable(value) else value
    value = getattr(value, "__func__", value)  # of a static or class method
    return [value] if inspect.isfunction(value) else []


def _read_outside(function):
    """Yield names and values of what a function reads from around it."""
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code):
    """Return the names that code and the functions in it may read."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def _code_text(code):
    constants = [
        _code_text(c)
        if isinstance(c, CodeType)
        else f"{sorted(map(repr, c))}"  # of strings in no fixed order
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"


def _is_library(function):
    return function.__module__.split(".")[0] in LIBRARIES


def _is_plain(value):
    """Whether a value is data, and not an object with a life of its own."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN) or torch.is_tensor(value)
