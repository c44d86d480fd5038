"""Tiles whose gradients stay on a GPU, on the CPU: the kernel is that of the CPU."""

import time
import warnings
from itertools import chain

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skshap import EmpiricalNTK
from skshap.exceptions import SmallerBatchWarning
from skshap.kernels import _gpu_cost, _gpu_gram, _method
from skshap.kernels._gradients import RowGradients
from skshap.kernels._row_reader import distinct
from skshap.nn import _batched_rows
from skshap.nn._capture import GradientCapture
from tests.conftest import WORDS
from tests.oracles import encoder_kernel

N = 20


def texts(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 20))) for _ in range(n)]


@pytest.fixture
def on_gpu(monkeypatch):
    """Has gradients stay where they are computed; returns a function for its memory."""
    monkeypatch.setattr(RowGradients, "is_on_gpu", True)

    def have(n_bytes):
        for module in (_gpu_cost, _gpu_gram):
            monkeypatch.setattr(module, "free_bytes", lambda device: n_bytes)

    have(1 << 40)
    return have


@pytest.fixture
def captured(monkeypatch):
    """How many rows each captured batch had, but for those that rules are tried on."""
    counts, capture = [], GradientCapture._capture

    def counting(self, batch, lengths):
        found = capture(self, batch, lengths)
        counts.append(len(found.vector))
        return found

    monkeypatch.setattr(GradientCapture, "_capture", counting)
    return counts


@pytest.mark.parametrize("n_bytes", [1, 600_000, 1 << 40])
@pytest.mark.parametrize("n_frozen_layers", [0, 2])
def test_kernel(n_frozen_layers, n_bytes, make, bert, tiny_tokenizer, on_gpu):
    on_gpu(n_bytes)
    rows, others = texts(), [*texts(5, seed=1), *texts()[:3], texts()[0]]
    kernel = make(normalize=False, n_frozen_layers=n_frozen_layers, batch_size=4)
    expected = encoder_kernel(
        bert,
        tiny_tokenizer,
        [*rows, *others],
        seed=0,
        n_frozen_layers=n_frozen_layers,
    )
    atol = 1e-12 * np.abs(expected).max()
    K = kernel.fit_transform(rows)
    assert_allclose(K, expected[:N, :N], rtol=0, atol=atol)
    assert_array_equal(K, K.T)
    assert_allclose(kernel.transform(others), expected[N:, :N], rtol=0, atol=atol)
    assert_allclose(kernel.diag(others), expected.diagonal()[N:], rtol=0, atol=atol)


@pytest.mark.parametrize("merged", [1, 60, 1 << 13])
@pytest.mark.parametrize("n_bytes", [1, 1 << 40])
@pytest.mark.parametrize(
    "options",
    [{"parameters": "all"}, {"sign_gradient": True, "parameters": "all"}],
    ids=["tables", "signs"],
)
def test_as_on_the_cpu(options, n_bytes, merged, make, monkeypatch):
    rows, others = texts(), texts(7, seed=1)
    kernel = make(method="exact", batch_size=3, **options)
    expected = kernel.fit_transform(rows), kernel.transform(others)
    monkeypatch.setattr(RowGradients, "is_on_gpu", True)
    monkeypatch.setattr(_gpu_gram, "free_bytes", lambda device: n_bytes)
    monkeypatch.setattr(_batched_rows, "MERGED_TOKENS", merged)
    sizes, merge = [], _batched_rows.join_pairs

    def counting(pairs):
        sizes.append(len(pairs))
        return merge(pairs)

    monkeypatch.setattr(_batched_rows, "join_pairs", counting)
    found = kernel.fit_transform(rows), kernel.transform(others)
    for K, known in zip(found, expected, strict=True):
        assert_allclose(K, known, rtol=0, atol=1e-12 * np.abs(known).max())
    assert (max(sizes) > 1) == (merged > 1 and n_bytes > 1)


def test_gradients_and_norms_are_computed_once(make, on_gpu, captured, monkeypatch):
    kernel = make(method="exact", batch_size=4).fit(texts())
    captured.clear()
    kernel.fit_transform(texts())
    assert sum(captured) in (N, N + 1)  # one shows how many tokens factors have
    kernel = make(method="exact", batch_size=4).fit(texts())
    monkeypatch.setattr(_gpu_gram, "squared_norms", None)
    kernel.transform(texts()[::-1])


def size_of(batch):
    """Bytes that the tensors of a batch keep alive."""
    parts = [batch.vector, *(part for pair in batch.pairs for part in pair)]
    return sum(part.untyped_storage().nbytes() for part in parts)


def cut(kernel, n_bytes, on_gpu, most_rows=100):
    """Blocks of the texts, their sizes, and those of batches."""
    gradients, side = kernel._gradients, distinct(texts())[0]
    on_gpu(n_bytes / _gpu_gram.SIDE_SHARE)
    blocks = _gpu_gram._cut(gradients, side, np.arange(len(side.rows)), most_rows)
    held = [
        [size_of(batch) for batch in _gpu_gram._held(gradients.capture, block).batches]
        for block in blocks
    ]
    return blocks, [sum(sizes) for sizes in held], list(chain(*held))


@pytest.mark.parametrize("readout", ["mean", "first"])
def test_blocks_fit_into_memory(readout, make, on_gpu):
    """Also where the last layer's only gradient is that of the first token."""
    options = {"readout": readout, "n_frozen_layers": 2, "batch_size": 4}
    kernel = make(method="exact", **options).fit(texts())
    _, _, sizes = cut(kernel, 1 << 40, on_gpu)
    gradients = kernel._gradients
    rows = distinct(texts())[0].rows
    told = [
        _gpu_gram._n_bytes(gradients, rows, len(places), lengths)
        for places, lengths, _ in gradients.reader.batches(rows)
    ]
    assert_allclose(told, sizes, rtol=0.01)
    most = 2.5 * max(told)
    blocks, held, _ = cut(kernel, most, on_gpu)
    assert 1 < len(blocks) < len(told)
    assert max(held) < 1.1 * most
    found = np.concatenate([block.indices for block in blocks])
    assert sorted(found) == list(range(N))


def test_blocks_of_few_rows(make, on_gpu):
    kernel = make(method="exact", batch_size=3).fit(texts())
    blocks, _, _ = cut(kernel, 1 << 40, on_gpu, most_rows=7)
    assert 3 < max(len(block.indices) for block in blocks) <= 7


def test_tokens_of_the_longest_row(make, on_gpu):
    """However short the first one is."""
    gradients = make(method="exact", batch_size=4).fit(texts())._gradients
    rows = ["a", *texts()[:5]]
    assert (gradients.token_counts(rows, 9) == 9).sum() == 4
    X = np.zeros((9, 6))
    X[4:] = np.random.default_rng(0).normal(size=(5, 6))
    relu = torch.nn.Sequential(
        torch.nn.Unflatten(1, (3, 2)),
        torch.nn.Linear(2, 4, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(4, 1, bias=False),
        torch.nn.Flatten(),
    )
    options = {"method": "exact", "outputs": "sum", "dtype": "float64"}
    gradients = EmpiricalNTK(relu, **options).fit(X)._gradients
    assert gradients.token_counts(list(X), 1).max() > 1


@pytest.mark.parametrize("n_devices", [1, 3])
def test_a_tile_that_does_not_fit_is_halved(n_devices, make, on_gpu, monkeypatch):
    """Until it does, and not before what other GPUs work on is done."""
    options = {"method": "exact", "batch_size": 1}
    expected = make(**options).fit_transform(texts())
    names = [torch.device("cpu")] * n_devices
    monkeypatch.setattr("skshap.kernels._network.find_devices", lambda d: names)
    sizes, active, most_active, gram = [], [], [], _gpu_gram.gram

    def small(layout, rows, columns, **others):
        sizes.append(len(rows))
        active.append(rows)
        most_active.append(len(active))
        try:
            time.sleep(0.02)
            if len(rows) > 2:
                raise torch.OutOfMemoryError
            return gram(layout, rows, columns, **others)
        finally:
            active.pop()

    monkeypatch.setattr(_gpu_gram, "gram", small)
    with pytest.warns(SmallerBatchWarning, match="halved"):
        K = make(**options).fit_transform(texts())
    assert_allclose(K, expected, rtol=1e-12)
    assert sizes[-1] <= 2 < sizes[0]
    assert max(most_active) <= n_devices
    if n_devices == 1:  # no size is tried in vain
        tried = [size for size in sizes if size > 2]
        assert tried == sorted(set(tried), reverse=True)
    options["batch_size"] = 4
    with pytest.raises(torch.OutOfMemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(**options).fit_transform(texts())


def test_a_full_card_does_not_shrink_batches(make, on_gpu, monkeypatch):
    """What does not fit beside gradients that are held is the tile."""
    options = {"method": "exact", "batch_size": 4}
    expected = make(**options).fit_transform(texts())
    gradients, n_held = GradientCapture._capture, []

    def tight(self, batch, lengths):
        n_held.append(len(lengths))
        if len(n_held) == 4:
            raise torch.OutOfMemoryError
        return gradients(self, batch, lengths)

    monkeypatch.setattr(GradientCapture, "_capture", tight)
    with pytest.warns(SmallerBatchWarning, match="tile") as caught:
        kernel = make(**options)
        K = kernel.fit_transform(texts())
    assert len(caught) == 1
    assert_allclose(K, expected, rtol=1e-12)
    assert kernel._gradients.capture._most > 4


def test_tiles_known_by_their_mirror_images(make, on_gpu, monkeypatch):
    kernel = make(method="exact", batch_size=1).fit(texts())
    expected = kernel.transform(texts()[::-1])
    monkeypatch.setattr(_gpu_gram, "GPU_TILE_ROWS", 2)
    n_values, gram = [], _gpu_gram.gram

    def counting(layout, rows, columns, **others):
        n_values.append(len(rows) * len(columns))
        return gram(layout, rows, columns, **others)

    monkeypatch.setattr(_gpu_gram, "gram", counting)
    assert_allclose(kernel.transform(texts()[::-1]), expected, rtol=1e-12)
    assert sum(n_values) < 0.7 * N**2


def test_rows_added_to_stored_ones(make, on_gpu, tmp_path, monkeypatch):
    """Only what is new is multiplied."""
    options = {"method": "exact", "memory": tmp_path}
    make(**options).fit_transform(texts())
    sizes, gram = [], _gpu_gram.gram

    def counting(layout, rows, columns, **others):
        sizes.append((len(rows), len(rows if columns is None else columns)))
        return gram(layout, rows, columns, **others)

    monkeypatch.setattr(_gpu_gram, "gram", counting)
    more = [*texts(), "the plot was slow but great", "dull"]
    expected = make(method="exact").fit_transform(more)
    sizes.clear()
    assert_allclose(make(**options).fit_transform(more), expected, rtol=1e-12)
    assert sizes == [(2, N + 2)]


@pytest.mark.parametrize("devices", [1, 3])
def test_several(devices, make, on_gpu, monkeypatch):
    """Each GPU gets tiles, however much memory there is."""
    expected = make(method="exact").fit_transform(texts())
    kernel = make(method="exact", batch_size=2)
    names = [torch.device("cpu")] * devices
    monkeypatch.setattr("skshap.kernels._network.find_devices", lambda d: names)
    tiles, gram = [], _gpu_gram.gram

    def counting(*args, **options):
        tiles.append(args)
        return gram(*args, **options)

    monkeypatch.setattr(_gpu_gram, "gram", counting)
    assert_allclose(kernel.fit_transform(texts()), expected, rtol=1e-12)
    n_blocks = sum(columns is None for _, _, columns in tiles)  # with themselves
    assert n_blocks == 1 if devices == 1 else n_blocks > devices
    assert len(tiles) == n_blocks * (n_blocks + 1) / 2


def test_tiles_are_stored(make, on_gpu, tmp_path, captured):
    """A run that was broken off goes on with the tiles that are there."""
    options = {"method": "exact", "batch_size": 2, "memory": tmp_path}
    expected = make(**options | {"memory": None}).fit_transform(texts())
    on_gpu(400_000)
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    tiles = sorted(tmp_path.rglob("gram/*.npz"))
    assert len(tiles) > 3
    assert len([*tmp_path.rglob("rows/*/*.npz")]) == 1  # token counts, no gradients
    captured.clear()
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    assert not captured
    tiles[0].unlink()
    assert_allclose(make(**options).fit_transform(texts()), expected, rtol=1e-12)
    assert 0 < sum(captured) < N


def test_cost(make, on_gpu, tmp_path):
    """A prediction takes few rows and leaves nothing behind."""
    costs = [make(memory=None).estimate_cost(texts(n)) for n in (20, 200)]
    assert 0 < costs[0].seconds < costs[1].seconds < 100
    assert 8 * 200**2 < costs[1].memory - costs[0].memory + 17 * 20**2 + 1
    assert costs[0].disk == 0
    on_gpu(1)  # each batch beside each other one
    assert make(memory=None).estimate_cost(texts(200)).seconds > 2 * costs[1].seconds
    stored = make(memory=tmp_path).estimate_cost(texts())
    assert 8 * N**2 <= stored.disk < 20_000 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit, method", [(1, "sketch"), (1e15, "exact")])
def test_method(limit, method, make, on_gpu, monkeypatch):
    """What gradients would take counts nothing: they are not held."""
    monkeypatch.setattr(_method, "GPU_OPERATIONS", limit)
    monkeypatch.setattr(_method, "EXACT_BYTES", 8 * N**2)
    monkeypatch.setattr(_method, "EXACT_OPERATIONS", 0)
    assert make().fit(texts()).method_ == method
    assert make().fit(texts(2 * N)).method_ == "sketch"  # for the kernel itself
