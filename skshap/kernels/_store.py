"""Gradients and kernel values addressed by the content of the rows.

A store belongs to one network: its folder is named after a digest of the weights and
of everything else that a gradient depends on, so that a changed model or parameter
finds an empty folder. Rows are found by a digest of their own content, whatever data
set, fold or order they come in.
"""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from skshap.exceptions import DamagedStoreWarning
from skshap.kernels._tiles import set_missing
from skshap.utils._describe import short_hash
from skshap.utils._files import DAMAGE, is_damage, read_arrays, write_arrays
from skshap.utils._warn import warn_caller

__all__ = ["DiskStore"]

GONE = FileNotFoundError, NotADirectoryError  # what was removed, or replaced, meanwhile


class DiskStore:
    """Files of one network's gradients and kernel values.

    A gradient has a file of its own. Kernel values are kept in tiles, as they were
    computed, each named after the lists of keys of its rows and columns; so are squared
    norms. Lists are files as well, since tiles share them. Nothing is ever added to a
    file, so that processes do not lose what others write.

    Parameters
    ----------
    folder : path
        Of this network; made if missing.

    Raises
    ------
    ValueError
        If the folder cannot be made; the message names `memory`.

    Notes
    -----
    Every file is written under another name and renamed, so that a reader sees all of
    it or nothing. Zip archives carry a checksum of what they hold: a damaged file is
    reported with a `DamagedStoreWarning` and removed, and what it held is computed
    again. The same warning tells once that a disk is full, and nothing more is written.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in ("rows", "norms", "gram", "keys"):
            try:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            except (OSError, ValueError) as error:  # of a null character
                raise ValueError(
                    f"memory needs a folder that can be written, but {self.folder} "
                    f"cannot be made ({error}); pass another path, or memory=None."
                ) from error
        self._is_writable = True
        self._lists = {}

    def _path(self, kind, name):
        shelf = name[:2] if kind == "rows" else ""
        return self.folder / kind / shelf / f"{name}.npz"

    def get_row(self, key):
        """Return the flat gradient stored under `key`, or None."""
        return self._read(self._path("rows", key), "row")

    def put_row(self, key, row):
        """Write a flat gradient."""
        self._write(self._path("rows", key), row=row)

    def keep(self, keys):
        """Do nothing: files stay."""

    def get_norms(self, keys):
        """Return the squared norms of gradients, NaN where unknown.

        Parameters
        ----------
        keys : list of str
            n keys.

        Returns
        -------
        ndarray of shape (n,)
            float64.
        """
        out, index = np.full(len(keys), np.nan), _index(keys)
        for name in self._names("norms"):
            i, places = _matches(index, self._list(name))
            if np.isnan(out[i]).any():
                shape = (len(self._list(name)),)
                norms = self._read(self._path("norms", name), "norms", shape)
                if norms is not None:
                    set_missing(out, i, norms[places])
        return out

    def put_norms(self, keys, norms):
        """Write squared norms.

        Parameters
        ----------
        keys : list of str
            n keys.
        norms : ndarray of shape (n,)
            Their norms.
        """
        self._write(self._path("norms", self._put_list(keys)), norms=norms)

    def get_gram(self, left, right):
        """Return kernel values between keys, NaN where unknown.

        Parameters
        ----------
        left, right : list of str
            n and m keys.

        Returns
        -------
        ndarray of shape (n, m)
            float64.
        """
        out = np.full((len(left), len(right)), np.nan)
        rows, columns = _index(left), _index(right)
        in_rows = cache(lambda name: _matches(rows, self._list(name)))
        in_columns = cache(lambda name: _matches(columns, self._list(name)))
        for name in self._names("gram"):
            # A file of others names no lists of ours, which are then empty.
            above, _, beside = name.partition("-")
            targets = []
            for first, second in ((above, beside), (beside, above)):
                (i, a), (j, b) = in_rows(first), in_columns(second)
                targets.append((np.ix_(i, j), np.ix_(a, b)))
            if not any(np.isnan(out[target]).any() for target, _ in targets):
                continue
            shape = len(self._list(above)), len(self._list(beside))
            K = self._read(self._path("gram", name), "K", shape)
            if K is not None:
                for values, (target, places) in zip((K, K.T), targets, strict=True):
                    set_missing(out, target, values[places])
        return out

    def put_gram(self, left, right, K):
        """Write a tile of kernel values between keys; their transpose is known too.

        Parameters
        ----------
        left, right : list of str
            n and m keys.
        K : ndarray of shape (n, m)
            Kernel values.
        """
        name = f"{self._put_list(left)}-{self._put_list(right)}"
        self._write(self._path("gram", name), K=K)

    def _names(self, kind):
        """Return the names of files, in an order that does not change."""
        folder = self.folder / kind
        try:
            names = os.listdir(folder)
        except GONE:
            return []
        return sorted(
            name.removesuffix(".npz") for name in names if name.endswith(".npz")
        )

    def _put_list(self, keys):
        """Write a list of keys; return its name, a digest of its content."""
        content = bytes.fromhex("".join(keys))
        name = short_hash(content)
        path = self._path("keys", name)
        if not path.exists():
            keys = np.frombuffer(content, dtype=np.uint8).reshape(len(keys), -1)
            self._write(path, keys=keys)
        return name

    def _list(self, name):
        """Return a list of keys, as bytes; empty if it is gone, or damaged."""
        if name not in self._lists:
            keys = self._read(self._path("keys", name), "keys")
            self._lists[name] = (
                [key.tobytes() for key in keys] if keys is not None else []
            )
        return self._lists[name]

    def _write(self, path, **arrays):
        """Write a file, or go on without once one cannot be written."""
        if not self._is_writable:
            return
        try:
            write_arrays(path, **arrays)
        except OSError as error:
            self._is_writable = False
            warn_caller(
                f"{path} cannot be written ({error}); what is computed from here on is "
                "not kept.",
                DamagedStoreWarning,
            )

    def _read(self, path, name, shape=None):
        """Read the array of an archive; None, with a warning, if it is damaged."""
        try:
            array = read_arrays(path)[name]
            if array.dtype.kind not in "fiu":
                raise ValueError(f"of {array.dtype} instead of numbers")
            if shape not in (None, array.shape):
                raise ValueError(f"of shape {array.shape} instead of {shape}")
        except GONE:
            return None
        except DAMAGE as error:
            warn_caller(
                f"{path} is damaged ({error}); what it held is computed again.",
                DamagedStoreWarning,
            )
            if is_damage(error):
                with suppress(OSError):
                    path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # what is used is not the first to be removed
        return array


def _index(keys):
    """Map keys, as bytes, to where they are."""
    return {bytes.fromhex(key): i for i, key in enumerate(keys)}


def _matches(index, keys):
    """Return where keys are in an index, and in their own list."""
    found = np.array([index.get(key, -1) for key in keys], dtype=np.intp)
    places = np.flatnonzero(found >= 0)
    return found[places], places
