"""What learning curves say, as coded findings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml_lifecycle.exploration._curve_shape import FEWEST
from ml_lifecycle.exploration._judge import ALPHA, FEWEST_OF_CLASS, by_how_much, span
from ml_lifecycle.exploration._learning.ahead import LEVEL, Measured, measured
from ml_lifecycle.exploration._learning.table import Curve, Table
from ml_lifecycle.exploration._measure import NAN, Problem
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import Difference, holm, paired_difference
from ml_lifecycle.foundation.report import Finding, NextStep

SURE = 0.01  # p value below which a curve is said to end below its own best
UNEVEN = 1.1  # the largest fold has so many times the rows of the smallest: then sizes are capped
FEW = 200  # rows below which bands are said to be wide

AGAIN = "learning_curve(models, data)"


def curve_of(table: Table, curve: Curve) -> Measured | None:
    """What is handed to the extrapolation."""
    return measured(table.sizes, curve.validation, table.ratios, table.metric)


def more_rows(table: Table, best: Curve, worth: float) -> Finding:
    """LRN001: is what twice the rows are expected to bring worth having?"""
    last = int(best.known[-1])
    n, now, sign = table.sizes[last], float(best.score[last]), table.metric.sign
    found = curve_of(table, best)
    assert found is not None  # noqa: S101 - a best curve has scores
    ahead = found.ahead(np.array([2.0 * n]))
    low, high = sorted((sign * (float(ahead.low[0]) - now), sign * (float(ahead.high[0]) - now)))
    gain = sign * (float(ahead.value[0]) - now)
    numbers = {"model": best.name, "gain": gain, "low": low, "high": high, "level": LEVEL, "worth": worth, "n": n,
               "score": now, "behaviour": ahead.behaviour, "folds": len(table.nests.each), "metric": table.metric.name}
    how = (f"twice the {n:,} rows are expected to bring {best.name} {signed(gain)} (80 %: {signed(low)} to {signed(high)}; "
           f"now {number(now)}, {table.size}), and {number(worth)} is worth having")
    if table.thin:
        why = f"a class has fewer than {FEWEST_OF_CLASS} rows"
    elif len(best.known) < FEWEST or not np.isfinite([low, high]).all():
        why = f"{count(len(best.known), 'size')} measured in {count(len(table.nests.each), 'fold')} cannot tell"
    else:
        why = ""
    if not why and low >= worth:
        return Finding("LRN001", "tip", f"More rows will help: {how}.", numbers,
                       NextStep(f"collect or label more rows; ask curve.rows_for(score, model={best.name!r}) how many", "data"))
    if not why and high < worth:
        return Finding("LRN001", "passed", f"More rows will not help: {how}.", numbers,
                       NextStep("go on with the rows at hand: features, labels and the model decide now", "refinement"))
    because = f" ({why})" if why else "" if ahead.behaviour == "well-behaved" else f" ({ahead.why[0].rstrip('.')})"
    return Finding("LRN001", "tip", f"Cannot tell whether more rows will help: {how}{because}.", numbers,
                   NextStep("measure more folds, or with more rows", "exploration", AGAIN), undecided=True)


def signed(value: float) -> str:
    """A change of a score with its sign; less than rounding is none."""
    value = 0.0 if abs(value) < 1e-9 else value
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"


def gap(table: Table, best: Curve, worth: float) -> Finding:
    """LRN002: how much better is the best model on the rows that it learned from?"""
    last = int(best.known[-1])
    n = table.sizes[last]
    found = table.gained(best.validation[last], best.train[last], last)
    train = float(np.nanmean(best.train[last])) if np.isfinite(best.train[last]).any() else NAN
    numbers = {"model": best.name, "gap": found.value, "low": found.low, "high": found.high, "worth": worth, "n": n,
               "train": train, "validation": float(best.score[last]), "folds": len(table.nests.each)}
    how = (f"with {n:,} rows {best.name} has {number(train)} on the rows that it learned from and {number(best.score[last])} on "
           f"others, a gap of {number(found.value)} ({span(found.low, found.high)}; {table.size})")
    if not np.isfinite(found.value):
        return Finding("LRN002", "not applicable", f"The gap between training and validation was not judged: "
                                                   f"{table.metric.label} is undefined on the rows that were learned from.")
    if found.low > worth:
        return Finding("LRN002", "tip", f"Variance: {how}.", numbers,
                       NextStep("close the gap: regularise or simplify the model, or bring more rows", "refinement"))
    if found.high < worth:
        return Finding("LRN002", "passed", f"No variance to speak of: {how}. What is missing, it does not learn from its own "
                                           "rows either: bias, or noise.", numbers,
                       NextStep("for a better score look for features that say more, or for a more flexible model", "data"))
    return Finding("LRN002", "tip", f"Cannot tell how large the gap is: {how}.", numbers, undecided=True)


def falls(table: Table) -> list[Finding]:
    """LRN003: does a model get worse with more rows, on the way or in the end?

    Any two sizes are compared fold by fold. p values count twice the sizes over, which holds the false alarms on a flat curve
    at 5 % (pairs share their points, so that as many as there are pairs would be too many), and by the models (Holm).
    """
    found = [_deepest(table, curve) for curve in table.curves]
    levels = holm([fall[3] if fall else NAN for fall in found])
    return [_fall(table, curve, *fall[:3], float(p)) for curve, fall, p in zip(table.curves, found, levels) if fall and p < ALPHA]


def _deepest(table: Table, curve: Curve) -> tuple[int, int, Difference, float] | None:
    """The fall that is hardest to explain by chance, among those of more than a point: from, to, how deep, and its p value."""
    known = [int(i) for i in curve.known]
    sign = table.metric.sign
    pairs = [(i, j) for place, i in enumerate(known) for j in known[place + 1:]
             if sign * (curve.score[i] - curve.score[j]) > table.points(float(curve.score[i]))]
    deep = [(i, j, d) for i, j, d in ((i, j, _fallen(table, curve, i, j)) for i, j in pairs) if np.isfinite(d.p)]
    if not deep:
        return None
    i, j, difference = min(deep, key=lambda fall: fall[2].p)
    last = [fall for fall in deep if fall[1] == known[-1] and 2 * len(known) * fall[2].p < SURE]
    if last:
        i, j, difference = min(last, key=lambda fall: fall[2].p)
    return i, j, difference, min(1.0, 2 * len(known) * difference.p)


def _fallen(table: Table, curve: Curve, first: int, second: int) -> Difference:
    """How much worse the second size is, fold by fold; losses without an upper bound are compared by their ratio."""
    found = table.gained(curve.validation[second], curve.validation[first], second)
    if table.thin or table.metric.greater_is_better or np.isfinite(table.metric.high):
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(curve.validation[[second, first]])
    return Difference(*found[:3], paired_difference(logs[0], logs[1], test_ratio=table.ratios[second]).p)


def _fall(table: Table, curve: Curve, i: int, j: int, difference: Difference, p: float) -> Finding:
    name, ends = curve.name, j == curve.known[-1] and p < SURE
    first, second = table.sizes[i], table.sizes[j]
    numbers = {"model": name, "from": first, "to": second, "loss": difference.value, "low": difference.low,
               "high": difference.high, "p": p, "folds": len(table.nests.each)}
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    corrected = f"corrected for {count(len(curve.known), 'size')} and {count(len(table.curves), 'model')}"
    how = (f"from {table.metric.label} {number(float(curve.score[i]))} with {first:,} rows to "
           f"{number(float(curve.score[j]))} with {second:,} ({shown}, fold by fold, {corrected}; {table.size})")
    if ends:
        return Finding("LRN003", "issue", f"{name} gets worse with more rows: {how}.", numbers,
                       NextStep("find out what the later rows are: older, from elsewhere, or labelled otherwise", "data",
                                "check_quality(data)"))
    return Finding("LRN003", "tip", f"The curve of {name} has a dip: {how}. The error of a model without regularisation "
                                    "peaks where it has as many parameters as rows.", numbers,
                   NextStep("regularise it, and do not extend this curve", "refinement"))


def ranking(table: Table, best: Curve) -> list[Finding]:
    """LRN004: is another model better with fewer rows, or expected to be with more?"""
    others = [curve for curve in table.curves if curve is not best and len(curve.known)]
    if not others:
        return []
    last = int(best.known[-1])
    asked = [(curve, i, table.gained(best.validation[i], curve.validation[i], int(i)))
             for curve in others for i in best.known if i in curve.known]
    crossed = []
    level = dict(zip([(curve.name, i) for curve, i, _ in asked], holm([d.p for *_, d in asked])))
    for curve, i, difference in asked:
        behind = table.gained(curve.validation[last], best.validation[last], last)
        if i < last and difference.value > 0 and level[curve.name, i] < ALPHA \
                and behind.value > 0 and level.get((curve.name, last), 1.0) < ALPHA:
            crossed.append((difference.value, curve, int(i), difference, float(level[curve.name, i])))
    if crossed:
        _, curve, i, difference, p = max(crossed, key=lambda found: (found[2], found[0]))
        return [Finding("LRN004", "tip", f"Which model is best changes with the rows: with {table.sizes[i]:,} {curve.name} is "
                        f"better than {best.name} by {by_how_much(difference, p)}, with {table.sizes[last]:,} it is behind; "
                        f"{table.size}.", {"model": best.name, "other": curve.name, "n": table.sizes[i],
                        "difference": difference.value, "low": difference.low, "high": difference.high, "p": p},
                        NextStep("choose the model at the number of rows that it will have in the end", "exploration", AGAIN))]
    return _overtaken(table, best, others)


def _overtaken(table: Table, best: Curve, others: Sequence[Curve]) -> list[Finding]:
    last, sign = int(best.known[-1]), table.metric.sign
    n = 2.0 * table.sizes[last]
    own = curve_of(table, best)
    level = sign * float(own.ahead(np.array([n])).value[0]) if own else NAN
    for curve in others:
        found = curve_of(table, curve)
        ahead = found.ahead(np.array([n])) if found and curve.known[-1] == last else None
        low = min(sign * float(ahead.low[0]), sign * float(ahead.high[0])) if ahead else NAN
        if low > level:
            return [Finding("LRN004", "tip", f"{curve.name} is expected to overtake {best.name} with {number(n)} rows: "
                            f"{number(float(ahead.value[0]))} (80 %: {span(float(ahead.low[0]), float(ahead.high[0]))}) against "  # type: ignore[union-attr]
                            f"{number(sign * level)}.", {"model": best.name, "other": curve.name, "n": n, "level": sign * level},
                            NextStep("keep both until there are more rows", "exploration", AGAIN))]
    return [Finding("LRN004", "passed", f"No sign that another model would be better with fewer or with more rows: "
                    f"{best.name} is compared with {count(len(others), 'other')}; {table.size}.",
                    {"model": best.name, "compared": len(others), "n": table.nests.folds.n})]


def points_without(table: Table, missing: Mapping[tuple[int, int], tuple[int, int]]) -> list[Finding]:
    """LRN005: subsets that lack a class. LRN006: models that failed."""
    found = []
    for code_left, chosen in ((True, table.left_out), (False, {k: v for k, v in missing.items() if k not in table.left_out})):
        if not chosen:
            continue
        sizes = sorted({table.sizes[size] for _, size in chosen})
        fewest, most = min(chosen.values(), key=lambda pair: pair[0])
        what = "left out" if code_left else "kept: what was never seen counts as an error"
        found.append(Finding("LRN005", "tip", f"{count(len(chosen), 'subset')} of {_listed(sizes)} rows "
                             f"{'hold' if len(chosen) != 1 else 'holds'} {'one class' if fewest == 1 else f'{fewest} classes'} of "
                             f"{most} at the least; {'their' if len(chosen) != 1 else 'its'} points are {what}.",
                             {"subsets": len(chosen), "sizes": sizes, "classes": most, "fewest": fewest},
                             NextStep("begin with more rows, or label more of the rare classes", "data")))
    for curve in table.curves:
        if not curve.errors:
            continue
        sizes = sorted({table.sizes[i] for i, _, _ in curve.errors})
        whole = "no score at all" if not len(curve.known) else f"points missing at {_listed(sizes)} rows"
        found.append(Finding("LRN006", "issue", f"{curve.name} has {whole}: it failed in {count(len(curve.errors), 'fit')}: "
                             f"{curve.errors[0][2]}.", {"name": curve.name, "error": curve.errors[0][2], "sizes": sizes},
                             NextStep("fit it on X by itself; for tables that are not all numbers put prepare(X) before it",
                                      "exploration", "make_pipeline(prepare(X), model)")))
    return found


def _listed(sizes: Sequence[int]) -> str:
    return f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"


def about_the_data(table: Table, problem: Problem, dated: Sequence[str]) -> list[Finding]:
    """LRN007 to LRN011: what limits the curves."""
    found, folds, n = [], table.nests.folds, len(problem.y)
    most = max(len(nest.train) for nest in table.nests.each)
    if most > UNEVEN * table.nests.limit:
        found.append(Finding("LRN007", "tip", f"Sizes end at {table.nests.limit:,} rows: one fold has no more to learn from, the "
                             f"largest has {most:,}.", {"limit": table.nests.limit, "largest": most},
                             None if "in time" in folds.how else
                             NextStep("for a longer curve choose folds of more equal size", "exploration", AGAIN)))
    found += [Finding("LRN008", "tip", note, {"n": folds.n, "folds": len(folds.pairs)}) for note in folds.notes]
    if n < FEW:
        found.append(Finding("LRN009", "tip", f"There are only {n} rows: what more of them bring is hard to tell.", {"n": n},
                             NextStep("collect or label more rows before tuning", "data")))
    for curve in table.curves:
        if curve.warned:
            more = f" (and {len(curve.warned) - 1} more)" if len(curve.warned) > 1 else ""
            found.append(Finding("LRN010", "tip", f"{curve.name} warned: {curve.warned[0]}{more}",
                                 {"name": curve.name, "warnings": curve.warned[:10]}))
    if dated:
        found.append(Finding("LRN011", "tip", f"The rows have dates ({', '.join(map(repr, dated[:3]))}), but the folds are "
                             "shuffled: scores are too high if the model is to predict the future.", {"columns": list(dated)},
                             NextStep("say which column orders the rows", "exploration",
                                      f"learning_curve(models, data, time={dated[0]!r})")))
    return found


def all_findings(table: Table, problem: Problem, *, worth: float | None, missing: Mapping[tuple[int, int], Any],
                 dated: Sequence[str]) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    best, found = table.best, []
    if best is not None:
        point = table.points(float(best.score[best.known[-1]]))
        worth = point if worth is None else worth
        found = [more_rows(table, best, worth), gap(table, best, worth), *falls(table), *ranking(table, best)]
    return (*found, *points_without(table, missing), *about_the_data(table, problem, dated))
