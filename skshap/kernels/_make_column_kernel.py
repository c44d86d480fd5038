"""`make_column_kernel`: a `ColumnKernel` whose kernels are named by their types."""

from skshap.kernels._column import ColumnKernel
from skshap.utils._sklearn import name_estimators

__all__ = ["make_column_kernel"]


def make_column_kernel(*kernels, weights=None):
    """Make a :class:`ColumnKernel` and name its kernels by their types.

    Parameters
    ----------
    *kernels : tuple
        Tuples (kernel, columns), as in :class:`ColumnKernel`.
    weights : array-like of shape (n_kernels,) or None, default=None
        Weight of each kernel; see :class:`ColumnKernel`.

    Returns
    -------
    ColumnKernel
        Not fitted.

    Raises
    ------
    ValueError
        If something is no such tuple, or kernel and columns are swapped.

    See Also
    --------
    ColumnKernel : With names of your own.

    Examples
    --------
    >>> from skshap import EmpiricalNTK, make_column_kernel
    >>> make_column_kernel(("rbf", [0, 1]), (EmpiricalNTK(), [2]))
    ColumnKernel(kernels=[('rbf', 'rbf', [0, 1]),
                          ('empiricalntk', EmpiricalNTK(), [2])])
    """
    if not all(isinstance(item, tuple) and len(item) == 2 for item in kernels):
        found = ", ".join(f"{item!r:.60}".split("\n")[0] for item in kernels)
        raise ValueError(
            f"kernels must be tuples (kernel, columns), got {found}; to name them use "
            "ColumnKernel. The table itself goes to fit."
        )
    for kernel, columns in kernels:
        if hasattr(columns, "get_params") or not _may_be_kernel(kernel):
            is_swapped = _may_be_kernel(columns)
            why = "the kernel last; swap the two" if is_swapped else "no kernel in it"
            raise ValueError(
                f"kernels must be tuples (kernel, columns), got ({kernel!r}, "
                f"{columns!r}) with {why}."
            )
    named = name_estimators([kernel for kernel, _ in kernels])
    return ColumnKernel(
        [
            (name, kernel, columns)
            for (name, _), (kernel, columns) in zip(named, kernels, strict=True)
        ],
        weights=weights,
    )


def _may_be_kernel(value):
    return isinstance(value, str) or callable(value) or hasattr(value, "fit")
