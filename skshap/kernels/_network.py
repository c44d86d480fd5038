"""The network that the parameters of an `EmpiricalNTK` stand for, and its store."""

import copy
from numbers import Integral
from pathlib import Path

import torch

from skshap.kernels._digest import network_digest
from skshap.kernels._folder import memory_folder
from skshap.kernels._gradients import RowGradients
from skshap.kernels._memory_store import MemoryStore
from skshap.kernels._row_reader import RowReader
from skshap.kernels._store import DiskStore
from skshap.kernels._workers import find_devices
from skshap.nn._loading import load_model
from skshap.nn._models import (
    EncoderWithHead,
    TableNetwork,
    check_defaults,
    check_lora_params,
    copy_network,
    prepare_network,
)
from skshap.nn._template import make_template, word_ids

__all__ = ["check_seed", "make_gradients"]


def make_gradients(kernel):
    """Make what computes the gradients of a kernel's network, and keeps them.

    Parameters
    ----------
    kernel : EmpiricalNTK
        Being fitted: its rows are checked.

    Returns
    -------
    RowGradients
    """
    network, tokenizer, template = build_network(kernel)
    folder, store = memory_folder(kernel.memory), MemoryStore()
    if folder is not None:
        digest = network_digest(network, tokenizer, kernel.max_length, template)
        name = f"{digest}-{kernel.outputs}{'-signs' * kernel.sign_gradient}"
        store = DiskStore(folder / name)
    reader = RowReader(
        network,
        tokenizer,
        max_length=kernel.max_length,
        batch_size=kernel.batch_size,
        template=template,
    )
    return RowGradients(
        network,
        reader,
        store,
        outputs=kernel.outputs,
        is_sign=kernel.sign_gradient,
        devices=find_devices(kernel.device),
        verbose=kernel.verbose,
    )


def check_seed(kernel, drawn):
    """Raise if what is drawn in a fit would not be found again in the store."""
    if kernel.memory is not None and not isinstance(kernel.random_state, Integral):
        raise ValueError(
            f"memory={kernel.memory!r} needs an integer random_state, got "
            f"{kernel.random_state!r}: with other {drawn} drawn in each fit, nothing "
            "that is kept would be found again."
        )


def build_network(kernel):
    """Make the network of a kernel.

    Parameters
    ----------
    kernel : EmpiricalNTK
        Being fitted: its rows are checked.

    Returns
    -------
    network : torch.nn.Module
    tokenizer : PreTrainedTokenizerBase or None
        None for tables of numbers.
    template : Template or None

    Raises
    ------
    ModelNotFoundError
        If a model given by name cannot be loaded.
    ValueError
        If parameters do not fit together, or not to the rows; or if weights are drawn
        that would not be found again in the store.
    """
    model, tokenizer = kernel.model, kernel.tokenizer
    is_text = isinstance(kernel.X_fit_, list)
    _check_kind_of_rows(model, tokenizer, is_text)
    template = make_template(kernel.template, kernel.label_words)
    if model is None:
        options = kernel.readout, kernel.n_frozen_layers, kernel.parameters
        check_defaults("model=None", *options)
        check_lora_params(kernel.lora_params, kernel.parameters)
        _refuse_template(template, "model=None")
        network = TableNetwork(kernel.n_features_in_, seed=kernel._seed).eval()
        network = network.to(kernel.device, torch.float64)
        check_seed(kernel, "weights")
        return network, None, None
    is_loaded = not isinstance(model, torch.nn.Module)
    tokenizer = copy.deepcopy(tokenizer)  # tokenizing changes its state
    if is_loaded:
        model, tokenizer = load_model(model, tokenizer, with_words=template is not None)
    if is_text and tokenizer is None:
        raise ValueError(
            f"tokenizer must be given with model={type(model).__name__}(...) to "
            "read texts, got None; pass the tokenizer of the pretrained model."
        )
    if not is_text:
        _refuse_template(template, "a table of numbers")
    network = prepare_network(
        model if is_loaded else copy_network(model),
        readout=kernel.readout,
        n_frozen_layers=kernel.n_frozen_layers,
        parameters=kernel.parameters,
        lora_params=kernel.lora_params,
        token_ids=None if template is None else word_ids(template, tokenizer),
        seed=kernel._seed,
        device=kernel.device,
        dtype=getattr(torch, kernel.dtype),
    )
    if isinstance(network, EncoderWithHead) or kernel.parameters == "lora":
        check_seed(kernel, "weights")
    return network, tokenizer, template


def _check_kind_of_rows(model, tokenizer, is_text):
    """Raise if a model for texts meets numbers, or the other way round."""
    if model is None and is_text:
        raise ValueError(
            "model=None works on tables of numbers, but X holds texts; pass the "
            "path or name of a pretrained encoder as model."
        )
    is_name = isinstance(model, (str, Path))
    is_encoder = model is not None and getattr(model, "base_model", None) is model
    if not is_text and (is_name or is_encoder or tokenizer is not None):
        name = str(model) if is_name else type(model).__name__
        raise ValueError(
            f"model={name!r} reads texts, but X is a table of numbers; pass "
            "texts, or model=None and no tokenizer for a network on the table."
        )


def _refuse_template(template, what):
    if template is not None:
        raise ValueError(
            f"template={template.text!r} is for language models and texts, not for "
            f"{what}; leave it at None."
        )
