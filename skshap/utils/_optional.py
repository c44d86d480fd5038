"""Packages that skshap can do without: imported when needed, missed with a hint."""

import importlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

__all__ = ["import_optional", "locate_optional"]


def import_optional(name, extra):
    """Import a module that an extra of skshap installs.

    Parameters
    ----------
    name : str
        Dotted name of the module.
    extra : str
        The extra of skshap that installs it.

    Returns
    -------
    module
        The imported module, the innermost one of a dotted name.

    Raises
    ------
    ImportError
        If the module is not installed. The message names the extra. An import error
        inside an installed module is passed on unchanged.

    Examples
    --------
    >>> from skshap.utils._optional import import_optional
    >>> import_optional("os.path", "plot").basename("a/b")
    'b'
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the module asked for or one of its parents counts as not installed.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ImportError(_hint(name.partition(".")[0], extra)) from error


def locate_optional(package, path, extra):
    """Find a file or folder inside a distribution that an extra of skshap installs.

    Parameters
    ----------
    package : str
        Name of the distribution as pip knows it.
    path : str
        Path of it below the folder into which the distribution was installed.
    extra : str
        The extra of skshap that installs it.

    Returns
    -------
    pathlib.Path
        The file or folder. The package's own code is not imported.

    Raises
    ------
    ImportError
        If the distribution is not installed. The message names the extra.
    FileNotFoundError
        If it is installed and the file is not in it.

    Examples
    --------
    >>> from skshap.utils._optional import locate_optional
    >>> locate_optional("numpy", "numpy/__init__.py", "demo").name
    '__init__.py'
    """
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        raise ImportError(_hint(package, extra)) from error
    file = Path(found.locate_file(path))
    if not file.exists():
        raise FileNotFoundError(
            f"{package} {found.version} is installed but has no file {path!r}."
        )
    return file


def _hint(package, extra):
    return (
        f"This needs {package}, which is not installed. "
        f'Install it with: pip install "skshap[{extra}]"'
    )
