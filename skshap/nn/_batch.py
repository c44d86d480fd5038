"""A batch: what a network reads, and what comes out of it."""

import inspect

import torch

__all__ = ["batch_size", "network_outputs", "take_rows", "tokens_wide", "trim"]


def batch_size(batch):
    """Return how many rows a batch has."""
    return len(_first(batch))


def take_rows(batch, rows):
    """Return some rows of a batch, by a slice or a list of places, as a batch."""
    if isinstance(batch, dict):
        return {name: value[rows] for name, value in batch.items()}
    return batch[rows]


def tokens_wide(batch):
    """Return how many tokens of each row, padding included, or columns a batch has."""
    return _first(batch).shape[1]


def _first(batch):
    return next(iter(batch.values())) if isinstance(batch, dict) else batch


def trim(batch, n_tokens):
    """Return the first tokens of the rows of a batch, as a batch."""
    width = tokens_wide(batch)
    return {
        name: part[:, :n_tokens] if part.shape[1:2] == (width,) else part
        for name, part in batch.items()
    }


def network_outputs(network, batch):
    """Return the outputs of a batch, of shape (n, n_outputs).

    Raise if the network takes or returns something else.
    """
    try:
        output = network(**batch) if isinstance(batch, dict) else network(batch)
    except TypeError:
        _check_taken(network, batch)
        raise
    output = getattr(output, "logits", output)
    is_tensor = isinstance(output, torch.Tensor)
    if not is_tensor or output.ndim != 2 or not output.shape[1]:
        what = tuple(output.shape) if hasattr(output, "shape") else type(output)
        raise ValueError(
            "the forward of model must return a tensor of shape (n, n_outputs), of one "
            f"output or more, got {what}."
        )
    if not output.is_floating_point():
        raise ValueError(
            "the forward of model must return real numbers that can be differentiated, "
            f"got a tensor of {output.dtype}; return real scores."
        )
    return output


def _check_taken(network, batch):
    """Raise if the forward of a network does not take what it is called with."""
    kind = type(network).__name__
    try:
        signature = inspect.signature(network.forward)
        if isinstance(batch, dict):
            signature.bind(**batch)
        else:
            signature.bind(batch)
    except TypeError as error:
        if isinstance(batch, dict):
            what = f"what tokenizer makes, by name: {', '.join(batch)}"
            use = (
                "a model of transformers; of a model of sentence-transformers its "
                "folder, or model[0].auto_model"
            )
        else:
            what, use = "one tensor of rows", "a module that takes one"
        raise ValueError(
            f"the forward of model={kind}(...) is called with {what}; it does not take "
            f"that ({error}). Pass {use}."
        ) from error
