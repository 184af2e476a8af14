"""The share of wrong labels as the floor under the error rate of the most confident predictions."""

# Overlap of the classes makes a model err less and less the more confident it is; a label that was flipped contradicts a
# confident prediction as often as an unsure one. So the rate at which given labels contradict the suggested ones is modelled
# over the confidence m as
#
#     rate(m) = share + (1 - share) / (1 + exp(a + b m)),    b >= 0
#
# the logistic model of contaminated labels (Copas 1988, Journal of the Royal Statistical Society B 50; anchor points in Menon
# et al. 2015, ICML). Confidence is the rank of the largest probability on the scale of a half normal distribution, and `a` and
# `b` are free: over- or underconfident probabilities give the same answer as long as they rank the rows alike. Only where a
# model separates the classes well may `b` not be small: such a model is not equally unsure everywhere, so that contradictions
# which come as often whatever the confidence are a floor.

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm, rankdata

from ml_lifecycle.data._label.table import Judged

Array = NDArray[Any]
STEPS = 40  # shares that are tried for the profile
HALF = 1.9207  # half the 95 % quantile of chi-squared with one degree of freedom
STEEP = 5.0  # least slope of a perfect model
SKILLED = 0.68  # share of the errors that a model must spare before a floor is held against the labels
FEWEST_OTHERS = 20  # rows with another suggestion that can show a floor
SHOWN = 2.706  # 95 % quantile of chi-squared with one degree of freedom, on one side
MOST = 1000  # bins of confidence
MOST_VOTES = 1000
SATURATED = 1 - 1e-6  # probabilities from which on rows are not told apart
UNSATURATED = 0.2  # share of rows below it that is needed to judge
ON_GRID = 0.9  # share of the rows that must lie on a grid of votes
ALIKE = 0.5  # distinct probabilities, as a share of the rows, below which rows are alike


@dataclass(frozen=True)
class Floor:
    """What the fit found."""

    share: float  # of labels that are wrong, the most likely value
    low: float  # lower end of the 95 % profile interval
    high: float  # upper end
    ratio: float  # twice the gain in log likelihood over a share of none
    a: float  # log odds of a right prediction at no confidence
    b: float  # their growth with confidence

    def wrong(self, confidence: Array, share: float) -> Array:
        """How likely a contradicting label is wrong, given that `share` of all labels are."""
        overlap = (1 - share) * expit(-(self.a + self.b * confidence))
        return np.asarray(share / np.maximum(share + overlap, 1e-300))


def confidence_of(proba: Array) -> Array:
    """The rank of the largest probability of each row, as a quantile of the half normal distribution; ties share a rank."""
    ranks = rankdata(np.round(proba.max(1), 14))
    return np.asarray(norm.ppf(0.5 + (ranks - 0.5) / (2 * len(ranks))))


def coarse(proba: Array) -> bool:
    """Whether most rows share their very probabilities with others, as rows that are alike in all features do.

    Votes of equal weight (nearest neighbours, forests of pure leaves) are no sign of that: they lie on a grid.
    """
    top = np.round(proba.max(1), 9)
    top = top[top < SATURATED]
    if len(top) < UNSATURATED * len(proba):
        return False
    distinct, rows = np.unique(top, return_counts=True)
    if len(distinct) > ALIKE * len(top):
        return False
    for votes in range(2, MOST_VOTES + 1):
        counted = distinct * votes
        if rows[np.abs(counted - np.round(counted)) < 1e-6 * votes].sum() >= ON_GRID * len(top):
            return False
    return True


def doubt(judged: Judged, floor: Floor, confidence: Array) -> str:
    """What else may have made the floor: "alike" rows, a "weak" model, a floor of "one kind", or nothing."""
    if coarse(judged.proba):
        return "alike"
    k = max(2, len(judged.classes))
    if judged.skill < SKILLED * (1 - floor.low * k / (k - 1)):  # so much skill is left of it with so many flipped labels
        return "weak"
    contradicts = judged.suggested != judged.codes
    weight = np.bincount(judged.suggested, floor.wrong(confidence, floor.share) * contradicts)
    rest = judged.suggested != int(weight.argmax())
    if rest.sum() < FEWEST_OTHERS or not contradicts[rest].any():
        return "one kind"
    others = fit_floor(confidence_of(judged.proba[rest]), contradicts[rest], judged.skill)
    return "" if others.ratio > SHOWN else "one kind"


def least_slope(skill: float) -> float:
    """The least growth of the log odds with confidence: below that of every model on clean labels that was measured."""
    return STEEP * max(0.0, skill) ** 2


def fit_floor(confidence: Array, contradicts: Array, skill: float = 0.0) -> Floor:
    """Maximum likelihood over share, a and b, with the profile of the share; skill: errors spared over always one class."""
    m, n, e = _binned(confidence, contradicts)
    centre, spread = float(np.average(m, weights=n)), float(np.sqrt(np.cov(m, fweights=n))) if len(m) > 1 else 0.0
    spread = spread if spread > 1e-9 else 1.0
    x, rate = (m - centre) / spread, float(e.sum() / n.sum())
    shares = np.linspace(0, 1, STEPS + 1) ** 2 * min(0.95, rate + 3 / np.sqrt(n.sum()))
    losses, at = _profile(shares, x, n, e, least_slope(skill) * spread)
    best = int(losses.argmin())
    low, high = _crossings(shares, losses, losses[best] + HALF)
    intercept, slope = at[best]
    return Floor(float(shares[best]), low, high, float(2 * (losses[0] - losses[best])),
                 float(intercept - slope * centre / spread), float(slope / spread))


def _binned(confidence: Array, contradicts: Array) -> tuple[Array, Array, Array]:
    """(mean confidence, rows, contradictions) of each distinct confidence, or of at most MOST bins of equal rows."""
    distinct, place = np.unique(confidence, return_inverse=True)
    if len(distinct) > MOST:
        place = np.argsort(np.argsort(confidence, kind="stable"), kind="stable") * MOST // len(confidence)
    n = np.bincount(place).astype(int)
    return np.bincount(place, confidence) / n, n, np.bincount(place, contradicts.astype(float))


def _profile(shares: Array, x: Array, n: Array, e: Array, least: float) -> tuple[Array, Array]:
    """The smallest loss, and where it is, for each share; each start is tried from both neighbours' solutions."""
    losses, at = np.full(len(shares), np.inf), np.zeros((len(shares), 2))
    rate = float(np.clip(e.sum() / n.sum(), 1e-6, 1 - 1e-6))
    usual = np.log((1 - rate) / rate)
    begins = tuple(np.array([np.clip(usual, -5, 5), slope]) for slope in (0.0, 1.0, 4.0))
    for order in (range(len(shares)), range(len(shares) - 1, -1, -1)):
        start = begins[1]
        for i in order:
            for begin in (begins if i == order[0] else (start,)):
                loss, where = _fit(float(shares[i]), begin, x, n, e, least)
                if loss < losses[i]:
                    losses[i], at[i] = loss, where
            start = at[i]
    return losses, at


def _fit(share: float, start: Array, x: Array, n: Array, e: Array, least: float) -> tuple[float, Array]:
    def loss(at: Array) -> tuple[float, Array]:
        overlap = expit(-(at[0] + at[1] * x))
        rate = np.clip(share + (1 - share) * overlap, 1e-12, 1 - 1e-12)
        pull = (1 - share) * overlap * (1 - overlap) * (e / rate - (n - e) / (1 - rate))
        return -float(e @ np.log(rate) + (n - e) @ np.log1p(-rate)), np.array([pull.sum(), pull @ x])

    found = minimize(loss, np.maximum(start, [-40, least]), jac=True, method="L-BFGS-B", bounds=[(-40, 40), (least, 60)],
                     options={"maxiter": 60})
    return float(found.fun), np.asarray(found.x)


def _crossings(shares: Array, losses: Array, bar: float) -> tuple[float, float]:
    """Where the profile crosses the bar, on both sides, between the shares that were tried."""
    inside = np.flatnonzero(losses <= bar)
    first, last = int(inside[0]), int(inside[-1])
    low, high = float(shares[first]), float(shares[last])
    if first > 0:
        low = float(np.interp(bar, losses[[first, first - 1]], shares[[first, first - 1]]))
    if last < len(shares) - 1:
        high = float(np.interp(bar, losses[[last, last + 1]], shares[[last, last + 1]]))
    return low, high
