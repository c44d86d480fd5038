"""Archives of arrays on disk."""

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
