"""Texts as networks read them: tokens, cut to a length, in batches."""

from contextlib import suppress

import numpy as np
from torch import nn

from skshap.exceptions import TruncatedTextWarning
from skshap.utils._warn import warn_caller

__all__ = ["TextEncoder", "cut_batches"]

N_NAMED = 5  # rows that a warning names
SHORTEST = 0.9  # of the longest row in a batch that has enough tokens
ENOUGH_TOKENS = 256  # for products at full speed


class TextEncoder:
    """Turns texts, or pairs of texts, into batches of tokens.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Changed: a tokenizer without a padding token gets one, if it can.
    network : torch.nn.Module
        That reads the tokens.
    max_length : int
        Tokens after which a text is cut.
    template : Template or None, default=None
        Sentence that a text is put into; the place of its blank is then part of a
        batch, as `position`.
    """

    def __init__(self, tokenizer, network, *, max_length, template=None):
        self.tokenizer = tokenizer
        self.network = network
        self.max_length = max_length
        self.template = template
        self._is_causal = getattr(network, "is_causal", False)
        self._n_known = self._find_n_known()
        if tokenizer.pad_token is None and self._is_causal:
            tokenizer.pad_token = tokenizer.eos_token  # what it is makes no difference
        if template is not None:
            self._check_template()

    def batches(self, rows, batch_size):
        """Batch texts by length, so that little is padded; see `cut_batches`.

        Parameters
        ----------
        rows : list of str or list of pairs of str
        batch_size : int
            Rows a batch, at most.

        Yields
        ------
        indices : ndarray
            Which rows are in the batch.
        lengths : ndarray
            Their numbers of tokens.
        batch : dict of Tensor
            The padded batch.
        """
        if not rows:
            return
        encodings = self.encode(rows)
        lengths = np.array([len(e["input_ids"]) for e in encodings])
        order = np.argsort(-lengths, kind="stable")
        for start, stop in cut_batches(lengths[order], batch_size):
            indices = order[start:stop]
            batch = self.tokenizer.pad(
                [encodings[i] for i in indices],
                padding_side="right",
                return_tensors="pt",
            )
            yield indices, lengths[indices], dict(batch)

    def encode(self, rows, *, warn=False):
        """Tokenise texts, and cut those that are too long.

        Parameters
        ----------
        rows : list of str or list of pairs of str
        warn : bool, default=False
            Warn of texts that are cut.

        Returns
        -------
        list of dict
            What the network reads, as lists, text by text.

        Warns
        -----
        TruncatedTextWarning
            If texts are longer than `max_length`; the message says how many, and which
            are the first.
        """
        limit = self._limit()
        if self.max_length > limit:
            raise ValueError(
                f"max_length={self.max_length} is more than the {limit} tokens that "
                "model can read; set max_length to at most that."
            )
        if self.template is None:
            encodings, cut = self._encode_plain(rows)
        else:
            encodings, cut = self._encode_prompts(rows)
        self._check_tokens(rows, encodings)
        if cut and warn:
            which = ", ".join(map(str, cut[:N_NAMED])) + ", ..." * (len(cut) > N_NAMED)
            warn_caller(
                f"{len(cut)} of {len(rows)} rows of X are longer than max_length="
                f"{self.max_length} tokens and were cut: {which}; raise max_length to "
                "use all of them.",
                TruncatedTextWarning,
            )
        return encodings

    def _check_tokens(self, rows, encodings):
        """Raise if the network has nothing to read of a text, or cannot read it."""
        for row, encoding in zip(rows, encodings, strict=True):
            if not encoding["input_ids"]:
                raise ValueError(
                    f"tokenizer makes no token of {row!r}, so that model has nothing "
                    "to read; drop such texts, or let template begin with a word."
                )
            if self._n_known and max(encoding["input_ids"]) >= self._n_known:
                raise ValueError(
                    f"tokenizer has tokens that model does not know: one of {row!r:.40}"
                    f" has the number {max(encoding['input_ids'])}, but the embeddings "
                    f"of model end at {self._n_known - 1}; pass the tokenizer that "
                    "model was trained with, or make room for added tokens by "
                    "model.resize_token_embeddings(len(tokenizer))."
                )

    def _check_template(self):
        """Raise if the network would not read all texts, or the blank not be found."""
        unread = [f"{{{field}}}" for _, field, _ in self.template.after if field]
        if self._is_causal and unread:
            raise ValueError(
                f"template={self.template.text!r} has {', '.join(unread)} after the "
                "blank, but model reads from left to right, up to the blank; put "
                "{mask} behind all texts."
            )
        if not self._is_causal and self.tokenizer.mask_token is None:
            raise ValueError(
                "tokenizer has no mask_token, which fills the blank of template="
                f"{self.template.text!r}; set the one that model was trained with."
            )

    def _find_n_known(self):
        """Return how many tokens the network has embeddings of; None if unknown."""
        for module in self.network.modules():
            if hasattr(module, "get_input_embeddings"):
                with suppress(AttributeError, NotImplementedError):
                    return module.get_input_embeddings().num_embeddings
        return None

    def _limit(self):
        """Return how many tokens the network can read, as far as can be known."""
        network, limit = self.network, self.tokenizer.model_max_length
        positions = None
        for module in network.modules():
            config = getattr(module, "config", None)
            positions = positions or getattr(config, "max_position_embeddings", None)
        for module in network.modules():
            table = getattr(module, "position_embeddings", None)
            # RoBERTa counts positions from the one after padding's.
            if isinstance(table, nn.Embedding) and table.padding_idx is not None:
                positions = table.num_embeddings - table.padding_idx - 1
        # Some say -1 for no limit.
        return min(limit, positions) if positions and positions > 0 else limit

    def _encode_plain(self, rows):
        """Return the encodings of texts, and the positions of those cut."""
        is_pair = not isinstance(rows[0], str)
        n_special = self.tokenizer.num_special_tokens_to_add(pair=is_pair)
        if self.max_length <= n_special:
            raise ValueError(
                f"max_length={self.max_length} leaves no room for text beside the "
                f"{n_special} special tokens of tokenizer; set max_length higher."
            )
        options = {"truncation": True, "max_length": self.max_length}
        encodings = self._tokenize(rows, **options)
        full = [
            i for i, e in enumerate(encodings) if len(e["input_ids"]) == self.max_length
        ]
        whole = zip(full, self._tokenize([rows[i] for i in full]), strict=True)
        return encodings, [i for i, e in whole if len(e["input_ids"]) > self.max_length]

    def _encode_prompts(self, rows):
        """Return the encodings of texts in their sentence, and which were cut."""
        template = self.template
        if template.is_pair != (not isinstance(rows[0], str)):
            wanted = "pairs of texts" if template.is_pair else "single texts"
            raise ValueError(
                f"template={template.text!r} takes {wanted}, but X does not hold them; "
                "use {text} for a text and {first} and {second} for a pair."
            )
        encodings = self._fill(rows)
        cut = []
        for i, encoding in enumerate(encodings):
            if len(encoding["input_ids"]) > self.max_length:
                encodings[i] = self._cut(rows[i])
                cut.append(i)
        return encodings, cut

    def _cut(self, row):
        """Cut a text, the longer one of a pair first, so that its sentence fits."""
        fits, fails = 0, max(map(len, [row] if isinstance(row, str) else row))
        (best,) = self._fill([_shorten(row, 0)])
        n_tokens = len(best["input_ids"])
        if n_tokens >= self.max_length:
            raise ValueError(
                f"max_length={self.max_length} leaves no room for text beside the "
                f"{n_tokens} tokens of template={self.template.text!r}; set max_length "
                "higher."
            )
        while fails - fits > 1:
            middle = (fits + fails) // 2
            (encoding,) = self._fill([_shorten(row, middle)])
            if len(encoding["input_ids"]) <= self.max_length:
                fits, best = middle, encoding
            else:
                fails = middle
        return best

    def _fill(self, rows):
        """Tokenise sentences, and find the place at which they are read."""
        parts = [self.template.render(row) for row in rows]
        if self._is_causal:  # it says what comes next
            texts = [before.rstrip() for before, _ in parts]
            encodings = self._tokenize(texts, return_special_tokens_mask=True)
            for encoding in encodings:
                is_special = encoding.pop("special_tokens_mask")
                positions = [i for i, s in enumerate(is_special) if not s]
                encoding["position"] = positions[-1] if positions else 0
            return encodings
        mask = self.tokenizer.mask_token
        texts = [f"{before}{mask}{after}" for before, after in parts]
        encodings = self._tokenize(texts)
        for encoding, (before, _) in zip(encodings, parts, strict=True):
            places = [
                i
                for i, token in enumerate(encoding["input_ids"])
                if token == self.tokenizer.mask_token_id
            ]
            encoding["position"] = places[before.count(mask)]
        return encodings

    def _tokenize(self, rows, **options):
        """Tokenise texts or pairs to dicts that the network's forward takes."""
        if not rows:
            return []
        parts = [rows] if isinstance(rows[0], str) else zip(*rows, strict=True)
        encoded = self.tokenizer(*map(list, parts), verbose=False, **options)
        names = list(encoded)
        columns = zip(*(encoded[name] for name in names), strict=True)
        return [dict(zip(names, values, strict=True)) for values in columns]


def cut_batches(lengths, batch_size):
    """Cut rows into batches of which little is padding.

    A batch ends before a row that is much shorter than its longest one, unless it has
    few tokens so far: that makes some 30 batches more, however many rows there are.

    Parameters
    ----------
    lengths : ndarray of shape (n_samples,)
        Tokens of each row, falling.
    batch_size : int
        Rows a batch, at most.

    Yields
    ------
    start, stop : int

    Examples
    --------
    >>> import numpy as np
    >>> from skshap.nn._texts import cut_batches
    >>> list(cut_batches(np.array([128, 128, 128, 120, 60, 59, 2]), 3))
    [(0, 3), (3, 6), (6, 7)]
    """
    start = 0
    while start < len(lengths):
        longest = lengths[start]
        n_similar = np.searchsorted(-lengths[start:], -SHORTEST * longest, side="right")
        n_enough = -(-ENOUGH_TOKENS // int(longest))
        stop = min(len(lengths), start + min(batch_size, max(int(n_similar), n_enough)))
        yield start, stop
        start = stop


def _shorten(row, n):
    """Cut texts after n characters."""
    return row[:n] if isinstance(row, str) else tuple(part[:n] for part in row)
