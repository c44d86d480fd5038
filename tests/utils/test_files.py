"""Archives of arrays on disk."""

import os
import time
import uuid

import numpy as np
import pytest

from skshap.attribution._checkpoint import Checkpoint
from skshap.utils._files import remove_leftovers, write_arrays


def test_an_interrupt_while_writing_is_an_interrupt(tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        try:
            raise KeyboardInterrupt
        finally:
            raise ValueError("Can't close the ZIP file")

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_arrays(tmp_path / "a.npz", a=np.zeros(3))
    assert not list(tmp_path.iterdir())


def test_content_is_on_disk_before_its_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def synced(number):
        fsync(number)
        done.append(os.fstat(number).st_size)

    def replaced(old, new):
        done.append("renamed")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_arrays(tmp_path / "a.npz", a=np.zeros(3))
    assert done == [(tmp_path / "a.npz").stat().st_size, "renamed"]


def test_only_what_was_left_over_is_removed(tmp_path):
    path, old = tmp_path / "a[1].npz", time.time() - 7200
    write_arrays(path, a=np.zeros(3))
    number = uuid.uuid4().hex
    left_over = tmp_path / f".a[1].npz.{number}.tmp"
    others = [path, *(tmp_path / f".{x}.tmp" for x in ("a[1].npz.mine", f"b.{number}"))]
    for file in (left_over, *others):
        file.touch()
        os.utime(file, (old, old))
    being_written = tmp_path / f".a[1].npz.{uuid.uuid4().hex}.tmp"
    being_written.touch()
    remove_leftovers(path)
    assert set(tmp_path.iterdir()) == {*others, being_written}
    remove_leftovers(tmp_path / "nowhere" / "a.npz")
    remove_leftovers(path / "a.npz")  # a file in the place of a folder


def test_a_checkpoint_removes_what_kills_left_over(tmp_path):
    path = tmp_path / "state.npz"
    left_over = tmp_path / f".state.npz.{uuid.uuid4().hex}.tmp"
    left_over.touch()
    os.utime(left_over, (0, 0))
    Checkpoint(path, "identity").load()
    assert not left_over.exists()
