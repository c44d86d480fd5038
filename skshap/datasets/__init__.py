"""Real texts to try things on, and label noise to try them with."""

from skshap.datasets._bbc_news import load_bbc_news
from skshap.datasets._noise import flip_labels
from skshap.datasets._rotten_tomatoes import load_rotten_tomatoes

__all__ = ["flip_labels", "load_bbc_news", "load_rotten_tomatoes"]
