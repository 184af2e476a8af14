"""`coarse_to_fine` beside random search, Optuna's TPE and successive halving, on ten pairs of a task and a model.

`python benchmarks/search_peers.py [--seeds 20] [--halving 2]`; Optuna and mlxtend are wanted beside the project's own packages.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
from _results import table, write_section
from _search_tables import JUDGED, Table, Task, value_at
from scipy import stats
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, KFold, ParameterSampler, StratifiedKFold
from threadpoolctl import threadpool_limits

from ml_lifecycle.refinement import coarse_to_fine
from ml_lifecycle.refinement._search.run import Search, run
from ml_lifecycle.refinement._search.space import read_space
from ml_lifecycle.refinement._search.subject import read_function

try:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
except ModuleNotFoundError:
    optuna = None
BUDGETS = (15, 30, 60)
NEAR = 0.002


class Law:
    """A range as a distribution that scikit-learn draws from."""

    def __init__(self, given: tuple[Any, ...]) -> None:
        self.given = given

    def rvs(self, random_state: Any = None) -> Any:
        return value_at(random_state.uniform(), self.given)


def laws(space: dict[str, Any]) -> dict[str, Any]:
    return {name: Law(given) if isinstance(given, tuple) else given for name, given in space.items()}


def ours(land: Table, seed: int) -> list[float]:
    return [coarse_to_fine(land, land.task.space, budget=budget, seed=seed).best_score for budget in BUDGETS]


def best_after(scores: list[float]) -> list[float]:
    return [max(scores[:budget]) for budget in BUDGETS]


def chance(land: Table, seed: int) -> list[float]:
    drawn = ParameterSampler(laws(land.task.space), max(BUDGETS), random_state=seed)
    return best_after([float(land(params).mean()) for params in drawn])


def tpe(land: Table, seed: int) -> list[float]:
    if optuna is None:
        return [np.nan] * len(BUDGETS)
    scores: list[float] = []

    def objective(trial: Any) -> float:
        params = {}
        for name, given in land.task.space.items():
            if isinstance(given, list):
                params[name] = trial.suggest_categorical(name, given)
            else:
                suggest = trial.suggest_int if isinstance(given[0], int) else trial.suggest_float
                params[name] = suggest(name, given[0], given[1], log=len(given) == 3)
        scores.append(float(land(params).mean()))
        return scores[-1]

    optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)).optimize(objective, max(BUDGETS))
    return best_after(scores)


def halving(land: Table, seed: int, budget: int) -> float:
    """Three rungs of rows, which together cost about as much as `budget` candidates on all rows."""
    task: Task = land.task
    X, y = task.load()
    cv = (KFold if task.scoring == "r2" else StratifiedKFold)(3, shuffle=True, random_state=0)
    search = HalvingRandomSearchCV(clone(task.model), laws(task.space), n_candidates=3 * budget, factor=3, cv=cv, refit=False,
                                   min_resources=len(y) // 9, scoring=task.scoring, random_state=seed, error_score=-1.0)
    with threadpool_limits(1):
        return float(land(search.fit(X, y).best_params_).mean())


def overhead(turns: int = 9) -> tuple[float, float]:
    """Milliseconds of CPU time a candidate where the function costs nothing: of the search, and with report and findings.

    The quickest of some turns.
    """
    space = dict.fromkeys("abcd", (0.0, 1.0))

    def score(params: dict[str, Any]) -> float:
        return -sum((params[name] - 0.3) ** 2 for name in space)

    def alone(seed: int) -> None:
        run(Search(read_function(score, seed, None, None, True), read_space(space, None), seed, None, 60, 3))

    def whole(seed: int) -> None:
        coarse_to_fine(score, space, budget=60, seed=seed)

    def spent(work: Any, seed: int) -> float:
        start = time.process_time()
        work(seed)
        return 1000 * (time.process_time() - start) / 60

    with threadpool_limits(1):
        return min(spent(alone, seed) for seed in range(turns)), min(spent(whole, seed) for seed in range(turns))


def gap(a: np.ndarray, b: np.ndarray) -> str:
    """Mean difference over the seeds with its 95 % interval."""
    if not np.isfinite(b).all():
        return "–"
    d = a - b
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return f"{d.mean():+.4f} ± {half:.4f}"


def above(a: np.ndarray, b: np.ndarray) -> float:
    return 1.0 if np.allclose(a, b) else float(stats.wilcoxon(a - b, alternative="greater", zero_method="zsplit").pvalue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--halving", type=int, default=2, help="seeds of successive halving, which fits for real")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    start, rows, counts, lower = time.perf_counter(), [], {b: [0, 0, []] for b in BUDGETS}, []
    for task in JUDGED:
        land = Table(task)
        found = {name: np.array([search(land, seed) for seed in range(asked.seeds)])
                 for name, search in (("ours", ours), ("chance", chance), ("tpe", tpe))}
        halved = [halving(land, seed, 30) for seed in range(asked.halving)]
        row: dict[str, Any] = {"pair": task.name, "best of the table": f"{land.best:.4f}"}
        for i, budget in enumerate(BUDGETS):
            a, b, c = (found[name][:, i] for name in ("ours", "chance", "tpe"))
            p = above(a, b)
            counts[budget][0] += p < 0.05
            counts[budget][1] += bool(a.mean() >= c.mean() - NEAR)
            counts[budget][2].append(a.mean() - c.mean())
            row |= {f"{budget}: ours": f"{a.mean():.4f}", f"{budget}: less random": f"{gap(a, b)} (p = {p:.2g})",
                    f"{budget}: less TPE": gap(a, c)}
        lower += [h - found["ours"][s, 1] for s, h in enumerate(halved)]
        rows.append(row | {"halving (as 30)": f"{np.mean(halved):.4f}" if halved else "–"})
        print(rows[-1], flush=True)
    said = [{"budget": b, "above random search, p < .05": f"{n[0]} of {len(rows)}",
             f"not {NEAR} below TPE": f"{n[1]} of {len(rows)}",
             "mean over the pairs, less TPE": f"{np.mean(n[2]):+.4f}"} for b, n in counts.items()]
    alone, whole = overhead()
    write_section("search_peers", f"""## Searches

`python benchmarks/search_peers.py --seeds {asked.seeds} --halving {asked.halving}`,
{time.perf_counter() - start:.0f} s beside the tables.

Best score (mean of three folds: accuracy with several classes, ROC AUC with two) after 15, 30 and 60 candidates, mean over
{asked.seeds} seeds. Every searcher sees the same function: a few hundred configurations of each model, fitted once on a
sample of the data, with scores interpolated linearly between them (`_search_tables.py`, which fits them again where they are
missing). Nobody is told the defaults. `coarse_to_fine` takes its scores from a function, with everything else as it comes.
p: Wilcoxon's signed rank test over the seeds, one-sided. ±: 95 % interval of the mean difference over the seeds. The method
was set on seven other pairs (`TUNED_ON`).
{"" if optuna else "Optuna is not installed, so that TPE is missing. "}Successive halving
(`HalvingRandomSearchCV`, three rungs of rows, factor 3) fits for real, 90 candidates for the cost of 30; its choice is scored
by the table. Less `coarse_to_fine` after 30: {np.mean(lower) if lower else float('nan'):+.4f} over {len(lower)} runs.

{table(said)}

{table(rows)}

Overhead where the function costs nothing, with four parameters and 60 candidates: {alone:.2f} ms of CPU time a candidate for the
search itself, {whole:.2f} ms with report, findings and what matters.""")


if __name__ == "__main__":
    main()
