"""A folder as `checkpoint`: a file for each computation, and none is done twice."""

import errno
from contextlib import nullcontext
from threading import Lock

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold

from skshap import DataRemoval, DataSelector, FreeShapAttributor, FreeShapRegressor
from skshap.attribution import _checkpoint, _running
from skshap.exceptions import DamagedStoreWarning

N = 60


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    return X, (X[:, 0] + 0.5 * rng.normal(size=N) > 0).astype(int)


@pytest.fixture
def drawn(monkeypatch):
    """How many parts of draws each run computes."""
    counts, compute_parts = [], _running.compute_parts

    def count(sampler, units, **options):
        counts.append(len(units))
        return compute_parts(sampler, units, **options)

    monkeypatch.setattr(_running, "compute_parts", count)
    return counts


def values(table, folder, **params):
    X, y = table
    params = {"n_permutations": 3, "random_state": 0, "checkpoint": folder} | params
    fitted = FreeShapAttributor(**params).fit(X[:40], y[:40])
    return fitted.attribute(X[40:], y[40:])


CHANGES = [
    {"scoring": "neg_log_loss"},
    {"alpha": 0.3},
    {"random_state": 1},
    {"semivalue": "banzhaf"},
    {"sampler": "permutation"},
]


def test_each_computation_has_a_file(table, drawn, tmp_path):
    alone = values(table, None)
    assert_array_equal(values(table, tmp_path), alone)
    for number, change in enumerate(CHANGES, start=2):
        expected = values(table, None, **change)
        assert_array_equal(values(table, tmp_path, **change), expected)
        assert len(list(tmp_path.iterdir())) == number
    drawn.clear()
    for change in [{}, *CHANGES]:
        values(table, str(tmp_path), **change)
    assert sum(drawn) == 0
    assert len(list(tmp_path.iterdir())) == 1 + len(CHANGES)


def test_more_permutations_add_to_a_file(table, drawn, tmp_path):
    values(table, tmp_path)
    drawn.clear()
    more = values(table, tmp_path, n_permutations=5)
    assert_array_equal(more, values(table, None, n_permutations=5))
    assert drawn[0] * 5 == drawn[1] * 2
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_seed_a_file_is_gone_on_with(table, drawn, tmp_path):
    first = values(table, tmp_path, random_state=None)
    drawn.clear()
    assert_array_equal(values(table, tmp_path, random_state=None), first)
    assert sum(drawn) == 0


def test_regressions(table, drawn, tmp_path):
    X, y = table
    regressor = FreeShapRegressor(
        n_permutations=3, random_state=0, checkpoint=tmp_path
    ).fit(X[:40], y[:40] - y.mean())
    first = regressor.attribute(X[40:], y[40:] - y.mean())
    drawn.clear()
    assert_array_equal(regressor.attribute(X[40:], y[40:] - y.mean()), first)
    assert sum(drawn) == 0


def test_a_search_of_how_many_rows_to_remove_values_each_fold_once(
    table, drawn, tmp_path
):
    X, y = table

    def search(folder):
        attributor = FreeShapAttributor(n_permutations=2, checkpoint=folder)
        removal = DataRemoval(LogisticRegression(), attributor, cv=3, random_state=0)
        grid = {"n_samples_to_remove": [0, 0.1, 0.2], "estimator__C": [0.1, 1.0]}
        return GridSearchCV(removal, grid, cv=2, refit=False).fit(X, y)

    expected = search(None)
    n_parts = sum(drawn)
    drawn.clear()
    found = search(tmp_path)
    assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert sum(drawn) * 6 == n_parts
    assert len(list(tmp_path.iterdir())) == 2 * 3


@pytest.mark.parametrize("content", [b"", b"PK", b"a,b\n1,2\n"])
def test_a_damaged_file_in_a_folder_is_written_anew(table, tmp_path, content):
    expected = values(table, tmp_path)
    (path,) = tmp_path.iterdir()
    kept = path.stat().st_size
    path.write_bytes(content)
    with pytest.warns(DamagedStoreWarning, match=f"{path.name}.* is damaged") as seen:
        assert_array_equal(values(table, tmp_path), expected)
    assert seen[0].filename == __file__
    assert path.stat().st_size == kept
    assert_array_equal(values(table, tmp_path), expected)  # without a warning


def test_a_file_in_a_folder_that_cannot_be_opened_is_kept(table, tmp_path, monkeypatch):
    values(table, tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()

    def refuse(path):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(_checkpoint, "read_arrays", refuse)
    with pytest.raises(ValueError, match="Too many open files"):
        values(table, tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "name",
    [
        *("values", "values/", "some/values"),
        *("runs/2026.11.28", "exp-v1.2", "slash.d/", "values.npz/"),
    ],
)
def test_a_path_that_is_no_archive_is_a_folder_that_is_made(table, tmp_path, name):
    path = f"{tmp_path}/{name}"
    for seed in (0, 1):
        values(table, path, random_state=seed)
    X, y = table
    attributor = FreeShapAttributor(n_permutations=2, checkpoint=path)
    DataRemoval(LogisticRegression(), attributor, cv=3, random_state=0).fit(X, y)
    (folder,) = (tmp_path / name).parent.iterdir()
    assert len(list(folder.iterdir())) == 2 + 3


def test_a_suffix_in_capitals_is_that_of_a_file(table, tmp_path):
    values(table, tmp_path / "VALUES.NPZ")
    assert (tmp_path / "VALUES.NPZ").is_file()


def test_a_file_without_a_suffix_stays_a_file(table, tmp_path):
    values(table, tmp_path / "values.npz")
    path = (tmp_path / "values.npz").rename(tmp_path / "values")
    values(table, path)
    with pytest.raises(ValueError, match="another computation"):
        values(table, path, alpha=0.3)
    assert path.is_file()


def test_a_checkpoint_that_nothing_goes_on_from_is_warned_of(table, drawn, tmp_path):
    X, y = table
    attributor = FreeShapAttributor(n_permutations=2, checkpoint=tmp_path)
    removal = DataRemoval(LogisticRegression(), attributor, cv=3)
    with pytest.warns(UserWarning, match=r"DataRemoval\(..., random_state=0\)") as seen:
        removal.fit(X, y)
    assert seen[0].filename == __file__
    # Splits and seed of one's own are the same each time.
    folds = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    attributor.set_params(random_state=0)
    removal.set_params(cv=folds).fit(X, y)
    drawn.clear()
    removal.fit(X, y)
    removal.set_params(cv=3).set_params(attributor__checkpoint=None).fit(X, y)
    assert drawn[:2] == [0, 0]


@pytest.mark.parametrize(
    ("cv", "has_val", "seed", "is_drawn"),
    [
        (3, False, 0, True),  # the splits are
        (3, True, 0, False),
        (3, True, None, True),
        (KFold(3), False, 0, False),
        (KFold(3), False, None, True),
    ],
)
def test_checkpoints_of_what_a_fit_draws_anew_are_warned_of(
    cv, has_val, seed, is_drawn, table, tmp_path
):
    X, y = table
    attributor = FreeShapAttributor(
        n_permutations=2, random_state=seed, checkpoint=tmp_path
    )
    removal = DataRemoval(LogisticRegression(), attributor, cv=cv)
    given = {"X_val": X[40:], "y_val": y[40:]} if has_val else {}
    warns = pytest.warns(UserWarning, match="is of no use with random_state=None")
    with warns if is_drawn else nullcontext():
        removal.fit(X[:40], y[:40], **given)


@pytest.mark.filterwarnings("ignore:n_samples_to_remove=.auto.. of 60")
def test_a_checkpoint_that_is_not_used_is_not_warned_of(table, drawn, tmp_path):
    X, y = table
    attributor = FreeShapAttributor(n_permutations=2, checkpoint=tmp_path)
    DataSelector(attributor, cv=3).fit(X, y)  # greedily
    removal = DataRemoval(LogisticRegression(), attributor, n_samples_to_remove="auto")
    removal.fit(X, y)
    assert not drawn and not list(tmp_path.iterdir())
    with pytest.warns(UserWarning, match=r"DataSelector\(..., random_state=0\)"):
        DataSelector(attributor, cv=3, strategy="top").fit(X, y)


def test_a_folder_of_ones_home(table, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    values(table, "~/values")
    assert len(list((tmp_path / "values").iterdir())) == 1
    X, y = table
    attributor = FreeShapAttributor(n_permutations=2, checkpoint="~/values")
    DataRemoval(LogisticRegression(), attributor, cv=3, random_state=0).fit(X, y)
    assert [path.name for path in tmp_path.iterdir()] == ["values"]


@pytest.mark.parametrize(
    "path, message",
    [
        ("", "names no file"),
        ("\0x", r"checkpoint='\\x00x' names no file"),
        ("~no-such-user/values", "cannot be a file .Could not determine home"),
        ("x" * 300 + ".npz", "cannot be a file .File name too long"),
        ("\ud800.npz", "cannot be a file"),
        ("~\ud800/values.npz", "cannot be a file"),
    ],
)
def test_paths_that_are_none(table, path, message):
    with pytest.raises(ValueError, match=message):
        values(table, path)
    X, y = table
    removal = DataRemoval(LogisticRegression(), FreeShapAttributor(checkpoint=path))
    with pytest.raises(ValueError, match=message):
        removal.set_params(random_state=0).fit(X, y)


def test_paths_that_lead_nowhere(table, tmp_path, monkeypatch):
    (tmp_path / "a.npz").symlink_to("b.npz")
    (tmp_path / "b.npz").symlink_to("a.npz")
    with pytest.raises(ValueError, match=r"cannot be a file \(Too many levels"):
        values(table, tmp_path / "a.npz")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ValueError, match=r"cannot be a file \(No such file"):
        values(table, "values.npz")


def test_a_link_stays_one_and_what_it_points_to_is_written(table, tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "values.npz", tmp_path / "there" / "values.npz"
    target.touch()
    link.symlink_to(target)
    target.unlink()  # to be made
    values(table, link)
    assert link.is_symlink()
    assert target.stat().st_size > 0


def test_a_scoring_that_no_other_process_knows_again_is_warned_of(table, tmp_path):
    lock = Lock()

    def locked(decision, y):
        with lock:
            return -np.abs(decision[:, 1] - y)

    with pytest.warns(UserWarning, match="cannot go on from the checkpoint"):
        values(table, tmp_path / "values.npz", scoring=locked)
    values(table, None, scoring=locked)
    scoring = with_scale(2.0)
    values(table, tmp_path / "others.npz", scoring=scoring)


def with_scale(scale):
    return lambda decision, y: -scale * np.abs(decision[:, 1] - y)
