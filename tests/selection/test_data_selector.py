"""Tests of selecting training rows."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel

from skshap import DataSelector, FreeShapAttributor
from skshap.selection._splits import make_splits
from skshap.utils import _progress
from tests.oracles import greedy_gains

STRATEGIES = ["greedy", "balanced", "top"]


@pytest.fixture
def selector(quick):
    return DataSelector(quick, n_samples_to_select=10, random_state=0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_fit_learns_agrees(strategy, selector, table):
    X, y, is_flipped = table
    selector.set_params(strategy=strategy, n_samples_to_select=20).fit(X, y)
    assert selector.support_.sum() == 20
    assert_array_equal(selector.get_support(), selector.support_)
    kept = selector.get_support(indices=True)
    assert_array_equal(kept, selector.sample_indices_)
    assert_array_equal(kept, np.flatnonzero(selector.support_))
    assert_array_equal(np.sort(selector.ranking_), np.arange(1, 51))
    assert_array_equal(np.sort(selector.ranking_[kept]), np.arange(1, 21))
    assert is_flipped[kept].mean() < is_flipped.mean()
    assert selector.n_features_in_ == 4
    assert selector.sample_values_.shape == (50,)


@pytest.mark.parametrize("has_val", [False, True])
def test_greedy_takes_gains_over_folds_and_validation_rows(has_val, selector, table):
    X, y, _ = table
    X, X_val, y, y_val = X[:30], X[30:], y[:30], y[30:]
    y_val = np.append(y_val[:-1], y.min())
    given = {"X_val": X_val, "y_val": y_val} if has_val else {}
    y = np.append(y[:-1], 1 - y[0])
    selector.set_params(cv=3, n_samples_to_select=6).fit(X, y, **given)
    views = [(np.ones(30, bool), rbf_kernel(X_val, X), y_val)] if has_val else []
    K = rbf_kernel(X)
    seed = selector.attributor_.random_state
    for train, test in make_splits(3, y, np.unique(y), seed):
        views.append((np.isin(np.arange(30), train), K[test], y[test]))
    order = np.argsort(selector.ranking_)
    for k in range(6):
        gains = greedy_gains(K, y, views, 1.0, order[:k])
        assert gains[order[k]] == pytest.approx(selector.sample_values_[order[k]])
    rest = order[6:]
    gains = greedy_gains(K, y, views, 1.0, order[:6])[rest]
    assert_allclose(selector.sample_values_[rest], gains, rtol=1e-8)
    assert (np.diff(gains) <= 1e-12).all()


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_explicit_features_give_the_same_selection(table):
    X, y, _ = table
    found = [
        DataSelector(FreeShapAttributor(kernel), random_state=0)
        .fit(X, y, X_val=X[::3], y_val=y[::3])
        .ranking_
        for kernel in ("linear", linear)
    ]
    assert_array_equal(*found)


def linear(x, y):
    return x @ y


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_progress_tells_the_split_or_the_rows(
    strategy, selector, table, monkeypatch, capsys
):
    monkeypatch.setattr(_progress, "DELAY", 1e-9)
    X, y, _ = table
    selector.set_params(strategy=strategy, cv=3, n_samples_to_select=30)
    selector.set_params(attributor__verbose=1).fit(X, y)
    shown = capsys.readouterr().err
    if strategy == "greedy":
        assert re.search(r"\rselection: 100%.* 30/30 ", shown)
    else:
        assert "\rsplit 3 of 3, sweeps: 100%" in shown
    selector.set_params(attributor__verbose=0).fit(X, y)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_without_folds_validation_rows_alone_count(strategy, selector, table):
    X, y, _ = table
    selector.set_params(strategy=strategy, cv=None, n_samples_to_select=30)
    X_val, y_val = X[::5], y[::5]
    found = selector.fit(X, y, X_val=X_val, y_val=y_val).sample_values_
    if strategy == "greedy":
        view = (np.ones(50, bool), rbf_kernel(X_val, X), y_val)
        gains = greedy_gains(rbf_kernel(X), y, [view], 1.0, [])
        first = selector.ranking_.argmin()
        assert found[first] == pytest.approx(gains[first])
    else:
        assert_allclose(found, selector.attributor_.attribute(X_val, y_val))
    with pytest.raises(ValueError, match="cv=None leaves no rows to evaluate on"):
        selector.fit(X, y)


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_fit_resample_takes_validation_rows(selector, table):
    X, y, _ = table
    held_out = {"X_val": X[::5], "y_val": y[::5]}
    few, y_few = selector.fit_resample(X, y, **held_out)
    values, kept = selector.sample_values_, selector.sample_indices_
    assert_array_equal(few, X[kept])
    assert_array_equal(y_few, y[kept])
    assert_array_equal(values, selector.fit(X, y, **held_out).sample_values_)
    assert not np.allclose(values, selector.fit(X, y).sample_values_)


def test_fit_resample_takes_labels_that_are_an_index(selector, table, monkeypatch):
    """Of texts in Arrow, scikit-learn cannot take some."""

    def fail(labels, rows):
        raise TypeError("only integer scalar arrays can be converted")

    monkeypatch.setattr("skshap.selection._data_selector.safe_indexing", fail)
    X, y, _ = table
    labels = pd.Index(np.array(["no", "yes", "maybe"])[y])
    _, few = selector.fit_resample(X, labels)
    assert isinstance(few, pd.Index) and few.dtype == labels.dtype
    assert_array_equal(few, labels[selector.sample_indices_])
    with pytest.raises(TypeError, match="only integer"):
        selector.fit_resample(X, y)


def test_top_is_the_order_of_values(selector, table):
    X, y, _ = table
    selector.set_params(strategy="top", n_samples_to_select=30).fit(X, y)
    values = selector.sample_values_
    assert values[selector.support_].min() >= values[~selector.support_].max()


@pytest.mark.parametrize("strategy", ["greedy", "balanced"])
def test_classes_keep_their_shares(strategy, quick):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [40, 15, 5])
    X = rng.normal(size=(60, 3)) + (y == "a")[:, None]
    selector = DataSelector(quick, n_samples_to_select=12, strategy=strategy)
    _, y_few = selector.set_params(random_state=0).fit_resample(X, y)
    assert_array_equal(np.unique(y_few, return_counts=True)[1], [8, 3, 1])


def test_top_refuses_to_empty_a_class(quick):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], [40, 6])
    X = rng.normal(size=(46, 2))
    selector = DataSelector(quick, n_samples_to_select=3, strategy="top")
    message = r"keeping 3 of 46 rows would leave none of class 'b' \(6 rows\); use"
    with pytest.raises(ValueError, match=message):
        selector.set_params(random_state=0).fit(X, y)


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series])
def test_texts_pass_through(container, text_attributor, texts):
    rows, y = texts
    selector = DataSelector(text_attributor, n_samples_to_select=6, random_state=0)
    few, y_few = selector.fit_resample(container(rows), container(y))
    assert type(few) is type(container(rows))
    assert type(y_few) is type(container(y))
    kept = selector.sample_indices_
    assert list(few) == [rows[i] for i in kept]
    assert list(y_few) == y[kept].tolist()
    assert not hasattr(selector, "n_features_in_")


def test_pairs_of_texts_pass_through(text_attributor, texts):
    rows, y = texts
    pairs = [(text, text) for text in rows]
    selector = DataSelector(text_attributor, n_samples_to_select=4)
    assert selector.fit_resample(pairs, y)[0][0] in pairs


def test_frames_and_sparse_tables_pass_through(selector, table, names_of_polars):
    X, y, _ = table
    expected, y_few = selector.fit_resample(X, y)
    for make in (pd.DataFrame, pl.DataFrame):
        frame = make({name: X[:, i] for i, name in enumerate("abcd")})
        found, _ = selector.fit_resample(frame, y)
        assert type(found) is make
        assert_array_equal(found.to_numpy(), expected)
        if make is pl.DataFrame and not names_of_polars:
            continue
        assert list(selector.feature_names_in_) == list("abcd")
    frame = pd.DataFrame(X, index=np.arange(50)[::-1] + 7)
    labels = pd.Series(y, index=frame.index)
    found, y_found = selector.fit_resample(frame, labels)
    assert_array_equal(found.to_numpy(), expected)
    assert_array_equal(y_found.index, found.index)
    found, y_found = selector.fit_resample(csr_array(X), y)
    assert_allclose(found.toarray(), expected)
    assert_array_equal(y_found, y_few)


def test_a_precomputed_kernel_is_cut_on_both_sides(table):
    X, y, _ = table
    K = rbf_kernel(X)
    attributor = FreeShapAttributor("precomputed")
    selector = DataSelector(attributor, n_samples_to_select=8, random_state=0)
    few, _ = selector.fit_resample(K, y)
    kept = selector.sample_indices_
    assert_array_equal(few, K[np.ix_(kept, kept)])
    plain = DataSelector(FreeShapAttributor(), n_samples_to_select=8, random_state=0)
    assert_array_equal(plain.fit(X, y, X_val=None).sample_indices_, kept)


@pytest.mark.parametrize("names", [["a", "b"], [-1.0, 3.0]])
def test_labels_of_every_type(names, selector, table):
    X, y, _ = table
    expected = selector.fit(X, y).ranking_
    labels = np.array(names)[y]
    assert_array_equal(selector.fit(X, labels).ranking_, expected)
    assert selector.classes_.tolist() == names


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        ({}, {"X_val": 1}, "X_val is given without y_val"),
        ({}, {"y_val": 1}, "y_val is given without X_val"),
        ({"cv": 60}, {}, "at least as many rows, got n_samples=50"),
        ({"n_samples_to_select": 1}, {}, "at least one of each of 2 classes"),
        ({"n_samples_to_select": 51}, {}, "more than all of n_samples=50 rows"),
        ({"n_samples_to_select": 0.0}, {}, "n_samples_to_select"),
        ({"n_samples_to_select": 1.5}, {}, "n_samples_to_select"),
        ({"strategy": "best"}, {}, "strategy"),
        ({"attributor": LogisticRegression()}, {}, "attributor"),
        ({"cv": 1}, {}, "cv"),
    ],
)
def test_bad_calls_say_what_is_wrong(parameters, given, message, selector, table):
    X, y, _ = table
    given = {name: {"X_val": X, "y_val": y}[name] for name in given}
    with pytest.raises(ValueError, match=message):
        selector.set_params(**parameters).fit(X, y, **given)


def test_more_rows_than_there_are_are_refused_before_the_kernel(table):
    def kernel(*rows):
        raise AssertionError("the kernel was asked")

    X, y, _ = table
    selector = DataSelector(FreeShapAttributor(kernel), n_samples_to_select=51)
    with pytest.raises(ValueError, match="more than all of n_samples=50"):
        selector.fit(X, y)


def test_clone_pickle_and_seeds(selector, table):
    X, y, _ = table
    again = pickle.loads(pickle.dumps(clone(selector).fit(X, y)))
    assert_array_equal(again.ranking_, selector.fit(X, y).ranking_)
    selector.set_params(attributor__alpha=3.0, random_state=1)
    assert selector.get_params()["attributor__alpha"] == 3.0
    assert not np.array_equal(selector.fit(X, y).ranking_, again.ranking_)
    assert selector.attributor_.alpha == 3.0
    assert selector.attributor.random_state is None


def test_all_rows_can_be_selected(selector, table):
    X, y, _ = table
    selector.set_params(n_samples_to_select=1.0)
    assert selector.fit(X, y).support_.all()
    selector.set_params(n_samples_to_select=1)  # one row, not all of them
    with pytest.raises(ValueError, match="selects 1 rows"):
        selector.fit(X, y)


def test_in_a_pipeline_of_imbalanced_learn(selector, table):
    imblearn = pytest.importorskip(
        "imblearn.pipeline", reason="imbalanced-learn comes with the extra 'imblearn'"
    )
    from sklearn.model_selection import GridSearchCV
    from sklearn.preprocessing import StandardScaler

    X, y, _ = table
    pipeline = imblearn.make_pipeline(StandardScaler(), selector, LogisticRegression())
    pipeline.fit(X, y)
    few, y_few = selector.fit_resample(StandardScaler().fit_transform(X), y)
    expected = LogisticRegression().fit(few, y_few)
    assert_allclose(pipeline[-1].coef_, expected.coef_)
    assert pipeline.predict(X).shape == (50,)  # nothing is dropped in predict
    grid = {"dataselector__n_samples_to_select": [4, 0.5]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.7


def test_texts_in_a_pipeline_of_imbalanced_learn(text_attributor, texts):
    imblearn = pytest.importorskip(
        "imblearn.pipeline", reason="imbalanced-learn comes with the extra 'imblearn'"
    )
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows, y = texts
    selector = DataSelector(text_attributor, n_samples_to_select=10, random_state=0)
    pipeline = imblearn.make_pipeline(selector, TfidfVectorizer(), LogisticRegression())
    assert pipeline.fit(rows, y).score(rows, y) > 0.7


def test_a_kernel_too_large_to_square_is_refused(table):
    X, y, _ = table
    selector = DataSelector(FreeShapAttributor("precomputed"), random_state=0)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"largest diagonal entry is 1e\+300; scale"),
    ):
        selector.fit(1e300 * rbf_kernel(X), y)


@pytest.mark.parametrize("format", ["coo", "dia", "bsr", "csc", "csr"])
def test_sparse_rows_of_any_format(format):
    X, y = load_iris(return_X_y=True)
    sparse = csr_array(X[::5]).asformat(format)
    selector = DataSelector(n_samples_to_select=6, random_state=0)
    few, labels = selector.fit_resample(sparse, y[::5])
    assert_allclose(few.toarray(), X[::5][selector.sample_indices_])
    assert_array_equal(labels, y[::5][selector.sample_indices_])
