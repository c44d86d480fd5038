"""How long calls take."""

from itertools import count
from types import SimpleNamespace

from skshap.utils import _timing
from skshap.utils._timing import timed


def test_a_warm_up_is_not_timed(monkeypatch):
    called = []
    clock = SimpleNamespace(perf_counter=count().__next__)
    monkeypatch.setattr(_timing, "time", clock)
    found = timed(lambda: called.append("timed"), lambda: called.append("before"))
    assert found == (1, None)
    assert called == ["before", "timed"]
    assert timed(lambda: 5) == (1, 5)
