"""`MemoryStore`: gradients in memory, by the content of the rows."""

import numpy as np

__all__ = ["MemoryStore"]

MEMORY_BYTES = 3 << 30  # of gradients held; others are computed again when needed


class MemoryStore:
    """Holds gradients for as long as the estimator lives, and no kernel values."""

    def __init__(self):
        self._rows, self._norms = {}, {}
        self._held = 0

    def get_row(self, key):
        """Return the flat gradient stored under `key`, or None."""
        return self._rows.get(key)

    def put_row(self, key, row):
        """Keep a flat gradient, if there is room."""
        if key not in self._rows and self._held + row.nbytes <= MEMORY_BYTES:
            self._rows[key] = row
            self._held += row.nbytes

    def get_norms(self, keys):
        """Return the squared norms of gradients, NaN where unknown."""
        return np.array([self._norms.get(key, np.nan) for key in keys])

    def put_norms(self, keys, norms):
        """Keep squared norms."""
        self._norms.update(zip(keys, norms.tolist(), strict=True))

    def keep(self, keys):
        """Let go of all gradients and norms but those of some keys."""
        self._rows = {key: row for key, row in self._rows.items() if key in keys}
        self._norms = {key: norm for key, norm in self._norms.items() if key in keys}
        self._held = sum(row.nbytes for row in self._rows.values())

    def get_gram(self, left, right):
        """Return kernel values between keys: all NaN, none is kept."""
        return np.full((len(left), len(right)), np.nan)

    def put_gram(self, left, right, K):
        """Keep nothing: the estimator's caller has the matrix."""
