"""The exercises of lesson 2: each check accepts right attempts and refuses wrong ones, on data that no lesson shows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.data import Schema, infer_schema
from ml_lifecycle.foundation import check, load_dataset
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.exercises import EXERCISES, find_exercise

NUMBERS = ["2.1", "2.2", "2.3"]


@pytest.fixture
def data() -> Dataset:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=240), "colour": rng.choice(["red", "blue"], 240)})
    return load_dataset(frame.assign(y=np.where(frame["size"] > 0, "up", "down")), target="y")


@pytest.mark.parametrize("number", NUMBERS)
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert EXERCISES[number].id == number
    assert check(number, ...).state == "not attempted"


class TestStricterSchema:
    def changed(self, schema: Schema, **rule: object) -> Schema:
        columns = [dataclasses.replace(r, **rule) if r.name == "size" else r for r in schema.columns]
        return dataclasses.replace(schema, columns=tuple(columns))

    def test_right(self, data: Dataset) -> None:
        schema = infer_schema(data)
        for tight in (infer_schema(data, slack=0), self.changed(schema, max=float(data.X["size"].max())),
                      Schema.from_yaml(infer_schema(data, slack=0).to_yaml())):
            assert check("2.1", tight, inferred=schema, train=data).done

    def test_wrong(self, data: Dataset) -> None:
        schema = infer_schema(data)
        context = {"inferred": schema, "train": data}
        assert "more strictly" in check("2.1", schema, **context).found
        assert "less strictly" in check("2.1", infer_schema(data, slack=1), **context).found
        assert "refuses rows" in check("2.1", self.changed(schema, max=0.0), **context).found
        without = dataclasses.replace(schema, columns=schema.columns[1:])
        assert "no longer checked" in check("2.1", without, **context).found
        assert "not a schema" in check("2.1", {"size": 1}, **context).found


class TestHalfOfTheLoss:
    ranked = pd.DataFrame({"loss": [5.0, 3.0, 1.0, 1.0]})

    def test_right(self) -> None:
        assert check("2.2", 1, ranked=self.ranked).done
        assert check("2.2", 2, ranked=self.ranked.assign(loss=[3.0, 2.0, 2.0, 1.0])).done

    def test_wrong(self) -> None:
        assert "half of it, too" in check("2.2", 2, ranked=self.ranked).found
        assert "too few" in check("2.2", 1, ranked=self.ranked.assign(loss=1.0)).found
        assert check("2.2", "all", ranked=self.ranked).state == "not yet"


class TestAgreeWithoutLooking:
    def test_right(self) -> None:
        assert check("2.3", {"one": ["no"] * 19 + ["yes"], "two": ["yes"] + ["no"] * 19}).done

    @pytest.mark.parametrize(("attempt", "said"), [
        ({"one": list("yn") * 10, "two": list("yn") * 10}, "alpha is 1.00"),
        ({"one": list("yn") * 10, "two": list("ny") * 10}, "agree on 0%"),
        ({"one": ["n"] * 20, "two": ["n"] * 20}, "only one label"),
        ({"one": ["n"] * 5, "two": ["n"] * 5}, "ten or more"),
        ({p: ["n"] * 19 + ["y"] for p in "abc"}, "3 annotators"),
        ("no", "cannot be checked"),
    ])
    def test_wrong(self, attempt: object, said: str) -> None:
        assert said in check("2.3", attempt).found
