"""Columns that hold no numbers are named, whoever is given the table."""

import datetime
from contextlib import nullcontext
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skshap import (
    ColumnKernel,
    DataRemoval,
    DataSelector,
    FreeShapAttributor,
    FreeShapRegressor,
    KernelRidgeClassifier,
    LabelNoiseDetector,
    PairwiseKernel,
    make_column_kernel,
)
from skshap.utils._columns import column_advice, has_dates, warn_of_target

DAYS = np.arange("2026-01-01", "2026-01-05", dtype="datetime64[D]").astype("M8[ms]")
COLUMNS = {
    "a": [1.0, 2.0, 3.0, 4.0],
    "gap": [1.0, None, 3.0, 4.0],
    "text": ["one", "two", "three", None],
    "digits": ["1", "2", "3", "4"],
    "cents": ["12", "1250", "12,50", None],
    "day": DAYS,
}
MESSAGES = {
    "text": [r"Columns ['text'] hold texts", "make_column_kernel", "OneHotEncoder"],
    "cents": [r"Columns ['cents'] hold numbers and texts", "pandas.to_numeric"],
    "day": [r"Columns ['day'] hold dates", "TableVectorizer"],
    "gap": [r"Columns ['gap'] have missing values (NaN)", "SimpleImputer"],
}
MAKE = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize(
    "estimator",
    [
        LabelNoiseDetector(),
        DataRemoval(LogisticRegression(), cv=2),
        DataSelector(cv=2),
        KernelRidgeClassifier(kernel="rbf"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_columns_that_are_no_numbers_are_named(estimator, name, make):
    frame = make({"a": COLUMNS["a"], name: COLUMNS[name]})
    with pytest.raises(ValueError, match="X must hold numbers") as caught:
        estimator.fit(frame, [0, 1, 0, 1])
    message = str(caught.value)
    assert not [words for words in MESSAGES[name] if words not in message], message
    assert "'a'" not in message


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_all_kinds_of_columns_are_told_apart(make):
    advice = column_advice(make(COLUMNS))
    heads = [sentence.split(":")[0] for sentence in advice]
    assert heads == [
        "Columns ['text'] hold texts",
        "Columns ['cents'] hold numbers and texts that are none, as by units or "
        "decimal commas",
        "Columns ['day'] hold dates",
        "Columns ['gap', 'text', 'cents'] have missing values (NaN)",
    ]


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01-31", "2024-02-01"],
        ["2024-01-31 10:00", None],
        ["2024-01-31T10:00:00Z", "2024-02-01T10:00:00Z"],
        ["31/1/2024", "1/2/2024"],
        ["31.01.2024", "01.02.2024"],
    ],
)
def test_dates_in_texts(texts, make):
    advice = column_advice(make({"day": texts}))
    assert advice[0].startswith("Columns ['day'] hold dates in texts: turn them into")
    assert "pandas.to_datetime" in advice[0]
    assert "hold texts" not in " ".join(advice)


@pytest.mark.parametrize("text", ["1.2.3", "192.168.0.1", "2024-01-311", "3/4", "one"])
def test_texts_that_are_no_dates(text):
    for texts in ([text, text], ["2024-01-31", text]):
        (advice,) = column_advice(pd.DataFrame({"day": texts}))
        assert advice.startswith("Columns ['day'] hold texts")


def test_of_many_columns_ten_are_named_and_the_rest_counted():
    names = [f"t{i}" for i in range(13)]
    (advice,) = column_advice(pd.DataFrame([["a text"] * 13], columns=names))
    assert advice.startswith(f"Columns {names[:10]} and 3 more hold texts")


def test_categories_and_missing_values_of_pandas():
    frame = pd.DataFrame({"kind": pd.Categorical(["a", "b"])})
    assert column_advice(frame)[0].startswith("Columns ['kind'] hold texts")
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    assert column_advice(frame)[0].startswith("Columns ['n'] have missing")
    frame = pd.DataFrame([[1.0, "a"]], columns=["same", "same"])
    assert column_advice(frame)[0].startswith("Columns ['same', 'same'] hold texts")
    for zone in (None, "UTC"):
        days = pd.date_range("2026-01-01", periods=2, tz=zone)
        frame = pd.DataFrame({"day": days, "n": [1, 2]})
        assert column_advice(frame)[0].startswith("Columns ['day'] hold dates")
        with pytest.raises(ValueError, match=r"Columns \['day'\] hold dates"):
            KernelRidgeClassifier(kernel="rbf").fit(frame, [0, 1])


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (pd.period_range("2026-01", periods=4, freq="M"), TypeError, "not 'Period'"),
        (pd.cut([1, 2, 3, 4], 2), TypeError, "not '.*Interval'"),
        ([{"a": 1}, None, {}, {"a": 2}], TypeError, "missing values.*not 'dict'"),
        ([[1], [2], [3], [4]], ValueError, "drop them"),
        ([b"a", b"b", b"c", b"d"], ValueError, "drop them"),
    ],
    ids=["periods", "intervals", "dicts", "lists", "bytes"],
)
def test_columns_of_other_objects_are_named(values, kind, words):
    frame = pd.DataFrame({"a": COLUMNS["a"], "odd": values})
    with pytest.raises(kind, match=rf"Columns \['odd'\] hold neither.*{words}"):
        KernelRidgeClassifier(kernel="rbf").fit(frame, [0, 1, 0, 1])


def test_columns_of_bytes_are_named():
    (advice,) = column_advice(np.array([[b"a", b"b"], [b"c", b"d"]]))
    assert advice.startswith("Columns [0, 1] hold neither")


def test_columns_with_infinity_are_named():
    frame = pd.DataFrame({"a": [1.0, 2.0], "ratio": [0.0, -np.inf]})
    with pytest.raises(ValueError, match=r"Columns \['ratio'\] hold infinity"):
        KernelRidgeClassifier(kernel="rbf").fit(frame, [0, 1])


def test_objects_that_are_numbers_are_not_named():
    frame = pd.DataFrame({"n": [Decimal(1), 2, "3", True, None]}, dtype=object)
    (advice,) = column_advice(frame)
    assert advice.startswith("Columns ['n'] have missing")


def test_columns_of_arrays_and_lists_are_counted():
    rows = [[1.0, "x", None], [2.0, "y", 3.0]]
    for table in (rows, np.array(rows, dtype=object)):
        first, second = column_advice(table)
        assert first.startswith("Columns [1] hold texts")
        assert second.startswith("Columns [2] have missing")
    with pytest.raises(ValueError, match=r"Columns \[0\] hold dates"):
        KernelRidgeClassifier(kernel="rbf").fit(DAYS[:, None], [0, 1, 0, 1])


DAY = np.datetime64("2026-01-01")
TIMES = [
    DAY,
    np.datetime64("NaT", "s"),
    DAY - DAY,
    pd.Timestamp(DAY),
    datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1),
    datetime.time(12),
    datetime.timedelta(days=1),
]
OBJECTS = {
    "lists": lambda rows: rows,
    "tuples": lambda rows: tuple(map(tuple, rows)),
    "list of arrays": lambda rows: [np.array(row, dtype=object) for row in rows],
    "array": lambda rows: np.array(rows, dtype=object),
    "pandas": lambda rows: pd.DataFrame(np.array(rows, dtype=object)),
    "polars": lambda rows: pl.DataFrame(
        {
            str(j): pl.Series([row[j] for row in rows], dtype=kind)
            for j, kind in enumerate([pl.Int64, pl.Object])
        }
    ),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("value", TIMES, ids=lambda value: type(value).__name__)
def test_dates_among_objects_are_no_numbers(value, make):
    rows = make([[1, 2], [3, value], [5, 6]])
    assert has_dates(rows)
    with pytest.raises(ValueError, match=r"^X must hold numbers.*\['?1'?\] hold dates"):
        KernelRidgeClassifier(kernel="rbf").fit(rows, [0, 1, 0])


@pytest.mark.parametrize("unit", ["D", "ms", "ns"])
def test_dates_in_a_list_of_arrays(unit):
    rows = list(DAYS.astype(f"M8[{unit}]")[:, None])
    with pytest.raises(ValueError, match=r"Columns \[0\] hold dates"):
        KernelRidgeClassifier(kernel="rbf").fit(rows, [0, 1, 0, 1])


@pytest.mark.parametrize(
    "X",
    [
        np.eye(2),
        np.eye(2).tolist(),
        list(np.eye(2)),
        [[1.0], [2.0, 3.0]],
        [1.0, 2.0],
        csr_array(np.eye(2)),
        pd.DataFrame({"digits": ["1", "2"], "yes": [True, False]}),
    ],
    ids=[
        "numbers",
        "lists",
        "arrays",
        "ragged",
        "flat",
        "sparse",
        "digits",
    ],
)
def test_nothing_is_said_of_other_tables(X):
    assert column_advice(X) == []
    assert not has_dates(X)


def test_a_column_kernel_says_it_once():
    frame = pd.DataFrame({"a": COLUMNS["a"], "gap": COLUMNS["gap"]})
    with pytest.raises(ValueError, match="kernel 'rbf' cannot read") as caught:
        make_column_kernel(("rbf", ["a", "gap"])).fit(frame)
    assert str(caught.value).count("have missing values") == 1


TARGET = r"^X has columns \['t'\] that are the same as y in every row"


def labelled(n=20):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    frame = pd.DataFrame({"a": rng.normal(size=n), "t": y, "word": "w"})
    frame["near"] = np.where(np.arange(n) == n - 1, 1 - y, y)
    return frame, y


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    "estimator",
    [
        *(KernelRidgeClassifier(), FreeShapAttributor(), FreeShapRegressor("rbf")),
        *(LabelNoiseDetector(contamination=0.1), DataRemoval(LogisticRegression())),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_labels_among_the_columns_are_warned_of(estimator, frame_of):
    X, y = labelled()
    X = frame_of(X.drop(columns="word").to_dict("list"))
    with pytest.warns(UserWarning, match=TARGET) as caught:
        estimator.fit(X, y)
    assert caught[0].filename == __file__
    estimator.fit(X[["a", "near"]], y)  # no warning


@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [False, True], [0.5, 2.0]])
def test_labels_of_all_kinds_are_found_among_the_columns(labels):
    X, y = labelled()
    y = np.array(labels)[y]
    for column in (y, pd.Series(y).convert_dtypes(), pd.Categorical(y)):
        X["t"] = column
        with pytest.warns(UserWarning, match=TARGET):
            warn_of_target(X, y, [*X.columns])


@pytest.mark.parametrize("type_", [bool, np.int8, np.uint64, np.float32, float])
def test_numbers_of_other_types_are_the_same(type_):
    X, y = labelled()
    X["t"] = y.astype(type_)
    for given in (y, y.astype(float), y[:, None], pd.Series(y != 0), y.tolist()):
        with pytest.warns(UserWarning, match=TARGET):
            warn_of_target(X, given, [*X.columns])
    X["t"] = y + 1
    warn_of_target(X, y, [*X.columns])  # no warning


def test_labels_in_columns_that_no_kernel_reads_are_not_warned_of():
    X, y = labelled()
    beside = [("a", "rbf", ["a", "near"])]
    of_t = PairwiseKernel("linear")
    for columns in (["t"], [1], lambda X: ["t"]):
        kernel = ColumnKernel([*beside, ("t", of_t, columns)])
        with pytest.warns(UserWarning, match=TARGET):
            KernelRidgeClassifier(kernel=kernel).fit(X, y)
    X["t"] = np.where(y, "yes", "no")
    words = make_pipeline(CountVectorizer(), PairwiseKernel("linear"))
    kernel = ColumnKernel([*beside, ("one", words, "t"), ("two", words, "t")])
    with pytest.warns(UserWarning, match=TARGET):
        KernelRidgeClassifier(kernel=kernel).fit(X, X["t"])
    KernelRidgeClassifier(kernel=ColumnKernel(beside)).fit(X, X["t"])
    # What other steps than scalers leave of the columns is not known.
    numbers, choice = X[["a", "near"]].assign(t=y), FunctionTransformer()
    kernel = make_pipeline(StandardScaler(), choice, PairwiseKernel())
    KernelRidgeClassifier(kernel=kernel).fit(numbers, y)
    kernel = make_pipeline(choice, make_pipeline(StandardScaler(), PairwiseKernel()))
    KernelRidgeClassifier(kernel=kernel).fit(numbers, y)


def test_labels_that_a_kernel_on_columns_drops_are_not_warned_of():
    X, y = labelled()
    chosen = ColumnTransformer([("scaled", StandardScaler(), ["a"])])
    inner = make_pipeline(chosen, PairwiseKernel())
    kernel = ColumnKernel([("some", inner, ["a", "t"])])
    KernelRidgeClassifier(kernel=kernel).fit(X, y)
    encoded = make_pipeline(OneHotEncoder(), PairwiseKernel("linear"))
    kernel = ColumnKernel([("codes", encoded, ["t"])])
    with pytest.warns(UserWarning, match=TARGET):
        KernelRidgeClassifier(kernel=kernel).fit(X, y)


def test_labels_among_scaled_columns_are_warned_of():
    X, y = labelled()
    X = X[["a", "near", "t"]]
    scaled = make_pipeline(StandardScaler(), "passthrough", PairwiseKernel())
    for kernel in (scaled, make_pipeline(None, scaled)):
        with pytest.warns(UserWarning, match=TARGET):
            KernelRidgeClassifier(kernel=kernel).fit(X, y)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    "estimator",
    [
        *(LabelNoiseDetector(), DataSelector()),
        DataRemoval(RidgeClassifier(), n_samples_to_remove="auto"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_labels_are_warned_of_whatever_kernel_is_chosen(load, estimator):
    X, y = load(return_X_y=True, as_frame=True)
    with pytest.warns(UserWarning, match=TARGET) as told:
        estimator.fit(X.assign(t=y), y)
    assert len(told) == 1


def test_labels_among_columns_that_are_approximated_are_warned_of(monkeypatch):
    monkeypatch.setattr("skshap.kernel_ridge._kernel_choice.LARGE", 100)
    monkeypatch.setattr("skshap.kernel_ridge._kernel_choice.N_LANDMARKS", 20)
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, 6.3, 200), np.arange(200) % 2
    around = (y + 1) * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(size=200)
    X = pd.DataFrame({"a": around[0], "b": around[1], "t": y})
    with pytest.warns(UserWarning, match=TARGET):
        detector = LabelNoiseDetector(contamination=0.1).fit(X, y)
    assert "landmarks" in str(detector.attributor_.kernel_).lower()


def test_labels_of_few_rows_may_be_those_of_a_column_by_chance():
    for n in (9, 10):
        X, y = labelled(n)
        with pytest.warns(UserWarning, match=TARGET) if n == 10 else nullcontext():
            FreeShapAttributor().fit(X[["a", "t"]], y)


def test_two_columns_of_one_name_are_no_labels():
    X, y = labelled()
    X.columns = ["a", "t", "word", "t"]
    warn_of_target(X, y, ["a", "t"])  # no warning


@pytest.mark.parametrize("number", [0.1, "auto"])
def test_missing_values_are_to_be_filled_in_front_of_a_removal(number):
    """Its estimator takes them, but sees rows only when they are valued."""
    X, y = load_iris(return_X_y=True)
    X[3, 1] = np.nan
    trees = HistGradientBoostingClassifier(max_iter=5)
    removal = DataRemoval(trees, n_samples_to_remove=number, random_state=0)
    with pytest.raises(ValueError, match=r"in front .of DataRemoval too"):
        removal.fit(X, y)
    make_pipeline(SimpleImputer(), removal).fit(X, y)


def test_columns_of_arrays_are_no_numbers():
    """Such as embeddings, which polars hands on as two dimensions."""
    rows = np.arange(24.0).reshape(8, 3)
    for frame in (
        pl.DataFrame({"x": rows[:, 0], "vectors": rows}),
        pl.DataFrame({"x": rows[:, 0], "vectors": rows.tolist()}),
        pd.DataFrame({"x": rows[:, 0], "vectors": [*rows]}),
    ):
        message = r"Columns \['vectors'\] hold neither numbers nor texts"
        with pytest.raises(ValueError, match=message):
            KernelRidgeClassifier(kernel="rbf").fit(frame, np.arange(8) % 2)
