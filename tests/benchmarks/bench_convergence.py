"""A picture of standard error against CPU time, for every sampler.

On the kernel of the centred MiniLM embeddings of SST-2 sentences, read from the folder
in the environment variable SKSHAP_DATA; one thread, process CPU time, setups included.
The bias of truncated permutations is added to their error, as measured against the
sweep's values.

    SKSHAP_DATA=/path python tests/benchmarks/bench_convergence.py convergence.png
"""

import argparse
import os
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from _sentences import centred_kernel
from matplotlib.ticker import NullFormatter
from threadpoolctl import threadpool_limits

from skshap import FreeShapAttributor

SAMPLERS = {
    "permutations": ({"sampler": "permutation"}, (4, 8, 16, 32, 64)),
    "permutations, truncated at 0.1": (
        {"sampler": "permutation", "truncation_tol": 0.1},
        (4, 8, 16, 32, 64),
    ),
    "sweeps": ({}, (2, 4, 8, 16, 32)),
}


def curve(params, counts, scoring, data, truth):
    """CPU seconds and root mean squared errors of runs of several lengths."""
    K, cross, y, y_val = data
    points = []
    for count in counts:
        attributor = FreeShapAttributor(
            "precomputed",
            scoring=scoring,
            n_permutations=count,
            random_state=1,
            **params,
        ).fit(K, y)
        start = time.process_time()
        values, std = attributor.attribute(cross, y_val, return_std=True)
        seconds = time.process_time() - start
        square = np.mean(std**2)
        if "truncation_tol" in params:
            square = max(square, np.mean((values - truth) ** 2))
        points.append((seconds, np.sqrt(square)))
    return np.array(points).T


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--m", type=int, default=872)
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        K, cross, y, y_val = centred_kernel(
            Path(os.environ["SKSHAP_DATA"]), args.n, args.m
        )
        data = K.numpy(), cross.numpy(), y, y_val
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
        units = {"neg_log_loss": "nats", "accuracy": "accuracy points"}
        for ax, (scoring, unit) in zip(axes, units.items(), strict=True):
            best = FreeShapAttributor(
                "precomputed", scoring=scoring, n_permutations=50, random_state=0
            ).fit(data[0], y)
            truth = best.attribute(data[1], y_val)
            for name, (params, counts) in SAMPLERS.items():
                seconds, errors = curve(params, counts, scoring, data, truth)
                ax.loglog(seconds, errors, "o-", label=name)
                for s, e in zip(seconds, errors, strict=True):
                    print(f"{scoring:13} {name:31} {s:7.1f} s  {e:.2e}")
            ax.axhline(np.sqrt(np.mean(truth**2)), color="0.6", ls=":")
            ax.set(title=scoring, xlabel="CPU time (s)", ylabel=f"error ({unit})")
            ax.xaxis.set_minor_formatter(NullFormatter())  # they would overlap
            ax.grid(alpha=0.3)
        lines, names = axes[0].get_legend_handles_labels()
        figure.legend(lines, names, loc="outside lower center", ncols=3)
        figure.savefig(args.picture, dpi=110)


if __name__ == "__main__":
    main()
