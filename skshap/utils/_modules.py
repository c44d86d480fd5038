"""Modules that code reads: which are told by name, and what the others hold."""

import inspect
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

__all__ = ["held", "is_installed", "is_library", "with_parts"]

# Told by name: they do not change under it.
LIBRARIES = {
    *("torch", "transformers", "peft", "tokenizers", "sentencepiece", "sacremoses"),
    *("numpy", "scipy", "sklearn", "joblib", "pandas"),
}
STANDARD = Path(sysconfig.get_paths()["stdlib"]).resolve()
INSTALLED = {"site-packages", "dist-packages"}  # folders of modules told by name too


def is_library(name):
    """Whether a module of that name is of a library that is told by name.

    Of those named as in the standard library, only what lies there: a user's folder may
    be called "code".
    """
    root = (name or "").split(".")[0]
    if root not in sys.stdlib_module_names:
        return root in LIBRARIES
    file = file_of(sys.modules.get(root))
    return file is None or STANDARD in file.resolve().parents


def is_installed(module):
    """Whether a module is told by its name: it is no code that its user edits."""
    file = file_of(module)
    is_there = file is not None and not INSTALLED.isdisjoint(file.parts)
    return is_library(module.__name__) or is_there


def file_of(module):
    """Return the path of the file of a module, None if it has none."""
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file)


def held(module, names, met):
    """Return what a module, and those that it holds, have of some names.

    Whatever code names may be an attribute of a module that it reads: in which way it
    gets there, bytecode tells in another way in each version of Python.

    Parameters
    ----------
    module : module
    names : list of str
    met : set of int
        Modules that were asked already, by identity; is extended.

    Returns
    -------
    list of (str, object)
        Each under the name of its module and its own.
    """
    if is_installed(module) or id(module) in met:
        return []
    met.add(id(module))
    found = []
    for name in names:
        value = vars(module).get(name)
        if isinstance(value, ModuleType):
            found += held(value, names, met)
        elif name in vars(module):
            found.append((f"{module.__name__}.{name}", value))
    return found


def with_parts(module, met=None):
    """Return a module, and those whose code it holds, by name, but installed ones.

    Parameters
    ----------
    module : module
    met : dict or None, default=None
        Modules that were met already, by name; is extended.

    Returns
    -------
    dict of str to path or None
        The file of each, None where there is none to read.
    """
    met = {} if met is None else met
    if module is None or module.__name__ in met or is_installed(module):
        return met
    file = file_of(module)
    met[module.__name__] = file if file is not None and file.is_file() else None
    for value in [*vars(module).values()]:
        if inspect.isfunction(value) or inspect.isclass(value):
            value = sys.modules.get(value.__module__)
        if isinstance(value, ModuleType):
            with_parts(value, met)
    return met
