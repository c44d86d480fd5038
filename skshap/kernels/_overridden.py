"""Kernels of the library whose methods a user's subclass overrides."""

import numpy as np

__all__ = ["Overridable"]


class Overridable:
    """Mixin of kernels whose subclasses train on the kernel that they predict with.

    A subclass that overrides `transform` or `fit`, but not `fit_transform`, has one
    that calls both. `diag` and `transform_features` are of the kernel that was there
    before: a subclass that overrides `transform` lacks them until it has its own.
    """

    def __init_subclass__(cls, **kwargs):
        changed = _place(cls, "transform")
        if min(changed, _place(cls, "fit")) < _place(cls, "fit_transform"):
            cls.fit_transform = _fit_transform
        for name in ("diag", "transform_features"):
            if changed < _place(cls, name):
                setattr(cls, name, _absent(name))
        super().__init_subclass__(**kwargs)  # which wraps them for `set_output`


def _place(kind, name):
    """Return where in the order of a class's parents a method is defined."""
    return next(i for i, parent in enumerate(kind.__mro__) if name in vars(parent))


def _fit_transform(self, X, y=None):
    """Fit and return the kernel matrix of the training rows, exactly symmetric."""
    K = np.asarray(self.fit(X).transform(X))
    return (K + K.T) / 2


def _absent(name):
    """Return an attribute that is not there, and says why."""

    def absent(self):
        raise AttributeError(
            f"{type(self).__name__} overrides transform, so that the {name} that it "
            f"inherits would be of another kernel; override {name} as well."
        )

    return property(absent)
