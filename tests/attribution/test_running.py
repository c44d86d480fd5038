"""Workers, checkpoints, kills and interrupts: none of them changes a value."""

import gc
import importlib
import io
import os
import signal
import sys
import time
from contextlib import redirect_stderr
from itertools import count
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import sklearn
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification

from skshap import FreeShapAttributor, FreeShapRegressor
from skshap.attribution import (
    _checkpoint,
    _cost,
    _estimation,
    _parts,
    _plan,
    _running,
    _scored,
    _sweep,
)
from skshap.attribution._class_scores import CLASS_SCORINGS
from skshap.attribution._feature_game import FeatureGame
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._prefixes import KernelPrefixes
from skshap.exceptions import DamagedStoreWarning
from skshap.utils import _timing
from skshap.utils._parallel import make_parallel
from tests.scripts import assert_equal_on_dask, run_script

N, M = 150, 60
MANY = 500  # rows, for which features are chosen
SETTINGS = [
    {"kernel": "rbf", "scoring": "neg_log_loss"},
    {"kernel": "linear", "scoring": "accuracy"},
    {"kernel": "rbf", "scoring": "accuracy", "sampler": "permutation"},
    {"kernel": "rbf", "scoring": "accuracy", "semivalue": "banzhaf"},
]
# With fewer permutations by features, a draw of which has some fifty parts, each kept;
# as many as schedules adapt to.
WITH_DRAWS = [(params, (30, 14)[params["kernel"] == "linear"]) for params in SETTINGS]


def train_and_val(n=N, m=M):
    X, y = make_classification(
        n + m, 5, n_informative=4, n_redundant=0, random_state=0, flip_y=0.2
    )
    return X[:n], y[:n], X[n:], y[n:]


def attribute(params, n_permutations=14, **options):
    X, y, X_val, y_val = train_and_val()
    attributor = FreeShapAttributor(
        alpha=2.0, random_state=0, n_permutations=n_permutations, **params
    )
    # Features are chosen of few rows too, by what is to be done before draws.
    with patch.object(_plan, "USUAL_DRAWS", 0):
        return attributor.fit(X, y).attribute(X_val, y_val, return_std=True, **options)


@pytest.fixture
def adaptive(monkeypatch):
    """Adapt schedules of small problems too, in this process."""
    monkeypatch.setattr(_running, "PILOT_FLOPS", 0)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_linear_kernels_work_on_features(scoring, per_sample, monkeypatch):
    """So that what is shown here with linear kernels holds for features."""
    plans, make_plan = [], _estimation.make_plan
    monkeypatch.setattr(
        _estimation,
        "make_plan",
        lambda *args, **kwargs: plans.append(make_plan(*args, **kwargs)) or plans[-1],
    )
    attribute({"kernel": "linear", "scoring": scoring}, 3, per_sample=per_sample)
    assert [(plan.kind, plan.is_enumerated) for plan in plans] == [(FeatureGame, False)]


@pytest.mark.parametrize(
    ("params", "per_sample"),
    [
        *((params, False) for params in SETTINGS),
        (SETTINGS[0], True),
        ({**SETTINGS[2], "truncation_tol": 0.2}, True),
    ],
)
def test_values_do_not_depend_on_n_jobs(params, per_sample, adaptive):
    expected = attribute(params, per_sample=per_sample)
    for n_jobs, backend in ((2, "loky"), (2, "threading")):
        with parallel_config(backend=backend):
            found = attribute({**params, "n_jobs": n_jobs}, per_sample=per_sample)
        for ours, theirs in zip(found, expected, strict=True):
            assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_what_truncation_compares_with_is_computed_once(monkeypatch):
    """And not for each task of a worker, of which there is one a draw."""
    n_walks, blocks = count(), KernelPrefixes.blocks

    def counting(self, order):
        next(n_walks)
        return blocks(self, order)

    monkeypatch.setattr(KernelPrefixes, "blocks", counting)
    monkeypatch.setattr(_parts, "TASK_FLOPS", 1)
    params = {"kernel": "rbf", "sampler": "permutation", "truncation_tol": 0.2}
    with parallel_config(backend="threading"):
        attribute({**params, "n_jobs": 2}, 12)
    assert next(n_walks) == 13


def test_a_backend_that_cannot_hand_on_results_is_named():
    with (
        parallel_config(backend="multiprocessing"),
        pytest.raises(ValueError, match=r"choose another.*loky.*dask"),
    ):
        attribute({"kernel": "rbf", "n_jobs": 2})


def test_other_errors_of_joblib_stay_as_they_are():
    with pytest.raises(ValueError, match=r"^Invalid backend: nowhere"):
        make_parallel(backend="nowhere")


def test_sampled_rows_do_not_depend_on_n_jobs(monkeypatch):
    """Of problems large enough for the rows to predict to be sampled."""
    X, y, X_val, y_val = train_and_val(400, 400)
    attributor = FreeShapAttributor(random_state=0, n_permutations=3).fit(X, y)
    expected = attributor.attribute(X_val, y_val)
    attributor.set_params(n_jobs=2)
    assert_allclose(
        attributor.attribute(X_val, y_val), expected, rtol=1e-12, atol=1e-15
    )
    monkeypatch.setattr(_scored, "LEAST_FLOPS", np.inf)
    attributor.set_params(n_jobs=1)
    assert not np.allclose(attributor.attribute(X_val, y_val), expected)


def test_groups_and_callables_go_to_workers():
    params = {"scoring": lambda decision, y: decision[np.arange(len(y)), y]}
    options = {"groups": np.arange(N) % 30, "semivalues": ["shapley", ("beta", 2, 1)]}
    expected = attribute(params, **options)
    found = attribute({**params, "n_jobs": 2}, **options)
    for key, values in expected[0].items():
        other = next(v for k, v in found[0].items() if k[1] == key[1])
        assert_allclose(other, values, rtol=1e-12, atol=1e-15)


def test_tol_stops_workers_at_the_same_draw():
    params = {"kernel": "rbf", "scoring": "neg_log_loss", "tol": 0.003}
    expected = attribute(params, n_permutations=100)
    found = attribute({**params, "n_jobs": 2}, n_permutations=100)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert not np.allclose(attribute({**params, "tol": None}, 100)[1], expected[1])


def test_a_dask_cluster_gives_the_same_values(tmp_path):
    setup = """
        from tests.attribution.test_running import attribute as compute

        SETTINGS = [{"scoring": "neg_log_loss"}, {"sampler": "permutation"}]
    """
    assert_equal_on_dask(setup, tmp_path, atol=1e-15)


KILLED = """
    import os, signal, sys, time
    import numpy as np
    from numpy.testing import assert_array_equal
    from skshap.attribution import _checkpoint, _scored, _running
    from skshap.utils._files import read_arrays
    from tests.attribution.test_running import attribute

    _running.PILOT_FLOPS = _scored.LEAST_FLOPS = 0
    rng = np.random.default_rng(int(sys.argv[2]))

    def start(params, per_sample, name):
        # A process of its own, which need not import anything.
        process = os.fork()
        if process == 0:
            params = {**params, "checkpoint": name + ".npz"}
            np.save(name, attribute(params, 40, per_sample=per_sample))
            os._exit(0)
        return process

    def is_begun(path):
        if not os.path.exists(path):
            return False
        state = read_arrays(path)
        return state["0_count"] + state["0_part"] > 0

    os.chdir(sys.argv[1])
    CASES = [("rbf", "accuracy", False), ("linear", "neg_log_loss", True)]
    for kernel, scoring, per_sample in CASES:
        case = {"kernel": kernel, "scoring": scoring}, per_sample
        whole, killed = (f"{kernel}_{per_sample}_{x}" for x in ("whole", "killed"))
        _checkpoint.INTERVAL = 0.0
        begin = time.perf_counter()
        assert os.waitpid(start(*case, whole), 0)[1] == 0
        seconds = time.perf_counter() - begin
        begin, process = time.perf_counter(), start(*case, killed)
        while not is_begun(killed + ".npz"):
            time.sleep(1e-3)
        startup = time.perf_counter() - begin  # before which nothing is done
        n_kills = most = 0
        while n_kills < 10:
            time.sleep(startup + rng.uniform(0, seconds / 20))
            os.kill(process, signal.SIGKILL)
            if os.waitpid(process, 0)[1] == signal.SIGKILL:
                n_kills += 1
                most = max(most, read_arrays(killed + ".npz")["0_count"])
            else:  # it was done before: once more from the beginning
                os.unlink(killed + ".npz")
            if n_kills == 10:
                _checkpoint.INTERVAL = 1e9  # of what is left nothing is killed
            process = start(*case, killed)
        assert most > 0  # something was done
        assert os.waitpid(process, 0)[1] == 0
        assert_array_equal(np.load(killed + ".npy"), np.load(whole + ".npy"))
    print("equal")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no kill -9 here")
def test_a_run_killed_ten_times_goes_on_with_the_same_bits(tmp_path):
    assert run_script(KILLED, tmp_path, tmp_path, 0).endswith("equal")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
@pytest.mark.filterwarnings(  # of files that an interrupt left open
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_state_is_due_within_half_a_minute(tmp_path, monkeypatch):
    """By a clock that starts at zero."""
    now = 0.0
    monkeypatch.setattr(_checkpoint.time, "monotonic", lambda: now)
    state = _checkpoint.Checkpoint(tmp_path / "state.npz", "of this run")
    assert not state.is_due()
    now = 30.0
    assert state.is_due()
    state.save(total=np.zeros(3))
    assert not state.is_due()


# Where a file was being opened, Python closes it when it is collected.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@sklearn.config_context()  # an interrupt within scikit-learn's own leaves it set
@pytest.mark.parametrize(
    ("params", "n_permutations", "per_sample"),
    [(*case, i % 2 == 1) for i, case in enumerate(WITH_DRAWS)],
)
def test_an_interrupted_run_goes_on_with_the_same_bits(
    params, n_permutations, per_sample, tmp_path, monkeypatch, adaptive
):
    """Interrupted ten times, whatever it is doing, as by Ctrl-C."""
    monkeypatch.setattr(_checkpoint, "INTERVAL", 0.0)
    begin = time.perf_counter()
    expected = attribute(params, n_permutations, per_sample=per_sample)
    seconds = time.perf_counter() - begin
    params = {**params, "checkpoint": tmp_path / "state.npz"}
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.disable()  # what is raised in its callbacks, Python ignores
    n_interrupts, moments = 0, np.random.default_rng(0).uniform(0.01, 0.1, 30)
    try:
        for moment in moments * seconds:
            try:
                signal.setitimer(signal.ITIMER_REAL, moment)
                attribute(params, n_permutations, per_sample=per_sample)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                n_interrupts += 1
                if n_interrupts == 10:
                    break
            else:  # ignored all the same: once more from the beginning
                params["checkpoint"].unlink()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
        gc.collect()
    assert n_interrupts == 10
    monkeypatch.setattr(_checkpoint, "INTERVAL", np.inf)  # what is kept is read only
    found = attribute(params, n_permutations, per_sample=per_sample)
    assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("params", "n_permutations", "n_parts"),
    [
        (*case, n_parts)
        for i, case in enumerate(WITH_DRAWS)
        for n_parts in ([1, 7], [2, 40])[i % 2]
    ],
)
def test_a_stopped_run_goes_on(
    params, n_permutations, n_parts, tmp_path, monkeypatch, adaptive
):
    class Stopped(BaseException):
        pass

    monkeypatch.setattr(_scored, "LEAST_FLOPS", 0)
    expected = attribute(params, n_permutations)
    params = {**params, "checkpoint": tmp_path / "state.npz"}
    monkeypatch.setattr(_checkpoint, "INTERVAL", 0.0)
    result, done = _parts._compute, []

    def stop(*args):
        if len(done) == n_parts:
            raise Stopped
        done.append(args[1])
        return result(*args)

    monkeypatch.setattr(_parts, "_compute", stop)
    try:
        attribute(params, n_permutations)
    except Stopped:
        monkeypatch.setattr(
            _parts, "_compute", lambda *a: again.append(a[1]) or result(*a)
        )
        again = []
        monkeypatch.setattr(_checkpoint, "INTERVAL", np.inf)  # kept when it is done
        assert_array_equal(attribute(params, n_permutations), expected)
        assert not set(done) & set(again)  # no part is computed twice
    # Once complete, nothing is computed.
    monkeypatch.setattr(_parts, "_compute", None)
    if len(done) < n_parts or "again" in vars():
        assert_array_equal(attribute(params, n_permutations), expected)


@pytest.mark.parametrize(
    ("kernel", "where"), [("rbf", 0.0), ("rbf", 0.6), ("linear", 0.4), ("linear", 0.9)]
)
def test_a_stopped_run_of_scores_of_two_kinds_goes_on(
    kernel, where, tmp_path, monkeypatch
):
    """Each kind has draws of its own, one after the other; in one file."""
    result, computed = _parts._compute, []

    def compute(*args):
        if len(computed) == n_parts:
            raise KeyboardInterrupt
        computed.append(args[1])
        return result(*args)

    monkeypatch.setattr(_parts, "_compute", compute)
    monkeypatch.setattr(_checkpoint, "INTERVAL", 0.0)
    options = {"scorings": ["accuracy", "neg_log_loss"]}
    params, n_parts = {"kernel": kernel}, np.inf
    expected = attribute(params, 3, **options)
    n_whole, path = len(computed), tmp_path / "state.npz"
    params["checkpoint"], n_parts = path, int(n_whole * where)
    computed.clear()
    with pytest.raises(KeyboardInterrupt):
        attribute(params, 3, **options)
    n_parts = n_whole
    for _ in range(2):  # once complete, nothing is computed
        found = attribute(params, 3, **options)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.keys() == theirs.keys()
            for key, values in ours.items():
                assert_array_equal(values, theirs[key])
    assert len(computed) == n_whole
    assert list(tmp_path.iterdir()) == [path]


def test_more_permutations_go_on_from_fewer(tmp_path):
    params = {"scoring": "neg_log_loss", "sampler": "permutation"}
    expected = attribute(params, 25)
    params["checkpoint"] = str(tmp_path / "state.npz")
    attribute(params, 10)
    assert_array_equal(attribute(params, 25), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 3.0},
        {"scoring": "accuracy"},
        {"semivalue": "banzhaf"},
        {"sampler": "permutation"},
        {"null_score": 0.1},
        {"kernel": "laplacian"},
    ],
)
def test_a_checkpoint_of_another_computation_is_refused(change, tmp_path):
    X, y, X_val, y_val = train_and_val()
    path = tmp_path / "state.npz"
    attributor = FreeShapAttributor(
        scoring="neg_log_loss", n_permutations=3, checkpoint=path, random_state=0
    )
    attributor.fit(X, y).attribute(X_val, y_val)
    content = path.read_bytes()
    attributor.set_params(**change).fit(X, y)
    with pytest.raises(ValueError, match=r"state.npz.* another computation"):
        attributor.attribute(X_val, y_val)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "options", [{"per_sample": True}, {"groups": np.arange(N) // 2}, {"k": 5}]
)
def test_a_checkpoint_of_another_question_is_refused(options, tmp_path):
    X, y, X_val, y_val = train_and_val()
    path = tmp_path / "state.npz"
    attributor = FreeShapAttributor(n_permutations=2, checkpoint=path, random_state=0)
    attributor.fit(X, y).attribute(X_val, y_val)
    k = options.pop("k", M)
    with pytest.raises(ValueError, match="another computation"):
        attributor.attribute(X_val[:k], y_val[:k], **options)


def test_a_checkpoint_of_another_truncation_is_refused(tmp_path):
    params = {"sampler": "permutation", "checkpoint": tmp_path / "state.npz"}
    attribute(params, 2)
    with pytest.raises(ValueError, match="another computation"):
        attribute({**params, "truncation_tol": 0.01}, 2)


def test_a_checkpoint_of_other_groups_of_the_same_number_is_refused(tmp_path):
    params = {"checkpoint": tmp_path / "state.npz"}
    attribute(params, 2, groups=np.arange(N) // 2)
    with pytest.raises(ValueError, match="another computation"):
        attribute(params, 2, groups=np.arange(N) % 75)


def test_a_checkpoint_does_not_depend_on_names_of_classes(tmp_path, monkeypatch):
    params = {"null_score": 0.5, "checkpoint": tmp_path / "state.npz"}
    expected = attribute({**params, "scoring": "neg_log_loss"}, 2)
    for name, kinds in CLASS_SCORINGS.items():
        kinds = tuple(type("Renamed", (kind,), {}) for kind in kinds)
        monkeypatch.setitem(CLASS_SCORINGS, name, kinds)
    found = attribute({**params, "scoring": "neg_log_loss"}, 2)
    assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="another computation"):
        attribute({**params, "scoring": "neg_brier_score"}, 2)


def test_a_checkpoint_of_another_callable_is_refused(tmp_path):
    params = {"checkpoint": tmp_path / "state.npz"}
    attribute({**params, "scoring": lambda d, y: d[:, 0]}, 2)
    attribute({**params, "scoring": lambda d, y: d[:, 0]}, 2)
    with pytest.raises(ValueError, match="another computation"):
        attribute({**params, "scoring": lambda d, y: 100 * d[:, 0]}, 2)


@pytest.mark.parametrize("change", [("factor = 1", "factor = 2"), ("0.5", "0.6")])
def test_a_checkpoint_of_a_callable_that_reads_other_classes_is_refused(
    change, tmp_path
):
    source = """
from types import SimpleNamespace

class Points:
    factor = 1

SETTINGS = SimpleNamespace(bar=0.5)

def scoring(decision, y):
    return Points.factor * (decision[:, 0] > SETTINGS.bar)
"""

    def run(source):
        names = {"__name__": "prompt"}
        exec(source, names)
        path = tmp_path / "state.npz"
        attribute({"checkpoint": path, "scoring": names["scoring"]}, 2)

    run(source)
    run(source)
    with pytest.raises(ValueError, match="another computation"):
        run(source.replace(*change))


def test_a_checkpoint_of_a_callable_whose_module_was_edited_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = "def gain(decision):\n    return 1.0 * decision[:, 0]\n"
    (tmp_path / "of_my_own.py").write_text(source)
    import of_my_own

    params = {
        "checkpoint": tmp_path / "state.npz",
        "scoring": lambda decision, y: of_my_own.gain(decision),
    }
    attribute(params, 2)
    (tmp_path / "of_my_own.py").write_text(source.replace("1.0", "2.0"))
    importlib.reload(of_my_own)
    with pytest.raises(ValueError, match="another computation"):
        attribute(params, 2)
    del sys.modules["of_my_own"]


@pytest.mark.parametrize("few", [2, 3, 5])
def test_more_sweeps_go_on_from_fewer(few, tmp_path, adaptive):
    params = {"scoring": "neg_log_loss", "checkpoint": tmp_path / "state.npz"}
    attribute(params, few)
    values, std = attribute(params, 40)
    expected, its_std = attribute({"scoring": "neg_log_loss"}, 40)
    assert (abs(values - expected) < 6 * np.hypot(std, its_std)).all()
    assert 0.7 < std.mean() / its_std.mean() < 1.4


def test_seeds_and_checkpoints(tmp_path):
    X, y, X_val, y_val = train_and_val()
    path = tmp_path / "state.npz"
    attributor = FreeShapAttributor(n_permutations=3, checkpoint=path, random_state=0)
    expected = attributor.fit(X, y).attribute(X_val, y_val)
    attributor.set_params(random_state=1).fit(X, y)
    with pytest.raises(ValueError, match="random_state"):
        attributor.attribute(X_val, y_val)
    # Without a seed of one's own, that of the file is gone on with.
    attributor.set_params(random_state=None).fit(X, y)
    assert_array_equal(attributor.attribute(X_val, y_val), expected)


def test_a_checkpoint_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    attribute({"scoring": "neg_log_loss", "checkpoint": "~/state.npz"}, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_fewer_permutations_than_a_checkpoint_has(tmp_path):
    params = {"scoring": "neg_log_loss", "checkpoint": tmp_path / "state.npz"}
    expected = attribute(params, 5)
    assert_array_equal(attribute(params, 3), expected)


def test_a_damaged_checkpoint_is_said_and_kept(tmp_path):
    path = tmp_path / "state.npz"
    params = {"scoring": "neg_log_loss", "checkpoint": path}
    expected = attribute(params, 4)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        attribute(params, 4)
    assert path.read_bytes() == content  # it may be another file of the user's
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="another kind of file"):
        attribute(params, 4)
    path.unlink()
    assert_array_equal(attribute(params, 4), expected)
    with np.load(path) as state:
        state = dict(state)
    renamed = {name.replace("count", "counu"): state[name] for name in state}
    for other in (
        renamed,
        state | {"0_mean": state["0_mean"][..., :-1]},
        state | {"0_count": state["0_count"].astype(float)},
    ):
        np.savez(path, **other)
        with pytest.raises(ValueError, match="it holds other arrays"):
            attribute(params, 4)


def test_a_checkpoint_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="is a device"):
        attribute({"checkpoint": os.devnull}, 2)
    (tmp_path / "file").write_text("")
    with pytest.warns(DamagedStoreWarning, match="cannot be written"):
        attribute({"checkpoint": tmp_path / "file" / "state.npz"}, 2)


INTERRUPTED = """
    import sys, time, threading, signal, os
    import numpy as np
    from skshap import FreeShapAttributor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(2500, 20))
    y = (X[:, 0] + rng.normal(size=2500) > 0).astype(int)
    attributor = FreeShapAttributor(n_permutations=10_000, n_jobs=int(sys.argv[1]))
    attributor.fit(X, y)

    if __name__ == "__main__":
        def interrupt():
            time.sleep(float(sys.argv[2]))
            global sent
            sent = time.perf_counter()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        try:
            attributor.attribute(X[:500], y[:500])
        except KeyboardInterrupt:
            print(time.perf_counter() - sent)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize("n_jobs, after", [(1, 1.0), (2, 6.0)])
def test_an_interrupt_returns_soon(n_jobs, after, tmp_path):
    found = run_script(INTERRUPTED, tmp_path, n_jobs, after, timeout=120)
    limit = 1.0 if os.getloadavg()[0] < os.cpu_count() else 3.0
    assert float(found) < limit


def test_progress_shows_the_error_and_the_time_left(monkeypatch):
    from skshap.utils import _progress

    monkeypatch.setattr(_progress, "DELAY", 0.0)
    shown = io.StringIO()
    with redirect_stderr(shown):
        attribute({"verbose": 1}, 40)
    assert "standard error" in shown.getvalue() and "nan" not in shown.getvalue()
    assert "40/40" in shown.getvalue() and "<" in shown.getvalue()
    assert "\rsweeps: 100%" in shown.getvalue()
    assert "permutations" not in shown.getvalue()
    with redirect_stderr(shown):
        attribute({"verbose": 1, "sampler": "permutation"}, 40)
    assert "\rpermutations: 100%" in shown.getvalue()
    with redirect_stderr(shown):
        attribute({"verbose": 1}, 40, groups=np.arange(N) % 4)
    assert "coalitions" in shown.getvalue() and "15/15" in shown.getvalue()
    assert "scores" not in shown.getvalue()
    with redirect_stderr(shown):
        attribute({"verbose": 1}, 3, scorings=["accuracy", "neg_log_loss"])
    for number in (1, 2):
        assert f"\rscores {number} of 2, sweeps: 100%" in shown.getvalue()


@pytest.mark.parametrize("sampler", ["sweep", "permutation", "exact"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_is_told_before_anything_runs(kernel, sampler, monkeypatch):
    """How near it comes is a benchmark's matter: bench_cost.py."""
    n = 12 if sampler == "exact" else N
    X, y, X_val, y_val = train_and_val(n)
    few = FreeShapAttributor(kernel, sampler=sampler, n_permutations=20).fit(X, y)
    cost = few.estimate_cost(X_val, y_val)
    if sampler != "exact":
        many = FreeShapAttributor(kernel, sampler=sampler, n_permutations=2000)
        many.fit(X, y)
        few_seconds, many_seconds = (  # the least: other processes take time too
            min(a.estimate_cost(X_val, y_val).seconds for _ in range(3))
            for a in (few, many)
        )
        assert many_seconds > 3 * few_seconds > 0  # a hundred times the draws
    # The rows need not be mapped, which may take long.
    monkeypatch.setattr(FreeShapAttributor, "_map", None)
    matrix = few.estimate_cost(list(X_val), y_val, per_sample=True)
    n_arrays = (matrix.memory - cost.memory) / (8 * n * M)
    if sampler == "exact":  # by row scored, until they are averaged
        assert n_arrays == 0
        assert cost.memory > 3 * 8 * n * M
    else:
        # Of values, the start, the sum, mean and squares, and what a draw works on.
        assert 5 < n_arrays < 9


@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_adds_up(kernel, sampler, monkeypatch):
    """By a clock that has gone on by a second whenever it is looked at."""
    clock = SimpleNamespace(perf_counter=map(float, count()).__next__)
    for module in (_cost, _timing):
        monkeypatch.setattr(module, "time", clock)
    X, y, X_val, y_val = train_and_val(MANY)
    regressor = FreeShapRegressor(kernel, sampler=sampler).fit(X, y)
    groups = np.arange(MANY) % 21  # too many to be enumerated

    def seconds(n_permutations, semivalues, groups=groups, n_jobs=None):
        regressor.set_params(n_permutations=n_permutations, n_jobs=n_jobs)
        options = {"groups": groups, "semivalues": semivalues}
        return regressor.estimate_cost(X_val, y_val, **options).seconds

    few, many = (seconds(n, ["shapley"]) for n in (20, 40))
    draws, setup = many - few, 2 * few - many
    assert draws > 20  # all that is timed takes a second, at least
    if (kernel, sampler) == ("rbf", "sweep"):  # has an inverse to start from
        assert 0.1 < setup < 10
    else:
        assert_allclose(setup, 0, atol=1e-9)
    assert_allclose(seconds(20, ["shapley"], n_jobs=2), setup + draws / 2)
    loo, both = seconds(20, ["loo"]), seconds(20, ["shapley", "loo"])
    if sampler == "sweep":  # has leave-one-out values without draws
        assert_allclose(seconds(40, ["loo"]), loo)
        assert_allclose(both, loo + draws)
        assert 0 < loo < setup + 1.1  # a piece of one more is timed, at most
    else:
        assert_allclose([loo, both], few)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_of_scores_of_two_kinds_adds_up(kernel, monkeypatch):
    clock = SimpleNamespace(perf_counter=map(float, count()).__next__)
    for module in (_cost, _timing):
        monkeypatch.setattr(module, "time", clock)
    X, y, X_val, y_val = train_and_val(MANY)
    attributor = FreeShapAttributor(kernel).fit(X, y)

    def cost(scorings, n_permutations):
        attributor.set_params(n_permutations=n_permutations)
        return attributor.estimate_cost(X_val, y_val, scorings=scorings)

    names = ["accuracy", "neg_log_loss"]
    draws = [cost(s, 40).seconds - cost(s, 20).seconds for s in ([x] for x in names)]
    assert min(draws) > 20
    both = cost(names, 40)
    assert_allclose(both.seconds - cost(names, 20).seconds, sum(draws))
    assert both.memory >= max(cost([name], 40).memory for name in names)


@pytest.fixture
def cpu_clock(monkeypatch):
    """Seconds that this process computes for, however busy cores are."""
    clock = SimpleNamespace(perf_counter=time.process_time)
    for module in (_cost, _timing):
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.parametrize("sampler, n_draws", [("sweep", 4), ("permutation", 20)])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_is_about_what_is_taken(kernel, sampler, n_draws, cpu_clock):
    X, y, X_val, y_val = train_and_val(500 if kernel == "rbf" else MANY, 200)
    params = {"sampler": sampler, "n_permutations": n_draws, "random_state": 0}
    attributor = FreeShapAttributor(kernel, **params).fit(X, y)

    def seconds():
        start = time.process_time()
        attributor.attribute(X_val, y_val)
        return time.process_time() - start

    taken = min(seconds() for _ in range(3))
    told = min(attributor.estimate_cost(X_val, y_val).seconds for _ in range(3))
    assert taken / 3 < told < 3 * taken


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_of_draws_of_several_permutations(kernel, monkeypatch):
    clock = SimpleNamespace(perf_counter=map(float, count()).__next__)
    monkeypatch.setattr(_cost, "time", clock)
    X, y, X_val, y_val = train_and_val(MANY)
    attributor = FreeShapAttributor(kernel, sampler="permutation").fit(X, y)
    one = attributor.estimate_cost(X_val, y_val).seconds
    monkeypatch.setattr(Permutations, "parts", range(3))
    assert_allclose(attributor.estimate_cost(X_val, y_val).seconds, 3 * one)


@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_cost_of_a_single_group(kernel, sampler):
    """A sweep of one player draws nothing."""
    X, y, X_val, y_val = train_and_val()
    attributor = FreeShapAttributor(kernel, sampler=sampler, n_permutations=20)
    cost = attributor.fit(X, y).estimate_cost(X_val, y_val, groups=["all"] * N)
    assert 0 <= cost.seconds < 1


def test_cost_of_large_coalitions_counts_the_rows_they_are_scored_on():
    """Foreseen from small coalitions, against what a sweep then keeps."""
    X, y = np.random.default_rng(0).normal(size=(500, 20)), np.arange(500) % 5
    X[:, 0] += y
    X, y, X_val, y_val = X[:400], y[:400], X[400:], y[400:]
    attributor = FreeShapAttributor(random_state=0).fit(X, y)
    asked = attributor._check_asked(None, None)
    M = attributor._map(X_val)
    data, problem = attributor._pose(M, y_val, None, asked, False)
    sampler = _sweep.Sweep(data.game(KernelGame).with_inverse(), problem)
    piece = _sweep.Sweep(_cost._make_piece(data, KernelGame, y_val), problem)
    small, large = sampler.routes
    _, _, expected = _cost._time_route(sampler, large)
    found = _cost._kept_of_large(piece, large, sampler.counts[1], small)
    assert expected.mean() < 0.8  # not all are kept
    assert 0.7 < found.mean() / expected.mean() < 1.4


def test_cost_of_no_rows_is_refused():
    X, y, X_val, y_val = train_and_val()
    attributor = FreeShapAttributor().fit(X, y)
    with pytest.raises(ValueError, match="X has no rows"):
        attributor.estimate_cost(X_val[:0], y_val[:0])


def confident(t):
    class Confident:
        def __init__(self):
            self.t = t

        def score(self, decision, y):
            return (decision.argmax(1) == y) & (decision.max(1) > self.t)

    return Confident().score


def test_a_checkpoint_of_a_method_of_another_object_is_refused(tmp_path):
    params = {"checkpoint": tmp_path / "state.npz", "null_score": 0.5}
    values, _ = attribute({**params, "scoring": confident(0.55)}, 2)
    again, _ = attribute({**params, "scoring": confident(0.55)}, 2)
    assert_array_equal(again, values)
    with pytest.raises(ValueError, match="another computation"):
        attribute({**params, "scoring": confident(0.7)}, 2)


def test_explanations_leave_the_checkpoint_alone(tmp_path):
    X, y, X_val, y_val = train_and_val()
    path = tmp_path / "state.npz"
    attributor = FreeShapAttributor(n_permutations=2, checkpoint=path, random_state=0)
    values = attributor.fit(X, y).attribute(X_val, y_val)
    content = path.read_bytes()
    attributor.explain(X_val[:2], k=1)
    assert path.read_bytes() == content
    assert_array_equal(attributor.attribute(X_val, y_val), values)


@pytest.mark.parametrize("n, expected", [(500, 1), (501, 2)])
def test_few_rows_are_worked_on_by_one_thread(n, expected):
    seen = []

    def score(probabilities, y):
        seen.append(torch.get_num_threads())
        return probabilities[:, 0]

    X = np.random.default_rng(0).normal(size=(n, 2))
    attributor = FreeShapAttributor("linear", scoring=score, n_permutations=1)
    attributor.fit(X, np.arange(n) % 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        attributor.attribute(X[:3], [0, 1, 0])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen[-1] == expected


@pytest.mark.parametrize(
    ("flops", "size", "together", "expected"),
    [
        (1e6, 10, 1, 500),  # all of 1,000, shared out
        (3e9, 10, 1, 3),
        (1e12, 10, 1, 1),
        (1e6, 1 << 20, 1, 8),  # 64 MB are returned
        (1e6, 10, 64, 448),  # whole batches
        (1e12, 10, 64, 64),
    ],
)
def test_tasks_are_neither_too_long_nor_too_large(
    flops, size, together, expected, monkeypatch
):
    monkeypatch.setattr(_parts, "count_together", lambda _: together)
    sampler = SimpleNamespace(
        flops=lambda: 2 * flops,
        parts=[0, 1],
        problem=SimpleNamespace(size=size),
    )
    assert _parts._units_a_task(sampler, 2, 1000) == expected
