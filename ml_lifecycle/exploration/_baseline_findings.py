"""What a comparison of baselines says, as coded findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_lifecycle.exploration import _baseline_data
from ml_lifecycle.exploration._baseline_data import FEW
from ml_lifecycle.exploration._judge import ALPHA, NAN, Row, Table, by_how_much, span
from ml_lifecycle.exploration._measure import Candidate, Problem, measure
from ml_lifecycle.exploration.pipelines import column_kinds, prepare
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import Finding, NextStep

LITTLE = 0.02  # share of what there is to gain below which nothing has been learned
PERFECT = 0.999
LEAK_COLUMNS = 100  # columns that are tried alone at most
LEAK_ROWS = 3000
LEAK_SHARE = 0.95  # of the best model's gain that one column alone must reach to be named
LEAK_FROM = 0.5  # share of what there is to gain from which the best model is worth the question

DATA = NextStep("look for features that carry the signal, and check the labels of some rows by hand", "data",
                "check_quality(data)")


def evidence(table: Table, difference: Any, p: float, **more: Any) -> dict[str, Any]:
    """The numbers behind a comparison."""
    return {"difference": difference.value, "low": difference.low, "high": difference.high, "p": p,
            "n": table.folds.n, "folds": len(table.folds.pairs), "metric": table.metric.name, **more}


def tell_more(table: Table) -> NextStep:
    """What could decide a comparison that is undecided."""
    kind = "RepeatedStratifiedKFold" if "classification" in table.metric.tasks else "RepeatedKFold"
    repeat = f"repeat the folds, cv={kind}(n_splits=5, n_repeats=4), or " if "shuffled" in table.folds.how else ""
    return NextStep(f"{repeat}see whether more rows would tell", "exploration", "baselines(data) on more rows")


def best_trivial(table: Table) -> Row | None:
    """The best answer without features; a random one only where it is a point better than a fixed one."""
    plain = table.of("trivial")
    fixed = [row for row in plain if row.name != "stratified"]
    if plain and fixed and abs(plain[0].score - fixed[0].score) < table.points(fixed[0]):
        return fixed[0]
    return plain[0] if plain else None


def anything_learned(table: Table) -> Finding:
    """BAS001: does anything that was trained beat the best answer that needs no features?"""
    trained, plain = table.of("model"), best_trivial(table)
    if not trained or plain is None:
        return Finding("BAS001", "not applicable", "Whether anything can be learned was not tested: no model was scored.")
    compared, room = table.compared(trained, plain), table.headroom(plain)
    ahead = [row for row in trained if compared[row.name][1] < ALPHA and compared[row.name][0].value > 0]
    best = ahead[0] if ahead else trained[0]  # the best one of those that are told from it
    difference, p = compared[best.name]
    numbers = evidence(table, difference, p, best=best.name, trivial=plain.name, compared=len(trained))
    against = f"{plain.name!r}, the best answer without features ({number(plain.score)})"
    how = f"{by_how_much(difference, p)}, corrected for {len(trained)} model{'s' * (len(trained) != 1)}; {table.size}"
    if ahead:
        return Finding("BAS001", "passed", f"{best.name} ({number(best.score)}) beats {against} by {how}.", numbers)
    if table.folds.n >= FEW and difference.high < max(0.0, LITTLE * room if np.isfinite(room) else 0.0):
        return Finding("BAS001", "issue", f"There is no sign of anything to learn: {best.name}, the best model, differs from "
                                          f"{against} by {how}.", numbers, DATA)
    return Finding("BAS001", "tip", f"Cannot tell whether anything was learned: {best.name} differs from {against} by {how}.",
                   numbers, tell_more(table), undecided=True)


def worth_the_complexity(table: Table, learned: Finding) -> list[Finding]:
    """BAS002 and BAS003: does the best model beat the simplest one, and what does a point more cost?"""
    trained, simple = table.of("model"), table.simplest
    if learned.severity in ("tip", "issue"):
        return [Finding("BAS002", "not applicable", "Whether a complex model pays was not judged: it is not shown that any "
                                                    "model learned something (BAS001).")]
    if len(trained) < 2 or simple is None:
        why = "only one model was scored" if trained else "no model was scored"
        return [Finding("BAS002", "not applicable", f"Whether a complex model pays was not tested: {why}.")]
    best = trained[0]
    if best is simple:
        rest = [row for row in trained if row is not simple]
        difference, p = table.better(simple, rest[0]), NAN
        return [Finding("BAS002", "passed", f"The simplest model, {simple.name}, is also the best: nothing more complex has "
                        f"shown itself better. Next comes {rest[0].name}, behind by {by_how_much(difference, p)}; {table.size}.",
                        evidence(table, difference, p, best=best.name, simplest=simple.name),
                        NextStep(f"go on with {simple.name}", "refinement"))]
    difference, p = table.compared([row for row in trained if row is not simple], simple)[best.name]
    numbers = evidence(table, difference, p, best=best.name, simplest=simple.name, compared=len(trained) - 1)
    how = f"{by_how_much(difference, p)}, corrected for {len(trained) - 1} comparison{'s' * (len(trained) != 2)}; {table.size}"
    first = _verdict(table, best, simple, difference, p, how, numbers)
    return [first, _price(table, best, simple, difference)]


def _verdict(table: Table, best: Row, simple: Row, difference: Any, p: float, how: str, numbers: dict[str, Any]) -> Finding:
    if difference.high < table.points(simple):
        return Finding("BAS002", "tip", f"Take the simple one: {best.name} is better than {simple.name} by {how}: less than a "
                                        "point at best.", numbers, NextStep(f"go on with {simple.name}", "refinement"))
    if p < ALPHA and difference.value > 0:
        return Finding("BAS002", "passed", f"{best.name} beats {simple.name}, the simplest model, by {how}.", numbers,
                       NextStep(f"go on with {best.name} if its price is right", "refinement"))
    return Finding("BAS002", "tip", f"Cannot tell whether {best.name} is really better than {simple.name}, the simplest model: "
                                    f"the difference is {how}. Take the simple one until it can be told.",
                   numbers, tell_more(table), undecided=True)


def _price(table: Table, best: Row, simple: Row, difference: Any) -> Finding:
    """What one point more costs in time."""
    point = table.points(simple)
    points = difference.value / point
    fit, ask = best.fit_seconds - simple.fit_seconds, best.predict_ms - simple.predict_ms
    times = {"fit_ratio": _ratio(best.fit_seconds, simple.fit_seconds),
             "predict_ratio": _ratio(best.predict_ms, simple.predict_ms)}
    each = points if points >= 0.1 else NAN
    numbers = {"points": points, "fit_seconds": fit, "predict_ms": ask, **times, "fit_seconds_a_point": fit / each,
               "predict_ms_a_point": ask / each, "best": best.name, "simplest": simple.name, "n": table.folds.n}
    a_point = f": {_signed(fit / points, 's')} and {_signed(ask / points, 'ms')} for each point" if each == each and fit > 0 \
        and ask > 0 else ""
    return Finding("BAS003", "tip", f"{best.name} gains {points:.1f} points over {simple.name} (a point is {number(point)}) at "
                   f"{number(times['fit_ratio'], 2)} times its time to fit ({number(best.fit_seconds)} s against "
                   f"{number(simple.fit_seconds)} s) and {number(times['predict_ratio'], 2)} times its time for one prediction "
                   f"({number(best.predict_ms)} ms against {number(simple.predict_ms)} ms){a_point}.", numbers)


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else NAN


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))} {unit}"


def rules_of_thumb(table: Table, second: Finding) -> list[Finding]:
    """BAS004: does a heuristic do as well as what was trained? `second` says which model stands for them: BAS002."""
    rule, trained = table.first("heuristic"), table.of("model")
    if rule is None or not trained or table.simplest is None:
        return []
    compared = table.compared(trained, rule)
    ahead = [row for row in trained if compared[row.name][1] < ALPHA and compared[row.name][0].value > 0]
    best = ahead[0] if ahead else trained[0]
    difference, p = compared[best.name]
    model = second.evidence["best"] if second.severity == "passed" else table.simplest.name
    kept = compared[model][0].high < table.points(rule)  # the rule is shown to be as good as what would take its place
    numbers = evidence(table, difference, p, heuristic=rule.name, best=best.name, choice=rule.name if kept else model,
                       compared=len(trained))
    how, said = f"{by_how_much(difference, p)}; {table.size}", f"{rule.name!r} ({number(rule.score)})"
    highs = [d.high for d, _ in compared.values()]  # of every model: so the one that happens to be best is not picked out
    if all(high < table.points(rule) for high in highs):
        what = f"No trained model beats the rule {said}: the best, {best.name}, is worse: {how}." if max(highs) < 0 else \
            f"No trained model is worth more than the rule {said}: the best, {best.name}, differs from it by {how}: less than " \
            "a point at best."
        return [Finding("BAS004", "issue", what, numbers,
                        NextStep("start with the rule, and give the models what it knows as a feature", "data"))]
    if ahead:
        return [Finding("BAS004", "passed", f"{best.name} beats the rule {said} by {how}.", numbers)]
    until = f"{'Keep the rule' if kept else f'Go on with {model}'} until it can be told."
    return [Finding("BAS004", "tip", f"Cannot tell whether {best.name} is better or worse than the rule {said}: the difference "
                    f"is {how}. {until}", numbers, tell_more(table), undecided=True)]


def too_good(table: Table, problem: Problem, seed: int) -> list[Finding]:
    """BAS006: a score that is too good to be true, or that one column reaches alone."""
    best, plain = table.first("model"), best_trivial(table)
    if best is None or plain is None:
        return []
    room = table.headroom(plain)
    gain = table.metric.sign * (best.score - plain.score) / room if np.isfinite(room) else NAN
    alone = _columns_alone(table, problem, best, plain, seed) if gain >= LEAK_FROM else {}
    perfect = best.score >= PERFECT if (table.metric.low, table.metric.high) == (0, 1) and table.metric.greater_is_better \
        else gain >= PERFECT
    if not perfect and not alone:
        return []
    parts = [f"{best.name} is almost perfect ({number(best.score)})"] if perfect else []
    parts += [f"the column {name!r} alone reaches {number(score)}" for name, score in list(alone.items())[:3]]
    text = "; ".join(parts)
    return [Finding("BAS006", "tip", f"Too good to be true? {text[0].upper()}{text[1:]}; {table.size}.",
                    {"best": best.name, "score": best.score, "alone": alone, "n": table.folds.n},
                    NextStep("make sure that every column is known at the time of the prediction, and that no row stands on "
                             "both sides of a split", "data", "check_quality(data)"))]


def _columns_alone(table: Table, problem: Problem, best: Row, plain: Row, seed: int) -> dict[str, float]:
    """Columns from which a small tree gets nearly what the best model gets from all: tried on one fold, held up by all."""
    X = problem.X
    if not isinstance(X, (pd.DataFrame, np.ndarray)) or not 2 <= X.shape[1] <= LEAK_COLUMNS:
        return {}
    draw = np.random.default_rng(seed)
    folds = [tuple(np.sort(draw.choice(rows, LEAK_ROWS, replace=False)) if len(rows) > LEAK_ROWS else rows for rows in fold)
             for fold in table.folds.pairs]
    kinds, found = column_kinds(X), {}
    for name in (*kinds["number"], *kinds["category"], *kinds["date"]):
        scores: list[float] = []
        for fold in folds:
            scores.append(_alone(problem, name, fold, seed))
            share = table.metric.sign * (np.mean(scores) - np.mean(plain.scores[:len(scores)]))
            if not share >= LEAK_SHARE * table.metric.sign * np.mean(np.subtract(best.scores, plain.scores)[:len(scores)]):
                break
        else:
            found[str(name)] = float(np.mean(scores))
    return dict(sorted(found.items(), key=lambda item: -table.metric.sign * item[1]))


def _alone(problem: Problem, name: Any, fold: Any, seed: int) -> float:
    """The score that a small tree reaches on one fold from one column."""
    one = problem.X[[name]] if isinstance(problem.X, pd.DataFrame) else problem.X[:, [name]]
    leaves = 8 * max(2, len(problem.classes or ()))  # enough to tell the classes apart
    small = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=5, random_state=seed) \
        if problem.task == "classification" else DecisionTreeRegressor(min_samples_leaf=5, random_state=seed)
    part = Problem(one, problem.y, problem.task, problem.metric, problem.classes, problem.positive)
    tree = make_pipeline(prepare(one, style="tree"), small)
    return measure(part, Candidate(str(name), "model", tree), fold, seed, alone=False).score


def elsewhere(table: Table) -> list[Finding]:
    """BAS008 and BAS009: the best model against what people reach and what was published."""
    best = table.first("model", "heuristic")
    if best is None:
        return []
    return [_against(table, best, row) for row in (*table.of("human"), *table.of("published"))]


def _against(table: Table, best: Row, other: Row) -> Finding:
    code, what = ("BAS008", "what people reach") if other.kind == "human" else ("BAS009", f"the published result {other.name!r}")
    sign = table.metric.sign
    low, high = sorted((sign * best.low, sign * best.high))
    bounds = [sign * value for value in (other.low, other.high) if np.isfinite(value)] or [sign * other.score]
    rest = "" if not np.isfinite(other.n) else f", n = {int(other.n):,}"
    said = f"{number(best.score)} ({span(best.low, best.high)}; {table.size}) against {number(other.score)}{rest}"
    numbers = {"best": best.name, "score": best.score, "low": best.low, "high": best.high, "other": other.score,
               "other_low": other.low, "other_high": other.high, "n": table.folds.n}
    if low > max(bounds):
        return Finding(code, "passed", f"{best.name} is above {what}: {said}.", numbers)
    if high < min(bounds):
        step = NextStep("find out what the errors have in common: this much can be avoided", "refinement") \
            if other.kind == "human" else NextStep("repeat the published result first", "exploration")
        return Finding(code, "tip", f"{best.name} is below {what}: {said}.", numbers, step)
    return Finding(code, "tip", f"Cannot tell {best.name} from {what}: {said}.", numbers, undecided=True)


def all_findings(
    table: Table, problem: Problem, *, dated: Sequence[str], seed: int, unlimited: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    first = anything_learned(table)
    second = worth_the_complexity(table, first)
    return (first, *second, *rules_of_thumb(table, second[0]),
            *too_good(table, problem, seed), *elsewhere(table),
            *_baseline_data.about_the_data(table, problem, dated), *_baseline_data.about_the_rows(table, unlimited))


