"""A small noisy table in several containers, and attributors that are quick."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from skshap import (
    DataRemoval,
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    flip_labels,
)


@pytest.fixture
def quick():
    """An attributor for numbers."""
    return FreeShapAttributor(n_permutations=2, scoring="neg_brier_score")


@pytest.fixture
def removal(quick):
    """A classifier of numbers that drops a tenth of its rows."""
    return DataRemoval(LogisticRegression(), quick, random_state=0)


@pytest.fixture
def precomputed_removal():
    """The same by kernel values alone, estimator and all."""
    return DataRemoval(
        KernelRidgeClassifier(kernel="precomputed"),
        FreeShapAttributor("precomputed", n_permutations=2),
        random_state=0,
    )


@pytest.fixture(scope="session")
def noisy_iris():
    """All of iris: X, right labels, given labels, and which of these are flipped."""
    X, y = load_iris(return_X_y=True)
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    return X, y, y_noisy, is_flipped


@pytest.fixture(scope="session")
def table():
    """Two noisy classes of iris: X, given labels, which are flipped."""
    X, y = load_iris(return_X_y=True)
    X, y = scale(X)[:100:2], y[:100:2]
    y_noisy, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    return X, y_noisy, is_flipped


@pytest.fixture(scope="session")
def many():
    """Two classes that overlap little: X, given labels, which fifth is wrong."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y_true = (X[:, 0] > 0).astype(int)
    wrong = rng.permutation(200) < 40
    return X, np.where(wrong, 1 - y_true, y_true), wrong


@pytest.fixture(scope="session")
def texts():
    """Forty short texts, those of a class sharing words."""
    rng = np.random.default_rng(0)
    words = {"good": ["great", "loved", "fast"], "bad": ["dull", "hated", "slow"]}
    y = np.array(["good", "bad"] * 20)
    return [" ".join(["film", *rng.choice(words[label], 4)]) for label in y], y


@pytest.fixture
def text_attributor(tiny_tokenizer):
    """An attributor for texts, by a tiny random encoder."""
    from tests.conftest import make_encoder

    kernel = EmpiricalNTK(
        make_encoder("bert"),
        tokenizer=tiny_tokenizer,
        normalize="cosine",
        max_length=32,
    )
    return FreeShapAttributor(kernel, n_permutations=2, scoring="neg_brier_score")
