"""How a score falls with the age of a model: models of every age on the same rows, so that a hard month is not taken for age."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from tqdm import tqdm

from ml_lifecycle.exploration import _columns, _measure
from ml_lifecycle.exploration._folds import _blocks
from ml_lifecycle.exploration._measure import Problem
from ml_lifecycle.foundation._render import PALETTE
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval, bootstrap_interval
from ml_lifecycle.maintenance._value import fitted, quietly

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAN = float("nan")
FEWEST_ROWS = 60  # of a period
FEWEST, MOST = 5, 10  # periods
N_BOOT = 100
UNITS = ((3 * 365.0, "months", 30.4375), (3.0, "days", 1.0), (0.125, "hours", 1 / 24), (0.0, "minutes", 1 / 1440))


@dataclass(frozen=True)
class Periods:
    """Rows in the order of time, cut into periods of about the same number of rows."""

    rows: tuple[np.ndarray, ...]  # positions, one array a period
    middle: np.ndarray  # mean time of each period, in `unit`
    end: np.ndarray  # last time of each period, in `unit`
    labels: tuple[str, ...]  # first and last time in words
    unit: str  # "days", or what the column counts

    @property
    def span(self) -> float:
        """How much older the oldest model gets than the freshest one."""
        return float(self.middle[-2] - self.middle[0])


def cut(times: np.ndarray, wanted: int | None) -> Periods | str:
    """The periods; or why there are none."""
    known = np.flatnonzero(~pd.isna(times))
    places, distinct = pd.factorize(times[known], sort=True)
    many = wanted or int(np.clip(len(known) // FEWEST_ROWS, 0, MOST))
    if len(distinct) < max(many, FEWEST):
        many = len(distinct)
    if many < FEWEST or len(known) < many * 20:
        return f"{len(known):,} rows at {len(distinct):,} different times make fewer than {FEWEST} periods that tell anything"
    block = _blocks(np.bincount(places), many)[places]
    rows = tuple(known[block == number] for number in range(many))
    values, unit, said = _clock(times)
    middle = np.array([values[part].mean() for part in rows])
    end = np.array([values[part].max() for part in rows])
    labels = tuple(f"{said(times[part].min())} to {said(times[part].max())}" for part in rows)
    return Periods(rows, middle, end, labels, unit)


def _clock(times: np.ndarray) -> tuple[np.ndarray, str, Callable[[Any], str]]:
    """(the times as numbers, what they count, how one is written)."""
    series = pd.Series(times)
    if series.dtype.kind != "M":
        kind = pd.api.types.infer_dtype(series, skipna=True)
        iso = kind == "string" and bool(series.dropna().str.match(r"\d{4}-\d{2}").all())
        with suppress(ValueError, TypeError):
            series = pd.to_datetime(series, format="ISO8601") if iso else \
                pd.to_datetime(series) if kind in ("datetime", "date", "datetime64") else series
    if series.dtype.kind == "M":
        days = (series - series.min()).dt.total_seconds().to_numpy() / 86_400
        whole = float(np.nanmax(days))
        unit, size = next((name, size) for least, name, size in UNITS if whole >= least)
        form = "%Y-%m-%d" if unit in ("days", "months") else "%Y-%m-%d %H:%M"
        return days / size, unit, lambda value: pd.Timestamp(value).strftime(form)
    try:
        numbers = pd.to_numeric(series).to_numpy(dtype=float)
    except (ValueError, TypeError):  # text that can be put in order: its rank
        numbers = pd.factorize(series, sort=True)[0].astype(float)
        return numbers, "steps of the time column", str
    return numbers, "units of the time column", lambda value: f"{float(value):g}"


def grid(problem: Problem, model: Any, periods: Periods, seed: int, n_jobs: int | None) -> pd.DataFrame:
    """One row for each period that a model learned from and each later one: its score, with an interval from the rows."""
    many = len(periods.rows)
    bar = tqdm(range(many - 1), desc="periods", unit="fit", delay=2, leave=False)
    try:
        done = list(Parallel(n_jobs=n_jobs)(delayed(quietly)(_one_model, problem, model, periods.rows, i, seed) for i in bar))
    except Exception as error:  # noqa: BLE001 - a model of the person's own may raise anything
        raise BadInputError(f"`model` must fit on the rows of a period and predict. Got {type(model).__name__}, which says: "
                            f"{_measure._one_line(error)}. Ask for fewer periods, or fit it on X by itself.") from None
    rows = []
    for i, found in enumerate(done):
        for j, interval in found:
            rows.append({"trained": i + 1, "period": j + 1, "age": float(periods.middle[j] - periods.end[i]),
                         "n": len(periods.rows[j]), "score": interval.value, "low": interval.low, "high": interval.high})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    fresh = frame[frame["trained"] == frame["period"] - 1].set_index("period")["score"]
    frame["behind"] = problem.metric.sign * (frame["period"].map(fresh) - frame["score"])
    frame["when"] = [periods.labels[number - 1] for number in frame["period"]]
    return frame


def _one_model(problem: Problem, model: Any, rows: Sequence[np.ndarray], i: int, seed: int) -> list[tuple[int, Interval]]:
    """A model of one period on every later one; nothing where there is but one class to learn from."""
    truth = problem.truth(rows[i])
    if problem.task == "classification" and len(set(truth.tolist())) < 2:
        return []
    ready = fitted(problem, model, problem.X, (rows[i], rows[i]), seed)
    return [(j, _scored(problem, ready, rows[j], seed)) for j in range(i + 1, len(rows))]


def _scored(problem: Problem, ready: Any, rows: np.ndarray, seed: int) -> Interval:
    said = _measure._asked(problem, ready, _columns.take(problem.X, rows))
    return bootstrap_interval(problem.metric, problem.truth(rows), said, n_boot=N_BOOT, seed=seed)


# the fall with age -------------------------------------------------------------------------------------------------------

def slope(frame: pd.DataFrame, middle: np.ndarray, sign: int, level: float = 0.95) -> Interval:
    """What the score loses for each unit of age, comparing only models of different age on the same period.

    Each period has an effect of its own (so that a hard month cancels out), and what a training period happens to teach is
    noise: the variance is that of leaving out each training period plus that of leaving out each scored one, less what
    both count (two-way clusters, Cameron, Gelbach and Miller 2011, Journal of Business & Economic Statistics 29, by jackknife).
    """
    known = frame[np.isfinite(frame["score"])]
    known = known[known.groupby("period")["score"].transform("size") > 1]
    models, periods = sorted(known["trained"].unique()), sorted(known["period"].unique())
    if len(models) < 4 or len(periods) < 3:
        return Interval(NAN, NAN, NAN)
    trained = middle[known["trained"].to_numpy() - 1]
    gains = sign * known["score"].to_numpy(dtype=float)
    period, model = known["period"].to_numpy(), known["trained"].to_numpy()
    value = _within(trained, gains, period)
    ways = [_jackknife([_within(trained[key != one], gains[key != one], period[key != one]) for one in names])
            for key, names in ((model, models), (period, periods))]
    each = np.arange(len(gains))
    both = _jackknife([_within(trained[each != one], gains[each != one], period[each != one]) for one in each])
    spread = max(sum(ways) - both, *ways)
    half = float(stats.t.ppf((1 + level) / 2, len(models) - 2)) * float(np.sqrt(spread))
    return Interval(value, value - half, value + half)


def _within(x: np.ndarray, y: np.ndarray, group: np.ndarray) -> float:
    """The slope of y on x when each group has a level of its own: newer training, better score."""
    codes = pd.factorize(group)[0]
    count = np.bincount(codes)
    dx, dy = x - (np.bincount(codes, x) / count)[codes], y - (np.bincount(codes, y) / count)[codes]
    total = float((dx**2).sum())
    return float((dx * dy).sum()) / total if total > 0 else NAN


def _jackknife(values: Iterable[float]) -> float:
    found = np.array([value for value in values if np.isfinite(value)])
    return float((len(found) - 1) / len(found) * ((found - found.mean()) ** 2).sum()) if len(found) > 1 else NAN


def periods_differ(frame: pd.DataFrame) -> float:
    """p value of "every period is as hard as the others" for the freshest models (Cochran's Q)."""
    fresh = frame[(frame["trained"] == frame["period"] - 1) & np.isfinite(frame["low"]) & (frame["high"] > frame["low"])]
    if len(fresh) < 3:
        return NAN
    weight = 1 / ((fresh["high"] - fresh["low"]) / 3.92) ** 2
    mean = (weight * fresh["score"]).sum() / weight.sum()
    return float(stats.chi2.sf((weight * (fresh["score"] - mean) ** 2).sum(), len(fresh) - 1))


def draw(ax: "Axes", frame: pd.DataFrame, label: str, unit: str, higher: bool) -> None:
    """The oldest model over its age, with a band, and the freshest one beside it."""
    if frame.empty or not np.isfinite(frame["score"]).any():
        ax.set_axis_off()
        ax.text(0.5, 0.5, "there is no score by age to draw", transform=ax.transAxes, ha="center", va="center")
        return
    first = frame["trained"].min()
    oldest = frame[frame["trained"] == first].sort_values("period")
    fresh = frame[frame["trained"] == frame["period"] - 1].set_index("period").reindex(oldest["period"])
    x = oldest["age"].to_numpy()
    for rows, colour, name, mark in ((fresh, PALETTE["blue"], "trained on the period before", "s"),
                                     (oldest, PALETTE["vermillion"], "trained once, at the start", "o")):
        y = rows["score"].to_numpy(dtype=float)
        ax.fill_between(x, rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float), color=colour, alpha=0.15,
                        linewidth=0)
        ax.plot(x, y, color=colour, marker=mark, markersize=4.5, linewidth=1.6, label=name)
    ax.set_xlabel(f"age of the model that was trained once ({unit})")
    ax.set_ylabel(f"{label}\n({'higher' if higher else 'lower'} is better; band: 95 %)")
    ax.legend(frameon=False, fontsize=8, loc="best")
