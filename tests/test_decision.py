"""Decision cards: escaped, reloadable, one line when broken."""

import pytest

from ml_lifecycle.foundation import BadInputError, Decision, decision_from_json

CARD = Decision(
    step="data", question="<b>which</b>?", options=("<i>a</i>", "b"), choice="<i>a</i>", evidence=("n = 3 (2 to 4)",),
    because="it <u>is</u>", reverses_if="more rows", next_step="planning", values={"k": (1, 2)})


def test_round_trip() -> None:
    assert decision_from_json(CARD.to_json()) == CARD


def test_values_of_the_data_are_never_markup() -> None:
    html = CARD._repr_html_()
    for planted in ("<b>which", "<i>a", "<u>"):
        assert planted not in html
    assert "more rows" in html
    assert "● <i>a</i>" in repr(CARD)


def test_goes_back() -> None:
    assert CARD.goes_back
    assert not Decision("data", "?", ("a",), "a", next_step="evaluation").goes_back


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 1, "step": "data", "what": 2}'])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="must be a decision card"):
        decision_from_json(text)
