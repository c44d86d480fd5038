"""CPU time of one permutation, against the paper's block inverse and bare algebra.

Everything runs in this process on one thread, and repetitions alternate. The kernel is
the linear one of the centred MiniLM embeddings of SST-2 sentences, read from the folder
in the environment variable SKSHAP_DATA (sst2/train.tsv and dev.tsv).

* sampler: skshap's marginals along one permutation, utilities included.
* block inverse: Algorithm 1 of FreeShap (arXiv 2406.04606) as published, prefix by
  prefix: the submatrix is gathered at each; prefixes below 500 are solved afresh; from
  500 on the inverse is carried and extended by a row, and made anew at multiples of
  500; all of it once a class. Prefixes are sampled in strata and their times
  integrated. "left to right" multiplies ``K[T, S] K[S, S]^-1 Y`` as written; "weights
  first" starts on the right, which takes fewer operations.
* bare: `torch.linalg.cholesky` and `solve_triangular` of the same size.

    SKSHAP_DATA=/path python tests/benchmarks/bench_permutation.py
"""

import argparse
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _sentences import centred_kernel
from threadpoolctl import threadpool_limits

from skshap.attribution._class_scores import (
    CLASS_SCORINGS,
    class_targets,
    class_utility,
)
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._permutations import Permutations
from skshap.attribution._problem import Problem

RESTART = 500  # rows after which the block inverse is made anew
GOAL_INVERSE, GOAL_BARE = 200, 1.5


def cpu_time(function, *args):
    """Process CPU time of a call, and what it returned."""
    start = time.process_time()
    result = function(*args)
    return time.process_time() - start, result


class BlockInverse:
    """The paper's prefix-by-prefix regression on one permutation.

    The state before a prefix (`inverse_before`) is made without being timed, so that
    single prefixes can be timed.
    """

    def __init__(self, K, cross, Y, alpha, order, weights_first):
        self.K, self.cross, self.Y = K, cross, Y  # cross: (m, n), Y: (n, n_classes)
        self.alpha, self.order = alpha, order
        self.weights_first = weights_first

    def inverse_before(self, k):
        """The inverses carried into prefix k, one a class; None for a fresh start."""
        if k < RESTART or k % RESTART == 0:
            return None
        inverse = torch.linalg.inv(self._matrix(k - 1))
        return [inverse.clone() for _ in self.Y.T]

    def step(self, k, inverses):
        """Predict with the first k rows, of shape (m, n_classes)."""
        A = self._matrix(k)
        rows = self.order[:k]
        cross = self.cross[:, rows]
        decisions = []
        for c, y in enumerate(self.Y[rows].T):
            if k < RESTART:
                decisions.append(cross @ torch.linalg.solve(A, y))
                continue
            if inverses is None:
                inverse = torch.linalg.inv(A)
                decisions.append(cross @ torch.linalg.solve(A, y))
                continue
            inverse = self._extend(inverses[c], A)
            product = (
                cross @ (inverse @ y) if self.weights_first else cross @ inverse @ y
            )
            decisions.append(product)
        return torch.stack(decisions, 1)

    def _matrix(self, k):
        rows = self.order[:k]
        A = self.K[rows[:, None], rows]
        A.diagonal().add_(self.alpha)
        return A

    @staticmethod
    def _extend(inverse, A):
        """The inverse of A from that of its leading block, by the block formula."""
        k = len(A)
        u = inverse @ A[:-1, -1]
        s = A[-1, -1] - A[-1, :-1] @ u
        out = torch.empty(k, k, dtype=A.dtype)
        torch.addr(inverse, u, u, alpha=float(1 / s), out=out[:-1, :-1])
        out[:-1, -1] = out[-1, :-1] = -u / s
        out[-1, -1] = 1 / s
        return out


def strata(n, n_prefixes):
    """Prefixes to time, and how many of all prefixes each stands for.

    Every prefix that starts afresh from `RESTART` on is timed; between them, prefixes
    are spread evenly, the middle ones of equal parts.
    """
    restarts = [k for k in range(RESTART, n + 1, RESTART)]
    weights = dict.fromkeys(restarts, 1.0)
    edges = [0, *restarts, n + 1]
    runs = [range(a + 1, b) for a, b in pairwise(edges)]
    runs = [run for run in runs if len(run)]
    for run in runs:
        count = max(1, min(len(run), n_prefixes // len(runs)))
        for part in np.array_split(np.array(run), count):
            weights[int(part[len(part) // 2])] = float(len(part))
    return weights


def naive_time(naive, weights, expected):
    """Integrated CPU time of all prefixes; checks the decisions at those timed."""
    total, worst = 0.0, 0.0
    for k, weight in sorted(weights.items()):
        inverses = naive.inverse_before(k)
        seconds, decision = cpu_time(naive.step, k, inverses)
        total += weight * seconds
        margin = decision[:, 1] - decision[:, 0]
        worst = max(worst, float((margin - expected[k]).abs().max()))
    return total, worst


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=2000, help="training rows")
    parser.add_argument("--m", type=int, default=872, help="validation rows")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--scoring", choices=list(CLASS_SCORINGS), default="accuracy")
    parser.add_argument(
        "--prefixes", type=int, default=40, help="timed, restarts apart"
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--naive-repetitions", type=int, default=3, help="of the block inverse"
    )
    args = parser.parse_args()
    folder = os.environ.get("SKSHAP_DATA")
    if not folder or not (Path(folder) / "sst2" / "train.tsv").exists():
        print(f"skipped: no sst2/train.tsv in the folder SKSHAP_DATA={folder!r}")
        return
    torch.set_num_threads(1)
    with threadpool_limits(1):
        run(args, Path(folder))


def run(args, folder):
    K, cross, y, y_val = centred_kernel(folder, args.n, args.m)
    utility = class_utility(args.scoring, y_val, 2)
    targets = class_targets([utility], y, 2)
    game = KernelGame((K.numpy(), cross.T.contiguous().numpy(), targets), args.alpha)
    weights = np.full((1, args.n), 1 / args.n)
    problem = Problem([utility], weights, [0.5], per_sample=False, seed=0)
    permutations = Permutations(game, problem)
    order = torch.from_numpy(problem.generator(0, 0).permutation(args.n))
    A = K[order][:, order] + args.alpha * torch.eye(args.n, dtype=torch.float64)
    right = torch.cat(game.tensors[1:], 1)[order]

    def sampler():
        return permutations.run(0, 0)

    def bare():
        L = torch.linalg.cholesky(A)
        return torch.linalg.solve_triangular(L, right, upper=False)

    weights = strata(args.n, args.prefixes)
    margins = torch.cat(
        [decision[0] for _, decision in game.prefixes().decisions(order)]
    )
    expected = {k: margins[k - 1] for k in weights}
    Y = torch.tensor(np.eye(2)[y])
    naive = {
        name: BlockInverse(K, cross, Y, args.alpha, order, name == "weights first")
        for name in ("left to right", "weights first")
    }
    sampler(), bare()  # warm up
    times = {name: [] for name in ("sampler", "bare", *naive)}
    worst = 0.0
    for repetition in range(args.repetitions):
        times["sampler"].append(cpu_time(sampler)[0])
        times["bare"].append(cpu_time(bare)[0])
        if repetition < args.naive_repetitions:
            for name, steps in naive.items():
                seconds, difference = naive_time(steps, weights, expected)
                times[name].append(seconds)
                worst = max(worst, difference)

    print(
        f"n={args.n} m={args.m} C=2 alpha={args.alpha:g} scoring={args.scoring}, one "
        f"thread, process CPU time, medians (min to max) of {args.repetitions} "
        f"alternating repetitions, {args.naive_repetitions} of the block inverse\n"
        f"block inverse: integrated over {len(weights)} of {args.n} prefixes; its "
        f"margins differ from the sampler's by at most {worst:.1e}"
    )
    for name, seconds in times.items():
        label = f"block inverse, {name}" if name in naive else name
        print(
            f"{label:28} {median(seconds):9.3f} s  "
            f"({min(seconds):.3f} to {max(seconds):.3f})"
        )
    ours = median(times["sampler"])
    for name in naive:
        ratio = median(times[name]) / ours
        print(
            f"block inverse, {name} / sampler = {ratio:.0f}x  "
            f"(goal: at least {GOAL_INVERSE}x)"
        )
    print(
        f"sampler / bare = {ours / median(times['bare']):.2f}x  "
        f"(goal: at most {GOAL_BARE}x)"
    )
    if worst > 1e-8:
        sys.exit(f"the block inverse and the sampler differ by {worst:.1e}")


if __name__ == "__main__":
    main()
