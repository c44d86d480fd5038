"""The gradients of rows of data, each computed once, and products between them."""

import warnings
from functools import partial

import numpy as np
import torch
from torch import nn

from skshap.exceptions import TruncatedTextWarning
from skshap.kernels._digest import row_keys
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram, gram_cost, squared_norms
from skshap.nn._models import text_batches
from skshap.utils._progress import progress

__all__ = ["RowGradients"]


class RowGradients:
    """Gradients of one network's output at rows of data.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.
    tokenizer : PreTrainedTokenizerBase or None
        Of texts; None for numbers.
    store : MemoryStore or DiskStore
        Where gradients and kernel values are kept.
    outputs : {"first", "sum", "mean"}, default="first"
        Which outputs' gradients are taken.
    is_sign : bool, default=False
        Take products of the signs of gradients.
    max_length : int
        Tokens after which a text is cut.
    batch_size : int
        Rows a forward pass.
    verbose : int
        Show progress bars.
    """

    def __init__(
        self,
        network,
        tokenizer,
        store,
        *,
        max_length,
        batch_size,
        verbose,
        outputs="first",
        is_sign=False,
    ):
        self.network = network
        self.tokenizer = tokenizer
        self.store = store
        self.max_length = max_length
        self.batch_size = batch_size
        self.verbose = verbose
        self._capture = GradientCapture(network, outputs)
        self._parameter = next(network.parameters())
        self._options = {"is_sign": is_sign, "device": self._parameter.device}
        self._layout = None

    def gram(self, rows, other=None):
        """Compute the inner products between gradients of rows.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)
            n rows.
        other : like `rows`, or None, default=None
            m rows; None for `rows` themselves.

        Returns
        -------
        ndarray of shape (n, m)
            float64; exactly symmetric if `other` is None.
        """
        left, first, expand = _unique(row_keys(rows))
        left_rows = [rows[i] for i in first]
        if other is None:
            right, right_rows, expand_right = left, left_rows, expand
        else:
            right, first, expand_right = _unique(row_keys(other))
            right_rows = [other[i] for i in first]
        K = self._complete(
            self.store.get_gram(left, right),
            (left, left_rows),
            (right, right_rows),
        )
        return K[np.ix_(expand, expand_right)]

    def squared_norms(self, rows):
        """Compute the squared norm of each row's gradient, of shape (n_samples,)."""
        keys, first, expand = _unique(row_keys(rows))
        norms = np.diagonal(self.store.get_gram(keys, keys)).copy()
        missing = np.flatnonzero(np.isnan(norms))
        if len(missing):
            gradients = self._gradients(
                [keys[i] for i in missing], [rows[first[i]] for i in missing]
            )
            norms[missing] = squared_norms(self._layout, gradients, **self._options)
        return norms[expand]

    def forget_all_but(self, rows):
        """Let go of gradients held in memory, apart from those of some rows."""
        self.store.keep(set(row_keys(rows)))

    def layout(self, rows):
        """Return how gradients are laid out; any row shows it."""
        if self._layout is None:
            with warnings.catch_warnings():  # the row is counted when it is captured
                warnings.simplefilter("ignore", TruncatedTextWarning)
                batch = next(self._batches(rows[:1]))[2]
            self._layout = self._capture.layout(batch)
        return self._layout

    def captured(self, rows):
        """Yield the gradients of rows batch by batch, and which rows they are of."""
        for indices, lengths, batch in progress(
            self._batches(rows),
            total=-(-len(rows) // self.batch_size),
            desc="gradients",
            unit="batch",
            verbose=self.verbose,
        ):
            yield indices, self._capture.gradients(batch, lengths)

    def cost(self, rows):
        """Predict what all products between the gradients of distinct rows take.

        Parameters
        ----------
        rows : list of str, list of pairs, or ndarray of shape (n_samples, n_features)

        Returns
        -------
        n_bytes : int
            That the gradients take.
        n_operations : float
            Multiplications and additions.
        """
        layout = self.layout(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncatedTextWarning)
            _, lengths, batch = next(self._batches(rows[:1]))
            counts = np.array(self._capture.gradients(batch, lengths).counts)[:, 0]
            if self.tokenizer is not None:
                n_tokens = [len(e["input_ids"]) for e in self._tokenize(rows)]
                # A factor with one token in one text has one in all.
                counts = np.where(counts > 1, np.mean(n_tokens), counts)
        return gram_cost(layout, len(rows), counts, self._parameter.itemsize)

    def _complete(self, K, left, right):
        """Compute what is NaN in K, in blocks that leave out most of what is known."""
        symmetric = left[0] == right[0]
        while np.isnan(K).any():
            n_missing = np.isnan(K).sum(1)
            i = np.flatnonzero(2 * n_missing >= n_missing.max())
            j = np.flatnonzero(np.isnan(K[i]).any(0))
            keys = [left[0][k] for k in i]
            a = self._gradients(keys, [left[1][k] for k in i])
            is_square = symmetric and np.array_equal(i, j)
            b, other_keys = None, keys
            if not is_square:
                other_keys = [right[0][k] for k in j]
                b = self._gradients(other_keys, [right[1][k] for k in j])
            block = gram(self._layout, a, b, verbose=self.verbose, **self._options)
            if not np.isfinite(block).all():
                raise ValueError(
                    "the kernel of model is not finite (NaN or infinity) for these "
                    "rows: its gradients are too large; scale the weights or the rows "
                    "down, or set dtype='float64'."
                )
            self._mirror(block, keys, other_keys, a)
            K[np.ix_(i, j)] = block
            if symmetric:
                K[np.ix_(j, i)] = block.T
            self.store.put_gram(keys, other_keys, block)
        return K

    def _mirror(self, block, keys, other_keys, gradients):
        """Make what a block holds twice equal, to the last bit.

        The diagonal is the one that `squared_norms` gives.
        """
        columns = {key: j for j, key in enumerate(other_keys)}
        i = [k for k, key in enumerate(keys) if key in columns]
        if i:
            j = [columns[keys[k]] for k in i]
            square = block[np.ix_(i, j)]
            block[np.ix_(i, j)] = np.tril(square) + np.tril(square, -1).T
            block[i, j] = squared_norms(
                self._layout,
                [gradients[k] for k in i],
                **self._options,
            )

    def _gradients(self, keys, rows):
        """Return the flat gradients of distinct rows, computing those not stored."""
        self.layout(rows)
        found = {key: self.store.get_row(key) for key in keys}
        missing = [i for i, key in enumerate(keys) if found[key] is None]
        batches = self._batches([rows[i] for i in missing])
        for indices, lengths, batch in progress(
            batches,
            total=-(-len(missing) // self.batch_size),
            desc="gradients",
            unit="batch",
            verbose=self.verbose,
        ):
            gradients = self._capture.rows(batch, lengths)
            for index, gradient in zip(indices, gradients, strict=True):
                key = keys[missing[index]]
                found[key] = gradient
                self.store.put_row(key, gradient)
        return [found[key] for key in keys]

    def _batches(self, rows):
        if self.tokenizer is None:
            for start in range(0, len(rows), self.batch_size):
                indices = np.arange(start, min(start + self.batch_size, len(rows)))
                batch = torch.from_numpy(np.stack([rows[i] for i in indices]))
                yield indices, None, batch.to(self._parameter.dtype)
            return
        if rows:
            encodings = self._tokenize(rows)
            pad = partial(self.tokenizer.pad, padding_side="right", return_tensors="pt")
            for indices, lengths, batch in text_batches(
                encodings, pad, self.batch_size
            ):
                yield indices, lengths, batch

    def _tokenize(self, rows):
        limit = _longest_text(self.network, self.tokenizer)
        if self.max_length > limit:
            raise ValueError(
                f"max_length={self.max_length} is more than the {limit} tokens that "
                "model can read; set max_length to at most that."
            )
        is_pair = not isinstance(rows[0], str)
        n_special = self.tokenizer.num_special_tokens_to_add(pair=is_pair)
        if self.max_length <= n_special:
            raise ValueError(
                f"max_length={self.max_length} leaves no room for text beside the "
                f"{n_special} special tokens of tokenizer; set max_length higher."
            )
        options = {"truncation": True, "max_length": self.max_length, "verbose": False}
        encodings = _encode(self.tokenizer, rows, **options)
        full = [
            i for i, e in enumerate(encodings) if len(e["input_ids"]) == self.max_length
        ]
        whole = _encode(self.tokenizer, [rows[i] for i in full], verbose=False)
        n_cut = sum(len(e["input_ids"]) > self.max_length for e in whole)
        if n_cut:
            warnings.warn(
                f"{n_cut} of {len(rows)} texts are longer than max_length="
                f"{self.max_length} tokens and were cut; raise max_length to use all "
                "of them.",
                TruncatedTextWarning,
                stacklevel=2,
            )
        return encodings


def _longest_text(network, tokenizer):
    """Return how many tokens a network can read, as far as it and its tokenizer say."""
    config = getattr(getattr(network, "encoder", network), "config", None)
    positions = getattr(config, "max_position_embeddings", None)
    for module in network.modules():
        table = getattr(module, "position_embeddings", None)
        # RoBERTa counts positions from the one after padding's.
        if isinstance(table, nn.Embedding) and table.padding_idx is not None:
            positions = table.num_embeddings - table.padding_idx - 1
    return min(tokenizer.model_max_length, positions or tokenizer.model_max_length)


def _encode(tokenizer, rows, **options):
    """Tokenise texts or pairs to a list of dicts that the model's forward takes."""
    if not rows:
        return []
    parts = [rows] if isinstance(rows[0], str) else map(list, zip(*rows, strict=True))
    encoded = tokenizer(*parts, **options)
    names = list(encoded)
    columns = zip(*(encoded[name] for name in names), strict=True)
    return [dict(zip(names, values, strict=True)) for values in columns]


def _unique(keys):
    """Return distinct keys, where each is first, and which of them each one is."""
    index, first = {}, []
    for i, key in enumerate(keys):
        if key not in index:
            index[key] = len(first)
            first.append(i)
    return list(index), first, np.array([index[key] for key in keys], dtype=np.intp)
