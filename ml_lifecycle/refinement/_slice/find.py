"""Which slices are worth a test: what one half of the rows proposes, look by look."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ml_lifecycle.refinement._slice import axes as _slice_axes
from ml_lifecycle.refinement._slice.axes import Axis, Condition
from ml_lifecycle.refinement._slice.scan import Grid, Part, Parts, proposals
from ml_lifecycle.refinement._slice.sharpen import sharpened

TRIED = 12  # proposals that are sharpened in one look
LOOKS = 8  # at most; each one leaves out the rows of the slice before
SPARE = 6  # further proposals that go to the other half although they may well be noise
LOW = -4.0  # score below which a proposal is not worth a test
DEEPER = 3  # slices that are looked into for a further condition
SAME = 0.5  # share of the rows of both that two slices have in common from which they are one
Offer = tuple[float, tuple[Condition, ...]]  # score, conditions


def halves(flag: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Which rows are in the first half: equal shares of errors in both, or every group whole in one of them."""
    first = np.zeros(len(flag), dtype=bool)
    if groups is not None:
        chosen = rng.permutation(groups.max() + 1) % 2 == 0
        return np.asarray(chosen[groups])
    for rows in (np.flatnonzero(flag), np.flatnonzero(~flag)):
        first[rng.permutation(rows)[::2]] = True
    return first


def copies(table: pd.DataFrame, axes: Sequence[Axis]) -> np.ndarray | None:
    """Which rows are copies of each other, as groups; None without copies, and where few values make rows alike by themselves."""
    continuous = [axis.values for axis in axes if axis.values is not None and not axis.whole]
    if not continuous:
        return None
    keys = pd.util.hash_pandas_object(pd.DataFrame(dict(enumerate(
        axis.values if axis.values is not None else axis.codes for axis in axes))), index=False)
    groups, unique = pd.factorize(keys)
    if len(unique) == len(table) or max(len(np.unique(values)) for values in continuous) < len(unique) / 2:
        return None
    return np.asarray(groups)


def searched(table: pd.DataFrame, axes: Sequence[Axis], loss: np.ndarray, rows: np.ndarray, least: int, depth: int) -> list[Offer]:
    """What some rows propose; after a slice that stands out, what the rows outside it propose."""
    found: list[Offer] = []
    gone = np.zeros(len(table), dtype=bool)
    for look in range(LOOKS):
        here = rows[~gone[rows]]
        if len(here) < 2 * least or not loss[here].any():
            break
        grid = Grid(axes, here, loss[here], least)
        best = [one for one in _distinct(grid, _looked(grid, depth)) if one[0] > LOW][: 1 if look else 1 + SPARE]
        offered = [(score, tuple(_condition(grid, part) for part in parts)) for score, parts in best]
        found += offered
        if not best or best[0][0] <= 0:
            break
        gone = gone | _slice_axes.met(offered[0][1], table)
    return found


def _looked(grid: Grid, depth: int) -> list[tuple[float, Parts]]:
    """Proposals with exact bounds, the best first."""
    coarse = [parts for _, parts in proposals(grid) if len(parts) <= depth]
    found = [sharpened(grid, parts) for parts in coarse[:TRIED]]
    found.sort(key=lambda one: -one[0])
    if depth > 2:
        for _, parts in found[:DEEPER]:
            columns = {grid.axes[part.axis].column for part in parts}
            taken = [i for i, axis in enumerate(grid.axes) if axis.column in columns]
            more = proposals(grid, grid.all_of(parts), taken)[:2]
            found += [sharpened(grid, (*parts, *extra)) for _, extra in more]
        found.sort(key=lambda one: -one[0])
    return [one for one in found if one[1]]


def _distinct(grid: Grid, offered: Sequence[tuple[float, Parts]]) -> list[tuple[float, Parts]]:
    """Proposals without those whose rows are mostly those of a better one."""
    kept: list[tuple[float, Parts]] = []
    masks: list[np.ndarray] = []
    for score, parts in offered:
        mask = grid.all_of(parts)
        if all(_common(mask, other) < SAME for other in masks):
            kept.append((score, parts))
            masks.append(mask)
    return kept


def _common(a: np.ndarray, b: np.ndarray) -> float:
    """Rows of both as a share of the rows of either (Jaccard)."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def _condition(grid: Grid, part: Part) -> Condition:
    axis = grid.axes[part.axis]
    if part.codes:
        return _slice_axes.by_levels(axis, part.codes)
    known = grid.values[part.axis]
    low = high = None
    if np.isfinite(part.low):
        low = _slice_axes.between(axis, float(known[known < part.low].max()), part.low, -1)
    if np.isfinite(part.high):
        high = _slice_axes.between(axis, float(known[known > part.high].min()), part.high, 1)
    return _slice_axes.by_values(axis, low, high)
