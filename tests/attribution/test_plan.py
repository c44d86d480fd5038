"""By which game values are computed, and whether by all coalitions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap import FreeShapAttributor
from skshap.attribution import _plan
from skshap.attribution._enumeration import enumeration_flops
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._method import read_method
from skshap.attribution._plan import largest_eigenvalue, make_plan


@pytest.fixture
def posed():
    def pose(n, d, n_groups, **params):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(n, d)), np.arange(n) % 2
        params = {"kernel": "linear", "random_state": 0, **params}
        attributor = FreeShapAttributor(**params).fit(X, y)
        groups = None if n_groups is None else np.arange(n) % n_groups
        asked = attributor._check_asked(None, None)
        M, y_val = attributor._map(X[:9]), attributor._encode(y[:9], X[:9])
        data, problem = attributor._pose(M, y_val, groups, asked, False)
        return data, problem, read_method(attributor)

    return pose


@pytest.mark.parametrize("sampler", ["sweep", "exact"])
def test_the_largest_game_is_enumerated(sampler, posed):
    params = {"kernel": "rbf", "sampler": sampler, "n_permutations": 10**9}
    plan = make_plan(*posed(40, 3, 20, **params))
    assert (plan.kind, plan.is_enumerated) == (KernelGame, True)


@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
@pytest.mark.parametrize(
    "n, tol, is_enumerated",
    [(8, 0.01, True), (8, ("sign", 0.9), True), (8, None, False), (9, 0.01, False)],
)
def test_few_rows_are_enumerated_for_a_tolerance(sampler, n, tol, is_enumerated, posed):
    """Ten draws of so few rows may agree by chance, and errors be far too small."""
    plan = make_plan(*posed(n, 3, None, sampler=sampler, tol=tol))
    assert plan.is_enumerated == is_enumerated
    # Of groups, whose coalitions may be of many rows, work decides.
    groups = make_plan(*posed(4 * n, 3, n, sampler="permutation", tol=tol))
    assert not groups.is_enumerated


@pytest.mark.parametrize("alpha, kind", [(1.0, KernelGame), (1e5, FeatureGame)])
def test_features_are_used_where_they_are_well_conditioned(
    alpha, kind, monkeypatch, posed
):
    monkeypatch.setattr(_plan, "LARGEST_CONDITION", 0.1)
    assert make_plan(*posed(3000, 4, None, alpha=alpha))[0] is kind


@pytest.mark.parametrize(
    "n, n_features, kind", [(3000, 4, FeatureGame), (400, 300, KernelGame)]
)
def test_a_large_matrix_that_alpha_would_spare_is_warned_of(
    n, n_features, kind, monkeypatch, posed
):
    monkeypatch.setattr(_plan, "LARGE_MATRIX", 10**5)
    monkeypatch.setattr(_plan, "LARGEST_CONDITION", 1000.0)
    case = posed(n, n_features, None, n_permutations=2)
    plan = make_plan(*case)
    assert plan.kind is KernelGame
    assert make_plan(case[0]._replace(alpha=100.0), *case[1:]).kind is kind
    if kind is KernelGame:  # of so many columns, with any alpha
        _plan.warn_of_matrix(*case, plan)
        return
    with pytest.warns(UserWarning, match=f"{n:,} x {n:,}, .* alpha=1. ") as caught:
        _plan.warn_of_matrix(*case, plan)
    alpha = float(str(caught[0].message).split(" alpha=")[-1].split(" or more")[0])
    data = case[0]._replace(alpha=alpha)
    assert make_plan(data, *case[1:]).kind is FeatureGame
    _plan.warn_of_matrix(data, *case[1:], make_plan(data, *case[1:]))
    monkeypatch.setattr(_plan, "LARGE_MATRIX", 8 * n**2)
    _plan.warn_of_matrix(*case, plan)


def test_attribute_warns_of_the_matrix(monkeypatch):
    monkeypatch.setattr(_plan, "LARGE_MATRIX", 10**5)
    X = np.random.default_rng(0).normal(size=(1500, 3)) * [1, 1, 300]
    y = X[:, 0] > 0
    attributor = FreeShapAttributor("linear", n_permutations=2, random_state=0)
    with pytest.warns(UserWarning, match="a million times alpha=1. "):
        attributor.fit(X, y).attribute(X[:5], y[:5])


@pytest.mark.parametrize("kernel, kind", [("rbf", KernelGame), ("linear", FeatureGame)])
def test_the_work_of_an_enumeration_is_counted(kernel, kind, posed):
    """What more rows, or another semivalue, add to it."""
    flops = []
    for n_rows in (120, 240):
        data, problem, _ = posed(n_rows, 3, 6, kernel=kernel)
        flops.append(enumeration_flops(data.outline(kind), problem))
    if kind is FeatureGame:  # the sums that players add: coalitions take no more
        q = data.targets.shape[1]
        assert_allclose(flops[1] - flops[0], 2 * 120 * 3 * (3 + q))
    twice = problem._replace(weights=np.vstack([problem.weights] * 2))
    more = enumeration_flops(data.outline(kind), twice) - flops[1]
    assert_allclose(more, 2**6 * 9 * 6 * 2)  # a product and a sum, of each score


@pytest.mark.parametrize("n_groups, params", [(2, {"semivalue": "loo"}), (None, {})])
def test_neither_leave_one_out_nor_rows_are_enumerated(n_groups, params, posed):
    """Whose sweeps are as exact, or may go on with more permutations."""
    plan = make_plan(
        *posed(15, 3, n_groups, kernel="rbf", n_permutations=10**9, **params)
    )
    assert (plan.kind, plan.is_enumerated) == (KernelGame, False)


@pytest.mark.parametrize("n", [45, 60, 80, 120, 160, 240, 400])
def test_the_game_does_not_depend_on_the_number_of_permutations(n, posed):
    found = {make_plan(*posed(n, 40, None, n_permutations=k))[0] for k in (1, 10**6)}
    assert len(found) == 1


def test_the_largest_eigenvalue():
    rng = np.random.default_rng(0)
    for _ in range(5):
        F = rng.normal(size=(50, 8)) * 2.0 ** -np.arange(8)
        found, exact = largest_eigenvalue(F), np.linalg.norm(F, 2) ** 2
        assert 0.99 * exact < found <= exact * (1 + 1e-12)
    for unit in (1e-85, 1e85):  # whose fourth powers no float holds
        assert_allclose(largest_eigenvalue(F * unit), found * unit**2, rtol=1e-12)
    assert largest_eigenvalue(np.zeros((5, 2))) == 0


@pytest.mark.parametrize("condition, kind", [(5e6, KernelGame), (5e5, FeatureGame)])
def test_the_largest_condition_of_features(condition, kind, posed):
    data, *_ = posed(3000, 4, None)
    alpha = largest_eigenvalue(data.rows) / condition
    assert make_plan(*posed(3000, 4, None, alpha=alpha))[0] is kind


def test_the_kernel_of_features_and_its_inverse_take_work(posed):
    data, problem, method = posed(500, 40, 6, semivalue="loo")
    work = _plan.enumeration_work(data, problem, KernelGame)
    within = enumeration_flops(data.outline(KernelGame), problem)
    assert_allclose(work - within, 2 * 500 * 40 * (500 + 9))
    plan = make_plan(data, problem, method)._replace(kind=KernelGame)
    setup, draw = _plan.sampling_work(data, plan, method)
    assert setup > 2 * 500**3 and draw == 0


@pytest.mark.parametrize("tol", [0.1, ("sign", 0.9), ("lowest", 3, 0.9)])
def test_permutations_do_not_stop_by_rows_that_were_never_last(posed, tol):
    """Draws of theirs agree: they would count as exact."""
    data, problem, method = posed(40, 3, None)
    method = method._replace(sampler="permutation", tol=tol)
    make_plan(data, problem, method)
    for last in (1.0, 0.6):
        weights = np.append(np.full(39, (1 - last) / 39), last)
        weights = np.vstack([problem.weights[0], weights])
        with pytest.raises(ValueError, match=r"tol=.*'loo'.*only once it came last"):
            make_plan(data, problem._replace(weights=weights), method)
    weights = np.vstack([problem.weights[0], np.arange(40) == 39])
    sweep = method._replace(sampler="sweep")
    assert make_plan(data, problem._replace(weights=weights), sweep).is_loo.sum() == 1


def test_a_sampler_without_a_name_is_an_error(posed):
    data, problem, method = posed(40, 3, None)
    with pytest.raises(KeyError, match="another"):
        make_plan(data, problem, method._replace(sampler="another"))
