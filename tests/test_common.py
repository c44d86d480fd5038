"""scikit-learn's own checks, over all estimators; no failure of ours is expected."""

import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skshap import (
    ColumnKernel,
    DataRemoval,
    DataSelector,
    EmpiricalNTK,
    FreeShapAttributor,
    KernelRidgeClassifier,
    KernelRidgeClassifierCV,
    LabelNoiseDetector,
    PairwiseKernel,
)
from skshap.selection import _noise_model

COLUMNS = ColumnKernel(
    [("all", "rbf", slice(None)), ("ntk", EmpiricalNTK(random_state=0), slice(None))]
)

ESTIMATORS = [
    COLUMNS,
    EmpiricalNTK(),
    EmpiricalNTK(method="sketch", n_components=20, random_state=0),
    FreeShapAttributor(),
    FreeShapAttributor("auto", alpha="auto"),
    FreeShapAttributor(EmpiricalNTK(random_state=0)),
    KernelRidgeClassifier(),
    KernelRidgeClassifierCV(),
    DataRemoval(LogisticRegression(), FreeShapAttributor(n_permutations=1)),
    DataRemoval(
        LogisticRegression(),
        FreeShapAttributor(n_permutations=1),
        n_samples_to_remove="auto",
        cv=3,
    ),
    DataSelector(),
    DataSelector(FreeShapAttributor("linear", n_permutations=1), strategy="balanced"),
    LabelNoiseDetector(),
    LabelNoiseDetector(noise="symmetric"),
    PairwiseKernel(),
    LabelNoiseDetector(
        FreeShapAttributor(), method="prequential", noise="class-conditional"
    ),
    KernelRidgeClassifier(kernel="rbf", class_prior=True),
    KernelRidgeClassifier(kernel=COLUMNS),
    KernelRidgeClassifier(kernel=EmpiricalNTK(random_state=0)),
    KernelRidgeClassifier(kernel=make_pipeline(StandardScaler(), PairwiseKernel())),
]


def broken_checks(estimator):
    """Return checks that break by themselves, and why."""
    tags = get_tags(estimator).input_tags
    is_mended = parse_version(sklearn.__version__) >= parse_version("1.7.2")
    if is_mended or tags.allow_nan or not tags.categorical:
        return {}
    return {"check_positive_only_tag_during_fit": "takes a mean from integers"}


@pytest.fixture
def few_rounds(monkeypatch):
    """End fits of noise models early: of labels drawn at random they take longest."""
    monkeypatch.setattr(_noise_model, "MAX_ROUNDS", 5)


@pytest.mark.usefixtures("few_rounds")
@pytest.mark.filterwarnings("ignore:labels look wrong")
@pytest.mark.filterwarnings("ignore:n_samples_to_remove=.auto..")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=broken_checks)
@pytest.mark.filterwarnings("ignore:none of")  # labels that are drawn at random
def test_scikit_learn_checks(estimator, check):
    check(estimator)
