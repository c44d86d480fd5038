"""scikit-learn's own checks, over all estimators; no failure is expected."""

from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from skshap import (
    DataRemoval,
    DataSelector,
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
)

ESTIMATORS = [
    EmpiricalNTK(),
    FreeShapAttributor(),
    FreeShapAttributor(EmpiricalNTK(random_state=0)),
    KernelRidgeClassifier(),
    KernelRidgeClassifierCV(),
    DataRemoval(LogisticRegression(), FreeShapAttributor(n_permutations=1)),
    DataSelector(),
    DataSelector(FreeShapAttributor("linear", n_permutations=1), strategy="balanced"),
    LabelNoiseDetector(),
    LabelNoiseDetector(FreeShapAttributor(), method="prequential"),
    KernelRidgeClassifier(kernel="rbf", class_prior=True),
    KernelRidgeClassifier(kernel=EmpiricalNTK(random_state=0)),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
