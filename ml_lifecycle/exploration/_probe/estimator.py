"""The probe for estimators that have fit or partial_fit in the way of scikit-learn."""

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_lifecycle.exploration._probe.clock import Clock
from ml_lifecycle.foundation._random import undisturbed
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.report import Finding, NextStep

NEAR = 0.05  # share of the loss of a constant answer that counts as near zero
STUCK = 0.97  # share of the way to the lowest loss that is left when nothing at all was learned
OFF: dict[str, Any] = {"alpha": 1e-12, "C": 1e6, "l2_regularization": 0.0, "reg_alpha": 0.0, "reg_lambda": 0.0, "ccp_alpha": 0.0,
                       "early_stopping": False, "dropout": 0.0, "weight_decay": 0.0, "min_samples_leaf": 1, "min_samples_split": 2}
AGAIN = NextStep("change it and try again", "exploration", "overfit_batch(model, batch)")


def fields(model: Any, batch: Any, loss_fn: Any, *, steps: int, seed: int, seconds: float) -> dict[str, Any]:
    """The fields of an OverfitReport about an estimator; the estimator itself is never fitted."""
    X, y = _pair(batch)
    probe = Probe(model, X, y, loss_fn, steps, seed, Clock(seconds))
    with undisturbed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return probe.fields()


def _pair(batch: Any) -> tuple[Any, np.ndarray]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise BadInputError(f"`batch` must be a pair (inputs, targets). Got {type(batch).__name__}. Pass (X, y).")
    X, y = batch
    X, y = (v.detach().cpu().numpy() if hasattr(v, "detach") else v for v in (X, y))
    y = np.asarray(y)
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if rows != len(y) or rows < 2:
        raise BadInputError(f"`batch` must have one target for each of at least two rows. Got {rows} rows and {len(y)} targets. "
                            "Take both from the same rows.")
    if pd.isna(y).any():
        raise BadInputError(f"`batch` must hold targets that are not missing. Got {int(pd.isna(y).sum())} NaN of {len(y)}. Leave "
            "those rows out.")
    return X, y


class Probe:
    """One estimator and one batch."""

    def __init__(self, model: Any, X: Any, y: np.ndarray, loss_fn: Any, steps: int, seed: int, clock: Clock) -> None:
        if loss_fn is not None and not callable(loss_fn):
            raise BadInputError(f"`loss_fn` must be a function of (output, targets), or None. Got {shown(loss_fn)}. Leave it out.")
        self.model, self.X, self.y, self.loss_fn, self.steps, self.seed = model, X, y, loss_fn, steps, seed
        self.clock, self.cut, self.fitted = clock, False, model
        self.classes = np.unique(y) if is_classifier(model) else None
        self.settings, self.off = self._free(model)

    def _free(self, model: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Settings that switch regularization off, and how they were."""
        known = model.get_params() if hasattr(model, "get_params") else {}
        found = {key: OFF[key.rpartition("__")[2]] for key in known if key.rpartition("__")[2] in OFF}
        found = {key: value for key, value in found.items() if isinstance(known[key], (int, float)) and known[key] != value
                 and (not key.endswith("C") or known[key] < value)}
        return found, tuple(f"{key}={known[key]}" for key in found)

    def fresh(self, regularized: bool = False) -> Any:
        """An unfitted copy, by default with regularization off and seeded."""
        made = clone(self.model)
        known = made.get_params()
        seeds = {key: self.seed for key in known if key.rpartition("__")[2] == "random_state" and known[key] is None}
        try:
            return made.set_params(**seeds, **({} if regularized else self.settings))
        except ValueError:
            return made.set_params(**seeds)

    def loss(self, model: Any) -> float:
        """The loss of a fitted model on the batch."""
        if self.classes is not None and hasattr(model, "predict_proba"):
            output = np.asarray(model.predict_proba(self.X))
        else:
            output = np.asarray(model.predict(self.X))
        if self.loss_fn is None:
            return self._default(model, output)
        module = type(self.loss_fn).__module__ + str(getattr(self.loss_fn, "__module__", ""))
        if "torch" in module:
            import torch

            value = self.loss_fn(torch.as_tensor(output), torch.as_tensor(self.y))
        else:
            value = self.loss_fn(self.y, output) if "sklearn" in module else self.loss_fn(output, self.y)
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        if np.size(value) != 1:
            raise BadInputError(f"`loss_fn` must return one number. Got shape {np.shape(value)}. Average it.")
        return float(value)

    def _default(self, model: Any, output: np.ndarray) -> float:
        if self.classes is None:
            return float(mean_squared_error(self.y, output))
        if output.ndim == 2:
            return float(log_loss(self.y, np.clip(output, 1e-12, 1), labels=getattr(model, "classes_", self.classes)))
        return float(np.mean(output != self.y))

    def run(self, model: Any) -> list[float]:
        """Losses of a model that learns the batch step by step while there is time, or all at once, which nothing interrupts."""
        self.fitted = model
        if not hasattr(model, "partial_fit"):
            return [self.loss(model.fit(self.X, self.y))]
        losses = []
        more = {"classes": self.classes} if self.classes is not None else {}
        for i in range(self.steps):
            model.partial_fit(self.X, self.y, **(more if i == 0 else {}))
            losses.append(self.loss(model))
            self.cut = self.clock.over(1.0) and i + 1 < self.steps
            if not math.isfinite(losses[-1]) or losses[-1] < 0.2 * NEAR * self.constant or self.cut:
                break
        return losses

    def fields(self) -> dict[str, Any]:
        """Run, look, and say what stands in the way."""
        plain = (DummyClassifier(strategy="prior") if self.classes is not None else DummyRegressor()).fit(self.X, self.y)
        self.constant = self.loss(plain) if len(np.unique(self.y)) > 1 else 0.0
        self.lowest = self._lowest()
        findings: list[Finding] = []
        try:
            losses = [self.constant, *(self.run(self.fresh()) if len(np.unique(self.y)) > 1 else ())]
        except BadInputError:
            raise
        except Exception as error:  # noqa: BLE001 - what an estimator raises is the finding
            losses = []
            text = " ".join(str(error).split())[:160]
            findings.append(Finding("OVR090", "issue", f"The estimator cannot be fitted on this batch: {type(error).__name__}: "
                f"{text}.", {"cause": "error", "error": type(error).__name__}, AGAIN))
        if losses:
            findings += self.judged(losses)
        values = np.array(losses, dtype=float)
        frame = pd.DataFrame({"step": np.arange(len(losses)), "loss": values, "gradient": np.full(len(losses), np.nan),
                              "left": self.left(values)})
        return {"frame": frame, "findings": tuple(findings), "losses": tuple(losses), "first": self.constant,
                "last": losses[-1] if losses else math.nan, "constant": self.constant, "lowest": self.lowest, "n": len(self.y),
                "switched_off": self.off}

    def judged(self, losses: list[float]) -> list[Finding]:
        """Findings about a run."""
        found, end = [], losses[-1]
        left = float(self.left(np.array(end)))
        near = math.isfinite(end) and end <= max(NEAR * self.constant, self.lowest + NEAR * (self.constant - self.lowest))
        numbers = {"first": losses[0], "last": end, "constant": self.constant, "n": len(self.y), "steps": len(losses) - 1}
        if len(np.unique(self.y)) == 1:
            return [Finding("OVR051", "issue", "All rows have the same label: a batch of one class teaches nothing but a constant "
                "answer.", {"cause": "one_class", **numbers}, NextStep("draw the batch at random, or stratified", "data"))]
        span = f"from {number(self.constant)} (a constant answer) to {number(end)} on {len(self.y)} rows"
        goal = f"{number(self.lowest)}, the lowest that rows with equal inputs allow" if self.lowest > 0 else "zero"
        if near:
            found.append(Finding("OVR001", "passed", f"The loss is driven near {goal}: {span}.", {"cause": "overfit", **numbers}))
            return self.regularized(end) + found
        cut, small = self.cut, self._small()
        found += self.repaired(end)
        return found or [self._unknown(f"The loss goes {span}: it is not driven near {goal}", left < STUCK, cut, small, numbers)]

    def _small(self) -> int:
        """Columns of a linear model that has fewer numbers than there are rows, so that it need not fit them; 0 for others."""
        last = self.fitted[-1] if hasattr(self.fitted, "steps") else self.fitted
        columns = np.shape(getattr(last, "coef_", np.empty(0)))[-1:]
        return columns[0] if columns and 0 < columns[0] + 1 < len(self.y) else 0

    def _unknown(self, text: str, learned: bool, cut: bool, columns: int, numbers: dict[str, Any]) -> Finding:
        """OVR001 where no cause is known: an issue only where time and capacity cannot be the reason."""
        cause, why, action = "stuck", ", and no known cause was found.", AGAIN
        if cut:
            cause, why = "no_time", ". There was not enough time to tell whether it is able to."
            action = NextStep("give it more time", "exploration", "overfit_batch(model, batch, seconds=60)")
        elif columns:
            cause, why = "capacity", f". A linear model of {columns} columns need not be able to fit {len(self.y)} rows: " \
                "this cannot tell whether anything is broken."
            action = NextStep(f"try it on at most {columns + 1} rows, or a model with more freedom", "exploration",
                              "overfit_batch(model, batch)")
        elif learned:
            cause = "falling"
            why = ", but the model has learned something; it may be too simple to learn the batch by heart."
        return Finding("OVR001", "issue" if cause == "stuck" else "tip", text + why, {"cause": cause, **numbers}, action,
                       undecided=cause != "stuck")

    def left(self, losses: np.ndarray) -> np.ndarray:
        """Share of the way from a constant answer to the lowest loss that is left."""
        way = self.constant - self.lowest
        return (losses - self.lowest) / way if way > 0 else np.full(np.shape(losses), np.nan)

    def _lowest(self) -> float:
        """What no model can go below, since rows with equal inputs have other targets; 0 under a loss of one's own."""
        if self.loss_fn is not None or not isinstance(self.X, (np.ndarray, pd.DataFrame)) or np.ndim(self.X) != 2:
            return 0.0
        table = pd.DataFrame(self.X).reset_index(drop=True)
        table = table.set_axis(range(table.shape[1]), axis=1)
        try:
            rows = table.groupby(list(table.columns), dropna=False, observed=True, sort=False).ngroup()
        except TypeError:  # values that cannot be held against each other
            return 0.0
        if self.classes is None:
            values = pd.Series(self.y.astype(float), index=rows.index)
            return float(((values - values.groupby(rows).transform("mean")) ** 2).mean())
        shares = pd.crosstab(rows, pd.Series(self.y, index=rows.index)).to_numpy(dtype=float)
        within = shares / shares.sum(axis=1, keepdims=True)
        return abs(float((shares * np.log(np.where(within > 0, within, 1))).sum() / len(self.y)))

    def regularized(self, free: float) -> list[Finding]:
        """OVR060: the same with regularization as given."""
        if not self.off or self.clock.over(1.0):
            return []
        end = self.run(self.fresh(regularized=True))[-1]
        if end <= 0.5 * self.constant or end < 8 * free:
            return []
        return [Finding("OVR060", "issue", f"The model is over-regularised: with {', '.join(self.off[:3])} the loss falls only to "
                        f"{number(end)}, without to {number(free)} (a constant answer: {number(self.constant)}).",
                        {"cause": "over_regularised", "with": end, "without": free}, NextStep("regularise less", "exploration"))]

    def _with_rate(self, key: str, rate: float) -> Any:
        return self.fresh().set_params(**{key: rate})

    def repaired(self, end: float) -> list[Finding]:
        """OVR050 and OVR015: the same with standardised inputs, and with other learning rates."""
        trials: list[tuple[str, Callable[[], Any], Callable[[float], Finding]]] = []
        for key in [k for k in self.model.get_params() if k.rpartition("__")[2] in ("learning_rate_init", "eta0",
                "learning_rate")]:
            rate = self.model.get_params()[key]
            for better in (0.1, 0.001, 0.01) if isinstance(rate, float) and rate > 0 else ():
                if not 0.2 < better / rate < 5:
                    trials.append((key, partial(self._with_rate, key, better), partial(self._rate, rate, better / rate, end=end)))
        trials.append(("standardised", lambda: make_pipeline(StandardScaler(), self.fresh()), lambda loss: Finding("OVR050",
            "issue", f"The inputs are not normalised: with inputs of mean 0 and spread 1 the loss falls to {number(loss)}, "
            f"as they are to {number(end)}.", {"cause": "unnormalised_input", "loss": end, "standardised": loss},
            NextStep("put a StandardScaler before the model", "data"))))
        for name, make, say in reversed(trials):
            if self.clock.over(1.0):
                break
            try:
                model = make()
                if name == "standardised":
                    other = Probe(model[-1], model[0].fit_transform(self.X), self.y, self.loss_fn, self.steps, self.seed,
                                  self.clock)
                    other.constant, other.lowest = self.constant, self.lowest
                    reached = other.run(other.fresh())[-1]
                else:
                    reached = self.run(model)[-1]
            except Exception:  # noqa: BLE001 - a repair that cannot be tried tells nothing
                continue
            if math.isfinite(reached) and reached < 0.2 * self.constant and not reached > 0.3 * end:
                return [say(reached)]
        return []

    def _rate(self, rate: float, factor: float, loss: float, end: float) -> Finding:
        what = "low" if factor > 1 else "high"
        return Finding("OVR015", "issue" if not 0.9e-4 < rate <= 0.1 else "tip", f"The learning rate {number(rate)} is too "
            f"{what}: {number(rate * factor)} brings the loss to {number(loss)}, {number(rate)} to {number(end)}.",
            {"cause": f"rate_too_{what}", "learning_rate": rate, "better": rate * factor}, NextStep("use a learning rate of "
            f"about {number(rate * factor)}", "exploration"), undecided=0.9e-4 < rate <= 0.1)
