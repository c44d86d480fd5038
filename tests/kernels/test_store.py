"""What is kept on disk comes back whole, or is reported and made again."""

import multiprocessing
import os
import pickle
import warnings

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skshap import EmpiricalNTK
from skshap.exceptions import DamagedStoreWarning
from skshap.kernels import _memory_store
from skshap.kernels._folder import _parse_bytes, reduce_memory
from skshap.kernels._memory_store import MemoryStore
from skshap.kernels._store import DiskStore
from skshap.utils import _files
from tests.kernels.conftest import files

KEY, OTHER = "ab" * 16, "cd" * 16
KEYS = [2 * letter * 16 for letter in "abcdef0"]
ROW = np.arange(6, dtype=np.float32) / 7


@pytest.mark.parametrize("make", [lambda path: MemoryStore(), DiskStore])
def test_rows(make, tmp_path):
    store = make(tmp_path / "not" / "yet")
    assert store.get_row(KEY) is None
    store.put_row(KEY, ROW)
    assert store.get_row(OTHER) is None
    row = store.get_row(KEY)
    assert_array_equal(row, ROW)
    assert row.dtype == ROW.dtype
    assert np.isnan(store.get_gram([KEY], [OTHER, KEY])).all()
    assert np.isnan(store.get_norms([KEY])).all()
    store.put_norms([KEY], np.array([2.5]))
    assert_array_equal(store.get_norms([OTHER, KEY]), [np.nan, 2.5])
    store.keep({OTHER})
    if isinstance(store, MemoryStore):
        assert store.get_row(KEY) is None
        assert np.isnan(store.get_norms([KEY])).all()


def test_room_in_memory(monkeypatch):
    monkeypatch.setattr(_memory_store, "MEMORY_BYTES", 2 * ROW.nbytes)
    store = MemoryStore()
    for key in ("a", "b", "b", "c"):
        store.put_row(key, ROW)
    assert [store.get_row(key) is not None for key in "abc"] == [True, True, False]
    store.keep({"b"})
    store.put_row("c", ROW)
    store.put_row("a", ROW)
    assert [store.get_row(key) is not None for key in "abc"] == [False, True, True]


def test_rows_outlive_the_store(tmp_path):
    DiskStore(tmp_path).put_row(KEY, ROW)
    assert_array_equal(DiskStore(tmp_path).get_row(KEY), ROW)
    DiskStore(tmp_path).put_row(KEY, 2 * ROW)
    assert_array_equal(DiskStore(tmp_path).get_row(KEY), 2 * ROW)


@given(
    puts=st.lists(
        st.tuples(
            st.lists(st.sampled_from(KEYS[:6]), min_size=1, unique=True),
            st.lists(st.sampled_from(KEYS[:6]), min_size=1, unique=True),
        ),
        max_size=5,
    ),
    left=st.lists(st.sampled_from(KEYS), min_size=1, unique=True),
    right=st.lists(st.sampled_from(KEYS), min_size=1, unique=True),
)
def test_kernel_values(puts, left, right, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")

    def value(a, b):
        return int(a[:2], 16) * int(b[:2], 16) + 0.1

    known = set()
    for rows, columns in puts:
        K = np.array([[value(a, b) for b in columns] for a in rows])
        DiskStore(folder).put_gram(rows, columns, K)
        known |= {(a, b) for a in rows for b in columns}
        known |= {(b, a) for a in rows for b in columns}
    found = DiskStore(folder).get_gram(left, right)
    expected = [
        [value(a, b) if (a, b) in known else np.nan for b in right] for a in left
    ]
    assert_array_equal(found, np.array(expected))


def test_first_values_stay(tmp_path):
    # Two processes compute the same pairs with other rounding: either order of keys is
    # answered with the same bits.
    rng = np.random.default_rng(0)
    store = DiskStore(tmp_path)
    for _ in range(8):
        rows = list(rng.choice(KEYS, 4, replace=False))
        columns = list(rng.choice(KEYS, 3, replace=False))
        store.put_gram(rows, columns, rng.random((4, 3)))
        store.put_norms(rows, rng.random(4))
    found = DiskStore(tmp_path).get_gram(KEYS, KEYS)
    # A tile may hold a pair in both orders, unless its writer made them equal.
    single = [
        (i, j)
        for i in range(7)
        for j in range(i)
        if not np.isnan(found[i, j]) and found[i, j] == found[j, i]
    ]
    assert len(single) > 5
    assert_array_equal(DiskStore(tmp_path).get_gram(KEYS[::-1], KEYS), found[::-1])
    norms = store.get_norms(KEYS)
    assert_array_equal(DiskStore(tmp_path).get_norms(KEYS[::-1]), norms[::-1])
    # A pair is answered alike whatever is asked with it.
    alone = [[store.get_gram([a], [b])[0, 0] for b in KEYS] for a in KEYS]
    assert_array_equal(found, np.array(alone))
    assert_array_equal(norms, [store.get_norms([key])[0] for key in KEYS])


@pytest.mark.parametrize("content", ["rows", "gram", "norms", "keys"])
def test_every_single_damaged_byte(content, tmp_path):
    # Either what was written comes back, or the damage is seen: nothing in between.
    store = DiskStore(tmp_path)
    if content == "rows":
        store.put_row(KEY, ROW)
    elif content == "norms":
        store.put_norms([KEY, OTHER], np.array([2.0, 3.0]))
    else:
        store.put_gram([KEY, OTHER], [KEY, OTHER], np.array([[2.0, 3.0], [3.0, 4.0]]))
    (path,) = files(tmp_path / content)
    whole = path.read_bytes()
    n_seen = 0
    for position in range(len(whole)):
        for flip in (0x01, 0x04, 0xFF) if content == "rows" else (0x02,):
            damaged = bytearray(whole)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            store = DiskStore(tmp_path)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if content == "rows":
                    found, right, empty = store.get_row(KEY), ROW, None
                elif content == "norms":
                    found = store.get_norms([OTHER])
                    right, empty = [3.0], [np.nan]
                else:
                    found = store.get_gram([KEY, OTHER], [KEY])
                    right, empty = [[2.0], [3.0]], [[np.nan], [np.nan]]
            if caught:
                assert {w.category for w in caught} == {DamagedStoreWarning}
                assert all(str(path) in str(w.message) for w in caught)
                assert not path.exists()  # so that it is said once
                n_seen += 1
                right = empty
            if right is None:
                assert found is None
            else:
                assert_array_equal(found, right)
    assert n_seen > len(whole) // 3  # some bytes mean nothing: dates, padding


def test_a_tile_of_another_shape(tmp_path):
    store = DiskStore(tmp_path)
    store.put_gram([KEY], [OTHER], np.ones((1, 1)))
    (path,) = files(tmp_path / "gram")
    _files.write_arrays(path, K=np.ones((2, 2)))
    with pytest.warns(DamagedStoreWarning, match=r"\(2, 2\) instead of \(1, 1\)"):
        assert np.isnan(store.get_gram([KEY], [OTHER])).all()


def test_a_list_that_is_gone(tmp_path):
    store = DiskStore(tmp_path)
    store.put_gram([KEY], [OTHER], np.ones((1, 1)))
    store.put_norms([KEY], np.ones(1))
    for path in files(tmp_path / "keys"):
        path.unlink()
    store = DiskStore(tmp_path)
    assert np.isnan(store.get_gram([KEY], [OTHER])).all()
    assert np.isnan(store.get_norms([KEY])).all()
    store.put_gram([KEY], [OTHER], np.ones((1, 1)))
    assert DiskStore(tmp_path).get_gram([OTHER], [KEY]) == 1


@given(stop=st.floats(0, 1, exclude_max=True))
def test_truncated_file(stop, tmp_path_factory):
    store = DiskStore(tmp_path_factory.mktemp("store"))
    store.put_row(KEY, ROW)
    (path,) = files(store.folder)
    path.write_bytes(path.read_bytes()[: int(stop * path.stat().st_size)])
    with pytest.warns(DamagedStoreWarning, match="is damaged"):
        assert store.get_row(KEY) is None
    store.put_row(KEY, ROW)
    assert_array_equal(store.get_row(KEY), ROW)


class Trap:
    """Makes a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    "kind", ["pickle", "npy", "npz of objects", "npz of texts", "text"]
)
def test_other_files_in_their_place(kind, tmp_path):
    trap = Trap(str(tmp_path / "sprung"))
    store = DiskStore(tmp_path / "store")
    store.put_row(KEY, ROW)
    (path,) = files(tmp_path / "store")
    if kind == "pickle":
        path.write_bytes(pickle.dumps(trap))
    elif kind == "npy":
        with open(path, "wb") as file:
            np.save(file, ROW)
    elif kind == "npz of objects":
        np.savez(path, row=np.array([trap], dtype=object), allow_pickle=True)
    elif kind == "npz of texts":
        np.savez(path, row=ROW.astype(str))
    else:
        path.write_text("not a number in here")
    with pytest.warns(DamagedStoreWarning):
        assert store.get_row(KEY) is None
    assert not (tmp_path / "sprung").exists()
    # The trap does spring when unpickled.
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing(error, tmp_path, monkeypatch):
    store = DiskStore(tmp_path)
    store.put_row(KEY, ROW)
    before = files(tmp_path)

    def savez(file, **arrays):
        file.write(b"half a file")
        raise error

    monkeypatch.setattr(_files.np, "savez", savez)
    if isinstance(error, OSError):
        with pytest.warns(DamagedStoreWarning, match="disk full"):
            store.put_row(KEY, 2 * ROW)
        store.put_row(OTHER, 2 * ROW)  # said once
    else:
        for key in (KEY, OTHER):
            with pytest.raises(type(error)):
                store.put_row(key, 2 * ROW)
    assert files(tmp_path) == before
    assert_array_equal(store.get_row(KEY), ROW)
    assert store.get_row(OTHER) is None


def test_a_killed_write_is_not_seen(tmp_path, monkeypatch):
    # Killed before the rename: only the temporary file is there.
    store = DiskStore(tmp_path)

    class Killed(BaseException):
        pass

    def replace(source, target):
        raise Killed

    monkeypatch.setattr(_files.os, "replace", replace)
    monkeypatch.setattr(_files.Path, "unlink", lambda *args, **kwargs: None)
    with pytest.raises(Killed):
        store.put_row(KEY, ROW)
    monkeypatch.undo()
    assert len(files(tmp_path)) == 1
    assert store.get_row(KEY) is None
    store.put_row(KEY, ROW)
    assert_array_equal(store.get_row(KEY), ROW)


def write_many(folder, offset):
    store = DiskStore(folder)
    for i in range(40):
        store.put_row(f"{i:032x}", np.full(1000, i, dtype=np.float32))
        keys = [f"{offset + i:032x}", f"{i:032x}"]
        store.put_gram(keys, keys, np.full((2, 2), 7.0))
        store.put_norms(keys, np.full(2, 7.0))


def test_two_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=write_many, args=(tmp_path, 1000))
    worker.start()
    store, is_done = DiskStore(tmp_path), False
    while worker.is_alive():
        if files(tmp_path / "rows") and not is_done:
            write_many(tmp_path, 2000)
            is_done = True
        # A reader sees all of a file or nothing; a warning would be an error.
        for i in range(40):
            row = store.get_row(f"{i:032x}")
            assert row is None or (row == i).all()
        keys = [f"{i:032x}" for i in range(40)]
        K = store.get_gram(keys, keys)
        assert_array_equal(K[~np.isnan(K)], 7.0)
    worker.join()
    assert worker.exitcode == 0 and is_done
    assert not [path for path in files(tmp_path) if path.suffix == ".tmp"]
    for i in range(40):
        assert (store.get_row(f"{i:032x}") == i).all()
    # Nothing that either of them added is lost.
    for offset in (1000, 2000):
        keys = [f"{offset + i:032x}" for i in range(40)]
        K = DiskStore(tmp_path).get_gram(keys, [f"{i:032x}" for i in range(40)])
        assert_array_equal(np.diagonal(K), 7.0)
        assert_array_equal(DiskStore(tmp_path).get_norms(keys), 7.0)


# Size


def fill_up(folder):
    """Five rows and a tile, in the order of their last use; return their paths."""
    store = DiskStore(folder / "skshap" / "network")
    for i, key in enumerate(KEYS[:5]):
        store.put_row(key, np.full(1000, i, dtype=np.float32))
    store.put_gram(KEYS[:2], KEYS[:2], np.eye(2))
    paths = [store._path("rows", key) for key in KEYS[:5]]
    for age, path in enumerate(files(folder)):
        os.utime(path, (0, 1000 - age))
    for i, path in enumerate(paths):
        os.utime(path, (0, 2000 + i))
    return store, paths


@pytest.mark.parametrize("kind", [str, joblib.Memory, lambda path: path])
def test_what_is_used_stays(kind, tmp_path):
    store, paths = fill_up(tmp_path)
    assert store.get_row(KEYS[0]) is not None  # from last to first
    assert reduce_memory(kind(tmp_path), 10**6) == sum(
        path.stat().st_size for path in files(tmp_path / "skshap")
    )
    size = paths[0].stat().st_size
    (listed,) = (path for path in files(tmp_path) if path.parent.name == "keys")
    left = 2 * size + listed.stat().st_size
    assert reduce_memory(kind(tmp_path), left + 10) == left
    assert [path.exists() for path in paths] == [True, False, False, False, True]
    assert store.get_row(KEYS[1]) is None
    assert np.isnan(store.get_gram(KEYS[:2], KEYS[:2])).all()
    store.put_row(KEYS[1], ROW)
    assert_array_equal(store.get_row(KEYS[1]), ROW)
    assert reduce_memory(kind(tmp_path), "0") == 0
    assert files(tmp_path / "skshap") == []
    assert reduce_memory(joblib.Memory(None), 0) == 0


def test_lists_of_rows_stay_for_the_tiles_that_need_them(tmp_path):
    folder = tmp_path / "skshap" / "network"
    tiles = [KEYS[:2], KEYS[2:4], KEYS[3:5]]
    store = DiskStore(folder)
    for i, keys in enumerate(tiles):
        store.put_gram(keys, keys, np.full((2, 2), 1.0 + i))
    for path in files(folder):  # they are read before their tiles
        is_list = path.parent.name == "keys"
        os.utime(path, (0, 1000 if is_list else 2000))
    lists = [path for path in files(folder) if path.parent.name == "keys"]
    size = sum(path.stat().st_size for path in files(folder))
    left = reduce_memory(tmp_path, size - 1)
    assert left < size and all(path.exists() for path in lists)
    found = [DiskStore(folder).get_gram(keys, keys) for keys in tiles]
    assert sum(not np.isnan(K).any() for K in found) == 2
    assert reduce_memory(tmp_path, 0) == 0 and files(folder) == []


def test_a_folder_that_is_not_there_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match=r"no folder memory='.*cach', so") as caught:
        assert reduce_memory(tmp_path / "kernel_cach", "1G") == 0
    assert caught[0].filename == __file__
    assert reduce_memory(tmp_path, "1G") == 0  # nothing is kept there yet


def test_a_folder_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    EmpiricalNTK(memory="~/kept", random_state=0).fit(np.eye(5))
    assert (tmp_path / "kept").is_dir()
    assert reduce_memory("~/kept", "1G") > 0


@pytest.mark.parametrize("kind", [str, joblib.Memory])
def test_an_empty_path(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # joblib's makes a folder at once
    memory = kind("")
    with pytest.raises(ValueError, match="memory='' names no folder"):
        EmpiricalNTK(memory=memory, random_state=0).fit(np.eye(5))
    with pytest.raises(ValueError, match="memory='' names no folder"):
        reduce_memory(memory, 0)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"mine")
    fill_up(tmp_path)
    assert reduce_memory(tmp_path, 0) == 0
    assert files(tmp_path) == [tmp_path / "mine.npz"]


def test_a_package_in_the_folder_is_left_alone(tmp_path):
    fill_up(tmp_path)
    mine = [tmp_path / "skshap" / name for name in ("a.py", "kernels/b.py", "c/d.npz")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert reduce_memory(tmp_path, 0) == 0
    assert files(tmp_path) == sorted(mine)


def test_halves_of_files(tmp_path):
    _, paths = fill_up(tmp_path)
    new, old = (paths[0].with_name(f".{name}.tmp") for name in ("new", "old"))
    for path in (new, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 10**9))
    reduce_memory(tmp_path, "1G")
    assert new.exists() and not old.exists()
    assert all(path.exists() for path in paths)
    reduce_memory(tmp_path, 0)
    assert files(tmp_path) == [new]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        *[(0, 0), (1000, 1000), ("1000", 1000), ("2K", 2048), ("1.5m", 3 << 19)],
        *[("100 MB", 100 << 20), ("2 GiB", 2 << 30), ("7B", 7), ("3 kb", 3072)],
    ],
)
def test_sizes(size, expected):
    assert _parse_bytes(size) == expected


@pytest.mark.parametrize(
    "size", [-1, "", "M", "B", "five", "3T", "MB", None, np.nan, np.inf]
)
def test_sizes_that_are_none(size, tmp_path):
    with pytest.raises(ValueError, match="bytes_limit="):
        reduce_memory(tmp_path, size)


@pytest.mark.parametrize("name", ["notes.npz", "a-b-c.npz", "a-b.npz"])
def test_files_of_others_among_kernel_values(name, tmp_path):
    X = np.eye(4)
    kernel = EmpiricalNTK(memory=tmp_path, random_state=0)
    K = kernel.fit_transform(X)
    (folder,) = tmp_path.rglob("gram")
    (folder / name).write_bytes(b"not ours")
    assert_array_equal(clone(kernel).fit_transform(X), K)
    assert (folder / name).read_bytes() == b"not ours"
