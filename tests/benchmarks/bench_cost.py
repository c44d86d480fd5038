"""What `estimate_cost` predicts against what `attribute` takes.

Random data. Each number is of a process of its own, which has loaded its libraries by a
small problem of the same kind before. Seconds are of wall time on all threads. Memory
is the peak of the resident set beyond what was resident before, as Linux tells it; of
workers, each page that they share counts once.

    python tests/benchmarks/bench_cost.py [part of a case's name ...]
"""

import ctypes
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

RBF = {"kernel": "rbf"}
LINEAR = {"kernel": "linear"}
LOSS = {"scoring": "neg_log_loss"}
PERMUTATION = {"sampler": "permutation"}
MODES = ("predict", "seconds", "memory")
# By name: rows to train on and to predict, columns, classes, parameters and options.
CASES = {
    "sweep, 300": (300, 200, 20, 2, {**RBF, "n_permutations": 100}, {}),
    "sweep, 1000": (1000, 300, 20, 2, {**RBF, "n_permutations": 30}, {}),
    "sweep, 2000": (2000, 500, 20, 2, {**RBF, "n_permutations": 20}, {}),
    "sweep, 3000": (3000, 800, 20, 2, {**RBF, "n_permutations": 5}, {}),
    "sweep, log loss, 1000": (
        *(1000, 300, 20, 2),
        {**RBF, **LOSS, "n_permutations": 20},
        {},
    ),
    "sweep, log loss, 2000": (
        *(2000, 500, 20, 2),
        {**RBF, **LOSS, "n_permutations": 12},
        {},
    ),
    "sweep, log loss, 3000": (
        *(3000, 800, 20, 2),
        {**RBF, **LOSS, "n_permutations": 2},
        {},
    ),
    "sweep, 5 classes, 1000": (1000, 200, 20, 5, {**RBF, "n_permutations": 20}, {}),
    "sweep, 5 classes, 2000": (2000, 500, 20, 5, {**RBF, "n_permutations": 5}, {}),
    "sweep, 5 classes, log loss": (
        *(2000, 500, 20, 5),
        {**RBF, **LOSS, "n_permutations": 2},
        {},
    ),
    "sweep, by row scored": (
        *(2000, 500, 20, 2),
        {**RBF, **LOSS, "n_permutations": 5},
        {"per_sample": True},
    ),
    "permutation, 300": (
        *(300, 200, 20, 2),
        {**RBF, **PERMUTATION, "n_permutations": 200},
        {},
    ),
    "permutation, 1000": (
        *(1000, 300, 20, 2),
        {**RBF, **PERMUTATION, "n_permutations": 50},
        {},
    ),
    "permutation, 2000": (
        *(2000, 500, 20, 2),
        {**RBF, **PERMUTATION, "n_permutations": 30},
        {},
    ),
    "permutation, 3000, 5 classes": (
        *(3000, 800, 20, 5),
        {**RBF, **PERMUTATION, **LOSS, "n_permutations": 4},
        {},
    ),
    "permutation, by row scored": (
        *(2000, 500, 20, 2),
        {**RBF, **PERMUTATION, "n_permutations": 10},
        {"per_sample": True},
    ),
    "features, 1000": (1000, 300, 50, 2, {**LINEAR, "n_permutations": 30}, {}),
    "features, 10000": (10_000, 300, 100, 2, {**LINEAR, "n_permutations": 12}, {}),
    "features, 20000": (20_000, 500, 256, 2, {**LINEAR, "n_permutations": 2}, {}),
    "features, 5 classes": (
        *(10_000, 300, 100, 5),
        {**LINEAR, **LOSS, "n_permutations": 2},
        {},
    ),
    "features, permutation": (
        *(20_000, 500, 256, 2),
        {**LINEAR, **PERMUTATION, "n_permutations": 2},
        {},
    ),
    "two workers": (2000, 500, 20, 2, {**RBF, "n_permutations": 30, "n_jobs": 2}, {}),
    "two workers, permutation": (
        *(2000, 500, 20, 2),
        {**RBF, **PERMUTATION, "n_permutations": 30, "n_jobs": 2},
        {},
    ),
    "two workers, features": (
        *(10_000, 300, 100, 2),
        {**LINEAR, "n_permutations": 12, "n_jobs": 2},
        {},
    ),
    "two workers, 3000": (
        *(3000, 800, 20, 2),
        {**RBF, **LOSS, "n_permutations": 8, "n_jobs": 2},
        {},
    ),
    "enumeration, 16": (16, 50, 5, 2, {**RBF, "sampler": "exact"}, {}),
    "enumeration, 19": (19, 50, 5, 2, {**RBF, "sampler": "exact"}, {}),
    "enumeration, 5 classes": (17, 200, 5, 5, {**RBF, "sampler": "exact"}, {}),
}


def make_data(n, m, d, n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + m, d))
    noisy = X[:, 0] + rng.normal(size=n + m)
    y = np.digitize(noisy, np.quantile(noisy, np.linspace(0, 1, n_classes + 1)[1:-1]))
    y[:n_classes] = range(n_classes)
    return X[:n], y[:n], X[n:], y[n:]


def run(name, mode):
    """Print seconds and bytes of one case, as predicted or as used."""
    from skshap import FreeShapAttributor

    n, m, d, n_classes, params, options = CASES[name]
    X, y, X_val, y_val = make_data(n, m, d, n_classes)
    attributor = FreeShapAttributor(random_state=0, **params).fit(X, y)
    if mode == "predict":
        cost = attributor.estimate_cost(X_val, y_val, **options)
        print(json.dumps([float(cost.seconds), float(cost.memory)]))
        return
    small = FreeShapAttributor(random_state=0, **params).set_params(n_permutations=4)
    k = 4 * d if params["kernel"] == "linear" else min(n, 60)
    small.fit(X[:k], y[:k]).attribute(X_val[:20], y_val[:20], **options)
    del small
    gc.collect()
    if mode == "memory":
        with Peak("n_jobs" in params) as peak:
            attributor.attribute(X_val, y_val, **options)
        print(json.dumps([float(peak.grown)]))
        return
    start = time.perf_counter()
    attributor.attribute(X_val, y_val, **options)
    print(json.dumps([time.perf_counter() - start]))


class Peak:
    """The largest resident set while a block runs, beyond that before it, in bytes."""

    def __init__(self, has_workers):
        self.has_workers = has_workers

    def __enter__(self):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        if self.has_workers:
            self.before = self.most = shared_size()
            self._is_done = threading.Event()
            self._watch = threading.Thread(target=self._look)
            self._watch.start()
        else:
            self.before = field("status", "VmRSS")
        return self

    def __exit__(self, *error):
        if self.has_workers:
            self._is_done.set()
            self._watch.join()
        else:
            self.most = field("status", "VmHWM")
        self.grown = self.most - self.before

    def _look(self):
        while not self._is_done.wait(0.05):
            self.most = max(self.most, shared_size())


def shared_size():
    """Return the memory of this process and of those it started."""
    children = Path("/proc/self/task").glob("*/children")
    pids = ["self", *(pid for path in children for pid in path.read_text().split())]
    return sum(field("smaps_rollup", "Pss", pid) for pid in pids)


def field(file, name, pid="self"):
    """Return a number of bytes that the kernel tells of a process."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next(int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{name}:"))


def main():
    if sys.argv[1:2] in ([mode] for mode in MODES):
        run(sys.argv[2], sys.argv[1])
        return
    heads = ("foreseen", "seconds", "ratio", "foreseen", "MB", "ratio")
    print(f"{'':28}", *(f"{head:>9}" for head in heads))
    for name in CASES:
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        found = []
        for mode in MODES:
            command = [sys.executable, __file__, mode, name]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            found += json.loads(out.stdout.splitlines()[-1])
        guess, memory, seconds, grown = found
        numbers = guess, seconds, guess / seconds
        numbers += memory / 1e6, grown / 1e6, memory / grown
        print(f"{name:28}", *(f"{x:9.2f}" for x in numbers), flush=True)


if __name__ == "__main__":
    main()
