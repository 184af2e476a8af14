"""What the rows of a batch tell by themselves: scale, rows that are alike, classes, and whether labels go with inputs."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ml_lifecycle.exploration._probe.batch import Batch, tensors_in
from ml_lifecycle.exploration._probe.loss_kind import class_view

FEW = 40  # rows below which nothing is said about labels that do not go with inputs
SHIFTS = (1, -1, 2, -2)


@dataclass
class InputFacts:
    """Numbers about inputs and targets."""

    n: int = 0
    finite: bool = True
    bad: int = 0  # NaN or infinite numbers
    same: bool = False  # every row is the same
    distinct: int = 0  # different rows
    mean: float = math.nan
    spread: float = math.nan
    offset: float = 0.0  # largest |mean| / spread of a column
    columns_ratio: float = 1.0  # largest spread of a column over the median one
    conflicts: int = 0  # rows that have the same input as another row and another target
    groups: Any = None  # number of its group of alike inputs, a row
    classes: tuple[int, ...] = ()  # labels that occur, for targets that are classes
    outputs: int = 0  # scores a row
    classes_counted: bool = True  # some target is a class, not a mark for "ignore me"
    constant_target: bool = False
    counts_up: bool = False  # float targets that are few whole numbers
    whole: bool = False  # targets of an integer type
    positive: bool = False  # targets that are 0 or 1, one or more a row
    target_range: tuple[float, float] = (math.nan, math.nan)
    target_spread: float = math.nan
    share_rows: float = math.nan  # largest |sum - 1| of a row of targets that are shares
    accuracy: float = math.nan  # of the nearest neighbour, leaving the row out
    chance: float = math.nan
    p: float = math.nan
    shift: int = 0  # rows by which labels would go with inputs
    shift_p: float = math.nan
    sorted_labels: bool = False
    equal_input: bool = False  # targets are the inputs themselves


def input_facts(batch: Batch, z: Any, seed: int) -> InputFacts:
    """Look at a batch; `z` is an output, to tell what the targets are."""
    facts = InputFacts(n=batch.n)
    every = tensors_in(batch.inputs)
    facts.bad = sum(int((~torch.isfinite(t)).sum()) for t in every if t.is_floating_point())
    facts.finite = facts.bad == 0
    rows = [t.reshape(batch.n, -1) for t in every if t.ndim and t.shape[0] == batch.n]
    t = batch.targets if torch.is_tensor(batch.targets) else None
    if rows:
        _alike(rows, t, facts)
    _scale(batch, facts)
    if t is not None:
        _targets(t, z, facts)
        facts.equal_input = any(x.shape == t.shape and bool((x == t).all()) for x in every)
        if rows and facts.finite and facts.distinct > 1 and not facts.constant_target:
            _association(batch, t, facts, seed)
    return facts


def _alike(rows: list[Any], t: Any, facts: InputFacts) -> None:
    flat = torch.cat([r.double() for r in rows], dim=1).cpu().numpy()
    _, groups = np.unique(np.nan_to_num(flat), axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    facts.distinct, facts.groups = int(groups.max()) + 1, groups
    size = np.abs(flat).max() if flat.size else 0
    facts.same = facts.n > 1 and facts.finite and (facts.distinct == 1 or bool(np.nanmax(np.ptp(flat, axis=0)) <= 1e-7 * size))
    if t is not None and 1 < facts.distinct < facts.n:
        target = t.reshape(facts.n, -1).double().cpu().numpy()
        first = np.array([target[groups == g][0] for g in range(facts.distinct)])
        wrong = (np.abs(target - first[groups]) > 1e-6).any(axis=1)
        facts.conflicts = int(sum((groups == g).sum() for g in set(groups[wrong])))


def _scale(batch: Batch, facts: InputFacts) -> None:
    floats = batch.floats()
    if not floats or not facts.finite:
        return
    x = floats[0].double()
    facts.mean, facts.spread = float(x.mean()), float(x.std()) if x.numel() > 1 else 0.0
    if x.ndim == 2:
        mean, std = x.mean(0), x.std(0) if batch.n > 1 else torch.zeros_like(x[0])
        live = std > 0
        if bool(live.any()):
            facts.offset = float((mean[live].abs() / std[live]).median())
            facts.columns_ratio = float(std[live].max() / std[live].median())
    else:
        facts.offset = abs(facts.mean) / (facts.spread + 1e-12)


def _targets(t: Any, z: Any, facts: InputFacts) -> None:
    facts.whole = not t.is_floating_point() and t.dtype != torch.bool
    value = t.double()
    facts.target_range, facts.target_spread = (float(value.min()),
        float(value.max())), float(value.std()) if t.numel() > 1 else 0.0
    seen = class_view(z, t) if z is not None else None
    different = torch.unique(value)
    whole = bool((different == different.round()).all())
    facts.positive = bool(((different == 0) | (different == 1)).all()) and not (facts.whole and seen is not None)
    if seen is not None:
        facts.outputs = int(seen[0].shape[-1])
    elif z is not None and z.ndim > 1:
        facts.outputs = int(z.shape[-1])
    if seen is not None or (facts.whole and len(different) < max(3, facts.n)):
        facts.classes = tuple(int(v) for v in different if v != -100)
    facts.classes_counted = facts.outputs < 2 or bool((value >= 0).any())
    facts.counts_up = whole and 2 < len(different) <= min(30, max(3, t.numel() // 2)) and \
        float(different[0]) in (0.0, 1.0) and float(different[-1] - different[0]) == len(different) - 1
    same_row = t.shape[0] > 1 and bool((value == value[:1]).all())
    facts.constant_target = same_row or len(different) == 1
    if t.is_floating_point() and t.ndim == 2 and t.shape[1] > 1:
        facts.share_rows = float((value.sum(1) - 1).abs().max())
    if t.ndim == 1 and facts.n > 4:
        facts.sorted_labels = bool((value[1:] >= value[:-1]).all()) and not facts.constant_target


def _association(batch: Batch, t: Any, facts: InputFacts, seed: int) -> None:
    """Do rows that are near each other have targets that are near each other? Against targets that are shuffled."""
    floats = batch.floats()
    if facts.n < FEW or not floats or t.reshape(facts.n, -1).shape[1] != 1 or facts.n > 2000:
        return
    y = t.reshape(-1).double().cpu().numpy()
    if len(np.unique(y)) > 0.5 * facts.n:
        edges = np.quantile(y, [0.25, 0.5, 0.75])  # numbers: quarters of them
        y = np.searchsorted(edges, y).astype(float)
    near = [_nearest(view) for view in _views(floats[0].reshape(facts.n, -1).double().cpu().numpy(), floats[0])]
    draw = np.random.default_rng(seed)
    null = np.array([[(y[order] == y[order][k]).mean() for k in near] for order in (draw.permutation(facts.n)
        for _ in range(300))])
    null = null.mean(axis=1)

    def hits(labels: Any) -> float:
        return float(np.mean([(labels == labels[k]).mean() for k in near]))

    facts.accuracy, facts.chance = hits(y), float(null.mean())
    facts.p = float((1 + (null >= facts.accuracy).sum()) / 301)
    spread = float(null.std()) + 1e-12
    shifted = {s: (hits(np.roll(y, s)) - facts.chance) / spread for s in SHIFTS}
    best = max(shifted, key=lambda s: shifted[s])
    if shifted[best] > 6 and (facts.accuracy - facts.chance) / spread < 2 and not facts.sorted_labels:
        facts.shift, facts.shift_p = best, shifted[best]


def _views(flat: Any, x: Any) -> list[Any]:
    """Inputs as they are, each column to its spread, and sizes of frequencies, which do not care where a thing stands."""
    spread = flat.std(axis=0)
    views = [flat, (flat - flat.mean(axis=0)) / np.where(spread > 0, spread, 1)]
    if flat.shape[1] >= 16:
        views.append(np.abs(np.fft.rfft(flat, axis=1)))
    return views


def _nearest(view: Any) -> Any:
    squares = (view**2).sum(axis=1)
    gaps = squares[:, None] + squares[None] - 2 * view @ view.T
    np.fill_diagonal(gaps, np.inf)
    return gaps.argmin(axis=1)


def standardised(batch: Batch) -> Batch:
    """The batch with inputs of mean 0 and spread 1: column by column for tables, as a whole for the rest."""
    def change(x: Any) -> Any:
        if x.ndim == 2:
            spread = x.std(0, keepdim=True)
            return (x - x.mean(0, keepdim=True)) / torch.where(spread > 0, spread, torch.ones_like(spread))
        return (x - x.mean()) / (x.std() + 1e-12)
    return batch.with_inputs(change, only_float=True)
