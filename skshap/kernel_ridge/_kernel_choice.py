"""The kernel of tables of numbers that is named "auto"."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.utils import check_array

from skshap.kernel_ridge._alpha import (
    candidate_alphas,
    in_largest,
    leave_one_out_errors,
)
from skshap.kernel_ridge._some_rows import some_rows
from skshap.kernel_ridge._training_kernel import fit_training_kernel
from skshap.kernels import PairwiseKernel
from skshap.utils._columns import shortened, text_advice
from skshap.utils._rows import number_of_rows
from skshap.utils._texts import is_text

__all__ = ["check_choice", "choose_kernel", "is_auto"]

UNEQUAL = 10  # ratio of standard deviations of columns from which on scaling is tried
# Squared spread of all entries, by that of columns around their means, from which on
# they are centred as well: the means of columns would set the width.
OFFSET = 4
# Share of the squares of rows below which rounding takes too much of their spread:
# means, as of times in nanoseconds, are taken off then.
ROUNDING = 1e-8
FARTHEST = 1e5  # standard deviations from zero of a column that is not centred
OUTLYING = 30  # interquartile ranges from the median of a column, of an outlier
# A narrower rbf kernel is taken where it predicts clearly better, as it follows classes
# that alternate: how many times as large gamma is, and what share its error must be of
# the others' at most. Else it would follow wrong labels.
NARROWER = 8
CLEARLY_LESS = 0.9
# Rows from which on kernels but linear are approximated, by how many features: pairs
# of them take memory and time that few have.
LARGE = 5000
N_LANDMARKS = 500


class Landmarks(Nystroem):
    """Nystroem whose landmarks are the same in whatever order rows come."""

    def fit(self, X, y=None):
        """Draw landmarks among the rows, sorted along a fixed random direction."""
        rows = check_array(X, accept_sparse="csr", dtype=np.float64)
        return super().fit(rows[np.argsort(along(rows), kind="stable")], y)


class Candidate(NamedTuple):
    """A kernel that may be chosen.

    Attributes
    ----------
    rows : {ndarray, sparse matrix} of shape (n, d)
        What it is a kernel of.
    scaler : StandardScaler, RobustScaler or None
        What they were scaled by.
    kernel : PairwiseKernel
        Linear or rbf.
    """

    rows: object
    scaler: StandardScaler | RobustScaler | None
    kernel: PairwiseKernel

    def error(self, Y, has_prior, chosen):
        """Return the leave-one-out error of the best ridge on chosen rows."""
        kernel = fit_training_kernel(self.kernel, self.rows[chosen])
        alphas = candidate_alphas(kernel)
        return leave_one_out_errors(kernel, Y[chosen], alphas, has_prior).min()

    def narrower(self):
        """Return the same candidate with a narrower rbf kernel."""
        params = {"gamma": NARROWER * self.kernel.kernel_params["gamma"]}
        return self._replace(kernel=clone(self.kernel).set_params(kernel_params=params))

    def unfitted(self):
        """Return the kernel, of rows that are not scaled; of many by features."""
        steps = [] if self.scaler is None else [self.scaler]
        kernel = self.kernel
        if kernel.kernel != "linear" and number_of_rows(self.rows) > LARGE:
            landmarks = Landmarks(
                kernel.kernel,
                **kernel.kernel_params,
                n_components=N_LANDMARKS,
                random_state=0,
            )
            steps.append(as_arrays(landmarks))
            kernel = as_arrays(PairwiseKernel("linear"))
        return as_arrays(make_pipeline(*steps, kernel)) if steps else kernel


def is_auto(kernel):
    """Whether ``kernel=`` is "auto"."""
    return isinstance(kernel, str) and kernel == "auto"


def check_choice(X, kernel_params):
    """Raise if there is no kernel to be chosen: for texts, or with parameters."""
    if is_text(X):
        advice = text_advice(X)
        raise ValueError(
            "kernel='auto' is chosen for numbers, but X holds texts; use "
            "kernel=EmpiricalNTK(model) or, without a pretrained model, "
            'kernel=make_pipeline(TfidfVectorizer(), PairwiseKernel("linear")). '
            f"{advice}".rstrip()
        )
    if kernel_params:
        raise ValueError(
            f"kernel_params={kernel_params!r} are chosen as well by kernel='auto'; "
            "name the kernel that they are of, or pass None."
        )


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused
def choose_kernel(rows, Y, has_prior):
    """Choose a kernel for rows of numbers.

    Linear or rbf, of the columns as they are or, where their standard deviations differ
    much, standardized, or, where their means do or are large, rbf of centred columns,
    or, where there are outliers, of columns scaled by their interquartile ranges: that
    of least leave-one-out error on some rows, or a narrower rbf kernel where its error
    is clearly less. With many rows, a kernel that is rbf is approximated by explicit
    features. How wide rbf kernels are depends on no column of one value.

    Parameters
    ----------
    rows : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Checked, float64.
    Y : ndarray of shape (n_samples, n_targets)
        Indicators of classes, or targets of a regression.
    has_prior : bool
        See `leave_one_out_errors`.

    Returns
    -------
    PairwiseKernel or Pipeline
        Not fitted.

    Raises
    ------
    ValueError
        If rows are sparse, and columns far from zero.
    """
    candidates, Y = candidates_of(rows), in_largest(Y)
    place = along(rows)
    tried = without_copies(some_rows(place, Y.argmax(1)), place, Y)
    errors = [candidate.error(Y, has_prior, tried) for candidate in candidates]
    best = np.argmin(errors)
    is_rbf = [candidate.kernel.kernel == "rbf" for candidate in candidates]
    narrow = candidates[np.where(is_rbf, errors, np.inf).argmin()].narrower()
    if narrow.error(Y, has_prior, tried) < CLEARLY_LESS * errors[best]:
        return narrow.unfitted()
    return candidates[best].unfitted()


def without_copies(chosen, place, Y):
    """Keep one of the chosen rows that are the same and have the same target.

    Copies predict each other, the better the narrower the kernel is. But where most
    rows are copies, as in tables of few distinct values, how often they have each
    target tells most.
    """
    digits = np.c_[place / (np.abs(place).max() or 1.0), Y][chosen].round(12)
    _, first = np.unique(digits, axis=0, return_index=True)
    return chosen[np.sort(first)] if 2 * len(first) > len(chosen) else chosen


def candidates_of(rows):
    """List the kernels of rows that are tried."""
    varies = columns_that_vary(rows)
    spread = squared_spread(rows[:, varies])
    is_sparse = issparse(rows)
    centre = None if is_sparse else as_arrays(StandardScaler(with_std=False))
    moved = rows if is_sparse else centre.fit_transform(rows)
    is_far = not is_sparse and ROUNDING * np.square(rows).sum(1).mean() > spread
    first = rbf_of(moved, spread, centre) if is_far else rbf_of(rows, spread)
    candidates = [first, linear_of(rows)]
    scaler = as_arrays(StandardScaler(with_mean=not is_sparse)).fit(rows)
    if is_sparse:
        check_near_zero(scaler)
    # Of columns around their means, as of dense rows, which are centred.
    within = scaler.var_[varies].sum()
    if spread > OFFSET * within > 0:
        candidates.append(rbf_of(moved, within, centre))
    deviations = np.sqrt(scaler.var_[varies])
    if varies.any() and deviations.max() > UNEQUAL * deviations.min():
        scaled, spread = scaler.transform(rows), (scaler.var_ / scaler.scale_**2).sum()
        candidates += [rbf_of(scaled, spread, scaler), linear_of(scaled, scaler)]
    if not is_sparse and has_outliers(rows):
        scaler = as_arrays(RobustScaler(unit_variance=True)).fit(rows)
        candidates.append(rbf_of(scaler.transform(rows), varies.sum(), scaler))
    return candidates


def check_near_zero(scaler):
    """Raise if columns of sparse rows, which are not centred, are far from zero.

    Parameters
    ----------
    scaler : StandardScaler
        Fitted on them.
    """
    distance = np.abs(scaler.mean_) / scaler.scale_
    far = np.flatnonzero(distance > FARTHEST)
    if len(far) > 0:
        raise ValueError(
            f"X is sparse, and its columns {shortened(far.tolist())} are so far from "
            f"zero, up to {distance.max():.1g} times their standard deviation, that "
            "rounding hides the others: means are not taken off sparse rows. Scale "
            "these columns before they are put beside others, as with StandardScaler, "
            "or pass X.toarray()."
        )


def along(rows):
    """Return how far rows are along a random direction, the same each time."""
    return rows @ np.random.default_rng(0).normal(size=rows.shape[1])


def as_arrays(transformer):
    """Have a transformer return arrays, whatever `sklearn.set_config` says."""
    return transformer.set_output(transform="default")


def columns_that_vary(rows):
    """Return which columns have more than one value, shape (d,)."""
    reach = rows.max(0) - rows.min(0)
    return (reach.toarray().ravel() if issparse(rows) else reach) > 0


def squared_spread(rows):
    """Return how far entries are from their mean, squared and summed over a row."""
    if rows.shape[1] == 0:
        return 0.0
    if issparse(rows):
        return rows.shape[1] * (rows.multiply(rows).mean() - rows.mean() ** 2)
    return rows.shape[1] * rows.var()


def linear_of(rows, scaler=None):
    """Return the linear kernel of rows."""
    return Candidate(rows, scaler, as_arrays(PairwiseKernel("linear")))


def rbf_of(rows, spread, scaler=None):
    """Return the rbf kernel whose length scale is about the distance between two rows.

    The root of twice their squared spread: of columns with one mean that distance.
    """
    tiny = np.finfo(float).tiny  # its inverse is finite, that of what is below not
    gamma = float(0.25 / spread) if spread > tiny else 1.0
    kernel = as_arrays(PairwiseKernel("rbf", kernel_params={"gamma": gamma}))
    return Candidate(rows, scaler, kernel)


def has_outliers(rows):
    """Whether some values are very far from the others of their columns."""
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = high - low  # zero where most values are the same
    is_far = np.abs(rows - middle) > OUTLYING * spread
    return bool((is_far & (spread > 0)).any())
