"""The folder that a parameter `memory` names: where it is, and keeping it small."""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from skshap.utils._files import LEFT_OVER
from skshap.utils._warn import warn_caller

__all__ = ["memory_folder", "reduce_memory", "warn_of_other_folder"]

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def memory_folder(memory):
    """Return the folder in which a parameter ``memory`` keeps files, or None."""
    location = getattr(memory, "location", memory)
    if location == "":
        raise ValueError(
            "memory='' names no folder; pass the path of one, as '.' for the working "
            "folder, or None to keep nothing."
        )
    return None if location is None else Path(location).expanduser() / "skshap"


def warn_of_other_folder(memory):
    """Warn of a relative ``memory`` of a loaded kernel that is not in this place."""
    folder = memory_folder(memory)
    if folder is None or folder.is_absolute() or folder.is_dir():
        return
    warn_caller(
        f"memory={str(folder.parent)!r} of a kernel that was pickled or copied is "
        f"relative to the working folder, but in {str(folder.parent.absolute())!r} "
        "nothing was kept: gradients are computed again. Use an absolute path as "
        "memory, or set it before the kernel is used: kernel.set_params(memory=...), "
        "of an attributor or classifier its kernel_.set_params(memory=...)."
    )


def reduce_memory(memory, bytes_limit):
    """Remove what was used least recently from a memory, down to a size.

    What `memory` of :class:`skshap.EmpiricalNTK` keeps grows without limit. This is
    what :meth:`joblib.Memory.reduce_size` is for results of functions. What is removed
    is computed again when needed; other processes may use the memory meanwhile. Lists
    of which rows there are, without which kernel values cannot be found, go last.

    Parameters
    ----------
    memory : str, path or joblib.Memory
        As given to the kernel.
    bytes_limit : int or str
        Size in bytes to stay below, or a number with a unit, as in "500M", "2G" or
        "100 MB"; a K is 1024 bytes, as with joblib. Zero removes everything.

    Returns
    -------
    int
        Bytes that are left.

    Raises
    ------
    ValueError
        If `bytes_limit` is no size, or `memory` is empty.

    Warns
    -----
    UserWarning
        If there is no such folder.

    See Also
    --------
    skshap.EmpiricalNTK : Its parameter `memory` says what is kept.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skshap import EmpiricalNTK, reduce_memory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kernel = EmpiricalNTK(memory=folder, random_state=0).fit(np.eye(9))
    ...     reduce_memory(folder, "1K") <= 1024
    True
    """
    limit = _parse_bytes(bytes_limit)
    folder = memory_folder(memory)
    if folder is not None and not folder.parent.is_dir():
        warn_caller(
            f"there is no folder memory={str(folder.parent)!r}, so that nothing is "
            "removed; pass what the kernel has as memory."
        )
    files = []
    for path in [] if folder is None else files_in(folder):
        with suppress(FileNotFoundError):
            stat = path.stat()
            is_half = path.suffix == ".tmp"
            if is_half and time.time() - stat.st_mtime < LEFT_OVER:
                continue
            if path.is_file():
                # Of a killed process: the first to go, whatever the limit. Last go
                # the lists of rows, without which tiles of kernel values are lost:
                # they are read before their tiles, and are small.
                order = not is_half, path.parent.name == "keys", stat.st_mtime
                files.append((order, stat.st_size, path))
    left = sum(size for _, size, _ in files)
    for (is_whole, *_), size, path in sorted(files):
        if left <= limit and is_whole:
            break
        path.unlink(missing_ok=True)
        left -= size
    return left


def files_in(folder):
    """Yield what stores have written, and nothing that others keep beside it."""
    for shelf in ("rows/*", "norms", "gram", "keys"):
        for kind in ("*.npz", ".*.tmp"):
            yield from folder.glob(f"*/{shelf}/{kind}")


def _parse_bytes(size):
    text = str(size).strip().upper().removesuffix("B").removesuffix("I").strip()
    unit = UNITS.get(text[-1:], 1)
    try:
        n_bytes = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        n_bytes = -1.0
    if not 0 <= n_bytes < np.inf:
        raise ValueError(
            f"bytes_limit={size!r} is no size; give a number of bytes, or one with a "
            "unit such as '500M' or '2G'."
        )
    return int(n_bytes)
