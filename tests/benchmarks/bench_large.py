"""Wall time, memory and error of values of many training rows.

* kernel: 5,000 SST-2 sentences on the kernel of their centred MiniLM embeddings, 872 to
  predict, accuracy; sweeps are drawn until their root mean squared standard error is no
  larger than that of 200 permutations, estimated from 20 of them.
* features: 50,000 rows of 512 columns, 1,000 to predict, drawn from a normal
  distribution with a linear rule and a tenth of the labels flipped; linear kernel.

All threads are used. Memory is the largest resident set of the process.

    SKSHAP_DATA=/path python tests/benchmarks/bench_large.py kernel
    python tests/benchmarks/bench_large.py features
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from skshap import FreeShapAttributor

GOALS = {"kernel": (40, 3.0), "features": (1800, 8.0)}  # seconds, GB


def timed(attributor, X_val, y_val):
    """Return seconds of `attribute`, values and their standard errors."""
    start = time.perf_counter()
    values, std = attributor.attribute(X_val, y_val, return_std=True)
    return time.perf_counter() - start, values, std


def report(name, seconds, values, std, cost):
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        f"{name}: {seconds:.1f} s (goal {GOALS[name][0]}, predicted "
        f"{cost.seconds:.1f}), {memory:.2f} GB in all (goal {GOALS[name][1]}; "
        f"predicted {cost.memory / 1e9:.2f} beyond what was in use)"
    )
    rms = np.sqrt(np.mean(std**2))
    print(
        f"  rms standard error {rms:.2e}, rms value {np.sqrt(np.mean(values**2)):.2e}"
    )


def run_kernel(n_permutations):
    from _sentences import centred_kernel

    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    K, cross, y, y_val = centred_kernel(Path(os.environ["SKSHAP_DATA"]), 5000, 872)
    common = {"kernel": "precomputed", "random_state": 0}
    one = FreeShapAttributor(sampler="permutation", n_permutations=20, **common)
    seconds, _, std = timed(one.fit(K.numpy(), y), cross.numpy(), y_val)
    goal = np.sqrt(np.mean(std**2) * 20 / 200)
    print(f"20 permutations: {seconds:.1f} s; rms error of 200: {goal:.2e}")
    del one
    many = FreeShapAttributor(n_permutations=n_permutations or 4, **common)
    many.fit(K.numpy(), y)
    cost = many.estimate_cost(cross.numpy(), y_val)
    report("kernel", *timed(many, cross.numpy(), y_val), cost)


def run_features(n_permutations):
    n, m, d = 50_000, 1000, 512
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + m, d)) * np.exp(-np.arange(d) / 100)
    y = (X[:, :50].sum(1) + rng.normal(size=n + m) > 0).astype(int)
    flipped = rng.random(n) < 0.1
    y[:n][flipped] ^= 1
    attributor = FreeShapAttributor(
        "linear", n_permutations=n_permutations or 8, random_state=0, verbose=1
    )
    start = time.perf_counter()
    attributor.fit(X[:n], y[:n])
    print(f"fit: {time.perf_counter() - start:.1f} s")
    cost = attributor.estimate_cost(X[n:], y[n:])
    seconds, values, std = timed(attributor, X[n:], y[n:])
    report("features", seconds, values, std, cost)
    lowest = np.argsort(values)[: flipped.sum()]
    print(f"  share of flipped labels among the lowest: {flipped[lowest].mean():.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=list(GOALS))
    parser.add_argument("--permutations", type=int)
    args = parser.parse_args()
    run = {"kernel": run_kernel, "features": run_features}[args.name]
    run(args.permutations)


if __name__ == "__main__":
    main()
