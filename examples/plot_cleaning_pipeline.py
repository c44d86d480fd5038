"""
Clean the training rows inside a pipeline
=========================================

How many rows should be removed, and how strong should the ridge be that values them?
`DataRemoval` is an ordinary classifier with nested parameters, so that a grid search
over a pipeline answers, each fold cleaned by itself. (``n_samples_to_remove="auto"``
searches nothing: it removes the rows whose labels are probably wrong.)
"""

# %%
# Tumours, benign or malignant, with a fifth of the training labels flipped on purpose.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skshap import DataRemoval, FreeShapAttributor, flip_labels

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=200, stratify=y, random_state=0
)
y_given, is_flipped = flip_labels(y_train, rate=0.2, random_state=0)

# %%
# The labels that score the candidates are noisy too. Flips that do not depend on the
# row lower the accuracy of all candidates, but on average keep their order.
removal = DataRemoval(
    LogisticRegression(max_iter=1000),
    FreeShapAttributor(n_permutations=2, scoring="neg_brier_score"),
    cv=3,
    random_state=0,
)
search = GridSearchCV(
    make_pipeline(StandardScaler(), removal),
    {
        "dataremoval__n_samples_to_remove": [0.0, 0.1, 0.2, 0.3],
        "dataremoval__attributor__alpha": [0.1, 3.0],
    },
    cv=3,
)
search.fit(X_train, y_given)
print("best:", search.best_params_)

plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
scores = {
    "clean labels": plain.fit(X_train, y_train).score(X_test, y_test),
    "given labels": plain.fit(X_train, y_given).score(X_test, y_test),
    "given labels, cleaned": search.score(X_test, y_test),
}
for name, score in scores.items():
    print(f"test accuracy, {name:22} {score:.3f}")

# %%
# The report names the rows removed, the worst first.
best = search.best_estimator_[-1]
report = best.removal_report_
for row, reason in list(zip(report.sample_index, report.reason, strict=True))[:5]:
    print(f"row {row:3}: {reason} ({'flipped' if is_flipped[row] else 'not flipped'})")

# %%
# The values of the best candidate, and the accuracy of all.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
bins = np.linspace(best.sample_values_.min(), best.sample_values_.max(), 41)
for flipped, color, label in ((False, "C0", "label is right"), (True, "C3", "flipped")):
    values = best.sample_values_[is_flipped == flipped]
    left.hist(values, bins, color=color, alpha=0.6, label=label)
cut = best.sample_values_[~best.support_].max() if report.sample_index.size else bins[0]
left.axvline(cut, color="0.2", linestyle="--", label="removed below")
left.set_xlabel("value of a row (fall of the Brier score)")
left.set_ylabel("training rows")
left.locator_params(axis="x", nbins=5)
left.legend(frameon=False)

results = search.cv_results_
removed = results["param_dataremoval__n_samples_to_remove"].data.astype(float)
alphas = results["param_dataremoval__attributor__alpha"].data.astype(float)
for alpha, marker in zip(np.unique(alphas), "os", strict=True):
    chosen = alphas == alpha
    right.plot(
        removed[chosen],
        results["mean_test_score"][chosen],
        f"{marker}-",
        label=f"alpha {alpha:g}",
    )
right.set_xlabel("share of the rows removed")
right.set_ylabel("accuracy in folds, by the given labels")
right.legend(frameon=False)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

figure.savefig("cleaning_pipeline.png", dpi=150)
print("saved the picture as cleaning_pipeline.png")
plt.show()
