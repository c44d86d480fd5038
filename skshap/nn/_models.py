"""The networks whose gradients make a kernel."""

import copy

import torch
from torch import nn
from torch.nn.utils import skip_init

from skshap.nn._causal import is_causal, is_word_filler
from skshap.nn._parameters import add_adapters, choose_parameters, first_parameter
from skshap.nn._words import WordNetwork

__all__ = [
    "READOUTS",
    "EncoderWithHead",
    "TableNetwork",
    "check_defaults",
    "check_lora_params",
    "copy_network",
    "prepare_network",
]


class EncoderWithHead(nn.Module):
    """A pretrained encoder read out by one linear output with seeded weights.

    Parameters
    ----------
    encoder : torch.nn.Module
        A `transformers` model whose output has a `last_hidden_state` of shape
        (n, n_tokens, hidden).
    readout : {"mean", "first", "last"}
        Mean over the tokens that are not padding, or the first or last of these.
    is_causal : bool
        Whether it reads from left to right only.
    seed : int
        Seed of the head's weights, drawn from a normal of variance ``1 / hidden``.
    """

    def __init__(self, encoder, *, readout, is_causal, seed):
        super().__init__()
        self.encoder = encoder
        self.readout = readout
        self.is_causal = is_causal
        config = encoder.config
        # OPT may project what its decoder returns.
        hidden = getattr(config, "word_embed_proj_dim", None) or config.hidden_size
        # Without default weights, which would move torch's global generator.
        self.head = skip_init(nn.Linear, hidden, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            weight = torch.randn(1, hidden, generator=generator, dtype=torch.float32)
            self.head.weight.copy_(weight / hidden**0.5)
            self.head.bias.zero_()

    def forward(self, **batch):
        """Return the output, of shape (n, 1)."""
        try:
            hidden = self.encoder(**batch).last_hidden_state
        except ValueError as error:
            if not getattr(self.encoder.config, "is_encoder_decoder", False):
                raise
            raise ValueError(
                f"model={type(self.encoder).__name__}(...) has a decoder, which cannot "
                f"read a text by itself ({error}); pass its encoder, as "
                "model.get_encoder() returns it."
            ) from error
        mask = batch["attention_mask"]
        pooled = READOUTS[self.readout](hidden, mask)
        return self.head(pooled.to(self.head.weight.dtype))


def mean_token(hidden, mask):
    """Return the mean over the tokens that are not padding, of shape (n, hidden)."""
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def first_token(hidden, mask):
    """Return the first token, of shape (n, hidden)."""
    return hidden[:, 0]


def last_token(hidden, mask):
    """Return the last token that is not padding, of shape (n, hidden)."""
    return hidden[torch.arange(len(mask), device=mask.device), mask.sum(1) - 1]


# How an encoder is read: from states of shape (n, n_tokens, hidden) and their mask.
READOUTS = {"mean": mean_token, "first": first_token, "last": last_token}


class TableNetwork(nn.Module):
    """The network for tables of numbers: two tanh layers with seeded weights.

    Parameters
    ----------
    n_features : int
        Columns of the table.
    seed : int
        Seed of the weights, normal of variance ``1 / fan_in``.
    """

    width = 64

    def __init__(self, n_features, *, seed):
        super().__init__()
        self.layers = nn.Sequential(
            skip_init(nn.Linear, n_features, self.width),
            nn.Tanh(),
            skip_init(nn.Linear, self.width, self.width),
            nn.Tanh(),
            skip_init(nn.Linear, self.width, 1),
        )
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in self.layers[::2]:
                weight = torch.randn(
                    layer.weight.shape, generator=generator, dtype=torch.float32
                )
                layer.weight.copy_(weight / layer.in_features**0.5)
                layer.bias.zero_()

    def forward(self, x):
        """Return the output, of shape (n, 1)."""
        return self.layers(x)


def copy_network(model):
    """Return a copy of a network; raise where there can be none."""
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError(
            "model must be a torch.nn.Module with layers that hooks reach, got one of "
            "TorchScript; pass the module that it was made of."
        )
    try:
        return copy.deepcopy(model)
    except RuntimeError as error:
        raise ValueError(
            f"model={type(model).__name__}(...) cannot be copied: {error} Weights that "
            "are computed before each forward pass are the usual reason: see "
            "torch.nn.utils.prune.remove and remove_weight_norm, or use "
            "torch.nn.utils.parametrizations."
        ) from error


def prepare_network(
    network,
    *,
    seed,
    device,
    dtype,
    readout="auto",
    n_frozen_layers=None,
    parameters="layers",
    lora_params=None,
    token_ids=None,
):
    """Make the network whose gradients are captured.

    Parameters
    ----------
    network : torch.nn.Module
        A `transformers` model without a head, which gets one; one that predicts words,
        with `token_ids`; or any module whose forward returns (n, n_outputs). It is
        changed: pass a copy of what is to stay as it is.
    seed : int
        Of a fresh head and of adapters.
    device : str, torch.device or None
        Where it runs; None leaves it where it is.
    dtype : torch.dtype
        Of the weights.
    readout, n_frozen_layers, parameters, lora_params
        See :class:`skshap.EmpiricalNTK`; used for models of `transformers` only.
    token_ids : list of int or None
        The words whose logits are the outputs.

    Returns
    -------
    torch.nn.Module
        In evaluation mode.
    """
    is_headless = getattr(network, "base_model", None) is network
    has_words = getattr(network, "get_output_embeddings", lambda: None)() is not None
    kind = type(network).__name__
    check_real_weights(network)
    check_lora_params(lora_params, parameters)
    is_read = is_headless or token_ids is not None
    if is_read:
        if token_ids is not None and not has_words:
            raise ValueError(
                f"model={kind}(...) predicts no words, as template and label_words "
                "need; load it as AutoModelForMaskedLM or AutoModelForCausalLM, or "
                "leave them at None."
            )
        if parameters == "lora":
            add_adapters(network.base_model, lora_params, seed)
    config = getattr(network, "config", None)
    if getattr(config, "use_cache", False):
        config.use_cache = False
    experts = getattr(config, "_experts_implementation", None)
    if experts == "grouped_mm" and dtype == torch.float64:  # which that cannot compute
        network.set_experts_implementation("eager")
    network.eval()
    reads_on = is_read and is_causal(network)
    if token_ids is not None:
        if readout != "auto":
            raise ValueError(
                f"readout={readout!r} is where a fresh head reads, but template says "
                "where words are read; leave readout at 'auto'."
            )
        if not (reads_on or is_word_filler(config)):
            raise ValueError(
                f"model={kind}(...) reads in both directions, but was not trained to "
                "fill a mask, as template and label_words need; leave them at None to "
                "read it out by a fresh head, or pass a masked or causal language "
                "model."
            )
        network = WordNetwork(network, token_ids, is_causal=reads_on)
        choose_parameters(network.model, parameters, n_frozen_layers)
    elif is_headless:
        has_head = choose_parameters(network, parameters, n_frozen_layers)
        auto = "last" if reads_on else "mean"
        readout = auto if readout == "auto" else readout
        network = EncoderWithHead(
            network, readout=readout, is_causal=reads_on, seed=seed
        )
        network.head.requires_grad_(has_head)
    elif has_words:
        raise ValueError(
            f"model={kind}(...) predicts words; pass a template and label_words to "
            "read it by them, or its base_model to read it by a fresh head."
        )
    else:
        check_defaults(f"model={kind}(...)", readout, n_frozen_layers, parameters)
    if device is None:
        device = next(network.parameters()).device
    return network.to(device=device, dtype=dtype).eval()


def check_real_weights(network):
    """Raise if a network has no floating-point parameters, or complex numbers."""
    name = f"model={type(network).__name__}(...)"
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_complex():
            raise ValueError(
                f"{name} must have real weights and buffers, but {key!r} is of "
                f"{tensor.dtype}; keep its real and imaginary part apart, as "
                "torch.view_as_real does."
            )
    if first_parameter(network) is None:
        raise ValueError(
            f"{name} has no floating-point parameters, of whose gradients a kernel is "
            "made; a model that was quantized has none left: pass the one before."
        )


def check_lora_params(lora_params, parameters):
    """Raise if there are options of adapters, but no adapters."""
    if lora_params is not None and parameters != "lora":
        raise ValueError(
            f"lora_params={lora_params!r} are those of parameters='lora', not of "
            f"parameters={parameters!r}."
        )


def check_defaults(what, readout, n_frozen_layers, parameters):
    """Raise if a network is given options of pretrained models that it does not have.

    Parameters
    ----------
    what : str
        The parameter that gave the network, and its value.
    readout, n_frozen_layers, parameters
        See :class:`skshap.EmpiricalNTK`.
    """
    if (readout, n_frozen_layers, parameters) != ("auto", None, "layers"):
        raise ValueError(
            f"readout={readout!r}, n_frozen_layers={n_frozen_layers!r} and parameters="
            f"{parameters!r} apply to models of transformers without a head or with "
            f"label_words, not to {what}; leave them at their defaults, and choose the "
            "parameters of another module's kernel by requires_grad_(False) on the "
            "rest."
        )
