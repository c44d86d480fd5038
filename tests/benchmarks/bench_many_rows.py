"""Time and memory of cleaning large tables, without an attributor passed.

A synthetic table of 20 columns and three classes, a tenth of whose labels are flipped.

    python tests/benchmarks/bench_many_rows.py --rows 50000 detector
    python tests/benchmarks/bench_many_rows.py --rows 20000 selector removal
"""

import argparse
import resource
import time

from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skshap import (
    DataRemoval,
    DataSelector,
    LabelNoiseDetector,
    detection_curve,
    flip_labels,
)


def detector(X, y, is_noisy):
    """Return what is found in the order of label quality."""
    found = LabelNoiseDetector().fit(X, y)
    curve = detection_curve(is_noisy, found.label_quality_)
    return (
        f"average precision {curve.average_precision:.3f}, "
        f"{found.label_issues_.sum()} called wrong"
    )


def selector(X, y, is_noisy):
    """Return how many of 200 rows selected have wrong labels."""
    found = DataSelector(n_samples_to_select=200, random_state=0).fit(X, y)
    return f"{is_noisy[found.support_].mean():.1%} of 200 rows selected are wrong"


def half(X, y, is_noisy):
    """Return the same of half of the rows."""
    found = DataSelector(random_state=0).fit(X, y)
    return f"{is_noisy[found.support_].mean():.1%} of half of the rows are wrong"


def removal(X, y, is_noisy):
    """Return how many of the rows removed have wrong labels."""
    found = DataRemoval(LogisticRegression(), random_state=0).fit(X, y)
    return f"{is_noisy[~found.support_].mean():.1%} of the rows removed are wrong"


def auto(X, y, is_noisy):
    """Return the same where rows are removed for their labels."""
    model = LogisticRegression()
    found = DataRemoval(model, n_samples_to_remove="auto", random_state=0).fit(X, y)
    removed = ~found.support_
    return f"{is_noisy[removed].mean():.1%} of {removed.sum()} rows removed are wrong"


JOBS = {job.__name__: job for job in (detector, selector, half, removal, auto)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("jobs", nargs="+", choices=JOBS)
    args = parser.parse_args()
    X, y = make_classification(
        args.rows,
        20,
        n_informative=8,
        n_classes=3,
        class_sep=1.5,
        random_state=0,
    )
    y, is_noisy = flip_labels(y, rate=0.1, random_state=0)
    for name in args.jobs:
        start = time.process_time()
        told = JOBS[name](X, y, is_noisy)
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{args.rows} rows, {name}: {seconds:.0f} s of CPU time, {peak:.1f} GB; "
            f"{told}",
            flush=True,
        )


if __name__ == "__main__":
    main()
