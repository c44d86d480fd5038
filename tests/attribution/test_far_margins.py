"""Log loss of rows that small coalitions predict wrong with certainty."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer

from skshap import FreeShapAttributor
from skshap.attribution._class_scores import class_utility
from skshap.attribution._moves import Moves


@pytest.mark.parametrize("m", [1, 8, 21])
@pytest.mark.parametrize("scale", [1.0, 10.0, 30.0, 100.0, 700.0])
def test_fused_gains(scale, m):
    rng = np.random.default_rng(m)
    y = rng.integers(0, 2, m)
    margin, cross = rng.normal(size=m) * scale, rng.normal(size=(30, m)) * scale
    weight = rng.normal(size=(30, 1))
    cross[0], weight[0] = -2 * margin, 1.0  # wrong becomes right, and right wrong
    moves = Moves(torch.arange(30), torch.tensor(cross), torch.tensor(weight))
    utility = class_utility("neg_log_loss", y, 2)
    fused = utility.gains(torch.tensor(margin[None]), moves, per_sample=False)
    sign = 2 * y - 1
    before, after = (
        -np.logaddexp(0, -2 * sign * f) for f in (margin, margin + weight * cross)
    )
    expected = (after - before).mean(1)
    assert_allclose(fused, expected, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 200.0, 5e3])
def test_moves_of_several_classes(scoring, scale):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 9)
    decision = scale * rng.normal(size=(3, 9))
    cross, weight = scale * rng.normal(size=(20, 9)), rng.normal(size=(20, 3))
    weight[0] = 0  # moves nothing
    moves = Moves(*map(torch.tensor, (np.arange(20), cross, weight)))
    utility = class_utility(scoring, y, 3)
    found = utility.gains(torch.tensor(decision), moves, per_sample=True)

    def score(f):
        """Of (..., 9, 3) decision values."""
        log_p = log_softmax(3 * f, axis=-1)
        if scoring == "neg_log_loss":
            return log_p[..., np.arange(9), y]
        return -np.square(np.exp(log_p) - np.eye(3)[y]).sum(-1)

    moved = decision.T + cross[:, :, None] * weight[:, None]
    expected = score(moved) - score(decision.T)
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * max(scale, 1))


@pytest.mark.parametrize(("before", "move"), [(-735.0, 650.0), (-600.0, -150.0)])
def test_probabilities_too_small_for_all_their_digits(before, move):
    """Log probabilities of the label, of three classes."""
    decision = torch.tensor([[0.0], [before / 3], [0.0]], dtype=torch.double)
    weight = torch.tensor([[0.0, move / 3, 0.0]], dtype=torch.double)
    moves = Moves(torch.arange(1), torch.ones(1, 1).double(), weight)
    utility = class_utility("neg_log_loss", np.array([1]), 3)
    found = utility.gains(decision, moves, per_sample=True)
    assert_allclose(found, [[move]], rtol=1e-12)


def test_a_probability_that_vanishes_though_its_share_does_not():
    """As another class gains more than the label had lost."""
    decision = torch.tensor([[0.0], [-100.0], [-170.0]]).double()  # e^-510 of the label
    weight = torch.tensor([[0.0, 195, 0]]).double()
    moves = Moves(torch.arange(1), torch.ones(1, 1).double(), weight)
    utility = class_utility("neg_log_loss", np.array([2]), 3)
    found = utility.gains(decision, moves, per_sample=True)
    assert_allclose(found, [[-3 * 95.0]])


def test_columns_that_were_not_scaled():
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    X, y, X_val, y_val = X[rows[:60]], y[rows[:60]], X[rows[60:]], y[rows[60:]]
    attributor = FreeShapAttributor(
        "linear", scoring="neg_log_loss", n_permutations=3, random_state=0
    ).fit(X, y)
    mean = attributor.attribute(X_val, y_val)
    apart = attributor.attribute(X_val, y_val, per_sample=True).mean(0)
    assert_allclose(mean, apart, rtol=0, atol=1e-12 * np.abs(apart).max())
