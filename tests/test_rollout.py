"""Rollout and shadow: sticky users, honest intervals, and verdicts that follow from the log."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deployment_toys import filled_log
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml_lifecycle.deployment import _shadow_stats as shadow_stats
from ml_lifecycle.deployment._log import NOT_RUN, Answer, RequestLog
from ml_lifecycle.deployment.rollout import Rollout, shadow_report
from ml_lifecycle.foundation import Interval
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError

def codes(report: Any) -> dict[str, Any]:
    return {f.code: f for f in report.findings}


# who gets what ------------------------------------------------------------------------------------------------------

@given(st.text(), st.text(max_size=5), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_share_only_adds_users(user: str, salt: str, one: float, other: float) -> None:
    few, many = sorted((one, other))
    place = Rollout(salt=salt).place(user)
    assert 0 <= place < 1
    assert place == Rollout(canary=many, salt=salt).place(user)
    if Rollout(canary=few, salt=salt).arm(user) == "canary":
        assert Rollout(canary=many, salt=salt).arm(user) == "canary"


def test_nobody_and_everybody() -> None:
    users = [f"u{i}" for i in range(500)]
    assert {Rollout(canary=0.0).arm(u) for u in users} == {"champion"}
    assert {Rollout(canary=1.0).arm(u) for u in users} == {"canary"}
    assert Rollout(canary=1.0).arm(None) == "champion"
    assert Rollout(canary=1.0).arm() == "champion"
    assert Rollout().place(5) == Rollout().place("5")


def test_places_are_even_and_salts_draw_other_users() -> None:
    users = [f"user-{i}@example.org" for i in range(20_000)]
    places = np.array([Rollout().place(u) for u in users])
    assert stats.kstest(places, "uniform").pvalue > 1e-4
    others = np.array([Rollout(salt="spring").place(u) for u in users])
    assert abs(np.corrcoef(places, others)[0, 1]) < 0.03
    assert abs(np.mean(places < 0.05) - 0.05) < 0.005


@pytest.mark.slow
def test_users_stay_where_they_are_in_another_process() -> None:
    users = [f"u{i}" for i in range(50)] + ["Zoë", "", "a\nb"]
    code = ("import json, sys; from ml_lifecycle.deployment.rollout import Rollout; "
            "print(json.dumps([Rollout(salt='s').place(u) for u in json.loads(sys.argv[1])]))")
    places = [json.loads(subprocess.run([sys.executable, "-c", code, json.dumps(users)], capture_output=True,
        text=True, check=True,
                                        env={"PYTHONHASHSEED": str(seed), "PATH": ""}).stdout) for seed in (1, 2)]
    assert places[0] == places[1] == [Rollout(salt="s").place(u) for u in users]


@pytest.mark.parametrize("wrong", [
    {"canary": -0.1}, {"canary": 1.1}, {"canary": "5%"}, {"canary": True}, {"canary": float("nan")}, {"shadow": "shadow"},
    {"shadow": 0}, {"shadow": 1.5}, {"salt": 3}, {"salt": None}])
def test_what_is_no_rollout(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError) as caught:
        Rollout(**wrong)
    assert str(caught.value).startswith(f"`{next(iter(wrong))}` must be")
    assert "\n" not in str(caught.value)


def test_the_log_never_holds_a_user() -> None:
    one, other = Rollout(salt="a"), Rollout(salt="b")
    assert one.pseudonym("ada") != other.pseudonym("ada")
    assert one.pseudonym("ada") == one.pseudonym("ada")
    assert "ada" not in str(one.pseudonym("ada"))
    assert one.pseudonym(None) is None


# the log --------------------------------------------------------------------------------------------------------------

def test_what_is_written_comes_back(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "deep" / "log.sqlite", keep_inputs=True)
    log.write("a", user="h", arm="champion", records=[{"x": 1}, {"x": None}],
              answer=Answer((1, 2.5), ((0.25, 0.75), (1.0, 0.0)), 3.0, 4, (0, "one")))
    log.write_shadow("a", 5, Answer(("x", None), None, 1.0, 5, None))
    log.outcome("a", [np.int64(1), None])
    frame = RequestLog(tmp_path / "deep" / "log.sqlite").frame()
    assert frame["output"].tolist() == [1, 2.5]
    assert frame["shadow_output"].tolist() == ["x", None]
    assert frame["outcome"].tolist() == [1, None]
    assert frame["proba"].tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert (log.classes(4), log.classes(5), log.classes(9)) == ((0, "one"), None, None)


def test_inputs_are_hashed_unless_they_are_wanted(tmp_path: Path) -> None:
    for keep in (False, True):
        log = RequestLog(tmp_path / f"{keep}.sqlite", keep_inputs=keep)
        log.write("a", user=None, arm="champion", records=[{"name": "Ada Lovelace"}], answer=Answer((1,), None, 1.0, 1, None))
        log.close()
        held = b"".join(p.read_bytes() for p in tmp_path.glob(f"{keep}.sqlite*"))
        assert (b"Lovelace" in held) is keep


def test_wrong_outcomes_are_said(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite")
    log.write("a", user=None, arm="champion", records=[{}, {}], answer=Answer((1, 2), None, 1.0, 1, None))
    with pytest.raises(UnknownNameError, match="must be one of a request in the log"):
        log.outcome("b", 1)
    with pytest.raises(BadInputError, match="one value for each of the 2 records"):
        log.outcome("a", 1)


def test_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(ProjectError, match="SQLite file"):
        RequestLog(tmp_path / "text.sqlite")
    for wrong in (None, 3, "", "  "):
        with pytest.raises(BadInputError, match="`log` must be"):
            RequestLog(wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="there is no such file"):
        shadow_report(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


# the report -----------------------------------------------------------------------------------------------------------

def test_an_empty_log_says_so(tmp_path: Path) -> None:
    report = shadow_report(RequestLog(tmp_path / "log.sqlite"))
    assert report.passed is None
    assert report.better is None
    assert "Nothing was compared" in report.answer
    assert report.plot() is not None


def test_a_worse_shadow_is_an_issue_and_a_better_one_passes(tmp_path: Path) -> None:
    worse = shadow_report(filled_log(tmp_path / "w.sqlite", 200, right=(0.9, 0.6)))
    assert (worse.better, worse.passed) == (False, False)
    assert codes(worse)["SHA003"].severity == "issue"
    better = shadow_report(filled_log(tmp_path / "b.sqlite", 200, right=(0.6, 0.9)))
    assert better.better is True
    assert better.difference[1] > 0


def test_regression_and_many_classes(tmp_path: Path) -> None:
    report = shadow_report(filled_log(tmp_path / "r.sqlite", 100, right=(0.9, 0.2), classes=None))
    assert report.metric == "rmse"
    assert report.better is False
    assert report.difference[0] > 0  # a greater error
    many = shadow_report(filled_log(tmp_path / "m.sqlite", 300, right=(0.9, 0.3), classes=(1, 2, 3, 4)), metric="accuracy")
    assert many.better is False


def test_few_requests_cannot_tell_and_say_what_it_takes(tmp_path: Path) -> None:
    report = shadow_report(filled_log(tmp_path / "log.sqlite", 40, right=(0.8, 0.75)), metric="accuracy")
    found = codes(report)["SHA003"]
    assert found.undecided
    assert report.better is None
    assert found.evidence["needed"] > 40
    tiny = codes(shadow_report(filled_log(tmp_path / "tiny.sqlite", 5), metric="accuracy"))["SHA003"]
    assert tiny.undecided
    assert "10 users" in tiny.message


def test_few_rows_of_a_class_cannot_tell(tmp_path: Path) -> None:
    log, rng = RequestLog(tmp_path / "log.sqlite"), np.random.default_rng(0)
    for i in range(200):
        truth = "yes" if i < 6 else "no"
        for shadow in (False, True):
            said = truth if rng.random() < (0.5 if shadow else 0.95) else "no"
            answer = Answer((said,), None, 1.0, 1 + shadow, ("no", "yes"))
            if shadow:
                log.write_shadow(f"r{i}", 2, answer)
            else:
                log.write(f"r{i}", user=None, arm="champion", records=[{}], answer=answer)
        log.outcome(f"r{i}", truth)
    assert codes(shadow_report(log))["SHA003"].undecided
    assert not np.isnan(shadow_report(log, metric="accuracy").difference[1])


def test_without_outcomes_disagreement_decides(tmp_path: Path) -> None:
    far = shadow_report(filled_log(tmp_path / "far.sqlite", 200, right=(0.95, 0.5), outcomes=False))
    assert codes(far)["SHA002"].severity == "issue"
    assert codes(far)["SHA003"].undecided
    near = shadow_report(filled_log(tmp_path / "near.sqlite", 200, right=(0.99, 0.99), outcomes=False))
    assert codes(near)["SHA002"].severity == "passed"
    assert near.passed is None
    odd = shadow_report(filled_log(tmp_path / "odd.sqlite", 20, right=(0.9, 0.9), outcomes=False))
    assert codes(odd)["SHA002"].undecided


def test_a_shadow_that_is_the_champion_is_no_issue(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite")
    rng = np.random.default_rng(0)
    for i in range(400):
        truth, said = rng.choice(["a", "b"], 2)
        for shadow in (False, True):
            answer = Answer((said,), None, 1.0, 2 if shadow else 1, ("a", "b"))
            if shadow:
                log.write_shadow(f"r{i}", 2, answer)
            else:
                log.write(f"r{i}", user=None, arm="champion", records=[{}], answer=answer)
        log.outcome(f"r{i}", truth)
    report = shadow_report(log)
    assert report.passed
    assert report.agreement[0] == 1
    assert 0 < report.agreement[1] < 1
    assert report.difference[1] < 0 < report.difference[2]  # what 400 rows cannot rule out


def test_the_canary_is_judged_by_its_users(tmp_path: Path) -> None:
    report = shadow_report(filled_log(tmp_path / "log.sqlite", 600, right=(0.9, 0.5), users=200, canary=0.3, shadow=False),
                           metric="accuracy")
    assert codes(report)["SHA007"].severity == "issue"
    assert codes(report)["SHA001"].severity == "not applicable"
    assert report.canary == 2
    assert "canary" in report.answer.lower()
    silent = shadow_report(filled_log(tmp_path / "s.sqlite", 60, users=20, canary=0.3, outcomes=False))
    assert codes(silent)["SHA007"].undecided


def test_failures_and_what_was_left_out_are_told(tmp_path: Path) -> None:
    log = filled_log(tmp_path / "log.sqlite", 60)
    for i in range(5):
        log.write_shadow(f"r{i}", 2, "ValueError: no such colour")
    log.write_shadow("r9", 2, NOT_RUN + "the line was full")
    found = codes(shadow_report(log))
    assert found["SHA005"].severity == "issue"
    assert "5 of 59 requests" in found["SHA005"].message
    assert found["SHA006"].evidence["left_out"] == 1


def test_only_the_last_pair_is_compared(tmp_path: Path) -> None:
    log = filled_log(tmp_path / "log.sqlite", 60)
    for i in range(60, 90):
        log.write(f"r{i}", user=None, arm="champion", records=[{}], answer=Answer(("yes",), None, 1.0, 3, ("no", "yes")))
        log.write_shadow(f"r{i}", 4, Answer(("yes",), None, 1.0, 4, ("no", "yes")))
    report = shadow_report(log)
    assert (report.champion, report.shadow, report.n) == (3, 4, 30)
    assert "60 rows of other pairs" in codes(report)["SHA008"].message


def test_a_slow_shadow_is_a_tip(tmp_path: Path) -> None:
    log = filled_log(tmp_path / "log.sqlite", 40)
    for i in range(40):
        log.write_shadow(f"r{i}", 2, Answer(("yes",), None, 20.0 + i / 10, 2, ("no", "yes")))
    report = shadow_report(log)
    assert codes(report)["SHA004"].severity == "tip"
    assert report.latency_ratio[1] > 2


def test_probabilities_and_labels_of_another_type(tmp_path: Path) -> None:
    log, rng = RequestLog(tmp_path / "log.sqlite"), np.random.default_rng(1)
    for i in range(150):
        truth = int(rng.integers(0, 2))
        p, q = (float(np.clip(truth * 0.6 + rng.uniform(0, 0.4), 0, 1)) for _ in range(2))
        log.write(f"r{i}", user=None, arm="champion", records=[{}], answer=Answer((int(p > 0.5),), ((1 - p, p),), 1.0, 1, (0, 1)))
        log.write_shadow(f"r{i}", 2, Answer((int(q > 0.5),), ((1 - q, q),), 1.0, 2, (0, 1)))
        log.outcome(f"r{i}", str(truth))  # outcomes come from a file, as text
    report = shadow_report(log)
    assert report.metric == "roc_auc"
    assert report.frame["measure"].tolist()[:2] == ["same answer", "difference of outputs"]
    assert report.difference[0] == report.difference[0]


@pytest.mark.parametrize("wrong", [{"most_disagree": 2}, {"level": "high"}, {"tolerance": -1}, {"margin": True}])
def test_what_cannot_be_asked(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=f"`{next(iter(wrong))}` must be"):
        shadow_report(filled_log(tmp_path / "log.sqlite", 3), **wrong)


def test_a_metric_of_the_other_task_or_an_object_is_refused(tmp_path: Path) -> None:
    from ml_lifecycle.foundation import METRICS

    log = filled_log(tmp_path / "log.sqlite", 12)
    with pytest.raises(BadInputError, match="classification"):
        shadow_report(log, metric="rmse")
    with pytest.raises(UnknownNameError, match="known metrics"):
        shadow_report(log, metric="accurracy")
    with pytest.raises(BadInputError, match="name of a metric"):
        shadow_report(log, metric=METRICS["accuracy"])  # type: ignore[arg-type]
    assert codes(shadow_report(log, metric="roc_auc"))["SHA003"].undecided  # there are no probabilities


# intervals ------------------------------------------------------------------------------------------------------------

def test_rows_of_one_user_count_for_less() -> None:
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(50), 20)
    alike = np.repeat(rng.random(50) < 0.8, 20).astype(float)
    apart = (rng.random(1000) < 0.8).astype(float)
    together, alone = shadow_stats.share(alike, units, 0.95), shadow_stats.share(apart, np.arange(1000), 0.95)
    assert together.high - together.low > 3 * (alone.high - alone.low)
    sure = shadow_stats.share(np.ones(1000), units, 0.95)
    assert sure.low == pytest.approx(shadow_stats.share(np.ones(50), np.arange(50), 0.95).low)


@pytest.mark.slow
def test_the_interval_of_a_clustered_share_covers() -> None:
    rng, inside, tries = np.random.default_rng(1), 0, 400
    units = np.repeat(np.arange(60), 8)
    for _ in range(tries):
        hits = (rng.random(480) < np.repeat(rng.beta(4, 1, 60), 8)).astype(float)
        found = shadow_stats.share(hits, units, 0.95)
        inside += found.low <= 0.8 <= found.high
    assert inside / tries > 0.91


def test_needed_rows() -> None:
    assert shadow_stats.needed(100, Interval(0.1, 0.0, 0.2), 0.01) == 100
    assert shadow_stats.needed(100, Interval(0.05, -0.05, 0.15), 0.01) == 400
    assert shadow_stats.needed(100, Interval(0.0, np.nan, np.nan), 0.01) is None
    assert shadow_stats.needed(100, Interval(0.0, -1.0, 1.0), 0.0) is None


def test_small_helpers() -> None:
    assert np.isnan(shadow_stats.share(np.array([]), np.array([], dtype=int), 0.95).value)
    assert np.isnan(shadow_stats.cluster_mean(np.array([]), np.array([], dtype=int), 0.95).value)
    assert np.isnan(shadow_stats.latency_ratio(np.array([]), np.array([]), 0.95).value)
    few = shadow_stats.latency_ratio(np.array([1.0, 2.0]), np.array([2.0, 4.0]), 0.95)
    assert few.value == pytest.approx(2)
    assert np.isnan(few.low)
    assert shadow_stats.same_outputs([1.0, None, 2.0], [1.0, None, None], True, 0.0).tolist() == [1.0, 1.0, 0.0]
