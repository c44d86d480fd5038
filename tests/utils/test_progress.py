"""The progress bar: silent unless asked for and slow."""

import pytest

from skshap.utils import _progress
from skshap.utils._progress import progress


@pytest.mark.parametrize("verbose", [0, False])
def test_silent_progress_is_the_iterable_itself(verbose):
    items = [1, 2, 3]
    assert progress(items, total=3, desc="d", unit="u", verbose=verbose) is items


@pytest.mark.parametrize("total", [3, None])
def test_items_pass_in_order_and_a_short_loop_shows_nothing(capsys, total):
    items = iter("abc")
    assert list(progress(items, total=total, desc="d", unit="u", verbose=1)) == [*"abc"]
    assert capsys.readouterr() == ("", "")


def test_a_long_loop_shows_a_bar_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "DELAY", 1e-9)
    bar = progress(range(3), total=3, desc="permutations", unit="row", verbose=1)
    assert sum(bar) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "permutations" in err and "3/3" in err and "row/s" in err
