"""Batches in joblib's workers: kernels are those without them."""

import threading
import time

import numpy as np
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_allclose
from torch import nn

from skshap import EmpiricalNTK
from skshap.kernels import _network, _workers
from skshap.nn._capture import GradientCapture
from tests.conftest import make_encoder
from tests.scripts import assert_equal_on_dask

SETTINGS = [
    {"method": "exact"},
    {"method": "exact", "outputs": "mean", "sign_gradient": True},
    {"method": "sketch", "n_components": 10},
]


def make_rows(n=40):
    return np.random.default_rng(0).normal(size=(n, 5))


def kernels(settings, **options):
    """The kernel of some rows, and that of others with them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.LayerNorm(7), nn.Linear(7, 3))
    kernel = EmpiricalNTK(
        model, dtype="float64", batch_size=4, random_state=0, **settings, **options
    )
    X = make_rows()
    return kernel.fit_transform(X[:30]), kernel.transform(X[25:])


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    monkeypatch.setattr(_workers, "TASK_ROWS", 8)


@pytest.fixture
def threads(monkeypatch):
    """In which threads gradients were captured."""
    found, capture = set(), GradientCapture._capture

    def recording(self, batch, lengths):
        found.add(threading.get_ident())
        return capture(self, batch, lengths)

    monkeypatch.setattr(GradientCapture, "_capture", recording)
    return found


@pytest.mark.parametrize("settings", SETTINGS)
def test_threads(settings, threads):
    expected = kernels(settings)
    assert threads == {threading.get_ident()}
    threads.clear()
    with parallel_config(backend="threading", n_jobs=2):
        found = kernels(settings)
    assert len(threads) >= 2
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_processes(tmp_path, monkeypatch, threads):
    expected = [kernels(settings) for settings in SETTINGS]
    with parallel_config(backend="loky", n_jobs=2):
        for settings, both in zip(SETTINGS, expected, strict=True):
            threads.clear()
            found = kernels(settings, memory=tmp_path)
            # Of a sketch, the rows that projections are found from stay here.
            assert settings["method"] == "sketch" or not threads
            for ours, theirs in zip(found, both, strict=True):
                assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    # What workers computed was kept.
    monkeypatch.setattr(GradientCapture, "_capture", None)
    for settings, both in zip(SETTINGS[:2], expected, strict=False):
        assert_allclose(kernels(settings, memory=tmp_path)[0], both[0], rtol=1e-12)


def test_texts(tiny_tokenizer, tiny_texts, threads):
    """Batches are those without workers, so that padding is the same."""
    kernel = EmpiricalNTK(
        make_encoder("bert"),
        tokenizer=tiny_tokenizer,
        max_length=32,
        batch_size=2,
        random_state=0,
    )
    expected = kernel.fit_transform(tiny_texts)
    threads.clear()
    with parallel_config(backend="threading", n_jobs=3):
        found = kernel.fit_transform(tiny_texts)
    assert len(threads) >= 2
    assert_allclose(found, expected, rtol=1e-5)


def test_errors_of_workers():
    X = make_rows()
    X[3] = 1e300
    model = nn.Sequential(nn.Linear(5, 2), nn.Linear(2, 1))
    with (
        parallel_config(backend="threading", n_jobs=2),
        pytest.raises(ValueError, match="not finite"),
    ):
        EmpiricalNTK(model, batch_size=4, random_state=0).fit(X)


def test_several_devices(monkeypatch, threads):
    """Each gets tasks from a thread of its own, with nothing told to joblib."""
    expected, placed = kernels(SETTINGS[0]), []
    cpus = [torch.device("cpu", i) for i in range(2)]
    monkeypatch.setattr(_network, "find_devices", lambda device: cpus)
    move = nn.Module.to

    def recording(self, *args, **kwargs):
        placed.extend(args)
        return move(self, **kwargs)

    threads.clear()
    monkeypatch.setattr(nn.Module, "to", recording)
    found = kernels(SETTINGS[0])
    assert len(threads) >= 2
    assert set(cpus) <= set(placed)
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (None, [None]),
        ("cpu", ["cpu"]),
        ("cuda", ["cuda:0", "cuda:1", "cuda:2"]),
        (torch.device("cuda"), ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda:0", ["cuda:0"]),
    ],
)
def test_devices(device, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    found = _workers.find_devices(device)
    assert [one if one is None else str(one) for one in found] == expected


@pytest.mark.parametrize("sizes", [[4, 4, 4, 4, 1], [3], [9, 9], []])
def test_tasks(sizes):
    batches = [(np.arange(size), None, None) for size in sizes]
    tasks = list(_workers._tasks(iter(batches)))
    assert [batch for task in tasks for batch in task] == batches
    assert all(sum(len(b[0]) for b in task) >= 8 for task in tasks[:-1])


def test_a_dask_cluster_gives_the_same_kernel(tmp_path):
    setup = """
        from skshap.kernels import _workers
        from tests.kernels.test_workers import SETTINGS, kernels as compute

        _workers.TASK_ROWS = 8
    """
    assert_equal_on_dask(setup, tmp_path, atol=1e-12)


def test_threads_share_no_device():
    """Whichever thread is done takes the next task, on the device that is free."""
    busy, crowded = set(), []

    class Network:
        def to(self, device):
            self.device = device

    class Capture:
        network = Network()

    def work(capture, task):
        device = capture.network.device
        crowded.append(device in busy)
        busy.add(device)
        time.sleep(task)
        busy.discard(device)
        return device

    tasks = [0.2, 0.01, 0.01, 0.01, 0.01, 0.2, 0.01, 0.01]
    found = list(_workers.map_tasks(work, Capture(), tasks, ["one", "two"]))
    assert [task for task, _ in found] == tasks
    assert {device for _, device in found} == {"one", "two"}
    assert not any(crowded)
