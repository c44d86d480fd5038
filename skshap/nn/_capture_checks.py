"""What is checked of captured gradients, and of the outputs that they are of."""

import numpy as np
import torch

from skshap.nn._batch import take_rows, tokens_wide, trim

__all__ = [
    "check_finite",
    "check_padding",
    "check_padding_unread",
    "check_repeats",
    "check_separate",
    "is_memory_error",
    "largest_rounding",
    "refuse_moved",
    "refuse_wrong",
]

N_READ = 10  # times that a row is read, as what is drawn may be the same twice
N_COMPARED = 8  # rows of a batch that are read without padding as well
N_LENGTHS = 3  # that these have, each of which takes a forward pass


def is_memory_error(error):
    """Whether an error says that there is not enough memory."""
    is_torch = isinstance(error, torch.OutOfMemoryError)
    return is_torch or "can't allocate memory" in str(error)


def check_repeats(run, batch):
    """Raise if the outputs of the same rows are others when they are read again."""
    with torch.no_grad():
        found = torch.stack([torch.stack(run(batch), 1) for _ in range(N_READ)])
    eps = max(torch.finfo(kind).eps for kind in (found.dtype, torch.float32))
    wrong = (found - found[0]).abs().max()
    if wrong > 16 * eps * found.abs().max():  # of sums in another order
        raise ValueError(
            "the output of model for a row depends on chance, or on what it read "
            f"before: it differs by {wrong:.2g} when the row is read again. Take out "
            "what model draws in evaluation, such as torch.nn.functional.dropout with "
            "training=True."
        )


def check_separate(run, batch):
    """Raise if the outputs of rows of a batch are others than those of each alone.

    The first and the last are tried, since a layer that takes rows for a sequence
    may read it in one direction.
    """
    with torch.no_grad():
        outputs = torch.stack(run(batch), 1)
        n = len(outputs)
        alone = [torch.stack(run(take_rows(batch, [i])), 1) for i in (0, n - 1)]
    wrong = (outputs[[0, n - 1]] - torch.cat(alone)).abs()
    if (wrong > largest_rounding(outputs)).any():
        raise ValueError(
            "the output of model for a row depends on the other rows of its batch: by "
            f"{wrong.max():.2g} for one of {n}. Layers such as "
            "torch.nn.TransformerEncoderLayer and torch.nn.GRU need "
            "batch_first=True, norms need running statistics; or set batch_size=1."
        )


def largest_rounding(outputs):
    """Return by how much outputs of the same rows differ, at most, by rounding alone.

    It is that of their size, and of the size of what made them, of which their spread
    tells: a bias would hide what differs.

    Parameters
    ----------
    outputs : Tensor of shape (n, n_outputs)

    Returns
    -------
    Tensor of shape (n_outputs,)
    """
    # Some networks compute parts in float32 whatever their weights are.
    eps = max(torch.finfo(kind).eps for kind in (outputs.dtype, torch.float32))
    spread = outputs.amax(0) - outputs.amin(0)
    return eps**0.5 * spread + 4 * eps**0.75 * outputs.abs().amax(0)


def check_finite(found, *, is_text):
    """Raise if gradients are not; those of texts may be in float32 only."""
    parts = [found.vector, *(part for pair in found.pairs for part in pair)]
    # A sum is finite only if all are, unless it overflows: then look at each.
    sums = torch.stack([part.sum() for part in parts])
    if not (sums.isfinite().all() or all(p.isfinite().all() for p in parts)):
        is_wide = is_text and found.vector.dtype == torch.float64
        hint = ", or set dtype='float32', the only one that some models take" * is_wide
        raise ValueError(
            "the gradients of model are not finite (NaN or infinity) for these rows; "
            f"check its weights and the range of the rows{hint}."
        )


def check_padding_unread(run, batch, lengths, outputs):
    """Raise if outputs of rows of a batch are others without padding.

    Tried are up to `N_COMPARED` of the shortest, those of a length together, which is
    one of the `N_LENGTHS` first.
    """
    lengths, width = np.asarray(lengths), tokens_wide(batch)
    shortest = np.argsort(lengths, kind="stable")[:N_COMPARED]
    bound = largest_rounding(outputs)
    found = np.unique(lengths[shortest])[:N_LENGTHS]
    for length in found[found < width].tolist():
        some = shortest[lengths[shortest] == length].tolist()
        try:
            with torch.no_grad():
                alone = torch.stack(run(trim(take_rows(batch, some), length)), 1)
        except Exception as error:  # whatever the network raises
            if is_memory_error(error):
                raise
            raise ValueError(
                f"model cannot read a row of {length} tokens without padding, which "
                f"the kernel must not depend on ({error}); drop rows as short as that."
            ) from error
        wrong = (outputs[some] - alone).abs()
        if (wrong > bound).any():
            raise ValueError(
                "the output of model for a row depends on how much padding follows: by "
                f"{wrong.max():.2g} for one of {length} tokens, padded to {width}, so "
                "that the kernel would depend on the batches; make the model obey the "
                "attention mask, or set batch_size=1."
            )


def refuse_moved(is_late):
    """Raise if rows change places after batches in which nothing of it was seen."""
    if is_late:
        raise ValueError(
            "the rows of some batches change places inside of model, as where it sorts "
            "them, so that their gradients cannot be told apart; set batch_size=1."
        )


def refuse_wrong(names):
    """Raise if a rule does not hold for rows, but for those that were tried before."""
    if names:
        raise ValueError(
            f"model uses {min(names)!r} outside of its layer, or in another way, for "
            "some rows only, which the kernel cannot follow; freeze it with "
            "requires_grad_(False)."
        )


def check_padding(calls, lengths, width):
    """Raise if the output depends on what a layer writes for padding up to a width."""
    names, found, masks = [], [], {}
    for name, used in calls.items():
        for call in used:
            grad = call.grad
            if len(grad) < len(lengths):  # written once for all rows, as positions are
                continue
            if len(grad) != len(lengths):  # tokens of all rows behind each other
                grad = grad.unflatten(0, (len(lengths), -1))
            if grad.ndim != 3 or grad.shape[1] != width:
                continue
            if grad.device not in masks:
                is_padding = np.arange(width) >= np.asarray(lengths)[:, None]
                masks[grad.device] = torch.from_numpy(is_padding).to(grad.device)
            names.append(name)
            found.append(_any_at(grad, masks[grad.device]))
    # All at once, so that a GPU is waited for only once.
    wrong = torch.stack(found).cpu().numpy() if found else np.zeros(0, bool)
    if wrong.any():
        name = names[wrong.argmax()]
        raise ValueError(
            f"the output of model depends on what layer {name!r} writes for padding, "
            "so that the kernel would depend on the batches; make the model obey the "
            "attention mask, or set batch_size=1."
        )


def _any_at(grad, mask):
    """Whether anything is not zero where a mask says, as a tensor of one bool."""
    if grad.device.type == "cpu":  # less to look at
        return grad[mask].any()
    return (grad.any(-1) & mask).any()
