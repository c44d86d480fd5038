"""`EmpiricalNTK`: the empirical neural tangent kernel of a pretrained network."""

from numbers import Integral
from pathlib import Path
from typing import ClassVar

import torch
from joblib import Memory
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.metaestimators import available_if

from skshap.kernels._method import may_sketch
from skshap.kernels._overridden import Overridable
from skshap.kernels._predicted import PredictedCost
from skshap.kernels._rebuilt import Rebuilt
from skshap.nn._models import READOUTS
from skshap.utils._sklearn import HasMethods, Interval, StrOptions, fit_context

__all__ = ["EmpiricalNTK"]


class EmpiricalNTK(
    PredictedCost,
    Rebuilt,
    Overridable,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Empirical neural tangent kernel of a network, as a transformer.

    The kernel of two rows is the inner product of the gradients of the network's
    output with respect to its weights, at the pretrained weights and without any
    training [1]_. ``transform`` gives the kernel values against the training rows, so
    that the estimator serves as a step before a classifier with
    ``kernel="precomputed"``, and as the ``kernel=`` of
    :class:`skshap.KernelRidgeClassifier` and :class:`skshap.FreeShapAttributor`.

    Parameters
    ----------
    model : str, path, torch.nn.Module or None, default=None
        For texts: a folder, a ``.gguf`` file or a hub name of a model that
        `transformers` can load, or such a model itself. Without `template` it is read
        out by a fresh linear head with seeded weights. Or any module whose forward
        returns (n, n_outputs), of whose parameters those with ``requires_grad`` count.
        A module is copied, used in evaluation mode, whatever mode it is in, and left as
        it was.
        None, for a table of numbers: a network of two tanh layers with seeded weights.
    tokenizer : PreTrainedTokenizerBase or None, default=None
        Of a module that reads texts. A model given by name brings its own.
    template : str or None, default=None
        Sentence that texts are put into, with a blank that a masked or causal language
        model fills, as in [2]_: "{text} It was {mask}." or, for pairs of texts,
        "{first:bare}? {mask}, {second:lower}" (without a punctuation mark at its end;
        with a small first letter). A causal model reads up to the blank, which must
        stand behind all texts. Or the name of a preset, with its words: "sst2", "mr",
        "mrpc", "rte" or "mnli".
    label_words : list of str or None, default=None
        What may fill the blank, one word a class in the order of sorted labels, each
        one token. Their logits are the outputs; the weights of these are parameters of
        their own, as in [2]_, also where a model ties them to its embeddings.
    readout : {"auto", "mean", "first", "last"}, default="auto"
        What a fresh head reads: the mean over the tokens that are not padding, or the
        first or last of these. "auto" is the last for a model that reads from left to
        right, the mean for others: it is tried whether a later token makes a
        difference to an earlier one.
    n_frozen_layers : int or None, default=None
        How many of the first layers, decoders after encoders, are left out. None leaves
        out two thirds, as in [2]_ (8 of 12), and none with ``parameters="lora"``.
    parameters : {"layers", "all", "feedforward", "lora"}, default="layers"
        Which parameters of a pretrained model make the kernel. "layers": those of the
        layers that are not frozen, and of the head. "all": also those of embeddings,
        as in [2]_, whose gradients say which words two texts share. "feedforward":
        those of modules outside of attention that have matrices, for less work. "lora":
        those of low-rank adapters, and of the head, for large models (extra `lora`).
    lora_params : dict or None, default=None
        Options of ``peft.LoraConfig``. By default those of [2]_: rank ``r=16``,
        ``lora_alpha=16`` and all linear layers as ``target_modules``. What they have
        trained beside adapters counts too, as all biases with ``bias="all"``.
    outputs : {"first", "sum", "mean"}, default="first"
        Of a network with several outputs: "first" is the kernel of the first one, which
        serves all classes as in [2]_; "sum" that of the sum of all, the pseudo-NTK of
        [3]_; "mean" the mean of the kernels of all outputs.
    sign_gradient : bool, default=False
        Take the inner products of the signs of gradients, the kernel of descent by the
        signs of gradients [4]_. Gradients are then always multiplied out. What is as
        small against the largest of a row as rounding counts as zero.
    method : {"auto", "exact", "sketch"}, default="auto"
        "exact" multiplies gradients out, pair by pair. "sketch" keeps `n_components`
        numbers of each, whose inner products are nearly those of the gradients: time
        and memory grow with the rows, not with their pairs, and
        `approximation_error_` tells how near. "auto" is exact as long as the kernel of
        the training rows takes at most 3 GiB, some 20,000 rows, their gradients are
        predicted to take as much at most and their products 3e13 operations, some
        minutes; on a GPU, where gradients do not count, 3e15 operations; and with
        `sign_gradient`.
    n_components : int or None, default=None
        Columns of the sketch; None for 1,024. There are fewer if the training rows that
        it is made from need no more: all but an eighth, 48 at most, or a part of many.
    normalize : bool or "cosine", default=True
        True divides by the mean of the training diagonal, so that ``alpha`` of a ridge
        has the same meaning for every model. "cosine" divides by the norms of both
        gradients, so that every row counts the same, however long its text.
    max_length : int, default=128
        Tokens after which a text is cut. A warning says how many rows were, and which
        are the first.
    batch_size : int, default=32
        Rows in a forward and backward pass, at most: those of similar length go
        together.
    device : str, torch.device or None, default=None
        Where to compute, such as "cuda" for all GPUs or "cuda:0" for one. None leaves a
        module where it is and puts anything else on the CPU.
    dtype : {"float32", "float64", "bfloat16"}, default="float32"
        Of weights, and of the forward and backward pass. Products are summed up in
        float64; those of float32 are taken of bfloat16 parts on GPUs of data centres
        (A100, H100, H200, B200; torch 2.8 or later), with an error below 2e-5 of the
        norms. With "bfloat16", for GPUs, gradients are kept in float32; the kernel then
        has errors of about a hundredth. The network for tables always works in float64.
    memory : str, path, joblib.Memory or None, default=None
        Folder in which gradients and kernel values are kept, by the content of the
        rows and of the network: folds, grid searches and repeated runs compute no
        gradient twice, and a run that was killed goes on. Features of a sketch depend
        on the rows that it is fitted to, and are found again for the same ones. Several
        processes may use it at once; :func:`skshap.reduce_memory` keeps it small. A
        sketch, or a network with seeded weights, then needs an integer `random_state`.
        Of the code of a network, what it names counts, functions, classes, objects and
        data, also through a module, as in ``module.scale``, but not what is imported
        inside of functions; of libraries such as torch, and of modules that are
        installed, names count alone. What cannot be pickled, as a lock, is another in
        every process, so that nothing is found again. A relative path starts at the
        working folder: in another one, a fitted kernel that is loaded computes
        gradients again, with a warning if there is no such folder. None keeps gradients
        in memory, for this object alone.
    random_state : int, RandomState instance or None, default=None
        Seed of the head and of adapters, or of the network for tables, and of the
        sketch.
    verbose : int, default=0
        Show a progress bar on what takes longer than a few seconds.

    Attributes
    ----------
    X_fit_ : list or ndarray
        The training rows.
    scale_ : float
        Mean squared norm of the training gradients, which ``normalize=True`` divides
        the kernel by.
    method_ : {"exact", "sketch"}
        How the kernel is computed.
    n_components_ : int
        Columns of the sketch; not set if the kernel is exact.
    approximation_error_ : float
        Relative error of the sketch, in the Frobenius norm, of the kernel between
        different rows out of up to 48 training rows that its projections were not made
        from, normalized as the kernel is; NaN with fewer than 16 training rows, copies
        not counted. Zero if the kernel is exact.
    lost_diagonal_ : float
        What the features of a sketch lack of the mean training diagonal; zero if the
        kernel is exact. The kernel has it where a row meets itself. Estimators that
        work on features add it to `alpha` instead: they do not recognise a row that is
        both trained on and predicted, or that occurs twice.
    n_features_in_ : int
        Number of columns of a table seen in `fit`; not set for texts.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `fit` saw a dataframe with string names.

    See Also
    --------
    skshap.KernelRidgeClassifier : Classifier on this kernel.
    skshap.FreeShapAttributor : Values of training rows on this kernel.

    Notes
    -----
    One batched forward and one backward pass give the gradients of all rows of a batch
    in factored form, where layers have a rule: linear ones, embeddings, convolutions in
    one and two dimensions, and norms. Any other parameter is exact as well, but takes a
    backward pass a row, and memory for all of its entries a row, of which there may be
    16 million.

    Rules are compared with autograd on up to three rows, each alone, and on up to eight
    of the first batch, together, and again of one with twice as many: a network that
    does something else to other rows is not noticed, unless it uses a weight outside of
    its layer, which is looked for in every batch. Layers may read rows one by one, or
    the tokens of all rows behind each other. Where rows change places on the way, as
    where they are sorted by length, or layers read other parts of them, such as experts
    that some of the tokens are sent to, the network reads one row at a time, with a
    warning. Of networks with code other than that of torch, transformers and peft, or
    with hooks, two to four rows of a batch are read again, in another order, to see it;
    where it shows only after other batches, an error says to set ``batch_size=1``.

    With ``method="exact"``, a row takes ``itemsize * n_tokens * (inputs + outputs)``
    bytes for each layer: 1.2 MB for 25 tokens and three feed-forward blocks of 384 to
    1,536. With `memory` they are written to disk, beside 8 bytes for each pair of rows,
    and 2 GB of them are held at once. Without it 3 GB more are held, and what exceeds
    them is computed again for every tile of 1,024 rows and columns of the kernel.

    On a GPU, exact gradients stay in its memory, about 60 % of it at most, and are
    computed again rather than copied, for each tile of the kernel and each call: tiles
    are as large as they can be, up to 8,192 rows and columns, and several GPUs take
    some each. `memory` then keeps kernel values alone, tile by tile, so that rows added
    to others have the gradients of all computed once more.

    With ``method="sketch"``, a row takes ``itemsize * (n_components + 1)`` bytes, 4 kB
    with 1,024 columns, in memory or on disk. While projections are sought, 1 GB of
    gradients of a sample of the rows are held, then some 32,768 numbers of each of up
    to ``2 * n_components`` rows, 270 MB, or with many layers up to four times as many;
    the projections themselves take half of that, on disk as well.

    Gradients are computed by joblib's workers if :func:`joblib.parallel_config` names
    several, also on a dask or ray cluster. Each has a copy of the network and returns
    what it finds for 256 rows at a time; batches, and the kernel to rounding, are those
    without workers.

    A fitted kernel that is pickled or copied leaves its network behind, and builds it
    again from `model` when it is first used, with the parameters of `fit`. It raises an
    error if weights, settings or tokenizer are not those of `fit`, as after a folder
    was written anew or a module was trained on. To tell, all weights are read once
    before and once after: some 0.1 s for 90 MB. Settings are the configuration of a
    pretrained model, names of classes of layers and attributes that are texts, numbers,
    flags or lists of these, unless a forward pass changes them, but not code, hooks,
    private attributes and buffers that files do not hold.

    On a machine without a network or with ``HF_HUB_OFFLINE=1``, pass
    the path of a model folder.

    References
    ----------
    .. [1] Jacot, Gabriel and Hongler, "Neural Tangent Kernel: Convergence and
       Generalization in Neural Networks", NeurIPS 2018. :arxiv:`1806.07572`
    .. [2] Wang, Lin, Qiao, Foo and Low, "Helpful or Harmful Data? Fine-tuning-free
       Shapley Attribution for Explaining Language Model Predictions", ICML 2024.
       :arxiv:`2406.04606`
    .. [3] Mohamadi, Bae and Sutherland, "A Fast, Well-Founded Approximation to the
       Empirical Neural Tangent Kernel", ICML 2023. :arxiv:`2206.12543`
    .. [4] Malladi, Wettig, Yu, Chen and Arora, "A Kernel-Based View of Language Model
       Fine-Tuning", ICML 2023. :arxiv:`2210.05643`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from skshap import EmpiricalNTK, KernelRidgeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> EmpiricalNTK(random_state=0).fit_transform(X).shape
    (150, 150)
    >>> clf = make_pipeline(
    ...     EmpiricalNTK(random_state=0),
    ...     KernelRidgeClassifier(alpha=0.01, kernel="precomputed"),
    ... )
    >>> bool(clf.fit(X, y).score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "model": [str, Path, torch.nn.Module, None],
        "tokenizer": [
            HasMethods(["__call__", "num_special_tokens_to_add", "pad"]),
            None,
        ],
        "template": [str, None],
        "label_words": [list, tuple, None],
        "readout": [StrOptions({"auto", *READOUTS})],
        "n_frozen_layers": [Interval(Integral, 0, None, closed="left"), None],
        "parameters": [StrOptions({"layers", "all", "feedforward", "lora"})],
        "lora_params": [dict, None],
        "outputs": [StrOptions({"first", "sum", "mean"})],
        "sign_gradient": ["boolean"],
        "method": [StrOptions({"auto", "exact", "sketch"})],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "normalize": ["boolean", StrOptions({"cosine"})],
        "max_length": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device, None],
        "dtype": [StrOptions({"float32", "float64", "bfloat16"})],
        "memory": [str, Path, Memory, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model=None,
        *,
        tokenizer=None,
        template=None,
        label_words=None,
        readout="auto",
        n_frozen_layers=None,
        parameters="layers",
        lora_params=None,
        outputs="first",
        sign_gradient=False,
        method="auto",
        n_components=None,
        normalize=True,
        max_length=128,
        batch_size=32,
        device=None,
        dtype="float32",
        memory=None,
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.template = template
        self.label_words = label_words
        self.readout = readout
        self.n_frozen_layers = n_frozen_layers
        self.parameters = parameters
        self.lora_params = lora_params
        self.outputs = outputs
        self.sign_gradient = sign_gradient
        self.method = method
        self.n_components = n_components
        self.normalize = normalize
        self.max_length = max_length
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Keep the training rows and compute their gradients.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        self : EmpiricalNTK
            Fitted kernel.

        Raises
        ------
        ModelNotFoundError
            If a model given by name cannot be loaded.
        ValueError
            If rows or parameters do not fit together, or model depends on parameters
            that are not its own; the message names them.
        RuntimeError
            Inside of ``torch.autocast`` or ``torch.inference_mode``.
        """
        self._fit(X, lambda engine: engine.fit())
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Fit and return the kernel matrix of the training rows.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_samples, n_samples)
            Exactly symmetric; the same as ``fit(X).transform(X)`` to rounding.
        """
        return self._fit(X, lambda engine: engine.fit_kernel())

    def transform(self, X):
        """Return the kernel matrix between rows and the training rows.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_samples_fit)
            Kernel values, float64.
        """
        rows = self._check_new_rows(X)
        return self._engine.kernel(rows)

    def diag(self, X):
        """Return the kernel value of each row with itself.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            The diagonal of ``fit_transform(X)`` up to its normalization.
        """
        rows = self._check_new_rows(X)
        return self._engine.diagonal(rows)

    @available_if(may_sketch)
    def transform_features(self, X):
        """Return explicit features, of which the kernel is the inner product.

        Only with ``method="sketch"``, or once ``method="auto"`` has chosen it.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Features, float64: ``transform(X)`` is their product with those of the
            training rows, and `lost_diagonal_` more where a row meets itself.
        """
        rows = self._check_new_rows(X)
        return self._engine.features(rows)

    def initial_outputs(self, X):
        """Return the outputs of the network before any training.

        Parameters
        ----------
        X : list of str, list of pairs of str, or array-like of shape \
                (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            With a template, the logits of the label words.
        """
        rows = self._check_new_rows(X)
        return self._gradients.outputs(rows)

    @property
    def _n_features_out(self):
        return len(self.X_fit_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = self.model is not None
        return tags
