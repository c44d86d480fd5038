"""Groups of training rows, which join coalitions as one."""

import numpy as np

from skshap.utils._label_arrays import check_labels

__all__ = ["encode_groups"]


def encode_groups(groups, rows):
    """Check groups of training rows and number them, in sorted order.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Names.
    rows : ndarray of length n
        The training rows.

    Returns
    -------
    ndarray of shape (n,)
        From 0 on.

    Raises
    ------
    ValueError
        If a group is missing, or their number is another than that of the rows.
    """
    try:
        if isinstance(groups, str):
            raise ValueError(f"got {groups!r}; if that is a column, pass its values.")
        if np.ndim(groups) != 1:
            raise ValueError(
                f"got an array of shape {np.shape(groups)}; pass one column as "
                "df['annotator'], and several as df.groupby([...]).ngroup()."
            )
        if len(groups) != len(rows):
            raise ValueError(f"got {len(groups)} for {len(rows)} training rows.")
        groups = check_labels(groups, rows, "groups")
        return np.unique(groups, return_inverse=True)[1]
    except (TypeError, ValueError) as error:
        raise ValueError(
            "groups must hold what each training row belongs to, one name a row, all "
            f"of one type: {error}"
        ) from error
