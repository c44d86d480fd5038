"""Ridges on any coalitions of few players."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skshap.attribution._subsets import FeatureSubsets, KernelSubsets
from skshap.exceptions import NotPositiveDefiniteError


def subsets_of(F, alpha, kind):
    rows = [torch.tensor(own) for own in ([0, 4, 1], [2], [3, 5])]
    F, F_val, Y = map(torch.tensor, (F, F[:2] + 1, np.eye(3)[[0, 1, 2, 0, 1, 2]]))
    if kind is KernelSubsets:
        return KernelSubsets(F @ F.T, F @ F_val.T, Y, alpha, rows)
    return FeatureSubsets(F, F_val, Y, alpha, rows)


def test_without_a_ridge_groups_may_differ_in_size():
    F = np.random.default_rng(0).normal(size=(6, 7))
    found = subsets_of(F, 0.0, KernelSubsets).predict([(0, 1), (1, 2)])
    for own, decision in zip(([0, 4, 1, 2], [2, 3, 5]), found.unbind(1), strict=True):
        weights = np.linalg.solve(
            F[own] @ F[own].T, np.eye(3)[np.array([0, 1, 2, 0, 1, 2])[own]]
        )
        assert_allclose(decision.T, (F[:2] + 1) @ F[own].T @ weights, atol=1e-9)


@pytest.mark.parametrize("kind", [KernelSubsets, FeatureSubsets])
@pytest.mark.parametrize("alpha", [0.3, 20.0])
def test_coalitions_predict_as_ridges_on_their_rows(alpha, kind):
    F = np.random.default_rng(0).normal(size=(6, 7))
    F_val, Y = F[:2] + 1, np.eye(3)[[0, 1, 2, 0, 1, 2]]
    coalitions = {(1,): [2], (0, 2): [0, 4, 1, 3, 5], (0, 1, 2): range(6)}
    for players, own in coalitions.items():
        rows, labels = F[list(own)], Y[list(own)]
        K = rows @ rows.T + alpha * np.eye(len(rows))
        expected = F_val @ rows.T @ np.linalg.solve(K, labels)
        (found,) = subsets_of(F, alpha, kind).predict([players]).unbind(1)
        assert_allclose(found.T, expected, atol=1e-10)


@pytest.mark.parametrize("kind", [KernelSubsets, FeatureSubsets])
def test_a_coalition_that_is_singular_is_refused(kind):
    F = np.ones((6, 2)) if kind is FeatureSubsets else np.ones((6, 7))
    subsets_of(F, 1.0, kind).predict([(0, 1), (1, 2)])
    with pytest.raises(NotPositiveDefiniteError, match="alpha"):
        subsets_of(F, 1e-10, kind).predict([(0, 1), (1, 2)])
