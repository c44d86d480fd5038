"""Tests of the report on the rows removed."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skshap.selection._choice import Choice

LABELS = np.array(["a", "b", "c"])
VALUES = np.array([-0.125, 1.0, -0.25])
ORDER = np.array([2, 0, 1])


def test_the_report_says_what_and_why(removal, table):
    X, y, _ = table
    report = removal.fit(X, y).removal_report_
    frame = pd.DataFrame(report)
    assert list(frame) == ["sample_index", "label", "value", "reason"]
    assert_array_equal(
        np.sort(frame["sample_index"]), np.flatnonzero(~removal.support_)
    )
    assert_array_equal(frame["label"], y[frame["sample_index"]])
    assert_array_equal(frame["value"], removal.sample_values_[frame["sample_index"]])
    assert (np.diff(frame["value"]) >= 0).all()
    assert frame["reason"][0].startswith("neg_brier_score -0.")
    assert frame["reason"][0].endswith(", number 1 of 50 from the lowest")


def test_sample_index_is_a_position(removal, table):
    X, y, _ = table
    frame = pd.DataFrame(X, index=range(100, 150))
    report = removal.fit(frame, pd.Series(y, index=frame.index)).removal_report_
    rows = frame.iloc[report.sample_index]
    assert_array_equal(rows, X[report.sample_index])
    assert_array_equal(frame[~removal.support_].sort_index(), rows.sort_index())


def test_reasons_name_a_function_that_scores(removal, table):
    def margin(decision, y_index):
        return np.take_along_axis(decision, np.asarray(y_index)[:, None], 1)[:, 0]

    X, y, _ = table
    removal.set_params(attributor__scoring=margin).fit(X, y)
    assert removal.removal_report_.reason[0].startswith("margin -0.")


def test_lowest_rows_have_a_rank():
    report = Choice(VALUES, ORDER, 2).report(LABELS, "accuracy")
    assert list(report) == ["sample_index", "label", "value", "reason"]
    assert report.sample_index.tolist() == [2, 0]
    assert report.label.tolist() == ["c", "a"]
    assert report.value.tolist() == [-0.25, -0.125]
    assert report.reason.tolist() == [
        "accuracy -0.25, number 1 of 3 from the lowest",
        "accuracy -0.12, number 2 of 3 from the lowest",
    ]


def test_harmful_rows_have_an_error_and_a_probability():
    errors, probability = np.array([0.034, 0.5, 0.0625]), np.array([0.75, 0.1, 0.9996])
    choice = Choice(VALUES, ORDER, 2, errors, probability)
    report = choice.report(LABELS, "neg_log_loss")
    assert report.standard_error.tolist() == [0.0625, 0.034]
    assert report.probability_harmful.tolist() == [0.9996, 0.75]
    assert report.reason.tolist() == [
        "neg_log_loss -0.25 ± 0.06, with its label harmful with probability 1.000",
        "neg_log_loss -0.12 ± 0.03, with its label harmful with probability 0.750",
    ]


def test_a_score_without_a_name_has_that_of_its_class():
    class Margin:
        """A callable object."""

    report = Choice(VALUES, ORDER[::-1], 1).report(LABELS, Margin())
    assert report.reason[0].startswith("Margin 1, number 1")


@pytest.mark.parametrize("probability", [None, np.zeros(3)])
def test_nothing_removed_is_a_report_without_rows(probability):
    choice = Choice(VALUES, ORDER, 0, VALUES, probability)
    report = choice.report(LABELS, "accuracy")
    assert {len(column) for column in report.values()} == {0}
    assert pd.DataFrame(report).empty
