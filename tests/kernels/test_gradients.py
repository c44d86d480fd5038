"""Gradients are computed once, found again by content, and only where they belong."""

import copy
import io
import pickle
import re
import shutil
import subprocess
import sys
import time
import weakref
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from torch import nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, ProphetNetTokenizer

from skshap.exceptions import DamagedStoreWarning, TruncatedTextWarning
from skshap.kernel_ridge import KernelRidgeClassifier
from skshap.kernels import (
    EmpiricalNTK,
    _cost,
    _memory_store,
    _method,
    _row_gram,
    reduce_memory,
)
from skshap.kernels._digest import (
    network_digest,
    row_keys,
    text_key,
    tokenizer_digest,
)
from skshap.kernels._gradients import RowGradients
from skshap.kernels._memory_store import MemoryStore
from skshap.kernels._row_gram import count_products
from skshap.kernels._row_reader import RowReader
from skshap.kernels._store import DiskStore
from skshap.nn import _gram
from skshap.nn._capture import GradientCapture
from skshap.nn._factors import Factor, Layout
from skshap.nn._gram import gram, squared_norms
from skshap.nn._loading import load_model
from skshap.nn._passes import Passes
from skshap.nn._sorted_rows import SortedRows
from tests.conftest import WORDS, make_encoder
from tests.kernels.conftest import files, printed_elsewhere
from tests.nn.networks import Experts, naive, randomize


@pytest.fixture
def computed(monkeypatch):
    """How many rows each captured batch had."""
    counts = []
    rows = GradientCapture.rows

    def counting(self, batch, lengths):
        out = rows(self, batch, lengths)
        counts.append(len(out))
        return out

    monkeypatch.setattr(GradientCapture, "rows", counting)
    return counts


@pytest.fixture
def make(make, tmp_path):
    """Makes a kernel of the tiny BERT with a store; keywords override."""
    return partial(make, dtype="float32", batch_size=4, memory=tmp_path)


@pytest.fixture
def multiplied(monkeypatch):
    """Shapes of the blocks of the kernel that were computed."""
    shapes = []

    def counting(layout, left, right=None, *, norms, **options):
        sides = left, left if right is None else right
        shapes.append(tuple(map(len, sides)))
        for rows, squares in zip(sides, norms, strict=True):
            assert_allclose(squares, squared_norms(layout, rows), rtol=1e-12)
        return gram(layout, left, right, norms=norms, **options)

    monkeypatch.setattr(_row_gram, "gram", counting)
    return shapes


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 4)


def random_texts(n, seed=0):
    rng = np.random.default_rng(seed)
    texts = {}
    while len(texts) < n:
        texts[" ".join(rng.choice(WORDS, rng.integers(2, 12)))] = None
    return list(texts)


# Counting


@pytest.mark.parametrize("kind", [str, Path, joblib.Memory])
def test_a_second_run_computes_nothing(make, computed, kind, tmp_path, monkeypatch):
    memory = kind(tmp_path / "here")
    texts = random_texts(9)
    K = make(memory=memory).fit_transform(texts)
    assert sum(computed) == 9
    computed.clear()
    monkeypatch.delattr(Passes, "run")  # not even to find out which parameters count
    monkeypatch.delattr(Passes, "forward")
    kernel = make(memory=memory)
    assert_array_equal(kernel.fit_transform(texts), K)
    assert_array_equal(kernel.transform(texts[2:4]), K[2:4])
    assert_array_equal(kernel.diag(texts), np.diag(K))
    assert computed == []
    assert files(tmp_path / "here")


@pytest.mark.parametrize("most", [1e30, 0.0])
def test_the_choice_of_a_method_is_found_again(make, most, monkeypatch):
    monkeypatch.setattr(_method, "EXACT_OPERATIONS", most)
    captured, gradients = [], GradientCapture.gradients

    def counting(self, batch, *args, **kwargs):
        captured.append(batch)
        return gradients(self, batch, *args, **kwargs)

    monkeypatch.setattr(GradientCapture, "gradients", counting)
    texts = random_texts(9)
    first = make().fit(texts)
    assert captured and first.method_ == ("exact" if most else "sketch")
    captured.clear()
    assert make().fit(texts).method_ == first.method_
    assert captured == []


def test_the_cost_that_is_found_again_is_of_the_same_rows(make):
    texts = random_texts(9)
    gradients = make().fit(texts)._gradients
    costs = [count_products(gradients, texts[:n]) for n in (9, 4, 9)]
    assert (costs[1] < costs[0]).all()
    assert_array_equal(costs[2], costs[0])
    name = text_key("products", *row_keys(texts[:4]))
    gradients.store._path("rows", name).unlink()
    gradients.store.put_row(name, np.full(3, np.nan))  # of somebody else
    assert_array_equal(count_products(gradients, texts[:4]), costs[1])


def test_without_a_store_nothing_is_computed_twice_either(make, computed, tmp_path):
    texts = random_texts(9)
    for memory in (None, joblib.Memory(None)):
        computed.clear()
        kernel = make(memory=memory)
        kernel.fit(texts).transform(texts[:4])
        kernel.transform(texts)
        kernel.diag(texts)
        assert sum(computed) == 9
    assert files(tmp_path) == []


def test_kernel_is_the_same_with_a_store(make):
    texts, new = random_texts(12)[:8], random_texts(12)[5:]
    plain = make(memory=None)
    expected = plain.fit_transform(texts), plain.transform(new), plain.diag(new)
    for _ in range(2):
        kernel = make()
        found = kernel.fit_transform(texts), kernel.transform(new), kernel.diag(new)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-6)


def test_grid_search_computes_every_row_once(make, computed):
    texts = random_texts(20)
    y = np.arange(20) % 2
    search = GridSearchCV(
        KernelRidgeClassifier(kernel=make(batch_size=3)),
        {"alpha": [0.01, 0.1, 1.0]},
        cv=StratifiedKFold(5),
    )
    search.fit([*texts, texts[3]], [*y, y[3]])
    assert sum(computed) == 20
    search.predict(texts)
    assert sum(computed) == 20


def test_grid_search_over_the_kernel(make, computed):
    texts = random_texts(10)
    search = GridSearchCV(
        KernelRidgeClassifier(kernel=make()),
        {"kernel__readout": ["mean", "first"], "kernel__normalize": [True, "cosine"]},
        cv=2,
    )
    search.fit(texts, np.arange(10) % 2)
    # Each read-out has its own gradients; normalization has none.
    assert sum(computed) == 20


def test_added_rows(make, computed):
    texts = random_texts(22)
    make().fit_transform(texts[:12])
    assert sum(computed) == 12
    K = make().fit_transform(texts)
    assert sum(computed) == 22
    assert_array_equal(K, K.T)
    expected = make(memory=None).fit_transform(texts)
    assert_allclose(K, expected, rtol=1e-5)
    computed.clear()
    assert_array_equal(make().fit_transform(texts), K)
    assert computed == []


def test_symmetric_whatever_was_kept_before(make):
    # Pairs kept by rectangular calls are equal both ways, and so are their norms.
    texts = random_texts(30)
    kernel = make().fit(texts[:20])
    kernel.transform(texts[10:])
    kernel.transform(texts[25:] + texts[:5])
    K = make().fit_transform(texts)
    assert_array_equal(K, K.T)
    kernel = make().fit(texts)
    assert_array_equal(kernel.transform(texts), K)
    assert_array_equal(kernel.diag(texts), np.diag(K))


def test_order_of_rows_does_not_matter(make, computed):
    texts = random_texts(11)
    order = np.random.default_rng(0).permutation(11)
    K = make(normalize=False).fit_transform(texts)
    computed.clear()
    shuffled = make(normalize=False).fit_transform([texts[i] for i in order])
    assert computed == []
    assert_array_equal(shuffled, K[np.ix_(order, order)])


def test_numbers(computed, tmp_path):
    X = np.random.default_rng(0).normal(size=(12, 3))
    K = EmpiricalNTK(memory=tmp_path, random_state=0).fit_transform(X)
    assert sum(computed) == 12
    again = EmpiricalNTK(memory=tmp_path, random_state=0).fit_transform(X[::-1])
    assert sum(computed) == 12
    assert_allclose(again[::-1, ::-1], K, rtol=1e-12)
    X[0, 0] += 1e-9  # another row
    EmpiricalNTK(memory=tmp_path, random_state=0).fit(X)
    assert sum(computed) == 13


def test_refit_with_other_parameters(make, computed):
    texts = random_texts(6)
    kernel = make(memory=None, dtype="float64")
    kernel.fit(texts)
    for parameters in ({"readout": "first"}, {"n_frozen_layers": 0}, {"max_length": 5}):
        computed.clear()
        kernel.set_params(**parameters)
        fresh = make(memory=None, dtype="float64", **parameters)
        if "max_length" in parameters:
            with pytest.warns(TruncatedTextWarning):
                K = kernel.fit_transform(texts)
            fresh.set_params(
                n_frozen_layers=kernel.n_frozen_layers, readout=kernel.readout
            )
            with pytest.warns(TruncatedTextWarning):
                expected = fresh.fit_transform(texts)
        else:
            K = kernel.fit_transform(texts)
            fresh.set_params(readout=kernel.readout)
            expected = fresh.fit_transform(texts)
        assert sum(computed) == 12
        assert_array_equal(K, expected)


# What a stored gradient depends on

MISSES = {
    "readout": {"readout": "first"},
    "n_frozen_layers": {"n_frozen_layers": 1},
    "parameters": {"parameters": "feedforward"},
    "max_length": {"max_length": 31},
    "dtype": {"dtype": "float64"},
    "random_state": {"random_state": 1},
    "family": {"model": "distilbert"},
    "weights": {"model": "bert"},
}
HITS = {
    "normalize": {"normalize": "cosine"},
    "batch_size": {"batch_size": 2},
    "device": {"device": "cpu"},
    "verbose": {"verbose": 1},
    "random_state": {"random_state": np.int64(0)},
    "readout": {"readout": "mean"},
    "n_frozen_layers": {"n_frozen_layers": 2},
}


@pytest.mark.parametrize("name", MISSES)
def test_parameters_that_matter(make, computed, name):
    texts = random_texts(5)
    make(normalize=False).fit_transform(texts)
    computed.clear()
    changed = dict(MISSES[name])
    if "model" in changed:
        changed["model"] = make_encoder(changed["model"], seed=1)
    K = make(normalize=False, **changed).fit_transform(texts)
    assert sum(computed) == 5
    plain = make(normalize=False, **changed | {"memory": None})
    assert_allclose(K, plain.fit_transform(texts), rtol=1e-5)


@pytest.mark.parametrize("name", HITS)
def test_parameters_that_do_not_matter(make, computed, name):
    texts = random_texts(5)
    make().fit_transform(texts)
    computed.clear()
    make(**HITS[name]).fit_transform(texts)
    assert computed == []


def one_weight(model):
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[2, 3] += 1e-6


def one_bit_of_a_norm(model):
    with torch.no_grad():
        model.encoder.layer[2].output.LayerNorm.bias[5] = 1e-30


def heads(model):
    for layer in model.encoder.layer:
        layer.attention.self.num_attention_heads = 4
        layer.attention.self.attention_head_size = 4


def scaling(model):
    model.encoder.layer[2].attention.self.scaling = 1.0


def activation(model):
    model.encoder.layer[2].intermediate.intermediate_act_fn = nn.ReLU()


def activation_function(model):
    model.encoder.layer[2].intermediate.intermediate_act_fn.act = torch.relu


def configuration(model):
    model.config.is_decoder = True


def epsilon(model):
    model.encoder.layer[2].output.LayerNorm.eps = 0.1


CHANGES = [
    one_weight,
    one_bit_of_a_norm,
    heads,
    scaling,
    activation,
    activation_function,
    configuration,
    epsilon,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_digest_of_a_changed_model(change):
    model = make_encoder("bert").requires_grad_(False)
    before = network_digest(model, None, 32)
    assert network_digest(copy.deepcopy(model), None, 32) == before
    change(model)
    assert network_digest(model, None, 32) != before


class Plain(nn.Module):
    """Keeps what its forward reads in every sort of place."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.power = 2
        self._shift = 0.5
        self.mask = torch.ones(2)
        self.table = np.ones(2)
        self.options = {"scale": [1.0, 2.0]}
        self.act = torch.tanh
        self.register_buffer("kept", torch.ones(1))
        self.register_buffer("fleeting", torch.ones(1), persistent=False)


PLACES = {
    "int": lambda net: setattr(net, "power", 3),
    "private": lambda net: setattr(net, "_shift", 0.6),
    "tensor": lambda net: setattr(net, "mask", torch.tensor([1.0, 0.0])),
    "array": lambda net: setattr(net, "table", np.zeros(2)),
    "dict": lambda net: net.options.update(scale=[1.0, 3.0]),
    "function": lambda net: setattr(net, "act", torch.relu),
    "buffer": lambda net: net.kept.add_(1),
    "buffer that is not saved": lambda net: net.fleeting.add_(1),
    "requires_grad": lambda net: net.layer.bias.requires_grad_(False),
    "dtype": lambda net: net.double(),
}


@pytest.mark.parametrize("place", PLACES)
def test_digest_of_a_changed_module(place):
    torch.manual_seed(0)
    network = Plain()
    before = network_digest(network, None, 32)
    assert network_digest(copy.deepcopy(network), None, 32) == before
    PLACES[place](network)
    assert network_digest(network, None, 32) != before


@pytest.fixture
def slow_tokenizer(tmp_path):
    """Makes a tokenizer of Python code alone; keywords override."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "Good", "Plot"]
    (tmp_path / "words.txt").write_text("\n".join(words))
    return partial(ProphetNetTokenizer, str(tmp_path / "words.txt"))


def change_vocabulary(tokenizer):
    tokenizer.add_tokens(["cinema"])


def change_types(tokenizer):
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]


def change_side(tokenizer):
    tokenizer.truncation_side = "left"


def change_case(tokenizer):
    from tokenizers import normalizers

    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


def change_special(tokenizer):
    tokenizer.split_special_tokens = True


def change_class(tokenizer):
    class Louder(type(tokenizer)):
        def __call__(self, texts, **options):
            return super().__call__([text.upper() for text in texts], **options)

    tokenizer.__class__ = Louder


@pytest.mark.parametrize(
    "change",
    [
        change_vocabulary,
        change_types,
        change_side,
        change_case,
        change_special,
        change_class,
    ],
    ids=lambda change: change.__name__,
)
def test_digest_of_a_changed_tokenizer(tiny_tokenizer, change):
    network = nn.Linear(2, 1)
    tokenizer = copy.deepcopy(tiny_tokenizer)
    before = network_digest(network, tokenizer, 32)
    assert network_digest(network, tokenizer, 31) != before
    change(tokenizer)
    assert network_digest(network, tokenizer, 32) != before


def own_class(tokenizer):
    change_class(tokenizer)
    return tokenizer


class Prefixing:
    """What reads texts by another tokenizer."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, texts, **options):
        return self.inner(texts, **options)

    def __getattr__(self, name):
        if name == "inner":  # as where a copy is made
            raise AttributeError(name)
        return getattr(self.inner, name)


@pytest.mark.parametrize("make", [own_class, Prefixing])
def test_attributes_count_that_own_code_of_a_tokenizer_may_read(make, tiny_tokenizer):
    tokenizer = make(copy.deepcopy(tiny_tokenizer))
    digests = [tokenizer_digest(tokenizer)]
    tokenizer(["a film"] * 2, truncation=True, max_length=5, padding="max_length")
    digests += [tokenizer_digest(tokenizer), tokenizer_digest(copy.deepcopy(tokenizer))]
    assert len(set(digests)) == 1
    for prefix in ("query: ", "passage: "):
        tokenizer.prefix = prefix
        digests.append(tokenizer_digest(tokenizer))
    assert len(set(digests)) == 3


def test_attributes_of_a_tokenizer_that_another_one_hands_texts_to(tiny_tokenizer):
    inner = own_class(copy.deepcopy(tiny_tokenizer))
    digests = set()
    for prefix in ("query: ", "passage: "):
        inner.prefix = prefix
        digests.add(tokenizer_digest(Prefixing(inner)))
    assert len(digests) == 2


def test_what_a_tokenizer_counts_is_no_rule(tiny_tokenizer):
    class Counting(Prefixing):
        __slots__ = ("n_read", "prefix")

        def __init__(self, inner, prefix):
            super().__init__(inner)
            self.n_read, self.prefix = 0, prefix

        def __call__(self, texts, **options):
            self.n_read += len(texts)
            return super().__call__(texts, **options)

    tokenizer = Counting(copy.deepcopy(tiny_tokenizer), "a ")
    before = tokenizer_digest(tokenizer)
    tokenizer(["a film", "a plot"])
    assert tokenizer.n_read == 2  # and not what a digest reads
    assert tokenizer_digest(tokenizer) == before
    assert tokenizer_digest(Counting(tokenizer.inner, "the ")) != before


def test_digest_of_a_used_tokenizer(tiny_tokenizer, tiny_texts):
    network = nn.Linear(2, 1)
    tokenizer = copy.deepcopy(tiny_tokenizer)
    before = network_digest(network, tokenizer, 32)
    tokenizer(tiny_texts, truncation=True, max_length=5, padding="max_length")
    assert tokenizer.backend_tokenizer.truncation is not None
    assert network_digest(network, tokenizer, 32) == before
    tokenizer.padding_side = "left"  # which padding is not left to
    assert network_digest(network, tokenizer, 32) == before


def test_digest_of_a_slow_tokenizer(slow_tokenizer, tmp_path):
    network = nn.Linear(2, 1)
    digests = []
    for name in ("here", "there"):
        slow_tokenizer().save_pretrained(tmp_path / name)
        tokenizer = ProphetNetTokenizer.from_pretrained(tmp_path / name)
        digests.append(network_digest(network, tokenizer, 32))
        tokenizer(["Good films", "bad"], truncation=True, max_length=4, padding=True)
        digests.append(network_digest(network, tokenizer, 32))
    tokenizer.cache = {"films": "film s"}  # as some keep of what they have read
    digests.append(network_digest(network, tokenizer, 32))
    assert len(set(digests)) == 1
    tokenizer.basic_tokenizer.do_lower_case = False
    assert network_digest(network, tokenizer, 32) != digests[0]


def test_digest_of_a_vocabulary_in_another_order(slow_tokenizer):
    tokenizer, digests = slow_tokenizer(), []
    words = list(tokenizer.vocab.items())
    for order in (words, words[::-1]):
        tokenizer.vocab = dict(order)
        digests.append(tokenizer_digest(tokenizer))
    assert digests[0] == digests[1]
    tokenizer.vocab["unheard"] = len(words)
    assert tokenizer_digest(tokenizer) != digests[0]


def test_case_of_a_slow_tokenizer_in_a_store(make, slow_tokenizer, tmp_path):
    texts = ["Good film", "the Plot was bad", "good film"]
    model = make_encoder("bert")
    for do_lower_case in (True, False):
        tokenizer = slow_tokenizer(do_lower_case=do_lower_case)
        K = [
            make(model=model, tokenizer=tokenizer, memory=memory).fit_transform(texts)
            for memory in (tmp_path / "store", None)
        ]
        assert_array_equal(*K)


DIGESTS = """
import sys
from pathlib import Path

from transformers import ProphetNetTokenizer

from skshap.kernels._digest import network_digest, tokenizer_digest
from skshap.nn._loading import load_model

for name in ("bert", "gpt2"):
    loaded = load_model(Path(sys.argv[1]) / name, with_words=name == "gpt2")
    print(network_digest(*loaded, 32))
print(tokenizer_digest(ProphetNetTokenizer.from_pretrained(Path(sys.argv[1]) / "slow")))
"""


def test_digests_in_another_process_and_folder(
    tiny_tokenizer, slow_tokenizer, tmp_path
):
    """Of networks of texts and of words, and of a tokenizer that is slow."""
    config = GPT2Config(vocab_size=60, n_embd=16, n_layer=2, n_head=2)
    models = {"bert": make_encoder("bert"), "gpt2": GPT2LMHeadModel(config)}
    for place in ("here", "there"):
        for name, model in models.items():
            model.save_pretrained(tmp_path / place / name)
            tiny_tokenizer.save_pretrained(tmp_path / place / name)
        slow_tokenizer().save_pretrained(tmp_path / place / "slow")
    here, digests = tmp_path / "here", []
    for name in models:
        loaded = load_model(here / name, with_words=name == "gpt2")
        digests.append(network_digest(*loaded, 32))
    tokenizer = ProphetNetTokenizer.from_pretrained(here / "slow")
    digests.append(tokenizer_digest(tokenizer))
    assert all(len(digest) == 32 for digest in digests[:2])
    assert printed_elsewhere(DIGESTS, tmp_path / "there").split() == digests


def test_model_by_name_is_found_again(make, computed, tiny_tokenizer, tmp_path):
    texts = random_texts(5)
    for name in ("here", "there"):
        make_encoder("bert").save_pretrained(tmp_path / name)
        tiny_tokenizer.save_pretrained(tmp_path / name)
        kernel = make(
            model=tmp_path / name, tokenizer=None, memory=tmp_path / "store"
        ).fit(texts)
    assert sum(computed) == 5
    # Also after a journey without the network.
    pickle.loads(pickle.dumps(kernel)).transform(texts)
    assert sum(computed) == 5


def test_seeded_weights_need_an_integer(make):
    for random_state in (None, np.random.RandomState(0)):
        with pytest.raises(ValueError, match="needs an integer random_state"):
            make(random_state=random_state).fit(["film", "plot"])
    with pytest.raises(ValueError, match="needs an integer random_state"):
        EmpiricalNTK(memory="unused").fit(np.ones((3, 2)))
    assert not Path("unused").exists()


def test_module_without_seeded_weights_needs_no_seed(computed, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    X = np.random.default_rng(0).normal(size=(4, 2))
    for _ in range(2):
        EmpiricalNTK(model, memory=tmp_path).fit(X)
    assert sum(computed) == 4


def test_attributes_that_cannot_be_pickled(computed, tmp_path):
    class Net(nn.Module):
        def __init__(self, power):
            super().__init__()
            self.layer = nn.Linear(2, 1)
            self.act = lambda x: x**power

        def forward(self, x):
            return self.layer(self.act(x))

    X = np.random.default_rng(0).normal(size=(4, 2))
    for power in (1, 2):
        K = EmpiricalNTK(Net(power), normalize=False, memory=tmp_path).fit_transform(X)
        assert_allclose(K, 1 + X**power @ (X**power).T, rtol=1e-5)
    assert sum(computed) == 8


def test_digest_of_changed_code():
    # Classes typed at a prompt have no source; inherited code counts as well.
    digests = set()
    for body in ("x + 1", "x + 2", "x - 1"):
        names = {"nn": nn, "__name__": "prompt"}
        exec(
            "class Base(nn.Module):\n    def forward(self, x):\n"
            f"        return {body}\nclass Net(Base):\n    pass\n",
            names,
        )
        digests.add(network_digest(names["Net"](), None, 32))
    assert len(digests) == 3


# Keys


def test_keys_tell_rows_apart():
    rows = ["ab", "ba", "a b", "ab ", "é", "e\u0301", "\ud800"]
    pairs = [("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"), ("a", "b\0")]
    keys = row_keys(rows) + row_keys(pairs)
    assert len(set(keys)) == len(keys)
    assert row_keys(rows) == row_keys(list(rows))
    numbers = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    first, second, third = row_keys(numbers)
    assert first == third != second
    # Memory layout is not content.
    assert row_keys(np.asfortranarray(numbers)) == [first, second, third]
    assert row_keys(np.array([[0.0, 1.0]])) == row_keys(np.array([[-0.0, 1.0]]))


# Damage


def damage(path, how):
    whole = path.read_bytes()
    content = {
        "truncated": whole[: len(whole) // 2],
        "random": np.random.default_rng(0).bytes(len(whole)),
        "empty": b"",
        "flipped": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        "pickle": pickle.dumps({"row": 1}),
    }
    path.write_bytes(content[how])


@pytest.mark.parametrize("how", ["truncated", "random", "empty", "flipped", "pickle"])
def test_damaged_files_are_made_again(make, computed, how, tmp_path, monkeypatch):
    texts, make = random_texts(7), partial(make, method="exact")
    K = make().fit_transform(texts)
    (folder,) = (tmp_path / "skshap").iterdir()
    (tile,), (norms,) = files(folder / "gram"), files(folder / "norms")
    rows = files(folder / "rows")
    assert len(rows) == 7
    for path in (tile, norms, rows[3]):
        damage(path, how)
    computed.clear()

    def load(*args, **kwargs):
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", load)
    monkeypatch.setattr(pickle, "loads", load)
    with pytest.warns(DamagedStoreWarning) as caught:
        found = make().fit_transform(texts)
    monkeypatch.undo()
    assert {str(w.message).split(" is damaged")[0] for w in caught} == {
        str(path) for path in (tile, norms, rows[3])
    }
    assert computed == [1]
    assert_allclose(found, K, rtol=1e-6)
    # Mended: no warning, which would be an error, and nothing to compute.
    computed.clear()
    assert_array_equal(make().fit_transform(texts), found)
    assert computed == []


def test_interrupted_run_resumes(make, computed, monkeypatch):
    texts = random_texts(10)
    rows = GradientCapture.rows

    def failing(self, batch, lengths):
        if sum(computed) == 8:
            raise KeyboardInterrupt
        return rows(self, batch, lengths)

    with monkeypatch.context() as patch:
        patch.setattr(GradientCapture, "rows", failing)
        with pytest.raises(KeyboardInterrupt):
            make().fit(texts)
    assert sum(computed) == 8
    K = make().fit_transform(texts)
    assert sum(computed) == 10
    assert_allclose(K, make(memory=None).fit_transform(texts), rtol=1e-5)


# Killed, and in several processes


RUN = """
import os, signal, sys
import numpy as np, torch
from torch import nn
from tqdm import tqdm
from skshap import EmpiricalNTK
from skshap.kernels import _row_gram
from skshap.nn._capture import GradientCapture
from skshap.nn._passes import Passes

folder, stop = sys.argv[1], int(sys.argv[2])
_row_gram.TILE_ROWS = 8
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
X = np.random.default_rng(0).normal(size=(40, 3))
counts = {"rows": 0, "values": 0}
rows, gram = GradientCapture.rows, _row_gram.gram


def count(name, n):
    # Killed when so much has been computed: by rows if negative, by values if positive.
    counts[name] += n
    if counts["rows"] > -stop > 0 or counts["values"] > stop > 0:
        os.kill(os.getpid(), signal.SIGKILL)


def counting_rows(self, batch, lengths):
    out = rows(self, batch, lengths)
    count("rows", len(out))
    return out


def counting_gram(layout, left, right=None, **options):
    out = gram(layout, left, right, **options)
    count("values", len(left) * len(left if right is None else right))
    return out


GradientCapture.rows, _row_gram.gram = counting_rows, counting_gram
kernel = EmpiricalNTK(model, method="exact", memory=folder, batch_size=8)
kernel.fit_transform(X)
"""


def start(folder, stop=0):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(stop)],
        cwd=Path(__file__).parents[2],
    )


def same_again(folder):
    """What `RUN` computes, in this process."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    X = np.random.default_rng(0).normal(size=(40, 3))
    kernel = EmpiricalNTK(model, method="exact", memory=folder, batch_size=8)
    return kernel.fit_transform(X)


def test_killed_runs_go_on(tmp_path, computed, multiplied, monkeypatch):
    # 15 tiles of 8 x 8: five on the diagonal, ten below it.
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 8)
    killed = start(tmp_path, -20)
    assert killed.wait() == -9
    assert len(list(tmp_path.rglob("rows/*/*.npz"))) == 16  # of three batches, two
    killed = start(tmp_path, 400)
    assert killed.wait() == -9
    tiles = list(tmp_path.rglob("gram/*.npz"))
    assert len(tiles) == 400 // 64  # all but the one it was killed in
    resumed = same_again(tmp_path)
    assert computed == []
    assert multiplied == [(8, 8)] * (15 - len(tiles))
    multiplied.clear()
    assert_array_equal(same_again(tmp_path), resumed)
    assert computed == multiplied == []
    assert_array_equal(resumed, resumed.T)
    assert_allclose(resumed, same_again(None), rtol=1e-5)


def test_two_runs_at_once(tmp_path, computed, multiplied):
    runs = [start(tmp_path) for _ in range(2)]
    assert [one.wait() for one in runs] == [0, 0]
    K = same_again(tmp_path)
    assert computed == multiplied == []
    assert_array_equal(K, K.T)
    assert_allclose(K, same_again(None), rtol=1e-5)


# Blocks


def test_what_is_multiplied(make, computed, multiplied, small_tiles):
    texts = random_texts(14)
    K = make().fit_transform(texts[:10])
    # 4 + 4 + 2 rows: nothing above the diagonal.
    assert multiplied == [(4, 4), (4, 4), (4, 2), (4, 4), (4, 2), (2, 2)]
    multiplied.clear()
    computed.clear()
    assert_array_equal(make().fit_transform(texts[:10]), K)
    assert_array_equal(make().fit(texts[:10]).transform(texts[3:6]), K[3:6])
    search = GridSearchCV(
        KernelRidgeClassifier(kernel=make()), {"alpha": [0.1, 1.0]}, cv=5
    )
    search.fit(texts[:10], np.arange(10) % 2).predict(texts[:10])
    assert multiplied == [] and computed == []
    # Four more: their own block, and theirs with the ten.
    make().fit_transform(texts)
    assert sum(computed) == 4
    assert sum(n * m for n, m in multiplied) == 4 * 4 + 4 * 10


def test_progress_never_passes_its_total(make, small_tiles, monkeypatch):
    counts, totals = [], []

    class Bar(tqdm):
        def update(self, n=1):
            super().update(n)
            counts.append(self.n)
            totals.append(self.total)

    def shown(total, desc, unit, verbose):
        return Bar(total=total, file=io.StringIO())

    monkeypatch.setattr(_row_gram, "progress_bar", shown)
    make().fit_transform(random_texts(11))
    assert set(totals) == {11 * 11}
    assert max(counts) == counts[-1] == 11 * 11
    assert len(set(counts)) > 6 * 3  # in steps smaller than the six tiles
    assert np.diff([0, *counts]).max() <= 8  # with mirror images on the way


@pytest.mark.parametrize("n_before", [10, 900])
def test_a_hundred_rows_more(computed, multiplied, n_before, tmp_path):
    X = np.random.default_rng(0).normal(size=(n_before + 100, 2))
    kernel = EmpiricalNTK(memory=tmp_path, batch_size=64, random_state=0)
    kernel.fit_transform(X[:n_before])
    multiplied.clear()
    computed.clear()
    kernel.fit_transform(X)
    assert sum(computed) == 100
    new = 100**2 + 100 * n_before
    # Ten rows that lack nearly as many values as the new ones go along with them.
    assert sum(n * m for n, m in multiplied) == (new if n_before == 900 else 110**2)


@pytest.mark.parametrize(
    ("room", "tile_bytes"),
    [(0, 1), (0, 10**9), (3000, 2000), (10**9, 1), (10**9, 10**9)],
)
@pytest.mark.parametrize("memory", [True, False])
def test_few_bytes(make, computed, monkeypatch, tmp_path, room, tile_bytes, memory):
    texts, new = random_texts(20)[:13], random_texts(20)[10:]
    plain = make(memory=None, dtype="float64")
    expected = plain.fit_transform(texts), plain.transform(new), plain.diag(new)
    computed.clear()
    monkeypatch.setattr(_row_gram, "TILE_BYTES", tile_bytes)
    monkeypatch.setattr(_memory_store, "MEMORY_BYTES", room)
    folder = tmp_path if memory else None
    kernel = make(memory=folder, dtype="float64", batch_size=2)
    found = kernel.fit_transform(texts), kernel.transform(new), kernel.diag(new)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-12)
    assert_array_equal(found[0], found[0].T)
    # Each once, or once more where transform has let go of the 7 new rows. Without
    # room, gradients are computed again for every tile.
    if memory:
        assert sum(computed) == 20
    elif room == 10**9:
        assert sum(computed) == 27
    else:
        assert sum(computed) > 27


def test_gradients_held_at_once(make, monkeypatch):
    # No more than two sides of a tile and a batch each, whatever the number of rows.
    texts = random_texts(60)
    live, most = 0, 0
    rows = GradientCapture.rows

    class Counted(np.ndarray):
        pass

    def let_go():
        nonlocal live
        live -= 1

    def counting(self, batch, lengths):
        nonlocal live, most
        out = [row.view(Counted) for row in rows(self, batch, lengths)]
        for row in out:
            weakref.finalize(row, let_go)
        live += len(out)
        most = max(most, live)
        return out

    monkeypatch.setattr(GradientCapture, "rows", counting)
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 6)
    monkeypatch.setattr(_memory_store, "MEMORY_BYTES", 0)
    make(memory=None, batch_size=3).fit_transform(texts)
    assert 12 <= most <= 20


def test_cut_texts_are_told_of_once(make, monkeypatch):
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 2)
    monkeypatch.setattr(_memory_store, "MEMORY_BYTES", 0)
    texts = ["film " * 20, "plot", "the plot", "a " * 30, "story"]
    with pytest.warns(TruncatedTextWarning) as caught:
        make(memory=None, max_length=8, batch_size=2).fit_transform(texts)
    assert ["2 of 5 rows" in str(w.message) for w in caught] == [True]


class Difference(nn.Module):
    """What one network makes of two items of a row, one less the other."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        scores = self.net(x.view(len(x), 2, -1))
        return scores[:, 0] - scores[:, 1]


@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_terms_of_items_that_cancel(method, monkeypatch):
    """Columns far from zero make them large, and their sums small."""
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 7)
    monkeypatch.setattr(_row_gram, "TILE_BYTES", 1)
    rng = np.random.default_rng(0)
    X = 2000 + rng.normal(size=(30, 16)) * rng.choice([0.1, 1, 10], size=(30, 1))
    X = X.astype(np.float32).astype(float)
    torch.manual_seed(0)
    network = Difference()
    kernel = EmpiricalNTK(network, normalize=False, method=method, random_state=0)
    K = kernel.fit_transform(X[:20])
    K_new = kernel.transform(X[20:])
    expected = naive(network.double(), X)
    sizes = np.sqrt(np.diag(expected))
    wrong = (np.vstack([K, K_new]) - expected[:, :20]) / np.outer(sizes, sizes[:20])
    if method == "exact":
        assert np.abs(wrong).max() < 1e-3
    else:
        assert kernel.approximation_error_ < 2e-3


@pytest.mark.parametrize("sides", ["square", "beside", "within"])
def test_any_pattern_is_completed(sides):
    # What is known stays, in either order of two rows, and the rest is computed.
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    X = np.random.default_rng(0).normal(size=(9, 3))
    left, right = {
        "square": (X, None),
        "beside": (X[:6], X[3:]),
        "within": (X[2:5], X),
    }[sides]

    class Partial(MemoryStore):
        def get_gram(self, left, right):
            return known.copy()

    def gradients(store):
        reader = RowReader(model, None, max_length=1, batch_size=3)
        return RowGradients(model, reader, store, verbose=0)

    expected = _row_gram.row_gram(gradients(MemoryStore()), X)
    rows, columns = {
        "square": (slice(None), slice(None)),
        "beside": (slice(0, 6), slice(3, None)),
        "within": (slice(2, 5), slice(None)),
    }[sides]
    rng = np.random.default_rng(1)
    for tile in (2, 3, 100):
        _row_gram.TILE_ROWS, before = tile, _row_gram.TILE_ROWS
        try:
            for share in (0.0, 0.1, 0.5, 0.9, 1.0):
                unknown = np.tril(rng.random((9, 9)) < share)
                unknown = (unknown | unknown.T)[rows, columns]
                known = np.where(unknown, np.nan, expected[rows, columns])
                found = _row_gram.row_gram(gradients(Partial()), left, right)
                assert_allclose(found, expected[rows, columns], rtol=1e-12)
                # The diagonal is that of `squared_norms`.
                is_self = np.equal.outer(np.arange(9)[rows], np.arange(9)[columns])
                kept = ~unknown & ~is_self
                assert_array_equal(found[kept], known[kept])
                full = np.full((9, 9), np.nan)
                full[rows, columns] = found
                pairs = ~np.isnan(full) & ~np.isnan(full.T)
                assert_array_equal(full[pairs], full.T[pairs])
        finally:
            _row_gram.TILE_ROWS = before


def test_removed_files_are_made_again(make, computed, tmp_path):
    texts = random_texts(8)
    K = make().fit_transform(texts)
    for kind in ("rows", "gram", "norms", "keys"):
        for path in files(next((tmp_path / "skshap").iterdir()) / kind):
            path.unlink()
        assert_allclose(make().fit_transform(texts), K, rtol=1e-6)
    reduce_memory(tmp_path, 0)
    computed.clear()
    assert_allclose(make().fit_transform(texts), K, rtol=1e-6)
    assert sum(computed) == 8


def test_files_removed_while_a_store_is_in_use(tmp_path):
    store = DiskStore(tmp_path)
    store.put_norms(["ab" * 16], np.ones(1))
    shutil.rmtree(tmp_path)
    assert np.isnan(store.get_norms(["ab" * 16])).all()
    store.put_norms(["cd" * 16], np.ones(1))
    assert store.get_norms(["cd" * 16]) == 1


@pytest.mark.parametrize("method", ["exact", "sketch"])
@pytest.mark.parametrize("part", ["", "norms", "gram"])
def test_folders_replaced_by_files_while_a_kernel_is_in_use(part, method, tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    train, test = X[:20], X[20:]
    options = {"method": method, "random_state": 0}
    kernel = EmpiricalNTK(memory=tmp_path, **options).fit(train)
    (folder,) = (tmp_path / "skshap").iterdir()
    shutil.rmtree(folder / part)
    (folder / part).write_text("a file")
    says = nullcontext()  # a sketch reads and writes rows alone
    if method == "exact" or not part:
        where = re.escape(str(folder / part))
        says = pytest.warns(DamagedStoreWarning, match=f"{where}.*cannot be written")
    with says as caught:
        found = kernel.transform(test)
    assert caught is None or len(caught) == 1
    assert_array_equal(found, EmpiricalNTK(**options).fit(train).transform(test))


# Cost


@pytest.mark.parametrize("is_square", [True, False])
def test_products_are_timed_in_the_way_that_they_are_taken(is_square, monkeypatch):
    n, t, seen = 30, 20, set()
    plain_gram = _cost.gram

    def spying(layout, *args, **options):
        seen.update(factor.n_outputs for factor in layout.factors)
        return plain_gram(layout, *args, **options)

    monkeypatch.setattr(_cost, "gram", spying)
    ways = set()
    for width in (150, 200, 280, 400):
        layout = Layout(0, [Factor(width, width)])
        tokens = np.ones((t, width), dtype=np.float32)
        flat = [_cost._flat_row([], [(tokens, tokens)], np.float32)] * n
        options = {"is_sign": False, "device": "cpu"}
        gradients = SimpleNamespace(layout=layout, options=options)
        seen.clear()
        _cost._tile_seconds(gradients, flat, n, is_square=is_square)
        rows = SortedRows(layout, flat, "cpu")
        other = None if is_square else rows
        tasks = _gram._product_tasks(layout.factors[0], 0, rows, other, False)
        assert (seen == {width}) == (tasks == [None])
        ways.add(tasks == [None])
    assert ways == {True, False}


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("n", [30, 900])
def test_cost(n, is_stored, tmp_path, monkeypatch):
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 400)
    X = np.random.default_rng(0).normal(size=(n, 4))
    memory = tmp_path if is_stored else None
    kernel = EmpiricalNTK(memory=memory, random_state=0)
    cost = kernel.estimate_cost(X)
    # Nothing has happened: nothing is kept, and the kernel is not fitted.
    assert files(tmp_path) == [] and not hasattr(kernel, "X_fit_")
    assert 8 * n**2 < cost.memory < 10**9
    start = time.process_time()
    kernel.fit_transform(X)
    seconds = time.process_time() - start
    # Loosely: what is predicted is wall time, in which other processes count.
    assert seconds / 5 < cost.seconds < 20 * seconds
    size = sum(path.stat().st_size for path in files(tmp_path))
    if is_stored:
        # Files have headers, which matter for rows of some hundred numbers.
        assert 0.3 * size < cost.disk < size
    else:
        assert cost.disk == size == 0


@pytest.mark.parametrize(
    "parameters",
    [{}, {"sign_gradient": True}, {"outputs": "mean"}, {"memory": "store"}],
)
def test_cost_of_texts(make, parameters, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    kernel = make(memory=None).set_params(**parameters)
    costs = [kernel.estimate_cost(random_texts(n)) for n in (1, 40, 160)]
    assert 0 < costs[0].seconds < costs[2].seconds
    assert costs[0].memory < costs[1].memory < costs[2].memory
    assert (costs[2].disk > 0) == ("memory" in parameters)
    with pytest.raises(ValueError, match="'batch_size' parameter"):
        make(batch_size=0).estimate_cost(random_texts(4))


@pytest.mark.parametrize("method", ["exact", "sketch"])
@pytest.mark.parametrize(("n", "most"), [(5, 5), (100, 8), (400, 25), (3000, 64)])
def test_cost_probes_few_rows(method, n, most, monkeypatch):
    n_rows, capture = [], GradientCapture._capture

    def counting(self, batch, lengths):
        n_rows.append(len(batch))
        return capture(self, batch, lengths)

    monkeypatch.setattr(GradientCapture, "_capture", counting)
    X = np.random.default_rng(0).normal(size=(n, 4))
    EmpiricalNTK(random_state=0, method=method).estimate_cost(X)
    assert most <= sum(n_rows) <= most + 2  # one to warm up, one to choose a method


def test_cost_counts_what_is_computed_again(monkeypatch):
    X = np.random.default_rng(0).normal(size=(300, 4))
    monkeypatch.setattr(_row_gram, "TILE_ROWS", 10)
    monkeypatch.setattr(_cost, "timed", lambda function, *_: (1.0, function()))
    kernel = EmpiricalNTK(random_state=0)
    roomy = kernel.estimate_cost(X)
    monkeypatch.setattr(_memory_store, "MEMORY_BYTES", 0)
    tight = kernel.estimate_cost(X)
    # 30 sides of tiles: each row is asked for 15.5 times, and passes once before.
    passes = 300 // 16  # rows in the one second
    assert_allclose(tight.seconds - roomy.seconds, 300 / passes * (1 + 29 / 2))
    assert tight.memory < roomy.memory


@pytest.mark.parametrize("method", ["exact", "sketch"])
def test_rows_that_settle_other_rules_share_no_gradients(method, tmp_path):
    """Which layers have a rule is found by rows, and with it how gradients are kept."""
    network = randomize(Experts())
    X = np.random.default_rng(0).normal(size=(9, 2))
    X[:3, 0], X[3:6, 0] = np.abs(X[:3, 0]), -np.abs(X[3:6, 0])

    def fit(rows, memory=None):
        kernel = EmpiricalNTK(
            network,
            method=method,
            n_components=8,
            memory=memory,
            batch_size=1,
            dtype="float64",
            normalize=False,
            random_state=0,
        )
        return kernel.fit_transform(rows)

    for rows in (X[:3], X[[0, 3, 1]], X, X[::-1], X[3:6]):
        assert_allclose(fit(rows, tmp_path), fit(rows), rtol=1e-9, atol=1e-12)


def test_rows_of_another_length_are_computed_again(tmp_path):
    X = np.random.default_rng(0).normal(size=(4, 3))
    kernel = EmpiricalNTK(method="exact", memory=tmp_path, random_state=0)
    expected, n_spoilt = kernel.fit_transform(X), 0
    for path in tmp_path.rglob("rows/*/*.npz"):
        with np.load(path) as file:
            parts = dict(file)
        (name,) = [name for name in parts if name == "row"]
        store = DiskStore(path.parents[2])
        store.put_row(path.stem, parts[name][:-1])
        n_spoilt += 1
    assert n_spoilt == 4
    for folder in ("gram", "norms"):
        for path in tmp_path.rglob(f"{folder}/*"):
            path.unlink()
    assert_allclose(clone(kernel).fit_transform(X), expected, rtol=1e-12)
