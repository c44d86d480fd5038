"""The parameter `method` of an `EmpiricalNTK`: exact products or a sketch."""

from skshap.kernels._network import check_seed
from skshap.kernels._row_gram import count_products

__all__ = ["choose_method", "may_sketch"]

# What method="auto" spends on an exact kernel.
EXACT_BYTES = 3 << 30
EXACT_OPERATIONS = 3e13
GPU_OPERATIONS = 3e15  # the same on a GPU


def may_sketch(kernel):
    """Whether a kernel has explicit features, as far as can be told before a fit."""
    return getattr(kernel, "method_", kernel.method) != "exact"


def choose_method(kernel, gradients):
    """Choose between exact products and a sketch by counts, not by a clock.

    Parameters
    ----------
    kernel : EmpiricalNTK
        Being fitted: its rows are checked.
    gradients : RowGradients
        Of its network.

    Returns
    -------
    {"exact", "sketch"}

    Raises
    ------
    ValueError
        If parameters do not fit together.
    """
    method = kernel.method
    if method == "sketch" and kernel.sign_gradient:
        raise ValueError(
            "method='sketch' projects gradients before they are multiplied out, "
            "but sign_gradient=True takes the signs of their entries; set "
            "method='exact' or sign_gradient=False."
        )
    if method == "auto":
        is_exact = kernel.sign_gradient or _is_small(gradients, kernel.X_fit_)
        method = "exact" if is_exact else "sketch"
    if method == "sketch":
        check_seed(kernel, "projections")
    return method


def _is_small(gradients, rows):
    """Whether all products between the gradients of rows are worth their price."""
    n_bytes, n_operations = count_products(gradients, rows)
    most = EXACT_OPERATIONS
    if gradients.is_on_gpu:  # where gradients are not held
        n_bytes, most = 0, GPU_OPERATIONS
    n_bytes = max(n_bytes, 8 * len(rows) ** 2)  # of the kernel
    return n_bytes <= EXACT_BYTES and n_operations <= most
