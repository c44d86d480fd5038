"""Messages about labels and targets."""

import numpy as np
import pandas as pd
import pytest

from skshap import FreeShapRegressor, KernelRidgeClassifier, flip_labels


@pytest.mark.parametrize("name", ["float64", "Float64", "Int64", "boolean"])
def test_missing_labels_are_named_by_row(name):
    y = pd.Series([1, 0, None, 1, None], dtype=name)
    for estimator in (KernelRidgeClassifier(), FreeShapRegressor()):
        with pytest.raises(ValueError, match=r"y must not hold .*rows \[2, 4\] are"):
            estimator.fit(np.eye(5), y)


def test_targets_of_the_other_kind():
    with pytest.raises(
        ValueError, match=r"y must hold class labels.*FreeShapRegr.*Unk"
    ):
        KernelRidgeClassifier().fit(np.eye(3), [0.5, 1.5, 2.5])
    for y in (["a", "b", "a"], np.array(["a", "b", "a"], dtype=object)):
        with pytest.raises(ValueError, match=r"y must hold numbers.*"):
            FreeShapRegressor().fit(np.eye(3), y)


def test_labels_may_be_read_only():
    y = np.array([0.0, 1.0, 2.0])
    y.flags.writeable = False
    values = (
        FreeShapRegressor(n_permutations=2).fit(np.eye(3), y).attribute(np.eye(3), y)
    )
    assert np.isfinite(values).all()


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "UInt8"])
def test_labels_that_could_be_missing_keep_their_type(dtype):
    labels = pd.Series([1, 0, 1], dtype=dtype)
    given, _ = flip_labels(labels, rate=0.5, random_state=0)
    classes = KernelRidgeClassifier().fit(np.eye(3), labels).classes_
    assert given.dtype == classes.dtype == labels.dtype.numpy_dtype
    with pytest.raises(ValueError, match="missing"):
        flip_labels(pd.Series([1, None, 0], dtype=dtype), rate=0.5)
