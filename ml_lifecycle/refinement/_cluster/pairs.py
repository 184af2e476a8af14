"""Pairs of columns in which errors gather although neither column shows it by itself."""

from collections.abc import Sequence

import numpy as np

from ml_lifecycle.refinement._cluster.space import Feature

DRAWS = 39  # permutations
MOST_MASKS = 400  # parts of columns that are crossed
LEVELS = 10  # of a category
CUTS = (0.125, 0.25, 0.5, 0.75, 0.875)  # quantiles at which numbers are cut
FEWEST = 5  # errors that a crossing needs
GAIN = 0.35  # of the strength of a crossing that must come from the crossing: neither part has it alone


def parts_of(feature: Feature, rows: np.ndarray) -> list[np.ndarray]:
    """Parts of a column: levels, words, or intervals between quantiles; and the rows without a value."""
    values = feature.values[rows]
    if feature.kind == "category":
        return [values == level for level in range(min(LEVELS, len(feature.levels)))]
    if feature.kind == "text":
        return [values[:, word] > 0 for word in range(min(LEVELS, values.shape[1]))]
    gone = np.isnan(values)
    found = [gone] if gone.any() else []
    known = values[~gone]
    if not len(known):
        return found
    cuts = np.unique(np.quantile(known, CUTS))
    with np.errstate(invalid="ignore"):
        for cut in cuts:
            found += [values < cut, values >= cut]
        for low, high in zip(cuts[1:-1], cuts[2:]):
            found.append((values >= low) & (values < high))
    return [part for part in found if part.any() and not part.all()]


def _strength(errors: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
    """Log likelihood ratio of a higher error rate inside; 0 where it is not higher, or errors are few."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = errors / rows
        rest = np.where(errors < rows, (rows - errors) * np.log((1 - rate) / (1 - share)), 0.0)
        ratio = errors * np.log(rate / share) + rest
    return np.where((errors >= FEWEST) & (rate > share), ratio, 0.0)


def crossing_columns(features: Sequence[Feature], bad: np.ndarray, rows: np.ndarray, alpha: float,
                     rng: np.random.Generator) -> list[int]:
    """Columns of the crossings that are denser in errors than chance, over all crossings, makes any of them."""
    masks, owner = [], []
    for place, feature in enumerate(features):
        for part in parts_of(feature, rows):
            masks.append(part)
            owner.append(place)
        if len(masks) > MOST_MASKS:
            break
    if len(set(owner)) < 2 or bad.sum() < FEWEST:
        return []
    table, owners = np.array(masks, dtype=np.float32).T, np.array(owner)
    share, other = float(bad.mean()), owners[:, None] != owners[None, :]
    size = table.T @ table

    def crossed(flags: np.ndarray) -> np.ndarray:
        inside = table[flags]
        return np.asarray(np.where(other, _strength(inside.T @ inside, size, share), 0.0))

    real = crossed(bad)
    highest = [crossed(rng.permutation(bad)).max() for _ in range(DRAWS)]
    shape = np.std(highest, ddof=1) * np.sqrt(6) / np.pi
    limit = float(np.mean(highest) - 0.5772 * shape - shape * np.log(-np.log(1 - alpha)))
    alone = _strength(table[bad].sum(axis=0), table.sum(axis=0), share)
    gain = real - np.maximum(alone[:, None], alone[None, :])
    wins = np.argwhere((real > limit) & (real >= 0.5 * real.max()) & (gain >= GAIN * real))
    return sorted({int(owners[i]) for pair in wins for i in pair})
