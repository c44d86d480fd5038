"""Digests of rows and of networks: the names under which gradients are kept."""

import hashlib
import json
from functools import partial

import numpy as np
import torch
from torch import nn

from skshap.nn._models import EncoderWithHead, TableNetwork
from skshap.utils._describe import describe, describe_class

__all__ = [
    "network_digest",
    "row_keys",
    "settings_digest",
    "text_key",
    "tokenizer_digest",
    "weights_digest",
]

FORMAT = b"skshap gradients 3"  # changes whenever stored files would mean another thing
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
    return [hashlib.blake2b(_content(row), digest_size=16).hexdigest() for row in rows]


def text_key(*parts):
    """Digest some texts."""
    return hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


def _content(row):
    if isinstance(row, np.ndarray):
        return row.tobytes()
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
    add = partial(_add, digest)
    add(str(network))
    for kind in dict.fromkeys(type(m) for m in network.modules()):
        add(f"{kind.__module__}.{kind.__qualname__} {describe_class(kind)}")
    for name, module in network.named_modules():
        add(name)
        for key, value in _settings(module).items():
            add(f"{key} {describe(value)}")
    _add_weights(digest, network, network.named_buffers())
    if tokenizer is not None:
        add(str(max_length))
        if template is not None:
            add(template.text)
        for text in _tokenizer_texts(tokenizer):
            add(text)
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


def settings_digest(network):
    """Digest what a network computes with apart from its weights, but not its code.

    Of models of `transformers`, what is private to them, and buffers that files do not
    hold, are left out: other machines have others, or other last digits of them.

    Parameters
    ----------
    network : torch.nn.Module
        Prepared by `skshap.nn._models`, and not used yet, as use may leave traces.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    _add(digest, str(network))
    for name, module in network.named_modules():
        _add(digest, name)
        settings = _settings(module)
        if type(module).__module__.startswith("transformers"):
            settings = {k: v for k, v in settings.items() if not k.startswith("_")}
        else:
            fleeting = module._non_persistent_buffers_set
            settings |= {buffer: module._buffers[buffer] for buffer in fleeting}
        for key in sorted(settings):
            _add(digest, f"{key} {describe(settings[key], dict(ANYWHERE))}")
    return digest.hexdigest()


def tokenizer_digest(tokenizer):
    """Digest the vocabulary and the rules of a tokenizer."""
    digest = hashlib.blake2b(digest_size=16)
    for text in _tokenizer_texts(tokenizer, ANYWHERE):
        _add(digest, text)
    return digest.hexdigest()


def _add_weights(digest, network, buffers):
    """Add the parameters and some buffers of a network to a digest."""
    wanted = {name for name, p in network.named_parameters() if p.requires_grad}
    for name, tensor in (*network.named_parameters(), *buffers):
        tensor = tensor.detach().cpu().to_dense().contiguous()
        _add(digest, f"{name} {tensor.dtype} {tuple(tensor.shape)} {name in wanted}")
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)


def _tokenizer_texts(tokenizer, seen=None):
    """Return what a tokenizer does, in texts; see `describe` for `seen`."""
    seen = dict(seen or {})
    texts = [
        describe(type(tokenizer), seen),
        str(tokenizer.special_tokens_map),
        f"{tokenizer.model_input_names} {tokenizer.truncation_side}",
        str(getattr(tokenizer, "split_special_tokens", False)),
    ]
    if getattr(tokenizer, "is_fast", False):
        rules = json.loads(tokenizer.backend_tokenizer.to_str())
        # How the last call cut and padded is state, not a rule.
        texts.append(json.dumps({**rules, "truncation": None, "padding": None}))
    else:
        rules = {
            name: value
            for name, value in tokenizer.__getstate__().items()
            if name not in NO_RULES and not name.startswith("cache")
            if not name.endswith(PATHS)
        }
        texts.append(f"{sorted(tokenizer.get_vocab().items())} {describe(rules, seen)}")
    return texts


def _add(digest, text):
    digest.update(text.encode("utf-8", "surrogatepass") + b"\0")


def _settings(module):
    """Return what a module's forward may read besides parameters and buffers."""
    skipped = NO_SETTINGS | vars(nn.Module()).keys() - HOOKS
    own = {name: v for name, v in vars(module).items() if name not in skipped}
    for name in HOOKS:
        own[name] = list(own[name].values())
    if hasattr(own.get("config"), "to_dict"):
        own["config"] = {
            name: value
            for name, value in own["config"].to_dict().items()
            if name not in NO_SETTINGS
        }
    return own
