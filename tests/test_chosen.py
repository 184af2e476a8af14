"""The model that was chosen by name, made anew for the data at hand."""

from typing import Any

import pandas as pd
import pytest

from ml_lifecycle.exploration import Choice, chosen_model, default_models, usable_choice
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


def test_what_was_chosen_is_used() -> None:
    learned = {"model": "small tree", "params": {"model__max_depth": 2}, "rows": 40}
    choice = usable_choice(data(), learned)
    assert choice == Choice("small tree", {"model__max_depth": 2}, "")
    choice.params["model__max_depth"] = 3
    assert learned["params"] == {"model__max_depth": 2}, "what was learned stays as it is"
    assert usable_choice(data(), {"model": "small tree", "params": None}) == Choice("small tree", {}, "")


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("model", [None, "", "always the commonest", ["small tree"], 3])
def test_where_no_such_model_is_made_the_simplest_one_stands_in_and_it_is_said(task: str, model: Any) -> None:
    train = data(task)
    simplest = next(iter(default_models(task, train.X)))
    choice = usable_choice(train, {"model": model, "params": {"model__max_depth": 2}})
    assert choice[:2] == (simplest, {}), "parameters of another model are not taken over"
    assert choice.stands_in.endswith(f": {simplest}, the simplest out of the box, stands in.")
    assert (repr(model) in choice.stands_in) == bool(model)
    assert "\n" not in choice.stands_in
    assert len(chosen_model(train, model=choice.model, params=choice.params).fit(train.X, train.y).predict(train.X)) == 60


def test_the_model_of_another_task_is_not_usable() -> None:
    assert usable_choice(data("regression"), {"model": "logistic regression"}).model == "ridge regression"


def test_a_choice_without_data_or_names_is_refused() -> None:
    with pytest.raises(BadInputError, match="Dataset"):
        usable_choice(data().frame, {})
    with pytest.raises(BadInputError, match="learned"):
        usable_choice(data(), None)  # type: ignore[arg-type]
