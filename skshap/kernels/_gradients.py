"""The gradients of rows of data, each computed once, and products between them."""

import hashlib
import inspect
import json
import warnings
from functools import partial

import numpy as np
import torch

from skshap.exceptions import TruncatedTextWarning
from skshap.nn._capture import GradientCapture
from skshap.nn._gram import gram, squared_norms
from skshap.nn._models import text_batches
from skshap.utils._progress import progress

__all__ = ["RowGradients", "network_digest"]

FORMAT = b"skshap gradients 1"  # changes whenever stored files would mean another thing


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
    max_length : int
        Tokens after which a text is cut.
    batch_size : int
        Rows a forward pass.
    verbose : int
        Show progress bars.
    """

    def __init__(self, network, tokenizer, store, *, max_length, batch_size, verbose):
        self.network = network
        self.tokenizer = tokenizer
        self.store = store
        self.max_length = max_length
        self.batch_size = batch_size
        self.verbose = verbose
        self._capture = GradientCapture(network)
        self._parameter = next(network.parameters())
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
            symmetric=other is None,
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
            norms[missing] = squared_norms(
                self._layout, gradients, device=self._parameter.device
            )
        return norms[expand]

    def _complete(self, K, left, right, *, symmetric):
        """Compute what is NaN in K, in blocks that leave out most of what is known."""
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
            device = self._parameter.device
            block = gram(self._layout, a, b, device=device, verbose=self.verbose)
            if is_square:
                # The diagonal that `squared_norms` gives, to the last bit.
                norms = squared_norms(self._layout, a, device=device)
                np.fill_diagonal(block, norms)
            K[np.ix_(i, j)] = block
            if symmetric:
                K[np.ix_(j, i)] = block.T
            self.store.put_gram(keys, other_keys, block)
        return K

    def _gradients(self, keys, rows):
        """Return the flat gradients of distinct rows, computing those not stored."""
        if self._layout is None:
            batch = next(self._batches(rows[:1]))[2]
            self._layout = self._capture.layout(batch)
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


def row_keys(rows):
    """Digest the content of each row: texts, pairs of texts or numbers."""
    return [hashlib.blake2b(_content(row), digest_size=16).hexdigest() for row in rows]


def _content(row):
    if isinstance(row, np.ndarray):
        return row.tobytes()
    parts = (row,) if isinstance(row, str) else row
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def network_digest(network, tokenizer, max_length):
    """Digest everything that a row's gradient depends on, apart from the row.

    Parameters
    ----------
    network : torch.nn.Module
        Its weights, buffers, layers and which parameters count.
    tokenizer : PreTrainedTokenizerBase or None
        Its vocabulary and rules.
    max_length : int
        Tokens after which a text is cut.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(FORMAT, digest_size=16)

    def add(text):
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")

    add(str(network))
    for module in dict.fromkeys(type(m) for m in network.modules()):
        add(f"{module.__module__}.{module.__qualname__}")
        if not module.__module__.startswith("torch.nn."):
            try:
                add(inspect.getsource(module))
            except (OSError, TypeError):
                pass
    wanted = {name for name, p in network.named_parameters() if p.requires_grad}
    for name, tensor in network.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        add(f"{name} {tensor.dtype} {tuple(tensor.shape)} {name in wanted}")
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    if tokenizer is not None:
        add(str(max_length))
        add(str(tokenizer.special_tokens_map))
        if getattr(tokenizer, "is_fast", False):
            rules = json.loads(tokenizer.backend_tokenizer.to_str())
            # How the last call cut and padded is state, not a rule.
            add(json.dumps({**rules, "truncation": None, "padding": None}))
        else:
            add(f"{type(tokenizer)} {sorted(tokenizer.get_vocab().items())}")
    return digest.hexdigest()
