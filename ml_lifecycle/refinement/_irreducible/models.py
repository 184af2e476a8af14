"""An upper bound of the irreducible error: what the best of several strong models gets wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.exploration._entries import infer_task
from ml_lifecycle.exploration.baselines import BaselineReport, baselines
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.foundation.report import Finding
from ml_lifecycle.refinement._breakdown.parts import as_error, metric_named, read_parts
from ml_lifecycle.refinement._irreducible.parts import AT_MOST, LEVEL, NAN, Found, Line, lowest_of

TRIVIAL = "trivial"


def by_models(data: Any, y: Any, models: Any, *, metric: Any, n: Any, task: str | None, seed: int) -> Found:
    """The lowest upper bound of the models' errors: no model errs less than the irreducible error."""
    if isinstance(data, BaselineReport):
        return _of_report(data, metric_named(data.metric))
    if y is None and models is not None and data is None:
        return _of_numbers(models, metric_named(metric), n)
    report = baselines(data, y, models=models, metric=metric or ("accuracy" if _is_classes(y, task) else None),
                       task=task, seed=seed)
    return _of_report(report, metric_named(report.metric))


def _is_classes(y: Any, task: str | None) -> bool:
    return (task or infer_task(y)) == "classification"


def _of_numbers(models: Any, metric: Metric | None, n: Any) -> Found:
    if not isinstance(models, Mapping) or not models or any(value is None for value in models.values()):
        raise BadInputError("`models` must be a dict of scores by name, or come with X and y. "
                            f"Got {type(models).__name__}. Write models={{'forest': 0.08}}, n=1000.")
    rows = []
    for name, value in models.items():
        label = str(name)
        part = read_parts({label: value}, n.get(name) if isinstance(n, Mapping) else n, metric)[label]
        rows.append((label, Interval(part.value, part.low, part.high), part.n or 0, "as given"))
    return _bounded(rows, metric)


def _of_report(report: BaselineReport, metric: Metric | None) -> Found:
    rows = []
    for row in report.frame.itertuples(index=False):
        if row.kind == TRIVIAL or not np.isfinite(row.score):
            continue
        errors = sorted(as_error(metric, float(v)) for v in (row.low, row.high))
        n = int(row.n) if np.isfinite(row.n) else 0
        found = Interval(as_error(metric, float(row.score)), *errors)
        rows.append((str(row.name), found, n, f"{row.kind}, on rows it did not see"))
    if not rows:
        raise BadInputError("`data` must hold a model with a score. Got none. Run baselines(data) with models.")
    return _bounded(rows, metric)


def _bounded(rows: list[tuple[str, Interval, int, str]], metric: Metric | None) -> Found:
    """Intervals are widened so that all of them hold together (Bonferroni): the best of many may be so by luck."""
    wider = float(stats.norm.ppf(1 - (1 - LEVEL) / (2 * len(rows))) / stats.norm.ppf((1 + LEVEL) / 2))
    wide = [Interval(v.value, v.value - wider * (v.value - v.low), v.value + wider * (v.high - v.value)) for _, v, _, _ in rows]
    known = [i for i, v in enumerate(wide) if np.isfinite(v.high)]
    best, high = lowest_of([wide[i] for i in known]) if known else (int(np.argmin([v.value for v in wide])), NAN)
    best = known[best] if known else best
    floor = 0.0 if metric is None or np.isfinite(metric.high if metric.greater_is_better else metric.low) else NAN
    lines = tuple(Line(name, *found, n, AT_MOST, note) for name, found, n, note in
                  sorted(rows, key=lambda row: row[1].value))
    name, n = rows[best][0], rows[best][2]
    many = Finding("IRR005", "passed", f"The best of {count(len(rows), 'model')} counts, with an upper bound that holds for all "
                   "of them together.", {"models": len(rows)})
    value = wide[best].value
    return Found(value, min(floor, value) if floor == floor else NAN, max(value, high) if high == high else NAN, n,
                 metric.name if metric is not None else "error", True, lines, (many,) if len(rows) > 1 else (),
                 {"best": name, "models": len(rows)})
