"""How probably values are negative, where the truth is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skshap.selection._negative import probability_negative
from tests.selection.simulated import simulate


def test_probabilities_are_calibrated():
    truth, values, errors = simulate(0.2, 0, n=5000)
    probability = probability_negative(values, errors, np.zeros(len(values)))
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2)
        assert (truth[inside] < 0).mean() == pytest.approx(
            probability[inside].mean(), abs=0.1
        )


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_units_do_not_matter(scale):
    _, values, errors = simulate(0.2, 1, n=300)
    expected = probability_negative(values, errors, np.zeros(len(values)))
    found = probability_negative(scale * values, scale * errors, np.zeros(300))
    assert_allclose(found, expected)


def test_equal_suspicion_of_all_rows_says_nothing():
    _, values, errors = simulate(0.2, 0, n=300)
    expected = probability_negative(values, errors, np.zeros(300))
    for suspicion in (0.3, 1.0):
        found = probability_negative(values, errors, np.full(300, suspicion))
        assert_allclose(found, expected, atol=1e-6)
