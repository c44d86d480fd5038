"""Everything that takes `device` computes on a GPU what it does on the CPU."""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification, make_regression
from torch import nn

from skshap import (
    DataRemoval,
    DataSelector,
    EmpiricalNTK,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    flip_labels,
)
from skshap.exceptions import SmallerBatchWarning
from skshap.nn._capture import GradientCapture
from tests.conftest import make_encoder

DEVICE = "cuda"

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch finds no GPU"
)


def data(n=90, n_classes=3):
    X, y = make_classification(
        n, 8, n_informative=6, n_classes=n_classes, random_state=0
    )
    return X[: n // 2], y[: n // 2], X[n // 2 :], y[n // 2 :]


def both(estimator):
    """The estimator without a device, and with one."""
    return estimator, type(estimator)(**estimator.get_params() | {"device": DEVICE})


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("kind", [KernelRidgeClassifier, KernelRidgeClassifierCV])
def test_ridge(kind, kernel):
    X, y, X_test, _ = data()
    expected, found = (one.fit(X, y) for one in both(kind(kernel=kernel)))
    assert_allclose(
        found.decision_function(X_test), expected.decision_function(X_test), atol=1e-10
    )


def values(estimator, n_classes=3, **options):
    """Values and their errors; `groups` is a number of them."""
    X, y, X_test, y_test = data(n_classes=n_classes)
    if "groups" in options:
        options["groups"] = np.arange(len(y)) ** 2 % options["groups"]
    estimator.fit(X, y)
    found = estimator.attribute(X_test, y_test, return_std=True, **options)
    found = [one.values() if isinstance(one, dict) else [one] for one in found]
    return [array for arrays in found for array in arrays]


def one_less_half(decision, y_index):
    """A scoring of one's own: the output of the right class, cut off."""
    return np.clip(decision[np.arange(len(y_index)), y_index], -0.5, 0.5)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("sampler", ["sweep", "permutation"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "neg_brier_score"])
def test_values(scoring, n_classes, sampler, kernel):
    pair = both(
        FreeShapAttributor(
            kernel,
            scoring=scoring,
            sampler=sampler,
            n_permutations=6,
            random_state=0,
        )
    )
    expected, found = (values(one, n_classes) for one in pair)
    assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_draws_computed_together(scoring):
    """There, and each by itself here; with rows to predict that are sampled."""
    X, y = make_classification(500, 8, n_informative=6, n_classes=3, random_state=0)
    pair = both(FreeShapAttributor(scoring=scoring, n_permutations=6, random_state=0))
    expected, found = (
        one.fit(X[:300], y[:300]).attribute(X[300:], y[300:]) for one in pair
    )
    assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    "settings, options",
    [
        ({}, {"per_sample": True}),
        ({}, {"groups": 12}),
        ({"n_permutations": 4}, {"groups": 30}),
        ({"scoring": one_less_half}, {}),
        ({"semivalue": "banzhaf"}, {}),
        (
            {},
            {
                "semivalues": ["shapley", "loo"],
                "scorings": ["accuracy", "neg_brier_score"],
            },
        ),
        ({"sampler": "permutation", "truncation_tol": 0.1}, {}),
        ({"tol": 0.5, "n_permutations": 20}, {}),
    ],
    ids=lambda value: "own" if "scoring" in value else str(value),
)
def test_options(settings, options):
    pair = both(
        FreeShapAttributor(**{"n_permutations": 6, "random_state": 0} | settings)
    )
    expected, found = (values(one, **options) for one in pair)
    assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_workers():
    """Threads give the values of one."""
    model = FreeShapAttributor(device=DEVICE, n_permutations=6, random_state=0)
    expected = values(model)
    model.n_jobs = 2
    with parallel_config("threading"):
        assert_allclose(values(model), expected, rtol=0, atol=1e-12)


def test_checkpoint(tmp_path):
    model = FreeShapAttributor(
        device=DEVICE, n_permutations=6, random_state=0, checkpoint=tmp_path / "c.npz"
    )
    expected = values(model)
    assert_array_equal(values(model), expected)


@pytest.mark.parametrize(
    "scoring", ["neg_mean_squared_error", "neg_mean_absolute_error"]
)
def test_regression(scoring):
    X, y = make_regression(80, 5, noise=5, random_state=0)
    y = y - y.mean()
    pair = both(FreeShapRegressor(scoring=scoring, n_permutations=6, random_state=0))
    expected, found = (
        one.fit(X[:50], y[:50]).attribute(X[50:], y[50:]) for one in pair
    )
    assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.filterwarnings("ignore:labels look wrong")
def test_cleaning():
    """Selection, removal and detection by an attributor on the GPU."""
    X, y = make_classification(200, 8, n_informative=6, random_state=0)
    y, _ = flip_labels(y, rate=0.1, random_state=0)
    pair = both(FreeShapAttributor(n_permutations=4, random_state=0))
    for kind, attribute in (
        (lambda a: DataSelector(a, random_state=0), "sample_indices_"),
        (lambda a: DataSelector(a, strategy="top", random_state=0), "sample_indices_"),
        (
            lambda a: DataRemoval(KernelRidgeClassifier(), a, random_state=0),
            "sample_values_",
        ),
        (lambda a: LabelNoiseDetector(a), "label_quality_"),
    ):
        expected, found = (getattr(kind(one).fit(X, y), attribute) for one in pair)
        assert_allclose(found, expected, atol=1e-9)


# Kernels


def network():
    torch.manual_seed(0)
    convolutions = nn.Sequential(
        nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 4, 3), nn.GELU(), nn.Flatten()
    )
    return nn.Sequential(
        convolutions, nn.Linear(24, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 3)
    )


def compare(make, rows, others, rtol=1e-9):
    """Compare kernels without and with a device; return the one with it."""
    expected, found = make(None), make(DEVICE)
    for name in ("fit_transform", "transform", "diag"):
        A, B = (
            getattr(one, name)(rows if "fit" in name else others)
            for one in (expected, found)
        )
        assert B.dtype == np.float64
        assert_allclose(B, A, rtol=0, atol=rtol * np.abs(A).max())
    K = found.fit_transform(rows)
    assert_array_equal(K, K.T)
    return found


@pytest.mark.parametrize("outputs", ["first", "mean"])
@pytest.mark.parametrize("sign_gradient", [False, True])
def test_module(outputs, sign_gradient):
    X = np.random.default_rng(0).normal(size=(40, 8))
    options = {"outputs": outputs, "sign_gradient": sign_gradient, "dtype": "float64"}
    compare(lambda d: EmpiricalNTK(network(), device=d, **options), X[:30], X[25:])


@pytest.mark.parametrize(
    "options",
    [
        {"n_frozen_layers": 0, "parameters": "all"},
        {"n_frozen_layers": 2, "normalize": "cosine"},
        {"readout": "first", "n_frozen_layers": 1},
        {"method": "sketch", "n_components": 6},
        {"method": "sketch", "n_components": 1 << 14, "parameters": "all"},
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_encoder(family, options, tiny_tokenizer, tiny_texts):
    if "n_components" in options:
        tiny_texts = [f"{a} {b}" for a in tiny_texts for b in tiny_texts[:5]]
    options = {"max_length": 32, "dtype": "float64", "batch_size": 4} | options

    def make(device):
        return EmpiricalNTK(
            make_encoder(family),
            tokenizer=tiny_tokenizer,
            device=device,
            random_state=0,
            **options,
        )

    compare(make, tiny_texts[2:], tiny_texts[:5])


@pytest.mark.parametrize("dtype, rtol", [("float32", 1e-5), ("bfloat16", 0.05)])
def test_dtypes(dtype, rtol, tiny_tokenizer, tiny_texts):
    def make(device):
        return EmpiricalNTK(
            make_encoder("bert"),
            tokenizer=tiny_tokenizer,
            device=device,
            dtype="float64" if device is None else dtype,
            max_length=32,
            random_state=0,
        )

    compare(make, tiny_texts[2:], tiny_texts[:5], rtol)


@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_store(method, tmp_path, tiny_tokenizer, tiny_texts, monkeypatch):
    """What is stored is found again, and what is not fits to it."""

    def make(memory=None):
        return EmpiricalNTK(
            make_encoder("bert"),
            tokenizer=tiny_tokenizer,
            method=method,
            device=DEVICE,
            dtype="float64",
            max_length=32,
            memory=memory,
            random_state=0,
        )

    rows = [f"{a} {b}" for a in tiny_texts for b in tiny_texts[:3]]
    expected = make().fit_transform(rows)
    assert_allclose(make(tmp_path).fit_transform(rows), expected, rtol=1e-12)
    monkeypatch.setattr(GradientCapture, "_capture", None)
    assert_allclose(make(tmp_path).fit_transform(rows), expected, rtol=1e-12)


def test_adapters(tiny_tokenizer, tiny_texts):
    pytest.importorskip("peft", reason="adapters are in the extra lora")
    import transformers as tr

    torch.manual_seed(0)
    config = tr.LlamaConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=24,
    )
    llama = tr.LlamaForCausalLM(config).eval()

    def make(device):
        return EmpiricalNTK(
            llama,
            tokenizer=tiny_tokenizer,
            template="{text} was {mask}",
            label_words=["bad", "good"],
            parameters="lora",
            lora_params={"r": 2, "lora_alpha": 6},
            n_frozen_layers=1,
            max_length=32,
            device=device,
            dtype="float64",
            random_state=0,
        )

    # Llama's norms work in float32 whatever its weights are.
    compare(make, tiny_texts[2:], tiny_texts[:5], rtol=1e-6)


class Wide(nn.Module):
    """A row takes 1 GB of gradients, and several times as much on the way."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 1 << 14), nn.Linear(1 << 14, 2)

    def forward(self, x):
        h = self.one(x[:, None] * torch.linspace(1, 2, 1 << 14).to(x)[:, None])
        return self.two(torch.tanh(h).mean(1))


def test_out_of_memory():
    n = torch.cuda.get_device_properties(0).total_memory // (7 << 29)
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    torch.manual_seed(0)
    model = Wide()

    def kernel(batch_size):
        return EmpiricalNTK(
            model,
            method="exact",
            batch_size=batch_size,
            device=DEVICE,
            random_state=0,
        )

    with pytest.warns(SmallerBatchWarning, match="does not fit into memory"):
        K = kernel(n).fit_transform(X)
    assert_allclose(K, kernel(2).fit_transform(X), rtol=1e-5)
