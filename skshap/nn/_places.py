"""Whether rows of a batch keep their places inside of a network."""

import torch

from skshap.nn._batch import batch_size, take_rows

__all__ = ["keep_places", "may_move_rows"]

N_COMPARED = 3  # rows of a batch
MANY, N_OF_MANY = 32, 4  # rows from which on they are more
# Where layers are from that leave rows at their places, or where it can be seen.
KNOWN = "peft.", "skshap.", "torch.nn.modules.", "transformers."
SAME = 0.1  # of the distance to what is read at a row's own place, and of the largest
# Of the largest distance: more than rounding.
APART = {torch.float16: 0.1, torch.bfloat16: 0.1, torch.float64: 1e-6}
APART_IN_FLOAT32 = 1e-3  # and of whole numbers that are looked up


def may_move_rows(network):
    """Whether parts of a network are code of somebody, which may do anything."""
    return not all(is_known(module) for module in network.modules())


def is_known(module):
    """Whether a module computes what its class says, which is one of known places."""
    hooks = module._forward_hooks, module._forward_pre_hooks
    is_patched = "forward" in vars(module) or any(hooks)
    return type(module).__module__.startswith(KNOWN) and not is_patched


def draw_places(n, n_drawn):
    """Draw places in a batch of n rows, the last first, the same for the same n.

    Where one row is put elsewhere, the first or the last moves as well: these are drawn
    always.
    """
    if n <= n_drawn:
        return list(range(n))[::-1]
    rng = torch.Generator().manual_seed(n)
    between = torch.randperm(n - 2, generator=rng)[: n_drawn - 2] + 1
    return sorted([0, *between.tolist(), n - 1], reverse=True)


def keep_places(passes, batch, calls):
    """Whether layers read the rows of a batch at the places that they have in it.

    Some rows are read again, in another order. A network that sorts rows inside, as for
    sequences that are packed by their lengths, then reads others at their places.

    Parameters
    ----------
    passes : Passes
        Through the network.
    batch : dict of Tensor, or Tensor
        n rows, on the device of the network.
    calls : dict of list of Call
        Of its layers, by name, in the forward pass of these.

    Returns
    -------
    bool
    """
    n = batch_size(batch)
    places = draw_places(n, N_OF_MANY if n >= MANY else N_COMPARED)
    again, _ = passes.forward(take_rows(batch, places))
    return not any(
        has_moved(call.read, other.read, n, places)
        for name, used in calls.items()
        for call, other in zip(used, again.get(name, ()), strict=False)
        if not call.is_shared
    )


@torch.no_grad()
def has_moved(read, again, n, places):
    """Whether what is read of some rows again was read of other rows of the batch.

    Parameters
    ----------
    read : Tensor of shape (n, ...) or (n * n_tokens, ...)
        What a layer read of a batch.
    again : Tensor of shape (n_some, ...) or (n_some * n_tokens, ...)
        What it read of some of its rows.
    n : int
    places : list of int
        Of these rows, in the batch.

    Returns
    -------
    bool
    """
    if len(read) % n or len(again) % len(places):
        return False
    one, other = (
        part.unflatten(0, (m, -1)) for part, m in ((read, n), (again, len(places)))
    )
    if one.ndim == other.ndim > 2:  # some are cut at the longest row
        for axis in (1, 2):
            width = min(one.shape[axis], other.shape[axis])
            one, other = (part.narrow(axis, 0, width) for part in (one, other))
    one, other = (part.flatten(1).to(torch.float64) for part in (one, other))
    if one.shape[1] != other.shape[1]:
        return False
    mode = "donot_use_mm_for_euclid_dist"  # which would round
    distance = torch.cdist(other, one, compute_mode=mode)
    rows, largest = torch.arange(len(places)), distance.amax(1)
    own = distance[rows, places]
    distance[rows, places] = torch.inf
    is_rounding = own <= APART.get(read.dtype, APART_IN_FLOAT32) * largest
    if read.is_floating_point():  # where all read the same, so is the largest
        is_rounding |= own <= torch.finfo(read.dtype).eps ** 0.75 * other.norm(dim=1)
    return bool(((distance.amin(1) < SAME * own) & ~is_rounding).any())
