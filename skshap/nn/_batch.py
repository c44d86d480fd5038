"""A batch: what a network reads, and what comes out of it."""

import torch

__all__ = ["batch_size", "network_outputs", "take_rows", "tokens_wide", "trim"]


def batch_size(batch):
    """Return how many rows a batch has."""
    return len(next(iter(batch.values())) if isinstance(batch, dict) else batch)


def take_rows(batch, rows):
    """Return some rows of a batch, by a slice or a list of places, as a batch."""
    if isinstance(batch, dict):
        return {name: value[rows] for name, value in batch.items()}
    return batch[rows]


def tokens_wide(batch):
    """Return how many tokens of each row a batch of texts has, padding included."""
    return (next(iter(batch.values())) if isinstance(batch, dict) else batch).shape[1]


def trim(batch, n_tokens):
    """Return the first tokens of the rows of a batch, as a batch."""
    width = tokens_wide(batch)
    return {
        name: part[:, :n_tokens] if part.shape[1:2] == (width,) else part
        for name, part in batch.items()
    }


def network_outputs(network, batch):
    """Return the outputs of a batch, of shape (n, n_outputs).

    Parameters
    ----------
    network : torch.nn.Module
    batch : dict of Tensor, or Tensor

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the network returns something else.
    """
    output = network(**batch) if isinstance(batch, dict) else network(batch)
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
