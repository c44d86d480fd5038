"""Exceptions and warnings of skshap."""

import numpy as np

__all__ = [
    "DamagedStoreWarning",
    "ModelNotFoundError",
    "NotPositiveDefiniteError",
    "SmallerBatchWarning",
    "TruncatedTextWarning",
]


class ModelNotFoundError(ValueError, OSError):
    """A pretrained model or its tokenizer could not be loaded.

    Examples
    --------
    >>> from skshap import ModelNotFoundError
    >>> issubclass(ModelNotFoundError, ValueError)
    True
    """


class NotPositiveDefiniteError(np.linalg.LinAlgError):
    """A kernel matrix plus ``alpha`` on its diagonal has no Cholesky factor.

    Examples
    --------
    >>> from skshap import NotPositiveDefiniteError
    >>> issubclass(NotPositiveDefiniteError, ValueError)
    True
    """


class DamagedStoreWarning(UserWarning):
    """A file of an on-disk store could not be read, or not be written.

    What it held is computed again, or what it should hold is not kept.

    Examples
    --------
    >>> import warnings
    >>> from skshap.exceptions import DamagedStoreWarning
    >>> warnings.simplefilter("error", DamagedStoreWarning)
    """


class TruncatedTextWarning(UserWarning):
    """Texts longer than ``max_length`` tokens were cut.

    Examples
    --------
    >>> import warnings
    >>> from skshap.exceptions import TruncatedTextWarning
    >>> warnings.simplefilter("ignore", TruncatedTextWarning)
    """


class SmallerBatchWarning(ResourceWarning):
    """Batches are smaller than asked for.

    They did not fit into memory and were halved, or the rows of a batch cannot be told
    apart inside of the network, so that each goes alone.

    Examples
    --------
    >>> import warnings
    >>> from skshap.exceptions import SmallerBatchWarning
    >>> warnings.simplefilter("always", SmallerBatchWarning)
    """
