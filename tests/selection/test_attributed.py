"""Attributors that estimators take, and what they take over from them."""

from functools import partial

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import LinearSVC
from sklearn.utils import get_tags

from skshap import (
    DataRemoval,
    DataSelector,
    EmpiricalNTK,
    FreeShapAttributor,
    FreeShapRegressor,
    LabelNoiseDetector,
)

ESTIMATORS = [LabelNoiseDetector, DataSelector, partial(DataRemoval, LinearSVC())]


@pytest.mark.parametrize("make", ESTIMATORS)
def test_a_kernel_is_no_attributor(make, table):
    X, y, _ = table
    for kernel, name in ((EmpiricalNTK(), "EmpiricalNTK"), (LinearSVC(), "LinearSVC")):
        with pytest.raises(ValueError, match=rf"got {name}; a kernel goes into one, F"):
            make(attributor=kernel).fit(X, y)
    for given in ("rbf", 20, FreeShapAttributor):
        words = f"got {given!r}; a kernel .* other parameters are passed by name"
        with pytest.raises(ValueError, match=words):
            make(attributor=given).fit(X, y)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_a_regressor_is_no_attributor(make, table):
    X, y, _ = table
    words = r"got FreeShapRegressor: .* take classes only.*largest abs\(y - loo"
    with pytest.raises(ValueError, match=words):
        make(attributor=FreeShapRegressor("linear")).fit(X, y + 0.5)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_texts_need_an_attributor(make):
    estimator, texts = make(), ["one text", "another"] * 10
    message = f"^{type(estimator).__name__} needs an attributor for texts"
    with pytest.raises(ValueError, match=message):
        estimator.fit(texts, [0, 1] * 10)
    with pytest.raises(ValueError, match="single string"):
        estimator.fit("one text", [0])


@pytest.mark.parametrize("pair", [("c", "d"), ("c",)])
def test_pairs_of_texts_need_an_attributor(pair):
    with pytest.raises(ValueError, match=r"EmpiricalNTK\(model\)\) or.*\)\)\)\.$"):
        LabelNoiseDetector().fit([("a", "b"), pair], [0, 1])


def test_frames_of_categories_are_no_texts_to_model():
    frame = pd.DataFrame({"channel": ["mail", "phone", "mail", "phone"]})
    with pytest.raises(ValueError, match=r"Columns \['channel'\].*OneHotEncoder"):
        LabelNoiseDetector().fit(frame, [0, 1, 0, 1])


def test_names_of_an_earlier_fit_do_not_stay():
    X, y = load_iris(return_X_y=True, as_frame=True)
    detector = LabelNoiseDetector(FreeShapAttributor()).fit(X, y)
    assert list(detector.feature_names_in_) == list(X.columns)
    detector.fit(X.to_numpy(), y)
    assert not hasattr(detector, "feature_names_in_")


def test_columns_of_an_earlier_fit_do_not_stay(text_attributor, texts, table):
    X, y, _ = table
    selector = DataSelector(n_samples_to_select=5, random_state=0).fit(X, y)
    assert selector.n_features_in_ == 4
    selector.set_params(attributor=text_attributor).fit(*texts)
    assert not hasattr(selector, "n_features_in_")


@pytest.mark.parametrize("make", ESTIMATORS)
def test_rows_are_what_the_attributor_takes(make, text_attributor):
    for attributor in (text_attributor, FreeShapAttributor("precomputed")):
        found, expected = get_tags(make(attributor=attributor)), get_tags(attributor)
        for name in ("string", "pairwise", "two_d_array", "allow_nan"):
            tag = getattr(found.input_tags, name)
            assert tag == getattr(expected.input_tags, name), name
    assert found.input_tags.pairwise
    assert not get_tags(make()).input_tags.pairwise
    assert get_tags(make()).target_tags.required


@pytest.mark.parametrize("make", ESTIMATORS)
def test_parameters_of_no_attributor_are_refused(make):
    with pytest.raises(ValueError, match=r"attributor__alpha cannot.*\('auto', alpha"):
        make().set_params(attributor__alpha=3.0)
    both = make().set_params(attributor=FreeShapAttributor(), attributor__alpha=3.0)
    assert both.attributor.alpha == 3.0
    with pytest.raises(ValueError, match="while attributor=None"):
        both.set_params(attributor=None, attributor__alpha=3.0)
