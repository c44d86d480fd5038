"""The networks whose gradients make a kernel: loading, head, read-out, batches."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.utils import skip_init

from skshap.exceptions import ModelNotFoundError

__all__ = ["EncoderWithHead", "TableNetwork", "load_encoder", "prepare_network"]


class EncoderWithHead(nn.Module):
    """A pretrained encoder read out by one linear output with seeded weights.

    Parameters
    ----------
    encoder : torch.nn.Module
        A `transformers` encoder whose output has a `last_hidden_state` of shape
        (n, n_tokens, hidden).
    readout : {"mean", "first"}
        Mean over the tokens that are not padding, or the first token.
    n_frozen_layers : int or None
        How many of the encoder's first layers are left out of the kernel; None leaves
        out two thirds of them. Embeddings are always left out.
    parameters : {"all", "feedforward"}
        Which parameters of the other layers are in the kernel: all of them and the
        head, or the linear layers outside of attention.
    seed : int
        Seed of the head's weights, drawn from a normal of variance ``1 / hidden``.
    """

    def __init__(self, encoder, *, readout, n_frozen_layers, parameters, seed):
        super().__init__()
        self.encoder = encoder
        self.readout = readout
        hidden = encoder.config.hidden_size
        # Without default weights, which would move torch's global generator.
        self.head = skip_init(nn.Linear, hidden, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            weight = torch.randn(1, hidden, generator=generator, dtype=torch.float32)
            self.head.weight.copy_(weight / hidden**0.5)
            self.head.bias.zero_()
        self._choose_parameters(n_frozen_layers, parameters)

    def _choose_parameters(self, n_frozen_layers, parameters):
        layers = max(
            (m for m in self.encoder.modules() if isinstance(m, nn.ModuleList)),
            key=len,
            default=(),
        )
        if n_frozen_layers is None:
            n_frozen_layers = 2 * len(layers) // 3
        if n_frozen_layers > len(layers):
            raise ValueError(
                f"n_frozen_layers={n_frozen_layers} is more than the {len(layers)} "
                f"layers of {type(self.encoder).__name__}."
            )
        self.requires_grad_(False)
        for layer in layers[n_frozen_layers:]:
            if parameters == "all":
                layer.requires_grad_(True)
                continue
            for name, module in layer.named_modules():
                if isinstance(module, nn.Linear) and "att" not in name:
                    module.requires_grad_(True)
        self.head.requires_grad_(parameters == "all")

    def forward(self, **batch):
        """Return the output, of shape (n, 1)."""
        hidden = self.encoder(**batch).last_hidden_state
        if self.readout == "first":
            pooled = hidden[:, 0]
        else:
            mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
        return self.head(pooled)


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


def load_encoder(name):
    """Load a pretrained encoder and its tokenizer.

    Parameters
    ----------
    name : str or path
        A folder, or a name on the model hub, that `transformers` can load.

    Returns
    -------
    encoder : torch.nn.Module
        The encoder, in float32.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer.

    Raises
    ------
    ModelNotFoundError
        If either cannot be loaded, or weights are missing.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    shows_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name))
        encoder, report = AutoModel.from_pretrained(
            str(name), dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelNotFoundError(
            f"model={str(name)!r} could not be loaded: looked for a folder of that "
            "name and for a model of that name in the local cache or on the model "
            "hub. Pass the path of a folder with config.json, weights and tokenizer "
            "files, or download the model first (`hf download "
            f"{name}`); with HF_HUB_OFFLINE=1 only local files are used. The loader "
            f"said: {error}"
        ) from error
    finally:
        if shows_bars:
            logging.enable_progress_bar()
    # transformers fills gaps with random weights. A pooler's do not count, but must be
    # the same in every run for a store to be found again.
    gaps = sorted(report["missing_keys"])
    needed = [key for key in gaps if not key.startswith("pooler.")]
    if needed:
        raise ModelNotFoundError(
            f"model={str(name)!r} was found, but its files lack {len(needed)} weights "
            f"of {type(encoder).__name__}: {needed[:5]}; get a complete copy."
        )
    with torch.no_grad():
        for key in gaps:
            encoder.get_parameter(key).zero_()
    return encoder, tokenizer


def prepare_network(
    model, *, readout, n_frozen_layers, parameters, seed, device, dtype
):
    """Make the network whose gradients are captured.

    Parameters
    ----------
    model : torch.nn.Module
        A `transformers` encoder without a head, which gets one, or any module whose
        forward returns (n, n_outputs), of which the first output is taken.
    readout, n_frozen_layers, parameters, seed
        See :class:`EncoderWithHead`; used for encoders only.
    device : str, torch.device or None
        Where it runs; None leaves it where it is.
    dtype : torch.dtype
        Of the weights.

    Returns
    -------
    torch.nn.Module
        A copy in evaluation mode; the module given is left as it was.
    """
    network = copy.deepcopy(model)
    is_headless = getattr(network, "base_model", None) is network
    if is_headless:
        network = EncoderWithHead(
            network,
            readout="mean" if readout == "auto" else readout,
            n_frozen_layers=n_frozen_layers,
            parameters=parameters,
            seed=seed,
        )
    elif (readout, n_frozen_layers, parameters) != ("auto", None, "all"):
        raise ValueError(
            f"readout={readout!r}, n_frozen_layers={n_frozen_layers!r} and parameters="
            f"{parameters!r} apply to transformers encoders without a head; for "
            "another module choose the parameters of the kernel with "
            "requires_grad_(False) on the rest."
        )
    if device is None:
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
    return network.to(device=device, dtype=dtype).eval()


def text_batches(encodings, pad, batch_size):
    """Batch tokenised texts by length, so that little is padded.

    Parameters
    ----------
    encodings : list of dict
        Token ids and masks of each text, as lists.
    pad : callable
        Pads a list of encodings to a dict of tensors.
    batch_size : int
        Rows a batch.

    Yields
    ------
    indices : ndarray
        Which rows are in the batch.
    lengths : ndarray
        Their numbers of tokens.
    batch : dict of Tensor
        The padded batch.
    """
    lengths = np.array([len(e["input_ids"]) for e in encodings])
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = pad([encodings[i] for i in indices])
        yield indices, lengths[indices], dict(batch)
