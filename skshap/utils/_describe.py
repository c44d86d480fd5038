"""Descriptions: text that tells objects apart by what they do, the same in any process.

Compiled code is taken without file names and line numbers, so that what is typed again
is found again. Of what code reads from outside, values of a closure count, and all that
it names of its own module and of modules that it names, in a string too: functions,
classes, objects and data, but not what it imports when it runs. Methods count with
their objects, but for generators that all libraries share. Modules that it reaches
in other ways, as by a default or an attribute, count by their files and those of the
modules that they hold. Libraries are told by name; so are modules that are installed.
"""

import copyreg
import dis
import hashlib
import inspect
import random
from functools import cache, cached_property
from types import CodeType, MappingProxyType, ModuleType
from uuid import uuid4

import joblib
import numpy as np
import torch

from skshap.utils._modules import held, is_installed, is_library, with_parts

__all__ = ["describe", "describe_class", "short_hash", "unordered"]

SCALARS = (bool, int, float, complex, str, bytes, type(None), np.generic)
PROCESS = uuid4().hex
# Generators of libraries: what they draw depends on what was drawn before.
SHARED = random.random.__self__, np.random.random.__self__
# Types of what functions of pybind11 have where methods have their object.
PLACES = "PyCapsule", "pybind11_"
MASKED = np.ma.array(0.0)  # whose attributes are its mask, which is pickled
UNKNOWN = {}  # by identity, held, so that no other object takes it


def describe(value, seen=None):
    """Describe data, a function or any other object.

    Parameters
    ----------
    value : object
    seen : dict or None, default=None
        What has been described on the way here, by identity; under "unknown", the
        text for what cannot be pickled.

    Returns
    -------
    str
        Unless `seen` has a text for it, what cannot be pickled is not taken for another
        object, nor found again in another process.
    """
    seen = {} if seen is None else seen
    if isinstance(value, SCALARS):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, ModuleType):
        return _describe_module(value)
    if id(value) not in seen:
        # Held, so that no other object takes its identity.
        seen[id(value)] = "again", value
        try:
            text = _text(value, seen)
        except Exception:  # whatever an object's own code raises
            UNKNOWN[id(value)] = value
            text = seen.get("unknown", f"{PROCESS} {id(value)}")
        seen[id(value)] = _short(text), value
    return seen[id(value)][0]


def describe_class(kind, seen=None):
    """Describe what the functions and the attributes of a class say.

    Parameters
    ----------
    kind : type
    seen : dict or None, default=None
        See `describe`.

    Returns
    -------
    str
    """
    seen = {} if seen is None else seen
    seen.setdefault(id(kind), (_short(_name(kind)), kind))  # what its own code reads
    parts = [_name(kind)]
    for base in kind.__mro__[:-1]:
        if is_library(base.__module__):
            is_own = base is kind or "forward" in vars(base)
            if is_own and not base.__module__.startswith("torch."):
                parts.append(_source(base))
            continue
        for name, value in vars(base).items():
            is_hidden = name.startswith("__") or name == "_abc_impl"
            for one in _functions(value) or [_unbound(value)]:
                if callable(one) or not is_hidden:
                    parts.append(f"{name} {describe(one, seen)}")
    return "\n".join(parts)


def _text(value, seen):
    """Describe what has parts, or an identity of its own."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        known = value.float() if value.dtype == torch.bfloat16 else value  # to numpy
        return f"{value.dtype} {joblib.hash(known.numpy())}"
    if type(value) in (np.ndarray, np.memmap) and value.dtype.kind != "O":
        return joblib.hash(np.ascontiguousarray(value))
    if isinstance(value, MappingProxyType):  # of names, see `unordered`
        return f"names {sorted(describe(item, seen) for item in value.items())}"
    if type(value) is dict:  # whose order code may read
        return f"dict {[describe(item, seen) for item in value.items()]}"
    if isinstance(value, (set, frozenset)):  # of strings in no fixed order
        # Nor may what one of them has in common with another be told by order.
        return f"set {sorted(describe(item, dict(seen)) for item in value)}"
    if type(value) in (list, tuple):
        return f"{type(value).__name__} {[describe(item, seen) for item in value]}"
    owner = _owner(value)
    for generator in SHARED:
        if value is generator or owner is generator:
            name = getattr(value, "__qualname__", type(value).__qualname__)
            return f"shared {name}"
    if inspect.ismethod(value):
        return f"{describe(value.__self__, seen)} {describe(value.__func__, seen)}"
    if inspect.isfunction(value) and not is_library(value.__module__):
        return _describe_function(value, seen)
    if inspect.isclass(value) and not is_library(value.__module__):
        return describe_class(value, seen)
    is_routine = inspect.isroutine(value) and hasattr(value, "__qualname__")
    if is_routine and owner is not None:  # of an object in C
        return f"{_name(value)} {describe(owner, seen)}"
    if inspect.isclass(value) or is_routine:  # and no object that is a descriptor
        wrapped = getattr(value, "__wrapped__", None)  # of functools.cache
        return _name(value) if wrapped is None else describe(wrapped, seen)
    return _describe_object(value, seen)


def _owner(value):
    """Return the object whose method a value is, None if it has none of its own."""
    owner = getattr(value, "__self__", None) if inspect.isroutine(value) else None
    is_place = isinstance(owner, ModuleType) or type(owner).__name__.startswith(PLACES)
    return None if is_place else owner


def _describe_function(function, seen):
    """Describe the code of a function, and what it reads from outside."""
    own = dict(vars(function))
    if isinstance(own.get("registry"), MappingProxyType):  # of functools.singledispatch
        own = {name: own.get(name) for name in ("registry", "__wrapped__")}
    read = [function.__defaults__, function.__kwdefaults__, MappingProxyType(own)]
    for cell in function.__closure__ or ():
        try:
            read.append(cell.cell_contents)
        except ValueError:  # not filled yet
            read.append("empty")
    modules = [value for value in read if isinstance(value, ModuleType)]
    read = [value for value in read if not isinstance(value, ModuleType)]
    codes = list(_codes(function.__code__))
    words = {c for code in codes for c in code.co_consts if isinstance(c, str)}
    names = _names(codes)
    if "globals" in names:
        names = sorted({*names, *(words & function.__globals__.keys())})
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            modules.append(value)
        else:
            read.append((name, value))
    attributes = {name for code in codes for name in code.co_names}
    met = set()
    for module in modules:
        read += held(module, sorted(attributes | words), met)
    return f"{_describe_code(function.__code__)} {describe(read, seen)}"


def _describe_module(module):
    """Describe a module by what its file holds, whatever code reads of it."""
    if is_installed(module):
        return module.__name__
    return " ".join(
        name if file is None else f"{name} {_short(file.read_bytes().hex())}"
        for name, file in sorted(with_parts(module).items())
    )


def _describe_object(value, seen):
    """Describe an object by its class and its state."""
    reduce = copyreg.dispatch_table.get(type(value))
    reduced = value.__reduce_ex__(2) if reduce is None else reduce(value)
    if isinstance(reduced, str):
        if not reduced.isidentifier():
            raise TypeError(f"{reduced!r} is no name")  # a ufunc made of a function
        return f"{_name(type(value))} {reduced}"
    made, arguments, *state = reduced
    # Attributes, or these and what is in slots; what comes behind are iterators.
    own = state[0] if state else None
    own = tuple(map(_names_of, own)) if isinstance(own, tuple) else _names_of(own)
    behind = [list(part) for part in state[1:3] if part is not None]
    if isinstance(value, np.ndarray) and _attributes(value):
        behind.append(_names_of(_attributes(value)))
    parts = describe([made, arguments, own, *behind], seen)
    return f"{describe_class(type(value), seen)} {parts}"


def _attributes(array):
    """Return attributes of an array of a subclass, which are not pickled."""
    own = getattr(array, "__dict__", {})
    pickled = vars(MASKED) if isinstance(array, np.ma.MaskedArray) else ()
    return {name: own[name] for name in own if name not in pickled}


def unordered(value):
    """Return a dict, and the dicts in it, as ones of which no code reads the order."""
    if type(value) is not dict:
        return value
    return MappingProxyType({name: unordered(item) for name, item in value.items()})


def _names_of(state):
    """Return attributes of an object in no order."""
    return MappingProxyType(state) if type(state) is dict else state


def short_hash(content):
    """Return a digest of bytes, or of an array of them, as names of files have it."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _short(text):
    return short_hash(text.encode("utf-8", "surrogatepass"))


def _name(value):
    return f"{getattr(value, '__module__', None)}.{value.__qualname__}"


@cache
def _source(kind):
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # a program that carries compiled code only
        functions = [f for value in vars(kind).values() for f in _functions(value)]
        return "\n".join(_describe_code(f.__code__) for f in functions)


def _functions(value):
    """Return the Python functions that an attribute of a class stands for."""
    if isinstance(value, cached_property):
        return [value.func]
    if isinstance(value, property):
        return [f for f in (value.fget, value.fset, value.fdel) if f is not None]
    value = _unbound(value)
    return [value] if inspect.isfunction(value) else []


def _unbound(value):
    """Return what a static or class method is of, or any other value itself."""
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value


def _codes(code):
    """Yield code and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _names(codes):
    """Return the global names that codes read, sorted."""
    found = {
        step.argval
        for code in codes
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    return sorted(found)


def _describe_code(code):
    constants = [
        _describe_code(c) if isinstance(c, CodeType) else describe(c)
        for c in code.co_consts
    ]
    # How many arguments have names, and whether others are taken, no instruction tells.
    called = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    takes = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    parts = [*called, takes, code.co_names, code.co_varnames, constants]
    return f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {parts}"
