"""What a comparison of ideas says, as coded findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml_lifecycle.exploration._baseline_data import FEW, FEW_OF_CLASS
from ml_lifecycle.exploration._baseline_findings import evidence
from ml_lifecycle.exploration._ideas.judge import Leaderboard
from ml_lifecycle.exploration._judge import ALPHA, Row, by_how_much, span
from ml_lifecycle.exploration._measure import Problem
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import Difference
from ml_lifecycle.foundation.report import Finding, NextStep

SHOWN = 5  # names in one sentence
FLATTERED = 0.1  # points by which the best must be flattered to be worth a tip


def listed(rows: Sequence[Row]) -> str:
    """A few names, and how many more there are."""
    names = ", ".join(row.name for row in rows[:SHOWN])
    return names + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")


def more_folds(board: Leaderboard) -> NextStep:
    """What could decide what is undecided."""
    folds = board.table.folds
    kind = "RepeatedStratifiedKFold" if "classification" in board.table.metric.tasks else "RepeatedKFold"
    repeat = f"repeat the folds, cv={kind}(n_splits=5, n_repeats=4), or " if "shuffled" in folds.how else ""
    return NextStep(f"{repeat}see whether more rows would tell", "exploration", "compare_ideas(ideas, data) on more rows")


def better_than_the_baseline(board: Leaderboard) -> Finding:
    """IDE001: is any idea better than the baseline, with a correction for how many were tried?"""
    table, base, tried = board.table, board.baseline, len(board.against)
    if not tried:
        why = "the baseline has no score" if not base.measured else "no idea has a score"
        return Finding("IDE001", "not applicable", f"No idea could be held against the baseline: {why}.")
    better = board.of("better")
    best = better[0] if better else next(row for row in board.ideas if row.name in board.against)
    difference, p = board.against[best.name]
    numbers = evidence(table, difference, p, best=best.name, baseline=base.name, tried=tried,
                       better=[row.name for row in better], worse=[row.name for row in board.of("worse")])
    corrected = f", corrected for {count(tried, 'idea')}" if tried > 1 else ""
    shown = difference if board.verdict(best) != "worse" else Difference(-difference.value, -difference.high, -difference.low, p)
    how = f"{by_how_much(shown, p)}{corrected}; {table.size}"
    against = f"the baseline {base.name} ({number(base.score)})"
    if better:
        first = f"{best.name} is better than {against} by {how}." if tried == 1 else \
            f"{len(better)} of {tried} ideas {'are' if len(better) > 1 else 'is'} better than {against}: " \
            f"{'the best of them, ' if len(better) > 1 else ''}{best.name}, by {how}."
        return Finding("IDE001", "passed", first, numbers)
    return _nothing_better(board, best, how, numbers)


def _nothing_better(board: Leaderboard, best: Row, how: str, numbers: dict[str, Any]) -> Finding:
    """IDE001 when no idea is shown to be better: whether that decides anything, and how the nearest of them stands."""
    table, base, tried = board.table, board.baseline, len(board.against)
    worse = board.of("worse")
    rest = [row for row in board.ideas if row.name in board.against and row not in worse]
    score = f"{base.name} ({number(base.score)})"
    nearest = best.name if tried == 1 else f"{'The nearest' if best in worse else 'The best'} of {tried} ideas, {best.name},"
    stands = f"{nearest} is worse by {how}." if best in worse else f"{nearest} differs from it by {how}."
    another = NextStep("look at the errors for ideas of another kind", "refinement", "top_losses(X, y, proba)")
    if not rest:
        all_of_them = "" if tried == 1 else f" All {tried} are worse." if tried > 2 else " Both are worse."
        return Finding("IDE001", "tip", f"Keep the baseline: no idea is better than {score}.{all_of_them} {stands}", numbers,
                       another)
    highest = max(table.better(row, base, 1 - ALPHA / tried).high for row in rest)
    if highest < table.points(base):
        return Finding("IDE001", "tip", f"Keep the baseline: no idea is worth a point more than {score}. {stands}", numbers,
                       another)
    unknown = f" Of {count(len(rest), 'other')} it cannot be told: {listed(rest)}." if best in worse else ""
    return Finding("IDE001", "tip", f"Cannot tell whether any idea is better than the baseline {score}. {stands}{unknown} "
                                    "Keep the baseline until it can be told.", numbers, more_folds(board), undecided=True)


def winners_curse(board: Leaderboard) -> Finding:
    """IDE002: how much does the best score owe to being the best of many?"""
    table, best, honest = board.table, board.best, board.honest
    scored = len(table.of(*{row.kind for row in table.rows}))
    if best is None or not honest.known:
        why = "fewer than two have a score" if scored < 2 else "a class is too rare" if table.thin else \
            "there are fewer than three folds without rows in common"
        return Finding("IDE002", "not applicable", f"By how much the best score flatters itself cannot be told: {why}.")
    numbers = {"best": best.name, "score": best.score, "honest": honest.score, "low": honest.low, "high": honest.high,
               "optimism": honest.optimism, "n": table.folds.n, "folds": len(table.folds.pairs), "scores": scored}
    said = f"{number(honest.score)} ({span(honest.low, honest.high)}; {table.size})"
    if honest.optimism < FLATTERED * table.points(best):
        return Finding("IDE002", "passed", f"Choosing the best of {scored} flatters little: chosen without the fold that it is "
                                           f"scored on, the best reaches {said}, against {number(best.score)}.", numbers)
    return Finding("IDE002", "tip", f"The best of {scored} scores is optimistic by about {number(honest.optimism)}: {best.name} "
                                    f"has {number(best.score)}; chosen without the fold that it is scored on, the best reaches "
                                    f"{said}.",
                   numbers, NextStep("quote the lower score, and score the chosen idea once on rows that no idea has seen",
                                     "evaluation"))


def ties(board: Leaderboard) -> list[Finding]:
    """IDE003: which others may be the best one?"""
    scored = sum(row.measured for row in board.table.rows)
    if scored < 2 or board.best is None:
        return []
    best, rest = board.best, board.ties[1:]
    numbers = {"best": best.name, "ties": [row.name for row in board.ties], "scores": scored, "n": board.table.folds.n}
    if not rest:
        return [Finding("IDE003", "passed", f"{best.name} is shown to be the best of {scored}; {board.table.size}.", numbers)]
    known = [row for row in board.ties if np.isfinite(row.fit_seconds)]
    quick = min(known, key=lambda row: row.fit_seconds, default=best)
    return [Finding("IDE003", "tip", f"{count(len(rest), 'other')} of {scored} {'tie' if len(rest) > 1 else 'ties'} with the "
                                     f"best, {best.name}: {listed(rest)}. The quickest to fit of them all is {quick.name} "
                                     f"({number(quick.fit_seconds)} s).", {**numbers, "quickest": quick.name},
                    NextStep("choose among them by price, or repeat the folds to tell them apart", "exploration"))]


def without_score(board: Leaderboard) -> list[Finding]:
    """IDE004: what failed, and IDE005: what overran its time, each error once."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in board.table.rows:
        if np.isfinite(row.late):
            groups.setdefault(("IDE005", row.note), []).append(row)
        elif not row.measured:
            groups.setdefault(("IDE004", row.note), []).append(row)
    found = []
    for (code, note), rows in groups.items():
        numbers: dict[str, Any] = {"names": [row.name for row in rows], "error": rows[0].error}
        if code == "IDE005":
            found.append(Finding(code, "tip", f"{listed(rows)}: {note}.", {**numbers, "seconds": rows[0].late},
                                 NextStep("give more time, seconds=..., or try it on fewer rows", "exploration")))
            continue
        what = "The baseline" if rows[0] is board.baseline else ""
        found.append(Finding(code, "issue", f"{what + ' ' if what else ''}{listed(rows)} has no score: {note}." if len(rows) == 1
                             else f"{len(rows)} ideas have no score: {listed(rows)}: {note}.", numbers,
                             NextStep("try the idea on a few rows of X by itself", "exploration")))
    return found


def changes_nothing(board: Leaderboard) -> list[Finding]:
    """IDE009: ideas that score exactly as the baseline does in every fold."""
    base = board.baseline
    same = [row for row in board.ideas if row.measured and base.measured and row.scores == base.scores]
    if not same:
        return []
    return [Finding("IDE009", "tip", f"{listed(same)} {'score' if len(same) > 1 else 'scores'} exactly as the baseline does in "
                                     f"every fold: {'do they' if len(same) > 1 else 'does it'} change anything?",
                    {"names": [row.name for row in same]})]


def about_the_data(board: Leaderboard, problem: Problem, unlimited: Sequence[str], dated: Sequence[str]) -> list[Finding]:
    """IDE006, IDE007, IDE008 and IDE010: what limits the comparison."""
    table, n = board.table, len(problem.y)
    found = [Finding("IDE006", "tip", note, {"n": table.folds.n, "folds": len(table.folds.pairs)}) for note in table.folds.notes]
    if dated:
        found.append(Finding("IDE006", "tip", f"The rows have dates ({', '.join(map(repr, dated[:3]))}), but the folds are "
                             "shuffled: scores are too high if the idea is to predict the future.", {"columns": list(dated)},
                             NextStep("say which column orders the rows", "exploration",
                                      f"compare_ideas(ideas, data, time={dated[0]!r})")))
    labels, sizes = np.unique(problem.y if problem.task == "classification" else [], return_counts=True)
    rare = int(sizes.min()) if len(labels) else n
    if n < FEW or (len(labels) and rare < FEW_OF_CLASS):
        few = f"{n} rows" if n < FEW else f"{count(rare, 'row')} of class {str(labels[sizes.argmin()])!r}"
        found.append(Finding("IDE007", "tip", f"There are only {few}: differences between ideas are hard to tell.",
                             {"n": n, "rarest": rare}, NextStep("collect or label more rows first", "data")))
    texts: dict[str, list[Row]] = {}
    for row in table.rows:
        for text in row.warned[:1]:
            texts.setdefault(text, []).append(row)
    found += [Finding("IDE008", "tip", f"{listed(rows)} warned: {text}", {"names": [row.name for row in rows], "warning": text})
              for text, rows in texts.items()]
    if unlimited:
        found.append(Finding("IDE010", "tip", f"{', '.join(unlimited[:SHOWN])} ran without a time limit: what cannot be sent to "
                             "another process cannot be stopped.", {"names": list(unlimited)}))
    return found


def all_findings(board: Leaderboard, problem: Problem, unlimited: Sequence[str], dated: Sequence[str]) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    return (better_than_the_baseline(board), winners_curse(board), *ties(board), *without_score(board), *changes_nothing(board),
            *about_the_data(board, problem, unlimited, dated))
