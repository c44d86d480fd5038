"""Digests of rows and of networks: the names under which gradients are kept."""

import copy
import hashlib
import json
from contextlib import suppress
from numbers import Number

import numpy as np
import torch
from torch import nn

from skshap.nn._models import EncoderWithHead, TableNetwork
from skshap.utils._describe import describe, describe_class, short_hash, unordered
from skshap.utils._modules import is_library

__all__ = [
    "array_key",
    "network_digest",
    "network_settings",
    "row_keys",
    "settings_digest",
    "text_key",
    "tokenizer_digest",
    "weights_digest",
]

FORMAT = b"skshap gradients 7"  # changes whenever stored files would mean another thing
HOOKS = {
    *("_forward_hooks", "_forward_pre_hooks"),
    *("_backward_hooks", "_backward_pre_hooks"),
}
# Of transformers: where a model came from and how it writes, not what it computes.
NO_SETTINGS = {
    "_is_hf_initialized",
    "_name_or_path",
    "_weight_conversions",
    "architectures",
    "dtype",
    "generation_config",  # has hashes that are others in every process
    "name_or_path",
    "transformers_version",
}
# Of tokenizers: where one came from, what use leaves in it, and how it would pad.
NO_RULES = {
    *("files_loaded", "init_inputs", "init_kwargs", "name_or_path", "verbose"),
    *("_in_target_context_manager", "deprecation_warnings", "padding_side"),
}
PATHS = "_file", "_files", "_path", "_dir"
ANYWHERE = {"unknown": "unknown"}  # for `describe`: the same in any process


def row_keys(rows):
    """Digest the content of each row: texts, pairs of texts or numbers."""
    return [short_hash(_content(row)) for row in rows]


def text_key(*parts):
    """Digest some texts and numbers."""
    return short_hash(" ".join(map(str, parts)).encode())


def array_key(values):
    """Digest an array of numbers."""
    return short_hash(np.ascontiguousarray(values).view(np.uint8))


def _content(row):
    if isinstance(row, np.ndarray):
        return (row + 0.0).tobytes()  # minus zero is zero
    parts = (row,) if isinstance(row, str) else row
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def network_digest(network, tokenizer, max_length, template=None):
    """Digest everything that a row's gradient depends on, apart from the row.

    Parameters
    ----------
    network : torch.nn.Module
        Its weights, buffers, layers and which parameters count.
    tokenizer : PreTrainedTokenizerBase or None
        Its vocabulary and rules.
    max_length : int
        Tokens after which a text is cut.
    template : Template or None, default=None
        Sentence that texts are put into.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(FORMAT, digest_size=16)
    _add(digest, str(network))  # which may be what its own class says of it
    kinds = dict.fromkeys(map(type, network.modules()))
    kinds = {kind: describe_class(kind) for kind in kinds}
    for name, module in network.named_modules(remove_duplicate=False):
        _add(digest, f"{name} {kinds[type(module)]}")
        for key, value in _settings(module).items():
            _add(digest, f"{key} {describe(value)}")
    _add_weights(digest, network, network.named_buffers())
    if tokenizer is not None:
        _add(digest, str(max_length))
        if template is not None:
            _add(digest, template.text)
        _add_tokenizer(digest, tokenizer)
    return digest.hexdigest()


def weights_digest(network):
    """Digest what a network has from its files, and which parameters count.

    Weights that are drawn are left out, as are buffers that files do not hold: other
    machines compute them with other last digits.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.

    Returns
    -------
    str
        32 hexadecimal digits; none if all weights are drawn.
    """
    if isinstance(network, TableNetwork):
        return ""
    network = network.encoder if isinstance(network, EncoderWithHead) else network
    digest, kept = hashlib.blake2b(digest_size=16), network.state_dict()
    buffers = [(name, b) for name, b in network.named_buffers() if name in kept]
    _add_weights(digest, network, buffers)
    return digest.hexdigest()


def network_settings(network):
    """Describe what a network computes with apart from its weights and its code.

    That is the classes of its layers, configurations, and attributes that are texts,
    numbers, flags, or lists of these. Other objects, and what is private, are left out.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`.

    Returns
    -------
    dict of str
        By names of the module and the attribute.
    """
    found = {("", ""): str(network)}
    for name, module in network.named_modules(remove_duplicate=False):
        found[name, "__class__"] = type(module).__qualname__
        for key, value in _settings(module).items():
            if not key.startswith("_") and (key == "config" or _is_plain(value)):
                found[name, key] = describe(value, dict(ANYWHERE))
    # Grows with the longest text that a model of transformers has read.
    return {k: v for k, v in found.items() if not k[1].endswith("max_seq_len_cached")}


def settings_digest(settings, counters):
    """Digest the settings of a network, but for those that passes change.

    Parameters
    ----------
    settings : dict of str
        From `network_settings`.
    counters : set of tuple
        Names that are left out.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for names in sorted(settings.keys() - counters):
        _add(digest, f"{names} {settings[names]}")
    return digest.hexdigest()


def tokenizer_digest(tokenizer):
    """Digest the vocabulary and the rules of a tokenizer."""
    digest = hashlib.blake2b(digest_size=16)
    _add_tokenizer(digest, tokenizer, ANYWHERE)
    return digest.hexdigest()


def _add_weights(digest, network, buffers):
    """Add the parameters and some buffers of a network to a digest."""
    wanted = {name for name, p in network.named_parameters() if p.requires_grad}
    for name, tensor in (*network.named_parameters(), *buffers):
        tensor = tensor.detach().cpu().to_dense().contiguous()
        _add(digest, f"{name} {tensor.dtype} {tuple(tensor.shape)} {name in wanted}")
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    for name, first in _shared_parameters(network):
        _add(digest, f"{name} is {first}")


def _shared_parameters(network):
    """Yield other names of a parameter, each with its first one."""
    names = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        first = names.setdefault(parameter, name)
        if first != name:
            yield name, first


def _add_tokenizer(digest, tokenizer, seen=None):
    """Add what a tokenizer does to a digest; see `describe` for `seen`."""
    seen = dict(seen or {})
    _add(digest, describe(type(tokenizer), seen))
    _add(digest, str(tokenizer.special_tokens_map))
    _add(digest, f"{tokenizer.model_input_names} {tokenizer.truncation_side}")
    _add(digest, str(getattr(tokenizer, "split_special_tokens", False)))
    is_fast = getattr(tokenizer, "is_fast", False)
    if is_fast:
        rules = json.loads(tokenizer.backend_tokenizer.to_str())
        # How the last call cut and padded is state, not a rule.
        _add(digest, json.dumps({**rules, "truncation": None, "padding": None}))
    else:
        _add(digest, str(sorted(tokenizer.get_vocab().items())))
    if not is_fast or not is_library(type(tokenizer).__module__):
        _add(digest, _own_rules(tokenizer, seen))


def _own_rules(tokenizer, seen):
    """Describe what the code of a tokenizer may read of its attributes."""
    before, used, seen = _attributes(tokenizer), copy.deepcopy(tokenizer), dict(seen)
    with suppress(Exception):  # one that reads no such text says so elsewhere
        used(["a text"])
    after, found = _attributes(used), {}
    for name, value in before.items():
        one, other = (describe(v, dict(ANYWHERE)) for v in (value, after.get(name)))
        if hasattr(value, "backend_tokenizer"):  # that it hands texts on to
            found[name] = tokenizer_digest(value)
        elif one == other:  # and no count of what it has read
            found[name] = describe(unordered(value), seen)
    return str(sorted(found.items()))


def _attributes(tokenizer):
    """Return the attributes of a tokenizer that are rules, or may be."""
    state = tokenizer.__getstate__()  # without what cannot be pickled, as of slow ones
    parts = state if isinstance(state, tuple) else (state,)  # with those in slots
    return {
        name: value
        for part in parts
        for name, value in (part or {}).items()
        if name not in NO_RULES and not name.startswith("cache")
        if not name.endswith(PATHS)
        # What its last call left in it is no rule; its rules are told by themselves.
        if not hasattr(value, "to_str")
    }


def _add(digest, text):
    digest.update(text.encode("utf-8", "surrogatepass") + b"\0")


def _is_plain(value):
    """Whether a value is a text, a number or a flag, or a list of these."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(part, (str, Number)) for part in parts)


def _settings(module):
    """Return what a module's forward may read besides parameters and buffers."""
    skipped = NO_SETTINGS | vars(nn.Module()).keys() - HOOKS
    own = {name: v for name, v in vars(module).items() if name not in skipped}
    for name in HOOKS:
        own[name] = list(own[name].values())
    if hasattr(own.get("config"), "to_dict"):
        config = own["config"].to_dict()
        kept = {name: config[name] for name in config.keys() - NO_SETTINGS}
        own["config"] = unordered(kept)
    return own
