"""Constants of modules set to other values for a while."""

from contextlib import contextmanager

import pytest


@contextmanager
def using(module, **names):
    """Patch names of a module; usable under hypothesis, unlike a fixture."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setattr(module, name, value)
        yield
