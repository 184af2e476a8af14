"""Whether `error_breakdown` names planted causes, how near its terms come, and whether it is silent with few rows.

`python benchmarks/error_breakdown.py [--seeds 2] [--ratings FOLDER]`, the folder of an unpacked vaderSentiment sdist (it holds
texts with some 20 ratings each). skore is optional: without it its columns are left out, and the page says so.
"""

import argparse
import ast
import contextlib
import io
import tarfile
import time
import warnings
from pathlib import Path

import numpy as np
from _breakdown_cases import cases, mixed
from _results import table, write_section
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from ml_lifecycle.refinement import error_breakdown, irreducible_error

try:
    import skore
except ImportError:
    skore = None
CAUSES = ("irreducible", "avoidable_bias", "variance", "distribution_shift", "validation_overfitting")
NEAR = 0.03
FEW = 40  # rows of each part in the second round
OTHERS = [f"SKD{i:03d}" for i in range(3, 17)]  # skore's checks that are about something else


def floor(case, measured):
    """The irreducible error as a person would have it: known, or measured on 400 items by people."""
    best = case.problem.best
    if not measured or case.problem.metric not in ("accuracy", "rmse"):
        return 1 - best if case.problem.metric == "accuracy" else best
    rng = np.random.default_rng(5)
    X = case.problem.rows(400, rng)
    labels = np.column_stack([case.problem.draw(400, rng, X)[1] for _ in range(10)])
    return irreducible_error(labels, task="regression" if case.problem.task == "numbers" else None)


def theirs(case):
    """Whether skore flags overfitting and underfitting of the same fitted model, on the rows that come first after training."""
    if skore is None:
        return None
    (X, y), (later, target) = case.learned, case.parts.get("val_train", case.parts.get("val"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        report = skore.EstimatorReport(clone(case.model), X_train=X, y_train=y, X_test=later, y_test=target)
        frame = report.checks.summarize(ignore=OTHERS).frame()
    issues = {str(row.code) for row in frame.itertuples() if row.section == "issue"}
    return "SKD001" in issues, "SKD002" in issues


def judged(case, number):
    """What the breakdown says with all rows and with few, against the truth."""
    metric = case.problem.metric
    report = error_breakdown.from_model(case.model, case.parts, metric=metric, irreducible=floor(case, number % 2), n_boot=300)
    few = {part: (X[:FEW], y[:FEW]) for part, (X, y) in case.parts.items()}
    little = error_breakdown.from_model(case.model, few, metric=metric, irreducible=floor(case, False), n_boot=100)
    sizes = sorted(case.truth.values())
    cause = max(case.truth, key=case.truth.get)
    terms = [(name, report.components[name], true) for name, true in case.truth.items()]
    return {"planted": case.cause, "cause": cause, "clear": sizes[-1] > 1.5 * sizes[-2] and sizes[-1] - sizes[-2] > NEAR,
            "said": report.dominant, "few": little.dominant, "skore": theirs(case), "name": case.name,
            "off": [(name, abs(v[0] - true)) for name, v, true in terms],
            "held": [(name, v[1] - 1e-12 <= true <= v[2] + 1e-12) for name, v, true in terms]}


def by_cause(found):
    rows = []
    for cause in (*CAUSES, "all"):
        own = [f for f in found if cause in ("all", f["cause"])]
        clear = [f for f in own if f["clear"]]
        if not own:
            continue
        row = {"true cause": cause, "cases": len(own),
               "named": f"{sum(f['said'] == f['cause'] for f in own)} of {len(own)}",
               "clear cases named": f"{sum(f['said'] == f['cause'] for f in clear)} of {len(clear)}",
               "cannot tell": sum(f["said"] is None for f in own),
               "wrong": sum(f["said"] not in (None, f["cause"]) for f in own),
               f"with {FEW} rows: named / cannot tell / wrong": " / ".join(str(sum(found)) for found in (
                   [f["few"] == f["cause"] for f in own], [f["few"] is None for f in own],
                   [f["few"] not in (None, f["cause"]) for f in own]))}
        if skore is not None:
            row["skore: overfitting / underfitting flagged"] = " / ".join(
                str(sum(f["skore"][i] for f in own)) for i in (0, 1))
        rows.append(row)
    return rows


def neighbours(draws=6, rows=1_000):
    """Bounds from X and y alone: how often the truth lies between them, and above Cover & Hart's as it stands."""
    found = []
    for columns in (1, 3, 10, 20):
        kept, plain, low, high = [], [], [], []
        for number, kind in enumerate(("flipped", "smooth", "sharp", "chance")):
            for seed in range(draws):
                rng = np.random.default_rng([seed, columns, number])
                X = rng.normal(size=(rows, columns))
                p = {"flipped": np.where(X[:, 0] > 0, 0.85, 0.15), "smooth": 1 / (1 + np.exp(-3 * X[:, 0])),
                     "sharp": np.where(X[:, 0] > 0, 1.0, 0.0), "chance": np.full(rows, 0.5)}[kind]
                truth = {"flipped": 0.15, "smooth": 0.1642, "sharp": 0.0, "chance": 0.5}[kind]
                report = irreducible_error(X, rng.random(rows) < p, seed=seed)
                kept.append(report.low <= truth <= report.high)
                bound = report.frame.set_index("name")["value"]["Cover & Hart 1967"]
                plain.append(bound <= truth)
                low.append(report.low)
                high.append(report.high)
        found.append({"columns": columns, "data sets": len(kept), "truth within the bounds": f"{np.mean(kept):.0%}",
                      "mean bounds": f"{np.mean(low):.3f} to {np.mean(high):.3f}",
                      "truth above Cover & Hart's bound as it stands": f"{np.mean(plain):.0%}"})
    return found


def by_term(found):
    rows = []
    for name in (*CAUSES, "all"):
        off = [value for f in found for term, value in f["off"] if name in (term, "all")]
        held = [value for f in found for term, value in f["held"] if name in (term, "all")]
        rows.append({"term": name, "cases": len(off), "mean distance": f"{np.mean(off):.4f}", "largest": f"{max(off):.4f}",
                     "within .03": f"{np.mean(np.array(off) <= NEAR):.1%}", "interval holds it": f"{np.mean(held):.1%}"})
    return rows


def populations():
    """Kinds of items: how the probabilities of their labels are spread."""
    for classes in (2, 4):
        even = np.full(classes, 1 / classes)
        yield f"{classes} labels, from plain to doubtful", lambda rng, n, k=classes: rng.dirichlet(np.full(k, 0.4), n)
        yield f"{classes} labels, 70 % plain, the others chance", lambda rng, n, k=classes, e=even: np.where(
            rng.random((n, 1)) < 0.7, 0.97 * np.eye(k)[rng.integers(0, k, n)] + 0.03 * e, e)
        yield f"{classes} labels, all alike", lambda rng, n, k=classes: np.roll(
            np.tile([0.8] + [0.2 / (k - 1)] * (k - 1), (n, 1)), 1, axis=1)


def ratings_planted(draws=25, items=400):
    rows = []
    for each in (3, 5, 10, 20):
        off, plain, held, wide = [], [], [], []
        for number, (_, make) in enumerate(populations()):
            truth = float((1 - make(np.random.default_rng(99), 200_000).max(1)).mean())
            for seed in range(draws):
                rng = np.random.default_rng([seed, number, each])
                counts = rng.multinomial(each, make(rng, items))
                report = irreducible_error(counts, method="counts", n_boot=100, seed=seed)
                off.append(report.value - truth)
                plain.append((1 - counts.max(1) / each).mean() - truth)
                held.append(report.low <= truth <= report.high)
                wide.append(report.high - report.low)
        rows.append({"labels an item": each, "populations x draws": f"6 x {draws}", "bias": f"{np.mean(off):+.3f}",
                     "mean distance": f"{np.mean(np.abs(off)):.3f}", "within .03": f"{np.mean(np.abs(off) <= NEAR):.0%}",
                     "interval holds it": f"{np.mean(held):.1%}", "its width": f"{np.mean(wide):.3f}",
                     "mean distance of mean min(p, 1 − p) as it stands": f"{np.mean(np.abs(plain)):.3f}"})
    return rows


def real_ratings(folder):
    """Signs of some 20 ratings a text: what a few of them say, against all of them."""
    rows, home = [], Path(folder)
    packed = next(iter(home.rglob("hutto_ICWSM_2014.tar.gz")), None)
    if packed is None:
        return rows
    with tarfile.open(packed) as archive:
        for member in sorted((m for m in archive.getmembers() if m.name.endswith("anonDataRatings.txt")), key=lambda m: m.name):
            lines = archive.extractfile(member).read().decode("utf-8", "replace").splitlines()
            texts = [np.sign(ast.literal_eval(line.split("\t")[-1])).tolist() for line in lines if line.strip().endswith("]")]
            whole = irreducible_error(texts, n_boot=200)
            row = {"texts": f"{Path(member.name).name.split('_')[0]}, {len(texts):,}",
                   "all ratings": f"{whole.value:.3f} ({whole.low:.3f} to {whole.high:.3f})"}
            for each in (3, 5):
                rng = np.random.default_rng(each)
                few = irreducible_error([rng.permutation(text)[:each].tolist() for text in texts], n_boot=200)
                row |= {f"{each} of them": f"{few.value:.3f} ({few.low:.3f} to {few.high:.3f})"}
                row |= {f"mean min(p, 1 − p) of {each}": f"{few.frame.loc[few.frame['reads'] == 'at least', 'value'].item():.3f}"}
            rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--ratings", default="")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with threadpool_limits(1):
        found = [judged(case, i) for seed in range(1, asked.seeds + 1) for i, case in enumerate(cases(seed))]
        other = [judged(case, i) for seed in range(1, asked.seeds + 1) for i, case in enumerate(mixed(seed))]
        near = neighbours()
        planted, real = ratings_planted(), real_ratings(asked.ratings) if asked.ratings else []
    missed = [f"{f['name']}: {f['cause']}, said {f['said']}" for f in found if f["said"] != f["cause"]]
    absent = "" if skore is not None else "\nskore is not installed: its column is left out (`pip install skore`).\n"
    texts = f"""
Real ratings (vaderSentiment's texts, sign of each rating): what a few ratings a text say, beside all of them.

{table(real)}""" if real else "\nNo folder of real ratings was given (`--ratings`): that table is left out."
    write_section("error_breakdown", f"""## What limits a model

`python benchmarks/error_breakdown.py`, {asked.seeds} seeds, {time.perf_counter() - start:.0f} s in all.

{len(found)} fitted models on problems whose irreducible error is known by construction: two classes, four classes, numbers;
accuracy, Brier score, RMSE; 1,000 to 4,000 validation rows. The true cause is the largest term on 30,000 fresh rows; rows
that were trained on count as they are. Half of the cases know the irreducible error, half have it from ten people's labels
of 400 other items. Clear: the largest term is 1.5 times the next, and 3 points more. Of skore the checks for overfitting
(SKD001) and underfitting (SKD002, close to a dummy) of the same model, fitted anew on the same rows, on the first validation part.
{absent}
{table(by_cause(found))}

Not named: {'; '.join(missed) or 'none'}.

Problems, rows, models and shifts drawn at random, so that causes mix and often none stands out:

{table(by_cause(other))}

How near each term comes to the truth, over both (RMSE in the unit of a target with a standard deviation of about 0.75).

{table(by_term(found + other))}

The irreducible error from few labels an item, 400 items, populations whose probabilities are known.

{table(planted)}
{texts}

The irreducible error from X and y alone, 1,000 rows: labels flipped, a smooth transition, a sharp border, chance.

{table(near)}""")


if __name__ == "__main__":
    main()
