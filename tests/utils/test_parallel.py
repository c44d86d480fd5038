"""joblib's workers, one result after the other."""

import pytest
from joblib import delayed, parallel_config

from skshap.utils._parallel import make_parallel


def test_results_come_in_the_order_of_tasks_and_one_by_one():
    started = []

    def note(i):
        started.append(i)
        return i

    results = make_parallel(n_jobs=1)(delayed(note)(i) for i in range(5))
    assert next(results) == 0
    assert started == [0]
    assert list(results) == [1, 2, 3, 4]


def test_a_backend_without_generators_is_refused_with_others():
    with (
        parallel_config(backend="multiprocessing"),
        pytest.raises(ValueError, match=r"choose another, as .*'threading'"),
    ):
        make_parallel(n_jobs=2)


def test_other_errors_of_joblib_are_its_own():
    with pytest.raises(ValueError) as caught:
        make_parallel(n_jobs=2, backend="no such")
    assert "choose another" not in str(caught.value)
