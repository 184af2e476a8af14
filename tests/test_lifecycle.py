"""The seven steps and the figure of the loop."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.lifecycle import STATES, STEPS, find_step, lifecycle_figure

KEYS = [step.key for step in STEPS]


def svg(figure):
    return ElementTree.fromstring(figure.svg)


def words(figure):
    return " ".join(node.text or "" for node in svg(figure).iter() if node.tag.endswith("text"))


def test_the_steps_are_numbered_in_order() -> None:
    assert [step.number for step in STEPS] == list(range(1, 8))
    assert len(set(KEYS)) == 7
    assert all(step.question.endswith("?") for step in STEPS)


@pytest.mark.parametrize("step", STEPS, ids=KEYS)
def test_every_way_to_name_a_step(step) -> None:
    for name in (step, step.number, str(step.number), step.key, step.folder):
        assert find_step(name) is step


@pytest.mark.parametrize("name", [0, 8, -1, "", "explore", None, 3.5, "03", True])
def test_an_unknown_step_is_said(name) -> None:
    if name is True:  # bool is an int; the number 1 is meant
        assert find_step(name).number == 1
        return
    with pytest.raises(UnknownNameError, match="`step` must be a number from 1 to 7 or a step's name"):
        find_step(name)


def test_a_slip_is_recognised() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'exploration'"):
        find_step("exploraton")


def test_the_figure_tells_every_step() -> None:
    told = words(lifecycle_figure())
    for step in STEPS:
        assert f"{step.number}." in told
        assert step.title.split()[-1] in told


def test_states_are_told_by_a_mark_and_not_by_colour_alone() -> None:
    assert len({mark for mark, _ in STATES.values()}) == len(STATES)
    told = words(lifecycle_figure(states={"planning": "passed", "data": "failed"}))
    assert STATES["passed"][0] in told
    assert STATES["failed"][0] in told


def test_the_step_that_is_lit_is_named_for_readers_who_see_no_figure() -> None:
    figure = svg(lifecycle_figure(3))
    assert figure.attrib["role"] == "img"
    assert figure.attrib["aria-label"].endswith("this is step 3")
    assert lifecycle_figure(3).svg.count('font-weight="700"') > lifecycle_figure().svg.count('font-weight="700"')


@given(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(KEYS), st.sampled_from(sorted(STATES))),
       st.none() | st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)))
def test_every_figure_is_whole_and_takes_the_colour_of_the_page(current, states, back) -> None:
    figure = lifecycle_figure(current, states, back=back)
    svg(figure)
    assert not re.search(r'fill="(#000|#111|black|#fff|white)', figure.svg)
    assert "currentColor" in figure.svg
    assert figure._repr_html_().count("<svg") == 1
    marker = re.search(r'marker id="([^"]+)"', figure.svg)
    assert set(re.findall(r"url\(#([^)]+)\)", figure.svg)) == {marker[1]}


def test_the_way_back_is_drawn() -> None:
    assert "dasharray" not in lifecycle_figure(5).svg
    assert lifecycle_figure(5, back=("evaluation", "data")).svg.count("stroke-dasharray") == 1


def test_an_unknown_state_or_step_is_not_drawn_over() -> None:
    with pytest.raises(UnknownNameError):
        lifecycle_figure("exploring")
    with pytest.raises(UnknownNameError, match="`states` must be one of the known names. Got 'zz'. States: passed"):
        lifecycle_figure(1, {"data": "zz"})
    with pytest.raises(UnknownNameError, match="`step` must be"):
        lifecycle_figure(1, {"zz": "passed"})
    with pytest.raises(UnknownNameError, match="`states`"):
        lifecycle_figure(1, {"data": ["passed"]})  # type: ignore[dict-item]
    for states in (["data"], 3, "data"):
        with pytest.raises(BadInputError, match="`states` must be a dict"):
            lifecycle_figure(1, states)  # type: ignore[arg-type]
    for back in ("data", 5, ("data",), ["data", "planning", "data"]):
        with pytest.raises(BadInputError, match="`back` must be two steps"):
            lifecycle_figure(1, back=back)  # type: ignore[arg-type]


def test_states_take_every_way_to_name_a_step() -> None:
    assert lifecycle_figure(1, {2: "passed"}).svg == lifecycle_figure(1, {"data": "passed"}).svg  # type: ignore[dict-item]
