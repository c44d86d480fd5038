"""Scores of single rows against one-row-at-a-time definitions."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, get_scorer, log_loss

from skshap import KernelRidgeClassifier
from skshap.attribution._callable_score import call_scoring
from skshap.attribution._class_scores import (
    CLASS_SCORINGS,
    class_null,
    class_targets,
    class_utility,
)
from skshap.attribution._freeshap import SIGNATURE
from skshap.attribution._utility import Utility, check_scoring
from skshap.utils._ridge import TIE
from tests.attribution.games import own_value
from tests.oracles import null_by_metrics, per_sample_score

SCORINGS = list(CLASS_SCORINGS)

# Few values, so that ties are common.
VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0, -1.5]) | st.floats(-20, 20)


@st.composite
def decisions(draw):
    """Decision values of shape (k, m, n_classes) and labels."""
    n_classes = draw(st.integers(2, 4))
    k, m = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    numbers = st.lists(VALUES, min_size=k * m * n_classes, max_size=k * m * n_classes)
    decision = np.array(draw(numbers)).reshape(k, m, n_classes)
    labels = st.lists(st.integers(0, n_classes - 1), min_size=m, max_size=m)
    return decision, np.array(draw(labels))


def call(utility, decision):
    """Scores of shape (k, m) of decision values of shape (k, m, n_classes)."""
    decision = torch.tensor(decision).permute(2, 0, 1)
    if utility.uses_margin:
        decision = decision[1:] - decision[:1]
    return utility(decision).numpy()


@pytest.mark.parametrize("scoring", SCORINGS)
@settings(deadline=None, max_examples=60)
@given(case=decisions())
def test_scores_equal_their_definition(scoring, case):
    decision, y = case
    gaps = np.abs(decision[..., None] - decision[..., None, :])
    assume((np.abs(gaps - TIE) > 1e-12).all())  # where rounding decides what ties
    utility = class_utility(scoring, y, decision.shape[2])
    expected = [per_sample_score(scoring, d, y) for d in decision]
    assert_allclose(call(utility, decision), expected, rtol=1e-8, atol=1e-12)


def test_of_a_chain_of_ties_the_first_within_reach_of_the_largest_wins():
    # The first is tied with the second, and the second with the largest.
    decision = TIE * np.array([[[0.0, 0.7, 1.4]] * 3])
    utility = class_utility("accuracy", np.arange(3), 3)
    assert_array_equal(call(utility, decision), [[0.0, 1.0, 0.0]])
    clf = KernelRidgeClassifier()
    clf.classes_, clf._tie = np.array(["a", "b", "c"]), TIE
    assert clf._labels(decision[0])[0] == "b"


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_the_first_class_wins_a_tie(n_classes):
    y = np.arange(n_classes)
    utility = class_utility("accuracy", y, n_classes)
    tied = np.full((1, n_classes, n_classes), 0.3)
    assert_array_equal(call(utility, tied), [[1.0] + [0.0] * (n_classes - 1)])
    tied[..., 0] = -1  # the tie is among the others
    expected = [[0.0, 1.0] + [0.0] * (n_classes - 2)]
    assert_array_equal(call(utility, tied), expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_loss_is_finite_where_probabilities_vanish(n_classes):
    utility = class_utility("neg_log_loss", np.array([0]), n_classes)
    decision = np.zeros((1, 1, n_classes))
    decision[..., 1] = 1e3
    assert_allclose(call(utility, decision), -1e3 * n_classes)


def test_margins_of_two_classes_alone_give_the_scores_of_both():
    rng = np.random.default_rng(0)
    decision, y = rng.normal(size=(4, 6, 2)), rng.integers(2, size=6)
    for scoring in SCORINGS:
        utility = class_utility(scoring, y, 2)
        assert utility.uses_margin
        shifted = decision + rng.normal(size=(4, 6, 1))
        assert_allclose(call(utility, shifted), call(utility, decision), atol=1e-12)
    assert not class_utility(lambda d, y: d[:, 0], y, 2).uses_margin
    assert not class_utility("accuracy", y, 3).uses_margin


@pytest.mark.parametrize("n_classes", [2, 3])
def test_targets_are_indicators_or_their_difference(n_classes):
    y = np.array([0, 1, n_classes - 1])
    utility = class_utility("accuracy", y, n_classes)
    expected = {2: [[-1], [1], [1]], 3: np.eye(3)}[n_classes]
    assert_array_equal(class_targets([utility], y, n_classes), expected)
    # A callable sees all decision values.
    utilities = [utility, class_utility(lambda d, y: d[:, 0], y, n_classes)]
    assert_array_equal(class_targets(utilities, y, n_classes), np.eye(n_classes)[y])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_callable_sees_rows_and_labels(n_classes):
    rng = np.random.default_rng(0)
    decision, y = rng.normal(size=(4, 6, n_classes)), np.arange(6) % n_classes
    seen = []

    def noted(d, y_index):
        seen.append((d.shape, y_index.shape))
        return own_value(d, y_index)

    utility = class_utility(noted, y, n_classes)
    seen.clear()  # what it was checked with
    found = call(utility, decision)
    assert_array_equal(found, decision[:, np.arange(6), y])
    assert seen == [((24, n_classes), (24,))]


def test_callable_may_return_any_sequence():
    y = np.array([0, 1, 1])
    for scoring in (
        lambda d, y: [1] * len(y),
        lambda d, y: np.broadcast_to(1.0, y.shape),  # read-only
        lambda d, y: y == y,
    ):
        assert_array_equal(call(class_utility(scoring, y, 2), np.zeros((2, 3, 2))), 1)


@pytest.mark.parametrize(
    "scoring, words",
    [
        (lambda d, y: d, ["(36, 2)"]),
        (lambda d, y: 1.0, ["()"]),
        (lambda d, y: d[:, 0] * np.nan, ["(36,)", "NaN"]),
        (lambda d, y: d[:, 0] - np.inf, ["infinity"]),
    ],
)
def test_callable_must_return_a_finite_score_a_row(scoring, words):
    with pytest.raises(ValueError, match="scoring must return one finite") as caught:
        class_utility(scoring, np.array([0, 1, 1]), 2)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "scoring",
    ["roc_auc", "f1", "log_loss", get_scorer("accuracy"), accuracy_score, log_loss],
)
def test_scores_of_whole_samples_are_refused(scoring):
    with pytest.raises(ValueError) as caught:
        check_scoring(scoring, SCORINGS, SIGNATURE)
    message = str(caught.value)
    assert message.startswith(f"scoring={scoring!r}")
    assert "coalitions" in message and "f(decision, y_index)" in message


def test_known_scorings_pass():
    for scoring in (*SCORINGS, lambda d, y: y):
        check_scoring(scoring, SCORINGS, SIGNATURE)


# Labels 0, 0, 0, 1: frequencies 3/4 and 1/4.
BINARY = np.array([0, 0, 0, 1])
# Labels 0, 0, 1, 2: frequencies 1/2, 1/4 and 1/4.
TERNARY = np.array([0, 0, 1, 2])


@pytest.mark.parametrize("y", [BINARY, TERNARY], ids=["binary", "ternary"])
@pytest.mark.parametrize("null_score", ["prior", "chance"])
@pytest.mark.parametrize("scoring", [*SCORINGS, own_value])
def test_the_null_utility_is_what_metrics_say_of_the_frequencies(
    scoring, null_score, y
):
    n_classes = len(set(y))
    expected = null_by_metrics(scoring, null_score, y, n_classes)
    assert_allclose(class_null(scoring, null_score, y, n_classes), expected)


@pytest.mark.parametrize("scoring", [*SCORINGS, own_value])
def test_a_number_is_the_null_utility_itself(scoring):
    assert class_null(scoring, -1.25, TERNARY, 3) == -1.25


class NegHinge(Utility):
    """Minus what the label's decision value lacks to be larger than others by one."""

    def __call__(self, decision):
        label = torch.nn.functional.one_hot(self.y, len(decision)).T.bool()
        own, others = (
            torch.where(part, decision, -torch.inf).amax(0) for part in (label, ~label)
        )
        return (own - others - 1).clamp(max=0)


@pytest.mark.parametrize(
    "y, expected", [(BINARY, -3 / 4), (np.array([0, 0, 0, 1, 1, 2]), -37 / 36)]
)
def test_the_null_of_what_reads_no_probabilities_scores_the_frequencies(
    y, expected, monkeypatch
):
    # Of 3/4 and 1/4: three rows lack 1/2 and one 3/2. Of 1/2, 1/3 and 1/6: three rows
    # lack 5/6, two 7/6 and one 8/6.
    monkeypatch.setitem(CLASS_SCORINGS, "neg_hinge", (NegHinge, NegHinge))
    assert_allclose(class_null("neg_hinge", "prior", y, len(set(y))), expected)


@pytest.mark.parametrize(
    "scores",
    [
        ["a", "b"],
        [[1], [1, 2]],
        [1j, 2j],
        [None, 1],
        ["0.5", "1"],
        np.array(["2000", "2001"], dtype="datetime64[Y]"),
        np.ma.array([0.5, 1], mask=[True, False]),
    ],
)
def test_a_scoring_that_returns_no_numbers_is_named(scores):
    with pytest.raises(ValueError, match="scoring must return one finite score a row"):
        call_scoring(lambda *_: scores, np.zeros((2, 2)), np.zeros(2), (2,))
