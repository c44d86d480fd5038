"""Error at equal CPU time: the sweep against one Cholesky factor a permutation.

Both samplers run in this process on one thread; their draws alternate. The kernel is
the linear one of the centred MiniLM embeddings of SST-2 sentences, read from the folder
in the environment variable SKSHAP_DATA (sst2/train.tsv and dev.tsv). The variance of a
draw is averaged over training rows; variance times CPU time is what a sampler needs for
a given error, and the ratio of it is the gain.

    SKSHAP_DATA=/path python tests/benchmarks/bench_sweep.py
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from _sentences import centred_kernel
from threadpoolctl import threadpool_limits

from skshap.attribution._coalitions import PrefixRidge
from skshap.attribution._samplers import generators, permutation_marginals
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import size_bins, sweep_marginals
from skshap.attribution._utility import Utility, null_utility

GOALS = {"neg_log_loss": 12, "accuracy": 80}


def measure(draws, n_draws):
    """Time draws and return (seconds a draw, their variance by row)."""
    seconds, values = [], []
    for _ in range(n_draws):
        start = time.process_time()
        value = next(draws)
        seconds.append(time.process_time() - start)
        values.append(value.clone())
    # The first draw of a sampler also makes what all of them share.
    mean = sum(seconds[1:]) / (n_draws - 1)
    return mean, torch.stack(values).var(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--m", type=int, default=872)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--permutations", type=int, default=60)
    parser.add_argument("--sweeps", type=int, default=30)
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        run(args, Path(os.environ["SKSHAP_DATA"]))


def run(args, folder):
    K, cross, y, y_val = centred_kernel(folder, args.n, args.m)
    weights = size_weights("shapley", args.n)
    print(
        f"n={args.n} m={args.m} C=2 alpha={args.alpha:g}, one thread, process CPU "
        f"time; {args.permutations} permutations, {args.sweeps} sweeps"
    )
    for scoring, goal in GOALS.items():
        utility = Utility(scoring, y_val, 2)
        game = (K, cross.T.contiguous(), utility.targets(y), args.alpha)
        options = {
            "weights": weights,
            "null": null_utility(scoring, "prior", y, 2),
            "per_sample": False,
        }
        one = permutation_marginals(
            PrefixRidge(*game),
            utility,
            generators(args.permutations, 0),
            truncation_tol=None,
            **options,
        )
        many = sweep_marginals(game, utility, generators(args.sweeps, 1), **options)
        found = {
            "permutation": measure(one, args.permutations),
            "sweep": measure(many, args.sweeps),
        }
        print(f"{scoring}, {len(size_bins(weights, utility.is_smooth))} sizes a sweep")
        for name, (seconds, variance) in found.items():
            print(
                f"  {name:12} {seconds:.3f} s a draw, variance {variance.mean():.3e}, "
                f"seconds x variance {seconds * variance.mean():.3e}"
            )
        (s1, v1), (s2, v2) = found.values()
        gain = s1 * v1.mean() / (s2 * v2.mean())
        print(
            f"  variance {v1.mean() / v2.mean():.0f}x lower a draw, {gain:.1f}x lower "
            f"at equal CPU time (goal: at least {goal}x)"
        )


if __name__ == "__main__":
    main()
