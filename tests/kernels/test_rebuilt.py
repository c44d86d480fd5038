"""Fitted kernels that travel: what is built again is what was fitted, or refused."""

import copy
import json
import pickle
import re
import shutil
import threading
from pathlib import Path

import joblib
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
from tests.kernels.conftest import printed_elsewhere

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


@pytest.mark.parametrize("kind", [str, Path, joblib.Memory])
def test_memory_that_did_not_travel(kind, tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    monkeypatch.chdir(here)
    X, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
    kernel = EmpiricalNTK(memory=kind("kept"), random_state=0)
    ridge = KernelRidgeClassifier(kernel=kernel).fit(X, y)
    expected, blob = ridge.decision_function(X), pickle.dumps(ridge)
    again = pickle.loads(blob).decision_function(X)  # where it was fitted, in silence
    monkeypatch.chdir(there)
    restored = pickle.loads(blob)
    restored.kernel_.set_params(memory=kind(here / "kept"))  # as the message says
    assert_array_equal(restored.decision_function(X), again)
    assert list(there.iterdir()) == []
    restored = pickle.loads(blob)
    with pytest.warns(UserWarning) as caught:
        found = restored.decision_function(X)
    (warning,) = caught
    assert re.match(
        rf"memory='kept' .*'{there / 'kept'}' nothing", str(warning.message)
    )
    assert warning.filename == __file__
    assert_allclose(found, expected)
    restored.decision_function(X[:3])  # in silence


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


@pytest.mark.parametrize(
    "change", [{"hidden_act": "relu"}, {"num_attention_heads": 4}], ids=str
)
def test_a_folder_with_another_configuration(make, folder, tiny_texts, change):
    kernel = make(model=folder, tokenizer=None).fit(tiny_texts)
    K, blob = kernel.transform(NEW), pickle.dumps(kernel)
    other = shutil.copytree(folder, folder.parent / "other")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    restored = pickle.loads(blob)
    with pytest.raises(ValueError, match=f"the settings of model='{folder}' are not"):
        restored.transform(NEW)
    assert_allclose(restored.set_params(model=other).transform(NEW), K, rtol=1e-10)
    # As a module that is at hand, loaded or not.
    model, blob = make_encoder("bert"), pickle.dumps(make().fit(tiny_texts))
    model.save_pretrained(folder.parent / "third")
    for same in (model, folder.parent / "third"):
        restored = pickle.loads(blob).set_params(model=same)
        assert_allclose(restored.transform(NEW), K, rtol=1e-10)


class Scaled(nn.Module):
    """Has settings, and what use leaves in it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)
        self.scale, self.power, self.columns, self.order = 1.0, 1, (0, 2), [0, 1, 2]
        self.n_calls, self.sizes, self.last = 0, [], None
        self.register_buffer("shift", torch.zeros(0), persistent=False)

    def forward(self, x):
        self.n_calls += 1
        self.shape = x.shape
        self.sizes.append(len(x))
        self.last = x.detach()
        if len(self.shift) < x.shape[1]:
            self.shift = torch.arange(x.shape[1], dtype=x.dtype)
        x = self.layer(x[:, self.order] ** self.power * self.scale + self.shift)
        return x + self.layer.weight[0, self.columns].sum()


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [("scale", 2.0), ("power", 2), ("columns", (0, 1)), ("order", [2, 1, 0])],
)
def test_settings_of_a_module_changed_after_fit(
    name, value, is_kept, journey, tmp_path
):
    model, X = Scaled(), np.random.default_rng(0).normal(size=(6, 3))
    kernel = EmpiricalNTK(model, memory=tmp_path if is_kept else None, random_state=0)
    kernel.fit(X)
    if is_kept:  # norms are read, so that no pass is needed
        kernel.fit(X)
    travel, restored = JOURNEYS[journey], JOURNEYS[journey](kernel)
    K = kernel.transform(X)
    model(torch.zeros(5, 3))
    for _ in range(2):  # what a forward leaves in the network does not count
        assert_allclose(restored.transform(X), K, rtol=1e-6)
        restored = travel(restored)
    setattr(model, name, value)
    with pytest.raises(
        ValueError, match=r"the settings of model=Scaled\(...\) are not"
    ):
        travel(kernel).transform(X)


def test_heads_of_attention_changed_after_fit():
    class Attentive(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.attention = nn.MultiheadAttention(4, 1, batch_first=True)

        def forward(self, x):
            x = x.reshape(len(x), 2, 4)
            return self.attention(x, x, x)[0].sum(1)

    model, X = Attentive(), np.random.default_rng(0).normal(size=(6, 8))
    kernel = EmpiricalNTK(model).fit(X)
    assert_allclose(copy.deepcopy(kernel).transform(X), kernel.transform(X))
    # Of which the text of the module says nothing.
    model.attention.num_heads, model.attention.head_dim = 2, 2
    with pytest.raises(ValueError, match="the settings of model"):
        copy.deepcopy(kernel).transform(X)


def test_settings_that_cannot_be_described():
    class Held(nn.Linear):
        def __deepcopy__(self, memo):
            return Held(2, 1)

        def __init__(self, *sizes):
            torch.manual_seed(0)
            super().__init__(*sizes)
            self.lock = threading.Lock()

    X = np.eye(2)
    kernel = EmpiricalNTK(Held(2, 1)).fit(X)
    K = kernel.transform(X)
    assert_array_equal(copy.deepcopy(kernel).transform(X), K)


ELSEWHERE = """
import pickle
import sys
from pathlib import Path

for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    kernel = pickle.loads(path.read_bytes())
    print(path.stem, repr(float(kernel.transform(["a dull film"])[0, 0])))
"""


def test_pickles_in_another_process_and_folder(
    make, tmp_path, tiny_tokenizer, tiny_texts
):
    template = {"template": "{text} is {mask}", "label_words": ["bad", "good"]}
    causal = {
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
        "llama": {
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
    }
    words = sorted(tiny_tokenizer.vocab, key=tiny_tokenizer.vocab.get)
    (tmp_path / "words.txt").write_text("\n".join(words))
    slow = tr.ProphetNetTokenizer(str(tmp_path / "words.txt"))
    cases = {
        "bert": (make_encoder("bert"), tiny_tokenizer, {}),
        "prophetnet": (make_encoder("bert"), slow, {}),
    }
    for family, sizes in causal.items():
        config = tr.AutoConfig.for_model(family, vocab_size=60, **sizes)
        model = tr.AutoModelForCausalLM.from_config(config)
        cases[family] = model, tiny_tokenizer, template
    expected = {}
    for family, (model, tokenizer, options) in cases.items():
        here, there = (tmp_path / place / family for place in ("here", "there"))
        for part in (model, tokenizer):
            part.save_pretrained(here)
        read = (
            tr.ProphetNetTokenizer.from_pretrained(here) if tokenizer is slow else None
        )
        kernel = make(model=here, tokenizer=read, **options).fit(tiny_texts)
        expected[family] = kernel.transform(NEW)[0, 0]
        there.parent.mkdir(exist_ok=True)
        here.rename(there)
        kernel.set_params(model=there)
        (tmp_path / f"{family}.pkl").write_bytes(pickle.dumps(kernel))
    printed = printed_elsewhere(ELSEWHERE, tmp_path).splitlines()
    found = {family: float(value) for family, value in map(str.split, printed)}
    assert found == pytest.approx(expected, rel=1e-9)


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


class Counting(nn.Linear):
    def __init__(self):
        super().__init__(3, 1)
        self.register_buffer("n_calls", torch.zeros(()))

    def forward(self, x):
        self.n_calls += 1
        return super().forward(x)


class Unit(nn.Linear):
    def __init__(self):
        super().__init__(3, 1)

    def forward(self, x):
        with torch.no_grad():
            self.weight /= self.weight.norm()
        return super().forward(x)


class Numbers(nn.Module):
    def forward(self, x):
        return x.long()


CHANGING = {
    "counts": Counting,
    "scales": Unit,
    "largest norm": lambda: nn.Sequential(
        Numbers(), nn.EmbeddingBag(5, 4, max_norm=0.1), nn.Linear(4, 1)
    ),
}


@pytest.mark.parametrize("journey", JOURNEYS)
@pytest.mark.parametrize("kind", CHANGING)
def test_a_module_that_passes_change(kind, journey):
    torch.manual_seed(0)
    model = CHANGING[kind]()
    X = np.random.default_rng(0).integers(0, 5, size=(6, 3)).astype(float)
    kernel = EmpiricalNTK(model).fit(X)
    K, travel = kernel.transform(X), JOURNEYS[journey]
    assert_allclose(travel(kernel).transform(X), K, rtol=1e-6)
    train(model)
    with pytest.raises(ValueError, match=r"weights of model=.* are not"):
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
