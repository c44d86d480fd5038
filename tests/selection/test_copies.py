"""Tests of copies of rows, whose labels agree or not."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.preprocessing import scale

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    LabelNoiseDetector,
    flip_labels,
)
from skshap.kernel_ridge._ridge_factor import KernelRidgeFactor
from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.selection import _refits
from skshap.selection._copies import (
    diagonal_of_copies,
    find_copies,
    find_recurring,
    judge_together,
    number_rows,
    warn_of_copies,
)
from tests.conftest import WORDS

# Row by row: which distinct row it is, and its label.
PLACES = np.array([0, 1, 2, 0, 3, 4, 1, 0, 5, 4, *range(6, 18)])
LABELS = np.array([0, 1, 1, 0, 2, 2, 0, 0, 1, 2, *np.arange(12) % 3])
N = len(PLACES)
X = np.random.default_rng(0).normal(size=(18, 3))[PLACES]


def rbf(X):
    return TrainingKernel(rbf_kernel(X), is_explicit=False)


def linear(X):
    return TrainingKernel(linear_kernel(X), is_explicit=False)


def numbers_of_copies(number):
    """Number copies whose labels, none of them clean, differ."""
    n = len(number)
    return find_copies(number, np.arange(n), np.zeros(n, dtype=bool), 10)


def features(X):
    return TrainingKernel(X, is_explicit=True, lost=0.5)


@pytest.mark.parametrize("kernel", [rbf, linear, features])
def test_copies_have_a_number_in_common_but_clean_ones(kernel, monkeypatch):
    expected = [tuple(np.flatnonzero(PLACES == place)) for place in PLACES]
    expected[0] = expected[7] = (0, 7)  # row 3, which is clean, is the same
    expected[3] = (3,)
    for block in (256, 5):
        monkeypatch.setattr("skshap.selection._copies.BLOCK", block)
        number = find_copies(number_rows(kernel(X)), LABELS, np.arange(N) == 3, 10)
        found = [tuple(np.flatnonzero(number == i)) for i in number]
        assert found == expected
    assert set(number) == set(range(len(set(expected))))


def test_copies_that_recur_often_count_where_labels_differ():
    number, given = np.append([0] * 20, np.arange(1, 181)), np.zeros(200)
    is_clean = np.arange(200) < 8  # these count as well
    options = is_clean, 20
    assert len(set(find_copies(number, given, *options))) == 182
    given[[0, 10]] = 1
    assert len(set(find_copies(number, given, *options))) == 200
    number[0] = 200  # one less
    given[1] = 1
    assert len(set(find_copies(number, given, *options))) == 183


def test_how_often_rows_recur_is_told_by_all_of_them(monkeypatch):
    """Also where some recur, and are no part of those that are left."""
    found, known = [], _refits.find_copies

    def spy(*args):
        found.append((len(args[0]), args[-1]))
        return known(*args)

    monkeypatch.setattr(_refits, "find_copies", spy)
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.zeros((300, 2)), rng.normal(size=(1200, 2))])
    y = np.append(np.arange(300) % 2, rows[300:, 0] > 0)
    LabelNoiseDetector(FreeShapAttributor(), contamination=0.1).fit(rows, y)
    assert found == [(1200, 15)]


@pytest.mark.parametrize("method", ["auto", "loo", "prequential"])
def test_rows_sampled_with_replacement_are_warned_of(method):
    """Each wrong label has copies that vouch for it; before sampling there are none."""
    X, y = load_breast_cancer(return_X_y=True)
    given, _ = flip_labels(y, rate=0.1, random_state=0)
    places = np.random.default_rng(0).integers(0, len(y), 500)
    n_copies = 500 - len(set(places))
    attributor = FreeShapAttributor(alpha=0.1)
    detector = LabelNoiseDetector(attributor, contamination=0.1, method=method)
    with pytest.warns(UserWarning, match=f"^{n_copies} of 500 rows of X are copies"):
        detector.fit(scale(X)[places], given[places])
    # Nor do copies in X_val count, whose labels are right.
    forty = np.arange(200) % 40
    clean = {"X_val": scale(X)[300:][forty] + 1e-3, "y_val": y[300:][forty]}
    detector.fit(scale(X)[:300], given[:300], **clean)


@pytest.mark.parametrize("n_other, is_warned", [(0, True), (1, False)])
def test_copies_with_other_labels_are_those_of_a_table(n_other, is_warned):
    number, given = np.repeat(np.arange(110), 2), np.repeat(np.arange(110) % 2, 2)
    given[: 2 * n_other : 2] = 1 - given[: 2 * n_other : 2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_copies(number, given)
    assert len(caught) == is_warned
    warn_of_copies(np.arange(49) % 30, np.zeros(49, dtype=int))
    with pytest.warns(UserWarning, match="20 of 50 rows of X are copies"):
        warn_of_copies(np.arange(50) % 30, np.zeros(50, dtype=int))
    warn_of_copies(np.arange(200) % 9, np.arange(200) % 9)  # of nine cells
    few = np.append(np.arange(4 * 110 + 1), np.arange(110))  # a fifth of them
    warn_of_copies(few, np.zeros(len(few), dtype=int))


@pytest.mark.parametrize("block", [256, 1])
def test_rows_that_are_near_are_no_copies(block, monkeypatch):
    monkeypatch.setattr("skshap.selection._copies.BLOCK", block)
    near = np.array([[0.0, 0], [0, 1e-3], [1, 1], [1, 1 + 1e-9], [5, 5], [7, 0]])
    for kernel in (rbf, features):
        found = numbers_of_copies(number_rows(kernel(near)))
        assert found.tolist() == [0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize("kernel", [linear, features])
@pytest.mark.parametrize("offset", [0, 2024, 1e4])
def test_a_column_far_from_zero_makes_no_copies(offset, kernel):
    rows = np.c_[X, np.full(N, offset)]
    expected = np.unique(PLACES, return_inverse=True)[1]
    number = number_rows(kernel(rows))
    assert_array_equal(number[:, None] == number, expected[:, None] == expected)


@pytest.mark.parametrize("kernel", [linear, features])
def test_small_rows_among_large_ones_are_no_copies(kernel):
    rows = X[np.unique(PLACES, return_index=True)[1]]
    rows[::2] *= 1e-6
    assert len(set(number_rows(kernel(rows)))) == len(rows)


def test_of_an_indefinite_kernel_no_negative_distance_is_small():
    K = np.eye(6)
    K[0, 1] = K[1, 0] = 5.0
    number = number_rows(TrainingKernel(K, is_explicit=False))
    assert numbers_of_copies(number).tolist() == list(range(6))


def test_rows_of_negative_size_are_themselves():
    K = np.diag([1.0, 0, -1e-17, -2, -2])
    K[3:, 3:] = -2
    number = number_rows(TrainingKernel(K, is_explicit=False))
    assert number.tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize(("n_copies", "are_left_out"), [(20, True), (21, False)])
def test_where_many_rows_are_copies_they_count(n_copies, are_left_out):
    rows = np.random.default_rng(0).normal(size=(100, 2))
    rows[-n_copies:] = rows[:n_copies]
    number = numbers_of_copies(number_rows(rbf(rows)))
    assert len(set(number)) == (80 if are_left_out else 100)


def test_tables_of_few_distinct_rows():
    """A cell is known by its own rows alone."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (200, 2))
    y = rows[:, 0] ^ rows[:, 1]
    assert LabelNoiseDetector().fit(rows, y).noise_rate_ < 0.01
    given, wrong = y.copy(), np.flatnonzero((rows == 0).all(1))[:5]
    given[wrong] = 1
    issues = LabelNoiseDetector().fit(rows, given).label_issues_
    assert_array_equal(np.flatnonzero(issues), wrong)
    rows = rng.integers(0, 3, (300, 3))
    y = (rows[:, 0] * rows[:, 1] + rows[:, 2]) % 3
    given, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    assert_array_equal(LabelNoiseDetector().fit(rows, given).label_issues_, is_flipped)


@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.parametrize("attributor", [None, FreeShapAttributor()])
@pytest.mark.filterwarnings("ignore:none of")
def test_copies_do_not_choose_alpha(attributor, monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    rows, y = scale(X)[:200], flip_labels(y[:200], rate=0.2, random_state=0)[0]
    used = []

    def spy(inverse_diagonal, copies, alpha):
        used.append(alpha)
        return diagonal_of_copies(inverse_diagonal, copies, alpha)

    monkeypatch.setattr(_refits, "diagonal_of_copies", spy)
    detector = LabelNoiseDetector(attributor)
    plain = detector.fit(rows, y).label_quality_
    twice = np.concatenate([np.arange(200), np.arange(50)])
    found = detector.fit(rows[twice], y[twice]).label_quality_
    assert len(set(used)) == 1
    assert_allclose(found[200:], found[:50], rtol=1e-9)
    assert np.corrcoef(found[:200], plain)[0, 1] > 0.98


@pytest.mark.parametrize("clean", [[], [3]])  # one of three that are the same
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_predictions_are_those_of_refits_without_copies(alpha, clean):
    is_clean = np.isin(np.arange(N), clean)
    K, number = rbf_kernel(X), find_copies(number_rows(rbf(X)), LABELS, is_clean, 10)
    assert len(set(number)) == 18 + len(clean)
    Y = np.random.default_rng(1).random((N, 3))
    prior = Y.mean(0)
    factor = KernelRidgeFactor(K, alpha)
    diagonal = factor.inverse_diagonal
    joint = diagonal_of_copies(diagonal, number, alpha)
    found = _refits.leave_out(factor, number, joint, Y)
    for i in range(N):
        rest = np.flatnonzero(number != number[i])
        A = K[np.ix_(rest, rest)] + alpha * np.eye(len(rest))
        expected = prior + K[i, rest] @ np.linalg.solve(A, Y[rest] - prior)
        assert_allclose(found[i], expected, atol=1e-9)
    assert_array_equal(diagonal_of_copies(diagonal, np.arange(N), alpha), diagonal)


def blobs(n_copies):
    """Two clear classes and, of row 0, copies; with its label, a wrong one."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    rows = rng.normal(size=(60, 2)) + 6 * y[:, None]
    rows = np.concatenate([rows, np.repeat(rows[:1], n_copies, axis=0)])
    y = np.append(y, np.zeros(n_copies, dtype=int))
    given = y.copy()
    given[(rows == rows[0]).all(1)] = 1
    return rows, y, given


@pytest.mark.parametrize("n_copies", [0, 1, 4])
def test_a_wrong_label_on_all_copies_is_found(n_copies):
    rows, y, given = blobs(n_copies)
    detector = LabelNoiseDetector().fit(rows, given)
    assert_array_equal(detector.label_issues_, given != y)
    assert_array_equal(detector.suggested_labels_, y)


def test_a_wrong_label_on_one_of_several_copies_is_found():
    rows, y, given = blobs(4)
    given[:] = y
    given[0] = 1
    detector = LabelNoiseDetector().fit(rows, given)
    assert_array_equal(np.flatnonzero(detector.label_issues_), [0])


def test_a_few_that_say_little_with_copies_of_other_labels_hide_no_wrong_label():
    """Each is surely predicted, by its copy alone, and wrongly."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 3
    rows = rng.normal(size=(200, 4)) + 4 * np.eye(3, 4)[y]
    given, is_flipped = flip_labels(y, rate=0.1, random_state=0)
    rows = np.concatenate([rows, np.ones((16, 4))])
    label = rng.integers(0, 3, 8)
    given = np.concatenate([given, label, (label + 1) % 3])
    number = np.concatenate([np.arange(200), *[np.arange(200, 208)] * 2])
    K = linear_kernel(rows) / 10 + (number[:, None] == number)
    detector = LabelNoiseDetector(FreeShapAttributor("precomputed")).fit(K, given)
    assert np.median(detector.label_quality_[:200][is_flipped]) < 0.01
    assert not detector.label_issues_[200:].any()


def test_a_clean_copy_vouches_for_a_label(monkeypatch):
    rows, _, given = blobs(0)
    held_out = {"X_val": rows[[0, 5]], "y_val": given[[0, 5]]}
    found = LabelNoiseDetector().fit(rows, given, **held_out).label_quality_
    monkeypatch.setattr(  # nothing is left out but the row itself
        _refits, "find_copies", lambda number, *args: np.arange(len(number))
    )
    expected = LabelNoiseDetector().fit(rows, given, **held_out).label_quality_
    assert_allclose(found, expected)
    assert not np.allclose(
        LabelNoiseDetector().fit(rows, given).label_quality_[0], expected[0]
    )


def draw_copies(n_rows, n_copies, has_one_truth, rng):
    """Rows of three classes: labels of copies, given by one true one each or more."""
    transition = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    copies = np.repeat(np.arange(n_rows), n_copies)
    probabilities = rng.dirichlet(np.full(3, 2.0), n_rows)[copies]
    cumulated = probabilities.cumsum(1)
    thresholds = (
        rng.random(n_rows)[copies] if has_one_truth else rng.random(len(copies))
    )
    true = (cumulated > thresholds[:, None]).argmax(1)
    changed = rng.random(len(copies)) < 0.1
    given = np.where(changed, (true + rng.integers(1, 3, len(copies))) % 3, true)
    return probabilities, transition, given, copies


@pytest.mark.parametrize("n_copies", [2, 3])
def test_copies_of_one_truth_are_judged_together(n_copies):
    rng = np.random.default_rng(0)
    labels = draw_copies(40, n_copies, True, rng)
    probabilities, transition, given, copies = labels
    rows, posterior = judge_together(*labels)
    expected = []
    for i in range(len(given)):
        same = [j for j in range(len(given)) if copies[j] == copies[i]]
        if len({given[j] for j in same}) > 1:
            joint = probabilities[i].copy()
            for j in same:
                joint *= transition[:, given[j]]
            expected.append((i, *(joint / joint.sum())))
    expected = np.array(expected)
    assert 0 < len(expected) < len(given)
    assert_array_equal(rows, expected[:, 0])
    assert_allclose(posterior, expected[:, 1:])


def test_rows_that_are_the_same_by_chance_are_judged_apart():
    rng = np.random.default_rng(0)
    rows, posterior = judge_together(*draw_copies(40, 2, False, rng))
    assert rows.shape == (0,)
    assert posterior.shape == (0, 3)


@pytest.mark.parametrize(("n_rows", "is_together"), [(8, False), (9, True)])
def test_how_often_labels_must_agree(n_rows, is_together):
    """Of rows that say nothing each pair that agrees gains log(1.64), as one says."""
    transition = np.array([[0.9, 0.1], [0.1, 0.9]])
    given = np.append(np.zeros(2 * n_rows, dtype=int), [0, 1])
    copies = np.repeat(np.arange(n_rows + 1), 2)
    labels = np.full((len(given), 2), 0.5), transition, given, copies
    # One true label: (.81 + .01) / 2 for a pair that agrees, .09 for one that does not,
    # against a quarter.
    gain = n_rows * np.log(0.41 / 0.25) + np.log(0.09 / 0.25)
    assert (gain >= np.log(20)) == is_together
    assert len(judge_together(*labels)[0]) == 2 * is_together
    assert len(judge_together(*labels, least=-np.inf)[0]) == 2


def test_a_pair_alone_does_not_say_that_copies_have_one_truth():
    probabilities, transition = np.full((4, 3), 1 / 3), np.full((3, 3), 0.1)
    transition += 0.7 * np.eye(3)
    given, copies = np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])
    assert len(judge_together(probabilities, transition, given, copies)[0]) == 0


def test_labels_of_copies_are_not_all_right_where_they_differ():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    rows = rng.normal(size=(200, 4)) + 0.8 * y[:, None]
    twice = np.concatenate([np.arange(200), np.arange(40)])
    rows, y = rows[twice], y[twice]
    given = y.copy()
    given[:5] = 1 - y[:5]
    detector = LabelNoiseDetector(contamination=0.1)
    quality = detector.fit(rows, given).label_quality_
    assert (quality[:5] + quality[200:205] <= 1 + 1e-9).all()
    right = np.delete(np.arange(40), np.arange(5))  # copies whose labels agree
    assert (quality[right] + quality[right + 200] > 1).mean() > 0.8
    # And where some are known to be right, those are believed whatever others say.
    known = {"X_val": rows[:5], "y_val": y[:5]}
    other = detector.fit(rows, given, **known).label_quality_
    assert (other[:5] + other[200:205] <= 1 + 1e-9).all()


def test_copies_of_texts(tiny_encoder, tiny_tokenizer):
    texts = [f"{word} film" for word in WORDS[:12]]
    texts, y = [*texts, *texts[:3]], np.array([1, 0, 1] * 5)
    kernel = EmpiricalNTK(
        tiny_encoder, tokenizer=tiny_tokenizer, max_length=32, random_state=0
    )
    fitted = FreeShapAttributor(kernel).fit(texts, y)
    number = numbers_of_copies(number_rows(fitted._training_kernel))
    assert_array_equal(number, [*range(12), 0, 1, 2])


def recurring(number, given, is_clean=False):
    n = len(given)
    found = find_recurring(np.array(number), given, np.full(n, is_clean))
    return np.flatnonzero(found).tolist()


@pytest.mark.parametrize(("n", "often"), [(100, 10), (2000, 20)])
def test_rows_recur_from_a_hundredth_and_ten_on(n, often):
    given = np.arange(n) % 2
    number = [0] * often + [*range(1, n - often + 1)]
    assert recurring(number, given) == list(range(often))
    number[0] = n  # one less
    assert recurring(number, given) == []


def test_rows_of_several_kinds_recur():
    number = [0] * 10 + [1] * 12 + [*range(2, 60)]
    assert recurring(number, np.arange(80) % 2) == list(range(22))


@pytest.mark.parametrize(("n_other", "is_one"), [(3, True), (4, False), (12, False)])
def test_rows_that_recur_with_one_label_say_something(n_other, is_one):
    """More than half of the way from the share of all rows, .5, to all of them."""
    of_same = [1] * n_other + [0] * (16 - n_other)
    given = np.array(of_same + [1] * (40 - n_other) + [0] * (24 + n_other))
    assert given.mean() == 0.5
    number = [0] * 16 + [*range(1, 65)]
    assert recurring(number, given) == ([] if is_one else list(range(16)))


def test_a_table_of_few_distinct_rows_has_none_that_recur():
    number = [0] * 30 + [*range(1, 11)] * 4
    assert recurring(number, np.arange(70) % 2) == []
    number = [0] * 30 + [*range(1, 36), *range(1, 6)]  # an eighth copies
    assert recurring(number, np.arange(70) % 2) == list(range(30))


def test_none_recur_where_no_two_other_labels_may_be_wrong():
    number = [0] * 30 + [*range(1, 31)]
    given = np.append(np.arange(30) % 2, [0] * 30)
    assert recurring(number, given) == []
    given[-1] = 1
    assert recurring(number, given) == list(range(30))
    assert recurring(number, given, is_clean=True) == []
    assert recurring([0] * 60, given) == []
