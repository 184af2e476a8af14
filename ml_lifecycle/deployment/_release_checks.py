"""The checks of a rehearsal; each gives a row of the table and a finding."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.deployment._log import plain
from ml_lifecycle.deployment._serve.client import as_records
from ml_lifecycle.deployment._serve.contract import contract_of
from ml_lifecycle.foundation import _ask
from ml_lifecycle.foundation._render import number as said_number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import LifecycleError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.report import Finding, NextStep

INPUT = NextStep("compare how the column is read in training and in serving", "data", "infer_schema(data)")
SERVICE = NextStep("mend the service before anybody uses it", "deployment", "create_app(registry)")
STICKY = 20  # users of the canary and of the champion that are asked twice
SURPRISE = 0.001  # probability below which a share of users is no chance


@dataclass(frozen=True)
class Rehearsal:
    """What is rehearsed."""

    registry: Any
    service: Any
    rows: pd.DataFrame
    tolerance: float
    seconds: float
    rollback: bool
    rollout: Any
    users: int


@dataclass
class Found:
    """What was seen."""

    champion: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    largest: float | None = None
    took: float | None = None

    def add(self, check: str, good: int, n: int, detail: str, finding: Finding | None) -> None:
        """Keep a check."""
        share = wilson(good, n)
        self.rows.append({"check": check, "share": share.value, "low": share.low, "high": share.high, "n": n, "detail": detail})
        self.findings += [finding] if finding else []


def rehearse(asked: Rehearsal) -> Found:
    """All checks, one after the other; without a ready service the others are not tried."""
    found = Found()
    if _ready(asked, found):
        version = asked.registry.get("champion")
        records = as_records(asked.rows)
        taken = _same(asked, found, version, records)
        _refusals(asked, found, version, records)
        _rollback(asked, found, taken)
        _canary(asked, found, taken)
    return found


def _ready(asked: Rehearsal, found: Found) -> bool:
    alive, _ = asked.service.get("/livez")
    status, body = asked.service.get("/readyz")
    found.champion = asked.registry.aliases.get("champion")
    serves = body.get("model", {}).get("number") if isinstance(body, dict) else None
    fine = [alive == 200, status == 200, serves is not None and serves == found.champion]
    detail = f"/livez {alive}, /readyz {status}, version {serves}; the registry's champion is {found.champion}"
    facts = {"livez": alive, "readyz": status, "serves": serves, "champion": found.champion}
    if all(fine):
        finding = Finding("REL001", "passed", f"The service is up and serves version {serves}, the champion.", facts)
    else:
        reason = body.get("reason", "") if isinstance(body, dict) else ""
        finding = Finding("REL001", "issue", f"The service is not ready: {detail}. {reason}".strip().rstrip(".") + ".", facts,
                          SERVICE)
    found.add("ready", sum(fine), 3, detail, finding)
    return all(fine)


# the same predictions ------------------------------------------------------------------------------------------------

def _same(asked: Rehearsal, found: Found, version: Any, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send the rows, compare, and give back those that the service takes."""
    outputs, proba, classes = _offline(version, asked.rows)
    equal, gaps, refused, taken = 0, [], [], []
    for i, record in enumerate(records):
        status, body = asked.service.post({"user_id": None, "records": [record]})
        if status != 200 or not isinstance(body, dict):
            refused.append((status, str(body.get("error", body) if isinstance(body, dict) else body)))
            continue
        taken.append(record)
        gap = _gap(body, outputs[i], None if proba is None else proba[i], classes)
        gaps.append(gap)
        equal += gap <= asked.tolerance
    found.largest = float(max(gaps)) if gaps else None
    _told_same(found, len(gaps), equal, asked.tolerance)
    _told_refused(found, refused, len(records))
    return taken


def _offline(version: Any, rows: pd.DataFrame) -> tuple[list[Any], Any, list[str]]:
    with _ask.plainly():
        outputs = [plain(v) for v in np.asarray(version.predict(rows)).ravel()]
    try:
        return outputs, np.asarray(version.predict_proba(rows), dtype=float), [str(plain(c)) for c in version.classes_]
    except AttributeError:
        return outputs, None, []


def _gap(body: dict[str, Any], output: Any, proba: Any, classes: list[str]) -> float:
    """How far a served answer lies from the version's own; infinite when it is another label."""
    said = (body.get("predictions") or [None])[0]
    if isinstance(output, float) and isinstance(said, (int, float)):
        return float(abs(said - output) / max(1.0, abs(output)))
    if said != output:
        return float("inf")
    given = (body.get("probabilities") or [None])[0]
    if proba is None or given is None:
        return 0.0
    return float(max(abs(given.get(name, 0.0) - p) for name, p in zip(classes, proba)))


def _told_same(found: Found, n: int, equal: int, tolerance: float) -> None:
    largest = found.largest
    facts = {"n": n, "different": n - equal, "largest": largest, "tolerance": tolerance}
    if not n:
        found.add("same predictions", 0, 0, "no row was answered", Finding(
            "REL002", "not applicable", "Served predictions were not compared: the service answered none of the rows."))
        return
    worst = "another label" if largest == float("inf") else f"a difference of {said_number(largest or 0.0)}"
    if equal == n:
        found.add("same predictions", equal, n, f"largest difference {said_number(largest or 0.0)}", Finding(
            "REL002", "passed", f"All {n:,} served predictions equal those of the version itself (within {tolerance:g}).", facts))
        return
    found.add("same predictions", equal, n, f"at worst {worst}", Finding(
        "REL002", "issue", f"{n - equal:,} of {n:,} served predictions differ from those of the version itself, at worst by "
        f"{worst}: input is read otherwise in serving than in training.", facts, INPUT))


def _told_refused(found: Found, refused: list[tuple[int, str]], n: int) -> None:
    facts: dict[str, Any] = {"n": n, "refused": len(refused), "messages": [m for _, m in refused[:3]]}
    if not refused:
        found.add("rows accepted", n, n, "none refused", Finding(
            "REL003", "passed", f"The service takes all {n:,} rows.", facts))
        return
    status, first = refused[0]
    rate = wilson(len(refused), n)
    broken = any(s >= 500 for s, _ in refused)
    found.add("rows accepted", n - len(refused), n, first[:200], Finding(
        "REL003", "issue" if broken or rate.value > 0.5 else "tip",
        f"The service refuses {len(refused):,} of {n:,} rows ({rate.low:.1%} to {rate.high:.1%}), such as with {status}: "
        f"{' '.join(first.split()).rstrip('.')}.", facts,
        NextStep("widen the schema where such values are right, or tell the clients", "data", "infer_schema(data)")))


# bad input ------------------------------------------------------------------------------------------------------------

def bad_bodies(version: Any, record: dict[str, Any]) -> dict[str, bytes]:
    """Broken requests by name."""
    bodies = {"no body": b"", "half a body": b'{"records": [{', "no JSON": b"user=1", "not UTF-8": b'{"records": [{"a": "\xff"}]}',
              "a list": b"[]", "no records": b'{"records": []}', "a number for records": b'{"records": 1}',
              "a record that is text": b'{"records": ["a"]}', "a list for a user": b'{"user_id": [], "records": [{}]}',
              "nested too deeply": b"[" * 100_000}
    contract = contract_of(version)
    kinds = contract.kinds
    if not kinds:
        return bodies

    def put(name: str, value: Any) -> bytes:
        return json.dumps({"records": [{**record, name: value}]}).encode()

    def without(name: str, **more: Any) -> bytes:
        return json.dumps({"records": [{**{k: v for k, v in record.items() if k != name}, **more}]}).encode()

    first = next(iter(kinds))
    needed = next((name for name in kinds if name not in contract.optional), None)
    bodies |= {"a misspelt column": without(first, **{f"{first}_": record.get(first)}), "no column that it knows":
               b'{"records": [{"<no such column>": 1}]}', **({"a column missing": without(needed)} if needed else {}),
               "an object for a value": put(first, {}), "NaN": put(first, float("nan")), "infinity": put(first, float("inf"))}
    numeric = [name for name, kind in kinds.items() if kind in ("number", "integer")]
    if numeric:
        bodies |= {"text for a number": put(numeric[0], "twelve"), "far too large a number": put(numeric[0], 10**400)}
    dated = [name for name, kind in kinds.items() if kind == "date"]
    return bodies | ({"text for a date": put(dated[0], "soon")} if dated else {})


def _refusals(asked: Rehearsal, found: Found, version: Any, records: list[dict[str, Any]]) -> None:
    wrong: list[str] = []
    bodies = bad_bodies(version, records[0])
    for name, body in bodies.items():
        status, said = asked.service.post(body)
        line = said.get("error", "") if isinstance(said, dict) else ""
        if not 400 <= status < 500 or not line or "\n" in line or "Traceback" in str(said):
            wrong.append(f"{name}: {status}")
    n, facts = len(bodies), {"tried": list(bodies), "wrong": wrong}
    if wrong:
        finding = Finding("REL004", "issue", f"{len(wrong)} of {n} broken requests were not refused with a 4xx and one line: "
                                             f"{', '.join(wrong[:4])}.", facts, SERVICE)
    else:
        finding = Finding("REL004", "passed", f"All {n} broken requests were refused with a 4xx and one line.", facts)
    found.add("broken requests refused", n - len(wrong), n, ", ".join(wrong[:4]) or "each with one line", finding)


# taking it back -------------------------------------------------------------------------------------------------------

def _rollback(asked: Rehearsal, found: Found, taken: list[dict[str, Any]]) -> None:
    why = "it was not asked for" if not asked.rollback else "no row was answered" if not taken else ""
    champion = found.champion
    if not why:
        try:
            before = asked.registry.rollback()
        except LifecycleError:
            why = "there was no champion before this one"
    if why:
        found.add("rollback", 0, 0, why, Finding("REL005", "not applicable", f"A rollback was not tried: {why}."))
        return
    took = back = None
    try:
        took = _until(asked, taken[0], before)
    finally:
        asked.registry.promote(champion, "champion")
    back = _until(asked, taken[0], champion)
    found.took = took
    good = (took is not None) + (back is not None)
    facts = {"to": before, "champion": champion, "seconds": took, "seconds_back": back, "allowed": asked.seconds}
    if good == 2 and took is not None and back is not None:
        said = f"{max(took, back):.2f} seconds"
        found.add("rollback", 2, 2, f"within {said}", Finding(
            "REL005", "passed", f"A rollback to version {before} answered requests within {took:.2f} seconds, and version "
            f"{champion} again within {back:.2f}.", facts))
        return
    missed = before if took is None else champion
    found.add("rollback", good, 2, f"version {missed} did not answer", Finding(
        "REL005", "issue", f"A rollback does not take effect: version {missed} did not answer within {asked.seconds:g} seconds.",
        facts, NextStep("let the service look at the registry with every request", "deployment", "create_app(registry)")))


def _until(asked: Rehearsal, record: dict[str, Any], number: int | None) -> float | None:
    """Seconds until a version answers; None when it does not in time."""
    started = time.perf_counter()
    while True:
        status, body = asked.service.post({"user_id": None, "records": [record]})
        took = time.perf_counter() - started
        if status == 200 and isinstance(body, dict) and body.get("model", {}).get("number") == number:
            return took
        if took > asked.seconds:
            return None
        time.sleep(0.02)


# the canary -----------------------------------------------------------------------------------------------------------

def _canary(asked: Rehearsal, found: Found, taken: list[dict[str, Any]]) -> None:
    number = asked.registry.aliases.get("canary")
    why = "no rollout was given" if asked.rollout is None else "no version is called canary" if number is None else \
        "the canary is the champion" if number == found.champion else "no row was answered" if not taken else ""
    if why:
        found.add("canary", 0, 0, why, Finding("REL006", "not applicable", f"The canary was not tried: {why}."))
        return
    users = [f"rehearsal {i}" for i in range(asked.users)]
    arms = {user: _arm(asked, taken[0], user, number) for user in users}
    right = sum(arms[user] == asked.rollout.arm(user) for user in users)
    got = [user for user in users if arms[user] == "canary"]
    again = [*got[:STICKY], *[u for u in users if arms[u] != "canary"][:STICKY]]
    moved = sum(_arm(asked, taken[0], user, number) != arms[user] for user in again)
    share = wilson(len(got), len(users))
    p = float(stats.binomtest(len(got), len(users), asked.rollout.canary).pvalue)
    facts = {"users": len(users), "canary": len(got), "share": share.value, "low": share.low, "high": share.high,
             "wanted": asked.rollout.canary, "p": p, "moved": moved, "as_assigned": right}
    said = (f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of {count(len(users), 'user')}, "
            f"{asked.rollout.canary:.1%} wanted")
    if right == len(users) and not moved and p >= SURPRISE:
        finding = Finding("REL006", "passed", f"The canary reaches {said}, and always the same ones.", facts)
    else:
        finding = Finding("REL006", "issue", f"The canary does not reach the users that it should: {said}; {len(users) - right:,} "
                          f"got another version than the rollout gives them, {moved} of {len(again)} another one the second time.",
                          facts, NextStep("give the service the same rollout", "deployment",
                                          "create_app(registry, rollout=rollout)"))
    found.add("canary", right, len(users), said, finding)


def _arm(asked: Rehearsal, record: dict[str, Any], user: str, number: int) -> str:
    status, body = asked.service.post({"user_id": user, "records": [record]})
    if status != 200 or not isinstance(body, dict):
        return "failed"
    return "canary" if body.get("model", {}).get("number") == number else "champion"
