"""numpydoc validation of everything public."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skshap

# The checks of numpydoc that are not held, each with the reason.
IGNORED = {
    "ES01": "a summary that says it all needs no extended summary",
    "SA01": "See Also only where there is something to see",
    "EX01": "asked of classes and functions in a test below, not of every method",
    "RT02": "results are named, as in scikit-learn, not only typed",
}


def public_modules():
    """skshap and its modules without an underscore in their path."""
    yield skshap
    for info in pkgutil.walk_packages(skshap.__path__, "skshap."):
        if "._" not in info.name:
            yield importlib.import_module(info.name)


def public_objects():
    """Classes and functions by the shortest dotted name they can be imported from."""
    objects = {}
    for module in public_modules():
        defined_here = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and getattr(value, "__module__", None) == module.__name__
        ]
        for name in getattr(module, "__all__", defined_here):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                objects.setdefault(value, f"{module.__name__}.{name}")
    return {name: value for value, name in objects.items()}


def public_methods(cls, name):
    """Methods and properties that skshap defines, by their dotted names."""
    for base in cls.__mro__:
        if not base.__module__.startswith("skshap."):
            continue
        for attribute, value in vars(base).items():
            is_code = inspect.isroutine(value) or isinstance(value, property)
            function = getattr(value, "fget", getattr(value, "__func__", value))
            # scikit-learn puts methods of its own making into our classes.
            is_ours = getattr(function, "__module__", "").startswith("skshap.")
            if is_code and is_ours and not attribute.startswith("_"):
                yield f"{name}.{attribute}"


OBJECTS = public_objects()
METHODS = sorted(
    {
        method
        for name, value in OBJECTS.items()
        if inspect.isclass(value)
        for method in public_methods(value, name)
    }
)


def faults(name):
    """Codes and messages of numpydoc's objections to one docstring."""
    return [error for error in validate(name)["errors"] if error[0] not in IGNORED]


@pytest.mark.parametrize("name", [*OBJECTS, *METHODS])
def test_docstring_is_valid(name):
    assert faults(name) == []


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_has_an_example(name):
    assert ">>> " in inspect.getdoc(OBJECTS[name])


@pytest.mark.parametrize("module", [*public_modules()], ids=lambda m: m.__name__)
def test_module_has_a_docstring(module):
    assert inspect.getdoc(module)


def test_there_is_something_to_check():
    assert "skshap.exceptions.DamagedStoreWarning" in OBJECTS
    assert any(name.endswith("DetectionCurveDisplay.plot") for name in METHODS)


def no_docstring(rows):
    return rows


def undocumented_parameter(rows):
    """Count the rows.

    Returns
    -------
    int
        The number of rows.
    """
    return len(rows)


@pytest.mark.parametrize(
    ("function", "code"), [(no_docstring, "GL08"), (undocumented_parameter, "PR01")]
)
def test_validation_objects(function, code):
    assert code in [error[0] for error in faults(f"{__name__}.{function.__name__}")]


def test_the_reference_lists_every_public_name():
    reference = (Path(__file__).parents[1] / "doc" / "api.rst").read_text("utf-8")
    listed = {line.strip() for line in reference.splitlines()}
    assert set(skshap.__all__) <= listed
    assert set(skshap.exceptions.__all__) <= listed
