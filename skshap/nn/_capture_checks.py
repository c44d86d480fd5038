"""What is checked of captured gradients, and of the outputs that they are of."""

import torch

from skshap.nn._batch import take_rows

__all__ = [
    "TOLERANCES",
    "check_finite",
    "check_padding",
    "check_separate",
    "is_memory_error",
]

# Relative, of a rule's gradient against autograd's, and of the output of an example
# alone against that in a batch.
TOLERANCES = {
    torch.float16: 1e-1,
    torch.bfloat16: 1e-1,
    torch.float32: 1e-2,
    torch.float64: 1e-6,
}


def is_memory_error(error):
    """Whether an error says that there is not enough memory."""
    is_torch = isinstance(error, torch.OutOfMemoryError)
    return is_torch or "can't allocate memory" in str(error)


def check_separate(run, batch):
    """Raise if the outputs of rows of a batch are others than those of each alone.

    The first and the last are tried, since a layer that takes rows for a sequence
    may read it in one direction.
    """
    with torch.no_grad():
        outputs = torch.stack(run(batch), 1)
        n = len(outputs)
        alone = [torch.stack(run(take_rows(batch, [i])), 1) for i in (0, n - 1)]
    wrong = (outputs[[0, n - 1]] - torch.cat(alone)).abs().max()
    if wrong > TOLERANCES[outputs.dtype] * outputs.abs().max():
        raise ValueError(
            "the output of model for a row depends on the other rows of its batch, "
            f"or on chance: by {wrong:.2g} for one of {n}. Layers such as "
            "torch.nn.TransformerEncoderLayer and torch.nn.GRU need "
            "batch_first=True, norms need running statistics; or set batch_size=1."
        )


def check_finite(found):
    """Raise if gradients are not."""
    parts = [found.vector, *(part for pair in found.pairs for part in pair)]
    # A sum is finite only if all are, unless it overflows: then look at each.
    if not all(p.sum().isfinite() or p.isfinite().all() for p in parts):
        raise ValueError(
            "the gradients of model are not finite (NaN or infinity) for these rows; "
            "check its weights and the range of the rows."
        )


def check_padding(calls, lengths):
    """Raise if the output depends on what a layer writes for padding."""
    for name, used in calls.items():
        for call in used:
            grad = call.grad
            if len(grad) != len(lengths):  # tokens of all rows behind each other
                grad = grad.unflatten(0, (len(lengths), -1))
            if grad.ndim != 3:
                continue
            tokens = torch.arange(grad.shape[1], device=grad.device)
            stops = torch.as_tensor(lengths, device=grad.device)
            if grad.shape[1] == max(lengths) and grad[tokens >= stops[:, None]].any():
                raise ValueError(
                    f"the output of model depends on what layer {name!r} writes for "
                    "padding, so that the kernel would depend on the batches; make the "
                    "model obey the attention mask, or set batch_size=1."
                )
