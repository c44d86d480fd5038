"""Parts of small problems that are computed together: by enumeration, and by itself."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

from skshap import FreeShapAttributor, FreeShapRegressor
from skshap.attribution import _parts, _running, _scored, _together
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import Sweep
from skshap.attribution._together import count_together, run_together
from skshap.exceptions import NotPositiveDefiniteError
from tests.attribution.games import SmallGame, own_value
from tests.attribution.test_sweep import every_choice
from tests.oracles import semivalues

SCORINGS = [*CLASS_SCORINGS, own_value]


def assert_alike(sweep, n_draws=2):
    """Parts computed together are what each is by itself."""
    units = range(1, n_draws * len(sweep.parts))  # from amid a draw
    found = run_together(sweep, units)
    for unit, values in zip(units, found, strict=True):
        expected = sweep.run(*divmod(unit, len(sweep.parts)))
        assert values.shape == expected.shape
        assert_allclose(values, expected, atol=1e-13)
    assert len(found) == len(units) > 0


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n", [3, 8, 40])
def test_equal_to_each_by_itself(n, n_classes, scoring, per_sample):
    game = SmallGame(n, 6, n_classes, scoring, noise=0.3)
    assert_alike(Sweep(game.game(), game.problem(per_sample=per_sample)))


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_unbiased(n_classes, scoring, per_sample):
    """Over all permutations and stops the mean is the value by enumeration."""
    game = SmallGame(4, 3, n_classes, scoring)
    sweep = Sweep(game.game(), game.problem(per_sample=per_sample))
    rngs = every_choice(sweep, 4)
    problem = game.problem(per_sample=per_sample, rngs=rngs)
    sweep = Sweep(sweep.game, problem)
    total = sum(run_together(sweep, range(len(rngs) * len(sweep.parts))))
    mean = (sweep.start() + total / len(rngs))[0, 0]
    expected = semivalues(game.value, size_weights("shapley", 4)).T
    assert_allclose(mean, expected if per_sample else expected.mean(1), atol=1e-12)


@pytest.mark.parametrize("semivalue", ["banzhaf", ("beta", 4, 1)])
def test_equal_for_other_semivalues_and_schedules(semivalue):
    game = SmallGame(30, 6, 2, "neg_log_loss", noise=0.3)
    sweep = Sweep(game.game(), game.problem(semivalue=semivalue))
    counts = [np.arange(len(route.ranges), 0, -1) for route in sweep.routes]
    assert_alike(Sweep(sweep.game, sweep.problem, counts))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_equal_where_rows_to_predict_are_sampled(n_classes, monkeypatch):
    game = SmallGame(40, 80, n_classes, "accuracy", noise=2.0)
    sweep = Sweep(game.game(), game.problem(per_sample=False))
    everything = sweep.run(0, 0)
    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    assert not torch.equal(sweep.run(0, 0), everything)
    assert_alike(sweep)


def test_only_small_problems_of_rows():
    game = SmallGame(20, 6, 2)
    problem = game.problem()
    assert count_together(Sweep(game.game(), problem)) > 1
    assert count_together(Permutations(game.game(), problem)) == 1
    assert count_together(Sweep(game.game(FeatureGame), problem)) == 1
    grouped = SmallGame(20, 6, 2, groups=np.arange(20) // 2)
    assert count_together(Sweep(grouped.game(), grouped.problem())) == 1
    large = SmallGame(300, 20, 2)
    assert count_together(Sweep(large.game(), large.problem())) == 1


def test_a_batch_takes_bounded_memory():
    few, many = SmallGame(20, 6, 2), SmallGame(20, 600, 2)
    sizes = [count_together(Sweep(g.game(), g.problem())) for g in (few, many)]
    assert sizes[0] * 20 * 20 <= _together.CPU.floats
    assert sizes[1] * 20 * 600 <= _together.CPU.floats
    assert _together.CPU.parts >= sizes[0] > sizes[1] > 1


def test_no_pilot_of_small_problems(monkeypatch):
    """What it would adapt to is what parts by themselves take."""
    monkeypatch.setattr(_running, "PILOT_FLOPS", 0)
    profiled = []
    profile = Sweep.profile
    monkeypatch.setattr(
        Sweep, "profile", lambda *args: profiled.append(args) or profile(*args)
    )
    attribute(n_permutations=20)
    assert not profiled
    monkeypatch.setattr(_running, "is_small", lambda _: False)
    attribute(n_permutations=20)
    assert profiled


def test_forecast_of_small_problems():
    """No more parts are timed than there are, and none by itself."""
    X, y = load_iris(return_X_y=True)
    seen = []

    def scoring(decision, y_index):
        seen.append(len(decision))
        return decision[np.arange(len(y_index)), y_index]

    attributor = FreeShapAttributor(scoring=scoring, n_permutations=2, random_state=0)
    attributor.fit(X[::10], y[::10])
    attributor.attribute(X[:9], y[:9])
    once, seen[:] = sum(seen), []
    found = attributor.estimate_cost(X[:9], y[:9])
    assert 0 < sum(seen) < 2.5 * once  # a warm-up and what is timed
    assert 0 < found["seconds"] < 1


@pytest.fixture
def batches(monkeypatch):
    """Which parts were computed together; at most seven."""
    found = []

    def run(sweep, units):
        found.append(units)
        return run_together(sweep, units)

    monkeypatch.setattr(_parts, "run_together", run)
    monkeypatch.setattr(_parts, "count_together", lambda sampler: 7)
    return found


def attribute(kind=FreeShapAttributor, scoring="neg_log_loss", **params):
    X, y = load_iris(return_X_y=True)
    model = kind(scoring=scoring, random_state=0, **{"n_permutations": 9, **params})
    model.fit(X[::4], y[::4])
    return model.attribute(X[1::5], y[1::5], return_std=True)


@pytest.mark.parametrize(
    "kind, scoring",
    [
        (FreeShapAttributor, "accuracy"),
        (FreeShapAttributor, "neg_log_loss"),
        (FreeShapRegressor, "neg_mean_squared_error"),
        (FreeShapRegressor, "neg_mean_absolute_error"),
    ],
)
def test_attribute_is_the_same(kind, scoring, monkeypatch, batches):
    found = attribute(kind, scoring)
    assert batches
    expected_parts = range(batches[-1].stop)
    assert [unit for batch in batches for unit in batch] == list(expected_parts)
    monkeypatch.setattr(_parts, "count_together", lambda sampler: 1)
    for ours, theirs in zip(found, attribute(kind, scoring), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("n_units", [50, 10])
def test_workers_are_sent_whole_batches(n_units, batches, monkeypatch):
    samplers = []
    run = _parts.run_together
    monkeypatch.setattr(
        _parts,
        "run_together",
        lambda sampler, units: samplers.append(sampler) or run(sampler, units),
    )
    attribute()
    size = _parts._units_a_task(samplers[0], 2, n_units)
    assert size == {50: 21, 10: 7}[n_units]  # at most half of the parts, but a batch


def test_workers_compute_the_same():
    """Without patches, which workers do not see."""
    for ours, theirs in zip(attribute(), attribute(n_jobs=2), strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_going_on_amid_a_batch_gives_the_same_bits(batches, tmp_path, monkeypatch):
    expected = attribute()
    whole, path, save = list(batches), tmp_path / "values.npz", _running.Run._save
    batches.clear()

    class StopError(Exception):
        pass

    def stop(run):
        save(run)
        if run.moments.count == 4:  # draws, whose parts are no multiple of seven
            raise StopError

    monkeypatch.setattr(_running.Run, "_save", stop)
    monkeypatch.setattr("skshap.attribution._checkpoint.Checkpoint.is_due", lambda _: 1)
    with pytest.raises(StopError):
        attribute(checkpoint=path)
    monkeypatch.setattr(_running.Run, "_save", save)
    n_before = len(batches)
    found = attribute(checkpoint=path)
    assert batches[n_before:][0] in whole
    assert batches[n_before:][0].start > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert_array_equal(ours, theirs)


def test_a_kernel_that_is_not_positive_definite_is_refused():
    game = SmallGame(12, 4, 2)
    game.K = game.K - 5 * np.eye(12)
    arrays = (game.K, np.ascontiguousarray(game.cross.T), game.targets)
    sweep = Sweep(KernelGame(arrays, 0.4), game.problem())
    assert sweep.routes[sweep.parts[0].route].kind == "growing"
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        run_together(sweep, range(1))
