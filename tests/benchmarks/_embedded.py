"""Data sets of embedded sentences and articles, for the benchmarks of selection."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
from _sentences import embed
from joblib import Memory

from skshap import load_bbc_news

FILES = {
    "MR": ["mr/all.tsv"],
    "SST-2": ["sst2/train.tsv", "sst2/dev.tsv", "sst2/test.tsv"],
}


def read_sentences(name):
    """Sentences and labels, from the folder in SKSHAP_DATA."""
    folder = Path(os.environ["SKSHAP_DATA"])
    frames = [
        pd.read_csv(folder / file, sep="\t", quoting=csv.QUOTE_NONE)
        for file in FILES[name]
    ]
    frame = pd.concat(frames)
    return frame["text"].tolist(), frame["label"].to_numpy()


def load(name, *, pool=5000, cache=None):
    """Embed a fixed random part of a data set.

    Returns
    -------
    X : ndarray of shape (n, 384)
        MiniLM embeddings of unit norm.
    y : ndarray of shape (n,)
        Labels.
    """
    is_news = name == "BBC"
    texts, y = load_bbc_news(return_X_y=True) if is_news else read_sentences(name)
    chosen = np.random.default_rng(0).permutation(len(texts))[:pool]
    texts = [texts[i] for i in chosen]
    return Memory(cache, verbose=0).cache(embed)(texts, unit_norm=True), y[chosen]


def split(X, y, sizes, seed):
    """Draw parts of given sizes; centre and scale by the first one."""
    order = np.random.default_rng(seed).permutation(len(y))
    parts = np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1])
    X = X - X[parts[0]].mean(0)
    X /= np.sqrt(np.square(X[parts[0]]).sum(1).mean())
    return [(X[part], y[part]) for part in parts]
