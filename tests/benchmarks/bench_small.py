"""Small problems: parts of draws computed together against each by itself.

Centred embeddings of SST-2 sentences on a linear kernel; process CPU time of one
thread, or on a GPU seconds of wall time.

    SKSHAP_DATA=/path python tests/benchmarks/bench_small.py [--device cuda]
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from _sentences import centred_kernel

from skshap.attribution._class_scores import class_targets, class_utility
from skshap.attribution._kernel_game import KernelGame
from skshap.attribution._problem import Problem
from skshap.attribution._semivalues import size_weights
from skshap.attribution._sweep import Sweep
from skshap.attribution._together import count_together, run_together

SIZES = {
    None: [(20, 20), (50, 20), (50, 50), (100, 20), (100, 50)],
    "cuda": [(50, 50), (100, 50), (200, 100), (500, 200), (1000, 200)],
}


def make_sweep(folder, scoring, n, m, device):
    """Return a sweep over n rows that scores m."""
    K, cross, y, y_val = centred_kernel(folder, n, m)
    utility = class_utility(scoring, y_val, 2, device)
    targets = class_targets([utility], y, 2)
    arrays = (K.numpy(), cross.T.contiguous().numpy(), targets)
    game = KernelGame(arrays, 1.0, device=device).with_inverse()
    weights = size_weights("shapley", n)[None]
    problem = Problem([utility], weights, [0.0], per_sample=False, seed=0)
    return Sweep(game, problem)


def run_by_itself(sweep, units):
    """Compute parts one after the other."""
    parts = (divmod(unit, len(sweep.parts)) for unit in units)
    return [sweep.run(*part).cpu() for part in parts]


def seconds_a_part(compute, sweep, units, clock):
    """Return seconds a part, the least of three runs after a first one, and values."""
    found = []
    for _ in range(4):
        start = clock()
        values = compute(sweep, units)
        found.append(clock() - start)
    return min(found[1:]) / len(units), torch.stack(values)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device")
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    folder = Path(os.environ["SKSHAP_DATA"])
    torch.set_num_threads(1)
    clock = time.perf_counter if args.device else time.process_time
    print("rows, to predict: seconds a part by itself, together, ratio")
    for scoring in ("neg_log_loss", "accuracy"):
        for n, m in SIZES[args.device]:
            sweep = make_sweep(folder, scoring, n, m, args.device)
            together = count_together(sweep)
            some, units = range(min(16, together)), range(together)
            alone, expected = seconds_a_part(run_by_itself, sweep, some, clock)
            many, found = seconds_a_part(run_together, sweep, units, clock)
            worst = float((found[: len(some)] - expected).abs().max())
            if worst > 1e-9:
                sys.exit(f"{scoring}: values differ by {worst:.1e}")
            print(
                f"{scoring} {n}, {m}: {alone:.2e} {many:.2e} ({together} parts) "
                f"{alone / many:.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
