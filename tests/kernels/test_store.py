"""What is kept on disk comes back whole, or is reported and made again."""

import multiprocessing
import os
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skshap.exceptions import DamagedStoreWarning
from skshap.kernels._store import DiskStore, MemoryStore
from skshap.utils import _files

KEY, OTHER = "ab" * 16, "cd" * 16
ROW = np.arange(6, dtype=np.float32) / 7


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


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


def test_rows_outlive_the_store(tmp_path):
    DiskStore(tmp_path).put_row(KEY, ROW)
    assert_array_equal(DiskStore(tmp_path).get_row(KEY), ROW)
    DiskStore(tmp_path).put_row(KEY, 2 * ROW)
    assert_array_equal(DiskStore(tmp_path).get_row(KEY), 2 * ROW)


@given(
    puts=st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
            st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
        ),
        max_size=5,
    ),
    left=st.lists(st.sampled_from("abcdefg"), min_size=1),
    right=st.lists(st.sampled_from("abcdefg"), min_size=1),
)
def test_kernel_values(puts, left, right, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")

    def value(a, b):
        return ord(a) * ord(b) + 0.1

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


@pytest.mark.parametrize("content", ["row", "gram"])
def test_every_single_damaged_byte(content, tmp_path):
    # Either what was written comes back, or the damage is seen: nothing in between.
    store = DiskStore(tmp_path)
    if content == "row":
        store.put_row(KEY, ROW)
    else:
        store.put_gram([KEY], [KEY, OTHER], np.array([[2.0, 3.0]]))
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    n_seen = 0
    for position in range(len(whole)):
        for flip in (0x01, 0x04, 0xFF) if content == "row" else (0x02,):
            damaged = bytearray(whole)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if content == "row":
                    found, right, empty = store.get_row(KEY), ROW, None
                else:
                    found = store.get_gram([KEY, OTHER], [KEY])
                    right, empty = [[2.0], [3.0]], [[np.nan], [np.nan]]
            if caught:
                assert [w.category for w in caught] == [DamagedStoreWarning]
                assert str(path) in str(caught[0].message)
                n_seen += 1
                right = empty
            if right is None:
                assert found is None
            else:
                assert_array_equal(found, right)
    assert n_seen > len(whole) // 3  # some bytes mean nothing: dates, padding


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


@pytest.mark.parametrize("kind", ["pickle", "npy", "npz of objects", "text"])
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


def test_two_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=write_many, args=(tmp_path, 1000))
    worker.start()
    store = DiskStore(tmp_path)
    while worker.is_alive():
        if files(tmp_path):
            write_many(tmp_path, 2000)
        # A reader sees all of a file or nothing; a warning would be an error.
        for i in range(40):
            row = store.get_row(f"{i:032x}")
            assert row is None or (row == i).all()
        keys = [f"{i:032x}" for i in range(40)]
        K = store.get_gram(keys, keys)
        assert_array_equal(K[~np.isnan(K)], 7.0)
    worker.join()
    assert worker.exitcode == 0
    assert not [path for path in files(tmp_path) if path.suffix == ".tmp"]
    for i in range(40):
        assert (store.get_row(f"{i:032x}") == i).all()
