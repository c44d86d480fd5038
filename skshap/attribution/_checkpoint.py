"""Checkpoints: the state of an estimate in a file, to go on from after a kill."""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from skshap.exceptions import DamagedStoreWarning
from skshap.utils._files import (
    DAMAGE,
    is_damage,
    read_arrays,
    remove_leftovers,
    write_arrays,
)
from skshap.utils._warn import warn_caller

__all__ = ["Checkpoint", "check_path", "digest", "is_folder"]

INTERVAL = 10.0  # seconds between writes


def digest(*parts):
    """Hash arrays and whatever else has a telling `repr`; return it in hexadecimal."""
    hashed = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            hashed.update(f"{part.dtype.str}{part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
        else:
            hashed.update(repr(part).encode())
        hashed.update(b";")
    return hashed.hexdigest()


class Checkpoint:
    """A file that holds the state of one computation, which has one stage or more.

    Parameters
    ----------
    path : path or None
        The file, or a folder that has one for each computation, see `is_folder`; None
        keeps nothing.
    identity : str
        Digest of what is computed.
    seed : int or None, default=None
        Of the computation, if another one has another file in a folder.
    """

    def __init__(self, path, identity, seed=None):
        self.path = None if path is None else Path(path).expanduser()
        self._is_in_folder = path is not None and is_folder(path)
        if self._is_in_folder:
            self.path /= f"{digest(identity, seed)}.npz"
        self.identity = identity
        self._stages = {}  # arrays of each, by name
        self.stage = 0  # the one that is loaded and saved
        self._written = time.monotonic()

    def load(self):
        """Return the arrays of the state of this stage, by name, or None if none are.

        Raises
        ------
        ValueError
            If the file holds the state of another computation, or none. A damaged one
            in a folder, which has a name that no one else gives, is written anew.

        Warns
        -----
        DamagedStoreWarning
            If a file in a folder is damaged.
        """
        if self.path is None:
            return None
        if self.path.exists() and not self.path.is_file():
            raise ValueError(
                f"checkpoint={str(self.path)!r} is a device, or a folder in the place "
                "of a file; pass the path of a file or of a folder, which need not "
                "exist."
            )
        remove_leftovers(self.path)
        try:
            state = read_arrays(self.path)
            identity, *outline = state.pop("identity").ravel().tolist()
            if outline != [_outline(state)]:
                raise ValueError("it holds other arrays")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DAMAGE as error:
            if self._is_in_folder and is_damage(error):
                warn_caller(
                    f"checkpoint={str(self.path)!r} is damaged ({error}); what it held "
                    "is computed again.",
                    DamagedStoreWarning,
                )
                return None
            raise ValueError(
                f"checkpoint={str(self.path)!r} cannot be read as a checkpoint "
                f"({error}). It is damaged, or another kind of file; nothing is "
                "written over it. Use another path, or delete the file to start anew."
            ) from error
        if identity != self.identity:
            raise ValueError(
                f"checkpoint={str(self.path)!r} holds the state of another "
                "computation: rows, labels, kernel, parameters or random_state differ. "
                "(So do, by rounding, values of a network's kernel that were computed "
                "with another number of threads or on another machine.) Use another "
                "path, or a folder, which has a file for each, or delete the file to "
                "start anew."
            )
        self._stages = {}
        for name, array in state.items():
            stage, name = name.split("_", 1)
            self._stages.setdefault(int(stage), {})[name] = array
        return self._stages.get(self.stage)

    def is_due(self):
        """Whether the last write was some time ago."""
        elapsed = time.monotonic() - self._written
        return self.path is not None and elapsed >= INTERVAL

    def save(self, **state):
        """Write arrays, all or nothing; go on without once that fails."""
        if self.path is None:
            return
        try:
            self._stages[self.stage] = state
            arrays = {
                f"{stage}_{name}": array
                for stage, kept in self._stages.items()
                for name, array in kept.items()
            }
            identity = np.array([self.identity, _outline(arrays)])
            write_arrays(self.path, identity=identity, **arrays)
        except OSError as error:
            warn_caller(
                f"checkpoint={str(self.path)!r} cannot be written ({error}); the "
                "computation goes on, but could not be resumed from here.",
                DamagedStoreWarning,
            )
            self.path = None
        self._written = time.monotonic()


def check_path(path):
    """Check a `checkpoint`, before anything is computed.

    Parameters
    ----------
    path : path or None

    Raises
    ------
    ValueError
        If the path is empty, too long, no text, has a null character or a lone
        surrogate, goes in circles, is in the home of a user that is not known, or is
        relative to a folder that is gone.
    """
    if path is None:
        return
    name = os.fspath(path)
    if not isinstance(name, str) or name == "" or "\0" in name:
        raise ValueError(
            f"checkpoint={name!r} names no file; pass the path of one, as "
            "'values.npz', or of a folder, or None to keep nothing."
        )
    try:
        full = Path(name).expanduser().absolute()
        with suppress(NotADirectoryError, FileNotFoundError):
            os.stat(full)
    except (OSError, RuntimeError, UnicodeError) as error:
        raise ValueError(
            f"checkpoint={name!r:.60} cannot be a file "
            f"({getattr(error, 'strerror', None) or error}); pass another path, an "
            "absolute one if this is relative."
        ) from error


def is_folder(path):
    """Whether a path is that of a folder, or of nothing yet that is to be one.

    A file that is to be made has the suffix ".npz", without a slash behind it: names of
    folders may have dots, as of dates and versions.
    """
    name = os.fspath(path)
    path = Path(path).expanduser()
    if name.endswith(("/", os.sep)) or path.is_dir():
        return True
    return not (path.exists() or path.suffix.lower() == ".npz")


def _outline(state):
    """Hash names, types and shapes of arrays."""
    return digest(*((name, x.dtype.str, x.shape) for name, x in sorted(state.items())))
