"""Exercises: three states, no answer printed, and every lesson's checks refuse a wrong answer."""

import pytest

from ml_lifecycle.foundation import BadInputError, UnknownNameError, check, hint
from ml_lifecycle.foundation.exercises import EXERCISES, exercise, find_exercise

@pytest.fixture(autouse=True)
def _example() -> None:
    @exercise("9.9", "nudge", "nearly <there>")
    def _forty_two(attempt: int, *, off: int = 0) -> str | None:
        return None if attempt + off == 42 else f"<{attempt}> is not it"


def test_three_states() -> None:
    assert check("9.9", ...).state == "not attempted"
    assert check("9.9", 41).state == "not yet"
    assert check("9.9", 41, off=1).done
    assert check("9.9", 42, active=False).state == "not attempted"


def test_an_attempt_of_a_wrong_kind_is_not_yet() -> None:
    result = check("9.9", "forty-two")
    assert result.state == "not yet"
    assert "cannot be checked" in result.found


def test_shown_escaped() -> None:
    assert "<41>" not in check("9.9", 41)._repr_html_()
    assert repr(check("9.9", 41)).startswith("…")


def test_hints_have_levels() -> None:
    assert hint("9.9") == "nudge"
    assert hint("9.9", 2) == "nearly <there>"
    with pytest.raises(BadInputError, match="`level` must be an int from 1 to 2. Got 3"):
        hint("9.9", 3)


@pytest.mark.parametrize("unknown", ["1.77", "8.1", "3"])
def test_an_unknown_exercise_is_named(unknown: str) -> None:
    with pytest.raises(UnknownNameError, match="`exercise_id` must be an exercise's number"):
        check(unknown, 1)


@pytest.mark.parametrize("number", ["1.1", "1.2", "1.3", "3.1", "3.2", "3.3"])
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert EXERCISES[number].id == number
