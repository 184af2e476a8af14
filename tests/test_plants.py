"""Five defects planted in a table: each is named in the findings of the right lesson, and not without the plant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.data import label_issues, out_of_sample
from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import load_dataset
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.runner.cli import main

pytestmark = pytest.mark.slow
ROWS = 4000


def orders(seed: int = 0, *, strength: float = 1.0, hidden: float = 0.0) -> pd.DataFrame:
    """Orders of ten months: will the customer send the goods back? Most is known from four columns, some is chance.

    `strength` is how much the columns say; `hidden` the weight of a cause that no column tells.
    """
    rng = np.random.default_rng(seed)
    price, age = rng.gamma(3, 20, ROWS).round(2), rng.integers(18, 80, ROWS)
    visits, region = rng.poisson(4, ROWS), rng.choice(["north", "south", "east", "west", "abroad"], ROWS, p=[.3, .25, .2, .15, .1])
    size = rng.choice(["S", "M", "L", "XL"], ROWS)
    odds = 8 * (price - 60) / 35 + 2.4 * (visits < 3) * (size == "XL") - 5 * (age - 49) / 18 + 1
    odds = strength * odds + (hidden * rng.choice([0, 1], ROWS) if hidden else 0)
    return pd.DataFrame({
        "ordered": pd.date_range("2023-01-01", periods=ROWS, freq="110min").strftime("%Y-%m-%d %H:%M"),
        "price": np.where(rng.random(ROWS) < .03, np.nan, price), "age": age, "visits": visits, "region": region, "size": size,
        "weight": rng.normal(2, .5, ROWS).round(3),
        "returned": np.where(rng.random(ROWS) < 1 / (1 + np.exp(-odds - .5)), "yes", "no")})


def leak(frame: pd.DataFrame, rng: Any) -> None:
    frame["refund_code"] = np.where(frame["returned"] == "yes", rng.choice([7, 8, 9], ROWS), rng.choice([1, 2, 3], ROWS))
    wrong = rng.random(ROWS) < .02
    frame.loc[wrong, "refund_code"] = rng.integers(1, 10, wrong.sum())


def flipped(frame: pd.DataFrame, rng: Any) -> None:
    rows = rng.random(ROWS) < .05
    frame.loc[rows, "returned"] = frame.loc[rows, "returned"].map({"yes": "no", "no": "yes"})


def slice_fails(frame: pd.DataFrame, rng: Any) -> None:
    abroad = frame["region"] == "abroad"
    frame.loc[abroad, "returned"] = rng.choice(["yes", "no"], abroad.sum())


def drifted(frame: pd.DataFrame, rng: Any) -> None:
    last = pd.to_datetime(frame["ordered"]) >= pd.to_datetime(frame["ordered"]).max() - pd.Timedelta(days=31)
    frame.loc[last, "price"] = (frame.loc[last, "price"] * 1.6 + 15).round(2)


def rare(frame: pd.DataFrame, rng: Any) -> None:
    frame.loc[(frame["returned"] == "yes") & (rng.random(ROWS) < .96), "returned"] = "no"


def findings(folder: Path, frame: pd.DataFrame, step: int, *options: str) -> dict[str, list[str]]:
    """Messages of the issues of one lesson, by the report they stand in."""
    frame.to_csv(folder / "orders.csv", index=False)
    assert main(["run", str(folder / "orders.csv"), "--target", "returned", "--steps", str(step), "--project", str(folder / "p"),
                 *options]) == 0
    return {name: [f.message for f in report.findings if f.severity == "issue"]
            for name, report in Project(folder / "p").evidence(step).items()}


PLANTS: list[tuple[Callable[..., None] | None, int, tuple[str, ...], str, str]] = [
    # what is planted, lesson, options, report that must name it, word that its issue must hold
    (leak, 2, (), "quality", "refund_code"),
    (flipped, 2, (), "label_issues", "label"),
    (slice_fails, 5, (), "slices", "abroad"),
    (drifted, 5, ("--time", "ordered"), "distribution_shift", "price"),
    (rare, 1, ("--metric", "accuracy"), "requirements", "misleads"),
]


@pytest.mark.parametrize(("plant", "step", "options", "report", "word"), PLANTS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_planted_defect_is_named(
        tmp_path: Path, plant: Any, step: int, options: tuple[str, ...], report: str, word: str) -> None:
    frame = orders()
    plant(frame, np.random.default_rng(1))
    issues = findings(tmp_path, frame, step, *options)
    assert any(word in message for message in issues[report]), issues


@pytest.mark.parametrize(("step", "options"), [(1, ("--metric", "accuracy")), (2, ()), (5, ()), (5, ("--time", "ordered"))])
def test_without_a_plant_there_is_no_such_finding(tmp_path: Path, step: int, options: tuple[str, ...]) -> None:
    issues = findings(tmp_path, orders(), step, *options)
    for _, where, _, report, word in PLANTS:
        if where == step:
            assert not [m for m in issues[report] if word in m], issues


@pytest.mark.parametrize("plant", [flipped, None], ids=["flipped", "clean"])
def test_flipped_labels_that_a_weak_model_cannot_tell_from_chance_are_said_with_their_share(plant: Any) -> None:
    frame = orders(strength=0.62, hidden=2)
    if plant:
        plant(frame, np.random.default_rng(1))
    data = load_dataset(frame.drop(columns="ordered"), target="returned")
    model = default_models("classification", data.X)["gradient boosting"]
    report = label_issues(data.y, out_of_sample(model, data))
    first = next(f for f in report.findings if f.code == "LAB001")
    if plant:
        assert first.undecided
        assert report.low > 0.01
    else:
        assert first.severity == "passed", first.message
