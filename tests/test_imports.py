"""Who may import whom, read from the sources, and how long a module may be."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skshap

PACKAGE = Path(__file__).parents[1] / "skshap"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Imports run down this list, never up.
LAYERS = [
    "inspection",
    "evaluation",
    "selection",
    "attribution",
    "kernel_ridge",
    "kernels",
    "nn",
]
# What each part may import of skshap besides itself.
ALLOWED = {
    "exceptions": set(),
    "utils": {"exceptions"},
    "datasets": {"utils", "exceptions"},
    **{
        layer: {*LAYERS[i + 1 :], "utils", "exceptions"}
        for i, layer in enumerate(LAYERS)
    },
}
# Slow to load or optional: imported inside the functions that need them.
LAZY = {"matplotlib", "peft", "transformers"}
MAX_LINES = 500


def imports(source):
    """Full dotted name of everything imported, and whether at module level."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        at_module_level = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_module_level
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            for alias in node.names:
                yield f"{start}.{alias.name}", at_module_level


def violations(path, source):
    """What the imports of one module break, as sentences.

    `path` is the module's path below the package, "kernels/_entk.py" say.
    """
    part = Path(path).parts[0].removesuffix(".py")
    found = []
    if part != "__init__" and part not in ALLOWED:
        found.append(f"{part} is not in the table of layers")
    for name, at_module_level in imports(source):
        root, *rest = name.split(".")
        if not root:
            found.append(f"relative import {name}")
        elif root == "skshap" and part != "__init__":
            target = rest[0] if rest else "skshap itself"
            if target != part and target not in ALLOWED.get(part, ()):
                found.append(f"{part} must not import {target}: {name}")
        elif root == "sklearn":
            if part == "nn":
                found.append(f"nn must not import scikit-learn: {name}")
            private = any(piece.startswith("_") for piece in rest)
            if private and path != "utils/_sklearn.py":
                found.append(f"private name outside utils/_sklearn.py: {name}")
        elif root in LAZY and at_module_level:
            found.append(f"{root} imported at module level: {name}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_keep_their_direction(path):
    relative = path.relative_to(PACKAGE).as_posix()
    assert violations(relative, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_there_is_something_to_check():
    assert len(SOURCES) > 10


@pytest.mark.parametrize(
    ("path", "source"),
    [
        # up the layers
        ("nn/_gram.py", "from skshap.kernels import EmpiricalNTK"),
        ("kernels/_entk.py", "import skshap.kernel_ridge"),
        ("kernel_ridge/_base.py", "from skshap.attribution._freeshap import x"),
        ("attribution/_freeshap.py", "from skshap import selection"),
        ("selection/_base.py", "def f():\n    from skshap.evaluation import x"),
        ("evaluation/_lds.py", "from skshap.inspection import x"),
        ("utils/_validation.py", "from skshap.kernels import x"),
        ("exceptions.py", "from skshap.utils import x"),
        ("datasets/_noise.py", "from skshap.evaluation import x"),
        ("kernels/_entk.py", "from skshap.datasets import x"),
        # through the top level
        ("nn/_gram.py", "import skshap"),
        ("nn/_gram.py", "from skshap import EmpiricalNTK"),
        # a part nobody placed
        ("plotting/_x.py", "import numpy"),
        # relative
        ("nn/_gram.py", "from . import _models"),
        ("nn/_gram.py", "from ._models import load"),
        # scikit-learn
        ("nn/_gram.py", "import sklearn"),
        ("nn/_gram.py", "def f():\n    from sklearn.utils import check_array"),
        ("kernel_ridge/_base.py", "from sklearn.base import _fit_context"),
        (
            "kernel_ridge/_base.py",
            "from sklearn.utils._param_validation import Interval",
        ),
        ("kernel_ridge/_base.py", "import sklearn.utils._param_validation"),
        ("utils/_validation.py", "from sklearn.utils import _safe_indexing"),
        # at module level
        ("nn/_models.py", "import transformers"),
        ("nn/_models.py", "if True:\n    from transformers import AutoModel"),
        ("nn/_models.py", "class A:\n    import transformers.utils"),
        (
            "inspection/_x.py",
            "try:\n    import matplotlib\nfinally:\n    0",
        ),
        ("__init__.py", "import matplotlib"),
    ],
)
def test_checker_objects(path, source):
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("__init__.py", "from skshap.inspection import DetectionCurveDisplay"),
        ("inspection/_x.py", "from skshap.evaluation import x"),
        ("inspection/_x.py", "from skshap.nn import x"),
        ("kernels/_entk.py", "from skshap.nn._models import x"),
        ("kernels/_entk.py", "from skshap.kernels._store import x"),
        ("kernel_ridge/_base.py", "from skshap.utils._sklearn import x"),
        ("kernel_ridge/_base.py", "from sklearn.utils import check_array"),
        ("nn/_models.py", "from skshap.exceptions import ModelNotFoundError"),
        ("nn/_models.py", "def f():\n    from transformers import AutoModel"),
        ("nn/_models.py", "class A:\n    async def f(self):\n        import peft"),
        ("utils/_sklearn.py", "from sklearn.base import _fit_context"),
    ],
)
def test_checker_agrees(path, source):
    assert violations(path, source) == []


def test_importing_skshap_loads_no_slow_or_optional_package():
    code = (
        "import sys; import skshap, skshap.datasets, skshap.inspection; "
        f"print(*sorted({LAZY!r} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == []


def test_errors_come_from_the_top_level_and_warnings_from_exceptions():
    errors = {
        name
        for name in skshap.exceptions.__all__
        if not issubclass(getattr(skshap.exceptions, name), Warning)
    }
    assert errors == set(skshap.exceptions.__all__) & set(skshap.__all__)
    for name in errors:
        assert getattr(skshap, name) is getattr(skshap.exceptions, name)


def exported(path):
    """Names in `__all__` of a module."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_what_is_imported_is_exported(path):
    modules = {
        ".".join(("skshap", *source.relative_to(PACKAGE).with_suffix("").parts)): source
        for source in SOURCES
    }
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            missing = {a.name for a in node.names} - exported(modules[node.module])
            assert not missing, f"{node.module} lacks {missing} in __all__"


# Pure helpers, which the map of the code need not name.
HELPERS = {
    "attribution": {"_own_rows"},
    "kernels": {
        "_callables",
        "_column_cost",
        "_column_errors",
        "_dates",
        "_folder",
        "_kernels_on_columns",
        "_narrow",
        "_overridden",
        "_pairwise_values",
    },
    "nn": {
        "_autograd",
        "_batch",
        "_batched_rows",
        "_capture_checks",
        "_causal",
        "_product",
        "_sorted_rows",
        "_token_products",
    },
    "selection": {
        "_attributed",
        "_class_values",
        "_held_out",
        "_rare_labels",
        "_stack",
    },
}


def modules_on_the_map():
    """Paths below the package that doc/contributing.rst names."""
    page = (PACKAGE.parent / "doc" / "contributing.rst").read_text("utf-8")
    text = page.split("Where things are\n")[1].split("Words of the code\n")[0]
    calls = text.split("\n\n``")
    assert len(calls) == 5
    for call in calls:
        named = re.findall(r"``((?:\w+/)?_\w+\.py)``", call)
        own_folder = next((name for name in named if "/" in name), "attribution/")
        for name in named:
            yield name if "/" in name else f"{own_folder.split('/')[0]}/{name}"


def test_map_of_the_code_names_modules_that_exist():
    for name in modules_on_the_map():
        assert (PACKAGE / name).is_file(), name


@pytest.mark.parametrize("folder", HELPERS)
def test_map_of_the_code_names_each_module(folder):
    named = set(modules_on_the_map())
    missing = {
        path.stem
        for path in (PACKAGE / folder).glob("_*.py")
        if f"{folder}/{path.name}" not in named
        # That of a public class or function is named by it, and says so at first.
        and not (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("`")
    }
    assert missing - {"__init__"} == HELPERS[folder]


def test_checklists_name_files_that_exist():
    page = (PACKAGE.parent / "doc" / "contributing.rst").read_text("utf-8")
    named = re.findall(r"``((?:\w+/)+\w+\.py)``", page.split("What to touch\n")[1])
    assert named
    for name in named:
        root = PACKAGE.parent if name.startswith("tests/") else PACKAGE
        assert (root / name).is_file(), name
