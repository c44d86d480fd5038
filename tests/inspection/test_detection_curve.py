"""The picture of detection curves."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skshap.evaluation import detection_curve
from skshap.inspection import DetectionCurveDisplay

IS_NOISY = np.array([True, False, True, False, False])
SCORES = np.array([-0.5, 0.1, 0.2, 0.3, 0.4])


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip(
        "matplotlib", reason="pictures come with the extra 'plot'"
    )
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_line_is_the_curve(pyplot):
    display = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES, name="quality")
    curve = detection_curve(IS_NOISY, SCORES)
    assert_array_equal(display.line_.get_xdata(), curve.fraction_inspected)
    assert_array_equal(display.line_.get_ydata(), curve.fraction_found)
    assert display.average_precision == curve.average_precision
    assert display.figure_ is display.ax_.figure
    assert "rows inspected" in display.ax_.get_xlabel()
    assert "wrong labels found" in display.ax_.get_ylabel()
    assert legend(display) == [
        "quality (AP = 0.83)",
        "best possible (40.0% wrong)",
        "chance",
    ]


def test_reference_lines(pyplot):
    display = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES)
    assert_array_equal(display.chance_.get_xydata(), [[0, 0], [1, 1]])
    assert_array_equal(display.best_.get_xydata(), [[0, 0], [0.4, 1], [1, 1]])


def test_several_curves_share_the_reference_lines(pyplot):
    first = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES, name="a")
    second = DetectionCurveDisplay.from_scores(
        IS_NOISY, -SCORES, name="b", ax=first.ax_
    )
    assert second.ax_ is first.ax_ and second.figure_ is first.figure_
    assert second.chance_ is None and second.best_ is None
    assert len(first.ax_.get_lines()) == 4
    assert first.line_.get_color() != second.line_.get_color()
    names = [name.split(" ")[0] for name in legend(second)]
    assert names == ["a", "b", "best", "chance"]


def test_another_share_of_wrong_labels_has_another_best_line(pyplot):
    first = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES)
    mask = [True, False, False, False, False]
    second = DetectionCurveDisplay.from_scores(mask, SCORES, ax=first.ax_)
    assert second.chance_ is None
    assert_array_equal(second.best_.get_xdata(), [0, 0.2, 1])


def test_plot_options(pyplot):
    _, ax = pyplot.subplots()
    display = DetectionCurveDisplay.from_scores(
        IS_NOISY,
        SCORES,
        name="a",
        ax=ax,
        plot_chance=False,
        plot_best=False,
        color="red",
        linestyle="--",
    )
    assert display.ax_ is ax and len(ax.get_lines()) == 1
    assert display.line_.get_color() == "red"
    assert display.line_.get_linestyle() == "--"


def test_names(pyplot):
    curve = detection_curve(IS_NOISY, SCORES)
    data = {key: curve[key] for key in ("fraction_inspected", "fraction_found")}
    display = DetectionCurveDisplay(**data, n_noisy=2, name="own")
    assert display.plot().line_.get_label() == "own"
    assert display.plot(name="given").line_.get_label() == "given"
    assert display.name == "own"
    display = DetectionCurveDisplay(**data, n_noisy=2, average_precision=0.5)
    assert display.plot().line_.get_label() == "AP = 0.50"
    # Nothing to name: no legend at all rather than an empty box.
    nameless = DetectionCurveDisplay(**data, n_noisy=2)
    nameless.plot(plot_chance=False, plot_best=False)
    assert nameless.ax_.get_legend() is None


def test_other_artists_on_the_axes_stay_in_the_legend(pyplot):
    _, ax = pyplot.subplots()
    ax.errorbar([0.1], [0.5], yerr=[0.1], label="measured")
    display = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES, name="a", ax=ax)
    assert legend(display)[-1] == "chance" and "measured" in legend(display)[:2]


def test_figure_can_be_drawn(pyplot, tmp_path):
    display = DetectionCurveDisplay.from_scores(IS_NOISY, SCORES, name="a")
    display.figure_.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="matplotlib, which is not") as caught:
        DetectionCurveDisplay.from_scores(IS_NOISY, SCORES)
    assert 'pip install "skshap[plot]"' in str(caught.value)


def test_bad_scores_are_refused_before_drawing():
    with pytest.raises(ValueError, match="must be a mask"):
        DetectionCurveDisplay.from_scores([1, -1], [0.1, 0.2])
