"""A matrix that is completed tile by tile, and stays symmetric."""

import numpy as np

__all__ = ["Tiles", "set_missing"]


class Tiles:
    """A matrix between two lists of keys, whose NaN are filled in tile by tile.

    What two keys have in common does not depend on their order: wherever both are among
    the rows and among the columns, both places get the same value, to the last bit.

    Parameters
    ----------
    K : ndarray of shape (n, m)
        Filled in place. Where values are known in one of two orders, they are in both.
    left, right : list of str
        n and m distinct keys.
    store : MemoryStore or DiskStore
        Where each tile is kept at once.
    """

    def __init__(self, K, left, right, store):
        self.K, self.left, self.right, self.store = K, left, right, store
        rows = {key: i for i, key in enumerate(left)}
        columns = {key: j for j, key in enumerate(right)}
        self.column_of = np.array([columns.get(key, -1) for key in left], dtype=np.intp)
        self.row_of = np.array([rows.get(key, -1) for key in right], dtype=np.intp)

    def n_missing(self):
        """Count what is missing."""
        return int(np.isnan(self.K).sum())

    def missing_in_rows(self):
        """Count what is missing in each row."""
        return np.isnan(self.K).sum(1)

    def missing_in_columns(self, i):
        """Count what is missing in each column, in some rows."""
        return np.isnan(self.K[i]).sum(0)

    def missing(self, i, j):
        """Tell what is missing in a tile."""
        return np.isnan(self.K[np.ix_(i, j)])

    def count_new(self, i, j):
        """Count what is missing in a tile and in its mirror image, each place once."""
        a, b = self.column_of[i] >= 0, self.row_of[j] >= 0
        rows, columns = self.row_of[j[b]], self.column_of[i[a]]
        mirror = np.isnan(self.K[np.ix_(rows, columns)])
        mirror[np.ix_(np.isin(rows, i), np.isin(columns, j))] = False
        return int(self.missing(i, j).sum() + mirror.sum())

    def keep(self, i, j, block):
        """Set what is missing in a tile and in its mirror image, and store the tile.

        Parameters
        ----------
        i, j : ndarray
            Rows and columns of the tile.
        block : ndarray of shape (len(i), len(j))
            Its values.

        Raises
        ------
        ValueError
            If values are not finite.
        """
        if not np.isfinite(block).all():
            raise ValueError(
                "the kernel of model is not finite (NaN or infinity) for these "
                "rows: its gradients are too large; scale the weights or the rows "
                "down, or set dtype='float64'."
            )
        here = {column: b for b, column in enumerate(j)}
        a = [k for k, column in enumerate(self.column_of[i]) if column in here]
        if a:  # pairs that are in the tile in both orders
            b = [here[column] for column in self.column_of[i[a]]]
            square = block[np.ix_(a, b)]
            block[np.ix_(a, b)] = np.tril(square) + np.tril(square, -1).T
        a, b = self.column_of[i] >= 0, self.row_of[j] >= 0
        mirror = np.ix_(self.row_of[j[b]], self.column_of[i[a]])
        set_missing(self.K, np.ix_(i, j), block)
        set_missing(self.K, mirror, block[np.ix_(a, b)].T)
        keys = [self.left[k] for k in i], [self.right[k] for k in j]
        self.store.put_gram(*keys, self.K[np.ix_(i, j)])


def set_missing(K, target, values):
    """Set what is NaN: what was found first stays, the same for both orders."""
    known = K[target]
    K[target] = np.where(np.isnan(known), values, known)
