"""
Select a small training set
===========================

Twelve labelled digits out of four hundred: which twelve? `DataSelector` takes one after
another, always the row that adds most to those it has taken, and its few rows train a
better classifier than random ones do. It needs the rows and their labels, and no
validation set.
"""

# %%
# Four of the ten digits; 400 rows to select from, the others for the test.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skshap import DataSelector

X, y = load_digits(n_class=4, return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=400, stratify=y, random_state=0
)

# %%
# One fit ranks the rows that are selected: ``ranking_`` is 1 for the first. So the
# selections of all sizes come from one.
sizes = np.array([4, 6, 8, 12, 16, 24, 40, 80])


def accuracies(order):
    """Test accuracy of a classifier trained on the first rows of an order."""
    model = LogisticRegression(C=10, max_iter=1000)
    out = []
    for size in sizes:
        rows = order[:size]
        if len(np.unique(y_train[rows])) < 2:  # nothing to train on
            out.append(np.mean(y_test == y_train[rows[0]]))
        else:
            model.fit(X_train[rows], y_train[rows])
            out.append(model.score(X_test, y_test))
    return np.array(out)


selector = DataSelector(n_samples_to_select=int(sizes.max()), random_state=0)
order = np.argsort(selector.fit(X_train, y_train).ranking_)
greedy = accuracies(order)

rng = np.random.default_rng(0)
draws = np.array([accuracies(rng.permutation(len(y_train))) for _ in range(10)])

for name, curve in {"greedy": greedy, "random": draws.mean(0)}.items():
    values = "  ".join(f"{size}: {a:.3f}" for size, a in zip(sizes, curve, strict=True))
    print(f"{name:7} {values}")

# %%
# Accuracy by size, and the twelve digits that were selected first.
figure = plt.figure(figsize=(8, 5.2), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[3, 1])
ax = top.subplots()
ax.fill_between(sizes, draws.min(0), draws.max(0), color="0.9", label="10 random draws")
ax.plot(sizes, draws.mean(0), "o-", color="0.5", label="random, mean")
ax.plot(sizes, greedy, "o-", color="C0", label="greedy")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, sizes)
ax.set_xlabel("training rows")
ax.set_ylabel("test accuracy")
ax.legend(loc="lower right", frameon=False)
ax.spines[["top", "right"]].set_visible(False)

bottom.suptitle("the first twelve that greedy selects", fontsize="medium")
for image, row in zip(bottom.subplots(1, 12), order[:12], strict=True):
    image.imshow(X_train[row].reshape(8, 8), cmap="gray_r")
    image.axis("off")

figure.savefig("select_small_training_set.png", dpi=150)
print("saved the picture as select_small_training_set.png")
plt.show()
