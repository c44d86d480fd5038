"""Tests of removing training rows."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skshap import (
    DataRemoval,
    FreeShapAttributor,
    KernelRidgeClassifier,
    PairwiseKernel,
)
from skshap.selection._choice import warn_of_lost_class
from skshap.utils import _progress


def test_the_lowest_values_go_and_the_rest_trains(removal, table):
    X, y, is_flipped = table
    removal.fit(X, y)
    kept = removal.sample_indices_
    assert_array_equal(np.flatnonzero(removal.support_), kept)
    assert len(kept) == 45
    assert is_flipped[~removal.support_].sum() >= 4
    values = removal.sample_values_
    assert values[removal.support_].min() >= values[~removal.support_].max()
    assert_array_equal(np.argsort(-values, kind="stable"), removal.ranking_.argsort())
    expected = LogisticRegression().fit(X[kept], y[kept])
    assert_array_equal(removal.predict(X), expected.predict(X))
    assert_array_equal(removal.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(removal.predict_log_proba(X), expected.predict_log_proba(X))
    assert_array_equal(removal.decision_function(X), expected.decision_function(X))
    assert removal.score(X, y) == expected.score(X, y)
    assert removal.n_features_in_ == 4
    assert_array_equal(removal.classes_, [0, 1])


def test_harmful_rows_go_and_no_others(removal, table):
    X, y, is_flipped = table
    removal.set_params(n_samples_to_remove="harmful").fit(X, y)
    frame = pd.DataFrame(removal.removal_report_)
    assert 1 <= len(frame) <= is_flipped.sum() + 1
    assert is_flipped[frame["sample_index"]].mean() > 0.7
    assert (frame["value"] < 0).all()
    assert (1 - frame["probability_harmful"]).mean() <= 0.1
    assert (frame["standard_error"] > 0).all()
    assert "with its label harmful with probability" in frame["reason"][0]


@pytest.mark.parametrize("number", [np.float64(0.1), np.int64(5), np.uint8(5)])
def test_numbers_of_numpy(number, removal, table):
    X, y, _ = table
    removal.set_params(n_samples_to_remove=number).fit(X, y)
    assert removal.support_.sum() == 45


@pytest.mark.parametrize("number", [0, 0.0])
def test_nothing_need_be_removed(number, removal, table):
    X, y, _ = table
    removal.set_params(n_samples_to_remove=number).fit(X, y)
    assert removal.support_.all()
    assert pd.DataFrame(removal.removal_report_).shape == (0, 4)
    assert_allclose(removal.estimator_.coef_, LogisticRegression().fit(X, y).coef_)


@pytest.mark.parametrize(("number", "n_removed"), [(7, 7), (0.15, 8), (1, 1)])
def test_a_share_of_the_rows_is_rounded(number, n_removed, removal, table):
    X, y, _ = table
    removal.set_params(n_samples_to_remove=number).fit(X, y)
    assert (~removal.support_).sum() == n_removed


def test_tags_are_those_of_the_estimator(quick):
    class Binary(LogisticRegression):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.classifier_tags.multi_class = False
            tags.input_tags.sparse = False
            return tags

    for model in (LogisticRegression(), Binary()):
        found, expected = get_tags(DataRemoval(model, quick)), get_tags(model)
        assert found.classifier_tags == expected.classifier_tags
        assert found.input_tags.sparse == expected.input_tags.sparse


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_validation_rows_are_evaluated_on(removal, table):
    X, y, _ = table
    removal.fit(X, y, X_val=X[::3], y_val=y[::3])
    expected = removal.attributor_.attribute(X[::3], y[::3])
    assert_allclose(removal.sample_values_, expected)
    assert_allclose(removal.attributor_.gram_, rbf_kernel(X))


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_harmful_rows_with_validation_rows_and_a_precomputed_kernel(removal, table):
    X, y, is_flipped = table
    removal.set_params(n_samples_to_remove="harmful", attributor__scoring="accuracy")
    removal.set_params(cv=None)  # the estimators are not asked
    given = removal.fit(X, y, X_val=X[::3], y_val=y[::3]).support_
    precomputed = DataRemoval(
        KernelRidgeClassifier(kernel="precomputed"),
        FreeShapAttributor("precomputed", n_permutations=2),
        n_samples_to_remove="harmful",
        cv=None,
        random_state=0,
    )
    K = rbf_kernel(X)
    assert_array_equal(
        precomputed.fit(K, y, X_val=K[::3], y_val=y[::3]).support_, given
    )
    assert is_flipped[~given].sum() > 0


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series])
def test_texts_pass_through(container, text_attributor, texts):
    rows, y = texts
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    removal = DataRemoval(model, text_attributor, n_samples_to_remove=4, random_state=0)
    removal.fit(container(rows), container(y))
    kept = removal.sample_indices_
    expected = clone(model).fit([rows[i] for i in kept], y[kept])
    assert_array_equal(removal.predict(rows), expected.predict(rows))
    assert not hasattr(removal, "n_features_in_")
    assert removal.classes_.tolist() == ["bad", "good"]


def test_frames_and_sparse_tables_pass_through(removal, table, names_of_polars):
    X, y, _ = table
    expected = removal.fit(X, y).predict(X)
    for make in (pd.DataFrame, pl.DataFrame):
        frame = make({name: X[:, i] for i, name in enumerate("abcd")})
        assert_array_equal(removal.fit(frame, y).predict(frame), expected)
        if make is pl.DataFrame and not names_of_polars:
            continue
        assert list(removal.feature_names_in_) == list("abcd")
        assert list(removal.estimator_.feature_names_in_) == list("abcd")
    sparse = csr_array(X)
    assert_array_equal(removal.fit(sparse, y).predict(sparse), expected)


def test_precomputed_kernels(precomputed_removal, table):
    X, y, _ = table
    K = rbf_kernel(X)
    removal = precomputed_removal.fit(K, y)
    kept = removal.sample_indices_
    expected = KernelRidgeClassifier(kernel="rbf").fit(X[kept], y[kept])
    assert_allclose(
        removal.decision_function(K[:5]), expected.decision_function(X[:5]), atol=1e-12
    )
    assert cross_val_score(removal, K, y, cv=2).mean() > 0.7
    expected = removal.predict(K)
    for container in (pd.DataFrame, pl.DataFrame):
        removal.fit(container(K), y)
        assert_array_equal(removal.sample_indices_, kept)
        assert_array_equal(removal.predict(container(K)), expected)


def test_most_of_a_rare_class_does_not_go_without_a_word(removal):
    rng = np.random.default_rng(0)
    y = (np.arange(200) < 16).astype(int)  # all of them right
    X = rng.normal(size=(200, 3)) + 2 * y[:, np.newaxis] * [1, 1, 0]
    with pytest.warns(
        UserWarning, match=r"=0\.1 removes \d+ of 16 rows .*'no'"
    ) as found:
        removal.fit(X, np.array(["yes", "no"])[y])
    gone = y[~removal.support_].sum()
    assert gone > 8
    assert f" {gone} of 16 rows" in str(found[0].message)
    assert f" {(20 - gone) / 184:.0%} of the others" in str(found[0].message)


@pytest.mark.parametrize("gone", [[0, 1], [0, 1, 2, *range(4, 9)], []])
def test_what_is_lost_by_a_class_is_not_warned_of_if_little_or_alike(gone):
    y_index = np.repeat([0, 1], [4, 12])
    warn_of_lost_class(np.isin(np.arange(16), gone), y_index, np.array(["a", "b"]), 0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples_to_remove": 50}, "leaves nothing of n_samples=50 rows"),
        ({"n_samples_to_remove": 0.999}, "leaves nothing of n_samples=50 rows"),
        ({"n_samples_to_remove": 48}, "keeping 2 of 50 rows would leave none of class"),
        ({"n_samples_to_remove": 1.0}, "n_samples_to_remove"),
        ({"n_samples_to_remove": -1}, "n_samples_to_remove"),
        ({"n_samples_to_remove": "all"}, "n_samples_to_remove"),
        ({"estimator": "svc"}, "estimator"),
        ({"cv": 51}, "at least as many rows"),
        ({"cv": None}, "cv=None leaves no rows to evaluate on"),
    ],
)
def test_bad_calls_say_what_is_wrong(parameters, message, removal, table):
    X, y, _ = table
    with pytest.raises(ValueError, match=message):
        removal.set_params(**parameters).fit(X, y)


@pytest.mark.parametrize("dtype", [str, object])
def test_a_class_of_one_row_cannot_be_cross_fitted(removal, table, dtype):
    X, _, _ = table
    y = np.array(["many"] * 49 + ["one"], dtype=dtype)
    with pytest.raises(ValueError, match="trains on no row of class 'one', of which"):
        removal.fit(X, y)
    for number in (5, "harmful"):
        removal.set_params(n_samples_to_remove=number)
        with pytest.raises(ValueError, match=r"pass X_val and y_val with cv=None\."):
            removal.fit(X, y)


def test_results_do_not_depend_on_n_jobs(removal, table):
    X, y, _ = table
    expected = removal.fit(X, y).sample_values_
    with parallel_config(backend="threading"):
        found = removal.set_params(n_jobs=2).fit(X, y).sample_values_
    assert_allclose(found, expected, rtol=1e-10)


def test_pickle_and_nested_parameters(removal, table):
    X, y, _ = table
    removal.set_params(attributor__alpha=2.0, estimator__C=0.1)
    again = pickle.loads(pickle.dumps(clone(removal).fit(X, y)))
    assert again.attributor_.alpha == 2.0
    assert again.estimator_.C == 0.1
    assert_array_equal(again.predict(X), removal.fit(X, y).predict(X))


def test_grid_search_in_a_pipeline(removal, table):
    X, y, _ = table
    grid = {
        "dataremoval__n_samples_to_remove": [0, 0.1],
        "dataremoval__attributor__alpha": [0.1, 1],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), removal), grid, cv=2)
    assert search.fit(X, y).best_score_ > 0.7
    assert len(search.cv_results_["params"]) == 4


def test_sample_weight_is_cut_to_the_rows_kept(removal, table):
    X, y, _ = table
    weight = np.linspace(0, 5, 50)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        removal.fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        removal.set_params(
            estimator=LogisticRegression().set_fit_request(sample_weight=True)
        )
        removal.fit(X, y, sample_weight=weight)
    kept = removal.sample_indices_
    expected = LogisticRegression().fit(X[kept], y[kept], weight[kept])
    assert_allclose(removal.estimator_.coef_, expected.coef_)


def test_sample_weight_in_another_order_is_refused(removal, table):
    X, y, _ = table
    X, y = pd.DataFrame(X).add_prefix("x"), pd.Series(y)
    X.index = y.index = [f"row {i}" for i in range(50)]
    weight = pd.Series(np.linspace(0, 5, 50), index=X.index)
    with sklearn.config_context(enable_metadata_routing=True):
        removal.set_params(
            estimator=LogisticRegression().set_fit_request(sample_weight=True)
        )
        with pytest.raises(ValueError, match=r"sample_weight.* order"):
            removal.fit(X, y, sample_weight=weight[::-1])
        removal.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("n_weights", [44, 45, 49, 51])  # 45 rows are kept
@pytest.mark.parametrize("make", [np.array, list, pd.Series, pl.Series])
def test_more_or_fewer_weights_than_rows_are_refused(
    make, n_weights, removal, table, monkeypatch
):
    X, y, _ = table
    monkeypatch.setattr(FreeShapAttributor, "fit", None)  # nothing is computed
    with sklearn.config_context(enable_metadata_routing=True):
        removal.set_params(
            estimator=LogisticRegression().set_fit_request(sample_weight=True)
        )
        message = rf"sample_weight must .* got {n_weights} entries for 50 rows"
        with pytest.raises(ValueError, match=message):
            removal.fit(X, y, sample_weight=make(np.ones(n_weights)))


@pytest.mark.parametrize("weight", [None, 2.0])
def test_a_weight_may_stand_for_all_rows(weight, removal, table):
    X, y, _ = table
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        removal.set_params(estimator=model).fit(X, y, sample_weight=weight)
    kept = removal.sample_indices_
    expected = LogisticRegression().fit(X[kept], y[kept], weight)
    assert_allclose(removal.estimator_.coef_, expected.coef_)


class TestValidationRowsInPipelines:
    """Where X_val goes, and the two ways in which it goes wrong."""

    @pytest.fixture(autouse=True)
    def routing(self):
        with sklearn.config_context(enable_metadata_routing=True):
            yield

    @pytest.fixture
    def requesting(self, removal):
        return removal.set_fit_request(X_val=True, y_val=True)

    def pipeline(self, step, **parameters):
        steps = [("scale", StandardScaler()), ("clean", step)]
        return Pipeline(steps, **parameters)

    @pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
    def test_transform_input_transforms_it(self, requesting, table):
        X, y, _ = table
        X, X_val, y_val = 100 * X + 7, 100 * X[::3] + 7, y[::3]
        pipeline = self.pipeline(requesting, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
        scaler = StandardScaler().fit(X)
        alone = clone(requesting).fit(
            scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val
        )
        assert_allclose(pipeline[-1].sample_values_, alone.sample_values_)

    def test_without_transform_input_it_arrives_as_it_is_with_a_warning(
        self, requesting, table
    ):
        X, y, _ = table
        X, X_val, y_val = 100 * X + 7, 100 * X[::3] + 7, y[::3]
        pipeline, scaled = self.pipeline(requesting), StandardScaler().fit_transform(X)
        for model, rows in ((pipeline, X), (alone := clone(requesting), scaled)):
            with pytest.warns(UserWarning, match=r"far from .* transform_input"):
                model.fit(rows, y, X_val=X_val, y_val=y_val)
        assert_allclose(pipeline[-1].sample_values_, alone.sample_values_)

    @pytest.mark.parametrize(("n_val", "n_seen"), [(20, 20), (50, 25)])
    def test_cross_validation_slices_it_if_it_is_as_long_as_X(
        self, n_val, n_seen, requesting, table, monkeypatch
    ):
        X, y, _ = table
        seen = []
        fit = DataRemoval.fit

        def spy(self, X, y, *, X_val=None, y_val=None):
            seen.append(len(X_val))
            return fit(self, X, y, X_val=X_val, y_val=y_val)

        monkeypatch.setattr(DataRemoval, "fit", spy)
        pipeline = self.pipeline(requesting, transform_input=["X_val"])
        rows = np.random.default_rng(0).permutation(50)[:n_val]
        grid = {"clean__n_samples_to_remove": [0.1]}
        GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(
            X, y, X_val=X[rows] + 0.01, y_val=y[rows]
        )
        assert seen == [n_seen, n_seen, n_val]


def test_where_all_rows_look_harmful_none_is_removed(table):
    X, y, _ = table
    # Without a kernel every value is that of a prediction of zeros.
    kernel = PairwiseKernel(lambda a, b: 0.0)
    removal = DataRemoval(
        KernelRidgeClassifier(kernel=kernel),
        FreeShapAttributor(kernel, n_permutations=2, scoring="neg_brier_score"),
        n_samples_to_remove="harmful",
        random_state=0,
    )
    removal.fit(X, y)
    assert (removal.sample_values_ < 0).all()
    assert removal.support_.all()
    # If the estimator is not asked, half of each class is left.
    removal.set_params(cv=None).fit(X, y, X_val=X[::3], y_val=y[::3])
    expected = np.unique(y, return_counts=True)[1] // 2
    assert_array_equal(np.unique(y[removal.support_], return_counts=True)[1], expected)


@pytest.mark.parametrize(
    "regressor",
    [LinearRegression(), make_pipeline(StandardScaler(), LinearRegression())],
    ids=["alone", "in a pipeline"],
)
def test_a_regressor_is_refused(regressor, quick, table, monkeypatch):
    monkeypatch.setattr(DataRemoval, "_fit_attributor", None)  # nothing is computed
    X, y, _ = table
    removal = DataRemoval(regressor, quick)
    with pytest.raises(
        ValueError,
        match=r"estimator must be a classifier, got (L|P).*FreeShapRegressor",
    ):
        removal.fit(X, y)


def test_an_attributor_in_the_place_of_the_classifier_is_refused(table):
    X, y, _ = table
    with pytest.raises(ValueError, match=r"estimator must be .*pass it second"):
        DataRemoval(FreeShapAttributor()).fit(X, y)


@pytest.mark.parametrize("how_many", [3, "auto", "harmful"])
def test_labels_that_are_numbers_in_an_object_array(how_many, quick, table):
    X, y, _ = table
    removal = DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove=how_many, random_state=0
    )
    of_numbers = clone(removal).fit(X, y)
    of_objects = removal.fit(X, y.astype(object))
    assert_array_equal(of_objects.support_, of_numbers.support_)
    assert_array_equal(of_objects.predict(X), of_numbers.predict(X))
    assert of_objects.predict(X).dtype == of_numbers.predict(X).dtype


def test_harm_is_not_judged_by_a_single_row(quick, table):
    X, y, _ = table
    removal = DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="harmful", cv=None
    )
    with pytest.raises(ValueError, match="at least two rows in X_val, got one"):
        removal.fit(X, y, X_val=X[:1], y_val=y[:1])
    removal.fit(X, y, X_val=X[:2], y_val=y[:2])


@pytest.mark.parametrize(
    ("sampler", "semivalue"),
    [("sweep", "shapley"), ("permutation", "shapley"), ("permutation", "loo")],
)
def test_harm_is_not_judged_by_a_single_permutation(
    sampler, semivalue, quick, table, monkeypatch
):
    X, y, _ = table
    quick.set_params(n_permutations=1, sampler=sampler, semivalue=semivalue)
    removal = DataRemoval(LogisticRegression(), quick, random_state=0)
    assert removal.fit(X, y).support_.sum() == 45
    removal.set_params(n_samples_to_remove="harmful")
    monkeypatch.setattr(FreeShapAttributor, "fit", None)  # nothing is fitted
    message = '"harmful" needs an attributor with n_permutations of at least 2, got 1'
    for options in ({}, {"X_val": X[:9], "y_val": y[:9]}):
        with pytest.raises(ValueError, match=message):
            removal.fit(X, y, **options)


def test_values_without_permutations_need_none_for_harm(quick, table):
    X, y, _ = table
    quick.set_params(n_permutations=1, semivalue="loo")
    removal = DataRemoval(LogisticRegression(), quick, n_samples_to_remove="harmful")
    removal.fit(X, y)
    quick.set_params(semivalue="shapley", sampler="exact")
    removal.fit(X[:12], y[:12])


def test_metadata_are_refused_before_anything_is_computed(removal, table, monkeypatch):
    X, y, _ = table
    monkeypatch.setattr(FreeShapAttributor, "fit", None)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="sample_weight"),
    ):
        removal.fit(X, y, sample_weight=np.ones(50))


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_progress_tells_the_split(removal, table, monkeypatch, capsys):
    monkeypatch.setattr(_progress, "DELAY", 1e-9)
    X, y, _ = table
    removal.set_params(attributor__verbose=1, cv=3).fit(X, y)
    shown = capsys.readouterr().err
    bars = re.findall(r"\r(split . of 3, sweeps): 100%", shown)
    expected = [f"split {k} of 3, sweeps" for k in (1, 2, 3)]
    assert list(dict.fromkeys(bars)) == expected
    removal.fit(X, y, X_val=X[::3], y_val=y[::3])
    shown = capsys.readouterr().err
    assert "\rsweeps: 100%" in shown
    assert "split" not in shown
    removal.set_params(attributor__verbose=0).fit(X, y)
    assert capsys.readouterr().err == ""


def test_too_many_rows_to_remove_are_refused_before_they_are_valued(table):
    X, y, _ = table
    attributor = FreeShapAttributor(kernel=lambda a, b: 1 / 0)
    removal = DataRemoval(LogisticRegression(), attributor, n_samples_to_remove=10_000)
    with pytest.raises(ValueError, match="leaves nothing"):
        removal.fit(X, y)
