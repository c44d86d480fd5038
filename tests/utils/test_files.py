"""Archives of arrays on disk."""

import os

import numpy as np
import pytest

from skshap.utils._files import write_arrays


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
