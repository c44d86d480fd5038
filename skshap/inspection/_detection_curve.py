"""A picture of how soon a score finds the wrong labels."""

from skshap.evaluation import detection_curve
from skshap.utils._optional import import_optional

__all__ = ["DetectionCurveDisplay"]

_REFERENCE = "skshap-reference"  # gid of the lines that are no curve


class DetectionCurveDisplay:
    """Share of wrong labels found against the share of rows inspected.

    Make one with :meth:`from_scores`, which draws it too. Several displays can be drawn
    on the same axes; the chance line and the best-possible line are then drawn once.

    Parameters
    ----------
    fraction_inspected : ndarray of shape (n_samples + 1,)
        Share of the rows inspected, from 0 to 1.
    fraction_found : ndarray of shape (n_samples + 1,)
        Share of the wrong labels found, from 0 to 1.
    n_noisy : int
        Number of wrong labels.
    average_precision : float, default=None
        Average precision, from 0 to 1, shown in the legend. None shows none.
    name : str, default=None
        Name of the score in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure of the axes.
    line_ : matplotlib Line2D
        The curve.
    chance_ : matplotlib Line2D or None
        The diagonal. None if this display did not draw it.
    best_ : matplotlib Line2D or None
        The curve of a score that finds every wrong label first. None if this display
        did not draw it.

    See Also
    --------
    skshap.detection_curve : The numbers behind the picture.

    References
    ----------
    .. [1] A. Ghorbani and J. Zou, "Data Shapley: equitable valuation of data for
       machine learning", ICML 2019. :doi:`10.48550/arXiv.1904.02868`

    Examples
    --------
    >>> from skshap import DetectionCurveDisplay
    >>> is_noisy = [True, False, True, False]
    >>> display = DetectionCurveDisplay.from_scores(
    ...     is_noisy, [-0.5, 0.1, 0.2, 0.3], name="label quality"
    ... )
    >>> display.line_.get_label()
    'label quality (AP = 0.83)'
    >>> second = DetectionCurveDisplay.from_scores(
    ...     is_noisy, [-0.5, 0.2, 0.1, 0.3], name="Shapley value", ax=display.ax_
    ... )
    """

    def __init__(
        self,
        *,
        fraction_inspected,
        fraction_found,
        n_noisy,
        average_precision=None,
        name=None,
    ):
        self.fraction_inspected = fraction_inspected
        self.fraction_found = fraction_found
        self.n_noisy = n_noisy
        self.average_precision = average_precision
        self.name = name

    @classmethod
    def from_scores(
        cls,
        is_noisy,
        scores,
        *,
        name=None,
        ax=None,
        plot_chance=True,
        plot_best=True,
        **kwargs,
    ):
        """Compute the curve of a score and draw it.

        Parameters
        ----------
        is_noisy : array-like of shape (n_samples,) of bool
            True (or 1) where the label is wrong.
        scores : array-like of shape (n_samples,)
            One number a row, the lower the more suspicious.
        name : str, default=None
            Name of the score in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        plot_chance : bool, default=True
            Whether to draw the diagonal, on which inspecting in random order lies.
        plot_best : bool, default=True
            Whether to draw the curve of a score that finds every wrong label first.
        **kwargs : dict
            Passed to matplotlib's `plot` for the curve.

        Returns
        -------
        display : DetectionCurveDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed. The message says how to get it.
        ValueError
            If :func:`~skshap.detection_curve` refuses the arrays.
        """
        curve = detection_curve(is_noisy, scores)
        display = cls(
            fraction_inspected=curve.fraction_inspected,
            fraction_found=curve.fraction_found,
            n_noisy=curve.n_noisy,
            average_precision=curve.average_precision,
            name=name,
        )
        return display.plot(
            ax=ax, plot_chance=plot_chance, plot_best=plot_best, **kwargs
        )

    def plot(self, *, ax=None, name=None, plot_chance=True, plot_best=True, **kwargs):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        name : str, default=None
            Name of the score in the legend. None takes the display's own.
        plot_chance : bool, default=True
            Whether to draw the diagonal, on which inspecting in random order lies.
        plot_best : bool, default=True
            Whether to draw the curve of a score that finds every wrong label first.
        **kwargs : dict
            Passed to matplotlib's `plot` for the curve.

        Returns
        -------
        display : DetectionCurveDisplay
            The display itself, with `ax_`, `figure_` and the lines set.

        Raises
        ------
        ImportError
            If matplotlib is not installed. The message says how to get it.
        """
        pyplot = import_optional("matplotlib.pyplot", "plot")
        ticker = import_optional("matplotlib.ticker", "plot")
        if ax is None:
            ax = pyplot.subplots()[1]
        self.ax_, self.figure_ = ax, ax.figure

        label = self._label(self.name if name is None else name)
        (self.line_,) = ax.plot(
            self.fraction_inspected,
            self.fraction_found,
            **{"label": label, "solid_capstyle": "butt", **kwargs},
        )
        noise_rate = self.n_noisy / (len(self.fraction_inspected) - 1)
        self.best_ = self.chance_ = None
        if plot_best:
            label = f"best possible ({noise_rate:.1%} wrong)"
            self.best_ = self._add_reference([0, noise_rate, 1], [0, 1, 1], label, ":")
        if plot_chance:
            self.chance_ = self._add_reference([0, 1], [0, 1], "chance", "--")

        ax.set(
            xlabel="share of rows inspected, most suspicious first",
            ylabel="share of wrong labels found",
            xlim=(0, 1),
            ylim=(0, 1.02),  # room for a line along the top
        )
        ax.xaxis.set_major_formatter(ticker.PercentFormatter(xmax=1))
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(xmax=1))
        # The curves first, in the order drawn, then the reference lines.
        handles, _ = ax.get_legend_handles_labels()
        if handles:
            references = self._references()
            handles.sort(key=lambda handle: handle in references)
            ax.legend(handles=handles, loc="lower right")
        return self

    def _label(self, name):
        """Legend entry of the curve, None if there is nothing to say."""
        if self.average_precision is None:
            return name
        score = f"AP = {self.average_precision:.2f}"
        return score if name is None else f"{name} ({score})"

    def _references(self):
        """Reference lines that the axes have, whichever display drew them."""
        return [line for line in self.ax_.get_lines() if line.get_gid() == _REFERENCE]

    def _add_reference(self, x, y, label, linestyle):
        """Draw a grey line below the curves, unless the axes have it already."""
        if label in [line.get_label() for line in self._references()]:
            return None
        (line,) = self.ax_.plot(
            x, y, linestyle, label=label, color="grey", zorder=1, gid=_REFERENCE
        )
        return line
