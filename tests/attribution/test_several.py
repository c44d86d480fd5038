"""Several semivalues and scorings from one run."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skshap import FreeShapAttributor, FreeShapRegressor
from skshap.attribution import _estimation, _plan, _stopping
from skshap.attribution._class_scores import CLASS_SCORINGS
from tests.attribution.games import check_errors, own_value
from tests.rows import class_rows

SEMIVALUES = ["shapley", "banzhaf", ("beta", 4, 1), "loo"]
SCORINGS = list(CLASS_SCORINGS)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sampler", ["exact", "permutation"])
def test_at_once_equals_one_by_one(sampler, n_classes, per_sample):
    X, y = class_rows(9, n_classes)
    options = {"sampler": sampler, "n_permutations": 6, "random_state": 0}
    scorings = [*SCORINGS, own_value]
    found, std = (
        FreeShapAttributor(**options)
        .fit(X, y)
        .attribute(
            X[:4],
            y[:4],
            scorings=scorings,
            semivalues=SEMIVALUES,
            per_sample=per_sample,
            return_std=True,
        )
    )
    assert list(found) == [(s, v) for s in scorings for v in SEMIVALUES]
    for (scoring, semivalue), values in found.items():
        single = FreeShapAttributor(scoring=scoring, semivalue=semivalue, **options)
        expected = single.fit(X, y).attribute(
            X[:4], y[:4], per_sample=per_sample, return_std=True
        )
        assert_allclose(values, expected[0], atol=1e-11)
        assert_allclose(std[scoring, semivalue], expected[1], atol=1e-11)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_sweeps_at_once_equal_those_of_each_kind(kernel, per_sample, monkeypatch):
    """Of scores that are smooth, that jump, and that nothing is known of."""
    # The game goes by what is to be done before draws, which is the same.
    monkeypatch.setattr(_plan, "USUAL_DRAWS", 0)
    X, y = class_rows(40, 2)
    attributor = FreeShapAttributor(kernel, n_permutations=5, random_state=0)
    options = {"semivalues": SEMIVALUES, "per_sample": per_sample, "return_std": True}

    def attribute(scorings):
        return attributor.fit(X, y).attribute(
            X[:9], y[:9], scorings=scorings, **options
        )

    kinds = [["neg_log_loss", "neg_brier_score"], ["accuracy"], [own_value]]
    found = attribute([*kinds[0][:1], *kinds[1], *kinds[2], *kinds[0][1:]])
    alone = [attribute(kind) for kind in kinds]
    assert {*kinds[0], *kinds[1]} == set(SCORINGS)
    for part, several in enumerate(found):
        expected = {key: value for one in alone for key, value in one[part].items()}
        assert several.keys() == expected.keys()
        for key, values in several.items():
            assert_allclose(values, expected[key], rtol=1e-9, atol=1e-14)


def test_the_error_allowed_is_shared_by_all_kinds(monkeypatch):
    X, y = class_rows(20, 2)
    rules = []

    class Seen(_stopping.StoppingRule):
        def is_met(self, moments, is_last=False):
            rules.append((self, moments))
            return super().is_met(moments, is_last)

    monkeypatch.setattr(_estimation, "StoppingRule", Seen)
    attributor = FreeShapAttributor(tol=("sign", 0.9), n_permutations=40).fit(X, y)
    options = {"scorings": ["accuracy", "neg_log_loss"], "semivalues": SEMIVALUES}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        attributor.attribute(X[:9], y[:9], **options)
    assert len({id(moments) for _, moments in rules}) == 2
    n_sampled = len(SEMIVALUES) - 1  # leave-one-out values are exact
    assert {rule.n_values for rule, _ in rules} == {2 * n_sampled * len(X)}


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_sweeps_at_once_agree_with_enumeration(kernel):
    X, y = class_rows(11, 2)
    options = {"scorings": SCORINGS, "semivalues": SEMIVALUES, "return_std": True}
    exact = FreeShapAttributor(kernel, sampler="exact").fit(X, y)
    expected, _ = exact.attribute(X[:6], y[:6], **options)
    sweep = FreeShapAttributor(kernel, n_permutations=150, random_state=0).fit(X, y)
    values, std = sweep.attribute(X[:6], y[:6], **options)
    for key in expected:
        if key[1] == "loo":
            assert_allclose(values[key], expected[key], atol=1e-12)
            assert (std[key] == 0).all()
        else:
            check_errors(values[key], expected[key], std[key])


def test_a_regressor_takes_several_too():
    X, y = class_rows(9, 9)
    attributor = FreeShapRegressor(sampler="exact").fit(X, y)
    names = ["neg_mean_squared_error", "neg_mean_absolute_error"]
    found = attributor.attribute(X[:3], y[:3], scorings=names)
    assert_allclose(found[names[0], "shapley"], attributor.attribute(X[:3], y[:3]))
    assert list(found) == [(name, "shapley") for name in names]


class Unhashable:
    """A scoring that compares by what it holds."""

    def __eq__(self, other):
        return isinstance(other, Unhashable)

    def __call__(self, decision, y_index):
        return own_value(decision, y_index)


def test_a_single_scoring_need_not_be_hashable():
    X, y = class_rows(9, 2)
    options = {"n_permutations": 4, "random_state": 0}
    expected, found = (
        FreeShapAttributor(scoring=scoring, **options).fit(X, y).attribute(X[:4], y[:4])
        for scoring in (own_value, Unhashable())
    )
    assert_allclose(found, expected)
    attributor = FreeShapAttributor(scoring=Unhashable(), **options).fit(X, y)
    with pytest.raises(ValueError, match="cannot be a key of what is returned"):
        attributor.attribute(X[:4], y[:4], semivalues=["shapley", "loo"])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"scorings": "accuracy"}, ["scorings must be a list", "'accuracy'"]),
        ({"scorings": []}, ["scorings must be a list of at least one"]),
        ({"scorings": ["f1"]}, ["scoring='f1'", "not known; "]),
        ({"scorings": ["log_loss"]}, ["not known (did you mean 'neg_log_loss'?)"]),
        ({"scorings": ["accuracy"] * 2}, ["scorings must differ"]),
        ({"scorings": [Unhashable()]}, ["Unhashable", "cannot be a key"]),
        ({"semivalues": ("beta", 1, 2)}, ["semivalues must be a list"]),
        ({"semivalues": ["core"]}, ["semivalue='core'"]),
    ],
)
def test_bad_lists_are_named(options, words):
    X, y = class_rows(9, 2)
    with pytest.raises(ValueError) as caught:
        FreeShapAttributor().fit(X, y).attribute(X, y, **options)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("name", ["scorings", "semivalues"])
def test_arrays_are_neither_scorings_nor_semivalues(name):
    attributor = FreeShapAttributor(random_state=0).fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match=f"^{name[:-1]}=array"):
        attributor.attribute(np.eye(4), [0, 1, 0, 1], **{name: [np.array([0.5, 0.5])]})


@pytest.mark.parametrize("cls", [FreeShapAttributor, FreeShapRegressor])
def test_a_null_score_by_number_is_that_of_one_scoring(cls):
    X, y = class_rows(9, 2)
    both = SCORINGS[:2]
    if cls is FreeShapRegressor:
        both = ["neg_mean_squared_error", "neg_mean_absolute_error"]
    fitted = cls(scoring=both[0], null_score=-0.5, sampler="exact").fit(X, y)
    alone = fitted.attribute(X[:4], y[:4])
    assert_allclose(
        alone, fitted.attribute(X[:4], y[:4], scorings=both[:1]).popitem()[1]
    )
    for scorings, words in ((both, "as well"), (both[1:], f"for {both[1]!r};")):
        with pytest.raises(ValueError, match=rf"null_score=-0\.5 is in.*{words}"):
            fitted.attribute(X[:4], y[:4], scorings=scorings)
