"""The attributor of tables of numbers, where none is passed."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler
from sklearn.utils import check_array

from skshap.attribution import FreeShapAttributor
from skshap.kernel_ridge._training_kernel import TrainingKernel
from skshap.kernels import PairwiseKernel
from skshap.selection._some_rows import some_rows
from skshap.selection._tuned_ridge import alpha_scale, tune_kernel, tune_ridge
from skshap.utils._labels import check_targets
from skshap.utils._validation import check_rows

__all__ = ["LARGE", "default_attributor"]

UNEQUAL = 10  # ratio of standard deviations of columns from which on scaling is tried
# Squared spread of all entries, by that of columns around their means, from which on
# they are centred as well: the means of columns would set the width.
OFFSET = 4
OUTLYING = 30  # interquartile ranges from the median of a column, of an outlier
# Rows from which on an rbf kernel is approximated, and by how many features: all pairs
# take memory and time that few have.
LARGE = 5000
N_LANDMARKS = 500


class Candidate(NamedTuple):
    """A kernel that may be chosen.

    Attributes
    ----------
    rows : {ndarray, sparse matrix} of shape (n, d)
        What it is a kernel of.
    scaler : StandardScaler, RobustScaler or None
        What they were scaled by.
    kernel : {"rbf", "linear"}
    kernel_params : dict or None
    scale : float
        That its alphas are multiplied by.
    """

    rows: object
    scaler: StandardScaler | RobustScaler | None
    kernel: str
    kernel_params: dict | None
    scale: float

    def tune(self, y, chosen=slice(None)):
        """Tune a ridge on chosen rows."""
        return tune_ridge(
            self.rows[chosen],
            y[chosen],
            self.scale,
            kernel=self.kernel,
            kernel_params=self.kernel_params,
        )

    def tune_further(self, y, start):
        """Return the best alpha on all rows; `start` is that on some."""
        n, d = self.rows.shape
        if self.kernel == "linear" and d < n:  # columns do for it
            return self.tune(y).alpha_
        kernel = PairwiseKernel(self.kernel, kernel_params=self.kernel_params)
        values = as_arrays(kernel).fit_transform(self.rows)
        return tune_kernel(TrainingKernel(values, False), y, start=start)


@np.errstate(over="ignore", invalid="ignore")  # what overflows is refused by ridges
def default_attributor(estimator, X, y, **options):
    """Return an attributor for the numbers that an estimator is fitted on.

    Its kernel, linear or rbf, of the columns as they are or, where their standard
    deviations differ much, standardized, or, where their means do, rbf of centred
    columns, or, where there are outliers, of columns scaled by their interquartile
    ranges, is that of least leave-one-out error on some rows; `alpha` that of least
    such error on all. With many rows, a kernel that is rbf is approximated by explicit
    features. How wide rbf kernels are depends on no column of one value.

    Parameters
    ----------
    estimator : estimator
        That rows are checked for.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels.
    **options
        Of the attributor.

    Returns
    -------
    FreeShapAttributor
    """
    rows = check_rows(estimator, X, reset=True, sparse=True)
    _, y = check_targets(y, rows)  # places in the sorted labels
    varies = columns_that_vary(rows)
    spread = squared_spread(rows[:, varies])
    candidates = kernels_of(rows, spread)
    is_sparse = issparse(rows)
    scaler = as_arrays(StandardScaler(with_mean=not is_sparse)).fit(rows)
    # Of columns around their means, as of dense rows, which are centred.
    within = scaler.var_[varies].sum()
    if spread > OFFSET * within > 0:
        centred = None if is_sparse else as_arrays(StandardScaler(with_std=False))
        moved = rows if is_sparse else centred.fit_transform(rows)
        candidates.append(rbf_of(moved, within, centred))
    deviations = np.sqrt(scaler.var_[varies])
    if varies.any() and deviations.max() > UNEQUAL * deviations.min():
        spread = (scaler.var_ / scaler.scale_**2).sum()
        candidates += kernels_of(scaler.transform(rows), spread, scaler)
    if not issparse(rows) and has_outliers(rows):
        scaler = as_arrays(RobustScaler(unit_variance=True)).fit(rows)
        candidates.append(rbf_of(scaler.transform(rows), varies.sum(), scaler))
    direction = np.random.default_rng(0).normal(size=rows.shape[1])
    tried = some_rows(rows @ direction, y)
    ridges = [candidate.tune(y, tried) for candidate in candidates]
    best = np.argmin([ridge.loo_errors_.min() for ridge in ridges])
    chosen, ridge, steps = candidates[best], ridges[best], []
    if chosen.scaler is not None:
        steps.append(chosen.scaler)
    if chosen.kernel == "rbf" and len(y) > LARGE:
        landmarks = as_arrays(
            Nystroem(**chosen.kernel_params, n_components=N_LANDMARKS, random_state=0)
        )
        features = landmarks.fit_transform(chosen.rows)
        chosen = Candidate(features, None, "linear", None, chosen.scale)
        steps.append(landmarks)
    alpha = ridge.alpha_
    if len(tried) < len(y):
        alpha = chosen.tune_further(y, alpha)
    kernel, params = chosen.kernel, chosen.kernel_params
    if steps:
        last = PairwiseKernel(kernel, kernel_params=params)
        kernel = as_arrays(make_pipeline(in_double(), *steps, last))
        params = None
    return FreeShapAttributor(kernel, alpha=alpha, kernel_params=params, **options)


def as_arrays(transformer):
    """Have a transformer return arrays, whatever `sklearn.set_config` says."""
    return transformer.set_output(transform="default")


def in_double():
    """Return a step that makes rows float64: others would work in their precision."""
    options = {"dtype": np.float64, "accept_sparse": True, "ensure_all_finite": False}
    return FunctionTransformer(
        check_array, kw_args=options, feature_names_out="one-to-one"
    )


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


def kernels_of(rows, spread, scaler=None):
    """List the kernels of rows: rbf and linear."""
    squares = (rows.multiply(rows) if issparse(rows) else np.square(rows)).mean()
    common = float(np.square(rows.mean(0)).sum())  # product of the mean row with itself
    scale = alpha_scale(rows.shape[1] * squares, common, rows.shape[0])
    return [
        rbf_of(rows, spread, scaler),
        Candidate(rows, scaler, "linear", None, scale),
    ]


def rbf_of(rows, spread, scaler):
    """Return the rbf kernel of rows, as wide as `SVC` calls "scale"."""
    tiny = np.finfo(float).tiny  # its inverse is finite, that of what is below not
    gamma = float(1 / spread) if spread > tiny else 1.0
    return Candidate(rows, scaler, "rbf", {"gamma": gamma}, 1.0)


def has_outliers(rows):
    """Whether some values are very far from the others of their columns."""
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = high - low  # zero where most values are the same
    is_far = np.abs(rows - middle) > OUTLYING * spread
    return bool((is_far & (spread > 0)).any())
