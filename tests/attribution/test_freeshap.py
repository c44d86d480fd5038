"""`FreeShapAttributor`: the axioms, the oracles, and what it refuses."""

import pickle
import re
from copy import deepcopy
from functools import partial
from threading import Lock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.metrics import accuracy_score, f1_score, get_scorer, log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    PairwiseKernel,
)
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.exceptions import NotPositiveDefiniteError
from skshap.kernel_ridge._training_kernel import TrainingKernel
from tests.attribution.games import check_errors, own_value
from tests.oracles import (
    null_by_metrics,
    per_sample_score,
    ridge_predictions,
    shapley_values,
)
from tests.rows import class_rows, with_value

SCORINGS = list(CLASS_SCORINGS)
LABELS = np.array(["cat", "dog", "eel", "fox"])
GAMMA = 0.4
ALPHA = 0.3


def make_attributor(**params):
    defaults = {
        "alpha": ALPHA,
        "kernel_params": {"gamma": GAMMA},
        "n_permutations": 20,
        "random_state": 0,
        "sampler": "permutation",
    }
    return FreeShapAttributor(**{**defaults, **params})


def make_game(X, y, X_val, y_val, n_classes, scoring, null):
    """Utility of coalitions, by one fresh solve each and one row at a time."""
    K, cross = rbf_kernel(X, gamma=GAMMA), rbf_kernel(X_val, X, gamma=GAMMA)

    def value(rows):
        if not rows:
            return np.full(len(y_val), null)
        decision = ridge_predictions(K, y, cross, ALPHA, n_classes, rows)
        if callable(scoring):
            return scoring(decision, y_val)
        return per_sample_score(scoring, decision, y_val)

    return value


@pytest.mark.parametrize(
    ("scoring", "null_score"),
    [
        *((scoring, "prior") for scoring in [*SCORINGS, own_value]),
        *(("neg_log_loss", null_score) for null_score in ("chance", -0.25)),
    ],
)
@pytest.mark.parametrize("n, n_classes", [(10, 2), (8, 3), (7, 4)])
def test_exact_values_equal_enumeration(n, n_classes, scoring, null_score):
    X, y = class_rows(n, n_classes)
    y[-1] = 0  # unequal frequencies
    X_val, y_val = class_rows(4, n_classes, seed=1)
    null = null_score
    if isinstance(null_score, str):
        null = null_by_metrics(scoring, null_score, y, n_classes)
    game = make_game(X, y, X_val, y_val, n_classes, scoring, null)
    expected = shapley_values(game, n)
    attributor = make_attributor(
        sampler="exact", scoring=scoring, null_score=null_score
    ).fit(X, LABELS[y])
    assert_allclose(attributor.null_score_, null)
    values = attributor.attribute(X_val, LABELS[y_val], per_sample=True)
    assert values.shape == (4, n)
    assert_allclose(values, expected, atol=1e-10)
    values, std = attributor.attribute(X_val, LABELS[y_val], return_std=True)
    assert_allclose(values, expected.mean(0), atol=1e-10)
    assert_array_equal(std, np.zeros(n))


@pytest.mark.parametrize(
    ("scoring", "per_sample"), [("accuracy", False), ("neg_log_loss", True)]
)
def test_permutation_values_and_errors_cover_the_exact_ones(scoring, per_sample):
    n = 9
    X, y = class_rows(n, 3)
    X_val, y_val = class_rows(6, 3, seed=1)
    shared = {"scoring": scoring, "n_permutations": 100}
    exact = make_attributor(sampler="exact", **shared).fit(X, y)
    exact = exact.attribute(X_val, y_val, per_sample=per_sample)
    runs = []
    for seed in range(40):
        attributor = make_attributor(random_state=seed, **shared).fit(X, y)
        runs.append(
            attributor.attribute(X_val, y_val, per_sample=per_sample, return_std=True)
        )
    values, std = map(np.array, zip(*runs, strict=True))
    spread = values.std(0, ddof=1) / np.sqrt(len(values))
    assert (np.abs(values.mean(0) - exact) < 4 * spread + 1e-12).all()
    usable = std > 1e-12  # some values never vary
    z = ((values - exact)[usable] / std[usable]).ravel()
    assert 0.9 < z.std() < 1.1
    assert abs(z.mean()) < 0.1


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(4, 30),
    n_classes=st.integers(2, 4),
    scoring=st.sampled_from([*SCORINGS, own_value]),
    sampler=st.sampled_from(["permutation", "exact"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_efficiency(n, n_classes, scoring, sampler, seed):
    if sampler == "exact":
        n = 4 + n % 5
    X, y = class_rows(n, n_classes, seed)
    X_val, y_val = class_rows(5, n_classes, seed + 1)
    attributor = make_attributor(sampler=sampler, scoring=scoring, n_permutations=3)
    attributor.fit(X, y)
    gain = attributor.score(X_val, y_val) - attributor.null_score_
    assert_allclose(attributor.attribute(X_val, y_val).sum(), gain, atol=1e-10)
    kept_apart = attributor.attribute(X_val, y_val, per_sample=True).sum(1)
    for i in range(len(X_val)):
        score = attributor.score(X_val[[i]], y_val[[i]])
        assert_allclose(kept_apart[i], score - attributor.null_score_, atol=1e-10)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_duplicated_rows_have_equal_values(scoring):
    X, y = class_rows(8, 2)
    X[5], y[5] = X[2], y[2]
    X_val, y_val = class_rows(6, 2, seed=1)
    attributor = make_attributor(sampler="exact", scoring=scoring).fit(X, y)
    values = attributor.attribute(X_val, y_val, per_sample=True)
    assert_allclose(values[:, 2], values[:, 5], atol=1e-12)
    assert not np.allclose(values[:, 2], values[:, 4])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_values_follow_the_order_of_the_rows(scoring, n_classes):
    X, y = class_rows(8, n_classes)
    X_val, y_val = class_rows(6, n_classes, seed=1)
    order = np.random.default_rng(0).permutation(8)
    attributor = make_attributor(sampler="exact", scoring=scoring)
    values = attributor.fit(X, y).attribute(X_val, y_val, per_sample=True)
    moved = attributor.fit(X[order], y[order])
    moved = moved.attribute(X_val[::-1], y_val[::-1], per_sample=True)
    assert_allclose(moved, values[::-1][:, order], atol=1e-11)


@pytest.mark.parametrize("sampler", ["sweep", "permutation", "exact"])
@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
def test_a_row_unlike_all_others_is_worth_nothing(scoring, sampler):
    X, y = class_rows(7, 2)
    X[3] = 1e3
    X_val, y_val = class_rows(6, 2, seed=1)
    # Alone it predicts equal probabilities, as the empty coalition does.
    attributor = make_attributor(sampler=sampler, scoring=scoring, null_score="chance")
    values = attributor.fit(X, y).attribute(X_val, y_val, per_sample=True)
    assert_allclose(values[:, 3], 0, atol=1e-13)
    assert (np.abs(np.delete(values, 3, 1)).max(0) > 1e-4).all()


@pytest.mark.parametrize("truncation_tol", [None, 0.2])
@pytest.mark.parametrize("scoring", [*SCORINGS, own_value])
def test_vector_is_the_mean_of_the_matrix(scoring, truncation_tol):
    X, y = class_rows(40, 3)
    X_val, y_val = class_rows(9, 3, seed=1)
    attributor = make_attributor(scoring=scoring, truncation_tol=truncation_tol)
    attributor.fit(X, y)
    matrix, matrix_std = attributor.attribute(
        X_val, y_val, per_sample=True, return_std=True
    )
    vector, std = attributor.attribute(X_val, y_val, return_std=True)
    assert matrix.shape == matrix_std.shape == (9, 40)
    assert_allclose(matrix.mean(0), vector, atol=1e-12)
    # The error of a mean is at most the mean error.
    assert (std <= matrix_std.mean(0) + 1e-12).all()


def test_values_of_rows_do_not_depend_on_the_rows_beside_them():
    X, y = class_rows(30, 2)
    X_val, y_val = class_rows(9, 2, seed=1)
    attributor = make_attributor(scoring="neg_log_loss").fit(X, y)
    together = attributor.attribute(X_val, y_val, per_sample=True)
    alone = [attributor.attribute(X_val[[i]], y_val[[i]]) for i in range(9)]
    assert_allclose(together, alone, atol=1e-12)


def test_same_seed_same_values():
    X, y = class_rows(30, 2)
    X_val, y_val = class_rows(9, 2, seed=1)
    attributor = make_attributor(random_state=np.random.RandomState(3)).fit(X, y)
    first = attributor.attribute(X_val, y_val)
    assert_array_equal(attributor.attribute(X_val, y_val), first)
    copy = pickle.loads(pickle.dumps(attributor))
    assert_allclose(copy.attribute(X_val, y_val), first, atol=1e-13)
    same = make_attributor(random_state=np.random.RandomState(3)).fit(X, y)
    assert_array_equal(same.attribute(X_val, y_val), first)
    other = make_attributor(random_state=4).fit(X, y)
    assert not np.allclose(other.attribute(X_val, y_val), first)


def test_truncation_tol_is_a_share_of_the_gain():
    X, y = class_rows(80, 2)
    X[:, 0] += y
    X, X_val, y, y_val = X[20:], X[:20], y[20:], y[:20]
    attributor = make_attributor(n_permutations=5, scoring="neg_log_loss").fit(X, y)
    exact = attributor.attribute(X_val, y_val)
    truncated = attributor.set_params(truncation_tol=0.5).attribute(X_val, y_val)
    assert (truncated != exact).any()
    # All that is left out of a permutation is less than the tolerance.
    gain = attributor.score(X_val, y_val) - attributor.null_score_
    assert gain > 0.1
    assert 1e-6 < abs(truncated.sum() - gain) <= 0.5 * gain


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifier_is_kernel_ridge_on_all_rows(n_classes):
    X, y = class_rows(30, n_classes)
    X_val, _ = class_rows(12, n_classes, seed=1)
    attributor = make_attributor().fit(X, LABELS[y])
    clf = KernelRidgeClassifier(ALPHA, kernel="rbf", kernel_params={"gamma": GAMMA})
    clf.fit(X, LABELS[y])
    assert_array_equal(attributor.classes_, LABELS[:n_classes])
    for method in ("decision_function", "predict_proba"):
        expected = getattr(clf, method)(X_val)
        assert_allclose(getattr(attributor, method)(X_val), expected, atol=1e-12)
    assert_array_equal(attributor.predict(X_val), clf.predict(X_val))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_score_is_the_mean_of_the_scoring(n_classes):
    X, y = class_rows(30, n_classes)
    X_val, y_val = class_rows(12, n_classes, seed=1)
    weights = np.arange(12.0)
    attributor = make_attributor().fit(X, y)
    for sample_weight in (None, weights):
        expected = accuracy_score(
            y_val, attributor.predict(X_val), sample_weight=sample_weight
        )
        found = attributor.score(X_val, y_val, sample_weight=sample_weight)
        assert_allclose(found, expected)
    attributor = make_attributor(scoring="neg_log_loss").fit(X, y)
    expected = -log_loss(
        y_val, attributor.predict_proba(X_val), labels=range(n_classes)
    )
    assert_allclose(attributor.score(X_val, y_val), expected)
    attributor = make_attributor(scoring="neg_brier_score").fit(X, y)
    losses = (attributor.predict_proba(X_val) - np.eye(n_classes)[y_val]) ** 2
    expected = -losses.sum(1).mean() / (2 if n_classes == 2 else 1)
    assert_allclose(attributor.score(X_val, y_val), expected)


@pytest.mark.parametrize("given_labels", [False, True])
@pytest.mark.parametrize("sampler", ["permutation", "exact"])
def test_explain_finds_the_extreme_rows(given_labels, sampler):
    X, y = class_rows(9, 3)
    X_val, y_val = class_rows(7, 3, seed=5)
    attributor = make_attributor(sampler=sampler, scoring="neg_log_loss")
    attributor.fit(X, LABELS[y])
    predicted = attributor.predict(X_val)
    assert (predicted != LABELS[y_val]).any()
    labels = LABELS[y_val] if given_labels else predicted
    found = attributor.explain(X_val, list(labels) if given_labels else None, k=3)
    assert_array_equal(found.y, labels)
    values, std = attributor.attribute(X_val, labels, per_sample=True, return_std=True)
    for i, row in enumerate(values):
        ranked = sorted(range(9), key=lambda j, row=row: row[j])
        assert_array_equal(found.harmful[i], ranked[:3])
        assert_array_equal(found.helpful[i], ranked[::-1][:3])
    for name in ("helpful", "harmful"):
        assert found[name].shape == (7, 3)
        expected = np.take_along_axis(values, found[name], 1)
        assert_array_equal(found[f"{name}_values"], expected)
        expected = np.take_along_axis(std, found[name], 1)
        assert_array_equal(found[f"{name}_std"], expected)


class Cautious(FreeShapAttributor):
    """Predicts the first class unless the decision is clear."""

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0.5).astype(int)]


def test_explain_goes_by_a_predict_that_is_overridden():
    X, y = class_rows(20, 2)
    attributor = Cautious("rbf", sampler="sweep", n_permutations=4, random_state=0)
    labels = attributor.fit(X, y).predict(X)
    assert (labels != FreeShapAttributor.predict(attributor, X)).any()
    found, expected = attributor.explain(X), attributor.explain(X, labels)
    assert_array_equal(found.y, labels)
    assert_array_equal(found.helpful, expected.helpful)


@pytest.mark.parametrize(
    "classes",
    [
        pd.Series([2**60, 2**60 + 1], dtype="Int64"),  # a float for both
        np.array(["0", "1"], dtype=object),
    ],
    ids=["large", "objects"],
)
def test_explain_reads_labels_as_attribute_does(classes):
    X, y = class_rows(20, 2)
    attributor = make_attributor(n_permutations=3).fit(X, classes.take(y).tolist())
    labels = classes.take(y[:4])
    values = attributor.attribute(X[:4], labels, per_sample=True)
    found = attributor.explain(X[:4], labels, k=1)
    assert_array_equal(found.helpful[:, 0], values.argmax(1))
    assert found.y.tolist() == labels.tolist()


def test_explain_refuses_the_labels_that_attribute_refuses():
    X, y = class_rows(9, 2)
    attributor = make_attributor().fit(X, y.astype(str))
    for labels in ([1, "0"], np.ma.array(["0", "1"], mask=[False, True])):
        for explain in (attributor.attribute, attributor.explain):
            with pytest.raises(ValueError, match=r"y holds labels|y must not hold"):
                explain(X[:2], labels)


@pytest.mark.parametrize("is_explicit", [True, False])
def test_a_kernel_matrix_is_not_made_to_list_attributes(is_explicit, monkeypatch):
    X, y = class_rows(9, 2)
    attributor = FreeShapAttributor("linear" if is_explicit else "rbf").fit(X, y)
    n_listed = len(object.__dir__(attributor))
    if is_explicit:
        monkeypatch.setattr(TrainingKernel, "matrix", None)
    names = dir(attributor)
    assert ("gram_" in names) == (not is_explicit)
    assert "FreeShapAttributor" in attributor._repr_html_()
    assert len(names) == n_listed - is_explicit
    assert "gram_" not in dir(FreeShapAttributor("rbf"))


def test_explain_all_rows():
    X, y = class_rows(9, 2)
    found = make_attributor().fit(X, y).explain(X[:2], k=9)
    assert_array_equal(np.sort(found.helpful), [range(9)] * 2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_prequential_decisions_equal_refits_on_every_prefix(n_classes):
    n = 12
    X, y = class_rows(n, n_classes)
    attributor = make_attributor(n_permutations=4).fit(X, y)
    K = rbf_kernel(X, gamma=GAMMA)
    expected = np.zeros((n, n_classes))
    for t in range(4):
        rng = np.random.default_rng([attributor._seed, t])
        order = rng.permutation(n).tolist()
        for k in range(1, n):
            row = order[k]
            expected[row] += ridge_predictions(
                K, y, K[[row]], ALPHA, n_classes, order[:k]
            )[0]
    expected /= 4
    if n_classes == 2:
        expected = expected[:, 1] - expected[:, 0]
    found = attributor.prequential_decision_function()
    assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_kernels_given_in_any_form_agree(n_classes):
    X, y = class_rows(20, n_classes)
    X_val, y_val = class_rows(6, n_classes, seed=1)
    shared = {"scoring": "neg_log_loss", "kernel_params": None}
    kernel = EmpiricalNTK(random_state=0)
    attributor = make_attributor(kernel=kernel, **shared).fit(X, y)
    fitted = clone(kernel).fit(X)
    precomputed = make_attributor(kernel="precomputed", **shared)
    precomputed.fit(fitted.transform(X), y)
    found = precomputed.attribute(fitted.transform(X_val), y_val)
    assert_allclose(found, attributor.attribute(X_val, y_val), atol=1e-8)
    assert_allclose(attributor.gram_, fitted.transform(X), atol=1e-8)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_sparse_tables_and_dataframes_pass():
    X, y = class_rows(20, 2)
    X[X < 0] = 0
    expected = make_attributor().fit(X, LABELS[y]).attribute(X, LABELS[y])
    table = sparse.csc_array(X)
    found = make_attributor().fit(table, LABELS[y]).attribute(table, LABELS[y])
    assert_array_equal(found, expected)
    frame = pd.DataFrame(X, columns=list("abc"))
    labels = pd.Series(LABELS[y], index=np.arange(20)[::-1] + 7)
    attributor = make_attributor().fit(frame, labels)
    assert_array_equal(attributor.attribute(frame, labels), expected)
    assert_array_equal(attributor.feature_names_in_, list("abc"))


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_device_gives_the_same_numbers():
    X, y = class_rows(20, 2)
    expected = make_attributor().fit(X, y).attribute(X, y)
    found = make_attributor(device="cpu").fit(X, y).attribute(X, y)
    assert_array_equal(found, expected)


def test_grid_search_slices_a_precomputed_kernel():
    X, y = class_rows(40, 2)
    grid = {"alpha": [0.01, 1.0, 100.0]}
    on_rows = make_attributor(scoring="neg_log_loss")
    on_rows = GridSearchCV(on_rows, grid, cv=4).fit(X, y)
    on_kernel = make_attributor(
        kernel="precomputed", kernel_params=None, scoring="neg_log_loss"
    )
    on_kernel = GridSearchCV(on_kernel, grid, cv=4).fit(rbf_kernel(X, gamma=GAMMA), y)
    scores = on_rows.cv_results_["mean_test_score"]
    assert_allclose(on_kernel.cv_results_["mean_test_score"], scores)
    assert len(np.unique(scores)) == 3


class WordKernel(TransformerMixin, BaseEstimator):
    """Number of words that two texts share."""

    def fit(self, X, y=None):
        self.X_fit_ = X
        return self

    def transform(self, X):
        def words(row):
            return set(" ".join(np.atleast_1d(row)).split())

        return np.array(
            [[float(len(words(a) & words(b))) for b in self.X_fit_] for a in X]
        )


def test_texts_and_pairs_of_texts_pass():
    texts = ["good film", "bad film", "good plot", "bad plot", "good", "bad"]
    y = ["pos", "neg"] * 3
    attributor = make_attributor(
        kernel=WordKernel(), kernel_params=None, sampler="exact"
    ).fit(texts, y)
    assert_array_equal(attributor.predict(["good", "bad"]), ["pos", "neg"])
    values = attributor.attribute(["good"], ["pos"])
    assert (values[::2] > values[1::2].max()).all()
    pairs = [(text, "film") for text in texts]
    for same in (pairs, np.array(pairs), pd.DataFrame(pairs)):
        attributor.fit(same, y)
        assert_array_equal(attributor.predict([("good", "x")]), ["pos"])
    with pytest.raises(ValueError, match="X must hold texts, as in fit"):
        attributor.attribute([[1.0, 2.0]], ["pos"])


X_BAD, Y_BAD = class_rows(8, 2)
K_BAD = rbf_kernel(X_BAD)
CLOSE = {"kernel_params": None, "kernel": "precomputed"}


@pytest.mark.parametrize(
    "params, X, y, words",
    [
        ({}, X_BAD, Y_BAD * 0, ["y must", "one class"]),
        ({}, with_value(X_BAD, np.nan), Y_BAD, ["X", "NaN"]),
        (CLOSE, with_value(K_BAD, np.nan), Y_BAD, ["X", "NaN"]),
        (CLOSE, with_value(K_BAD, np.inf), Y_BAD, ["X", "infinity"]),
        (CLOSE, K_BAD[:, :5], Y_BAD, ["square", "(8, 5)"]),
        (CLOSE, K_BAD + np.triu(K_BAD, 1), Y_BAD, ["symmetric"]),
        ({**CLOSE, "alpha": 1e-3}, -K_BAD, Y_BAD, ["alpha=0.001", "Raise alpha"]),
        ({}, X_BAD, Y_BAD[:5], ["5 entries", "8 rows"]),
        ({}, X_BAD, X_BAD[:, 0], ["continuous"]),
        ({}, X_BAD, None, ["y", "None"]),
        ({}, X_BAD, np.where(Y_BAD, np.nan, 1), ["y", "NaN"]),
        ({}, ["good"] * 8, Y_BAD, ["kernel='rbf'", "texts"]),
        ({}, "good", Y_BAD, ["X", "'good'", "[text]"]),
        ({"kernel": "precomputed"}, K_BAD, Y_BAD, ["kernel_params", "precomputed"]),
        ({"kernel": "rbff"}, X_BAD, Y_BAD, ["kernel='rbff'", "'rbf'"]),
        ({"alpha": -1}, X_BAD, Y_BAD, ["'alpha'", "-1"]),
        ({"scoring": "roc_auc"}, X_BAD, Y_BAD, ["scoring='roc_auc'", "coalitions"]),
        ({"scoring": get_scorer("f1")}, X_BAD, Y_BAD, ["scoring=", "f(decision"]),
        ({"scoring": lambda d, y: d}, X_BAD, Y_BAD, ["scoring must", "(48, 2)"]),
        (
            {"scoring": lambda d, y: d[:, 0] * np.nan},
            X_BAD,
            Y_BAD,
            ["scoring must", "NaN"],
        ),
        ({"sampler": "sweeep"}, X_BAD, Y_BAD, ["'sampler'", "'sweeep'"]),
        ({"n_permutations": 0}, X_BAD, Y_BAD, ["'n_permutations'", "0"]),
        ({"null_score": "no"}, X_BAD, Y_BAD, ["'null_score'", "'no'"]),
        ({"null_score": np.nan}, X_BAD, Y_BAD, ["'null_score'", "nan"]),
        ({"truncation_tol": -0.1}, X_BAD, Y_BAD, ["'truncation_tol'", "-0.1"]),
        ({"semivalue": "shap"}, X_BAD, Y_BAD, ["semivalue='shap'", "'banzhaf'"]),
        ({"semivalue": 3}, X_BAD, Y_BAD, ["'semivalue'", "3"]),
        ({"tol": 0.0}, X_BAD, Y_BAD, ["'tol'", "0.0"]),
        (
            {"sampler": "sweep", "truncation_tol": 0.1},
            X_BAD,
            Y_BAD,
            ["truncation_tol=0.1", "sampler='permutation'", "tol"],
        ),
    ],
)
def test_bad_input_of_fit_is_named(params, X, y, words):
    with pytest.raises(ValueError) as caught:
        make_attributor(**params).fit(X, y)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


@pytest.mark.parametrize("method", ["attribute", "score"])
@pytest.mark.parametrize(
    "X, y, words",
    [
        (X_BAD, None, ["y", "None", "explain"]),
        (X_BAD, Y_BAD + 1, ["y", "[2]", "[0, 1]"]),
        (X_BAD, LABELS[Y_BAD], ["y", "'cat'", "[0, 1]"]),
        (X_BAD, Y_BAD[:3], ["3 entries", "8 rows"]),
        (X_BAD, [np.nan, *Y_BAD[1:]], ["y", "NaN"]),
        (["good"] * 8, Y_BAD, ["X holds texts", "3 numeric"]),
        ("good", Y_BAD, ["'good'", "[text]"]),
        (X_BAD[:, :2], Y_BAD, ["2 features", "3 features"]),
        (with_value(X_BAD, np.inf), Y_BAD, ["infinity"]),
    ],
)
def test_bad_rows_to_predict_are_named(method, X, y, words):
    attributor = make_attributor().fit(X_BAD, Y_BAD)
    with pytest.raises(ValueError) as caught:
        getattr(attributor, method)(X, y)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


def test_labels_are_not_left_out_of_attribute():
    attributor = make_attributor().fit(X_BAD, Y_BAD)
    with pytest.raises(TypeError, match="'y'"):
        attributor.attribute(X_BAD)


def test_scoring_may_fail_on_the_rows_alone():
    is_broken = []
    scoring = lambda d, y: d if is_broken else np.ones(len(d))  # noqa: E731
    attributor = make_attributor(scoring=scoring).fit(X_BAD, Y_BAD)
    is_broken.append(True)
    with pytest.raises(ValueError, match=r"one finite score a row.*\(\d+, 2\)"):
        attributor.attribute(X_BAD[:5], Y_BAD[:5])


def of_the_sample(decision, y):
    return np.full(len(y), f1_score(y, decision.argmax(1), average="macro"))


def of_shares(decision, y):
    return (decision.argmax(1) == y) / np.bincount(y)[y]


def centred(decision, y):
    return (decision - decision.mean(0))[np.arange(len(y)), y]


def centred_far_off(decision, y):
    return 1e6 + centred(decision, y)


def of_places(decision, y):
    return np.linspace(1, 2, len(y)) * (decision.argmax(1) == y)


def of_weights(decision, y):
    return np.linspace(1, 2, 8) * (decision.argmax(1) == y)


@pytest.mark.parametrize(
    "scoring",
    [of_the_sample, of_shares, centred, centred_far_off, of_places, of_weights],
)
@pytest.mark.parametrize("sampler", ["sweep", "exact"])
def test_a_scoring_of_more_than_a_row_is_refused(scoring, sampler):
    message = "scoring.* each score from its own row alone: for weights of classes"
    attributor = make_attributor(scoring=scoring, sampler=sampler)
    with pytest.raises(ValueError, match=message):
        attributor.fit(X_BAD, Y_BAD)
    attributor.set_params(null_score=0.5).fit(X_BAD, Y_BAD)  # scores nothing yet
    for n in (8, 1):
        with pytest.raises(ValueError, match=message):
            attributor.attribute(X_BAD[-n:], Y_BAD[-n:])


def test_a_scoring_may_round_as_float32():
    def single(decision, y):
        scores = np.float32(1000) + decision[np.arange(len(y)), y].astype(np.float32)
        return scores + np.float32(1e-4 * (len(y) > 40))  # as sums of more terms do

    def double(decision, y):
        return single(decision, y).astype(float) + 1e-9 * decision[:, 0]

    values = make_attributor(scoring=single).fit(X_BAD, Y_BAD)
    assert np.isfinite(values.attribute(X_BAD + 1, Y_BAD)).all()
    with pytest.raises(ValueError, match="gives a row another score"):
        make_attributor(scoring=double).fit(X_BAD, Y_BAD)


# Of one class for all rows: among those labels, and where classes are of equal size.
@pytest.mark.parametrize("null_score, expected", [("prior", 1 / 2), ("chance", 1 / 3)])
def test_a_scoring_may_weigh_labels(null_score, expected):
    X, y = np.arange(20.0)[:, None], np.arange(20) > 14
    weights = 20 / (2 * np.bincount(y))

    def balanced(decision, y):
        return (decision.argmax(1) == y) * weights[y]

    attributor = make_attributor(scoring=balanced, null_score=null_score)
    assert_allclose(attributor.fit(X, y).null_score_, expected)


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "3", None])
def test_k_out_of_range(k):
    attributor = make_attributor().fit(X_BAD, Y_BAD)
    with pytest.raises(
        ValueError, match=f"k must be an integer from 1 to 8, got {k!r}"
    ):
        attributor.explain(X_BAD, k=k)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_standard_errors_need_two_permutations():
    attributor = make_attributor(n_permutations=1).fit(X_BAD, Y_BAD)
    gain = attributor.score(X_BAD, Y_BAD) - attributor.null_score_
    assert_allclose(attributor.attribute(X_BAD, Y_BAD).sum(), gain)
    with pytest.raises(ValueError, match=r"n_permutations.*at least 2, got 1"):
        attributor.attribute(X_BAD, Y_BAD, return_std=True)
    attributor.set_params(sampler="exact")
    assert not attributor.attribute(X_BAD, Y_BAD, return_std=True)[1].any()
    found = attributor.set_params(sampler="permutation").explain(X_BAD, k=2)
    assert np.isnan(found.helpful_std).all()


@pytest.mark.parametrize("alpha", [0, 1e-17, 1e-12])
@pytest.mark.parametrize("sampler", ["permutation", "exact"])
def test_duplicated_rows_with_a_tiny_alpha(alpha, sampler):
    X, y = np.vstack([X_BAD, X_BAD[:1]]), np.append(Y_BAD, 1 - Y_BAD[0])
    with pytest.raises(NotPositiveDefiniteError, match=f"alpha={alpha:.3g}"):
        make_attributor(alpha=alpha, sampler=sampler).fit(X, y)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.parametrize("seed", range(5))
def test_whatever_fit_accepts_attribute_accepts(seed):
    # Pivots of other orders than that of `fit` are smaller than its own by chance.
    rng = np.random.default_rng(seed)
    X, y = class_rows(20, 2, seed)
    X = np.vstack([X, X[:4] + 1e-4 * rng.normal(size=(4, 3))])
    y = np.append(y, 1 - y[:4])
    alphas, n_refused = 10.0 ** np.arange(-12, -6, 0.25), 0
    for alpha in alphas:
        attributor = make_attributor(alpha=alpha, scoring="neg_log_loss")
        try:
            attributor.fit(X, y)
        except NotPositiveDefiniteError:
            n_refused += 1
            continue
        values = attributor.attribute(X, y)
        gain = attributor.score(X, y) - attributor.null_score_
        assert_allclose(values.sum(), gain, atol=1e-4)
    assert 0 < n_refused < len(alphas)


def test_enumeration_refuses_many_rows():
    X, y = np.tile(X_BAD, (3, 1)), np.tile(Y_BAD, 3)
    attributor = make_attributor(sampler="exact").fit(X, y)
    with pytest.raises(ValueError, match=r"sampler='exact'.*20.*24.*'sweep'"):
        attributor.attribute(X_BAD, Y_BAD)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sweep_agrees_with_enumeration(n_classes, per_sample):
    X, y = class_rows(9, n_classes)
    X_val, y_val = class_rows(6, n_classes, seed=1)
    options = {"scorings": [*SCORINGS, own_value], "per_sample": per_sample}
    exact = make_attributor(sampler="exact").fit(X, y)
    expected = exact.attribute(X_val, y_val, **options)
    sweep = make_attributor(sampler="sweep", n_permutations=200).fit(X, y)
    values, std = sweep.attribute(X_val, y_val, return_std=True, **options)
    for name, exactly in expected.items():
        assert values[name].shape == std[name].shape == exactly.shape
        # One coalition in 70 may be the only one in which a row flips a prediction, and
        # not come up in 200 draws; it would count for a ninth.
        unseen = 3 / 200 / 9 if name[0] == "accuracy" else 1e-12
        assert (np.abs(values[name] - exactly) < 5 * std[name] + unseen).all()
        assert std[name].max() < 0.05


@pytest.mark.parametrize("semivalue", ["banzhaf", "loo", ("beta", 4, 1)])
def test_semivalues_of_all_samplers_agree(semivalue):
    X, y = class_rows(8, 2)
    X_val, y_val = class_rows(6, 2, seed=1)
    found = {}
    for sampler in ("exact", "sweep", "permutation"):
        attributor = make_attributor(
            sampler=sampler,
            semivalue=semivalue,
            scoring="neg_log_loss",
            n_permutations=100,
        ).fit(X, y)
        found[sampler] = attributor.attribute(X_val, y_val, return_std=True)
    expected, _ = found["exact"]
    check_errors(found["permutation"][0], expected, found["permutation"][1])
    shapley = make_attributor(sampler="exact", scoring="neg_log_loss").fit(X, y)
    assert not np.allclose(expected, shapley.attribute(X_val, y_val))
    values, std = found["sweep"]
    if semivalue == "loo":
        assert_allclose(values, expected, atol=1e-12)
        assert (std == 0).all()
    else:
        check_errors(values, expected, std)


def test_tol_draws_no_more_than_needed():
    X, y = class_rows(30, 2)
    X_val, y_val = class_rows(20, 2, seed=1)
    attributor = make_attributor(sampler="sweep", n_permutations=1000, tol=0.01)
    std = attributor.fit(X, y).attribute(X_val, y_val, return_std=True)[1]
    assert 0.005 < std.max() <= 0.01


@pytest.mark.parametrize(
    "kernel", ["rbf", "linear", PairwiseKernel("rbf"), EmpiricalNTK(random_state=0)]
)
@pytest.mark.parametrize("container", [np.array, np.asfortranarray, sparse.csr_matrix])
def test_rows_changed_after_fit(kernel, container):
    if container is sparse.csr_matrix and isinstance(kernel, EmpiricalNTK):
        pytest.skip("takes no sparse rows")
    X, y = class_rows(8, 2)
    X = container(X)
    attributor = make_attributor(kernel=kernel, kernel_params=None).fit(X, y)
    values = attributor.attribute(X_BAD[:3], Y_BAD[:3])
    predictions = attributor.decision_function(X_BAD)
    entries = X.data if sparse.issparse(X) else X
    entries *= -2
    assert_array_equal(attributor.attribute(X_BAD[:3], Y_BAD[:3]), values)
    assert_array_equal(attributor.decision_function(X_BAD), predictions)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
@pytest.mark.parametrize("copy", [deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
@pytest.mark.parametrize(
    "name, seen, other",
    [
        ("alpha", 1, 10.0),
        ("null_score", "prior", "chance"),
        ("null_score", 0.5, "prior"),
        ("scoring", "accuracy", "neg_log_loss"),
        ("scoring", own_value, "accuracy"),
    ],
)
def test_parameters_changed_after_fit_are_refused(name, seen, other, copy):
    X, y = class_rows(20, 2)
    attributor = copy(make_attributor(**{name: seen}).fit(X, y))
    values = attributor.attribute(X, y)
    predicted = attributor.predict(X)
    attributor.set_params(**{name: other})
    message = (
        f"{name}={other!r} was set after fit, which saw {name}={seen!r}; fit again"
    )
    for call in (attributor.attribute, attributor.explain, attributor.estimate_cost):
        with pytest.raises(ValueError, match=re.escape(message)):
            call(X, y)
    assert_array_equal(attributor.predict(X), predicted)
    if name == "scoring":
        with pytest.raises(ValueError, match=re.escape(message)):
            attributor.score(X, y)
        (found,) = attributor.attribute(X, y, scorings=[seen]).values()
        assert_array_equal(found, values)
    attributor.set_params(**{name: np.float64(1) if seen == 1 else seen})
    assert_array_equal(attributor.attribute(X, y), values)
    attributor.set_params(**{name: other}).fit(X, y).attribute(X, y)


@pytest.mark.parametrize("ratio", [1e-2, 1e-4, 1e-6])
def test_rounding_of_large_rows_makes_no_difference_among_small_ones(ratio):
    """Opposite labels of one row cancel, but for rounding, where most rows are tiny."""
    X, y = np.zeros((14, 2)), np.arange(14) % 2
    X[:6, 0] = 0.76
    X[6:, 1] = ratio * np.random.default_rng(0).uniform(0.1, 1, 8)
    attributor = FreeShapAttributor("linear", sampler="exact").fit(X, y)
    expected = attributor.attribute(X[:5], y[:5])
    attributor.set_params(sampler="sweep", n_permutations=200, random_state=0)
    values, std = attributor.attribute(X[:5], y[:5], return_std=True)
    check_errors(values[:6], expected[:6], std[:6])
    assert_allclose(values[6:], expected[6:], atol=1e-12)  # that say nothing of these


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sampler", ["sweep", "permutation", "exact"])
def test_units_of_the_rows_do_not_count(sampler, n_classes):
    """Predictions of a kernel that is small beside alpha are small, but no ties."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4)), np.arange(30) % n_classes
    found = []
    for unit in (1e-3, 1e-9):
        attributor = FreeShapAttributor(
            "linear", sampler=sampler, n_permutations=5, random_state=0
        ).fit(unit * X[:9], y[:9])
        found.append(attributor.attribute(unit * X[9:], y[9:]))
        found.append(attributor.predict(unit * X[9:]))
    assert np.ptp(found[0]) > 0
    assert_allclose(found[2], found[0], atol=1e-12)
    assert_array_equal(found[3], found[1])


@pytest.mark.parametrize("unit", [1e2, 1e4])
def test_ties_of_coalitions_that_are_summed_by_rows(unit):
    """Weights of columns would be more exact, but coalitions have none here."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 3))
    rows[:, 0] = unit * (1 + rows[:, 0] / 9)
    X, y = np.repeat(rows, 2, axis=0), np.arange(60) % 2  # all rows have both labels
    X_val, y_val = rows[:10] + 0.01, np.arange(10) % 2
    attributor = FreeShapAttributor(
        "linear", sampler="permutation", n_permutations=10, random_state=0
    ).fit(X, y)
    gain = attributor.score(X_val, y_val) - attributor.null_score_
    assert_allclose(attributor.attribute(X_val, y_val).sum(), gain, atol=1e-12)


@pytest.mark.parametrize("sampler", ["exact", "permutation"])
def test_ties_but_for_rounding(sampler):
    # Duplicates under both labels: the margin at a row is zero, or 1e-17.
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = np.eye(4)[rng.integers(0, 4, 12)]
        y = rng.integers(0, 2, 12)
        y[:2] = 0, 1
        attributor = FreeShapAttributor(
            "linear", sampler=sampler, n_permutations=5, random_state=0
        ).fit(X, y)
        X_val = np.eye(4)
        y_val = np.array([0, 1, 1, 0])
        values = attributor.attribute(X_val, y_val, per_sample=True)
        decision = attributor.decision_function(X_val)
        predicted = np.where(decision > 1e-9, 1, 0)
        assert_array_equal(attributor.predict(X_val), predicted)
        scores = (predicted == y_val) - attributor.null_score_
        assert_allclose(values.sum(1), scores, atol=1e-12)


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_a_precomputed_kernel_is_the_attributors_own():
    X, y = class_rows(9, 2)  # of ten it is warned that they are the training rows
    K = rbf_kernel(X)
    attributor = FreeShapAttributor("precomputed", n_permutations=5, random_state=0)
    # Seen from behind, too.
    backwards = attributor.fit(K[::-1, ::-1], y[::-1]).attribute(K[:, ::-1], y)
    copies = K[::-1, ::-1].copy(), y[::-1].copy()
    expected = attributor.fit(*copies).attribute(K[:, ::-1].copy(), y)
    assert_array_equal(backwards, expected)
    values = attributor.fit(K, y).attribute(K, y)
    K_val = K.copy()
    K[:] = 0
    assert_array_equal(attributor.attribute(K_val, y), values)


@pytest.mark.parametrize(
    "params",
    [
        {"n_permutations": True},
        {"n_jobs": True},
        {"alpha": True},
        {"semivalue": ("beta", True, 1)},
        {"tol": ("lowest", True, 0.9)},
    ],
)
def test_true_is_no_number(params):
    X, y = np.arange(8.0).reshape(-1, 1), np.arange(8) % 2
    with pytest.raises(ValueError, match="True"):
        FreeShapAttributor(**params).fit(X, y)


def test_what_is_not_rows_is_named():
    X, y = np.arange(8.0).reshape(-1, 1), np.arange(8) % 2
    attributor = FreeShapAttributor().fit(X, y)
    for rows in (5, None, "text", np.array(0.0), iter([1])):
        with pytest.raises(ValueError, match="X must hold rows"):
            attributor.estimate_cost(rows, y)
    with pytest.raises(ValueError, match="k must be an integer"):
        attributor.explain(X, k=True)
    for groups in ([0, 1], np.zeros((8, 2)), [None] * 8, 5):
        with pytest.raises(ValueError, match="groups") as caught:
            attributor.attribute(X, y, groups=groups)
        assert not re.search(r"\by\b", str(caught.value))


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_one_permutation_is_enough_for_leave_one_out():
    X, y = class_rows(9, 2)
    attributor = FreeShapAttributor(semivalue="loo", n_permutations=1).fit(X, y)
    _, std = attributor.attribute(X, y, return_std=True)
    assert_array_equal(std, 0)
    attributor.set_params(sampler="permutation")
    with pytest.raises(ValueError, match="one permutation has no standard error"):
        attributor.attribute(X, y, return_std=True)


MASKED = np.ma.array([1.0, 1e6], mask=[False, True])


@pytest.mark.parametrize(
    "weights", [[1, np.nan], [1, -1], [0, 0], [1, np.inf], [1e308] * 2, MASKED]
)
def test_bad_weights_of_rows(weights):
    attributor = FreeShapAttributor().fit(np.eye(2), [0, 1])
    with pytest.raises(ValueError, match="sample_weight"):
        attributor.score(np.eye(2), [0, 1], sample_weight=weights)


def test_weights_of_rows_in_another_order():
    """Names say which row a weight is of, and pandas' users change their order."""
    X, y = pd.DataFrame(np.eye(3), index=list("abc")), [0, 1, 1]
    weights = pd.Series([1.0, 2.0, 3.0], index=list("abc"))
    attributor = FreeShapAttributor("linear").fit(X, y)
    found = attributor.score(X, [0, 0, 1], sample_weight=weights)
    other = attributor.score(X, [0, 0, 1], sample_weight=weights.to_numpy())
    assert found == other
    with pytest.raises(ValueError, match="sample_weight must be in the order of X"):
        attributor.score(X, [0, 0, 1], sample_weight=weights[::-1])


def test_columns_whose_products_overflow():
    X, y = class_rows(20, 2)
    with pytest.raises(ValueError, match="kernel must be finite"):
        FreeShapAttributor("linear").fit(X * 1e200, y)


def test_scores_that_overflow_are_named():
    X, y = np.linspace(-1, 1, 20)[:, None], np.arange(20) // 10
    attributor = make_attributor(
        kernel="linear", kernel_params=None, scoring="neg_log_loss", alpha=1e-3
    ).fit(X / 100, y)
    words = "overflow. Scale X, or the kernel, down, or raise alpha"
    with pytest.raises(ValueError, match=re.escape(words)):
        attributor.attribute(X * 1e308, y)

    def huge(decision, y):
        return 1e200 * decision[np.arange(len(y)), y]

    attributor = make_attributor(scoring=huge).fit(X, y)
    with pytest.raises(ValueError, match="standard errors are too large"):
        attributor.attribute(X / 2, y)


def test_a_scoring_that_cannot_be_pickled_is_named():
    X, y = class_rows(40, 2)
    lock = Lock()

    def locked(decision, y):
        with lock:
            return decision[np.arange(len(y)), y]

    attributor = make_attributor(scoring=locked, n_jobs=2).fit(X[:30], y[:30])
    with pytest.raises(ValueError, match=r"n_jobs=2 sends work .* scoring reads"):
        attributor.attribute(X[30:], y[30:])


@pytest.mark.parametrize(
    "name, value", [("n_permutations", 0), ("n_permutations", "a"), ("device", "nine")]
)
def test_parameters_are_checked_again_after_fit(name, value):
    X, y = class_rows(9, 2)
    attributor = FreeShapAttributor("linear", random_state=0).fit(X, y)
    attributor.set_params(**{name: value})
    for call in (
        attributor.prequential_decision_function,
        lambda: attributor.attribute(X, y),
        lambda: attributor.estimate_cost(X, y),
    ):
        with pytest.raises(ValueError, match=name):
            call()


def test_a_scoring_that_is_the_same_again_counts_as_such():
    X, y = class_rows(20, 2)

    def score(decision, y_index, power):
        return decision[np.arange(len(y_index)), y_index] ** power

    attributor = make_attributor(scoring=partial(score, power=1), n_permutations=2)
    attributor.fit(X[:12], y[:12])
    expected = attributor.attribute(X[12:], y[12:])
    attributor.set_params(scoring=partial(score, power=1))
    assert_array_equal(attributor.attribute(X[12:], y[12:]), expected)
    attributor.set_params(scoring=partial(score, power=2))
    with pytest.raises(ValueError, match="was set after fit"):
        attributor.attribute(X[12:], y[12:])


@pytest.mark.filterwarnings("ignore:X and y are those of fit")
def test_a_seed_set_after_fit_is_that_of_later_calls():
    X, y = class_rows(20, 2)
    attributor = make_attributor(n_permutations=2).fit(X, y)
    first = attributor.attribute(X, y)
    later = attributor.prequential_decision_function()
    attributor.set_params(random_state=1)
    other = make_attributor(n_permutations=2, random_state=1).fit(X, y)
    values = attributor.attribute(X, y)
    assert_array_equal(values, other.attribute(X, y))
    assert abs(values - first).max() > 1e-6
    expected = other.prequential_decision_function()
    assert_array_equal(attributor.prequential_decision_function(), expected)
    assert abs(expected - later).max() > 1e-6
    # Of a generator one seed is drawn, however many calls there are.
    attributor.set_params(random_state=np.random.RandomState(3))
    assert_array_equal(attributor.attribute(X, y), attributor.attribute(X, y))
    unseeded = make_attributor(n_permutations=2, random_state=None).fit(X, y)
    assert_array_equal(unseeded.attribute(X, y), unseeded.attribute(X, y))
