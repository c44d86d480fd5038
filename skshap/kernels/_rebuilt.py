"""The part of `EmpiricalNTK` that fits, and builds what pickles leave behind again."""

import copy
from types import SimpleNamespace

import torch
from sklearn.utils.validation import check_is_fitted

from skshap.kernels._exact_kernel import ExactKernel
from skshap.kernels._folder import warn_of_other_folder
from skshap.kernels._method import choose_method
from skshap.kernels._network import make_gradients
from skshap.kernels._normalization import Normalization
from skshap.kernels._sketched import SketchedRows
from skshap.kernels._sketched_kernel import SketchedKernel
from skshap.utils._device import check_device
from skshap.utils._seed import draw_seed
from skshap.utils._unchanged import unchanged_on_error
from skshap.utils._validation import check_rows

__all__ = ["Rebuilt"]

N_COMPONENTS = 1024  # of a sketch, by default
# Parameters that say where things are and how work is done. They may change after a
# fit, as where a pickle meets a machine with other folders and devices.
FREE = {"model", "tokenizer", "device", "memory", "batch_size", "verbose"}
# The network and the engine, and what stands for them in a pickle.
MADE = "_cache", "_digests", "_counters", "_made_engine", "_engine_state"


def check_autocast():
    """Raise if torch would round more than a kernel's `dtype` says."""
    if any(map(torch.is_autocast_enabled, ("cpu", "cuda"))):
        raise RuntimeError(
            "a kernel cannot be computed inside of torch.autocast(), which rounds more "
            "than its dtype says; leave it."
        )


class Rebuilt:
    """Mixin of :class:`skshap.EmpiricalNTK`: a fit, and the network that it is of.

    The network needs the rows `X_fit_` and the seed `_seed`, the engine also `method_`.
    """

    def _fit(self, X, call):
        """Fit an engine to rows, which `call` does; return what `call` returns."""
        check_device(self.device)
        check_autocast()
        with unchanged_on_error(self):
            rows = check_rows(self, X, reset=True, copy=True)
        # Without it the kernel counts as not fitted, should this fit be broken off:
        # what an earlier one holds in memory is let go of before.
        vars(self).pop("lost_diagonal_", None)
        self.X_fit_ = rows
        self._seed = draw_seed(self.random_state)
        self._start_anew()
        self._gradients.reader.lengths(self.X_fit_, warn=True)
        self.method_ = choose_method(self, self._gradients)
        engine = self._engine
        found = call(engine)
        self.scale_ = engine.normalization.scale
        self.approximation_error_ = engine.error
        if self.method_ == "sketch":
            self.n_components_ = engine.features_fit.shape[1]
        self.lost_diagonal_ = engine.lost_diagonal
        return found

    def __sklearn_is_fitted__(self):
        return "lost_diagonal_" in vars(self)

    def _check_new_rows(self, X):
        """Check rows after `fit`, and warn of those cut or rounded that are new."""
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False)
        reader = self._gradients.reader
        if not (reader.reads_text and set(self.X_fit_).issuperset(rows)):
            reader.lengths(rows, warn=True)
        return rows

    def _start_anew(self):
        """Forget what an earlier fit made, and keep the parameters of this one."""
        for name in (*MADE, "n_components_"):
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
        check_autocast()
        if "_cache" not in vars(self):
            is_again = "_digests" in vars(self)
            if is_again:
                warn_of_other_folder(self.memory)
            gradients = make_gradients(self._as_fitted)
            if is_again:
                self._check_digests(gradients.digests(self._counters))
            self._cache = gradients
        return self._cache

    @property
    def _engine(self):
        """What computes the kernel; made again from its state where it travelled."""
        if "_made_engine" not in vars(self):
            fitted, gradients = self._as_fitted, self._gradients
            normalization = Normalization(fitted.normalize, gradients.dtype)
            if self.method_ == "exact":
                engine = ExactKernel(gradients, self.X_fit_, normalization)
            else:
                n_components = fitted.n_components or N_COMPONENTS
                sketched = SketchedRows(gradients, n_components, self._seed)
                engine = SketchedKernel(sketched, self.X_fit_, normalization)
            if "_engine_state" in vars(self):
                engine.set_state(self._engine_state)
            self._made_engine = engine
        return self._made_engine

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
        # projections of a sketch. Digests tell whether it is the same network; once
        # made, they travel on.
        state = super().__getstate__().copy()
        if engine := state.pop("_made_engine", None):
            state["_engine_state"] = engine.state()
        gradients = state.pop("_cache", None)
        if gradients and "_digests" not in state:
            state["_counters"] = gradients.counters
            state["_digests"] = gradients.digests(state["_counters"])
        return state
