"""The model that was chosen by name, made anew for the data at hand."""

from typing import Any

import pandas as pd
import pytest

from ml_lifecycle.exploration import chosen_model, default_models
from ml_lifecycle.foundation import BadInputError, UnknownNameError, load_dataset

def data(task: str = "classification") -> Any:
    frame = pd.DataFrame({"a": [i * 37 % 11 for i in range(60)], "b": ["x", "y", "z"] * 20,
                          "y": ["no", "yes"] * 30 if task == "classification" else [i * .5 for i in range(60)]})
    return load_dataset(frame, target="y")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_model_out_of_the_box_can_be_chosen(task: str) -> None:
    train = data(task)
    for name in default_models(task, train.X):
        assert len(chosen_model(train, model=name).fit(train.X, train.y).predict(train.X)) == 60
    assert repr(chosen_model(train)) == repr(next(iter(default_models(task, train.X).values())))


def test_parameters_are_set_and_a_feature_that_is_set_aside_is_gone() -> None:
    model = chosen_model(data().without("b"), model="small tree", params={"model__max_depth": 2}, seed=3)
    assert model.get_params()["model__max_depth"] == 2
    assert model.get_params()["model__random_state"] == 3
    assert "category" not in repr(model.named_steps["columns"]), "the only category has been set aside"


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="small tree"):
        chosen_model(data(), model="smal tree")
    with pytest.raises(UnknownNameError, match="model__max_depth"):
        chosen_model(data(), model="small tree", params={"model__max_deph": 2})
    with pytest.raises(BadInputError, match="params"):
        chosen_model(data(), params=3)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="Dataset"):
        chosen_model(data().frame)
