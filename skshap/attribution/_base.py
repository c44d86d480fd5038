"""What attributors share: values of training rows and of groups, and their cost."""

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skshap.attribution._asked import check_asked, check_same, check_units
from skshap.attribution._cost import predict_cost
from skshap.attribution._data import Data
from skshap.attribution._estimation import estimate_values
from skshap.attribution._groups import encode_groups
from skshap.attribution._method import METHOD_CONSTRAINTS, check_method, read_method
from skshap.attribution._own_rows import warn_of_own_rows
from skshap.attribution._problem import Problem
from skshap.attribution._semivalues import size_weights
from skshap.attribution._stopping import check_lowest
from skshap.kernel_ridge._alpha import choose_alpha
from skshap.kernels._base import is_precomputed
from skshap.utils._device import check_device
from skshap.utils._label_arrays import as_labels
from skshap.utils._order import check_entries, check_order, named_rows
from skshap.utils._rows import check_weights, number_of_rows
from skshap.utils._seed import draw_seed
from skshap.utils._sklearn import Interval, StrOptions

__all__ = ["BaseFreeShap"]


class BaseFreeShap:
    """Values of training rows by what they add to coalitions of others.

    Subclasses are kernel ridge estimators, and define `_check_scoring`, `_null`,
    `_utility`, `_targets`, `_encode` and `_predict`; `fit` sets `_y`, the labels or
    targets of the training rows as `_encode` gives them.
    """

    _value_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "scoring": [str, callable],
        "semivalue": [str, tuple],
        **METHOD_CONSTRAINTS,
    }

    _task = ""  # what progress bars say first
    # Rows to predict and their labels, in the warning of training rows; None: no such.
    _names_of_own = "X", "y"

    def _check_parameters(self):
        """Check what the table of constraints cannot."""
        self._check_scoring(self.scoring)
        size_weights(self.semivalue, 1)  # raises if it is not known
        check_method(self)

    def _takes_features(self):
        return self.alpha == "auto" or super()._takes_features()

    def _choose_alpha(self, kernel, Y, has_prior=True):
        """Set `alpha_` to `alpha`, or choose it by leaving rows out; return it."""
        if self.alpha == "auto":
            self.alpha_ = choose_alpha(kernel, Y, has_prior, self.device)
        else:
            self.alpha_ = float(self.alpha)
        return self.alpha_

    def _keep_training(self, kernel, X, y):
        """Keep what values are made of, as it is in `fit`, and names of the rows.

        Whatever parameters become afterwards, calls of `attribute` agree.
        """
        if is_precomputed(self.kernel) or kernel.is_explicit:  # the caller's may change
            kernel = replace(kernel, values=kernel.values.copy())
        self._training_kernel = kernel
        rows, of = named_rows(X, y, ("X_train", "y_train"))
        names = rows.index.to_series() if hasattr(rows, "iloc") else None
        self._named_rows = names, of
        self._alpha, self._scoring = self.alpha, self.scoring
        self._null_score = self.null_score
        self.null_score_ = self._null(self.scoring)
        self._draw_seed()

    def _draw_seed(self):
        self._drawn_seed = draw_seed(self.random_state)
        self._seeded_by = self.random_state

    @property
    def _seed(self):
        """Seed of permutations: one for each fit, or `random_state` set afterwards."""
        if self.random_state is not self._seeded_by:
            self._draw_seed()
        return self._drawn_seed

    def __dir__(self):
        # As scikit-learn has it, which reads whatever it lists: not a large matrix.
        kernel = vars(self).get("_training_kernel")
        is_made = {"gram_"} if kernel is None or kernel.is_explicit else set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            names = set(object.__dir__(self)) - is_made
            return [name for name in names if hasattr(self, name)]

    @property
    def gram_(self):
        """Kernel matrix of the training rows, ndarray of shape (n_samples, n_samples).

        Computed anew each time if the kernel has explicit features.
        """
        check_is_fitted(self)
        return self._training_kernel.matrix()

    def score(self, X, y, sample_weight=None):
        """Return the utility of all training rows: the mean of `scoring`.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows, as in `predict`.
        y : array-like of shape (n_samples,)
            Their labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean, none negative.

        Returns
        -------
        float
            In the units of `scoring`.

        Raises
        ------
        ValueError
            If `scoring` was set after `fit`, if rows are malformed or of another kind
            than those of `fit`, if `y` is missing, has another length than X, its names
            in another order or a label that the training rows do not have, if weights
            are negative, all zero, not one a row or, by their names, in another order
            than the rows, or if a callable `scoring` does not return one finite score a
            row.
        """
        check_same("scoring", self.scoring, self._scoring)
        check_entries(sample_weight, "sample_weight", X, y)
        M, y = self._map_labelled(X, y)
        utility = self._utility(self._scoring, y)
        decision = torch.tensor(np.atleast_2d(self._outputs(M).T), device=self.device)
        scores = utility.score(decision).cpu().numpy()
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, M)
        return float(np.average(scores, weights=sample_weight))

    def attribute(
        self,
        X,
        y,
        *,
        groups=None,
        scorings=None,
        semivalues=None,
        per_sample=False,
        return_std=False,
    ):
        """Compute the value of every training row for predicting given rows.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows whose predictions are scored, as in `predict`.
        y : array-like of shape (n_samples,)
            Their labels or targets.
        groups : array-like of shape (n_samples_fit,), default=None
            What each training row belongs to, such as a document, an annotator or a
            source. Groups then join coalitions as one, and the values are those of
            groups, in the order of ``np.unique(groups)``. They are no sums of values of
            rows, and grow with the number of rows, but more slowly: to compare
            annotators of unequal work, take the mean of the values of their rows. The
            sign of a Shapley value does not tell whether to drop a group, see Notes;
            ``semivalues=["loo"]`` does, exactly but for permutations.
        scorings : list, default=None
            Several scorings at once, instead of `scoring`. Smooth ones are from the
            same permutations. Sweeps look at other sizes for accuracy, and at others
            for callables: these take as long as alone, one kind after the other.
        semivalues : list, default=None
            Several semivalues at once, instead of `semivalue`.
        per_sample : bool, default=False
            Keep the values for each row of X apart, instead of their mean. Of large
            problems, these are other estimates than those of the mean, which need not
            look at each row of X each time.
        return_std : bool, default=False
            Return standard errors as well.

        Returns
        -------
        values : ndarray of shape (n_samples_fit,) or (n_samples, n_samples_fit)
            In the units of `scoring`; positive values help, negative ones harm. With
            `groups`, n_groups instead of n_samples_fit. With `scorings` or
            `semivalues`, a dict from (scoring, semivalue) to such an array.
        std : ndarray or dict of the same shape
            Standard error of each value, over permutations; zero if values are exact,
            and also if all permutations drawn happen to agree, as two or three of few
            rows may, and leave-one-out values by ``sampler="permutation"`` of rows that
            were last in none. Only if `return_std`.

        Raises
        ------
        ValueError
            If rows are malformed or of another kind than those of `fit`, if `y` is
            missing, has another length than X, its names in another order or a label
            that the training rows do not have, if groups, scorings or semivalues are
            malformed, or groups, by their index, in another order than the training
            rows, if a parameter that was set since `fit` is not valid, if `alpha`,
            `null_score` or, without `scorings`, `scoring` is no longer what `fit` saw,
            if "exact" is asked of too many rows, or `tol` of too many lowest ones or of
            leave-one-out values by permutations, if a number as `null_score` meets
            several scorings, if scores are too large for float64, if `return_std` meets
            a single permutation, or if `checkpoint` holds another computation.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached.
        DamagedStoreWarning
            If the file of `checkpoint` cannot be written, or is damaged in a folder.
        UserWarning
            If X and most of y are what `fit` saw, in the same order; if most of forty
            rows or more, or all of ten or more, are among those of `fit`, with their
            labels; if no other process can go on from the `checkpoint`, as a callable
            `scoring` reads what cannot be pickled; or if features are turned into a
            kernel matrix of more than a gibibyte that a larger `alpha` would spare.

        Notes
        -----
        With few groups, Shapley values credit each with being the first, when any rows
        are better than none: an annotator with nearly half wrong labels may have a
        positive value, though predictions get better without those rows.
        """
        M, y = self._map_labelled(X, y)
        asked = self._check_asked(scorings, semivalues)
        data, problem = self._pose(M, y, groups, asked, per_sample)
        if self._names_of_own is not None:
            parts = data.rows, data.to_predict, y, self._y
            warn_of_own_rows(*parts, self._names_of_own)
        method = read_method(self)
        estimate = estimate_values(data, problem, method, with_errors=return_std)
        if scorings is None and semivalues is None:
            values, std = (part[0, 0] for part in estimate)
        else:
            values, std = map(asked.by_name, estimate)
        return (values, std) if return_std else values

    def estimate_cost(
        self,
        X,
        y,
        *,
        groups=None,
        scorings=None,
        semivalues=None,
        per_sample=False,
    ):
        """Predict how long `attribute` will take and how much memory it will need.

        Pieces of the computation are timed on this machine, for a second or so. What
        the kernel between X and the training rows takes is not counted, nor the few
        seconds in which workers start.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            As in `attribute`; only their number counts.
        y : array-like of shape (n_samples,)
            Their labels or targets.
        groups : array-like of shape (n_samples_fit,), default=None
            See `attribute`.
        scorings, semivalues : list, default=None
            See `attribute`.
        per_sample : bool, default=False
            See `attribute`.

        Returns
        -------
        Bunch
            `seconds`, of wall time if all `n_permutations` are drawn and nothing else
            runs on the machine; `memory`, in bytes at the peak, beyond what is in use
            now, in this process and, with `n_jobs`, its workers, the kernel between X
            and the training rows included. Below 30 MB it is only a bound.

        Raises
        ------
        ValueError
            If there are no rows, or for labels, groups, scorings, semivalues or
            parameters that `attribute` refuses; what rows hold, and the order of their
            index, are not looked at.
        """
        check_is_fitted(self)
        m = number_of_rows(X)
        if m == 0:
            raise ValueError("X has no rows; pass at least one row to predict.")
        # Not mapped, which may take longer than all the rest.
        M = np.broadcast_to(0.0, (m, self._training_kernel.values.shape[1]))
        y = self._encode(y, M)
        asked = self._check_asked(scorings, semivalues)
        data, problem = self._pose(M, y, groups, asked, per_sample)
        return Bunch(**predict_cost(data, problem, read_method(self)))

    def explain(self, X, y=None, *, k=5):
        """Find the training rows that help and harm each prediction most.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Rows to explain, as in `predict`.
        y : array-like of shape (n_samples,) or None, default=None
            The labels or targets that training rows help or harm to predict; None for
            the predicted ones.
        k : int, default=5
            How many training rows of each kind.

        Returns
        -------
        Bunch
            `helpful` and `harmful`, positions of training rows of shape (n_samples, k),
            from the largest and from the smallest value on (positions, not labels of an
            index: use ``.iloc`` on pandas objects); `helpful_values` and
            `harmful_values`, in the units of `scoring`, and their standard errors
            `helpful_std` and `harmful_std`, of the same shape, NaN after a single
            permutation, and of accuracy at times far too small (see Notes of
            :class:`skshap.FreeShapAttributor`); `y`, the labels explained, of shape
            (n_samples,).

        Raises
        ------
        ValueError
            If `k` is not between 1 and the number of training rows, or for rows, labels
            or parameters that `attribute` refuses.
        """
        check_is_fitted(self)
        n = len(self._training_kernel)
        if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= n:
            raise ValueError(f"k must be an integer from 1 to {n}, got {k!r}.")
        check_order(X, y)
        M = self._map(X)
        if y is not None:
            y = as_labels(y, is_exact=is_classifier(self))
        elif type(self).predict.__module__.startswith("skshap."):
            y = self._predict(M)
        else:  # that of a subclass, which maps rows once more
            y = self.predict(X)
        asked = self._check_asked(None, None)
        data, problem = self._pose(M, self._encode(y, M), None, asked, True)
        method = read_method(self)._replace(checkpoint=None)
        estimate = estimate_values(data, problem, method)
        values, std = (part[0, 0] for part in estimate)
        order = np.argsort(values, axis=1, kind="stable")
        found = Bunch(helpful=order[:, ::-1][:, :k], harmful=order[:, :k], y=y)
        for name in ("helpful", "harmful"):
            found[f"{name}_values"] = np.take_along_axis(values, found[name], 1)
            found[f"{name}_std"] = np.take_along_axis(std, found[name], 1)
        return found

    def _map_labelled(self, X, y):
        """Map rows as `_map` does, and encode their labels or targets."""
        check_order(X, y)
        M = self._map(X)
        return M, self._encode(y, M)

    def _check_asked(self, scorings, semivalues):
        """Check parameters, and the scorings and semivalues that are estimated."""
        self._validate_params()  # they may have changed since `fit`
        self._check_parameters()
        check_device(self.device)
        check_same("alpha", self.alpha, self._alpha)
        check_same("null_score", self.null_score, self._null_score)
        if scorings is None:
            remedy = " or pass scorings=[...] to attribute,"
            check_same("scoring", self.scoring, self._scoring, remedy)
        one = self._scoring, self.semivalue
        asked = check_asked(scorings, semivalues, one, self._check_scoring)
        check_units(asked, self._scoring, self._null_score)
        return asked

    def _pose(self, M, y, groups, asked, per_sample):
        """Return the data and the problem that values are the solution of."""
        names, of = self._named_rows
        check_order(names, groups, (of, "groups"))
        utilities = [self._utility(scoring, y) for scoring in asked.scorings]
        if groups is not None:
            groups = encode_groups(groups, self._training_kernel)
        data = self._data(M, self._targets(utilities), groups)
        n_players = data.n_players
        check_lowest(self.tol, n_players)
        nulls = [
            self.null_score_ if scoring is self._scoring else self._null(scoring)
            for scoring in asked.scorings
        ]
        weights = np.stack([size_weights(name, n_players) for name in asked.semivalues])
        problem = Problem(utilities, weights, nulls, bool(per_sample), self._seed)
        return data, problem

    def _data(self, M, targets, groups=None):
        """Return what coalitions are trained on, and the rows to predict."""
        kernel = self._training_kernel
        rows, is_explicit = kernel.values, kernel.is_explicit
        alpha = self.alpha_ + kernel.lost
        return Data(rows, M, targets, alpha, is_explicit, groups, self.device)
