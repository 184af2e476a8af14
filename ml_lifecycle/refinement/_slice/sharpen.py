"""From a cell of the grid to exact conditions: the bounds and the levels where the gain is largest."""

from dataclasses import replace

import numpy as np

from ml_lifecycle.refinement._slice.scan import SIDE, Grid, Part, Parts, sums_of

def sharpened(grid: Grid, parts: Parts, most: int = 4) -> tuple[float, Parts]:
    """Conditions with exact bounds and the levels that belong there, without those that bring nothing."""
    best = grid.score(parts)
    for _ in range(most):
        before = best
        for k in range(len(parts)):
            others = (*parts[:k], *parts[k + 1:])
            met = grid.all_of(others)
            better = exact(grid, parts[k], met) if not parts[k].codes else _more_levels(grid, parts[k], met, others)
            changed = (*parts[:k], better, *parts[k + 1:])
            score = grid.score(changed)
            if score > best:
                parts, best = changed, score
        for k in reversed(range(len(parts))):
            fewer = (*parts[:k], *parts[k + 1:])
            if fewer and grid.score(fewer) >= best:
                parts, best = fewer, grid.score(fewer)
        if best - before < 1e-9:
            break
    return best, tuple(p for p in parts if p.codes or np.isfinite(p.low) or np.isfinite(p.high))


def exact(grid: Grid, part: Part, met: np.ndarray) -> Part:
    """The same interval with its bounds where the gain is largest, one bound after the other."""
    order = grid.order(part.axis)
    order = order[met[order]]
    if not len(order):
        return part
    values = grid.values[part.axis][order]
    edges = np.append(np.flatnonzero(np.append(True, values[1:] > values[:-1])), len(values))  # of runs of equal values
    loss = np.append(0, grid.gain.loss[order].cumsum())[edges]
    first = int(np.searchsorted(values[edges[:-1]], part.low))
    last = int(np.searchsorted(values[edges[:-1]], part.high, side="right"))
    every = np.arange(len(edges))
    for _ in range(8):
        ahead = every[every < max(last, 1)]
        gains = grid.gain(edges[last] - edges[ahead], loss[last] - loss[ahead]) - SIDE * (ahead > 0)
        start = int(ahead[gains.argmax()])
        behind = every[every > start]
        gains = grid.gain(edges[behind] - edges[start], loss[behind] - loss[start]) - SIDE * (behind < len(edges) - 1)
        end = int(behind[gains.argmax()])
        if (start, end) == (first, last):
            break
        first, last = start, end
    low = -np.inf if first == 0 else float(values[edges[first]])
    return replace(part, low=low, high=np.inf if last == len(edges) - 1 else float(values[edges[last] - 1]))


def _more_levels(grid: Grid, part: Part, met: np.ndarray, others: Parts) -> Part:
    """The levels with the highest rates together, while each is worth its name."""
    size = len(grid.axes[part.axis].levels)
    n, s = sums_of(grid, grid.codes[part.axis], size, met)
    order = np.argsort(-(s / np.maximum(n, 1)) * (n > 0), kind="stable")
    order = np.array([part.codes[0], *(code for code in order if code != part.codes[0])])[: max(1, min(6, size - 1))]
    gains = grid.gain(n[order].cumsum(), s[order].cumsum())
    gains = gains - np.log(size + 1) * np.arange(len(order))
    return replace(part, codes=tuple(sorted(int(code) for code in order[: int(gains.argmax()) + 1])))
