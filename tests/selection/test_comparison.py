"""Tests of what an estimator says of a removal, and of what is always left."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from skshap import DataRemoval, FreeShapAttributor, LabelNoiseDetector
from skshap.selection import _comparison, _harm
from skshap.selection._choice import spare_classes
from skshap.selection._comparison import compare_without, is_ahead
from skshap.selection._splits import make_splits

CLASSES = np.arange(2)


@pytest.fixture
def nearest():
    """Of one neighbour, which every wrong label misleads."""
    return KNeighborsClassifier(1)


@pytest.fixture
def removal(nearest, quick):
    return DataRemoval(nearest, quick, n_samples_to_remove="harmful", random_state=0)


def test_scores_are_those_of_a_loop(many, nearest):
    """Every value is computed on its own, from the splits that may tell it."""
    X, y, _ = many
    few = {"scoring": "neg_log_loss", "sampler": "permutation", "n_permutations": 9}
    attributor = FreeShapAttributor(random_state=0, **few)
    splits = make_splits(4, y, CLASSES, 0)
    removal = DataRemoval(nearest, attributor, n_samples_to_remove="harmful", cv=splits)
    results, gains = removal.fit(X, y).cv_results_, []
    for k, (train, test) in enumerate(splits):
        part = clone(attributor).fit(X[train], y[train])
        seed = np.random.SeedSequence([removal.attributor_._seed, k])
        part._drawn_seed = int(seed.generate_state(1)[0])  # each has its own
        values = part.attribute(X[test], y[test]) * len(test)
        gains.append(dict(zip(train, values, strict=True)))
    none, share = results["share_removed"]
    assert none == 0
    hits, quality = ([], []), quality_of(attributor, X, y)
    for k, (train, test) in enumerate(splits):
        values = []
        for i in train:
            known = [s for s in range(4) if s != k and i in gains[s]]
            counts = [len(splits[s][1]) for s in known]
            values.append(sum(gains[s][i] for s in known) / sum(counts))
        for found, n_removed in zip(hits, (0, round(share * len(train))), strict=True):
            kept = without_lowest(train, y, values, n_removed)
            hit = nearest.fit(X[kept], y[kept]).predict(X[test]) == y[test]
            found.append(np.where(hit, quality[test], 1 - quality[test]))
    scores = []
    for found in hits:
        right = np.concatenate(found).mean()  # which is how sure to be at best
        assert 0.5 < right < 1
        scores.append(
            [hit * np.log(right) + (1 - hit) * np.log(1 - right) for hit in found]
        )
    for k in range(4):
        expected = [found[k].mean() for found in scores]
        assert_allclose(results[f"split{k}_test_score"], expected, atol=1e-4)
    gain = np.concatenate(scores[1]) - np.concatenate(scores[0])
    is_clear = gain.mean() > gain.std() / len(y) ** 0.5
    assert (~removal.support_).sum() == (round(share * len(y)) if is_clear else 0)
    by_split = np.array([results[f"split{k}_test_score"] for k in range(4)])
    assert_allclose(results["mean_test_score"], by_split.mean(0))
    assert_allclose(results["std_test_score"], by_split.std(0))


def quality_of(attributor, X, y):
    """How probably each of two labels is right; else the other one is."""
    return LabelNoiseDetector(attributor).fit(X, y).label_quality_


def without_lowest(train, y, values, n_removed):
    """Which rows stay if those of lowest value go, but for half of each class."""
    kept = list(train[np.argsort(values, kind="stable")])
    left = {label: (y[train] == label).sum() // 2 for label in set(y[train])}
    for row in list(kept):
        has_gone = len(train) - len(kept)
        if has_gone < n_removed and (y[kept] == y[row]).sum() > left[y[row]]:
            kept.remove(row)
    return np.sort(kept)


@pytest.mark.parametrize(("n_more", "expected"), [(3, False), (6, True)])
def test_ahead_is_by_a_standard_error(n_more, expected):
    """Of 100 rows, 20 of them other ones, that is some four rows."""
    gains = np.zeros(100)
    gains[:10] = -1  # ten rows are lost
    gains[-10 - n_more :] = 1  # and these won
    assert is_ahead(gains, np.arange(100)) is expected


@pytest.mark.parametrize("n", [4, 20])
def test_a_standard_error_is_that_of_a_sample(n):
    """Of n gains of mean m by 1 to either side, the root of 1 / (n - 1)."""
    rows = np.arange(n)
    for m, expected in ((1.01, True), (0.99, False)):
        gains = m / np.sqrt(n - 1) + np.tile([1.0, -1.0], n // 2)
        assert is_ahead(gains, rows) is expected
    assert not is_ahead(np.zeros(n), rows)


@pytest.fixture
def overlapping():
    """Three classes side by side, the one in the middle the smallest."""
    rng = np.random.default_rng(2)
    y = rng.choice(3, 240, p=[0.36, 0.22, 0.42])
    X = rng.normal(size=(240, 6))
    X[:, 0] += y
    return X, y


def test_harmful_rows_stay_where_the_estimator_needs_them(overlapping):
    X, y = overlapping
    removal = DataRemoval(
        LogisticRegression(), n_samples_to_remove="harmful", random_state=1
    )
    removal.fit(X, y)
    assert removal.support_.all()
    assert len(removal.removal_report_.reason) == 0
    none, some = removal.cv_results_["share_removed"]
    assert none == 0 < 0.05 < some
    score = removal.cv_results_["mean_test_score"]
    assert score[1] < score[0]
    # With validation rows too, unless there are no splits to ask the estimator by. (By
    # other splits it may gain a little: of eight seeds, by two some ten rows go here.)
    removal.fit(X, y, X_val=X[::2] + 0.01, y_val=y[::2])
    assert removal.support_.all()
    removal.set_params(cv=None).fit(X, y, X_val=X[::2] + 0.01, y_val=y[::2])
    assert not removal.support_.all()
    assert not hasattr(removal, "cv_results_")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "n_minority", "shift"), [(60, 6, 1.0), (40, 20, 0.0)])
def test_hard_rows_are_no_reason_to_fail(n, n_minority, shift, seed, quick):
    """Nearly all look harmful here, at times those of a class."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    y = (np.arange(n) < n_minority).astype(int)
    X[:, 0] += shift * y
    removal = DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="harmful", random_state=seed
    )
    removal.fit(X, y)
    assert set(y[removal.support_]) == {0, 1}
    if removal.support_.all():
        return
    none, some = removal.cv_results_["mean_test_score"]
    assert some > none


def test_no_class_loses_more_than_half_of_its_rows(quick, monkeypatch):
    """Rows of a few on the wrong side, by which the estimator predicts worse."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 1, 90), rng.normal(-0.5, 1, 11)][:, None]
    y = np.repeat(["many", "few"], [90, 11])
    monkeypatch.setattr(_comparison, "is_ahead", lambda gains, rows: True)
    removal = DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="harmful", random_state=0
    )
    left = y[removal.fit(X, y).support_]
    assert (left == "few").sum() == 5
    assert (left == "many").sum() >= 45
    assert (removal.sample_values_[y == "few"] < 0).sum() > 6


def test_harmful_rows_go_where_the_estimator_is_better_off(removal, many):
    X, y, wrong = many
    removal.fit(X, y)
    assert wrong[~removal.support_].mean() > 0.8
    none, some = removal.cv_results_["share_removed"]
    assert none == 0
    assert some == pytest.approx((~removal.support_).mean())
    score = removal.cv_results_["mean_test_score"]
    assert score[1] > score[0]


def test_labels_that_go_wrong_in_one_way_are_no_score(quick):
    """A regression that has learned how predicts the wrong ones, and no true one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    truth = (X[:, 0] > 0).astype(int)
    X[:, 0] += 2 * truth
    y = np.where((truth == 0) & (rng.random(300) < 0.3), 1, truth)
    removal = DataRemoval(
        LogisticRegression(), quick, n_samples_to_remove="harmful", random_state=0
    )
    removal.fit(X, y)
    wrong = y != truth
    assert wrong[~removal.support_].sum() > 0.8 * wrong.sum()
    none, some = removal.cv_results_["mean_test_score"]
    assert some > none


def test_a_row_counts_once_however_many_splits_evaluate_on_it():
    gains = np.tile([1.1, -0.9], 10)
    assert not is_ahead(gains, np.arange(20))
    many = np.tile(gains, 100)
    assert not is_ahead(many, np.tile(np.arange(20), 100))
    assert is_ahead(many, np.arange(2000))


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_validation_rows_give_values_and_splits_the_choice(removal, many):
    X, y, wrong = many
    held_out = {"X_val": X[~wrong][:30], "y_val": y[~wrong][:30]}
    removal.fit(X, y, **held_out)
    values = removal.sample_values_
    assert_allclose(
        values, removal.attributor_.attribute(held_out["X_val"], held_out["y_val"])
    )
    results, found = removal.cv_results_, [[], []]
    none, share = results["share_removed"]
    assert none == 0 < share
    splits = make_splits(5, y, CLASSES, removal.attributor_.random_state)
    quality = quality_of(removal.attributor, X, y)
    for k, (train, test) in enumerate(splits):
        kept = without_lowest(train, y, values[train], round(share * len(train)))
        hit = removal.estimator.fit(X[kept], y[kept]).predict(X[test]) == y[test]
        found[0].append(np.where(hit, quality[test], 1 - quality[test]).mean())
        found[1].append(results[f"split{k}_test_score"][-1])
    right = np.mean(found[0])
    expected = np.log([1 - right, right])
    expected = expected[0] + np.array(found[0]) * (expected[1] - expected[0])
    assert_allclose(found[1], expected, atol=1e-4)


def test_precomputed_kernels_and_workers(removal, many):
    X, y, _ = many
    K = rbf_kernel(X, gamma=1.0)
    quick = removal.attributor.set_params(kernel="rbf", kernel_params={"gamma": 1.0})
    expected = removal.set_params(estimator=SVC(gamma=1.0)).fit(X, y).cv_results_
    precomputed = DataRemoval(
        SVC(kernel="precomputed"),
        clone(quick).set_params(kernel="precomputed", kernel_params=None),
        n_samples_to_remove="harmful",
        random_state=0,
        n_jobs=2,
    )
    found = precomputed.fit(K, y).cv_results_
    assert list(found) == list(expected)
    for name, scores in expected.items():
        assert_allclose(found[name], scores, err_msg=name)


def test_parameters_of_rows_are_cut_down(many):
    X, y, _ = many
    seen = []

    class Weighted(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(len(X))
            assert_array_equal(sample_weight, X[:, 0])
            return super().fit(X, y)

    with config_context(enable_metadata_routing=True):
        model = Weighted().set_fit_request(sample_weight=True)
        quick = FreeShapAttributor(n_permutations=2)
        removal = DataRemoval(
            model, quick, n_samples_to_remove="harmful", random_state=0
        )
        removal.fit(X, y, sample_weight=X[:, 0])
    share = removal.cv_results_["share_removed"][1]
    assert seen == [160, 160 - round(share * 160)] * 5 + [removal.support_.sum()]


@pytest.mark.filterwarnings("ignore:n_samples_to_remove=.auto.. of 45")
def test_the_best_row_of_each_class_is_left(nearest):
    values, y = np.array([3.0, 1, 2, 9, 5, 5]), np.array(list("aaabcc"))
    order, n_removable = spare_classes(np.argsort(values, kind="stable"), y)
    assert order.tolist() == [1, 2, 4, 0, 5, 3]
    assert n_removable == 3
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(5, 2))])
    y = np.repeat([0, 1], [40, 5])  # rows of a rare class that lies among the other
    attributor = FreeShapAttributor(n_permutations=3, random_state=0)
    for how in ("auto", "harmful"):
        removal = DataRemoval(nearest, attributor, n_samples_to_remove=how, cv=5)
        removal.set_params(random_state=0).fit(X, y)
        assert set(y[removal.support_]) == {0, 1}


def test_a_split_keeps_half_of_each_class_too(nearest):
    seen = []

    class Watched(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(y.tolist())
            return super().fit(X, y)

    y = np.array([0, 1, 2] * 4)
    halves = [(np.arange(4), np.arange(4, 12)), (np.arange(12), np.arange(12))]
    known = [np.arange(4.0), np.arange(12.0)]
    options = {"labels": np.eye(3)[y], "share": 0.5, "n_jobs": None}
    compare_without(Watched(1), y[:, None], y, halves, known, {}, **options)
    assert seen[1] == [1, 2, 0]  # of four rows one goes
    assert seen[3] == [0, 1, 2] * 2


class Full(KNeighborsClassifier):
    """Needs 150 rows."""

    def fit(self, X, y):
        if len(X) < 150:
            raise ValueError(f"I need 150 rows, and not {len(X)}")
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("estimator", "says"),
    [(Full(1), "I need 150 rows"), (KNeighborsClassifier(150), "n_neighbors <= n_")],
    ids=["trained on", "predicted with"],
)
def test_shares_that_an_estimator_cannot_do_without(estimator, says, removal, many):
    X, y, _ = many
    removal.set_params(estimator=estimator)
    says_so = rf"without 1.% .* that none .*{says}"
    with pytest.warns(FitFailedWarning, match=says_so) as told:
        removal.fit(X, y)
    assert [warning.filename for warning in told] == [__file__]
    assert removal.cv_results_["share_removed"].tolist() == [0]
    assert len(removal.cv_results_["mean_test_score"]) == 1
    assert removal.support_.all()
    with pytest.raises(ValueError, match=says):
        removal.fit(X[:100], y[:100])


class Odd(LinearSVC):
    """Predicts what a function makes of labels, and nothing else."""

    decision_function = property()

    def __init__(self, change=None):
        super().__init__()
        self.change = change

    def predict(self, X):
        return self.change(LinearSVC().fit(*self.data_).predict(X))

    def fit(self, X, y):
        self.data_ = X, y
        return self


def test_predictions_must_be_labels(removal, many):
    X, y, _ = many
    plain, column = (
        removal.set_params(estimator=Odd(change)).fit(X, y).cv_results_
        for change in (lambda p: p, lambda p: p.astype(float)[:, None])
    )
    assert_array_equal(column["mean_test_score"], plain["mean_test_score"])
    assert len(set(plain["mean_test_score"])) > 1
    for change, message in (
        (lambda p: p.astype(str), r"got labels that y has not, \['0', '1'\]; a num"),
        (lambda p: p[1:], r"for each of 40 rows, got an array of shape \(39,\);"),
        (lambda p: np.eye(2)[p], r"estimator must .* an array of shape \(40, 2\);"),
    ):
        with pytest.raises(ValueError, match=message):
            removal.set_params(estimator=Odd(change)).fit(X, y)


def test_results_of_another_fit_do_not_stay(removal, many):
    X, y, _ = many
    assert hasattr(removal.fit(X, y), "cv_results_")
    assert not hasattr(
        removal.set_params(n_samples_to_remove=3).fit(X, y), "cv_results_"
    )


def test_repeated_folds_tell_only_of_other_rows(removal, many, monkeypatch):
    """Splits of one repetition stand for each other, those of several never."""
    X, y, _ = many
    rng = np.random.default_rng(0)
    y = rng.permutation(y)  # nothing can be learned
    monkeypatch.setattr(  # one scale for all would tell
        _comparison, "log_probabilities", lambda v, q: q[np.arange(len(q)), v.argmax(1)]
    )
    monkeypatch.setattr(  # as many whatever the errors
        _harm, "probability_negative", lambda v, e, q: 1.0 * (np.arange(200) < 60)
    )
    scores = []
    for n_repeats in (1, 4):
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=n_repeats, random_state=0)
        results = removal.set_params(cv=cv).fit(X, y).cv_results_
        scores.append(np.array([results[f"split{k}_test_score"] for k in range(3)]))
    assert_array_equal(*scores)


@pytest.mark.parametrize("cv", [2, "overlapping"])
def test_values_that_no_other_split_tells(cv, removal, many, monkeypatch):
    X, y, _ = many
    monkeypatch.setattr(FreeShapAttributor, "attribute", None)  # nothing is valued
    if cv != 2:
        rows = np.arange(200)
        cv = [
            (rows[:150], rows[150:]),
            (rows[50:150], rows[150:]),
            (rows[150:], rows[:9]),
        ]
    with pytest.raises(ValueError, match=r"for 200 rows, \[0, 1, 2\] and so on, there"):
        removal.set_params(cv=cv).fit(X, y)


@pytest.mark.filterwarnings("ignore:100 % of X.* are rows of fit")
def test_half_of_each_class_stays_without_splits(removal, many, monkeypatch):
    X, y, _ = many
    monkeypatch.setattr(_harm, "probability_negative", lambda v, e, q: np.ones(len(v)))
    removal.set_params(cv=None).fit(X, y, X_val=X[:30], y_val=y[:30])
    for label in (0, 1):
        assert removal.support_[y == label].sum() == (y == label).sum() // 2


def test_where_nothing_harms_the_estimator_is_not_asked(removal, many, monkeypatch):
    X, y, _ = many
    monkeypatch.setattr(_harm, "compare_without", None)
    monkeypatch.setattr(_harm, "probability_negative", lambda v, e, q: 0.0 * v)
    assert removal.fit(X, y).support_.all()
    assert not hasattr(removal, "cv_results_")
