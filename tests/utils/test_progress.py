"""The progress bar: silent unless asked for and slow."""

import pytest

from skshap.utils import _progress
from skshap.utils._progress import progress_bar


def count(verbose, initial=0):
    options = {"desc": "permutations", "unit": "row", "verbose": verbose}
    with progress_bar(total=3, initial=initial, **options) as bar:
        for _ in range(initial, 3):
            bar.update()


def test_a_short_loop_shows_nothing(capsys):
    count(verbose=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("initial", [0, 2])
def test_a_long_loop_shows_a_bar_on_standard_error(capsys, monkeypatch, initial):
    monkeypatch.setattr(_progress, "DELAY", 1e-9)
    count(verbose=1, initial=initial)
    out, err = capsys.readouterr()
    assert out == ""
    assert "permutations" in err and "3/3" in err and "row/s" in err


@pytest.mark.parametrize("verbose", [0, False])
def test_a_long_loop_is_silent_unless_asked(capsys, monkeypatch, verbose):
    monkeypatch.setattr(_progress, "DELAY", 1e-9)
    count(verbose=verbose)
    assert capsys.readouterr() == ("", "")
