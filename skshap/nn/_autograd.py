"""Gradients of what a network returns, by autograd."""

import torch

from skshap.nn._capture_checks import is_memory_error

__all__ = [
    "exact_gradients",
    "gradients_of",
    "parameters_behind",
    "raw_gradients",
    "widen",
]


def widen(tensor):
    """Return a tensor in float32 at least."""
    is_half = tensor.dtype in (torch.bfloat16, torch.float16)
    return tensor.float() if is_half else tensor


def raw_gradients(output, tensors):
    """Return the gradients of a sum of outputs; None where it does not depend."""
    with torch.enable_grad():
        total = output.sum()
    grads = torch.autograd.grad(total, tensors, allow_unused=True, retain_graph=True)
    return [g.to_dense() if g is not None and g.is_sparse else g for g in grads]


def gradients_of(output, tensors):
    """Return the gradients of a sum of outputs; zeros where it does not depend."""
    if not tensors or not output.requires_grad:
        return [torch.zeros_like(tensor) for tensor in tensors]
    grads = raw_gradients(output, tensors)
    return [
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(tensors, grads, strict=True)
    ]


def parameters_behind(outputs):
    """Return the parameters, whosever they are, that outputs have gradients of."""
    nodes, found = [output.grad_fn for output in outputs], set()
    seen = {None}
    while nodes:
        node = nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        nodes += (before for before, _ in node.next_functions)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, torch.nn.Parameter):
            found.add(leaf)
    return found


def exact_gradients(output, tensors):
    """Return the gradients of a sum of outputs of a network without hooks."""
    try:
        return gradients_of(output, tensors)
    except RuntimeError as error:
        if is_memory_error(error):
            raise
        raise ValueError(
            f"autograd cannot differentiate model: {error} Take that part out; "
            "torch.utils.checkpoint needs use_reentrant=False."
        ) from error
