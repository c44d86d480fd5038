"""Gradients and kernel values addressed by the content of the rows.

A store belongs to one network: its folder is named after a digest of the weights and
of everything else that a gradient depends on, so that a changed model or parameter
finds an empty folder. Rows are found by a digest of their own content, whatever data
set, fold or order they come in.
"""

import warnings
from pathlib import Path

import numpy as np

from skshap.exceptions import DamagedStoreWarning
from skshap.utils._files import DAMAGE, read_arrays, write_arrays

__all__ = ["DiskStore", "MemoryStore"]


class MemoryStore:
    """Holds gradients for as long as the estimator lives, and no kernel values."""

    def __init__(self):
        self._rows = {}

    def get_row(self, key):
        """Return the flat gradient stored under `key`, or None."""
        return self._rows.get(key)

    def put_row(self, key, row):
        """Keep a flat gradient."""
        self._rows[key] = row

    def keep(self, keys):
        """Let go of all gradients but those of some keys."""
        self._rows = {key: row for key, row in self._rows.items() if key in keys}

    def get_gram(self, left, right):
        """Return kernel values between keys: all NaN, none is kept."""
        return np.full((len(left), len(right)), np.nan)

    def put_gram(self, left, right, K):
        """Keep nothing: the estimator's caller has the matrix."""


class DiskStore:
    """Files of one network's gradients and kernel values.

    Parameters
    ----------
    folder : path
        Of this network; made if missing.

    Notes
    -----
    Every file is written under another name and renamed, so that a reader sees all of
    it or nothing. Zip archives carry a checksum of what they hold: a damaged file is
    reported with a `DamagedStoreWarning`, and what it held is computed again. The same
    warning tells once that a disk is full, and nothing more is written. Of two
    processes that write kernel values at once, one may lose what it added, which costs
    time and nothing else.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "rows").mkdir(parents=True, exist_ok=True)
        self._is_writable = True

    def _row_path(self, key):
        return self.folder / "rows" / key[:2] / f"{key}.npz"

    def get_row(self, key):
        """Return the flat gradient stored under `key`, or None."""
        content = _read(self._row_path(key), ["row"])
        return None if content is None else content["row"]

    def put_row(self, key, row):
        """Write a flat gradient."""
        self._keep(self._row_path(key), row=row)

    def keep(self, keys):
        """Do nothing: files stay."""

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
        keys, K = self._read_gram()
        index = {key: i for i, key in enumerate(keys)}
        rows = np.array([index.get(key, -1) for key in left], dtype=np.intp)
        columns = np.array([index.get(key, -1) for key in right], dtype=np.intp)
        out = np.full((len(left), len(right)), np.nan)
        known = np.ix_(rows >= 0, columns >= 0)
        out[known] = K[np.ix_(rows[rows >= 0], columns[columns >= 0])]
        return out

    def put_gram(self, left, right, K):
        """Add kernel values between keys, and their transpose.

        Parameters
        ----------
        left, right : list of str
            n and m keys.
        K : ndarray of shape (n, m)
            Kernel values.
        """
        keys, old = self._read_gram()
        index = {key: i for i, key in enumerate(dict.fromkeys([*keys, *left, *right]))}
        new = np.full((len(index), len(index)), np.nan)
        new[: len(keys), : len(keys)] = old
        rows = [index[key] for key in left]
        columns = [index[key] for key in right]
        new[np.ix_(rows, columns)] = K
        new[np.ix_(columns, rows)] = K.T
        self._keep(self.folder / "gram.npz", keys=np.array(list(index)), K=new)

    def _keep(self, path, **arrays):
        """Write a file, or go on without once one cannot be written."""
        if not self._is_writable:
            return
        try:
            write_arrays(path, **arrays)
        except OSError as error:
            self._is_writable = False
            warnings.warn(
                f"{path} cannot be written ({error}); what is computed from here on is "
                "not kept.",
                DamagedStoreWarning,
                stacklevel=2,
            )

    def _read_gram(self):
        content = _read(self.folder / "gram.npz", ["keys", "K"])
        if content is None:
            return [], np.empty((0, 0))
        return content["keys"].tolist(), content["K"]


def _read(path, names):
    """Read arrays of an archive; None, with a warning, if it is damaged."""
    try:
        arrays = read_arrays(path)
        return {name: arrays[name] for name in names}
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        warnings.warn(
            f"{path} is damaged ({error}); what it held is computed again.",
            DamagedStoreWarning,
            stacklevel=2,
        )
        return None
