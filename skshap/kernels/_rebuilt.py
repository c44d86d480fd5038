"""The part of `EmpiricalNTK` that builds its network, and builds it again elsewhere."""

import copy
from types import SimpleNamespace

import torch

from skshap.kernels._network import make_gradients

__all__ = ["Rebuilt"]

# Parameters that say where things are and how work is done. They may change after a
# fit, as where a pickle meets a machine with other folders and devices.
FREE = {"model", "tokenizer", "device", "memory", "batch_size", "verbose"}


class Rebuilt:
    """Mixin of :class:`skshap.EmpiricalNTK`: the network, which pickles leave out.

    It needs the rows `X_fit_` and the seed `_seed`.
    """

    def _start_anew(self):
        """Forget the network of an earlier fit, and keep the parameters of this one."""
        for name in ("_cache", "_digests"):
            vars(self).pop(name, None)
        parameters = self.get_params(deep=False).items()
        kept = {name: value for name, value in parameters if name not in FREE}
        self._parameters_fit = copy.deepcopy(kept)

    @property
    def _as_fitted(self):
        """This kernel with the parameters that it was fitted with."""
        return SimpleNamespace(**vars(self) | vars(self).get("_parameters_fit", {}))

    @property
    def _gradients(self):
        """The network and its gradients; rebuilt where it did not travel."""
        if "_cache" not in vars(self):
            gradients = make_gradients(self._as_fitted)
            if "_digests" in vars(self):
                self._check_digests(gradients.digests)
            self._cache = gradients
        return self._cache

    def _check_digests(self, found):
        """Raise if a network built again is not the one that was fitted."""
        changed = [what for what, kept in self._digests.items() if found[what] != kept]
        if changed:
            name = repr(self.model if self.model is None else str(self.model))
            if isinstance(self.model, torch.nn.Module):
                name = f"{type(self.model).__name__}(...)"
            raise ValueError(
                f"the {' and '.join(changed)} of model={name} are not those that this "
                "kernel was fitted with, before it was pickled or copied; fit it "
                "again, or put the old ones back, if elsewhere with "
                "set_params(model=...)."
            )

    def __getstate__(self):
        # The network is built again from `model`, and gradients are recomputed or read
        # from `memory`: pickles stay as small as the model parameter is, but for the
        # projections of a sketch. Digests tell whether it is the same network.
        state = super().__getstate__().copy()
        if gradients := state.pop("_cache", None):
            state["_digests"] = gradients.digests
        return state
