"""scikit-learn's own checks, over all estimators; no failure is expected."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skshap import (
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
)

ESTIMATORS = [
    EmpiricalNTK(),
    EmpiricalNTK(method="sketch", n_components=20, random_state=0),
    FreeShapAttributor(),
    FreeShapAttributor(EmpiricalNTK(random_state=0)),
    KernelRidgeClassifier(),
    KernelRidgeClassifierCV(),
    LabelNoiseDetector(),
    LabelNoiseDetector(FreeShapAttributor(), method="prequential"),
    KernelRidgeClassifier(kernel="rbf", class_prior=True),
    KernelRidgeClassifier(kernel=EmpiricalNTK(random_state=0)),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
