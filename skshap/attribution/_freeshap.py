"""`FreeShapAttributor`: Shapley values of the training rows of a kernel classifier."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skshap.attribution._base import BaseFreeShap
from skshap.attribution._class_scores import (
    CLASS_SCORINGS,
    class_null,
    class_targets,
    class_utility,
)
from skshap.attribution._prequential import prequential_predictions
from skshap.attribution._utility import check_scoring
from skshap.kernel_ridge._base import BaseKernelRidgeClassifier, as_decision
from skshap.utils._device import check_device
from skshap.utils._labels import encode_targets
from skshap.utils._sklearn import Interval, StrOptions, fit_context
from skshap.utils._unchanged import unchanged_on_error

__all__ = ["FreeShapAttributor"]

SIGNATURE = (
    "f(decision, y_index) that maps decision values of shape (n, n_classes) and label "
    "indices of shape (n,) to n scores, each from its own row alone"
)


class FreeShapAttributor(BaseFreeShap, BaseKernelRidgeClassifier):
    """Shapley values of training rows, without fine-tuning (FreeShap).

    The utility of a coalition of training rows is the score that kernel ridge
    regression trained on it alone has on given rows; the value of a training row is its
    average gain in utility when it joins the rows before it in a random order [1]_.
    With a :class:`skshap.EmpiricalNTK` as kernel, the classifier stands in for
    fine-tuning the network. The estimator itself is that classifier, trained on all
    rows.

    Parameters
    ----------
    kernel : str, callable or kernel object, default="rbf"
        "precomputed"; a name or a symmetric callable that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` takes; an object with `fit`,
        `fit_transform` and `transform` such as :class:`skshap.EmpiricalNTK`, of which
        a clone is fitted; or "auto", which chooses one for a table of numbers, see
        Notes.
    alpha : float or "auto", default=1.0
        Strength of the ridge, added to the diagonal of the kernel matrix, as in
        :class:`sklearn.kernel_ridge.KernelRidge`. "auto": from a hundredth to a hundred
        times the mean of that diagonal or, where rows have most of it in common, of
        what is left once they are centred; whichever predicts the classes of rows left
        out best, less the share of each class.
    kernel_params : dict or None, default=None
        Parameters of a kernel given by name or as a callable, none of "auto".
    scoring : {"accuracy", "neg_log_loss", "neg_brier_score"} or callable, \
            default="accuracy"
        Score of each row, and the unit of the values: accuracy points, nats, or squared
        probability, the latter two of the probabilities of `predict_proba`; with two
        classes the Brier score counts the wrong class alone, as in
        :func:`sklearn.metrics.brier_score_loss`. A callable
        ``f(decision, y_index)`` takes decision values of shape (n, n_classes) and the
        indices of n labels, and returns n scores, each from its own row alone: rows of
        several coalitions are in one call. Class weights go in as ``weights[y_index]``.
    sampler : {"sweep", "permutation", "exact"}, default="sweep"
        "sweep": take the marginals of all rows, in closed form, at many sizes of every
        permutation, and of accuracy mostly for those rows to predict whose prediction
        is close, or enumerate the coalitions of at most 20 groups where that takes less
        work; "permutation": what each row adds when it joins, as in [1]_, at less work
        a permutation and many times the variance; "exact": enumerate the coalitions of
        at most 20 training rows, or groups of them.
    n_permutations : int, default=100
        How many permutations, or sweeps of a few permutations, are drawn. On large
        problems with at least 12 sweeps, the first four decide which sizes of
        coalitions are looked at more often; the number of later sweeps is then adjusted
        so that the total time stays the same.
    tol : float, ("sign", confidence), ("lowest", k, confidence) or None, default=None
        Stop after 10 draws or more. A float: once every standard error is at most this,
        in the units of `scoring`. ("sign", 0.95): once the sign of every value is
        settled with 95 % confidence, for all values together; ("lowest", 50, 0.95):
        once it is settled which values are the 50 lowest. Values of at most 8 training
        rows are then computed exactly, since too few draws of so few rows may differ
        for their errors to be trusted. A value all of whose draws agree counts as
        settled, which may be wrong where scores jump, rows to predict are one or two
        and few coalitions count, as of "banzhaf". None draws them all.
    truncation_tol : float or None, default=None
        With ``sampler="permutation"``, end a permutation once the mean utility of two
        prefixes in a row is within this share of ``|score - null_score_|`` of the score
        of all rows [2]_. It saves time at the price of a bias that more permutations do
        not lower.
    semivalue : {"shapley", "banzhaf", "loo"} or tuple ("beta", a, b), \
            default="shapley"
        How much each size of coalition counts. "shapley": all sizes alike; "banzhaf":
        all coalitions alike; "loo": all other rows, computed exactly unless
        ``sampler="permutation"``, then without `tol`; ("beta", a, b): Beta Shapley
        [3]_, in which a larger a puts weight on small coalitions (both from 1e-100 to
        100,000).
    null_score : {"prior", "chance"} or float, default="prior"
        Utility of no training row at all. "prior": what predicting the class
        frequencies of the training labels scores on average over those labels;
        "chance": the same for equal frequencies, as in [1]_; or a number. A callable
        `scoring` is given the frequencies as decision values.
    device : str, torch.device or None, default=None
        Where factors are computed, such as "cuda"; None is the CPU.
    n_jobs : int or None, default=None
        How many processes share the work, by joblib: -1 is one a core, None one in all,
        unless in a :class:`joblib.parallel_config` context, which may name a cluster
        too. Values do not depend on it, but for rounding. Enumerations take one
        process.
    checkpoint : path or None, default=None
        A file for the state of `attribute`, written each time that a part of a draw
        ends 10 seconds or more after the last write. After a kill the same call goes on
        from there and ends with the same bits; with a larger `n_permutations` it adds
        draws, with a smaller one it returns what there is. A file of another
        computation is refused; of a callable `scoring`, its code and state tell, and
        the functions, classes, objects and data that it names, also through modules
        that are not installed, but not what it imports when it is called; one that
        reads what cannot be pickled, as a lock, is another in each process, with a
        warning. A folder, as "values", has a file for each computation: none is
        refused, and none is done twice, as in a search of how many rows to remove, but
        for those that start before one of them has ended, as candidates of one fold do
        where a search works on more of them at once than there are folds. Nothing is
        deleted there; a damaged file is written anew. What does not exist yet becomes a
        file if it ends in ".npz", and else a folder. `explain` and enumerations keep no
        file.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.
    verbose : int, default=0
        Show a progress bar on what takes longer than a few seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    null_score_ : float
        Utility of no training row, in the units of `scoring`.
    dual_coef_ : ndarray of shape (n_samples, n_classes)
        Weights of the training rows in the classifier trained on all of them.
    intercept_ : ndarray of shape (n_classes,)
        Zeros: targets are not centred.
    loo_decision_function_ : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Decision values of each training row by the classifier trained on all others,
        exact, in the form of `decision_function`.
    alpha_ : float
        `alpha`, or what was chosen.
    kernel_ : object
        The fitted kernel, also where it was chosen.
    gram_ : ndarray of shape (n_samples, n_samples)
        Kernel matrix of the training rows, read only; computed when it is asked for if
        the kernel has fewer explicit features than there are rows.
    n_features_in_ : int
        Number of columns seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.EmpiricalNTK : Kernel of a pretrained network.
    skshap.LabelNoiseDetector : Finds rows with wrong labels.

    Notes
    -----
    One Cholesky factor of the permuted kernel serves all prefixes of a permutation.
    Values are exact in expectation unless permutations are truncated, apart from a
    small bias, as how many are drawn is chosen by the first ones, which count as well.
    Standard errors are those of the mean over permutations. A kernel of explicit
    features whose largest eigenvalue is beyond a million times `alpha` is taken as a
    matrix, since rounding would spoil what is computed by features. Shapley values add
    up to ``score(X, y) - null_score_``: to rounding with the samplers "permutation"
    (not truncated) and "exact", on average with "sweep". There errors of different rows
    go together, so that the sum is off by more, often several times, than the root of
    the sum of their squares.

    Squared errors are right on average, but where few coalitions of a size that weighs
    much tell what a row adds, as by jumps of accuracy, and few draws or none met one,
    the error is understated, at times many times: of few rows scored, as by row in
    `explain`, and more of Banzhaf and Beta values. For a single flower of iris, 12
    training rows and 20 sweeps, 10 % of Shapley values, 34 % of Banzhaf and 35 % of
    Beta(1, 16) ones are off by more than 2.1 standard errors, the worst by 15, where
    5 % are to be expected; by log loss 10, 22 and 8 %, the worst by 7. Score more rows,
    or by log loss, draw more, or enumerate. With "permutation" a row joins first in one
    of n permutations only, and at each other size as rarely, so that more is missed;
    "sweep" takes what every row adds to nobody exactly, and tells all rows at every
    size that it visits.

    ``kernel="auto"`` is linear, or rbf with a quarter of the gamma that
    :class:`sklearn.svm.SVC` calls "scale", of columns as they are, but for constant
    ones: the length scale is then the (root mean square) distance between two rows, or
    up to twice that where means of columns differ; where their standard
    deviations differ tenfold, also of standardized ones; where their means are far
    apart beside these, rbf of centred ones; and where a value is more than 30
    interquartile ranges from the median of its column, rbf of columns scaled by these
    ranges. It is the one of least leave-one-out error, with the best alpha, on at most
    1,000 of the rows; or, where that makes the error of the best rbf kernel a tenth
    less than this, one of eight times its gamma, as of classes that alternate. Of more
    than 5,000 rows, rbf is approximated by 500 features
    (:class:`sklearn.kernel_approximation.Nystroem`): no kernel matrix is formed then,
    nor with other kernels of fewer explicit features than rows.

    `kernel`, `alpha`, `scoring` and `null_score` are those that `fit` saw; values are
    refused once one of the last three was set to something else. `semivalue` and the
    parameters of the sampling are read whenever values are computed.

    References
    ----------
    .. [1] Wang, Lin, Qiao, Foo and Low, "Helpful or Harmful Data? Fine-tuning-free
       Shapley Attribution for Explaining Language Model Predictions", ICML 2024.
       :arxiv:`2406.04606`
    .. [2] Ghorbani and Zou, "Data Shapley: Equitable Valuation of Data for Machine
       Learning", ICML 2019: permutations and truncation. :arxiv:`1904.02868`
    .. [3] Kwon and Zou, "Beta Shapley: a Unified and Noise-reduced Data Valuation
       Framework for Machine Learning", AISTATS 2022. :arxiv:`2110.14049`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skshap import FreeShapAttributor
    >>> X, X_val, y, y_val = train_test_split(
    ...     *load_iris(return_X_y=True), train_size=50, random_state=0
    ... )
    >>> y[0] = (y[0] + 1) % 3  # a wrong label
    >>> attributor = FreeShapAttributor(
    ...     scoring="neg_log_loss", n_permutations=50, random_state=0
    ... ).fit(X, y)
    >>> values, std = attributor.attribute(X_val, y_val, return_std=True)
    >>> values.shape, std.shape
    ((50,), (50,))
    >>> int(values.argmin())  # the row that harms most
    0
    >>> gain = attributor.score(X_val, y_val) - attributor.null_score_
    >>> bool(abs(values.sum() - gain) < 0.05)
    True
    >>> annotators = ["Ada"] * 30 + ["Ben"] * 20
    >>> attributor.attribute(X_val, y_val, groups=annotators).shape  # Ada, Ben
    (2,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseKernelRidgeClassifier._parameter_constraints,
        **BaseFreeShap._value_constraints,
        "null_score": [
            StrOptions({"prior", "chance"}),
            Interval(Real, None, None, closed="neither"),
        ],
    }

    _sums_features = False  # coalitions may predict by rows even so

    def __init__(
        self,
        kernel="rbf",
        *,
        alpha=1.0,
        kernel_params=None,
        scoring="accuracy",
        sampler="sweep",
        n_permutations=100,
        tol=None,
        truncation_tol=None,
        semivalue="shapley",
        null_score="prior",
        device=None,
        n_jobs=None,
        checkpoint=None,
        random_state=None,
        verbose=0,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.kernel_params = kernel_params
        self.scoring = scoring
        self.sampler = sampler
        self.n_permutations = n_permutations
        self.tol = tol
        self.truncation_tol = truncation_tol
        self.semivalue = semivalue
        self.null_score = null_score
        self.device = device
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Compute the kernel of the training rows and train on all of them.

        Parameters
        ----------
        X : list of str, list of pairs of str, or {array-like, sparse matrix} of shape \
                (n_samples, n_features)
            Training rows; the kernel matrix, of shape (n_samples, n_samples), with
            ``kernel="precomputed"``.
        y : array-like of shape (n_samples,)
            Labels, of two classes or more.

        Returns
        -------
        self : FreeShapAttributor
            Fitted attributor.

        Raises
        ------
        NotPositiveDefiniteError
            If the kernel plus alpha has no Cholesky factor; the message names `alpha`.
        ValueError
            If rows, labels, the kernel or parameters are malformed, or rows and labels
            are, by names in their indices, not in one order.

        Warns
        -----
        UserWarning
            If indices are not in one order, but one only numbers its rows, or some of
            their names are others; if half of ten rows or more resemble only themselves
            by the kernel, as where columns have very different scales; or if a column
            of a frame that the kernel reads, with no step of a Pipeline before it but
            scalers, is the same as y in ten rows or more.
        """
        self._check_parameters()
        with unchanged_on_error(self):
            kernel, self._y = self._fit(X, y)
            self._keep_training(kernel, X, y)
        return self

    def prequential_decision_function(self):
        """Predict each training row from random subsets of the others.

        In a random order every row is predicted from those before it, at no cost beyond
        the factor: out-of-sample predictions of the training rows, averaged over
        `n_permutations` orders, without any rows held out.

        Returns
        -------
        ndarray of shape (n_samples_fit,) or (n_samples_fit, n_classes)
            Mean decision values, in the form of `decision_function`.

        Raises
        ------
        ValueError
            If a parameter that was set since `fit` is not valid.
        """
        check_is_fitted(self)
        self._validate_params()  # they may have changed since `fit`
        check_device(self.device)
        Y = np.eye(len(self.classes_))[self._y]
        data = self._data(self._training_kernel.values[:0], Y)
        options = self._seed, self.n_permutations, self.verbose
        return as_decision(prequential_predictions(data, *options))

    def _check_scoring(self, scoring):
        check_scoring(scoring, CLASS_SCORINGS, SIGNATURE)

    def _null(self, scoring):
        return class_null(scoring, self._null_score, self._y, len(self.classes_))

    def _utility(self, scoring, y):
        return class_utility(scoring, y, len(self.classes_), self.device, self._tie)

    def _targets(self, utilities):
        return class_targets(utilities, self._y, len(self.classes_))

    def _encode(self, y, M):
        return encode_targets(y, self.classes_, M)

    def _predict(self, M):
        return self._labels(self._outputs(M))
