"""What a kernel tells of rows one by one: explicit features, and the diagonal.

All of it works on a pipeline that ends in a kernel as well.
"""

from sklearn.pipeline import Pipeline

__all__ = [
    "diagonal",
    "explicit_features",
    "has_features",
    "last_step",
    "lost_diagonal",
]


def last_step(kernel):
    """Return the kernel that a pipeline ends in, or a kernel itself."""
    return last_step(kernel.steps[-1][1]) if isinstance(kernel, Pipeline) else kernel


def has_features(kernel):
    """Whether a kernel, fitted or not, may have explicit features."""
    last = last_step(kernel)
    if isinstance(last, str):
        return last == "linear"
    return hasattr(last, "transform_features")


def explicit_features(kernel, X):
    """Return the explicit features of rows by a fitted kernel that has them."""
    kernel, X = _reach_kernel(kernel, X)
    return kernel.transform_features(X)


def lost_diagonal(kernel):
    """Return what the features of a fitted kernel lack of its mean diagonal."""
    return getattr(last_step(kernel), "lost_diagonal_", 0.0)


def diagonal(kernel, X):
    """Return the value of each row with itself by a fitted kernel."""
    kernel, X = _reach_kernel(kernel, X)
    return kernel.diag(X)


def _reach_kernel(kernel, X):
    """Take rows through the fitted steps of a pipeline, up to the kernel at its end."""
    while isinstance(kernel, Pipeline):
        for _, step in kernel.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        kernel = kernel.steps[-1][1]
    return kernel, X
