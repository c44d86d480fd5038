"""Which labels are called wrong, by how probably they are right."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_blobs,
    make_classification,
)
from sklearn.naive_bayes import GaussianNB

from skshap import DataRemoval, FreeShapAttributor, LabelNoiseDetector, flip_labels
from skshap.selection import _issues
from skshap.selection._issues import (
    JudgedLabels,
    are_told,
    clean_rows_tell,
    find_issues,
    judge_labels,
    warn_of_silence,
)
from skshap.selection._noise_model import NoiseModel
from skshap.selection._refits import Misses


def test_contamination_is_a_share_of_the_rows(noisy_iris):
    X, _, y, _ = noisy_iris
    detector = LabelNoiseDetector(contamination=0.2)
    verdict = detector.fit_predict(X, y)
    assert_array_equal(np.unique(verdict), [-1, 1])
    assert_array_equal(verdict == -1, detector.label_issues_)
    assert detector.label_issues_.sum() == 30
    worst_kept = detector.label_quality_[~detector.label_issues_].min()
    assert detector.label_quality_[detector.label_issues_].max() <= worst_kept


@pytest.mark.parametrize("grey", [0.0, 0.3])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_rows_that_say_nothing_do_not_hide_wrong_labels(share, grey):
    X, y = load_digits(return_X_y=True)
    X, y, rng = X[:800] / 16, y[:800], np.random.default_rng(0)
    y_noisy, is_wrong = flip_labels(y, rate=0.1, random_state=0)
    blank = rng.choice(800, int(share * 800), replace=False)
    X[blank] = grey * rng.uniform(size=(len(blank), 64))
    detector = LabelNoiseDetector().fit(X, y_noisy)
    issues = detector.label_issues_
    is_wrong[blank] = False  # of these nobody can say
    assert issues[is_wrong].mean() > 0.75
    assert is_wrong[issues].mean() > 0.95


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_half_of_the_rows_may_be_empty(share, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 600)
    X = rng.normal(size=(600, 5)) + 6 * np.eye(3, 5)[y]
    is_wrong, is_empty = rng.random((2, 600)) < np.array([[0.08], [share]])
    y_noisy = np.where(is_wrong, (y + 1) % 3, y)
    X[is_empty] = 0
    issues = LabelNoiseDetector().fit(X, y_noisy).label_issues_
    assert not issues[is_empty].any()
    assert is_wrong[issues].mean() > 0.9
    assert issues[is_wrong & ~is_empty].mean() > 0.9


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_rows_that_recur_hide_no_wrong_labels_of_unequal_classes(share):
    X, y = load_digits(return_X_y=True)
    y = (y < 3).astype(int)
    y_noisy, is_wrong = flip_labels(y, rate=0.1, random_state=0)
    recurs = np.random.default_rng(0).random(len(y)) < share
    X[recurs] = 7
    detector = LabelNoiseDetector().fit(X, y_noisy)
    issues = detector.label_issues_
    assert not issues[recurs].any()
    assert issues[is_wrong & ~recurs].mean() > 0.9
    assert is_wrong[issues].mean() > 0.95


def test_a_class_of_rows_that_recur_is_a_class():
    rng = np.random.default_rng(0)
    y = np.append([2] * 60, rng.integers(0, 2, 340))
    X = rng.normal(size=(400, 5))
    X[:, 0] += 6 * y - 3
    X[:60] = [0, 9, 9, 0, 0]
    y_noisy, is_wrong = flip_labels(y, rate=0.1, random_state=0)
    assert is_wrong[:60].any()
    detector = LabelNoiseDetector().fit(X, y_noisy)
    assert_array_equal(detector.label_issues_, is_wrong)


def test_issues_are_withheld_where_many_rows_are_hard():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    X = rng.normal(size=(300, 2)) + 2.5 * np.eye(3, 2)[y]
    y_noisy, _ = flip_labels(y, rate=0.05, random_state=0)
    options = {"noise": "class-conditional"}
    detector = LabelNoiseDetector(FreeShapAttributor(), **options)
    with pytest.warns(UserWarning) as caught:
        detector.fit_predict(X, y_noisy)
    assert len(caught) == 1
    assert Path(caught[0].filename).name == "test_issues.py"
    looks = find_issues(detector.label_quality_, y_noisy, "auto").sum()
    words = f"labels look wrong, {looks} of 300, but none is called wrong: right labels"
    assert str(caught[0].message).startswith(words)
    assert detector.issues_withheld_
    assert not detector.label_issues_.any()
    assert (detector.label_quality_ < 0.25).any()  # one such label would be called
    for other in ("loo", "prequential"):  # which have no such rule
        attributor = FreeShapAttributor(n_permutations=5, random_state=0)
        detector = LabelNoiseDetector(attributor, method=other, **options)
        assert detector.fit(X, y_noisy).label_issues_.any()
        assert not detector.issues_withheld_


@pytest.mark.parametrize("contamination", ["auto", 0.5])
def test_no_class_is_emptied(contamination):
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(90, 2)), rng.normal(size=(10, 2)) + 8])
    y = np.repeat([0, 1], [90, 10])
    y[:4] = 2  # a class whose every row lies in the midst of another
    detector = LabelNoiseDetector(contamination=contamination).fit(X, y)
    kept = ~detector.label_issues_
    assert set(y[kept]) == {0, 1, 2}
    for label in range(3):  # the last one is that of the best quality
        quality = detector.label_quality_[y == label]
        assert kept[y == label][quality.argmax()]
    assert kept[y == 1].sum() >= 8 or contamination != "auto"


def test_one_row_of_a_class(noisy_iris):
    X, y, _, _ = noisy_iris
    y = np.append(y[:-1], 3)
    with pytest.warns(UserWarning, match="single row"):
        detector = LabelNoiseDetector(contamination=0.1).fit(X, y)
    assert not detector.label_issues_[-1]  # it is the last of its class
    assert np.isfinite(detector.label_quality_).all()


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("n_rare", [2, 3])
def test_a_few_rows_of_one_more_class_hide_no_wrong_labels(n_rare, seed):
    """As labels with a typo: noise turned next to no others into their class."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(seed)
    flipped = rng.choice(569, 56, replace=False)
    y[flipped] = 1 - y[flipped]
    rare = rng.choice(np.setdiff1d(np.flatnonzero(y == 1), flipped), n_rare, False)
    expected = np.isin(np.arange(569), flipped)
    y[rare] = 2
    found = LabelNoiseDetector().fit(X, y)
    assert found.label_issues_[expected].sum() > 40
    assert found.label_issues_[~expected].sum() < 12
    assert not found.label_issues_[rare].any()


@pytest.mark.parametrize("n_wrong", [0, 1])
@pytest.mark.parametrize(("n_more", "seed"), [(4, 1), (12, 2), (40, 3)])
def test_a_nearly_clean_class_hides_no_wrong_labels_of_others(n_more, seed, n_wrong):
    """Of three classes a tenth of the labels is wrong; `n_wrong` are of a fourth."""
    X, true = make_blobs(300, n_features=4, cluster_std=0.7, random_state=seed)
    rng = np.random.default_rng(0)
    y = true.copy()
    flipped = rng.random(300) < 0.1
    y[flipped] = (y[flipped] + 1 + rng.integers(0, 2, flipped.sum())) % 3
    y[:n_wrong] = 3
    expected = np.append(y != true, np.zeros(n_more, dtype=bool))
    X = np.vstack([X, rng.normal(20, size=(n_more, 4))])
    found = LabelNoiseDetector().fit(X, np.append(y, np.full(n_more, 3)))
    assert found.label_issues_[expected].mean() > 0.9
    assert not found.label_issues_[~expected].any()


@pytest.mark.parametrize(
    ("contamination", "n_issues"), [(0.01, 0), (0.2, 1), (0.25, 2), (0.9, 6)]
)
def test_a_share_of_the_rows_is_rounded(contamination, n_issues):
    quality = np.array([0.9, 0.3, 0.8, 0.1, 0.7, 0.6, 0.2])  # of seven rows
    issues = find_issues(quality, np.zeros(7, dtype=int), contamination)
    assert_array_equal(issues, quality < np.sort(quality)[n_issues])


@pytest.mark.parametrize("contamination", ["auto", 0.8, 0.99])
def test_of_a_class_the_best_row_is_never_called(contamination):
    quality = np.array([0.1, 0.02, 0.3, 0.2, 0.01, 0.05])
    given = np.array([0, 2, 0, 0, 1, 2])
    issues = find_issues(quality, given, contamination)
    assert issues.tolist() == [True, True, False, True, False, False]


def test_false_alarms_are_a_quarter_of_the_issues_at_most():
    quality = np.array([0.0, 0.2, 0.4, 0.4, 0.4, 0.8, 0.9])
    issues = find_issues(quality, np.array([0] * 6 + [1]), "auto")
    assert quality[issues].mean() == 0.25
    assert issues.sum() == 4  # with the next 0.28 would be expected


def test_rows_that_are_never_called_pay_for_no_false_alarms():
    quality = np.array([0.0, 0.3, 0.44, 0.44, 0.9, 0.05, 0.05])
    given = np.array([0, 0, 0, 0, 0, 1, 2])  # the last two classes have one row each
    issues = find_issues(quality, given, "auto")
    assert_array_equal(np.flatnonzero(issues), [0, 1, 2])
    assert quality[issues].mean() <= 0.25
    assert find_issues(quality, given, 0.25).sum() == 2


def test_no_label_is_called_that_is_more_probably_right():
    quality = np.array([0.0] * 10 + [0.49, 0.5, 0.6, 0.9])
    issues = find_issues(quality, np.zeros(14, dtype=int), "auto")
    assert_array_equal(np.flatnonzero(issues), np.arange(11))


def test_a_rival_is_the_most_probable_other_label_by_all_that_is_known():
    rng = np.random.default_rng(0)
    true, given = rng.integers(0, 3, (2, 30))
    given = np.where(rng.random(30) < 0.7, true, given)
    model = NoiseModel(given, 3, np.arange(30) >= 20)
    model.fit(rng.normal(size=(30, 3)) + 2 * np.eye(3)[true])
    judged = judge_labels(model, 20, Misses(0.0, 0.0, 0.0), "auto")
    assert_array_equal(judged.given, given[:20])
    for i, label in enumerate(given[:20]):
        joint = model.probabilities[i] * model.transition[:, label]
        p = (joint / joint.sum()).tolist()
        assert_allclose(judged.quality[i], p[label])
        p[label] = 0.0
        assert_allclose(judged.rival_quality[i], max(p))
        assert judged.rivals[i] == p.index(max(p))
    apart = np.abs(judged.rival_quality - model.probabilities[range(20), judged.rivals])
    assert apart.max() > 0.1  # the given label counts


def test_wrong_labels_are_told_if_few_rows_are_missed_at_first_or_at_last():
    rate, few, many, right, hard = 0.1, 0.1, 0.4, 0.4, 0.2
    assert are_told(Misses(few, many, many), rate, right, hard)
    assert are_told(Misses(many, 0.03, many), rate, right, hard)
    assert not are_told(Misses(many, many, many), rate, right, hard)
    assert not are_told(Misses(many, many, many), rate, right, 0.0)
    assert are_told(Misses(many, many, many), many, right, hard)  # as many are wrong


@pytest.mark.parametrize(
    ("right_share", "right", "told"),
    [(0.3, 0.24, True), (0.3, 0.26, False), (0.04, 0.5, True), (0.0, 0.6, False)],
)
def test_wrong_labels_are_told_if_most_of_those_missed_and_suspected_are(
    right_share, right, told
):
    misses = Misses(0.5, 0.2, right_share)
    assert are_told(misses, 0.1, right, 0.2) == told
    assert not are_told(misses, 0.1, right, 0.23)  # more rows are hard


def test_wrong_labels_are_told_if_most_are_wrong_at_one_rate_as_well():
    missed, hard = Misses(0.0, 0.0, 0.9), 0.05
    assert are_told(missed, 0.1, 0.49, hard)
    assert not are_told(missed, 0.1, 0.51, hard)


def test_wrong_labels_are_told_if_next_to_no_row_is_hard():
    few = Misses(0.0, 0.0, 0.9)
    assert are_told(few, 0.1, 1.0, 0.02)
    assert not are_told(few, 0.1, 1.0, 0.03)


@pytest.mark.parametrize(
    ("at_first", "surely", "told"),
    [(0.18, 0.4, True), (0.19, 0.4, False), (0.4, 0.044, True), (0.4, 0.046, False)],
)
def test_largest_shares_of_rows_that_are_missed(at_first, surely, told):
    assert are_told(Misses(at_first, surely, 0.9), 0.1, 0.0, 0.2) == told


@pytest.mark.parametrize("rate", [0.1, 0.15, 0.2, 0.25])
@pytest.mark.parametrize("seed", range(3))
def test_many_wrong_labels_do_not_hide_each_other(rate, seed):
    # A twelfth of the rows lie on the wrong side, and are missed for that.
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 800)
    X = rng.normal(size=(800, 4)) + 2.9 * np.eye(4)[y]
    y_noisy, is_wrong = flip_labels(y, rate=rate, random_state=seed)
    detector = LabelNoiseDetector().fit(X, y_noisy)
    issues = detector.label_issues_
    assert issues.sum() > 0.6 * is_wrong.sum()
    assert (issues & ~is_wrong).sum() < detector.expected_false_alarms_ + 5


@pytest.mark.parametrize("seed", range(3))
def test_most_wrong_labels_of_rows_that_are_easy_are_called_and_no_others(seed):
    X, y = make_blobs(500, centers=3, n_features=10, random_state=seed)
    y_noisy, is_wrong = flip_labels(y, rate=0.3, random_state=seed)
    issues = LabelNoiseDetector().fit(X, y_noisy).label_issues_
    assert not issues[~is_wrong].any()
    assert issues[is_wrong].mean() > 0.75


def test_of_equal_labels_the_first_are_called():
    quality = np.tile([0.3, 0.4], 500)
    issues = find_issues(quality, np.zeros(1000, dtype=int), 0.25)
    assert_array_equal(np.flatnonzero(issues), np.arange(0, 500, 2))


@pytest.mark.parametrize(
    ("misses", "right", "told", "swapped"),
    [
        (Misses(0.0, 0.0, 0.9), 0.4, True, False),
        (Misses(0.0, 0.0, 0.9), 0.6, False, True),
        (Misses(0.5, 0.2, 0.9), 0.4, False, False),
        (Misses(0.5, 0.2, 0.04), 0.6, False, True),
        (Misses(0.5, 0.2, 0.06), 0.6, False, False),
    ],
)
def test_labels_look_swapped_if_only_one_rate_speaks_for_them(
    misses, right, told, swapped
):
    """If half of the suspects looked right at one rate they would be told."""
    given, quality = np.array([0, 0, 1, 1]), np.array([0.1, 0.9, 0.9, 0.9])
    alike = SimpleNamespace(quality=lambda: np.array([right, 0.9, 0.9, 0.9]))
    model = SimpleNamespace(
        given=given,
        posterior=np.full((4, 2), 0.5),
        hard_share=0.1,
        quality=lambda: quality,
        symmetric=lambda: alike,
    )
    judged = judge_labels(model, 4, misses, "auto")
    assert (judged.are_told, judged.look_swapped) == (told, swapped)
    assert judged.n_withheld == (not told)
    assert_array_equal(judged.issues, quality < told * 0.5)


def test_rows_of_right_labels_tell_what_else_cannot_be_told(monkeypatch):
    kind = {"n_informative": 5, "n_redundant": 0, "n_classes": 3}
    kind |= {"weights": [0.7, 0.2, 0.1], "flip_y": 0, "random_state": 1}
    X, y = make_classification(2200, 8, **kind)
    given, is_wrong = flip_labels(y[:1200], rate=0.1, random_state=1)
    rows = {"X_val": X[1200:], "y_val": y[1200:]}
    called = LabelNoiseDetector().fit(X[:1200], given, **rows).label_issues_
    assert called.sum() > 90
    assert is_wrong[called].mean() > 0.8
    monkeypatch.setattr(_issues, "CONFIDENCE", 1.0)  # that any of them may look wrong
    with pytest.warns(UserWarning, match="labels look wrong, .* but none is called"):
        LabelNoiseDetector().fit(X[:1200], given, **rows)


@pytest.mark.parametrize(
    ("n_clean", "n_alike", "told"),
    [
        (0, 0, False),
        (100, 0, False),
        (300, 0, True),
        (300, 2, False),
        (1000, 5, True),
        (1000, 9, False),
    ],
)
def test_right_labels_that_look_wrong_tell_how_many_are_false_alarms(
    n_clean, n_alike, told
):
    """Of 1,000 labels 60 look wrong: 15 of them may be right, by the surest bound."""
    quality = np.full(1000 + n_clean, 0.9)
    quality[:60], quality[1000 : 1000 + n_alike] = 0.3, 0.2
    given = np.zeros(len(quality), dtype=int)
    model = SimpleNamespace(given=given, quality_unknown=lambda: quality)
    assert clean_rows_tell(model, 1000, np.arange(60)) == told
    assert not clean_rows_tell(model, 1000, np.arange(0))


def judged_by(n, n_doubted, n_wrong):
    """None of n labels called, some of quality .49, `n_wrong` expected to be wrong."""
    quality = np.full(n, 1 - (n_wrong - 0.51 * n_doubted) / (n - n_doubted))
    quality[:n_doubted] = 0.49
    known = dict.fromkeys(JudgedLabels._fields)
    known |= {"given": np.zeros(n, dtype=int), "quality": quality}
    known |= {"issues": np.zeros(n, dtype=bool), "n_withheld": 0, "are_told": True}
    known |= {"misses": Misses(0.09, 0.1, 0.1), "contamination": "auto"}
    return JudgedLabels(**known)


@pytest.mark.parametrize(
    ("n", "n_doubted", "n_wrong", "why"),
    [
        (100, 2, 1.9, "2 are more probably wrong than right"),
        (100, 1, 5.1, "5 are expected to be wrong"),
        (100, 0, 2.1, "2 are expected to be wrong"),
        (1000, 0, 10.1, "10 are expected to be wrong"),
    ],
)
def test_silence_is_explained_where_some_may_be_wrong(n, n_doubted, n_wrong, why):
    with pytest.warns(UserWarning, match=f"none of {n} labels .* but {why}"):
        warn_of_silence(judged_by(n, n_doubted, n_wrong), None)


def test_more_rows_missed_than_expected_to_be_wrong_may_be_hard():
    missed = {"misses": Misses(0.3, 0.1, 0.1)}
    kernel = FreeShapAttributor().fit(np.arange(9.0)[:, None], [0, 1, 0] * 3)
    with pytest.warns(UserWarning, match="30% are not .*: wrong labels cannot be told"):
        warn_of_silence(
            judged_by(100, 1, 5.1)._replace(**missed), kernel._training_kernel
        )
    with pytest.warns(UserWarning, match="but 2 are more probably wrong than right"):
        warn_of_silence(judged_by(100, 2, 5.1)._replace(**missed), None)


@pytest.mark.parametrize(
    ("n", "n_doubted", "n_wrong"), [(100, 1, 1.9), (100, 0, 1.9), (1000, 1, 9.9)]
)
def test_silence_needs_no_word_where_hardly_any_is_wrong(n, n_doubted, n_wrong):
    """A warning would be an error."""
    judged = judged_by(n, n_doubted, n_wrong)
    warn_of_silence(judged, None)
    some = judged_by(100, 2, 1.9)._replace(contamination=0.1)
    warn_of_silence(some, None)
    kernel = FreeShapAttributor().fit(np.arange(9.0)[:, None], [0, 1, 0] * 3)
    with pytest.warns(UserWarning, match="none of .* 9% are not what other rows"):
        warn_of_silence(judged._replace(are_told=False), kernel._training_kernel)


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_say_nothing_are_not_taken_for_wrong_labels(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(400, 10)), rng.integers(0, 2, 400)
    with pytest.warns(UserWarning, match="wrong labels cannot be told from") as told:
        LabelNoiseDetector().fit(X, y)
    assert len(told) == 1
    removal = DataRemoval(GaussianNB(), n_samples_to_remove="auto")
    with pytest.warns(UserWarning, match="400 rows none is removed, but") as told:
        removal.fit(X, y)
    assert len(told) == 1


@pytest.mark.parametrize("seed", [0, 3])
def test_where_none_looks_wrong_and_none_could_be_told_there_is_a_warning(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 400)
    X = rng.normal(size=(400, 3))
    X[:, 0] += y
    detector = LabelNoiseDetector()
    with pytest.warns(
        UserWarning, match="none of 400 labels is called wrong, but [23]"
    ):
        detector.fit(X, y)
    assert not detector.label_issues_.any()
    assert detector.issues_withheld_ is False
    LabelNoiseDetector(contamination=0.1).fit(X, y)  # as the warning says


def test_the_warning_that_none_is_called_counts_those_more_probably_wrong():
    options = {"n_informative": 4, "class_sep": 0.5, "flip_y": 0.15, "random_state": 4}
    X, y = make_classification(600, 10, **options)
    detector = LabelNoiseDetector()
    with pytest.warns(UserWarning, match="none of 600 labels") as told:
        detector.fit(X, y)
    n_doubted = (detector.label_quality_ < 0.5).sum()
    assert n_doubted > 0
    words = f"but {n_doubted} are more probably wrong than right and "
    assert words in str(told[0].message)
    assert not detector.issues_withheld_


@pytest.mark.parametrize("seed", range(3))
def test_wrong_labels_of_a_rare_class_and_among_others_are_called(seed):
    """A fifth of its labels, and one in seventy of the others."""
    rng = np.random.default_rng(seed)
    y = (rng.random(1000) < 0.05).astype(int)
    X = rng.normal(size=(1000, 6)) + 5 * np.outer(y, np.eye(6)[:2].sum(0))
    is_wrong = rng.random(1000) < np.where(y, 0.2, 1 / 70)
    detector = LabelNoiseDetector().fit(X, np.where(is_wrong, 1 - y, y))
    assert detector.label_issues_[is_wrong].mean() > 0.9
    assert is_wrong[detector.label_issues_].mean() > 0.9
    assert detector.noise_rate_ == pytest.approx(is_wrong.mean(), rel=0.15)
