"""A rehearsal finds what is wrong with a service, and nothing where nothing is."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deployment_toys import Constant, MemoryRegistry
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_lifecycle.deployment import Rollout, check_release, create_app, running
from ml_lifecycle.deployment._release_ask import as_rows, as_service
from ml_lifecycle.deployment._release_checks import bad_bodies
from ml_lifecycle.foundation import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, ProjectError

FRAME = pd.DataFrame({"a": np.linspace(-1, 1, 60), "b": np.tile([0.0, 1.0, 2.0], 20)})
LABELS = np.where(FRAME["a"] > 0, "yes", "no")


@pytest.fixture
def registry() -> MemoryRegistry:
    made = MemoryRegistry(LogisticRegression().fit(FRAME, LABELS), LogisticRegression(C=1e-3).fit(FRAME, LABELS))
    made.promote(2)
    return made


class Twisted:
    """A service that is wrong in one way."""

    def __init__(self, inner: Any, **ways: Any) -> None:
        self.inner, self.ways, self.asked = inner, ways, 0

    def get(self, path: str) -> tuple[int, Any]:
        return self.ways.get(path, None) or self.inner.get(path)

    def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
        self.asked += 1
        status, said = self.inner.post(body, path)
        change = self.ways.get("answer")
        return change(self.asked, body, status, said) if change else (status, said)


@pytest.fixture
def service(registry: MemoryRegistry) -> Iterator[Any]:
    registry.aliases["canary"] = 1
    with running(create_app(registry, rollout=Rollout(canary=0.3))) as client:
        yield client


def codes(report: Any) -> dict[str, Any]:
    return {f.code: f for f in report.findings}


def rehearse(registry: Any, service: Any, **options: Any) -> Any:
    return check_release(registry, **{"client_or_url": service, "X": FRAME, "n": 10, "users": 40, **options})


def test_a_good_service_passes_every_check(registry: MemoryRegistry, service: Any) -> None:
    report = rehearse(registry, service, rollout=Rollout(canary=0.3))
    assert report.passed
    assert {f.severity for f in report.findings} == {"passed"}
    assert len(report.frame) == 6
    assert report.rollback_seconds is not None
    assert report.largest_difference == 0
    assert registry.aliases["champion"] == 2  # as it was
    assert "6 of 6" in report.answer
    by_url = rehearse(registry, service.url, rollback=False)
    assert by_url.passed
    assert "not tried: rollback, canary" in by_url.answer


def test_a_service_that_reads_a_column_otherwise(registry: MemoryRegistry, service: Any) -> None:
    class Halved(Twisted):
        def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
            if isinstance(body, dict) and body.get("records"):
                body = {**body, "records": [{**r, "a": r["a"] / 2} for r in body["records"]]}
            return self.inner.post(body, path)

    report = rehearse(registry, Halved(service))
    assert codes(report)["REL002"].severity == "issue"
    assert report.passed is False
    assert report.answer.startswith("Not ready")
    assert report.largest_difference > 1e-6


def test_a_service_that_is_not_ready_is_not_tried_further(registry: MemoryRegistry, service: Any) -> None:
    down = rehearse(registry, Twisted(service, **{"/readyz": (503, {"reason": "no\nmodel"})}))
    assert codes(down).keys() == {"REL001"}
    assert down.passed is False
    assert down.plot() is not None
    other = rehearse(registry, Twisted(service, **{"/readyz": (200, {"model": {"number": 1}})}))
    assert "version 1; the registry's champion is 2" in codes(other)["REL001"].message


def test_a_500_and_a_traceback_are_found(registry: MemoryRegistry, service: Any) -> None:
    def crash(asked: int, body: Any, status: int, said: Any) -> tuple[int, Any]:
        return (500, "Traceback (most recent call last)") if body == b"" else (200, {}) if body == b"[]" else (status, said)

    found = codes(rehearse(registry, Twisted(service, answer=crash)))["REL004"]
    assert found.severity == "issue"
    assert found.evidence["wrong"] == ["no body: 500", "a list: 200"]


def test_rows_that_the_version_itself_cannot_take(registry: MemoryRegistry, service: Any) -> None:
    few = FRAME.astype(object)
    few.iloc[0, 0] = "text"
    with pytest.raises(BadInputError, match="`model` must predict on `X`. Got ValueError"):
        rehearse(registry, service, X=few, n=60, rollback=False)


def test_a_refused_row_is_a_tip_and_all_of_them_an_issue(registry: MemoryRegistry, service: Any) -> None:
    def refuse(until: int) -> Any:
        return lambda asked, body, status, said: (422, {"error": "no"}) if asked <= until else (status, said)

    some = rehearse(registry, Twisted(service, answer=refuse(3)), rollback=False)
    assert codes(some)["REL003"].severity == "tip"
    assert codes(some)["REL002"].severity == "passed"
    none = rehearse(registry, Twisted(service, answer=refuse(10)), rollout=Rollout(canary=0.3))
    assert codes(none)["REL003"].severity == "issue"
    for code in ("REL002", "REL005", "REL006"):
        assert codes(none)[code].severity == "not applicable"
    assert none.largest_difference is None


def test_a_rollback_that_does_not_take_effect(registry: MemoryRegistry, service: Any) -> None:
    def stuck(asked: int, body: Any, status: int, said: Any) -> tuple[int, Any]:
        return status, {**said, "model": {"number": 2, "alias": "champion"}} if status == 200 else said

    report = rehearse(registry, Twisted(service, answer=stuck), seconds=0.2)
    assert codes(report)["REL005"].severity == "issue"
    assert report.rollback_seconds is None
    assert registry.aliases["champion"] == 2


def test_the_champion_comes_back_even_when_the_service_dies(registry: MemoryRegistry, service: Any) -> None:
    class Dying(Twisted):
        def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
            if self.inner.post(body, path)[1].get("model", {}).get("number") == 1:
                raise ProjectError("gone")
            return self.inner.post(body, path)

    with pytest.raises(ProjectError, match="gone"):
        rehearse(registry, Dying(service))
    assert registry.aliases["champion"] == 2


def test_nothing_to_roll_back_to() -> None:
    registry = MemoryRegistry(LinearRegression().fit(FRAME, FRAME["a"]))
    with running(create_app(registry)) as service:
        report = rehearse(registry, service)
    assert codes(report)["REL005"].severity == "not applicable"
    assert report.passed
    assert report.largest_difference < 1e-12


def test_a_canary_that_moves_or_reaches_others(registry: MemoryRegistry, service: Any) -> None:
    def moving(asked: int, body: Any, status: int, said: Any) -> tuple[int, Any]:
        number = 1 + asked % 2
        return status, {**said, "model": {"number": number}} if status == 200 and body["user_id"] else said

    bad = rehearse(registry, Twisted(service, answer=moving), rollout=Rollout(canary=0.3), rollback=False)
    assert codes(bad)["REL006"].severity == "issue"
    salted = rehearse(registry, service, rollout=Rollout(canary=0.3, salt="other"), rollback=False)
    assert codes(salted)["REL006"].severity == "issue"
    del registry.aliases["canary"]
    assert "no version is called canary" in codes(rehearse(registry, service, rollout=Rollout()))["REL006"].message


def test_a_service_that_refuses_some_users(registry: MemoryRegistry, service: Any) -> None:
    def picky(asked: int, body: Any, status: int, said: Any) -> tuple[int, Any]:
        return (429, {}) if isinstance(body, dict) and body.get("user_id") == "rehearsal 3" else (status, said)

    report = rehearse(registry, Twisted(service, answer=picky), rollout=Rollout(canary=0.3), rollback=False)
    assert codes(report)["REL006"].evidence["as_assigned"] == 39


def test_models_of_other_kinds() -> None:
    constant = MemoryRegistry(Constant(3))
    with running(create_app(constant)) as service:
        report = check_release(constant, client_or_url=service, X=pd.DataFrame({"size": [1.0, None], "colour": ["a", "b"]}), n=2)
    assert report.passed
    assert bad_bodies(MemoryRegistry(LinearRegression().fit(FRAME.to_numpy(), FRAME["a"])).get(), {}).keys() >= {"no body"}


def test_clients_of_other_libraries(registry: MemoryRegistry, service: Any) -> None:
    class Answer:
        def __init__(self, status: int, content: bytes) -> None:
            self.status_code, self.content = status, content

    class Foreign:
        base_url = "x"

        def get(self, path: str, **more: Any) -> Answer:
            assert more == {"headers": {"X-API-Key": "k"}}
            return Answer(*service.send("GET", path))

        def post(self, path: str, content: bytes, **more: Any) -> Answer:
            return Answer(*service.send("POST", path, content))

    assert rehearse(registry, Foreign(), key="k", rollback=False).passed


def test_rows_are_drawn_and_kept() -> None:
    data = load_dataset(FRAME.assign(y=LABELS), target="y")
    assert as_rows(data, 5, 0).index.tolist() == as_rows(data, 5, 0).index.tolist()
    assert as_rows(data, 5, 0).index.tolist() != as_rows(data, 5, 1).index.tolist()
    assert len(as_rows(FRAME, 500, 0)) == 60
    for wrong, said in ((FRAME.to_numpy(), "frame of features"), (FRAME.iloc[:0], "must have rows"), (None, "frame of features")):
        with pytest.raises(BadInputError, match=said):
            as_rows(wrong, 5, 0)


@pytest.mark.parametrize(("options", "said"), [
    ({"n": 0}, "`n` must be"), ({"users": True}, "`users` must be"), ({"tolerance": -1}, "`tolerance` must be"),
    ({"seconds": float("inf")}, "`seconds` must be"), ({"rollout": 0.1}, "`rollout` must be a Rollout"),
    ({"client_or_url": 3}, "`client_or_url` must be"), ({"client_or_url": "nowhere"}, "`url` must be the address"),
    ({"X": 3}, "`X` must be")])
def test_what_cannot_be_rehearsed(registry: MemoryRegistry, options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        rehearse(registry, options.pop("client_or_url", "http://127.0.0.1:9"), **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_registry_and_nobody_who_answers(registry: MemoryRegistry) -> None:
    with pytest.raises(BadInputError, match="`registry` must be a Registry"):
        rehearse("runs/my", "http://127.0.0.1:9")
    with pytest.raises(ProjectError, match="a service that answers"):
        rehearse(registry, "http://127.0.0.1:9")
    assert as_service("http://127.0.0.1:9", None).url.endswith(":9")


def test_the_plot_of_a_report_without_checks(registry: MemoryRegistry, service: Any, tmp_path: Path) -> None:
    report = rehearse(registry, service, rollback=False)
    empty = dataclasses.replace(report, frame=report.frame.assign(n=0), findings=())
    assert empty.answer == "Nothing was tried."
    assert empty.plot().get_xlabel()
