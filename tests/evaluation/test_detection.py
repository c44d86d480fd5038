"""The detection curve against its definition."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skshap.datasets import flip_labels
from skshap.evaluation import detection_curve


def masks(max_size):
    """Masks with both True and False."""
    both = st.lists(st.booleans(), min_size=2, max_size=max_size)
    return both.filter(lambda mask: 0 < sum(mask) < len(mask))


@st.composite
def cases(draw, max_size=40):
    """A mask and scores, most of them with ties."""
    mask = draw(masks(max_size))
    score = st.integers(-3, 3) | st.floats(allow_nan=False)
    scores = draw(st.lists(score, min_size=len(mask), max_size=len(mask)))
    return np.array(mask), np.array(scores, dtype=float)


def expected_curve(is_noisy, scores):
    """Mean over every order of the rows that never decreases in the score, exactly."""
    n = len(scores)
    total, count = [Fraction(0)] * (n + 1), 0
    for order in permutations(range(n)):
        ordered = [scores[i] for i in order]
        if ordered != sorted(ordered):
            continue
        count += 1
        for k in range(n + 1):
            total[k] += int(sum(is_noisy[i] for i in order[:k]))
    return [float(t / count / int(sum(is_noisy))) for t in total]


@given(cases(max_size=6))
def test_curve_is_the_mean_over_tie_breaking_orders(case):
    is_noisy, scores = case
    curve = detection_curve(is_noisy, scores)
    assert_allclose(curve.fraction_found, expected_curve(is_noisy, scores), rtol=1e-15)


@given(cases())
def test_curve_properties(case):
    is_noisy, scores = case
    n, n_noisy = len(scores), is_noisy.sum()
    curve = detection_curve(is_noisy, scores)
    x, found = curve.fraction_inspected, curve.fraction_found
    assert x.shape == found.shape == (n + 1,)
    assert_array_equal(x, np.arange(n + 1) / n)
    assert found[0] == 0 and found[-1] == 1
    assert (np.diff(found) >= 0).all()
    # No row holds more than one wrong label.
    assert (np.diff(found) <= (1 + 1e-12) / n_noisy).all()
    assert curve.n_noisy == n_noisy and type(curve.n_noisy) is int
    # The area above the diagonal is that of the ROC curve, scaled.
    area = np.trapezoid(found, x)
    assert_allclose(area - 0.5, (curve.roc_auc - 0.5) * (1 - n_noisy / n), atol=1e-12)
    assert 0 < curve.average_precision <= 1


@given(cases())
def test_only_the_order_of_the_scores_counts(case):
    is_noisy, scores = case
    curve = detection_curve(is_noisy, scores)
    _, rank = np.unique(scores, return_inverse=True)
    same = detection_curve(is_noisy, rank**3 - 100)
    for key in curve:
        assert_array_equal(curve[key], same[key])


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_count(case, random):
    is_noisy, scores = case
    order = random.sample(range(len(scores)), len(scores))
    curve = detection_curve(is_noisy, scores)
    shuffled = detection_curve(is_noisy[order], scores[order])
    assert_array_equal(curve.fraction_found, shuffled.fraction_found)
    assert_allclose(curve.average_precision, shuffled.average_precision, rtol=1e-13)
    assert_allclose(curve.roc_auc, shuffled.roc_auc, rtol=1e-13)


@given(cases())
def test_reversed_scores_reverse_the_curve(case):
    is_noisy, scores = case
    curve = detection_curve(is_noisy, scores)
    other = detection_curve(is_noisy, -scores)
    assert_allclose(other.fraction_found, 1 - curve.fraction_found[::-1], atol=1e-14)
    assert_allclose(other.roc_auc, 1 - curve.roc_auc, atol=1e-14)


@given(masks(200), st.floats(allow_nan=False))
def test_a_constant_score_gives_the_diagonal_exactly(mask, score):
    curve = detection_curve(mask, [score] * len(mask))
    assert_array_equal(curve.fraction_found, curve.fraction_inspected)
    assert curve.roc_auc == 0.5
    assert_allclose(curve.average_precision, sum(mask) / len(mask))


@given(masks(50))
def test_perfect_and_worst_scores(mask):
    is_noisy = np.array(mask)
    n, n_noisy = len(mask), sum(mask)
    best = detection_curve(is_noisy, ~is_noisy)
    assert best.roc_auc == best.average_precision == 1
    assert_allclose(best.fraction_found, np.minimum(np.arange(n + 1) / n_noisy, 1))
    worst = detection_curve(is_noisy, is_noisy)
    assert worst.roc_auc == 0
    assert_array_equal(worst.fraction_found[: n - n_noisy + 1], 0)


def test_by_hand():
    # Sorted: noisy, clean, {noisy, clean, clean}, noisy.
    is_noisy = [1, 0, 1, 0, 0, 1]
    scores = [-np.inf, -2, 0, 0, 0, np.inf]
    curve = detection_curve(is_noisy, scores)
    found = [0, 1 / 3, 1 / 3, 4 / 9, 5 / 9, 2 / 3, 1]
    assert_allclose(curve.fraction_found, found)
    # Wrong before right in 3 + 2 * 1/2 (the tie) of 9 pairs.
    assert_allclose(curve.roc_auc, 4 / 9)
    # A third of the wrong labels at each of the precisions 1/1, 2/5, 3/6.
    assert_allclose(curve.average_precision, (1 + 2 / 5 + 3 / 6) / 3)


def test_flipped_labels_of_a_large_set():
    y = np.arange(200_000) % 3
    is_noisy = flip_labels(y, random_state=0)[1]
    curve = detection_curve(is_noisy, np.zeros(len(y)))
    assert_array_equal(curve.fraction_found, curve.fraction_inspected)


@pytest.mark.parametrize("kind", [list, tuple, pd.Series, np.asarray])
def test_array_likes(kind):
    curve = detection_curve(kind([True, False, False]), kind([0.1, 0.2, 0.3]))
    assert curve.roc_auc == 1


def test_entries_in_another_order_are_not_those_of_other_rows():
    is_noisy = pd.Series([True, False, False], index=list("abc"))
    scores = pd.Series([0.2, 0.3, 0.1], index=list("bca"))
    with pytest.raises(ValueError, match=r"^is_noisy must be in the order of scores"):
        detection_curve(is_noisy, scores)
    assert detection_curve(is_noisy.loc[scores.index], scores).roc_auc == 1
    assert detection_curve(is_noisy, scores.to_numpy()).roc_auc == 0.5
    is_noisy.index = [2, 0, 1]
    with pytest.warns(UserWarning, match="The order is taken") as caught:
        detection_curve(is_noisy, scores.reset_index(drop=True))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, bool])
def test_number_types_of_scores(dtype):
    curve = detection_curve([1, 0, 0, 1], np.array([0, 1, 1, 0], dtype=dtype))
    assert curve.roc_auc == 1


@pytest.mark.parametrize(
    ("is_noisy", "scores", "message"),
    [
        ([True, False], [1.0], "an entry for each of 1 scores, got 2"),
        ([True, True], [1.0, 2.0], "got 2 True among 2 rows"),
        ([False, False], [1.0, 2.0], "got 0 True among 2 rows"),
        ([], [], "got 0 True among 0 rows"),
        ([1, -1], [1.0, 2.0], "must be a mask"),
        ([4, 17], [1.0, 2.0], "must be a mask"),
        ([0.0, np.nan], [1.0, 2.0], "must be a mask"),
        (["yes", "no"], [1.0, 2.0], "must be a mask"),
        ([True, False], [1.0, np.nan], "NaN in 1 of 2 rows, the first at row 1"),
        ([True, False], ["a", "b"], "must be real numbers"),
        ([True, False], [1j, 2], "^scores must not hold complex numbers, got dtype"),
        ([True, False], np.array([1j, 2]), "^scores must not hold complex numbers"),
        ([1, 0j], [1, 2], "^is_noisy must not hold complex numbers"),
        ([True, False], [[1, 2], [3, 4]], "1d array"),
    ],
)
def test_bad_input(is_noisy, scores, message):
    with pytest.raises(ValueError, match=message):
        detection_curve(is_noisy, scores)


def test_masks_and_scores_in_object_arrays():
    mask = np.array([True, False, True, False], dtype=object)
    scores = np.array([0.1, 0.4, 0.2, 0.3], dtype=object)
    found = detection_curve(mask, scores)
    expected = detection_curve(mask.astype(bool), scores.astype(float))
    assert found.roc_auc == expected.roc_auc == 1.0
    with pytest.raises(ValueError, match="must be a mask"):
        detection_curve(np.array([True, "no"], dtype=object), [0.1, 0.2])


@pytest.mark.parametrize("name", ["is_noisy", "scores"])
def test_masked_entries_are_missing(name):
    given = {"is_noisy": np.array([1, 0, 0, 1]), "scores": np.arange(4.0)}
    given[name] = np.ma.array(given[name], mask=[0, 0, 0, 1])
    with pytest.raises(ValueError, match=f"{name} must not be missing, but 1 "):
        detection_curve(**given)
