"""How far off an extrapolated learning curve is, beside "the last value stays" and fitted forms, and whether intervals hold.

LCDB 1.0 (Mohr et al. 2022, 246 data sets, 20 learners) is read from `--lcdb PATH` (a directory with its CSV files) or downloaded:
`pip download lcdb --no-deps --no-binary :all:`. Without it only the curves measured here are judged, and the page says so.
"""

import argparse
import time
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
from _curves import SEEN, find_lcdb, lcdb, own, tuned_on
from _results import table, write_section
from threadpoolctl import threadpool_limits

from ml_lifecycle.exploration.extrapolate import extrapolate_curve

curves, halves = lru_cache(maxsize=None)(lcdb), lru_cache(maxsize=None)(tuned_on)  # each file is read once
SHIFTS, RATES, POWERS = np.r_[0, np.geomspace(1e-3, 9, 14)], np.geomspace(0.02, 99, 25), np.geomspace(0.05, 5, 20)
FORMS = {  # what falls, as a function of size over the largest seen; a grid of its parameters. Error = asymptote + gain · this
    "pow3": (lambda n, c: n**-c, (np.geomspace(0.02, 5, 60),)),
    "pow4": (lambda n, c, d: (n + d) ** -c, (np.geomspace(0.02, 5, 25), SHIFTS)),
    "MMF4": (lambda n, b, d: b / (b + n**d), (np.geomspace(1e-4, 99, 25), POWERS)),
    "Weibull4": (lambda n, c, d: np.exp(-c * n**d), (RATES, POWERS)),
    "exp3": (lambda n, c: np.exp(-c * n), (np.geomspace(0.02, 60, 60),)),
}


def fitted(case):
    """Each form's answer on an accuracy: least squares over the whole grid, the asymptote of the error not below 0, no rise."""
    error, at = 1 - case.scores, np.r_[case.sizes, case.final] / case.sizes[-1]
    found = {}
    for name, (form, grid) in FORMS.items():
        shape = form(at, *(part.ravel()[:, None] for part in np.meshgrid(*grid, indexing="ij")))
        seen, later = shape[:, :-1], shape[:, -1]
        bare = seen - seen.mean(axis=1, keepdims=True)
        gain = np.maximum(bare @ error / np.maximum((bare**2).sum(axis=1), 1e-12), 0)
        end = error.mean() - gain * seen.mean(axis=1)
        through_0 = seen @ error / (seen**2).sum(axis=1)
        gain, end = np.where(end < 0, through_0, gain), np.maximum(end, 0)
        best = np.argmin(((end[:, None] + gain[:, None] * seen - error) ** 2).sum(axis=1))
        found[name] = 1 - float(end[best] + gain[best] * later[best])
    return found


def judged(cases, peers=False):
    rows = []
    for case in cases:
        start = time.process_time()
        answer = extrapolate_curve(case.sizes, case.scores, case.final, greater_is_better=case.greater)
        took, last = time.process_time() - start, case.scores[-1]
        row = {"data": case.data, "learner": case.learner, "seen": case.seen, "last": abs(last - case.truth),
               "ours": abs(answer.value - case.truth), "held": answer.low <= case.truth <= answer.high,
               "ill": answer.behaviour == "ill-behaved", "ms": 1000 * took, "endless": not np.isfinite(answer.high)}
        if peers:
            found = fitted(case)
            row |= {name: abs(value - case.truth) for name, value in found.items()}
            row["median of the five"] = abs(max(last, float(np.median(list(found.values())))) - case.truth)
        rows.append(row)
    return pd.DataFrame(rows)


def ratio(part, name="ours", draws=500):
    """Mean absolute error over that of the last value, with a 95 % bootstrap interval over data sets."""
    sums = part.groupby("data")[[name, "last"]].sum().to_numpy()
    picks = np.random.default_rng(0).integers(0, len(sums), (draws, len(sums)))
    drawn = sums[picks].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return f"{part[name].mean() / part['last'].mean():.2f} ({low:.2f} to {high:.2f})"


def line(what, found):
    row = {"curves": what, "n": f"{len(found):,}"}
    for seen in SEEN:
        row[f"{seen:.0%} seen"] = ratio(found[found["seen"] == seen])
    held = [found.loc[found["seen"] == seen, "held"].mean() for seen in SEEN]
    return row | {"80 % intervals that hold": " / ".join(f"{share:.0%}" for share in held),
                  "ill-behaved": f"{found['ill'].mean():.0%}"}


def sample(cases, most, seed=0):
    order = np.random.default_rng(seed).permutation(len(cases))[:most]
    return [cases[i] for i in order]


def on_lcdb(folder, most):
    cases, rows = curves(folder, "accuracy", "all", "score_valid"), []
    data, learners = halves(folder)
    parts = {"data sets and learners that the constants were set on": (True, True), "other data sets": (False, True),
             "other learners": (True, False), "other data sets and other learners": (False, False)}
    for what, (known, taught) in parts.items():
        part = [case for case in cases if (case.data in data) == known and (case.learner in learners) == taught]
        rows.append(line(f"accuracy, {what}", judged(sample(part, most))))
    for what, metric, runs, score in (
            ("test accuracy", "accuracy", "all", "score_test"), ("accuracy, mean of five runs", "accuracy", "five", "score_valid"),
            ("accuracy, one run", "accuracy", "one", "score_valid"), ("F1", "f1", "all", "score_valid"),
            ("AUC", "auc", "all", "score_valid"), ("log loss", "logloss", "all", "score_valid")):
        if (folder / f"database-{metric}.csv").exists():
            part = [case for case in curves(folder, metric, runs, score) if case.data not in data]
            rows.append(line(f"{what}, other data sets", judged(sample(part, most))))
            if runs != "all":
                part = [case for case in part if case.learner not in learners]
                rows.append(line(f"{what}, other data sets and other learners", judged(sample(part, most))))
    return rows


def beside_peers(folder, most):
    """Ours and the fitted forms on accuracies of other data sets, by how many runs a curve is the mean of."""
    data, rows, each = halves(folder)[0], [], {}
    for said, runs, least in (("mean of all runs", "all", 0), ("mean of five runs", "five", 0), ("one run", "one", 0),
                              ("one run, final size 5,000 or more", "one", 5000)):
        part = [case for case in curves(folder, "accuracy", runs, "score_valid") if case.data not in data and case.final >= least]
        each[said] = found = judged(sample(part, most, seed=1), peers=True)
        for name, column in (("extrapolate_curve", "ours"), ("median of the five, clipped", "median of the five"),
                             *((f"{form} alone", form) for form in FORMS)):
            shares = {f"{seen:.0%} seen": ratio(found[found["seen"] == seen], column) for seen in SEEN}
            rows.append({"curves": said, "who": name, **shares})
    return rows, each["mean of all runs"]


def on_own():
    cases, rows = own(), []
    for metric in dict.fromkeys(kind[0] for kind in cases):
        for how, said in (("five", "mean of five splits"), ("one", "one split")):
            rows.append(line(f"{metric}, {said}", judged([case for m, h, _, case in cases if (m, h) == (metric, how)])))
    for kind in ("geometric", "linear"):
        rows.append(line(f"all four, {kind} sizes", judged([case for _, _, k, case in cases if k == kind])))
    return rows


def main():
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--lcdb", help="directory with LCDB's CSV files")
    ask.add_argument("--cases", type=int, default=1000, help="cases judged in each row of the table")
    ask.add_argument("--peers", type=int, default=500, help="cases that the fitted forms are judged on, in each part")
    asked = ask.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    folder, absent = find_lcdb(asked.lcdb)
    text = f"LCDB is not at hand, and so its curves are left out: {absent}."
    with threadpool_limits(1):
        if folder is not None:
            rows = on_lcdb(folder, asked.cases)
            peers, found = beside_peers(folder, asked.peers)
            found["learner"] = found["learner"].str.split(".").str[-1]
            ill = found.groupby("learner")["ill"].mean().sort_values(ascending=False)
            often = [", ".join(f"{name} ({share:.0%})" for name, share in part.items()) for part in (ill.head(4), ill.tail(3))]
            text = f"""Curves of LCDB 1.0 (Mohr et al. 2022), at most {asked.cases:,} cases a row, drawn at random. The
constants were set on half of its data sets and learners; all rows but the first are of others.

{table(rows)}

Beside the forms that are usually fitted, on at most {asked.peers:,} cases a part, of other data sets (accuracy). The forms are
fitted by least squares over a whole grid, with an asymptote of the error of at least 0 (they are told that an accuracy ends at 1;
`extrapolate_curve` takes scores that all lie in 0..1 to end there); the median is clipped so that it is never worse than the last
value. The fewer runs a curve is the mean of, the noisier are its scores, the last one and the one asked for among them:

{table(peers)}

{found['ms'].median():.0f} ms of processor time a curve (median; 95 % within {found['ms'].quantile(0.95):.0f} ms).
Most often ill-behaved: {often[0]}; least often: {often[1]}."""
        mine = on_own()
    write_section("extrapolation", f"""## Extrapolated learning curves

`python benchmarks/extrapolation.py`, {time.perf_counter() - start:.0f} s in all.

The first 10, 25 or 50 % of the final size is seen, at 4 sizes or more; asked for is the score at the final size. Figures are mean
absolute errors as a ratio to those of "the last value stays" (below 1 is better), with 95 % intervals from resampled data sets.

{text}

Curves measured on the spot, of scikit-learn models on data that nothing was set on, 4 to 20 sizes seen:

{table(mine)}""")


if __name__ == "__main__":
    main()
