"""`EmpiricalNTK(method="sketch")` against exact kernels, and its conduct."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skshap import (
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
)
from skshap.kernels import EmpiricalNTK, _method, _sketched
from skshap.kernels._digest import row_keys
from skshap.kernels._row_gram import count_products
from skshap.nn._capture import GradientCapture
from tests.conftest import WORDS, make_encoder
from tests.oracles import encoder_kernel, tangent_kernel


@pytest.fixture
def captured(monkeypatch):
    """How many rows each captured batch had."""
    counts = []
    gradients = GradientCapture.gradients

    def counting(self, batch, lengths):
        out = gradients(self, batch, lengths)
        counts.append(len(out.vector))
        return out

    monkeypatch.setattr(GradientCapture, "gradients", counting)
    return counts


@pytest.fixture
def make(make):
    """Makes a sketch of the tiny BERT's kernel; keywords override."""
    return partial(make, method="sketch", n_components=12, batch_size=8)


def texts(n, seed=0):
    """Different texts."""
    rng = np.random.default_rng(seed)
    found = {
        " ".join(rng.choice(WORDS, rng.integers(1, 25))): None for _ in range(2 * n)
    }
    return list(found)[:n]


class Network(nn.Module):
    """Convolution, norm, table, linear layers and a parameter without a rule."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(7, 6)
        self.convolution = nn.Conv1d(6, 5, 2)
        self.norm = nn.LayerNorm(5)
        self.scale = nn.Parameter(torch.ones(5))
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        h = self.table(x.abs().long() % 7).mT
        h = self.norm(torch.tanh(self.convolution(h)).mT) * self.scale
        return self.head(torch.tanh(h).mean(1))


# With enough columns nothing is lost


@pytest.mark.parametrize("n_frozen_layers", [0, 2])
def test_enough_columns(tiny_encoder, tiny_tokenizer, tiny_texts, n_frozen_layers):
    kernel = EmpiricalNTK(
        tiny_encoder,
        tokenizer=tiny_tokenizer,
        n_frozen_layers=n_frozen_layers,
        method="sketch",
        n_components=1 << 16,
        normalize=False,
        max_length=32,
        batch_size=2,
        dtype="float64",
        random_state=7,
    ).fit(tiny_texts)
    more = [*texts(5), *tiny_texts]
    expected = encoder_kernel(
        tiny_encoder, tiny_tokenizer, more, seed=7, n_frozen_layers=n_frozen_layers
    )
    atol = 1e-12 * np.abs(expected).max()
    assert_allclose(kernel.transform(more), expected[:, 5:], rtol=0, atol=atol)
    assert_allclose(kernel.diag(more), np.diag(expected), rtol=0, atol=atol)
    assert_allclose(kernel.scale_, np.diag(expected)[5:].mean(), rtol=1e-12)
    K = kernel.fit_transform(tiny_texts)
    assert_allclose(K, expected[5:, 5:], rtol=0, atol=atol)
    assert_array_equal(K, K.T)


@pytest.mark.parametrize("outputs", ["first", "sum", "mean"])
def test_enough_columns_of_any_layer(outputs):
    network = Network().double()
    X = np.random.default_rng(0).integers(0, 7, size=(40, 9)).astype(float)
    rows = list(torch.from_numpy(X[:, None]))
    parameters = list(network.parameters())
    read = {
        "first": [lambda x: network(x)[0, 0]],
        "sum": [lambda x: network(x)[0].sum()],
        "mean": [lambda x, c=c: network(x)[0, c] / 3**0.5 for c in range(3)],
    }[outputs]
    expected = sum(tangent_kernel(output, parameters, rows) for output in read)
    options = {"method": "sketch", "outputs": outputs, "dtype": "float64"}
    kernel = EmpiricalNTK(
        network, n_components=1 << 16, normalize=False, random_state=0, **options
    )
    K = kernel.fit_transform(X)
    assert_allclose(K, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    assert kernel.approximation_error_ < 1e-12
    # As many columns as rows, none of which is held out: all that rows span is kept.
    kernel = EmpiricalNTK(
        network, n_components=7, normalize=False, random_state=0, **options
    )
    K = kernel.fit_transform(X[:7])
    assert kernel.n_components_ == 7
    assert_allclose(K, expected[:7, :7], rtol=0, atol=1e-12 * np.abs(expected).max())


def test_few_columns_err_less_the_more_there_are(make, bert, tiny_tokenizer):
    X = texts(80)
    exact = make(method="exact").fit_transform(X)
    errors = []
    for n_components in (1, 4, 16, 60):
        kernel = make(n_components=n_components)
        K = kernel.fit_transform(X)
        assert kernel.n_components_ == n_components
        errors.append(np.linalg.norm(K - exact) / np.linalg.norm(exact))
    assert errors[0] > 0.01
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01


# The error is what it is said to be


@pytest.mark.parametrize("normalize", [False, True, "cosine"])
@pytest.mark.parametrize("n_components", [3, 15])
def test_error_recomputed(make, bert, tiny_tokenizer, n_components, normalize):
    X = [*texts(60), *texts(5)]  # five twice
    kernel = make(n_components=n_components, normalize=normalize).fit(X)
    by_key = dict(zip(row_keys(X), X, strict=True))
    held_out = sorted(by_key, key=kernel._engine.sketched._rank)[: 60 // 8]
    rows = [by_key[key] for key in held_out]
    exact = encoder_kernel(bert, tiny_tokenizer, rows, seed=0)
    if normalize == "cosine":
        exact /= np.sqrt(np.outer(exact.diagonal(), exact.diagonal()))
    elif normalize:
        exact /= kernel.scale_
    features = kernel.transform_features(rows)
    wrong = features @ features.T - exact
    for matrix in (exact, wrong):
        np.fill_diagonal(matrix, 0)
    expected = np.linalg.norm(wrong) / np.linalg.norm(exact)
    assert expected > 1e-5
    assert_allclose(kernel.approximation_error_, expected, rtol=1e-6)


def test_the_error_of_cosines_is_not_that_of_the_largest_rows(tmp_path):
    """Whose products are nearly all of the norm of the kernel."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 20)) + 50 * (rng.random((240, 1)) < 0.3) * np.eye(20)[0]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
    options = {"n_components": 32, "random_state": 0, "memory": tmp_path}
    for normalize in (False, "cosine"):
        kernel = EmpiricalNTK(net, method="sketch", normalize=normalize, **options)
        kernel.fit(X[:200])
        exact = EmpiricalNTK(net, method="exact", normalize=normalize).fit(X[200:])
        K, F = exact.transform(X[200:]), kernel.transform_features(X[200:])
        off = ~np.eye(40, dtype=bool)
        error = np.linalg.norm((F @ F.T - K)[off]) / np.linalg.norm(K[off])
        assert 1 / 3 < kernel.approximation_error_ / error < 3


def test_held_out_rows_make_no_projection(make, monkeypatch):
    X, seen = texts(60), []
    fit = _sketched.SketchedRows._fit_projections

    def recording(self, rows):
        seen.extend(rows)
        return fit(self, rows)

    monkeypatch.setattr(_sketched.SketchedRows, "_fit_projections", recording)
    make(n_components=20).fit(X)
    assert len(seen) == 40  # twice the columns
    seen.clear()
    kernel = make(n_components=50).fit(X)
    assert len(seen) == 60 - 60 // 8
    rows = sorted(X, key=lambda x: kernel._engine.sketched._rank(row_keys([x])[0]))
    assert not set(rows[: 60 // 8]) & set(seen)
    used = set(seen)
    seen.clear()
    make(n_components=50, random_state=1).fit(X)
    assert set(seen) != used  # held out by chance, not by what the rows are


# Its conduct


@pytest.mark.parametrize("normalize", [True, False, "cosine"])
def test_products_of_features(make, normalize):
    X, new = texts(40), texts(7, seed=1)
    kernel = make(normalize=normalize)
    K = kernel.fit_transform(X)
    F, G = kernel.transform_features(X), kernel.transform_features(new)
    assert F.dtype == np.float64
    assert F.shape == (40, kernel.n_components_)
    lost = kernel.lost_diagonal_
    assert_allclose(K, F @ F.T + lost * np.eye(40), rtol=1e-10)
    assert_array_equal(K, K.T)
    assert_allclose(kernel.transform(X), K, rtol=1e-10)
    assert_allclose(kernel.transform([*new, X[3]])[:-1], G @ F.T, rtol=1e-10)
    assert_allclose(kernel.transform([*new, X[3]])[-1], K[3], rtol=1e-10)
    assert_allclose(kernel.diag(new), (G**2).sum(1) + lost, rtol=1e-12)
    exact = make(method="exact", normalize=normalize)
    expected = exact.fit_transform(X)
    assert_allclose(kernel.scale_, exact.scale_)
    assert 1e-4 * np.trace(expected) < 40 * lost < 0.5 * np.trace(expected)
    assert_allclose(np.trace(K), np.trace(expected), rtol=1e-6)
    assert_allclose(exact.lost_diagonal_, 0)
    assert np.linalg.norm(K - expected) < 0.05 * np.linalg.norm(expected)


def test_what_features_lose_is_a_ridge(make):
    """A classifier on features is the one on the kernel, whose diagonal is right.

    Rows are distinct, and those predicted are others.
    """
    X, new = texts(60), texts(9, seed=1)
    y = np.arange(60) % 3
    kernel = make(n_components=4)
    on_features = KernelRidgeClassifier(0.01, kernel=kernel).fit(X, y)
    assert on_features._is_explicit
    assert on_features.kernel_.lost_diagonal_ > 1e-4
    K, cross = kernel.fit_transform(X), kernel.transform(new)
    assert_allclose(np.trace(K), 60, rtol=1e-6)
    on_kernel = KernelRidgeClassifier(0.01, kernel="precomputed").fit(K, y)
    expected = on_kernel.decision_function(cross)
    assert_allclose(on_features.decision_function(new), expected, rtol=1e-6)
    loo = on_kernel.loo_decision_function_
    assert_allclose(on_features.loo_decision_function_, loo, rtol=1e-6)

    values = {}
    for name, rows, others, used in [
        ("features", X, new, kernel),
        ("kernel", K, cross, "precomputed"),
    ]:
        attributor = FreeShapAttributor(
            used, alpha=0.01, n_permutations=3, scoring="neg_brier_score"
        )
        attributor.set_params(random_state=0, semivalue="loo").fit(rows, y)
        values[name] = attributor.attribute(others, y[:9])
        assert_allclose(attributor.gram_, K, rtol=1e-10)
    assert_allclose(values["features"], values["kernel"], rtol=1e-6, atol=1e-12)


def test_order_and_repetition_of_rows(make):
    X = texts(50)
    K = make().fit_transform(X)
    assert_array_equal(make().fit_transform(X), K)
    order = np.random.default_rng(0).permutation(50)
    shuffled = make(normalize=False).fit_transform([X[i] for i in order])
    plain = make(normalize=False).fit_transform(X)
    assert_allclose(shuffled, plain[np.ix_(order, order)], rtol=1e-9)
    twice = make(normalize=False).fit_transform([*X, *X])
    assert_allclose(twice, np.tile(plain, (2, 2)), rtol=1e-9)
    batches = make(normalize=False, batch_size=3).fit_transform(X)
    assert_allclose(batches, plain, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 16])
def test_few_rows(make, n):
    X = texts(n)
    kernel = make()
    K = kernel.fit_transform(X)
    if n < 16:  # none is held out
        assert_allclose(K, make(method="exact").fit_transform(X), rtol=1e-9)
    assert np.isnan(kernel.approximation_error_) == (n < 16)
    copies = make().fit(X[:15] * 3)  # which show nothing new
    assert np.isnan(copies.approximation_error_)


def test_zero_gradients():
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    for parameter in network.parameters():
        nn.init.constant_(parameter, -1.0)
    network[2].bias.requires_grad_(False)
    X = np.ones((20, 3)) + np.arange(20)[:, None]
    K = EmpiricalNTK(network, method="sketch", normalize=False).fit_transform(X)
    assert_array_equal(K, np.zeros((20, 20)))
    message = "20 rows have a gradient of zero in single precision"
    with pytest.raises(ValueError, match=message):
        EmpiricalNTK(network, method="sketch").fit(X)


def test_single_precision(make):
    X = texts(60)
    K = make(dtype="float32", n_components=30).fit_transform(X)
    assert_allclose(K, make(n_components=30).fit_transform(X), rtol=0, atol=1e-3)


def test_pickle_and_clone(make, captured):
    X, new = texts(40), texts(5, seed=1)
    kernel = make().fit(X)
    expected = kernel.transform(new)
    for _ in range(2):  # and of one that was made from a pickle and not used
        kernel = pickle.loads(pickle.dumps(kernel))
    captured.clear()
    assert_allclose(kernel.transform(new), expected, rtol=1e-12)
    assert sum(captured) == len(new)  # projections and training features travel
    assert kernel.approximation_error_ > 0
    other = clone(kernel)
    assert not hasattr(other, "method_")
    assert_allclose(other.fit(X).transform(new), expected, rtol=1e-12)


def test_refit(make):
    X = texts(40)
    kernel = make().fit(X)
    kernel.fit(X[:30])
    assert_array_equal(kernel.transform(X), make().fit(X[:30]).transform(X))
    kernel.set_params(method="exact").fit(X)
    assert not hasattr(kernel, "n_components_")
    assert kernel.approximation_error_ == 0


def test_refuses_signs(make):
    with pytest.raises(ValueError, match="sign_gradient=True takes the signs"):
        make(sign_gradient=True).fit(texts(3))


@pytest.mark.parametrize("n_components", [0, -1, 1.5, "many"])
def test_bad_n_components(make, n_components):
    with pytest.raises(ValueError, match="n_components"):
        make(n_components=n_components).fit(texts(3))


def test_not_finite(make, bert):
    model = make_encoder("bert")
    with torch.no_grad():
        next(model.parameters()).fill_(np.nan)
    with pytest.raises(ValueError, match="not finite"):
        make(model=model).fit(texts(20))


# The choice


def test_auto(make, monkeypatch):
    X = texts(40)
    kernel = make(method="auto")
    assert hasattr(kernel, "transform_features")
    kernel.fit(X)
    assert kernel.method_ == "exact"
    assert not hasattr(kernel, "transform_features")
    assert kernel.approximation_error_ == 0
    exact = make(method="exact")
    assert not hasattr(exact, "transform_features")
    assert_array_equal(exact.fit_transform(X), kernel.transform(X))
    for name in ("EXACT_BYTES", "EXACT_OPERATIONS"):
        with monkeypatch.context() as patch:
            patch.setattr(_method, name, 1000)
            kernel.fit(X)
        assert kernel.method_ == "sketch"
        assert kernel.transform_features(X).shape == (40, 12)
    with monkeypatch.context() as patch:
        patch.setattr(_method, "EXACT_BYTES", 1000)
        kernel.set_params(sign_gradient=True).fit(X)
    assert kernel.method_ == "exact"


def test_predicted_cost(make):
    """Bytes are those that gradients then take, and operations those counted."""
    X = texts(50)
    gradients = make(method="exact").fit(X)._gradients
    n_bytes, n_operations = count_products(gradients, X)
    rows = [r for _, b in gradients.captured(X) for r in b.rows()]
    assert_allclose(n_bytes, sum(row.nbytes for row in rows), rtol=0.02)
    layout = gradients.find_layout(X)
    size = layout.n_vector + sum(f.n_inputs * f.n_outputs for f in layout.factors)
    assert 0.1 * 50**2 * size < n_operations < 2 * 50**2 * size


# The store


def test_nothing_is_computed_twice(make, captured, tmp_path):
    X, new = texts(60), texts(5, seed=1)
    plain = make(normalize=False)
    expected = plain.fit_transform(X)
    captured.clear()
    kernel = make(normalize=False, memory=tmp_path)
    assert_array_equal(kernel.fit_transform(X), expected)
    assert sum(captured) == 60
    captured.clear()
    kernel = make(normalize=False, memory=tmp_path)
    K = kernel.fit_transform(X[::-1])
    assert_allclose(K, expected[::-1, ::-1], rtol=1e-12)
    assert captured == []
    assert_allclose(kernel.transform(new), plain.transform(new)[:, ::-1], rtol=1e-12)
    assert_allclose(kernel.approximation_error_, plain.approximation_error_)
    captured.clear()
    assert len(kernel.transform([*X, *new])) == 65
    assert captured == []
    # Other projections find nothing of these.
    kernel = make(normalize=False, memory=tmp_path, n_components=11)
    assert kernel.fit_transform(X).shape == (60, 60)
    assert sum(captured) == 60


@pytest.mark.parametrize("name", ["SAMPLE_ROWS", "CHUNK"])
def test_projections_that_are_gone_are_not_mixed_with_others(
    make, monkeypatch, tmp_path, name
):
    """What is stored of rows is by projections found from other ones of them."""
    X = texts(60)
    monkeypatch.setattr(_sketched, "first_width", lambda layout: 12)
    kernel = make(memory=tmp_path)
    before = kernel.fit_transform(X)
    digest = kernel._engine.sketched.digest
    (stored,) = tmp_path.rglob(f"{digest}*")
    stored.unlink()
    monkeypatch.setattr(_sketched, name, 7)
    if name == "CHUNK":  # of which the first is then enough
        monkeypatch.setattr(_sketched, "SAMPLE_BYTES", 1)
    K = make(memory=tmp_path).fit_transform(X)
    assert_array_equal(K, make().fit_transform(X))
    assert np.abs(K - before).max() > 1e-6


def test_the_sample_is_the_same_whatever_the_batch_size(make, monkeypatch):
    """Padding, which grows with batches, takes none of the bytes of the sample."""
    X = texts(120)
    monkeypatch.setattr(_sketched, "first_width", lambda layout: 12)
    monkeypatch.setattr(_sketched, "CHUNK", 8)
    made = set()
    for n_bytes in (1, 1_000_000, 1 << 30):
        monkeypatch.setattr(_sketched, "SAMPLE_BYTES", n_bytes)
        kernels = [make(batch_size=size, n_components=40) for size in (1, 8, 32)]
        first, *others = (kernel.fit_transform(X) for kernel in kernels)
        for K in others:
            assert_allclose(K, first, atol=1e-9)
        made.add(first[0, 1].round(9))
    assert len(made) == 3


def test_without_a_store_nothing_is_computed_twice_either(make, captured):
    X = texts(60)
    kernel = make().fit(X)
    kernel.transform(X)
    kernel.diag(X[:10])
    kernel.transform_features(X)
    assert sum(captured) == 60


def test_killed_run_resumes(make, captured, monkeypatch, tmp_path):
    X = texts(80)
    expected = make().fit_transform(X)
    captured.clear()
    gradients = GradientCapture.gradients

    def failing(self, batch, lengths):
        if sum(captured) >= 50:
            raise KeyboardInterrupt
        return gradients(self, batch, lengths)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(GradientCapture, "gradients", failing)
        make(memory=tmp_path).fit(X)
    n_first = sum(captured)
    assert n_first >= 50
    assert_allclose(make(memory=tmp_path).fit_transform(X), expected, rtol=1e-9)
    assert sum(captured) == 80


def test_alpha_chosen_on_a_sketch(make):
    """The kernel matrix is searched, and its choice is that of the features."""
    X, new = texts(60), texts(9, seed=1)
    y = np.array([len(text) % 2 for text in X])
    kernel, alphas = make(n_components=6), [1e-3, 0.1, 10.0]
    best = KernelRidgeClassifierCV(alphas, kernel=kernel).fit(X, y)
    errors = []
    for alpha in alphas:
        clf = KernelRidgeClassifier(alpha, kernel=kernel).fit(X, y)
        assert clf._is_explicit
        # Half the difference of two indicators, against labels of -1 and 1.
        loo = clf.loo_decision_function_
        errors.append(np.mean((loo - (2 * y - 1)) ** 2))
        if alpha == best.alpha_:
            found = clf.decision_function(new)
            assert_allclose(best.decision_function(new), found, rtol=1e-6)
    assert best.alpha_ == alphas[int(np.argmin(errors))]


def test_attribution_in_a_search(make):
    X = texts(60)
    y = np.array([len(text) % 2 for text in X])
    attributor = FreeShapAttributor(
        make(), sampler="permutation", n_permutations=3, random_state=0
    )
    grid = {"kernel__n_components": [3, 9], "alpha": [0.1, 1.0]}
    search = GridSearchCV(attributor, grid, cv=2).fit(X, y)
    best = search.best_estimator_
    assert best._is_explicit
    values = best.attribute(X[:7], y[:7])
    expected = best.score(X[:7], y[:7]) - best.null_score_
    assert_allclose(values.sum(), expected, atol=1e-9)
    assert np.abs(values).max() > 0


def test_grid_search(make, captured, tmp_path):
    X = texts(40)
    y = [int(len(text) % 2) for text in X]
    grid = GridSearchCV(
        make_pipeline(
            make(memory=tmp_path), KernelRidgeClassifier(kernel="precomputed")
        ),
        {"kernelridgeclassifier__alpha": [0.1, 1.0, 10.0]},
        cv=2,
        refit=False,
    ).fit(X, y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert sum(captured) == 2 * 40  # each fold's projections meet every row once


# Users of kernels


def test_ridge_on_features(make):
    X, new = texts(60), texts(20, seed=1)
    y = np.array([len(text) % 3 for text in X])
    clf = KernelRidgeClassifier(0.3, kernel=make()).fit(X, y)
    assert clf._is_explicit
    K = make().fit(X)
    other = KernelRidgeClassifier(0.3, kernel="precomputed")
    other.fit(K.fit_transform(X), y)
    assert_allclose(
        clf.decision_function(new), other.decision_function(K.transform(new)), rtol=1e-6
    )
    assert_allclose(clf.loo_decision_function_, other.loo_decision_function_, rtol=1e-6)
    # More columns than rows: the matrix is smaller.
    clf = KernelRidgeClassifier(0.3, kernel=make(n_components=1 << 16)).fit(X, y)
    assert not clf._is_explicit
    exact = KernelRidgeClassifier(0.3, kernel=make(method="auto")).fit(X, y)
    assert not exact._is_explicit
    assert_allclose(clf.decision_function(new), exact.decision_function(new), rtol=1e-6)


def test_values_of_rows(make):
    X, new = texts(40), texts(10, seed=1)
    y, y_new = ([len(text) % 2 for text in rows] for rows in (X, new))
    attributor = FreeShapAttributor(
        make(n_components=5), n_permutations=4, random_state=0
    )
    values = attributor.fit(X, y).attribute(new, y_new)
    assert attributor._is_explicit
    K = make(n_components=5).fit(X)
    other = FreeShapAttributor("precomputed", n_permutations=4, random_state=0)
    other.fit(K.fit_transform(X), y)
    expected = other.attribute(K.transform(new), y_new)
    assert_allclose(values, expected, atol=1e-8)


def test_cost_of_a_sketch_is_told_before_anything_runs(make, tmp_path):
    """Disk is counted, and seconds and memory grow with the rows."""
    kernel = make(method="sketch", n_components=8, memory=tmp_path)
    costs = [kernel.estimate_cost(texts(n)) for n in (40, 400)]
    assert 0 < costs[0].seconds < costs[1].seconds
    assert 0 < costs[0].memory < costs[1].memory
    kernel.fit(texts(400))
    rows = list(tmp_path.rglob("rows/*/*.npz"))
    found = sum(file.stat().st_size for file in rows)
    overhead = len(rows) * 300  # of a file, whatever it holds
    assert abs(costs[1].disk - found) < overhead + 0.3 * found
    exact = make(method="exact").estimate_cost(texts(400))
    assert exact.disk == 0 and exact.memory != costs[1].memory


class Scaled(nn.Module):
    """Of three parameters, none of them a matrix."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))

    def forward(self, x):
        return torch.tanh(self.scale * x).sum(1, keepdim=True)


def test_network_without_matrices():
    X = np.random.default_rng(0).normal(size=(40, 3))
    exact = EmpiricalNTK(Scaled(), method="exact", dtype="float64").fit_transform(X)
    for method in ("auto", "sketch"):
        kernel = EmpiricalNTK(Scaled(), method=method, dtype="float64")
        assert_allclose(kernel.fit_transform(X), exact, atol=1e-12)
        assert_allclose(pickle.loads(pickle.dumps(kernel)).transform(X), exact)
        assert kernel.estimate_cost(X).memory > 8 * 40**2


def test_projections_that_would_not_be_found_again(tmp_path):
    kernel = EmpiricalNTK(Scaled(), method="sketch", memory=tmp_path)
    with pytest.raises(ValueError, match="other projections drawn in each fit"):
        kernel.fit(np.eye(3))
    assert not list(tmp_path.rglob("*.npz"))
