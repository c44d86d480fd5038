"""Error at equal CPU time: the sweep against one Cholesky factor a permutation.

Both samplers run in this process on one thread; their draws alternate. The kernel is
the linear one of the centred MiniLM embeddings of SST-2 sentences, read from the folder
in the environment variable SKSHAP_DATA (sst2/train.tsv and dev.tsv). The variance of a
draw is averaged over training rows; variance times CPU time is what a sampler needs for
a given error, and the ratio of it is the gain. The sweep is measured with the schedule
that a pilot of four draws led to, whose draws are not counted. The same permutations
are also drawn plainly in NumPy and SciPy, and by the block inverse of the paper (see
bench_permutation.py), for which prefixes are sampled in strata and their times
integrated.

    SKSHAP_DATA=/path python tests/benchmarks/bench_sweep.py
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _sentences import centred_kernel
from bench_permutation import BlockInverse, naive_time, strata
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from skshap.attribution._checkpoint import Checkpoint
from skshap.attribution._class_scores import class_null, class_targets, class_utility
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._method import Method
from skshap.attribution._permutations import Permutations
from skshap.attribution._problem import Problem
from skshap.attribution._running import PILOT, PILOT_DRAWS, Run
from skshap.attribution._semivalues import size_weights
from skshap.attribution._stopping import StoppingRule
from skshap.attribution._sweep import Sweep

# At equal CPU time, and against the block inverse at equal error.
GOALS = {"neg_log_loss": (12, 6_000), "accuracy": (80, 40_000)}


def draw(sampler, t):
    """Return seconds of CPU time of a draw, and its values by training row."""
    start = time.process_time()
    values = sum(sampler.run(t, part) for part in range(len(sampler.parts)))
    return time.process_time() - start, values[0, 0]


def adapted(sweep):
    """Return the sweep with the schedule that its pilot leads to."""
    method = Method("sweep", PILOT_DRAWS, None, None, None, None, True, 0, "")
    run = Run(sweep, StoppingRule(None, 0), Checkpoint(None, ""), method)
    run.estimate()
    return run.sampler


def plain_permutation(scoring, K, cross, y, y_val, alpha, order):
    """Values of one permutation by NumPy and SciPy, but for the row that comes first.

    Parameters
    ----------
    scoring : {"neg_log_loss", "accuracy"}
    K : ndarray of shape (n, n)
    cross : ndarray of shape (n, m)
    y, y_val : ndarray of shape (n,) and (m,)
    alpha : float
    order : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    n, Y = len(order), np.eye(2)[y]
    L = np.linalg.cholesky(K[np.ix_(order, order)] + alpha * np.eye(n))
    A = solve_triangular(L, cross[order], lower=True)
    Z = solve_triangular(L, Y[order], lower=True)
    decision = np.cumsum(A[:, :, None] * Z[:, None, :], axis=0)
    if scoring == "accuracy":
        scores = decision.argmax(2) == y_val
    else:
        margin = decision[:, :, 1] - decision[:, :, 0]
        scores = -np.log1p(np.exp(-2 * (2 * y_val - 1) * margin))
    values = np.empty(n)
    values[order] = np.diff(scores.mean(1), prepend=0.0)
    return values


def plain_seconds(scoring, sampler, *data):
    """CPU time of one permutation by NumPy and SciPy, the same as the sampler's."""
    found = []
    for t in range(4):
        order = sampler.problem.generator(t, 0).permutation(len(data[0]))
        start = time.process_time()
        values = plain_permutation(scoring, *data, order)
        found.append(time.process_time() - start)
        theirs = draw(sampler, t)[1].numpy()
        worst = np.abs(values - theirs)[order[1:]].max()
        if worst > 1e-9:
            sys.exit(f"{scoring}: two permutations differ by {worst:.1e}")
    return float(np.median(found))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--m", type=int, default=872)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--prefixes", type=int, default=24)
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        run(args, Path(os.environ["SKSHAP_DATA"]))


def run(args, folder):
    K, cross, y, y_val = centred_kernel(folder, args.n, args.m)
    naive = block_inverse_seconds(args, K, cross, y)
    print(
        f"n={args.n} m={args.m} C=2 alpha={args.alpha:g}, one thread, process CPU "
        f"time, {args.draws} alternating draws; a permutation by block inverse: "
        f"{naive['left to right']:.0f} s as written, {naive['weights first']:.0f} s "
        "in the cheapest order"
    )
    for scoring, goals in GOALS.items():
        utility = class_utility(scoring, y_val, 2)
        targets = class_targets([utility], y, 2)
        arrays = (K.numpy(), cross.T.contiguous().numpy(), targets)
        game = KernelGame(arrays, args.alpha).with_inverse()
        weights = size_weights("shapley", args.n)[None]
        null = class_null(scoring, "prior", y, 2)
        problem = Problem([utility], weights, [null], per_sample=False, seed=0)
        fixed = Sweep(game, problem)
        samplers = {
            "permutation": Permutations(game, problem),
            "fixed sweep": fixed,
            "sweep": adapted(fixed),
        }
        print(scoring)
        for route, before, after in zip(
            fixed.routes, fixed.counts, samplers["sweep"].counts, strict=True
        ):
            print(f"  {route.kind}: {before.tolist()} -> {after.tolist()}")
        found = {name: [] for name in samplers}
        for t in range(PILOT, PILOT + args.draws):
            for name, sampler in samplers.items():
                found[name].append(draw(sampler, t))
        needed = {}
        for name, draws in found.items():
            seconds = np.mean([seconds for seconds, _ in draws])
            variance = torch.stack([values for _, values in draws]).var(0).mean()
            needed[name] = seconds * variance
            print(
                f"  {name:12} {seconds:.3f} s a draw, variance {variance:.3e}, "
                f"seconds x variance {needed[name]:.3e}"
            )
            if name == "permutation":
                one = variance
        gain = needed["permutation"] / needed["sweep"]
        print(f"  sweep: {gain:.1f}x less at equal CPU time (goal: {goals[0]}x)")
        data = (K.numpy(), arrays[1], y, y_val, args.alpha)
        plain = plain_seconds(scoring, samplers["permutation"], *data)
        ratio = plain * one / needed["sweep"]
        print(f"  one factor a permutation in NumPy, {plain:.3f} s: {ratio:.1f}x")
        for name, slow in naive.items():
            ratio = slow * one / needed["sweep"]
            print(f"  block inverse, {name}: {ratio:,.0f}x (goal: {goals[1]:,}x)")


def block_inverse_seconds(args, K, cross, y):
    """Integrated CPU time of a permutation by the paper's loop, by variant."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(args.n))
    weights = strata(args.n, args.prefixes)
    Y = np.eye(2)[y]
    arrays = (K.numpy(), cross.T.contiguous().numpy(), Y[:, [1]] - Y[:, [0]])
    game = KernelGame(arrays, args.alpha)
    margins = torch.cat([d[0] for _, d in game.prefixes().decisions(order)])
    expected = {k: margins[k - 1] for k in weights}
    found = {}
    for name in ("left to right", "weights first"):
        is_first = name == "weights first"
        steps = BlockInverse(K, cross, torch.tensor(Y), args.alpha, order, is_first)
        found[name], worst = naive_time(steps, weights, expected)
        if worst > 1e-8:
            sys.exit(f"the block inverse and one factor differ by {worst:.1e}")
    return found


if __name__ == "__main__":
    main()
