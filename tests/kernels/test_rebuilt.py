"""Fitted kernels that travel: what is built again is what was fitted, or refused."""

import copy
import pickle
import shutil

import numpy as np
import pytest
import tokenizers as tk
import torch
import transformers as tr
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skshap import EmpiricalNTK, KernelRidgeClassifier
from skshap.kernels._digest import weights_digest
from skshap.nn._models import EncoderWithHead
from tests.conftest import make_encoder

NEW = ["a dull film", "the plot was great"]
JOURNEYS = {"pickle": lambda kernel: pickle.loads(pickle.dumps(kernel))}
JOURNEYS["copy"] = copy.deepcopy


@pytest.fixture
def folder(tmp_path, tiny_tokenizer):
    make_encoder("bert").save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@torch.no_grad()
def train(model):
    for parameter in model.parameters():
        parameter.mul_(1.5)


def train_folder(folder):
    model = tr.AutoModel.from_pretrained(folder)
    train(model)
    model.save_pretrained(folder)


@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_a_folder_with_other_weights(make, folder, tiny_texts, method):
    kernel = make(model=folder, tokenizer=None, method=method, n_components=8)
    ridge = KernelRidgeClassifier(kernel=kernel).fit(
        tiny_texts, np.arange(len(tiny_texts)) % 2
    )
    expected, blob = ridge.decision_function(NEW), pickle.dumps(ridge)
    old = shutil.copytree(folder, folder.parent / "old")
    train_folder(folder)
    restored = pickle.loads(blob)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"weights of model='{folder}' are not"):
            restored.decision_function(NEW)
    # The one in use has its network still, and goes on.
    assert_allclose(ridge.decision_function(NEW), expected, rtol=1e-10)
    # As has what is pickled again before it was needed.
    with pytest.raises(ValueError, match="put the old ones back"):
        pickle.loads(pickle.dumps(pickle.loads(blob))).decision_function(NEW)
    restored.kernel_.set_params(model=old)
    assert_allclose(restored.decision_function(NEW), expected, rtol=1e-10)
    shutil.rmtree(folder)
    shutil.copytree(old, folder)
    assert_allclose(pickle.loads(blob).decision_function(NEW), expected, rtol=1e-10)


def test_a_folder_with_another_tokenizer(make, folder, tiny_texts):
    kernel = make(model=folder, tokenizer=None).fit(tiny_texts)
    blob = pickle.dumps(kernel)
    tokenizer = tr.AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.normalizer = tk.normalizers.Lowercase()
    tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match="the tokenizer rules of model"):
        pickle.loads(blob).transform(NEW)


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("change", [train, lambda m: m.requires_grad_(False)])
def test_a_module_changed_after_fit(journey, change):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    X = np.random.default_rng(0).normal(size=(6, 3))
    kernel = EmpiricalNTK(model).fit(X)
    K, travel = kernel.transform(X), JOURNEYS[journey]
    assert_allclose(travel(kernel).transform(X), K, rtol=1e-6)
    change(model[0])
    assert_array_equal(kernel.transform(X), K)
    with pytest.raises(ValueError, match=r"weights of model=Sequential\(...\) are not"):
        travel(kernel).transform(X)
    kernel.fit(X)
    travel(kernel).transform(X)


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_module_of_transformers_trained_after_fit(make, journey, tiny_texts):
    model = make_encoder("bert")
    kernel = make(model=model).fit(tiny_texts)
    train(model)
    with pytest.raises(ValueError, match=r"weights of model=BertModel\(...\) are not"):
        JOURNEYS[journey](kernel).transform(NEW)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_frozen_layers": 0},
        {"parameters": "feedforward"},
        {"readout": "first"},
        {"max_length": 4},
        {"dtype": "float32"},
        {"random_state": 1},
        {"normalize": "cosine"},
        {"normalize": False},
        {"batch_size": 2, "device": "cpu", "verbose": 0},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::skshap.exceptions.TruncatedTextWarning")
def test_parameters_set_after_fit(make, parameters, tiny_texts):
    kernel = make().fit(tiny_texts)
    K, diagonal = kernel.transform(NEW), kernel.diag(NEW)
    kernel.set_params(**parameters)
    assert_array_equal(kernel.transform(NEW), K)
    assert_array_equal(kernel.diag(NEW), diagonal)
    restored = pickle.loads(pickle.dumps(kernel))
    assert_allclose(restored.transform(NEW), K, rtol=1e-12)
    assert restored.get_params()["n_frozen_layers"] == kernel.n_frozen_layers
    # They count in the next fit.
    expected = make(**parameters).fit(tiny_texts).transform(NEW)
    assert_allclose(restored.fit(tiny_texts).transform(NEW), expected, rtol=1e-12)


def test_size_of_a_sketch_set_after_fit():
    X = np.random.default_rng(0).normal(size=(40, 3))
    kernel = EmpiricalNTK(random_state=0, method="sketch", n_components=8).fit(X)
    K = kernel.transform(X)
    kernel.set_params(n_components=16)
    assert_allclose(pickle.loads(pickle.dumps(kernel)).transform(X), K, rtol=1e-12)


def test_weights_that_are_drawn_do_not_tell():
    encoder = make_encoder("bert")
    options = {"readout": "mean", "is_causal": False}
    heads = [EncoderWithHead(encoder, seed=seed, **options) for seed in (0, 1)]
    assert weights_digest(heads[0]) == weights_digest(heads[1])
    train(encoder.encoder.layer[0])
    assert weights_digest(heads[0]) != weights_digest(make_encoder("bert"))


def test_buffers_that_are_computed_do_not_tell():
    network = nn.Linear(2, 1)
    before = weights_digest(network)
    network.register_buffer("scratch", torch.zeros(1), persistent=False)
    assert weights_digest(network) == before
    network.register_buffer("kept", torch.zeros(1))
    assert weights_digest(network) != before


def test_a_module_with_a_sparse_buffer():
    network = nn.Linear(2, 1)
    network.register_buffer("pairs", torch.eye(2).to_sparse())
    kernel = EmpiricalNTK(network).fit(np.eye(2))
    K = kernel.transform(np.eye(2))
    assert_array_equal(pickle.loads(pickle.dumps(kernel)).transform(np.eye(2)), K)
