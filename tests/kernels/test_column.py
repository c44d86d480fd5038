"""Sums of kernels on the columns of a table, against sums written out."""

import pickle
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.utils import Bunch
from sklearn.utils.fixes import parse_version

from skshap import (
    ColumnKernel,
    EmpiricalNTK,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    PairwiseKernel,
    make_column_kernel,
)
from skshap.exceptions import ModelNotFoundError
from skshap.kernels import _column_cost
from skshap.kernels._dates import check_dates
from skshap.utils import _timing
from tests.conftest import WORDS
from tests.oracles import encoder_kernel

N = 24
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(2, 8))) for _ in range(N)]
TABLE = {
    "text": TEXTS,
    "title": [text[:9] for text in TEXTS[::-1]],
    "kind": list(RNG.choice(["red", "green", "blue"], N)),
    "size": RNG.normal(size=N),
    "weight": RNG.normal(5, 3, size=N),
}
Y = np.arange(N) % 2
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.fixture(params=FRAMES)
def X(request):
    return FRAMES[request.param](TABLE)


@pytest.fixture
def kernel(make):
    return ColumnKernel(
        [
            ("text", make(normalize=False), "text"),
            ("pair", make(), ["text", "title"]),
            ("kind", make_pipeline(OneHotEncoder(), PairwiseKernel()), ["kind"]),
            ("size", "laplacian", ["size", "weight"]),
            ("scaled", make_pipeline(StandardScaler(), PairwiseKernel("linear")), [4]),
            ("own", dots, [-1]),
        ],
        weights=[3, 1, 0.5, 2, 1, 0],
    )


def dots(x, y):
    return float(x @ y)


def naive(bert, tokenizer, n_fit):
    """All kernels written out, each divided by its mean training diagonal."""
    kinds = np.array(TABLE["kind"])
    Z = np.column_stack([TABLE["size"], TABLE["weight"]])
    w = Z[:, 1]
    scaled = (w - w[:n_fit].mean()) / w[:n_fit].std()
    n_kinds = len(set(kinds[:n_fit]))
    matrices = [
        encoder_kernel(bert, tokenizer, TEXTS, seed=0),
        encoder_kernel(
            bert, tokenizer, list(zip(TEXTS, TABLE["title"], strict=True)), seed=0
        ),
        np.exp(-2.0 * (kinds[:, None] != kinds) / n_kinds),
        np.exp(-np.abs(Z[:, None] - Z).sum(2) / 2),
        np.outer(scaled, scaled),
        np.outer(w, w),
    ]
    return [K / np.diag(K)[:n_fit].mean() for K in matrices]


def test_equals_the_sum_written_out(kernel, X, bert, tiny_tokenizer):
    matrices = naive(bert, tiny_tokenizer, N)
    weights = np.array(kernel.weights) / sum(kernel.weights)
    expected = sum(w * K for w, K in zip(weights, matrices, strict=True))
    K = kernel.fit_transform(X)
    assert_allclose(K, expected, rtol=1e-9, atol=1e-12)
    assert_array_equal(K, K.T)
    assert_allclose(np.trace(K) / N, 1, rtol=1e-12)
    assert_allclose(kernel.weights_, weights)


def test_new_rows(kernel, X, bert, tiny_tokenizer):
    n_fit = 15
    matrices = naive(bert, tiny_tokenizer, n_fit)
    weights = np.array(kernel.weights) / sum(kernel.weights)
    expected = sum(w * K for w, K in zip(weights, matrices, strict=True))
    kernel.fit(X[:n_fit])
    assert_allclose(kernel.transform(X[10:]), expected[10:, :n_fit], rtol=1e-9)
    assert_allclose(kernel.diag(X), np.diag(expected), rtol=1e-9)
    assert_allclose(
        kernel.transform(X[:n_fit]), clone(kernel).fit_transform(X[:n_fit]), rtol=1e-9
    )
    assert kernel.transform(X[:1]).shape == (1, n_fit)


@given(
    weights=st.lists(st.floats(0, 1e3), min_size=2, max_size=2).filter(
        lambda w: sum(w) > 1e-3
    )
)
def test_weights(weights):
    A, B = RNG.normal(size=(5, 2)), RNG.normal(size=(5, 1))
    kernel = ColumnKernel([("a", "linear", [0, 1]), ("b", "rbf", [2])], weights=weights)
    K = kernel.fit_transform(np.hstack([A, B]))
    one = A @ A.T
    two = np.exp(-((B - B.T) ** 2))
    share = weights[0] / sum(weights)
    expected = share * one / (np.trace(one) / 5) + (1 - share) * two
    assert_allclose(K, expected, rtol=1e-9, atol=1e-12)


COLUMNS = {
    "names": ["size", "weight"],
    "positions": [3, 4],
    "negative": [-2, -1],
    "mask": [False, False, False, True, True],
    "slice": slice(3, None),
    "slice of names": slice("size", "weight"),
    "slice backwards": slice(None, 2, -1),
    "callable": lambda X: ["size", "weight"],
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_columns(X, columns):
    expected = PairwiseKernel().fit_transform(
        np.column_stack([TABLE["size"], TABLE["weight"]])
    )
    kernel = ColumnKernel([("numbers", "rbf", COLUMNS[columns])])
    assert_allclose(kernel.fit_transform(X), expected)
    assert_allclose(kernel.transform(X[:3]), expected[:3])


def test_selector_of_columns():
    X = pd.DataFrame(TABLE)
    kernel = make_column_kernel(("rbf", make_column_selector(dtype_include="number")))
    kernel.fit(X)
    assert kernel.kernels_[0][2] == ["size", "weight"]


def test_arrays(make):
    frame = pd.DataFrame(TABLE)
    array = frame.to_numpy()  # of objects
    by_name = ColumnKernel([("a", make(), "text"), ("b", "rbf", ["size"])])
    by_place = ColumnKernel([("a", make(), 0), ("b", "rbf", [3])])
    expected = by_name.fit_transform(frame)
    for table in (array, array.tolist(), frame):
        assert_array_equal(by_place.fit_transform(table), expected)


def test_names_by_type():
    kernel = make_column_kernel(
        ("rbf", [0]), ("rbf", [1]), (PairwiseKernel(), [0, 1]), weights=[1, 2, 3]
    )
    assert [name for name, _, _ in kernel.kernels] == [
        "rbf-1",
        "rbf-2",
        "pairwisekernel",
    ]
    assert kernel.weights == [1, 2, 3]
    with pytest.raises(ValueError, match="ColumnKernel"):
        make_column_kernel(("name", "rbf", [0]))
    table = pd.DataFrame({"text": ["a good film"] * 99})
    with pytest.raises(
        ValueError, match=r"\(kernel, columns\), got .* goes to fit"
    ) as e:
        make_column_kernel(table)
    assert "good film" not in str(e.value)


def test_nested_parameters(kernel):
    assert kernel.get_params()["text__max_length"] == 32
    kernel.set_params(
        text__n_frozen_layers=1, kind__pairwisekernel__kernel="linear", size="rbf"
    )
    assert kernel.kernels[0][1].n_frozen_layers == 1
    assert kernel.kernels[2][1][-1].kernel == "linear"
    assert kernel.kernels[3] == ("size", "rbf", ["size", "weight"])
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        kernel.set_params(text__depth=3)
    copied = clone(kernel)
    assert copied.kernels[0][1] is not kernel.kernels[0][1]
    assert copied.get_params()["text__n_frozen_layers"] == 1


def test_what_is_given_is_left_as_it_was(kernel, X):
    before = [(name, repr(k), columns) for name, k, columns in kernel.kernels]
    kernel.fit(X)
    assert [(name, repr(k), columns) for name, k, columns in kernel.kernels] == before
    assert not hasattr(kernel.kernels[0][1], "X_fit_")
    assert hasattr(kernel.named_kernels_.text, "X_fit_")


def test_nested_and_pickled(make, X):
    inner = ColumnKernel([("text", make(), "text"), ("size", "rbf", ["size"])])
    outer = ColumnKernel([("all", inner, slice(None)), ("w", "rbf", ["weight"])])
    K = outer.fit_transform(X)
    flat = ColumnKernel([*inner.kernels, ("w", "rbf", ["weight"])], weights=[1, 1, 2])
    assert_allclose(K, flat.fit_transform(X), rtol=1e-12)
    restored = pickle.loads(pickle.dumps(outer))
    assert_array_equal(restored.transform(X), outer.transform(X))


def test_pandas_output():
    kernel = make_column_kernel(("rbf", [0])).set_output(transform="pandas")
    assert list(kernel.fit_transform(np.eye(2)).columns) == [
        "columnkernel0",
        "columnkernel1",
    ]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_different_kernels_are_added_by_position(library):
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0]}, index=[7, 8, 9])
    kernel = ColumnKernel([("a", "rbf", ["a"]), ("b", EmpiricalNTK(), ["b"])])
    kernel.set_params(b__random_state=0)
    expected = kernel.fit_transform(X)
    with config_context(transform_output=library):
        K = kernel.fit_transform(X)
        new = kernel.transform(X.iloc[:2])
        decisions = (
            KernelRidgeClassifier(kernel=kernel).fit(X, [0, 1, 1]).decision_function(X)
        )
    for found, rows in ((K, 3), (new, 2)):
        assert type(found).__module__.startswith(library)
        assert list(found.columns) == [f"columnkernel{i}" for i in range(3)]
        assert_allclose(found, expected[:rows], rtol=1e-12)
    if library == "pandas":
        assert list(new.index) == [7, 8]
    ridge = KernelRidgeClassifier(kernel="precomputed").fit(expected, [0, 1, 1])
    assert_allclose(decisions, ridge.decision_function(expected), rtol=1e-10)


# As a kernel of estimators


@pytest.fixture
def small(make):
    return ColumnKernel(
        [("text", make(n_frozen_layers=2), "text"), ("size", "rbf", ["size"])]
    )


def test_classifiers(small, X, names_of_polars):
    K = small.fit_transform(X)
    clf = KernelRidgeClassifier(alpha=0.1, kernel=small).fit(X, Y)
    plain = KernelRidgeClassifier(alpha=0.1, kernel="precomputed").fit(K, Y)
    assert_allclose(clf.decision_function(X), plain.decision_function(K), rtol=1e-9)
    if isinstance(X, pd.DataFrame) or names_of_polars:
        assert clf.feature_names_in_.tolist() == list(TABLE)
    piped = make_pipeline(small, plain).fit(X, Y)
    assert_allclose(piped.predict(X), clf.predict(X))
    best = KernelRidgeClassifierCV([0.1, 1.0], kernel=small).fit(X, Y)
    assert best.predict_proba(X[:5]).shape == (5, 2)


@pytest.mark.filterwarnings("ignore:labels look wrong")
def test_attribution(small, X):
    K = small.fit_transform(X)
    parameters = {"alpha": 0.1, "n_permutations": 5, "random_state": 0}
    values = FreeShapAttributor(small, **parameters).fit(X, Y).attribute(X[:9], Y[:9])
    plain = FreeShapAttributor("precomputed", **parameters).fit(K, Y)
    assert_allclose(values, plain.attribute(K[:9], Y[:9]), atol=1e-9)
    fitted = FreeShapAttributor(small, **parameters).fit(X, Y)
    assert fitted.explain(X[:2], k=3).helpful.shape == (2, 3)
    detector = LabelNoiseDetector(FreeShapAttributor(small)).fit(X, Y)
    assert detector.label_quality_.shape == (N,)
    regressor = FreeShapRegressor(small, **parameters).fit(X, TABLE["weight"])
    assert regressor.attribute(X[:4], TABLE["weight"][:4]).shape == (N,)


def test_grid_search(small):
    X = pd.DataFrame(TABLE)
    search = GridSearchCV(
        KernelRidgeClassifier(kernel=small),
        {
            "kernel__text__n_frozen_layers": [1, 2],
            "kernel__weights": [[1, 1], [1, 0]],
            "kernel__size": ["rbf", "linear"],
        },
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert search.predict(X).shape == (N,)


def test_cross_validation(small, X):
    scores = cross_val_score(
        KernelRidgeClassifier(kernel=small), X, Y, cv=3, error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_pipeline_as_a_kernel(X, make):
    kernel = make_pipeline(OneHotEncoder(), PairwiseKernel("linear"))
    frame = X[["kind"]] if hasattr(X, "iloc") else X.select("kind")
    kinds = np.array(TABLE["kind"])
    expected = KernelRidgeClassifier(kernel="precomputed").fit(
        1.0 * (kinds[:, None] == kinds), Y
    )
    clf = KernelRidgeClassifier(kernel=kernel).fit(frame, Y)
    assert clf._is_explicit  # three columns
    loo = expected.loo_decision_function_
    assert_allclose(clf.loo_decision_function_, loo, atol=1e-12)
    # Texts stay texts on their way through a pipeline.
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    clf = KernelRidgeClassifier(kernel=make_pipeline(lower, make()))
    upper = [text.upper() for text in TEXTS]
    plain = KernelRidgeClassifier(kernel=make()).fit(TEXTS, Y)
    assert_allclose(
        clf.fit(upper, Y).decision_function(upper), plain.decision_function(TEXTS)
    )


def test_skrub(X):
    skrub = pytest.importorskip("skrub", reason="TableVectorizer is in the extra skrub")
    vectorizer = skrub.TableVectorizer(numeric=StandardScaler())
    kernel = ColumnKernel(
        [("table", make_pipeline(vectorizer, PairwiseKernel()), slice("kind", "size"))]
    )
    K = kernel.fit_transform(X)
    assert_allclose(kernel.transform(X), K, rtol=1e-6)
    kinds = np.array(TABLE["kind"])
    size = (TABLE["size"] - TABLE["size"].mean()) / TABLE["size"].std()
    distances = 2.0 * (kinds[:, None] != kinds) + (size[:, None] - size) ** 2
    assert_allclose(K, np.exp(-distances / 4), rtol=1e-5)


# Bad input


def test_what_kernels_refuse_is_told_before_networks_are_read(make, monkeypatch):
    X = pd.DataFrame(TABLE).assign(size=np.nan)
    monkeypatch.setattr(EmpiricalNTK, "fit_transform", None)
    piped = make_pipeline(FunctionTransformer(), make())
    nested = make_pipeline(FunctionTransformer(), piped)
    for text in (make(), piped, nested):
        kernel = make_column_kernel((text, "text"), ("rbf", ["size"]))
        with pytest.raises(ValueError, match=r"cannot read columns \['size'\]"):
            kernel.fit_transform(X)


@pytest.mark.parametrize("kind", ["rbf", "linear"])
def test_a_table_where_texts_are_read_is_refused(kind):
    X = pd.DataFrame(TABLE)

    def make(columns):
        text = make_pipeline(TfidfVectorizer(), PairwiseKernel(kind))
        return ColumnKernel([("words", text, columns), ("size", "linear", ["size"])])

    assert make("text").fit_transform(X).shape == (N, N)
    for call in ("fit", "fit_transform"):
        message = r"'words' fails on columns \['text'\]: .* of 24 rows .* values of 1:"
        with pytest.raises(ValueError, match=message):
            getattr(make(["text"]), call)(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernels": []}, "kernels must be a list of at least one tuple"),
        ({"kernels": [("a", "rbf")]}, r"tuple \(name, kernel, columns\)"),
        ({"kernels": ("a", "rbf", [0])}, "'kernels' parameter"),
        ({"kernels": [("a", "b", EmpiricalNTK())]}, "'b' and then Emp.*swap the two"),
        ({"kernels": [("a", [0], PairwiseKernel())]}, r"columns\), but.* swap the two"),
        ({"kernels": [("a", "rbf", [0]), ("a", "linear", [1])]}, "not unique"),
        ({"kernels": [("a__b", "rbf", [0])]}, "must not contain __"),
        ({"kernels": [("weights", "rbf", [0])]}, "conflict with constructor"),
        ({"kernels": [("a", "rbf", [])]}, "kernel 'a' reads no columns"),
        ({"kernels": [("a", "rbf", ["price"])]}, "kernel 'a' reads.*'price'.*'weight'"),
        ({"kernels": [("a", "rbf", [7])]}, "kernel 'a' reads columns"),
        ({"kernels": [("a", "rfb", [3])]}, "kernel='rfb' is not known"),
        ({"kernels": [("a", "rfb", [3])]}, "not known; use one of"),
        ({"kernels": [("a", "auto", [3])]}, "kernel='auto' is not known; use one of"),
        ({"kernels": [("a", "precomputed", [3])]}, "'a' is 'precomputed', which is no"),
        ({"kernels": [("a", StandardScaler(), [3])]}, "kernel 'a' is Standard"),
        (
            {"kernels": [("a", make_pipeline(OneHotEncoder()), [3])]},
            "kernel 'a' ends in OneHotEncoder",
        ),
        ({"weights": [1]}, "one number a kernel, here 2"),
        ({"weights": [1, -1]}, "none of them negative"),
        ({"weights": [0, 0]}, "not all zero"),
        ({"weights": [1e308, 1e308]}, "with a finite sum"),
        ({"weights": [1, np.nan]}, "weights must be"),
        ({"weights": [1, np.inf]}, "weights must be"),
        ({"weights": ["a", "b"]}, "weights must be"),
        ({"weights": pd.Series({"b": 1, "a": 2})}, r"weights.loc\[\['a', 'b'\]\]"),
        ({"weights": pd.Series({"b": 1, "c": 2})}, "their index is"),
    ],
)
def test_bad_parameters(X, parameters, message):
    defaults = {"kernels": [("a", "rbf", ["size"]), ("b", "rbf", ["weight"])]}
    with pytest.raises(ValueError, match=message):
        ColumnKernel(**defaults | parameters).fit(X)


@pytest.mark.parametrize("index", [["a", "b"], [7, 8], ["c", "d"]])
def test_weights_in_a_series_that_does_not_contradict(X, index):
    kernels = [("a", "rbf", ["size"]), ("b", "rbf", ["weight"])]
    weights = pd.Series([1, 3], index)
    assert_allclose(
        ColumnKernel(kernels, weights=weights).fit(X).weights_, [0.25, 0.75]
    )


@pytest.mark.parametrize("columns", [["size", "size"], [3, 3], [3, -2]], ids=str)
def test_columns_that_are_named_twice(X, columns):
    message = "reads columns .*(no two of one name|more than one occurrence)"
    with pytest.raises(ValueError, match=message):
        ColumnKernel([("a", "rbf", columns)]).fit(X)


@pytest.mark.parametrize("columns", [[0, 0, 1], [0, -2]], ids=str)
def test_columns_of_an_array_that_are_named_twice(columns):
    rows = np.random.default_rng(0).normal(size=(5, 2))
    with pytest.raises(ValueError, match="no two of one name"):
        ColumnKernel([("a", "rbf", columns)]).fit(rows)


@pytest.mark.parametrize(
    "columns", [[True, False], [False] * 4 + [True] * 2, np.array([True]), {"size"}]
)
def test_columns_that_no_frame_tells(X, columns):
    with pytest.raises(ValueError, match="kernel 'a' reads columns"):
        ColumnKernel([("a", "rbf", columns)]).fit(X)


@pytest.mark.parametrize("column", ["text", "size"])
def test_columns_that_are_missing_later(small, column):
    X = pd.DataFrame(TABLE)
    clf = KernelRidgeClassifier(kernel=small).fit(X, Y)
    for estimator in (clf, clf.kernel_):
        method = getattr(estimator, "predict", getattr(estimator, "transform", None))
        with pytest.raises(ValueError, match=f"now missing:\n- {column}"):
            method(X.drop(columns=column))
        with pytest.raises(ValueError, match="same order"):
            method(X[X.columns[::-1]])


def test_tables_have_the_columns_of_fit(X, names_of_polars):
    if not (isinstance(X, pd.DataFrame) or names_of_polars):
        pytest.skip("scikit-learn does not read the names of columns")
    kernel = ColumnKernel([("a", "rbf", ["size"])]).fit(X)
    names, more = list(X.columns), type(X)(dict(TABLE) | {"more": Y})
    for other in (X[names[1:]], X[names[::-1]], more):
        with pytest.raises(ValueError, match="feature names should match"):
            kernel.transform(other)
    again = more[list(kernel.feature_names_in_)]
    assert_array_equal(kernel.transform(again), kernel.transform(X))


def test_rows_that_a_kernel_refuses(small, make):
    X = pd.DataFrame(TABLE)
    X.loc[3, "text"] = None
    with pytest.raises(ValueError, match=r"^kernel 'text' fails on.*'text': .*row 3 h"):
        small.fit(X)
    X = pd.DataFrame(TABLE)
    small.fit(X)
    X.loc[2, "size"] = np.nan
    for method in (small.transform, small.diag):
        with pytest.raises(ValueError, match=r"kernel 'size'[^$]*\['size'\] have mis"):
            method(X)
    with pytest.raises(ValueError, match="OneHotEncoder"):
        make_column_kernel(("rbf", ["kind"])).fit(X)
    with pytest.raises(ValueError, match=r"kernel 'rbf'[^$]*write \['size'\]"):
        make_column_kernel(("rbf", "size")).fit(X)
    one_hot = make_pipeline(OneHotEncoder(), PairwiseKernel())
    with pytest.raises(ValueError, match=r"kernel 'pipeline'[^$]*write \['kind'\]"):
        make_column_kernel((one_hot, "kind")).fit(X)
    with pytest.raises(ValueError, match=r"kernel 'empi[^$]*write 'text' without"):
        make_column_kernel((make(), ["text"])).fit(X)
    with pytest.raises(ModelNotFoundError):
        make_column_kernel((EmpiricalNTK("no-such-org/model"), "text")).fit(X)


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_columns_of_dates_and_with_gaps_are_named(make):
    days = np.arange("2026-01-01", "2026-01-05", dtype="datetime64[D]").astype("M8[ms]")
    frame = make({"a": [1.0, 2.0, None, 4.0], "b": [1, 2, 3, 4], "day": days})
    for columns in (["a", "b"], [0, 1]):
        for kernel in ("rbf", make_pipeline(StandardScaler(), PairwiseKernel())):
            with pytest.raises(ValueError, match=r"Columns \['a'\] have") as caught:
                make_column_kernel((kernel, columns)).fit(frame)
            assert str(caught.value).count("missing values") == 1
    with pytest.raises(ValueError, match=r"Columns \['day'\] hold dates"):
        make_column_kernel(("rbf", ["b", "day"])).fit(frame)
    numbers = np.array([[1.0, np.nan], [2.0, 3.0]])
    with pytest.raises(ValueError, match=r"Columns \[1\] have missing values"):
        make_column_kernel(("rbf", [0, 1])).fit(numbers)


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_gaps_that_a_step_leaves_are_named_and_not_what_it_encoded(make):
    skrub = pytest.importorskip("skrub", reason="TableVectorizer is in the extra skrub")
    days = np.array(["2026-01-01", "NaT", "2026-02-03", "2026-01-04"], dtype="M8[ms]")
    frame = make({"kind": ["x", "y", "x", "y"], "day": days})
    kernel = make_pipeline(skrub.TableVectorizer(), PairwiseKernel())
    with pytest.raises(ValueError, match=r"numbers\. Columns \['day'\] have") as caught:
        make_column_kernel((kernel, ["kind", "day"])).fit(frame)
    assert str(caught.value).count("Columns [") == 1


# Explicit features, where all kernels have them


@pytest.fixture
def explicit(make):
    return ColumnKernel(
        [
            ("text", make(method="sketch", n_components=4), "text"),
            (
                "kind",
                make_pipeline(OneHotEncoder(), PairwiseKernel("linear")),
                ["kind"],
            ),
            ("size", "linear", ["size", "weight"]),
        ],
        weights=[3, 1, 0],
    )


def test_features(explicit, small, X):
    assert not hasattr(small, "transform_features")
    K = explicit.fit_transform(X)
    F = explicit.transform_features(X)
    assert F.shape == (N, 4 + 3 + 2)
    lost = explicit.lost_diagonal_
    text = explicit.named_kernels_["text"]
    assert_allclose(lost, 0.75 / explicit.scales_[0] * text.lost_diagonal_)
    assert lost > 1e-4
    assert_allclose(F @ F.T + lost * np.eye(N), K, rtol=1e-9)
    assert_allclose(explicit.diag(X), np.diag(K), rtol=1e-9)
    explicit.set_params(text__method="exact").fit(X)
    assert not hasattr(explicit, "transform_features")
    assert explicit.lost_diagonal_ == 0


def test_estimators_work_on_features(explicit, X):
    train, test, y = X[:18], X[18:], Y[:18]
    K, cross = explicit.fit_transform(train), explicit.transform(test)
    on_features = KernelRidgeClassifier(0.1, kernel=explicit).fit(train, y)
    on_kernel = KernelRidgeClassifier(0.1, kernel="precomputed").fit(K, y)
    assert on_features._is_explicit
    expected = on_kernel.decision_function(cross)
    assert_allclose(on_features.decision_function(test), expected, rtol=1e-7)
    best = KernelRidgeClassifierCV([0.1, 1.0], kernel=explicit).fit(train, y)
    assert best.predict(test).shape == (6,)
    options = {"alpha": 0.1, "n_permutations": 3, "random_state": 0}
    options |= {"scoring": "neg_brier_score", "sampler": "permutation"}
    values = [
        FreeShapAttributor(kernel, **options).fit(rows, y).attribute(others, Y[18:])
        for kernel, rows, others in (
            (explicit, train, test),
            ("precomputed", K, cross),
        )
    ]
    assert_allclose(*values, rtol=1e-7, atol=1e-10)


def test_search_among_features(explicit):
    search = GridSearchCV(
        KernelRidgeClassifier(kernel=explicit),
        {"kernel__text__n_components": [2, 4], "kernel__weights": [None, [1, 0, 0]]},
        cv=2,
    ).fit(pd.DataFrame(TABLE), Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def shout(texts):
    return [text.upper() for text in texts]


def test_a_pipeline_that_ends_in_a_sketch(make):
    sketch = make(method="sketch", n_components=4)
    kernel = make_pipeline(FunctionTransformer(shout), sketch)
    clf = KernelRidgeClassifier(0.1, kernel=kernel).fit(TEXTS[:18], Y[:18])
    assert clf._is_explicit
    upper = shout(TEXTS)
    plain = KernelRidgeClassifier(0.1, kernel=sketch).fit(upper[:18], Y[:18])
    expected = plain.decision_function(upper[18:])
    assert_allclose(clf.decision_function(TEXTS[18:]), expected)


def test_predicted_cost(kernel, small, X):
    cost = kernel.estimate_cost(X)
    assert not hasattr(kernel, "kernels_")
    assert cost.seconds > 0
    assert cost.memory > 6 * 8 * N**2
    own = small.kernels[0][1].estimate_cost(TEXTS)
    assert small.estimate_cost(X).memory >= own.memory + 2 * 8 * N**2
    with pytest.raises(ValueError, match=r"kernel 'rbf'[^$]*write"):
        make_column_kernel(("rbf", "size")).estimate_cost(X)


class Priced(PairwiseKernel):
    """Takes its price for what it costs."""

    def estimate_cost(self, X):
        price = self.kernel_params["gamma"]
        return Bunch(seconds=price, memory=1000 * price, disk=8 * price)


def test_costs_of_kernels_add_up_but_for_the_memory_of_their_work():
    kernels = [Priced(kernel_params={"gamma": price}) for price in (2, 3)]
    kernel = make_column_kernel((kernels[0], [0]), (kernels[1], [1]))
    cost = kernel.estimate_cost(np.ones((N, 2)))
    assert (cost.seconds, cost.disk) == (5, 40)
    assert cost.memory == 2 * 8 * N**2 + 3000  # matrices stay, one is worked on


def test_cost_of_a_vector_kernel_grows_with_the_pairs_of_rows(monkeypatch):
    clock = SimpleNamespace(perf_counter=count().__next__)  # the piece takes a second
    monkeypatch.setattr(_timing, "time", clock)
    n = 3 * _column_cost.N_TIMED
    steps = make_pipeline(None, "passthrough", StandardScaler(), PairwiseKernel("rbf"))
    for kernel in ("rbf", steps):
        cost = make_column_kernel((kernel, [0])).estimate_cost(np.ones((n, 1)))
        assert cost.seconds == 9


class Doubled(BaseEstimator):
    """Has no fit_transform, which a pipeline does without."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * np.asarray(X)


def test_steps_without_fit_transform(X):
    kernel = make_column_kernel((make_pipeline(Doubled(), PairwiseKernel()), ["size"]))
    assert kernel.estimate_cost(X).seconds > 0
    K = make_column_kernel((PairwiseKernel(), ["double"])).fit_transform(
        pd.DataFrame({"double": 2 * np.array(TABLE["size"])})
    )
    assert_allclose(kernel.fit_transform(X), K)


def test_a_fit_that_fails_changes_nothing(X):
    kernel = make_column_kernel(("rbf", ["size"])).fit(X)
    K = kernel.transform(X)
    with pytest.raises(ValueError, match="gap"):
        other = pd.DataFrame(TABLE).assign(size=np.nan, gap=np.nan)
        kernel.set_params(kernels=[("rbf", "rbf", ["size", "gap"])]).fit(other)
    assert_array_equal(kernel.transform(X), K)


def test_a_list_of_rows_is_a_table():
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 3.0]})
    rows = [frame.iloc[i] for i in range(3)]
    kernel = ColumnKernel([("rbf", "rbf", [0, 1])])
    K = kernel.fit_transform(frame.to_numpy())
    for table in (rows, [row.to_numpy() for row in rows], frame.to_numpy().tolist()):
        assert_allclose(kernel.fit_transform(table), K)


def test_tables_that_are_none(small, X):
    with pytest.raises(ValueError, match="minimum of 1"):
        small.fit(X[:0])
    for column in (TEXTS, X["size"], pd.Series(TEXTS)):
        with pytest.raises(ValueError, match=r"X must be a table.* df.iloc\[\[0\]\]"):
            small.fit(column)
    with pytest.raises(ValueError, match="Expected 2D array"):
        small.fit("a text")


class Broken(PairwiseKernel):
    """Fails for a reason that has nothing to do with the rows."""

    def fit(self, X, y=None):
        raise ValueError("the price is unknown")


def test_errors_of_another_cause_give_no_advice_on_the_columns(X):
    with pytest.raises(ValueError, match="price") as caught:
        make_column_kernel((Broken(), ["kind"])).fit(X)
    message = "kernel 'broken' fails on columns ['kind']: the price is unknown"
    assert str(caught.value) == message


def test_errors_of_another_type_keep_it_and_have_a_note(X, monkeypatch):
    error = np.linalg.LinAlgError("singular")
    monkeypatch.setattr(Broken, "fit", Mock(side_effect=error))
    with pytest.raises(np.linalg.LinAlgError, match="singular") as caught:
        make_column_kernel((Broken(), ["kind"])).fit(X)
    assert "kernel 'broken' on columns ['kind']" in caught.value.__notes__[0]


NUMERIC = [
    make_pipeline(SimpleImputer(), StandardScaler(), PairwiseKernel()),
    make_pipeline(StandardScaler(), PairwiseKernel()),
    "rbf",
]


@pytest.mark.parametrize("numeric", NUMERIC, ids=lambda k: str(k)[:30])
@pytest.mark.parametrize("columns", ["date", ["date"]], ids=str)
def test_texts_of_dates_where_numbers_are_read(X, numeric, columns):
    dates = [f"2024-01-{day + 1:02d}" for day in range(N)]
    X = type(X)(dict(TABLE) | {"date": dates})
    with pytest.raises(ValueError) as caught:
        ColumnKernel([("when", numeric, columns)]).fit(X)
    message = str(caught.value)
    assert message.startswith(f"kernel 'when' cannot read columns {columns!r}: ")
    assert "Columns ['date'] hold dates in texts" in message
    assert "pandas.to_datetime" in message
    assert ("write ['date']" in message) == (columns == "date")


def test_gaps_that_a_step_fills_are_not_named_beside_dates():
    days = np.arange("2026-01-01", "2026-01-05", dtype="datetime64[D]").astype("M8[ms]")
    frame = pd.DataFrame({"age": [1.0, np.nan, 3.0, 4.0], "day": days})
    with pytest.raises(ValueError, match=r"Columns \['day'\] hold dates") as caught:
        ColumnKernel([("numbers", NUMERIC[0], ["age", "day"])]).fit(frame)
    assert str(caught.value).count("Columns [") == 1


def test_gaps_are_named_where_nothing_else_is_amiss():
    frame = pd.DataFrame({"age": pd.Series([1, pd.NA, 3], dtype=object), "b": 1.0})
    with pytest.raises(ValueError, match=r"Columns \['age'\] have missing values"):
        ColumnKernel([("numbers", NUMERIC[1], ["age", "b"])]).fit(frame)


def test_an_array_of_texts_where_numbers_are_read():
    X = np.array([["one"], ["two"]], object)
    with pytest.raises(ValueError, match=r"kernel 'rbf' cannot.* 0: [^$]*write \[0\]"):
        make_column_kernel(("rbf", 0)).fit(X)


@pytest.mark.parametrize("value", [0.0, 1e200])
def test_a_kernel_without_scale(value):
    kernel = make_column_kernel(("linear", [0]))
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="kernel 'linear' cannot be normalised"),
    ):
        kernel.fit(np.full((3, 1), value))


def test_one_row_and_rows_that_repeat(small):
    X = pd.DataFrame(TABLE)
    assert_allclose(small.fit_transform(X[:1]), [[1.0]])
    repeated = X.iloc[[0, 1, 0, 0]]
    K = small.fit_transform(repeated)
    assert_array_equal(K[0], K[2])


def test_a_kernel_in_the_place_of_columns_is_named():
    with pytest.raises(ValueError, match=r"got \('text', Pair.* last; swap the two"):
        make_column_kernel(("text", PairwiseKernel("rbf")))
    for columns in (["a"], 0, slice(2), np.array(["a"]), ("a", "b")):
        with pytest.raises(ValueError, match="with the kernel last; swap the two"):
            make_column_kernel((columns, "rbf"))
    with pytest.raises(ValueError, match=r"got \(None, \['a'\]\) with no kernel in it"):
        make_column_kernel((None, ["a"]))


@pytest.mark.parametrize("method", ["transform", "diag", "transform_features"])
def test_methods_before_fit(method):
    kernel = make_column_kernel(("linear", ["a"]))
    with pytest.raises(NotFittedError):
        getattr(kernel, method)(pd.DataFrame({"a": [1.0, 2.0]}))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("steps", "taker"),
    [
        ([SimpleImputer(), StandardScaler()], "SimpleImputer"),
        ([None, make_pipeline("passthrough", StandardScaler())], "StandardScaler"),
        ([FunctionTransformer(), StandardScaler()], "StandardScaler"),
        ([ColumnTransformer([("a", SimpleImputer(), ["day"])])], "SimpleImputer"),
        (
            [
                ColumnTransformer(
                    [("a", "drop", ["other"]), ("b", "passthrough", ["day"])]
                ),
                MinMaxScaler(),
            ],
            "MinMaxScaler",
        ),
        (
            [
                ColumnTransformer(
                    [("a", "drop", ["other"])], remainder=make_pipeline(SimpleImputer())
                )
            ],
            "SimpleImputer",
        ),
        ([make_union("drop", SimpleImputer())], "SimpleImputer"),
        ([make_union("passthrough"), SimpleImputer()], "SimpleImputer"),
        (
            [FunctionTransformer(lambda days: days[["day"]]), StandardScaler()],
            "StandardScaler",
        ),
        ([PCA(1)], "PCA"),
    ],
    ids=[
        *("imputer", "nested", "identity", "columns", "passed", "remainder"),
        *("union", "through a union", "selected", "other steps"),
    ],
)
def test_missing_dates_are_no_numbers(steps, taker, make):
    is_old = parse_version(sklearn.__version__) < parse_version("1.7")
    if make is pl.DataFrame and is_old:
        pytest.skip("some steps of this version of scikit-learn take no polars frames")
    days = np.arange("2026-01-01", "2026-01-09", dtype="M8[D]").astype("M8[ms]")
    kernel = ColumnKernel(
        [("days", make_pipeline(*steps, PairwiseKernel()), ["day", "other"])]
    )
    whole = make({"day": days, "other": days})
    gap = days.copy()
    gap[3] = "NaT"
    gaps = make({"day": gap, "other": days})
    message = rf"kernel 'days' reads columns \['day'\] of dates.*{taker} takes"
    with pytest.raises(ValueError, match=message):
        kernel.fit(gaps)
    kernel.fit(whole)
    with pytest.raises(ValueError, match=message):
        kernel.transform(gaps)


@pytest.mark.parametrize("as_kernel_of_columns", [False, True])
@pytest.mark.parametrize(
    "day",
    [
        pd.date_range("2026-01-01", periods=8),
        pd.date_range("2026-01-01", periods=8, tz="UTC"),
        pd.to_timedelta(range(8), unit="D"),
    ],
    ids=["dates", "with a time zone", "spans"],
)
def test_missing_dates_of_all_kinds(day, as_kernel_of_columns):
    kernel = make_pipeline(SimpleImputer(), PairwiseKernel())
    if as_kernel_of_columns:
        kernel = ColumnKernel([("days", kernel, ["day"])])
    frame, y = pd.DataFrame({"day": day}), np.arange(8) % 2
    gaps = frame.copy()
    gaps.loc[3, "day"] = pd.NaT
    classifier = KernelRidgeClassifier(kernel=kernel)
    with pytest.raises(ValueError, match=r"columns \['day'\] of dates, some of them"):
        classifier.fit(gaps, y)
    with suppress(ValueError, TypeError):  # some dates are no numbers at all
        classifier.fit(frame, y)
        with pytest.raises(ValueError, match=r"columns \['day'\] of dates"):
            classifier.predict(gaps)


def test_a_step_that_is_tried_changes_nothing():
    """Steps that hand dates on are tried before they run, on a copy."""

    def take(table):
        table["x"] = np.log1p(table["x"])
        table.pop("day")
        return table

    n_read = np.arange(8.0)
    day = pd.to_datetime(["2026-01-01", None] * 4)
    frame = pd.DataFrame({"x": n_read, "day": day})
    kernel = make_pipeline(FunctionTransformer(take), PairwiseKernel())
    check_dates("kernel", kernel, frame)
    assert_array_equal(frame["x"], n_read)
    assert list(frame) == ["x", "day"]


def test_missing_dates_behind_frozen_steps_and_those_of_skrub():
    skrub = pytest.importorskip("skrub", reason="TableVectorizer is in the extra skrub")
    frame = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=8), "x": 1.0})
    frame.loc[3, "day"] = pd.NaT
    vectorizer = skrub.TableVectorizer().fit(frame)
    reads = make_pipeline(FrozenEstimator(vectorizer), SimpleImputer())
    check_dates("kernel", make_pipeline(reads, PairwiseKernel()), frame)
    for steps in ([skrub.SelectCols(["day"])], [FrozenEstimator(StandardScaler())]):
        kernel = make_pipeline(*steps, StandardScaler(), PairwiseKernel())
        with pytest.raises(ValueError, match="StandardScaler takes for numbers"):
            check_dates("kernel", kernel, frame)


def test_missing_dates_in_arrays():
    days = np.arange("2026-01-01", "2026-01-09", dtype="M8[D]")[:, None]
    days[3] = "NaT"
    kernel = make_pipeline(SimpleImputer(), PairwiseKernel())
    for rows in (days, days.astype("M8[ms]")):
        with pytest.raises(ValueError, match=r"kernel reads columns \[0\] of dates"):
            KernelRidgeClassifier(kernel=kernel).fit(rows, np.arange(8) % 2)


def test_steps_that_drop_rows_are_refused_of_new_rows_as_well():
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(9, 2)), columns=["a", "b"]
    )
    dropping = FunctionTransformer(lambda table: table.dropna())
    kernel = make_pipeline(dropping, PairwiseKernel())
    mixed = ColumnKernel([("a", kernel, ["a"]), ("b", "linear", ["b"])])
    y, new = np.arange(9) % 2, frame[:2].copy()
    new.loc[1, "a"] = np.nan
    message = "of 2 rows it gave values of 1: a step that drops rows"
    for estimator in (KernelRidgeClassifier(kernel=k) for k in (kernel, mixed)):
        estimator.fit(frame, y)
        with pytest.raises(ValueError, match=message):
            estimator.predict(new)
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 20)))
    wide.loc[1, 0] = np.nan  # with as many features as rows the matrix is asked for
    linear = make_pipeline(dropping, PairwiseKernel("linear"))
    with pytest.raises(ValueError, match="of 9 rows it gave values of 8"):
        KernelRidgeClassifier(kernel=linear).fit(wide, y)
    for ask in ("transform", "diag"):
        with pytest.raises(ValueError, match=f"kernel 'a' fails .*{message}"):
            getattr(mixed.fit(frame), ask)(new)


def test_masked_tables_are_refused():
    rows = np.random.default_rng(0).normal(size=(8, 2))
    masked = np.ma.array(rows, mask=rows > 1)
    pipeline = make_pipeline(SimpleImputer(), PairwiseKernel())
    for kernel in (pipeline, ColumnKernel([("all", pipeline, slice(None))])):
        classifier = KernelRidgeClassifier(kernel=kernel)
        with pytest.raises(ValueError, match=r"X must not be missing, but \d entries"):
            classifier.fit(masked, np.arange(8) % 2)
        classifier.fit(rows, np.arange(8) % 2)
        with pytest.raises(ValueError, match="entries are masked"):
            classifier.predict(masked)


def test_missing_dates_are_left_to_steps_that_know_them():
    frame = pd.DataFrame({"day": pd.to_datetime(["2026-01-01", None, "2026-01-03"])})
    for step in (
        FunctionTransformer(lambda day: day.isna()),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        ColumnTransformer(
            [("day", FunctionTransformer(lambda day: day.isna().to_frame()), "day")],
            remainder=StandardScaler(),  # of what no other step reads
        ),
    ):
        kernel = make_column_kernel((make_pipeline(step, PairwiseKernel()), ["day"]))
        assert np.isfinite(kernel.fit_transform(frame)).all()


@pytest.mark.parametrize(
    "frame, gap", [(pd.DataFrame, np.nan), (pd.DataFrame, None), (pl.DataFrame, None)]
)
def test_missing_texts_are_named_by_row(frame, gap):
    words = make_pipeline(TfidfVectorizer(), PairwiseKernel("linear"))
    kernel = make_column_kernel((words, "note"), ("rbf", ["n"]))
    table = frame({"note": ["a film", gap, "a plot", gap], "n": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(ValueError, match=r"'note'.* no text in 2 rows, .* row 1: drop"):
        kernel.fit_transform(table)
    # What fails for another reason says nothing of it.
    numbers = frame({"note": [1, 2, 3, 4], "n": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises((AttributeError, ValueError)) as error:
        kernel.fit_transform(numbers)
    assert "has no text" not in str(error.value)
