"""Rows of data, texts or numbers, as a network reads them."""

from typing import NamedTuple

import numpy as np
import torch

from skshap.kernels._digest import row_keys
from skshap.nn._parameters import first_parameter
from skshap.nn._texts import TextEncoder
from skshap.utils._columns import shortened
from skshap.utils._warn import warn_caller

__all__ = ["RowReader", "Rows", "distinct"]

LARGEST = 2**53  # whole number up to which a table has all of them


class RowReader:
    """Turns rows into the batches that a network reads.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.
    tokenizer : PreTrainedTokenizerBase or None
        Of texts; None for numbers.
    max_length : int
        Tokens after which a text is cut.
    batch_size : int
        Rows of a batch, at most.
    template : Template or None, default=None
        Sentence that texts are put into.
    """

    def __init__(self, network, tokenizer, *, max_length, batch_size, template=None):
        self.batch_size = batch_size
        self.tokenizer = tokenizer
        self.reads_text = tokenizer is not None
        self._dtype = first_parameter(network).dtype
        self._encoder = None
        if self.reads_text:
            self._encoder = TextEncoder(
                tokenizer, network, max_length=max_length, template=template
            )

    def lengths(self, rows, *, warn=False):
        """Count the tokens of each row, as cut; one of a table has one.

        Warn, if told to, of rows that the network reads as others.
        """
        if self.reads_text:
            encodings = self._encoder.encode(rows, warn=warn)
            return np.array([len(e["input_ids"]) for e in encodings])
        if warn:
            warn_of_rounding(rows, self._dtype)
        return np.ones(len(rows), dtype=np.intp)

    def batches(self, rows):
        """Yield which rows, their lengths or None, and what the network reads of them.

        Of texts, the longest come first.
        """
        if not self.reads_text:
            for start in range(0, len(rows), self.batch_size):
                indices = np.arange(start, min(start + self.batch_size, len(rows)))
                batch = torch.from_numpy(np.stack([rows[i] for i in indices]))
                yield indices, None, batch.to(self._dtype)
            return
        yield from self._encoder.batches(rows, self.batch_size)


def warn_of_rounding(X, dtype):
    """Warn of columns of whole numbers of which the network's dtype rounds some."""
    if dtype == torch.float64:
        return
    columns, example = [], None
    for j in range(X.shape[1]):
        given = torch.tensor(X[:, j], dtype=torch.float64)
        read = given.to(dtype).to(given.dtype)
        is_other = (given != read) & (given.abs() <= LARGEST)
        if is_other.any() and (given == given.round()).all():
            columns.append(j)
            example = example or (given[is_other][0], read[is_other][0])
    if columns:
        warn_caller(
            f"columns {shortened(columns)} of X hold whole numbers, some of which "
            f"dtype={str(dtype).removeprefix('torch.')!r} rounds: {example[0]:.0f} "
            f"is read as {example[1]:.0f}. Set dtype='float64' if model looks "
            "something up by them, as embeddings do."
        )


class Rows(NamedTuple):
    """Distinct rows, and their keys by `row_keys`."""

    keys: list
    rows: list


def distinct(rows):
    """Return the distinct rows, as `Rows`, and which of them each one is."""
    index, first = {}, []
    keys = row_keys(rows)
    for i, key in enumerate(keys):
        if key not in index:
            index[key] = len(first)
            first.append(i)
    expand = np.array([index[key] for key in keys], dtype=np.intp)
    return Rows(list(index), [rows[i] for i in first]), expand
