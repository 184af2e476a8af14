"""Rules about rows: overlap, scaling, augmentation, classes of training and validation."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch.utils.data import ConcatDataset, Subset

from ml_lifecycle.foundation._render import number
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural
from ml_lifecycle.refinement._train.record import Pass, Visit
from ml_lifecycle.refinement._train.rows import Moments, hashes

EXACT, APART = 3e-5, 30.0  # how near 0 and 1 rounding leaves means and spreads; how much farther others must be
LARGEST = 200_000  # rows of a data set that are read to compare


def origin(loader: Any) -> tuple[Any, np.ndarray | None]:
    """The data set at the bottom of a loader, and which of its rows it gives."""
    data, rows = getattr(loader, "dataset", None), None
    sampler = getattr(loader, "sampler", None)
    chosen = getattr(sampler, "indices", None)
    if chosen is not None and data is not None:
        rows = np.asarray(list(chosen))
    while isinstance(data, Subset):
        own = np.asarray(list(data.indices))
        rows = own if rows is None else own[rows]
        data = data.dataset
    return data, rows


def _tensor(loader: Any) -> Any:
    """All inputs of a loader as one tensor, where its data set is made of tensors."""
    data, rows = origin(loader)
    held = getattr(data, "tensors", None)
    if not held or not torch.is_tensor(held[0]) or not len(held[0]) or len(held[0]) > LARGEST or held[0].numel() > 50_000_000:
        return None
    return held[0] if rows is None else held[0][torch.as_tensor(rows, device=held[0].device)]


def overlap(facts: Facts) -> Iterator[Cause]:
    """TRN020: rows that are in training and in validation."""
    found = _by_index(facts) or _by_content(facts) or _by_nearness(facts)
    if found is None:
        return
    shared, n, how = found
    if shared:
        yield Cause("TRN020", "overlap", "issue", 1.2, f"Training and validation rows overlap: {shared:,} of {n:,} validation "
                    f"rows "
                    f"({shared / n:.0%}) {how}, so validation measures memory (data leakage).", {"rows": shared, "n": n},
                    advice("split before anything is copied or oversampled, and by group where rows belong together", "data",
                           "check_quality(data, splits=splits)"))
    else:
        yield Cause("TRN020", "no_overlap", "passed", 91, f"None of {plural(n, 'validation row')} was found among the training "
                    "rows.", {"n": n})


def _by_index(facts: Facts) -> tuple[int, int, str] | None:
    (one, mine), (other, yours) = origin(facts.loader("train")), origin(facts.loader("val"))
    if one is None or one is not other or isinstance(one, ConcatDataset) or not hasattr(one, "__len__"):
        return None
    mine = np.arange(len(one)) if mine is None else mine
    yours = np.arange(len(one)) if yours is None else yours
    shared = int(np.isin(np.unique(yours), mine).sum())
    return (shared, len(np.unique(yours)), "are training rows by their index") if shared else None


def _rows_of(facts: Facts, role: str) -> np.ndarray:
    found = facts.trained if role == "train" else facts.val
    seen = [facts.hashes[p.number] for p in found if p.number in facts.hashes and (role == "val" or p.visit.source.given != "val")]
    t = _tensor(facts.loader(role)) if facts.loader(role) is not None and not seen else None
    if t is not None:
        seen = [hashes([t], len(t)).cpu().numpy()]
    return np.concatenate(seen) if seen else np.zeros(0, dtype=np.int64)


def _by_content(facts: Facts) -> tuple[int, int, str] | None:
    val = np.unique(_rows_of(facts, "val"))
    train = _rows_of(facts, "train")
    if len(val) == 0 or len(train) == 0:
        return None
    first = np.concatenate([facts.hashes[p.number] for p in sum(facts.epochs[:1], []) if p.number in facts.hashes] or [train])
    twins = 1 - len(np.unique(first)) / len(first)  # rows that occur twice in one epoch
    shared = int(np.isin(val, train).sum())
    usual = stats.binom.sf(shared - 1, len(val), min(1.0, 3 * twins + 1e-3)) > 1e-3 if shared else True
    if shared < 2 and len(val) > 20 or usual:
        return None
    return shared, len(val), "are training rows"


def _first_visit(facts: Facts, passes: list[Pass]) -> Visit | None:
    """The first round that held rows of these passes alone."""
    mine, mixed = {p.number for p in passes}, {id(p.visit) for p in facts.record.passes if p.visit.source.loader is None}
    mixed &= {id(p.visit) for p in facts.record.passes if p.number not in mine}
    return next((p.visit for p in passes if id(p.visit) not in mixed), None)


def _values(facts: Facts, role: str) -> torch.Tensor | None:
    passes = facts.trained if role == "train" else facts.val
    visit = _first_visit(facts, passes)
    found = visit.values if visit is not None else []
    return torch.cat(found).cpu() if found and len({f.shape[1] for f in found}) == 1 else None


def _by_nearness(facts: Facts) -> tuple[int, int, str] | None:
    train, val = _values(facts, "train"), _values(facts, "val")
    if train is None or val is None or train.shape[1] != val.shape[1]:
        return None
    val, train = val[:1000], train[:3000]
    n = len(val)
    if n < 10 or len(train) < 30 or train.shape[1] < 3:
        return (0, n, "") if n else None
    spread = train.std(0)
    kept = spread > 1e-6
    train, val = (train / spread)[:, kept], (val / spread)[:, kept]
    own = torch.cdist(train, train)
    own.fill_diagonal_(math.inf)
    inside, across = own.min(1).values, torch.cdist(val, train).min(1).values
    near = 0.1 * float(inside.median())
    shared, usual = int((across < near).sum()), float((inside < near).float().mean())
    sure = shared >= 3 and stats.binom.sf(shared - 1, n, min(1.0, 2 * usual + 1e-3)) < 1e-4
    return (shared, n, "are almost equal to a training row") if sure else (0, n, "")


def _moments(facts: Facts, role: str) -> list[Moments]:
    """Sums over all rows of a role: those that the model was given, and those of the data set."""
    passes = facts.trained if role == "train" else facts.val
    found = []
    first = _first_visit(facts, passes)
    if first is not None and first.moments.batches and (first.ended or first.source.loader is None):
        whole = first.moments.batches >= len(first.waits) if first.source.loader is not None else True
        if whole:
            found.append(first.moments)
    loader = facts.loader(role)
    t = _tensor(loader) if loader is not None else None
    if t is not None and t.is_floating_point() and t.ndim > 1:
        found.append(Moments.of(t))
    return found


def _scaled(m: Moments) -> dict[str, Any]:
    """How far each column is from mean 0 and spread 1, and from running over 0 to 1."""
    n = max(m.count, 2)
    spread = m.spread
    off = torch.minimum((spread - 1).abs(), (spread * math.sqrt(n / (n - 1)) - 1).abs())
    mixed = (m.squares - m.total).abs().cpu() > 1e-6 * n  # numbers other than 0 and 1
    return {"standard": torch.maximum(m.mean.abs(), off), "range": torch.maximum(m.low.cpu().abs(), (m.high.cpu() - 1).abs()),
            "there": spread > 1e-8, "mixed": mixed}


def scaler(facts: Facts) -> Iterator[Cause]:
    """TRN021: training and validation rows that are scaled exactly only together, or each by itself."""
    pairs = list(zip(_moments(facts, "train"), _moments(facts, "val")))
    for mine, yours in pairs + [(a.overall(), b.overall()) for a, b in pairs]:
        if mine.count < 10 or yours.count < 5 or len(mine.total) != len(yours.total):
            continue
        train, val, both = _scaled(mine), _scaled(yours), _scaled(mine + yours)
        there = both["there"] & both["mixed"] & train["there"]
        if int(there.sum()) == 0:
            continue
        for way, words in (("standard", "mean 0 and spread 1"), ("range", "a range of 0 to 1")):
            exact = (both[way] < EXACT) & there
            far = exact & (train[way] > APART * EXACT)
            many = max(1, 0.3 * int(there.sum())) if way == "standard" else max(1, 0.9 * int(there.sum()))
            if int(exact.sum()) >= many and int(far.sum()) >= (0.9 if way == "standard" else 0.02) * int(exact.sum()):
                worst = float(train[way][far].max())
                yield Cause("TRN021", "scaled_together", "issue", 1.05, "The scaler was fitted on all rows: training and "
                            "validation "
                            f"rows have {words} exactly only together ({plural(int(far.sum()), 'column')}; training rows alone "
                            f"are "
                            f"off by up to {number(worst)}), so validation has leaked into training.",
                            {"columns": int(far.sum()), "off": worst, "n": mine.rows + yours.rows},
                            advice("fit the scaler on the training rows alone, and apply it to the others"))
                return
            own = (train[way] < EXACT) & (val[way] < EXACT) & there
            if way == "standard" and int(own.sum()) >= many and not torch.allclose(mine.low, yours.low):
                yield Cause("TRN021", "scaled_apart", "issue", 1.3, "The scaler was fitted again on the validation rows: training "
                            f"rows and validation rows each have {words} exactly ({plural(int(own.sum()), 'column')}), so the "
                            f"same "
                            "number means something else in each.", {"columns": int(own.sum()), "n": yours.rows},
                            advice("apply the scaler of the training rows (transform, not fit_transform)"))
                return


def other_scale(facts: Facts) -> Iterator[Cause]:
    """TRN023: validation inputs on another scale than training inputs."""
    visits = [_first_visit(facts, passes) for passes in (facts.trained, facts.val)]
    mine, yours = (v.moments if v is not None else Moments() for v in visits)
    if not mine.batches or not yours.batches or len(mine.total) != len(yours.total) or mine.rows < 16 or yours.rows < 16:
        return
    spread, other = mine.spread, yours.spread
    there = (spread > 1e-6 * (1 + mine.mean.abs())) & (other > 0)
    if int(there.sum()) == 0:
        return
    ratio, shift = (other / spread)[there], ((yours.mean - mine.mean).abs() / spread)[there]
    off = float((((ratio < 1 / 4) | (ratio > 4)) | (shift > 2)).float().mean())
    if off > 0.5:
        a, s, b, t = (float(v[there].median()) for v in (mine.mean, spread, yours.mean, other))
        yield Cause("TRN023", "other_scale", "issue", 1.4, f"Validation inputs are not prepared as training inputs are: {off:.0%} "
                    f"of the columns are on "
                    f"another scale (median mean {number(b)} and spread {number(t)} at validation, {number(a)} and {number(s)} in "
                    f"training), as "
                    "where scaling or normalisation is missing.", {"share": off, "n": yours.rows},
                    advice("prepare training and validation rows alike"))


def augmented(facts: Facts) -> Iterator[Cause]:
    """TRN022: validation inputs that are not the same in each round."""
    rounds = [r for r in facts.rounds if r[0].visit.source.loader is not None]
    if len(rounds) < 2 or [p.n for p in rounds[0]] != [p.n for p in rounds[-1]]:
        return
    pairs = [(a, b) for a, b in zip(rounds[0], rounds[-1]) if a.number in facts.hashes and b.number in facts.hashes]
    if sum(a.n for a, _ in pairs) < 8:
        return
    first, last = (np.concatenate([facts.hashes[pair[side].number] for pair in pairs]) for side in (0, 1))
    same = float(np.isin(last, first).mean())
    labels = [(facts.labels(a), facts.labels(b)) for a, b in pairs]
    loader = facts.loader("val")
    whole = len(pairs) == len(rounds[0]) and (getattr(loader, "dataset", None) is None or _rows(loader) == len(first))
    alike = all(a is not None and b is not None and np.array_equal(a, b) for a, b in labels)
    if same < 0.98 and (whole or alike):
        yield Cause("TRN022", "augmented_validation", "issue", 1.15, f"Validation inputs are augmented at random: {1 - same:.0%} "
                    f"of "
                    f"{len(first):,} rows differ from the first round to the last, though they are the same items, so the metric "
                    "changes by chance.", {"differ": 1 - same, "n": len(first)},
                    advice("use a transform without randomness for validation"))
    elif same >= 0.98:
        yield Cause("TRN022", "fixed_validation", "passed", 92, f"The {len(first):,} validation rows are the same in each of "
                    f"{len(rounds)} rounds.", {"n": len(first)})


def _rows(loader: Any) -> int:
    data, rows = origin(loader)
    try:
        return len(rows) if rows is not None else len(data)
    except TypeError:
        return -1


def classes(facts: Facts) -> Iterator[Cause]:
    """TRN024: classes of validation that training never saw."""
    if not facts.classes:
        return
    mine = [x for p in facts.trained if (x := facts.labels(p)) is not None]
    yours = [x for r in facts.rounds[:1] for p in r if (x := facts.labels(p)) is not None]
    if not mine or not yours:
        return
    train, val = np.concatenate(mine), np.concatenate(yours)
    absent = [c for c in np.unique(val) if c >= 0 and (val == c).sum() >= 5 and (val == c).mean() > 0.02
              and not (train == c).any()]
    if len(np.unique(val)) == 1 and len(val) >= 20 and (train == val[0]).mean() < 0.9:
        yield Cause("TRN024", "one_class_at_validation", "issue", 1.25, f"All {len(val):,} validation rows are of one class, "
                    f"which {(train == val[0]).mean():.0%} of "
                    "training rows are of: the split follows the order of the data.", {"n": len(val)},
                    advice("shuffle and stratify before splitting", "data", "check_quality(data, splits=splits)"))
    elif absent and len(train) >= 50:
        share = float(np.isin(val, absent).mean())
        yield Cause("TRN024", "classes_apart", "issue", 1.25, f"{share:.0%} of {len(val):,} validation rows are of classes that "
                    f"training never sees ({', '.join(f'{c:g}' for c in absent[:5])}): the split follows the order of the data.",
                    {"share": share, "n": len(val)}, advice("shuffle and stratify before splitting", "data",
                                                            "check_quality(data, splits=splits)"))


RULES = (overlap, scaler, augmented, other_scale, classes)
