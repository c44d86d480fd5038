"""What `estimate_cost` predicts against what `attribute` takes.

Random data; wall time on all threads, memory by the growth of the largest resident set
of a process of its own.

    python tests/benchmarks/bench_cost.py
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np

CASES = {
    "kernel, accuracy": (2000, 500, 20, {"kernel": "rbf", "n_permutations": 20}),
    "kernel, log loss": (
        2000,
        500,
        20,
        {"kernel": "rbf", "scoring": "neg_log_loss", "n_permutations": 12},
    ),
    "five classes": (1000, 200, 20, {"kernel": "rbf", "n_permutations": 20}),
    "features": (10_000, 300, 100, {"kernel": "linear", "n_permutations": 12}),
    "permutations": (
        2000,
        500,
        20,
        {"kernel": "rbf", "sampler": "permutation", "n_permutations": 30},
    ),
    "two workers": (
        2000,
        500,
        20,
        {"kernel": "rbf", "n_permutations": 30, "n_jobs": 2},
    ),
    "enumeration": (16, 50, 5, {"kernel": "rbf", "sampler": "exact"}),
}


def run(name, mode):
    """Print seconds and bytes of one case, as predicted or as used."""
    from skshap import FreeShapAttributor

    n, m, d, params = CASES[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + m, d))
    y = (X[:, 0] + rng.normal(size=n + m) > 0).astype(int)
    if name == "five classes":
        y = np.digitize(X[:, 0], [-1, -0.3, 0.3, 1])
    y[:2] = [0, 1]
    attributor = FreeShapAttributor(random_state=0, **params).fit(X[:n], y[:n])
    if mode == "predict":
        cost = attributor.estimate_cost(X[n:], y[n:])
        print(json.dumps([float(cost.seconds), float(cost.memory)]))
        return
    if "n_jobs" in params:  # workers that have started
        attributor.set_params(n_permutations=2).attribute(X[n:], y[n:])
        attributor.set_params(**params)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    attributor.attribute(X[n:], y[n:])
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(json.dumps([seconds, float(grown)]))


def main():
    if len(sys.argv) > 1:
        run(*sys.argv[1:])
        return
    print(f"{'':18} {'predicted':>10} {'seconds':>9}    {'predicted':>9} {'MB':>6}")
    for name in CASES:
        found = []
        for mode in ("predict", "use"):
            command = [sys.executable, __file__, name, mode]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            found += json.loads(out.stdout.splitlines()[-1])
        guess, memory, seconds, grown = found
        print(
            f"{name:18} {guess:10.2f} {seconds:9.2f}    "
            f"{memory / 1e6:9.0f} {grown / 1e6:6.0f}"
        )


if __name__ == "__main__":
    main()
