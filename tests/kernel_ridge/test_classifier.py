"""Kernel ridge against fresh solves, refits and scikit-learn."""

import pickle
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    PairwiseKernel,
)
from skshap.exceptions import NotPositiveDefiniteError
from tests.oracles import exact_ridge, ridge_predictions
from tests.rows import class_rows, with_value

LABELS = np.array(["cat", "dog", "eel", "fox"])


def indicators_by_solve(K, y, k_new, alpha, n_classes, *, class_prior):
    """Regressed indicators, by one fresh solve on targets minus the prior."""
    Y = np.eye(n_classes)[y]
    prior = Y.mean(0) if class_prior else np.zeros(n_classes)
    return prior + k_new @ np.linalg.solve(K + alpha * np.eye(len(K)), Y - prior)


def as_decision(indicators):
    if indicators.shape[1] > 2:
        return indicators
    return indicators[:, 1] - indicators[:, 0]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 25),
    n_classes=st.integers(2, 4),
    log_alpha=st.floats(-4, 3),
    class_prior=st.booleans(),
)
def test_decisions_equal_a_fresh_solve(seed, n, n_classes, log_alpha, class_prior):
    X, y = class_rows(n, n_classes, seed)
    X_new, _ = class_rows(7, n_classes, seed + 1)
    alpha = 10**log_alpha
    clf = KernelRidgeClassifier(
        alpha, kernel="rbf", kernel_params={"gamma": 0.3}, class_prior=class_prior
    ).fit(X, LABELS[y])
    expected = indicators_by_solve(
        rbf_kernel(X, gamma=0.3),
        y,
        rbf_kernel(X_new, X, gamma=0.3),
        alpha,
        n_classes,
        class_prior=class_prior,
    )
    assert_allclose(clf.decision_function(X_new), as_decision(expected), atol=1e-9)
    assert_array_equal(clf.predict(X_new), LABELS[expected.argmax(1)])
    weights = np.exp(n_classes * expected)
    expected_proba = weights / weights.sum(1, keepdims=True)
    assert_allclose(clf.predict_proba(X_new), expected_proba, atol=1e-9)


@pytest.mark.parametrize("model", [KernelRidgeClassifier, KernelRidgeClassifierCV])
def test_score_takes_labels_as_fit_does(model):
    X, y = class_rows(30, 3)
    X_new, y_new = class_rows(12, 3, seed=1)
    clf = model(kernel="rbf").fit(X, y)
    expected = (clf.predict(X_new) == y_new).mean()
    weights = np.arange(12)
    weighted = np.average(clf.predict(X_new) == y_new, weights=weights)
    for labels in (y_new, y_new.astype(object), pd.Series(y_new, dtype="Int64")):
        assert clf.score(X_new, labels) == expected
        assert_allclose(clf.score(X_new, labels, sample_weight=weights), weighted)
    options = {"cv": KFold(3), "error_score": "raise"}
    folds = cross_val_score(clf, X, y.astype(object), **options)
    assert_array_equal(folds, cross_val_score(clf, X, y, **options))
    with pytest.raises(ValueError, match="y must not hold missing values"):
        clf.score(X_new, [None, *y_new[1:]])
    with pytest.raises(ValueError, match="y must hold labels of one type"):
        clf.score(X_new, ["a", *y_new[1:]])
    with pytest.raises(ValueError, match=r"reshape\(1, -1\)"):
        clf.score(X_new[0], y_new[:1])
    with pytest.raises(NotFittedError):
        model().score(X_new, None)


def test_class_prior_takes_over_far_from_the_training_rows():
    X, y = class_rows(30, 3)
    y = y[: len(y) - 4]
    X = X[: len(X) - 4]
    far = np.full((1, 3), 1e3)
    frequencies = np.bincount(y) / len(y)
    for class_prior, expected in [(True, frequencies), (False, np.zeros(3))]:
        clf = KernelRidgeClassifier(kernel="rbf", class_prior=class_prior).fit(X, y)
        assert_allclose(clf.decision_function(far)[0], expected, atol=1e-12)
        assert_allclose(clf.intercept_, expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_linear_kernel_is_ridge_without_intercept(n_classes):
    X, y = class_rows(40, n_classes)
    X_new, _ = class_rows(9, n_classes, seed=1)
    clf = KernelRidgeClassifier(0.7).fit(X, y)
    ridge = Ridge(0.7, fit_intercept=False).fit(X, np.eye(n_classes)[y])
    assert_allclose(clf.decision_function(X_new), as_decision(ridge.predict(X_new)))


@pytest.mark.parametrize("class_prior", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_kernels_given_in_any_form_agree(n_classes, class_prior):
    X, y = class_rows(24, n_classes)
    X_new, _ = class_rows(9, n_classes, seed=1)
    make = partial(KernelRidgeClassifier, 0.1, class_prior=class_prior)
    named = make(kernel="rbf", kernel_params={"gamma": 0.2}).fit(X, y)
    precomputed = make(kernel="precomputed").fit(rbf_kernel(X, gamma=0.2), y)

    def rbf(a, b, gamma):
        return np.exp(-gamma * ((a - b) ** 2).sum())

    function = make(kernel=rbf, kernel_params={"gamma": 0.2}).fit(X, y)
    expected = named.decision_function(X_new)
    from_values = precomputed.decision_function(rbf_kernel(X_new, X, gamma=0.2))
    assert_allclose(from_values, expected, atol=1e-12)
    assert_allclose(function.decision_function(X_new), expected, atol=1e-10)
    for other in (precomputed, function):
        assert_allclose(
            other.loo_decision_function_, named.loo_decision_function_, atol=1e-10
        )


def test_kernel_object_is_cloned_and_agrees_with_its_matrix():
    X, y = class_rows(20, 3)
    X_new, _ = class_rows(6, 3, seed=1)
    kernel = EmpiricalNTK(random_state=0)
    clf = KernelRidgeClassifier(0.1, kernel=kernel).fit(X, y)
    assert clf.kernel_ is not kernel
    assert not hasattr(kernel, "X_fit_")
    fitted = clone(kernel).fit(X)
    precomputed = KernelRidgeClassifier(0.1, kernel="precomputed")
    precomputed.fit(fitted.transform(X), y)
    assert_allclose(
        clf.decision_function(X_new),
        precomputed.decision_function(fitted.transform(X_new)),
        atol=1e-9,
    )


@pytest.mark.parametrize("class_prior", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_leave_one_out_equals_refitting_without_each_row(n_classes, class_prior):
    X, y = class_rows(14, n_classes)
    y[:3] = 0  # unequal frequencies
    labels = LABELS[y]
    clf = KernelRidgeClassifier(0.05, kernel="rbf", class_prior=class_prior)
    clf.set_params(kernel_params={"gamma": 0.5})
    loo = clone(clf).fit(X, labels).loo_decision_function_
    for i in range(len(X)):
        others = np.arange(len(X)) != i
        refit = clone(clf).fit(X[others], labels[others])
        assert_allclose(loo[i], refit.decision_function(X[[i]])[0], atol=1e-10)


def test_sparse_table_equals_dense():
    X, y = class_rows(25, 3)
    X[np.abs(X) < 0.5] = 0
    for kernel in ("linear", "rbf", "cosine"):
        dense = KernelRidgeClassifier(0.3, kernel=kernel).fit(X, y)
        table = sparse.coo_array(X)
        clf = KernelRidgeClassifier(0.3, kernel=kernel).fit(table, y)
        assert_allclose(clf.decision_function(table), dense.decision_function(X))


def test_sparse_table_is_refused_by_other_kernels():
    X, y = class_rows(8)
    clf = KernelRidgeClassifier(kernel=EmpiricalNTK(random_state=0))
    with pytest.raises(TypeError, match="Sparse data"):
        clf.fit(sparse.csr_array(X), y)


@pytest.mark.parametrize("attribute", [False, True])
@pytest.mark.parametrize(
    "kernel, name",
    [
        (LogisticRegression(), "LogisticRegression"),
        (make_pipeline(StandardScaler(), Ridge()), "Ridge"),
        (KernelRidgeClassifier(), "KernelRidgeClassifier"),
    ],
)
def test_an_estimator_in_the_place_of_the_kernel(kernel, name, attribute):
    X, y = class_rows(9)
    kind = FreeShapAttributor if attribute else KernelRidgeClassifier
    with pytest.raises(ValueError, match=f"^kernel must .*but {name} is .*predicts"):
        kind(kernel=kernel).fit(X, y)


def test_grid_search_slices_a_precomputed_kernel():
    X, y = make_classification(60, random_state=0)
    X = StandardScaler().fit_transform(X)
    grid = {"alpha": [1e-3, 1e-1, 1.0, 10.0]}
    K = rbf_kernel(X, gamma=0.05)
    rbf = KernelRidgeClassifier(kernel="rbf", kernel_params={"gamma": 0.05})
    on_rows = GridSearchCV(rbf, grid, cv=4, return_train_score=True).fit(X, y)
    precomputed = KernelRidgeClassifier(kernel="precomputed")
    on_kernel = GridSearchCV(precomputed, grid, cv=4, return_train_score=True)
    on_kernel.fit(K, y)
    for name in ("mean_test_score", "mean_train_score"):
        assert_array_equal(on_kernel.cv_results_[name], on_rows.cv_results_[name])
    assert len(set(on_rows.cv_results_["mean_train_score"])) > 1
    assert on_kernel.best_params_ == on_rows.best_params_
    assert_array_equal(on_kernel.predict(K), on_rows.predict(X))


def test_pipeline_of_kernel_and_classifier_cross_validates():
    X, y = make_classification(60, n_informative=4, random_state=1)
    kernel = EmpiricalNTK(random_state=0)
    steps = make_pipeline(kernel, KernelRidgeClassifier(0.1, kernel="precomputed"))
    whole = KernelRidgeClassifier(0.1, kernel=kernel)
    scores = cross_val_score(steps, X, y, cv=3)
    assert_array_equal(scores, cross_val_score(whole, X, y, cv=3))
    assert scores.mean() > 0.6


def test_clone_and_pickle_keep_everything():
    X, y = class_rows(20, 3)
    clf = KernelRidgeClassifier(0.2, kernel="rbf", kernel_params={"gamma": 2.0})
    assert clone(clf).get_params() == clf.get_params()
    clf.fit(X, LABELS[y])
    copy = pickle.loads(pickle.dumps(clf))
    X_new, _ = class_rows(20, 3, seed=1)
    assert_allclose(copy.predict_proba(X_new), clf.predict_proba(X_new), rtol=1e-12)
    assert_array_equal(copy.classes_, LABELS[:3])


def test_dataframes_and_string_labels_pass():
    X, y = class_rows(20, 3)
    frame = pd.DataFrame(X, columns=list("abc"))
    labels = pd.Series(LABELS[y], index=np.arange(20)[::-1] + 7)
    clf = KernelRidgeClassifier(kernel="rbf").fit(frame, labels)
    plain = KernelRidgeClassifier(kernel="rbf").fit(X, LABELS[y])
    assert_array_equal(clf.feature_names_in_, list("abc"))
    assert_array_equal(clf.predict(frame), plain.predict(X))
    assert_array_equal(clf.classes_, LABELS[:3])
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[list("cba")])


def test_device_gives_the_same_numbers():
    X, y = class_rows(20, 3)
    default = KernelRidgeClassifier(0.2, kernel="rbf").fit(X, y)
    on_cpu = KernelRidgeClassifier(0.2, kernel="rbf", device="cpu").fit(X, y)
    assert_array_equal(default.dual_coef_, on_cpu.dual_coef_)


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, -2.0]), min_size=4, max_size=4),
        min_size=1,
        max_size=6,
    ),
    n_classes=st.integers(2, 4),
)
def test_probabilities_agree_with_predictions_even_when_tied(values, n_classes):
    # One training row a class and an identity kernel: decision values are K itself.
    K_new = np.array(values)[:, :n_classes]
    clf = KernelRidgeClassifier(0, kernel="precomputed")
    clf.fit(np.eye(n_classes), LABELS[:n_classes])
    proba, predicted = clf.predict_proba(K_new), clf.predict(K_new)
    assert_allclose(proba.sum(1), 1)
    assert_array_equal(clf.classes_[proba.argmax(1)], predicted)
    # Of tied classes the first is predicted.
    assert_array_equal(predicted, [LABELS[list(row).index(max(row))] for row in K_new])
    if n_classes == 2:
        positive = clf.decision_function(K_new) > 0
        assert_array_equal(predicted == LABELS[1], positive)


@pytest.mark.parametrize("class_prior", [False, True])
@pytest.mark.parametrize("alpha", [1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize(("n", "n_columns"), [(20, 1), (20, 3), (100, 10), (600, 2)])
def test_rows_that_have_all_labels_are_of_the_first_class(
    n, n_columns, alpha, class_prior
):
    """Whatever is left of weights that cancel, which are large beside alpha."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(n, n_columns)), 2, axis=0)
    clf = KernelRidgeClassifier(alpha, kernel="rbf", class_prior=class_prior)
    clf.fit(rows, np.arange(2 * n) % 2)
    assert (clf.predict(rng.normal(size=(300, n_columns))) == 0).all()


@pytest.mark.parametrize("unit", [1, 1e3, 1e4])
def test_gaps_beside_a_large_column_are_no_ties(unit):
    """Weights of columns are exact, however large what rows would sum is."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 3))
    rows[:, 0] = unit * (1 + rows[:, 0] / 9)
    y = (rows[:, 1:] @ rng.normal(size=(2, 9)) / 9 + rng.gumbel(size=(1200, 9))).argmax(
        1
    )
    clf = KernelRidgeClassifier(1.0).fit(rows[:1000], y[:1000])
    decision = clf.decision_function(rows)
    gaps = np.diff(np.sort(decision)[:, -2:])
    assert gaps.min() < 1e-4
    assert_array_equal(clf.predict(rows), decision.argmax(1))
    both = KernelRidgeClassifier(1.0, class_prior=True)  # copies that have both labels
    both.fit(np.repeat(rows[:100], 2, axis=0), np.arange(200) % 2)
    assert (both.predict(rows) == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_ties_by_features_where_a_few_rows_are_large(seed):
    """Rounding is that of the largest rows, whose terms cancel."""
    rng = np.random.default_rng(seed)
    rows = 1e-3 * rng.normal(size=(50, 5))
    rows[:3] *= 1e6
    order = rng.permutation(100)
    X, y = np.repeat(rows, 2, axis=0)[order], np.tile([0, 1], 50)[order]
    clf = KernelRidgeClassifier(0.01).fit(X, y)
    new = np.vstack([rows, rng.normal(size=(100, 5)) * np.abs(rows).max(0)])
    assert (clf.predict(new) == 0).all()


def test_a_large_row_makes_no_ties_of_others():
    """It is told, so that its weight is small."""
    K = np.kron(np.eye(150), [[1.0, 0.5], [0.5, 1.0]])
    K[0, 0] = 1e6
    clf = KernelRidgeClassifier(1.0, kernel="precomputed").fit(K, np.arange(300) % 2)
    new = np.zeros((2, 300))
    new[0, 10], new[1, 11] = 1e-8, 1e-8  # rows of either label
    assert_array_equal(clf.predict(new), [0, 1])


@settings(deadline=None, max_examples=60)
@given(
    points=st.lists(st.integers(-2, 2), min_size=2, max_size=6),
    labels=st.integers(0, 2**12 - 1),
    alpha=st.sampled_from([0, 1e-17, 1e-12, 1e-10, 1e-9, 3e-9, 1e-7, 1e-4]),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_duplicated_rows_raise_or_are_right(points, labels, alpha, scale):
    # Small integers in the plane: the kernel is exact, of rank two, and singular when
    # points repeat; labels of duplicates may differ.
    X = np.array([[1, p] for p in points])
    y = np.array([labels >> i & 1 for i in range(len(points))])
    assume(0 < y.sum() < len(y))
    K = (X @ X.T) * scale
    alpha = alpha * scale
    clf = KernelRidgeClassifier(alpha, kernel="precomputed")
    try:
        clf.fit(K, y)
    except NotPositiveDefiniteError as error:
        assert "alpha" in str(error)
        assert alpha < 1e-7 * K.diagonal().max()
        return
    expected = exact_ridge(K, y, alpha, 2)
    decision = [float(row[1] - row[0]) for row in expected]
    assert_allclose(clf.decision_function(K), decision, atol=1e-6)


@pytest.mark.parametrize("alpha", [0, 1e-17, 1e-12])
@pytest.mark.parametrize("same_label", [False, True])
def test_a_duplicate_with_a_tiny_alpha(alpha, same_label):
    X, y = class_rows(8)
    X = np.vstack([X, X[:1]])
    y = np.append(y, y[0] if same_label else 1 - y[0])
    clf = KernelRidgeClassifier(alpha, kernel="rbf")
    with pytest.raises(NotPositiveDefiniteError, match=rf"alpha={alpha:.3g}.*Raise"):
        clf.fit(X, y)


def test_the_suggested_alpha_works():
    X, y = class_rows(8)
    X, y = np.vstack([X, X]), np.append(y, y)
    for scale in (1e-5, 1.0, 1e5):
        K = scale * rbf_kernel(X)
        with pytest.raises(NotPositiveDefiniteError) as caught:
            KernelRidgeClassifier(0, kernel="precomputed").fit(K, y)
        alpha = float(str(caught.value).split("Raise alpha; ")[1].split(" ")[0])
        clf = KernelRidgeClassifier(alpha, kernel="precomputed").fit(K, y)
        assert (clf.predict(K) == y).all()


def test_the_suggested_alpha_works_for_an_indefinite_kernel():
    X, y = class_rows(8)
    K = rbf_kernel(np.vstack([X, X])) - 0.1 * np.eye(16)
    y = np.append(y, y)
    with pytest.raises(NotPositiveDefiniteError) as caught:
        KernelRidgeClassifier(0.05, kernel="precomputed").fit(K, y)
    alpha = float(str(caught.value).split("Raise alpha; ")[1].split(" ")[0])
    assert (
        KernelRidgeClassifier(alpha, kernel="precomputed").fit(K, y).predict(K) == y
    ).all()


def test_rows_of_very_different_size_are_no_duplicates():
    # An outlier must not make the small rows look singular.
    X = np.diag([1e6, 1.0, 1e-3])
    clf = KernelRidgeClassifier(0).fit(X, [0, 1, 0])
    assert_allclose(clf.decision_function(X), [-1, 1, -1])


def test_exact_ridge_oracle_by_hand():
    # One row of each class: f = k' (K + alpha)^-1 Y with K = I.
    found = exact_ridge(np.eye(2), [0, 1], 1.0, 2)
    half = Fraction(1, 2)
    assert found == [[half, 0], [0, half]]


def test_ridge_oracle_agrees_with_exact_arithmetic():
    K = np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    found = ridge_predictions(K, np.array([0, 1, 1]), K, 0.5, 2, range(3))
    assert_allclose(found, np.array(exact_ridge(K, [0, 1, 1], 0.5, 2), dtype=float))


X_BAD, Y_BAD = class_rows(8)
K_BAD = rbf_kernel(X_BAD)
TEXTS = ["good", "bad"] * 4


@pytest.mark.parametrize(
    "params, X, y, words",
    [
        ({}, X_BAD, Y_BAD * 0, ["y must", "one class", "0"]),
        ({}, with_value(X_BAD, np.nan), Y_BAD, ["X", "NaN"]),
        ({}, with_value(X_BAD, np.inf), Y_BAD, ["X", "infinity"]),
        ({"kernel": "precomputed"}, with_value(K_BAD, np.nan), Y_BAD, ["X", "NaN"]),
        ({"kernel": "precomputed"}, with_value(K_BAD, -np.inf), Y_BAD, ["infinity"]),
        ({"kernel": "precomputed"}, K_BAD[:, :5], Y_BAD, ["square", "(8, 5)"]),
        (
            {"kernel": "precomputed"},
            K_BAD + np.triu(K_BAD, 1),
            Y_BAD,
            ["symmetric", "(K + K.T) / 2"],
        ),
        ({"kernel": "precomputed"}, -K_BAD, Y_BAD, ["alpha=1", "semi-definite"]),
        (
            {"kernel": "sigmoid", "kernel_params": {"gamma": -9.0}, "alpha": 1e-3},
            X_BAD,
            Y_BAD,
            ["alpha=0.001", "semi-definite"],
        ),
        ({"kernel": "precomputed"}, TEXTS, Y_BAD, ["precomputed", "texts"]),
        ({}, X_BAD, Y_BAD[:5], ["y", "5 entries", "8 rows", "same length"]),
        ({}, X_BAD, X_BAD[:, 0], ["continuous"]),
        ({}, X_BAD, None, ["y", "None"]),
        ({}, X_BAD, [np.nan, *Y_BAD[1:]], ["y", "NaN"]),
        ({}, X_BAD, ["a", None] * 4, ["y", "missing", "[1, 3, 5, 7]", "None"]),
        ({}, X_BAD, np.array(["a", 1] * 4, dtype=object), ["y", "int", "str"]),
        ({"kernel": "rbf"}, TEXTS, Y_BAD, ["kernel='rbf'", "texts", "EmpiricalNTK"]),
        ({"kernel": "rbf"}, "a text", Y_BAD, ["X", "'a text'", "[text]"]),
        (
            {"kernel": "precomputed", "kernel_params": {"gamma": 1}},
            K_BAD,
            Y_BAD,
            ["kernel_params={'gamma': 1}", "precomputed"],
        ),
        ({"kernel": "rbff"}, X_BAD, Y_BAD, ["kernel='rbff'", "'rbf'"]),
        ({"alpha": -1}, X_BAD, Y_BAD, ["'alpha'", "-1"]),
        ({"alpha": np.nan}, X_BAD, Y_BAD, ["'alpha'", "nan"]),
        ({"kernel": StandardScaler()}, X_BAD, Y_BAD, ["kernel", "(8, 3)"]),
    ],
)
def test_bad_input_is_named(params, X, y, words):
    with pytest.raises(ValueError) as caught:
        KernelRidgeClassifier(**params).fit(X, y)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


def test_texts_where_numbers_were_fitted():
    clf = KernelRidgeClassifier(kernel="rbf").fit(X_BAD, Y_BAD)
    with pytest.raises(ValueError, match=r"X holds texts.*3 numeric features"):
        clf.predict(TEXTS)


def test_numbers_where_texts_were_fitted(length_kernel):
    clf = KernelRidgeClassifier(kernel=length_kernel).fit(TEXTS, Y_BAD)
    assert_array_equal(clf.predict(["good", "bad"]), [0, 1])
    with pytest.raises(ValueError, match="X must hold texts, as in fit"):
        clf.predict(X_BAD)


def test_precomputed_rows_need_a_column_for_every_training_row():
    clf = KernelRidgeClassifier(kernel="precomputed").fit(K_BAD, Y_BAD)
    with pytest.raises(ValueError, match=r"5 features.*8 features"):
        clf.predict(K_BAD[:, :5])


@pytest.fixture
def length_kernel():
    """A kernel of texts by their length alone."""
    from sklearn.base import BaseEstimator, TransformerMixin

    class LengthKernel(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.lengths_ = np.array([len(text) for text in X])
            return self

        def transform(self, X):
            lengths = np.array([len(text) for text in X])
            return 1.0 * (lengths[:, None] == self.lengths_)

    return LengthKernel()


def test_without_a_ridge_training_rows_are_predicted_as_labelled():
    X, y = class_rows(30)
    kernel = EmpiricalNTK(method="sketch", n_components=8, random_state=0)
    # Its features are fewer than the rows and lack a part of the diagonal, which
    # would be a ridge.
    clf = KernelRidgeClassifier(0, kernel=kernel).fit(X, y)
    assert clf.kernel_.lost_diagonal_ > 0
    assert_allclose(clf.decision_function(X), 2 * y - 1, atol=1e-8)


@pytest.mark.parametrize("kernel", ["linear", PairwiseKernel("linear")])
def test_features_fewer_than_the_rows_need_a_ridge(kernel):
    X, y = class_rows(8)
    with pytest.raises(NotPositiveDefiniteError, match=r"alpha=0 .*Raise alpha"):
        KernelRidgeClassifier(0, kernel=kernel).fit(X, y)
    clf = KernelRidgeClassifier(0, kernel=kernel).fit(X[:3], y[:3])
    assert_allclose(clf.decision_function(X[:3]), 2 * y[:3] - 1, atol=1e-8)


@pytest.mark.parametrize("offset, alpha", [(1e4, 1.0), (1e5, 100.0)])
def test_columns_far_from_zero(offset, alpha):
    """Weights of columns are solved for: most of those of rows cancels in them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    y = (X[:, 0] + rng.normal(size=1500) > 0).astype(int)
    X += offset
    clf = KernelRidgeClassifier(alpha).fit(X, y)
    A = X.T @ X + alpha * np.eye(3)
    expected = X @ np.linalg.solve(A, X.T @ (2.0 * y - 1))
    assert_allclose(clf.decision_function(X), expected, atol=1e-3)
    assert clf.score(X, y) == pytest.approx(np.mean((expected > 0) == y), abs=2e-3)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_kernels_that_return_frames(container):
    X, y = np.random.default_rng(0).normal(size=(8, 20)), np.arange(8) % 2
    expected = KernelRidgeClassifier().fit(X, y).decision_function(X)
    with config_context(transform_output=container):
        found = KernelRidgeClassifier().fit(X, y).decision_function(X)
    assert_allclose(found, expected)


class WithOutputs(PairwiseKernel):
    """A kernel that knows what a network predicts before any training."""

    def initial_outputs(self, X):
        return np.column_stack([np.sin(X[:, 0]), np.cos(X[:, 1])])


@pytest.mark.parametrize("cls", [KernelRidgeClassifier, KernelRidgeClassifierCV])
@pytest.mark.parametrize("seen", [True, False])
def test_initial_outputs_set_after_fit_count_in_the_next(seen, cls):
    X, y = class_rows(20, 2)
    clf = cls(kernel=WithOutputs(), initial_outputs=seen).fit(X, y)
    methods = clf.decision_function, clf.predict_proba, clf.predict
    before = [method(X) for method in methods]
    clf.set_params(initial_outputs=not seen)
    for method, expected in zip(methods, before, strict=True):
        assert_array_equal(method(X), expected)
    assert abs(clf.fit(X, y).decision_function(X) - before[0]).max() > 1e-3
