"""Serving: right answers, one clear line for everything that is wrong, and names that move at once."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deployment_toys import Constant, MemoryRegistry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from ml_lifecycle.data.schema import infer_schema
from ml_lifecycle.deployment import Registry, RequestLog, Rollout, create_app, running
from ml_lifecycle.deployment._serve.body import Refused, parse
from ml_lifecycle.deployment._serve.client import Client, as_json, as_records
from ml_lifecycle.deployment._serve.contract import contract_of
from ml_lifecycle.deployment._serve.input import Contract, cast
from ml_lifecycle.deployment._serve.shadow import Worker
from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import Dataset, load_dataset
from ml_lifecycle.foundation.errors import BadInputError, ProjectError

RIGHT = {"size": 1.5, "colour": "red"}


@pytest.fixture(scope="module")
def mixed() -> Dataset:
    """Every kind of column: numbers, gaps, a boolean, categories, dates and text."""
    rng, rows = np.random.default_rng(0), 240
    size = rng.normal(size=rows)
    words = np.array(["late", "again", "fine", "thanks", "broken"])
    return load_dataset(pd.DataFrame({
        "size": np.where(rng.random(rows) < 0.1, np.nan, size), "count": rng.integers(0, 9, rows),
            "member": rng.random(rows) < 0.5,
        "colour": np.where(rng.random(rows) < 0.05, None, rng.choice(["red", "green", "blue"], rows)),
        "when": pd.date_range("2024-01-01", periods=rows, freq="7h"),
        "note": [" ".join(rng.choice(words, 6)) + f" no. {i}" for i in range(rows)], "y": np.where(size > 0, "yes",
            "no")}), target="y")


@pytest.fixture(scope="module")
def registry(mixed: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    made = Registry(tmp_path_factory.mktemp("registry"))
    for name in ("logistic regression", "gradient boosting"):
        model = default_models("classification", mixed.X, text=mixed.roles["text"])[name].fit(mixed.X, mixed.y)
        made.register(model, config={"model": name}, train_version=mixed.version, validation_version="none",
                      schema=infer_schema(mixed))
    made.promote(1)
    return made


@pytest.fixture(scope="module")
def service(registry: Registry) -> Iterator[Client]:
    with running(create_app(registry)) as client:
        yield client


def wait_for(app: Any) -> None:
    assert app.state.service.worker.wait(10)


# right answers ----------------------------------------------------------------------------------------------------------

def test_served_predictions_are_those_of_the_version(service: Client, registry: Registry, mixed: Dataset) -> None:
    version = registry.get(1)
    said = service.predict(mixed.X, user_id="ada")
    assert said["predictions"] == version.predict(mixed.X).tolist()
    assert said["model"] == {"number": 1, "alias": "champion"}
    proba = pd.DataFrame(said["probabilities"])[list(version.classes_)].to_numpy()
    assert np.abs(proba - version.predict_proba(mixed.X)).max() < 1e-12


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_thousand_rows_are_served_as_the_notebook_predicts_them_bit_for_bit(tmp_path: Path, task: str) -> None:
    """Columns in another order in every record, columns that nobody knows, and none where a value is missing."""
    rng, rows = np.random.default_rng(3), 1_500
    size = rng.normal(size=rows) * np.pi
    y = np.where(size + rng.normal(size=rows) > 0, "yes", "no") if task == "classification" else size + rng.normal(size=rows)
    frame = pd.DataFrame({
        "size": np.where(rng.random(rows) < 0.1, np.nan, size), "count": rng.integers(0, 9, rows),
        "member": rng.random(rows) < 0.5,
        "colour": np.where(rng.random(rows) < 0.05, None, rng.choice(["red", "green", "blue"], rows)),
        "when": pd.date_range("2024-01-01", periods=rows, freq="7h"), "y": y})
    frame.loc[rng.random(rows) < 0.05, "when"] = pd.NaT
    data = load_dataset(frame, target="y")
    X = data.X.iloc[:1_000]
    records = []
    for i, record in enumerate(as_records(X)):
        there = [name for name, value in record.items() if value is not None]
        rng.shuffle(there)
        records.append({"row": i, **{name: record[name] for name in there}, "weather": "rain"})
    assert min(map(len, records)) < 7
    for name, model in default_models(task, data.X).items():
        model.fit(data.X.iloc[1_000:], data.y.iloc[1_000:])
        registry = Registry(tmp_path / name)
        registry.promote(registry.register(model, config={}, train_version=data.version, validation_version="none",
                                           schema=infer_schema(data)))
        with running(create_app(registry)) as service:
            status, said = service.post({"records": records})
            assert status == 200, said
        assert said["predictions"] == model.predict(X).tolist()
        if task == "classification":
            proba = pd.DataFrame(said["probabilities"])[list(model.classes_)].to_numpy()
            assert (proba == model.predict_proba(X)).all()


def test_one_record_and_the_pages(service: Client, mixed: Dataset) -> None:
    record = as_records(mixed.X)[0]
    status, said = service.post({"record": record})
    assert (status, len(said["predictions"])) == (200, 1)
    assert service.get("/livez") == (200, {"status": "alive"})
    assert service.get("/readyz")[1]["model"]["number"] == 1
    status, text = service.get("/metrics")
    assert status == 200
    assert 'ml_requests_total{arm="champion",model="1",status="200"}' in text
    assert "ml_request_seconds_bucket" in text
    assert service.get("/nothing")[0] == 404
    assert service.get("/predict")[0] == 405


@pytest.mark.parametrize("value", [None, "2024-05-31", "2024-05-31T12:00:00", "2024-05-31 12:00"])
def test_dates_in_many_forms(service: Client, mixed: Dataset, value: Any) -> None:
    record = {**as_records(mixed.X)[0], "when": value, "size": None}
    assert service.post({"record": record})[0] == (200 if value else 422)  # no date was missing in training


def test_columns_that_the_model_does_not_look_at_need_not_come(mixed: Dataset, tmp_path: Path) -> None:
    less = mixed.X.drop(columns=["note", "when"])
    model = default_models("classification", less)["small tree"].fit(less, mixed.y)
    registry = Registry(tmp_path)
    registry.promote(registry.register(model, config={}, train_version="a", validation_version="b", schema=infer_schema(mixed)))
    with running(create_app(registry)) as service:
        assert service.predict(less)["predictions"] == model.predict(less).tolist()
        assert service.predict(mixed.X)["predictions"] == model.predict(less).tolist()
        assert service.post(twisted(mixed, when="soon"))[0] == 422
        assert service.post(twisted(mixed, other=1))[0] == 200


def test_two_apps_count_apart(registry: Registry, mixed: Dataset) -> None:
    with running(create_app(registry)) as one, running(create_app(registry)) as other:
        one.predict(mixed.X.head(2))
        assert 'model="1"' not in other.get("/metrics")[1].split("ml_rows_total{")[-1][:20]
        assert 'ml_rows_total{arm="champion",model="1"} 2.0' in one.get("/metrics")[1]


# wrong input ------------------------------------------------------------------------------------------------------------

BAD_BODIES = [b"", b"{", b"user=1", b"null", b"[]", b"3", b'"a"', b"{}", b'{"records": []}', b'{"records": 1}',
    b'{"records": [1]}',
              b'{"records": [{}], "record": {}}', b'{"recrods": [{}]}', b'{"records": [{"a": NaN}]}',
              b'{"records": [{"a": -Infinity}]}',
              b'{"records": [{"a": 1e999}]}', b'{"records": [{"a": 1, "a": 2}]}', b'{"records": [{"a": {}}]}',
              b'{"records": [{"a": [1]}]}',
              b'{"user_id": [], "records": [{}]}', b'{"user_id": "", "records": [{}]}', b'{"user_id": 1.5, "records": [{}]}',
              b'{"user_id": true, "records": [{}]}', b'{"user_id": "\\ud800", "records": [{}]}',
              b'{"records": [{"a": "\\udfff"}]}',
              b"\xff\xfe\x00", b"[" * 200_000, b'{"a":' * 50_000, b"9" * 6000, b'{"records": [' + b"{}," * 1000 + b"{}]}",
              b"\x00" * 10, b'{"records": null}', b'{"user_id": "' + b"x" * 300 + b'", "records": [{}]}']


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda b: repr(b[:24]))
def test_a_broken_body_is_refused_in_one_line(service: Client, body: bytes) -> None:
    status, said = service.post(body)
    assert status in (400, 413, 422)
    assert set(said) == {"error", "errors", "request_id"}
    assert all("\n" not in line and len(line) < 500 and "Traceback" not in line for line in said["errors"])
    assert said["error"].count(". ") >= 1  # a rule, and what was got


def twisted(mixed: Dataset, **changes: Any) -> dict[str, Any]:
    return {"records": [{**as_records(mixed.X)[0], "size": 1.0, **changes}]}


@pytest.mark.parametrize(("name", "value", "said"), [
    ("size", "12", "must be a number"), ("size", 10**30, "below 2**63"), ("size", 10**400, "below 2**63"),
    ("count", 1.5, "must be a whole number"), ("count", None, "must have a value"), ("count", 10_000, "at most"),
    ("member", "yes", "must be true or false"), ("colour", "purple", "must be one of"), ("colour", 3, "must be a text"),
    ("when", "soon", "must be a date"), ("when", "now", "must be a date"), ("when", 20240131, "must be a date"),
    ("when", "0001-01-01", "must be a"), ("when", "99999-01-01", "must be a date"), ("note", 3, "must be a text"),
    ("note", True, "must be")])
def test_a_wrong_value_is_named(service: Client, mixed: Dataset, name: str, value: Any, said: str) -> None:
    status, answer = service.post(twisted(mixed, **{name: value}))
    assert status == 422
    assert name in answer["error"]
    assert said in answer["error"]
    assert "Record 0" in answer["error"]


def test_columns_that_are_missing_or_unknown(service: Client, mixed: Dataset) -> None:
    record = twisted(mixed)["records"][0]
    without = {k: v for k, v in record.items() if k != "count"}
    assert "`count` must be given" in service.post({"records": [without]})[1]["error"]
    assert service.post({"records": [{**record, "colur": 1, "weather": "rain"}]})[0] == 200  # nothing is lost by leaving them out
    misspelt = {("colur" if k == "colour" else k): v for k, v in record.items()}
    status, said = service.post({"records": [misspelt]})
    assert status == 422
    assert "Did you mean 'colour'" in said["error"]
    assert "must be given" in service.post({"records": [{"weather": "rain"}]})[1]["error"]
    many = service.post({"records": [{}] * 50})[1]["errors"]
    assert len(many) == 11
    assert "more" in many[-1]


def test_only_the_wrong_record_is_blamed(service: Client, mixed: Dataset) -> None:
    records = [{**r, "size": 1.0} for r in as_records(mixed.X.head(5))]
    records[3]["count"] = "three"
    assert service.post({"records": records})[1]["error"].startswith("Record 3:")


def test_hostile_text_stays_text(service: Client, mixed: Dataset) -> None:
    evil = "\"}<script>alert('&')</script>\u2028\x00'; DROP TABLE requests; --"
    status, raw = service.send("POST", "/predict", json.dumps(twisted(mixed, colour=evil)).encode())
    assert status == 422
    assert raw.isascii()
    assert json.loads(raw)["error"]
    assert service.post({**twisted(mixed, note=evil, colour="red"), "user_id": evil})[0] == 200


def test_a_large_body_is_not_read(service: Client) -> None:
    assert service.post(b'{"records": "' + b"x" * 3_000_000 + b'"}')[0] == 413
    host, port = service.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("POST", "/predict", body=iter([b"x" * 100_000] * 30), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 413
    connection.close()


def test_a_small_app_takes_little(registry: Registry, mixed: Dataset) -> None:
    with running(create_app(registry, most_records=2, most_bytes=5_000)) as small:
        assert small.ask(mixed.X.head(2))[0] == 200
        status, said = small.ask(mixed.X.head(3))
        assert (status, "at most 2 records" in said["error"]) == (413, True)
        assert small.ask(mixed.X.head(100))[0] == 413


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                           max_leaves=8)


def outcome(call: Callable[[], Any]) -> tuple[Any, Refused | None]:
    """What a call gives, or its refusal."""
    try:
        return call(), None
    except Refused as refused:
        return None, refused


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=json_values, name=st.sampled_from(["size", "count", "member", "colour", "when", "note"]))
def test_no_value_ends_in_a_500(registry: Registry, mixed: Dataset, value: Any, name: str) -> None:
    service = create_app(registry).state.service
    record = {**twisted(mixed)["records"][0], name: value}
    done, refused = outcome(lambda: service.answer(parse(json.dumps({"records": [record]}).encode())))
    if refused is None:
        assert json.dumps(done.content(), allow_nan=False)
    else:
        assert 400 <= refused.status < 500
        assert all("\n" not in m for m in refused.messages)


@settings(max_examples=60)
@given(json_values)
def test_any_json_is_parsed_or_refused(value: Any) -> None:
    asked, refused = outcome(lambda: parse(json.dumps(value).encode()))
    assert asked.records if refused is None else refused.status in (400, 413, 422)


# without a schema -------------------------------------------------------------------------------------------------------

def test_a_pipeline_names_its_columns(mixed: Dataset) -> None:
    model = default_models("classification", mixed.X, text=("note",))["logistic regression"].fit(mixed.X, mixed.y)
    app = create_app(MemoryRegistry(model))
    kinds = contract_of(MemoryRegistry(model).get()).kinds
    assert kinds == {"size": "number", "count": "number", "member": "number", "colour": "category", "when": "date",
        "note": "text"}
    with running(app) as service:
        assert service.predict(mixed.X)["predictions"] == model.predict(mixed.X).tolist()
        assert "`count` must be a number" in service.post(twisted(mixed, count="3"))[1]["error"]
        assert service.post(twisted(mixed, colour="never seen"))[0] == 200
        assert service.post(twisted(mixed, when="2024-01-01T00:00:00+02:00"))[0] == 200


def test_names_alone_and_no_names_at_all() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]})
    named, bare = LinearRegression().fit(frame, frame["a"]), LinearRegression().fit(frame.to_numpy(), frame["a"])
    with running(create_app(MemoryRegistry(named))) as service:
        assert service.post({"record": {"b": 1, "a": 2}})[1]["predictions"] == [pytest.approx(2)]
        status, said = service.post({"record": {"a": "x", "b": 1}})
        assert (status, "The model must be able to take" in said["error"]) == (422, True)
        assert service.post({"record": {"a": None, "b": 1}})[0] == 422
        assert service.post({"record": {"a": 1}})[0] == 422
    assert contract_of(MemoryRegistry(bare).get()).kinds == {}


def test_numbers_as_names_and_values_of_a_regression() -> None:
    frame = pd.DataFrame({0: [1.0, 2.0, 3.0], 1: [0.0, 1.0, 0.0]})
    contract = Contract({0: "number", 1: "integer"})
    assert list(contract.frame([{"0": 1, "1": 3.0}]).columns) == [0, 1]
    assert contract.frame([{"0": 1, "1": 3.0}])[1].dtype == "int64"
    del frame


def test_casts() -> None:
    assert cast([True, False], "number").dtype == bool
    assert cast([1, None], "integer").dtype == "float64"
    assert str(pd.Series(cast([True, None], "boolean")).dtype) == "boolean"
    assert cast([1, True], "boolean").dtype == bool
    assert str(pd.Series(cast(["2024-01-02", None], "date")).dtype) == "datetime64[ns]"
    assert cast(["03/04/2024"], "date", True)[0] == pd.Timestamp("2024-04-03")
    assert pd.isna(cast(["a", None], "text")[1])


# names that move --------------------------------------------------------------------------------------------------------

def test_a_promotion_and_a_rollback_take_effect_at_once(tmp_path: Path) -> None:
    registry = MemoryRegistry(Constant("old"), Constant("new"))
    with running(create_app(registry)) as service:
        assert service.post({"record": RIGHT})[1]["predictions"] == ["old"]
        registry.promote(2)
        assert service.post({"record": RIGHT})[1]["model"] == {"number": 2, "alias": "champion"}
        registry.rollback()
        assert service.post({"record": RIGHT})[1]["predictions"] == ["old"]


def test_no_champion_is_a_503_with_a_reason() -> None:
    registry = MemoryRegistry(Constant("a"))
    del registry.aliases["champion"]
    with running(create_app(registry)) as service:
        assert service.get("/livez")[0] == 200
        status, said = service.get("/readyz")
        assert status == 503
        assert "no model to serve yet" in said["reason"]
        assert service.post({"record": RIGHT})[0] == 503
        registry.aliases["champion"] = 1
        assert service.get("/readyz")[0] == 200


def test_a_version_that_does_not_load_is_a_503_and_an_unreadable_registry_goes_on_serving() -> None:
    registry = MemoryRegistry(Constant("a"), Constant("b"))
    real = registry.get

    def broken(which: Any = "champion") -> Any:
        if registry.aliases.get(which, which) == 2:
            raise RuntimeError("half\na file")
        return real(which)

    registry.get = broken  # type: ignore[method-assign]
    with running(create_app(registry)) as service:
        assert service.post({"record": RIGHT})[0] == 200
        held, registry.aliases = registry.aliases, None  # type: ignore[assignment]
        assert service.post({"record": RIGHT})[0] == 200
        registry.aliases = held
        registry.promote(2)
        status, said = service.get("/readyz")
        assert status == 503
        assert "cannot be loaded: RuntimeError: half a file" in said["reason"]
        registry.rollback()
        assert service.post({"record": RIGHT})[0] == 200


# canary and shadow ------------------------------------------------------------------------------------------------------

def test_users_of_the_canary_get_it_and_the_log_knows(tmp_path: Path) -> None:
    registry, rollout = MemoryRegistry(Constant("old"), Constant("new")), Rollout(canary=0.5, salt="s")
    registry.aliases["canary"] = 2
    log = RequestLog(tmp_path / "log.sqlite")
    app = create_app(registry, rollout=rollout, log=log)
    with running(app) as service:
        said = {u: service.post({"user_id": u, "record": RIGHT})[1]["model"]["alias"] for u in map(str, range(30))}
        assert service.post({"user_id": None, "record": RIGHT})[1]["model"]["alias"] == "champion"
    assert said == {u: rollout.arm(u) for u in said}
    frame = log.frame()
    assert len(frame) == 31
    assert set(frame["arm"]) == {"champion", "canary"}
    assert frame["user"].dropna().str.len().eq(16).all()


def test_a_canary_that_fails_is_answered_by_the_champion(tmp_path: Path) -> None:
    registry = MemoryRegistry(Constant("old"), Constant("new", error=RuntimeError("no memory")))
    registry.aliases["canary"] = 2
    with running(create_app(registry, rollout=Rollout(canary=1.0))) as service:
        status, said = service.post({"user_id": "ada", "record": RIGHT})
        assert (status, said["predictions"]) == (200, ["old"])
        assert 'status="failed"' in service.get("/metrics")[1]


def test_the_shadow_answers_behind_and_never_in_front(tmp_path: Path) -> None:
    slow = Constant("new", wait=1.5)
    registry = MemoryRegistry(Constant("old"), slow)
    registry.aliases["shadow"] = 2
    log = RequestLog(tmp_path / "log.sqlite")
    with running(create_app(registry, log=log)) as service:
        started = time.perf_counter()
        assert service.post({"record": RIGHT})[1]["predictions"] == ["old"]
        assert time.perf_counter() - started < 1.4  # what the shadow alone takes is longer
    frame = log.frame()
    assert frame[["output", "shadow_output", "number", "shadow"]].values.tolist() == [["old", "new", 1, 2]]
    assert frame["shadow_ms"][0] > 1400


def test_a_shadow_that_fails_or_wants_other_columns_harms_nobody(tmp_path: Path) -> None:
    other = Constant("new")
    other.feature_names_in_ = np.array(["size", "weight"], dtype=object)
    registry = MemoryRegistry(Constant("old"), Constant("x", error=ValueError("no\nsuch colour")), other)
    log = RequestLog(tmp_path / "log.sqlite")
    for number, record in ((2, RIGHT), (3, RIGHT), (3, {**RIGHT, "weight": 3})):
        registry.aliases["shadow"] = number
        app = create_app(registry, log=log)
        with running(app) as service:
            assert service.post({"record": record})[0] == 200
    errors = log.frame()["shadow_error"].tolist()
    assert errors[0] == "ValueError: no such colour"
    assert "`weight` must be given" in errors[1]
    assert errors[2] is None
    assert other.seen[0].columns.tolist() == ["size", "weight"]


def test_a_shadow_by_number_and_none_at_all(tmp_path: Path) -> None:
    registry = MemoryRegistry(Constant("old"), Constant("new"))
    for shadow, expected in ((2, 2), (False, None), (True, None), (7, None)):
        log = RequestLog(tmp_path / f"{shadow}.sqlite")
        with running(create_app(registry, rollout=Rollout(canary=0, shadow=shadow), log=log)) as service:
            service.post({"record": RIGHT})
        assert log.frame()["shadow"].tolist() == [expected]


def test_a_full_line_leaves_the_shadow_out(tmp_path: Path) -> None:
    registry = MemoryRegistry(Constant("old"), Constant("new", wait=0.2))
    registry.aliases["shadow"] = 2
    app = create_app(registry, log=tmp_path / "log.sqlite")
    app.state.service.worker = Worker(most=1)
    with running(app) as service:
        for _ in range(5):
            assert service.post({"record": RIGHT})[0] == 200
        assert "ml_shadow_left_out_total" in service.get("/metrics")[1]
    errors = RequestLog(tmp_path / "log.sqlite").frame()["shadow_error"].dropna()
    assert errors.str.startswith("left out").any()


def test_a_log_that_cannot_be_written_does_not_stop_the_service(tmp_path: Path) -> None:
    registry = MemoryRegistry(Constant("old"), Constant("new"))
    registry.aliases["shadow"] = 2
    app = create_app(registry, log=tmp_path / "log.sqlite")
    log = app.state.service.log
    log.close()
    log.path = tmp_path / "gone" / "log.sqlite"
    with running(app) as service:
        assert service.post({"record": RIGHT})[0] == 200
        wait_for(app)
        time.sleep(0.1)
        assert "ml_log_errors_total 0.0" not in service.get("/metrics")[1]


def test_a_worker_outlives_a_job_that_fails() -> None:
    worker, done = Worker(), []

    def fail() -> None:
        raise RuntimeError

    assert worker.submit(fail)
    assert worker.submit(lambda: done.append(1))
    assert worker.wait(5)
    assert done == [1]
    assert worker.submit(lambda: time.sleep(0.2))
    assert not worker.wait(0.01)
    worker.stop()
    worker.stop()


# what a model gives -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("label", "said"), [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.nan, None), (np.inf, None),
    (True, True),
                                             (pd.Timestamp("2024-01-01"), "2024-01-01 00:00:00")])
def test_predictions_as_json(label: Any, said: Any) -> None:
    class One(Constant):
        def predict(self, X: pd.DataFrame) -> Any:
            return np.array([self.label] * len(X), dtype=object if isinstance(self.label, pd.Timestamp) else None)

    with running(create_app(MemoryRegistry(One(label)))) as service:
        status, answer = service.post({"record": RIGHT})
    assert (status, answer["predictions"]) == (200, [said])
    assert "probabilities" not in answer


def test_a_model_that_fails_is_one_line_without_a_traceback() -> None:
    with running(create_app(MemoryRegistry(Constant("a", error=RuntimeError("/secret/path"))))) as service:
        status, said = service.post({"record": RIGHT})
        assert status == 500
        assert "secret" not in json.dumps(said)
    with running(create_app(MemoryRegistry(Constant([1, 2])))) as service:
        assert service.post({"record": RIGHT})[0] in (422, 500)


# who may call, and what is refused at the start --------------------------------------------------------------------------

def test_only_known_consumers_may_call() -> None:
    app = create_app(MemoryRegistry(Constant("a")), consumers={"s3cret ü": "the shop", "key": "the app"})
    with running(app) as service:
        assert service.post({"record": RIGHT})[0] == 403
        assert service.get("/livez")[0] == 200
        assert Client(service.url, key="wrong").post({"record": RIGHT})[0] == 403
        assert Client(service.url, key="key").post({"record": RIGHT})[0] == 200
        answer = http.client.HTTPConnection(service.url.removeprefix("http://"))
        answer.request("POST", "/predict", json.dumps({"record": RIGHT}), {"Authorization": "Bearer key"})
        assert answer.getresponse().status == 200
        answer.close()


@pytest.mark.parametrize(("arguments", "said"), [
    ({"registry": {"get": 1}}, "`registry` must be a Registry"), ({"registry": "runs/my"}, "`registry` must be a Registry"),
    ({"rollout": 0.05}, "`rollout` must be a Rollout"), ({"consumers": "key"}, "`consumers` must be"),
    ({"consumers": {3: "a"}}, "keys that are texts"), ({"consumers": 3}, "`consumers` must be"),
    ({"most_records": 0}, "`most_records` must be"),
    ({"most_bytes": 1.5}, "`most_bytes` must be"), ({"log": 3}, "`log` must be")])
def test_what_no_app_can_be_made_of(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        create_app(arguments.pop("registry", MemoryRegistry(Constant("a"))), **arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(Exception, match=r'pip install "ml-lifecycle\[deploy\]"'):
        create_app(MemoryRegistry(Constant("a")))


def services() -> int:
    return sum(thread.name == "ml-lifecycle service" for thread in threading.enumerate())


def test_running_ends_whatever_happens() -> None:
    before = services()
    app = create_app(MemoryRegistry(Constant("a")))
    kept = []
    with pytest.raises(ZeroDivisionError), running(app) as service:
        kept.append(service.url) or 1 / 0
    url = kept[0]
    with pytest.raises(ProjectError, match="must be that of a service that answers"):
        Client(url).get("/livez")
    assert services() == before
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ProjectError, match="`port` must be free"), running(app, port=taken.getsockname()[1]):
            pass
    with pytest.raises(ProjectError, match="`app` must start"), running(3):
        pass


# the client -------------------------------------------------------------------------------------------------------------

def test_the_client_says_what_is_wrong(service: Client) -> None:
    with pytest.raises(BadInputError, match="It answered 422"):
        service.predict([{}])
    for wrong in ("localhost", "ftp://x", "", None, 3):
        with pytest.raises(BadInputError, match="`url` must be the address"):
            Client(wrong)  # type: ignore[arg-type]
    assert "127.0.0.1" in repr(service)


@pytest.mark.parametrize(("value", "said"), [
    (np.nan, None), (np.inf, None), (None, None), (pd.NA, None), (pd.NaT, None), (np.int64(3), 3), (np.bool_(True), True),
    (np.float32(0.5), 0.5), (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"), (pd.Interval(0, 1), "(0, 1]")])
def test_values_of_a_frame_as_json(value: Any, said: Any) -> None:
    assert as_json(value) == said
    assert as_records([{"a": 1}]) == [{"a": 1}]


# the command ------------------------------------------------------------------------------------------------------------

def test_places_to_serve_from(tmp_path: Path) -> None:
    from ml_lifecycle.foundation import Project
    from ml_lifecycle.runner.serve import find_registry, serve

    project = Project(tmp_path / "mine")
    with pytest.raises(ProjectError, match="project with a registered model"):
        find_registry(project.path)
    (project.path / "registry").mkdir()
    assert find_registry(project.path) == (project.path / "registry", project.path / "requests.sqlite")
    with pytest.raises(ProjectError, match="does not exist"):
        serve(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match="`registry` must be there"):
        serve(project.path)


def test_a_port_and_a_host_that_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ml_lifecycle.runner.serve import serve

    Registry(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadInputError, match="`--port` must be free"):
            serve(tmp_path, port=taken.getsockname()[1])
    with pytest.raises(BadInputError, match="`--host` must be an address"):
        serve(tmp_path, host="no such host.invalid")
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_service_ends_cleanly(tmp_path: Path, number: int, code: int) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    made = Registry(tmp_path / "registry")
    made.promote(made.register(LinearRegression().fit(frame, frame["a"]), config={}, train_version="t", validation_version="v"))
    run = "import sys; from ml_lifecycle.runner.serve import serve; sys.exit(serve(sys.argv[1], port=0))"
    process = subprocess.Popen([sys.executable, "-c", run, str(tmp_path / "registry")], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
                               text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        assert "Serving version 1, the champion, at http://127.0.0.1:" in line
        assert "Ctrl-C" in process.stdout.readline()
        client = Client(next(word for word in line.split() if word.startswith("http")))
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                assert client.get("/readyz")[0] == 200
                break
            except ProjectError:
                time.sleep(0.05)
        client.close()
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors == ""
