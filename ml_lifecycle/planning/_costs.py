"""What it costs to run a model: the time of one prediction, rows per second, bytes on disk, memory of a fresh process."""

import contextlib
import json
import math
import pickle
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.foundation import _ask, _torch
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval

BATCH = 10_000  # most rows of the batch for throughput and memory
CAP = 2.0  # seconds that timing may take
WARM_UP = 3  # calls before the clock counts
PATIENCE = 300  # seconds that a fresh process may take
MEGABYTE = 2**20
UNKNOWN = float("nan")


# ---- rows in every form

def rows_of(X: Any) -> int:
    """How many rows `X` has; raises when it is no table."""
    odd = X is None or isinstance(X, (str, bytes, Mapping, type)) or not (hasattr(X, "shape") or hasattr(X, "__len__"))
    if odd or (hasattr(X, "shape") and not len(X.shape)):
        raise BadInputError("`X` must hold the rows to predict: a frame, an array, a sparse matrix, a tensor or a list. "
                            f"Got {'None' if X is None else type(X).__name__}. Pass the features of rows the model has not seen.")
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def some_rows(X: Any, rows: Any) -> Any:
    """Rows of a frame, an array, a tensor, a sparse matrix or a list."""
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[rows]
    if hasattr(X, "tocsr"):
        return X.tocsr()[rows]
    return X[rows] if hasattr(X, "shape") else [X[i] for i in rows]


def joined(loader: Any) -> tuple[Any, Any]:
    """All batches of a torch DataLoader of (X, y) as two tensors; the random state comes back afterwards."""
    import torch

    state = torch.get_rng_state()
    try:
        batches = list(loader)
    finally:
        torch.set_rng_state(state)
    for batch in batches:
        if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(b, torch.Tensor) for b in batch)):
            raise BadInputError("`X` must be a DataLoader of pairs of tensors (X, y). "
                                f"Got batches of {type(batch).__name__}. Pass X and y as tensors.")
    if not batches:
        raise BadInputError("`X` must hold rows. Got a DataLoader without batches.")
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def is_loader(X: Any) -> bool:
    """Whether `X` is a torch DataLoader; does not import torch."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and isinstance(X, data.DataLoader)


# ---- asking without a trace

@contextlib.contextmanager
def asked(model: Any) -> Iterator[Callable[[Any], Any]]:
    """The call that a service would make: `predict`, or the forward pass up to numbers on the CPU.

    What the model raises in it becomes one BadInputError.
    """
    if not _torch.is_module(model):
        with _ask.plainly():
            yield model.predict
        return

    def forward(X: Any) -> Any:
        given = model(_torch.as_tensor(X, model))
        return (given[0] if isinstance(given, (tuple, list)) else given).cpu()

    with _ask.plainly(), _torch.at_rest(model):
        yield forward


# ---- time

def latencies(model: Any, X: Any, *, repeats: int, seed: int) -> np.ndarray:
    """Milliseconds of single-row predictions, sorted; fewer than `repeats` when they would take longer than CAP seconds."""
    order = np.random.default_rng(seed).permutation(rows_of(X))[:repeats]
    single = [some_rows(X, [int(i)]) for i in order]
    taken: list[float] = []
    with asked(model) as call:
        for i in range(WARM_UP):
            call(single[i % len(single)])
        end = time.perf_counter() + CAP
        for i in range(repeats):
            start = time.perf_counter()
            call(single[i % len(single)])
            stop = time.perf_counter()
            taken.append((stop - start) * 1e3)
            if stop > end:
                break
    return np.sort(taken)


def quantile(taken: np.ndarray, part: float, level: float = 0.95) -> Interval:
    """A quantile of sorted times with its interval: distribution-free, or of a log-normal where there are too few calls.

    Hahn & Meeker (1991), Statistical Intervals, sections 5.2 and 4.4. Below 3 calls the upper bound is infinite.
    """
    tail, n = (1 - level) / 2, len(taken)
    value = float(np.quantile(taken, part))
    low, high = int(stats.binom.ppf(tail, n, part)), int(stats.binom.ppf(1 - tail, n, part)) + 1
    if low >= 1 and high <= n:
        ends = taken[low - 1], taken[high - 1]
    elif n < 3:
        ends = 0.0, math.inf
    else:
        logs, shift = np.log(np.maximum(taken, 1e-9)), stats.norm.ppf(part) * math.sqrt(n)
        ends = np.exp(logs.mean() + logs.std(ddof=1) * stats.nct.ppf([tail, 1 - tail], n - 1, shift) / math.sqrt(n))
    return Interval(value, min(float(ends[0]), value), max(float(ends[1]), value))


def throughput(model: Any, X: Any) -> float:
    """Rows per second of a batch: the median of up to five predictions."""
    batch = some_rows(X, np.arange(min(BATCH, rows_of(X))))
    taken: list[float] = []
    with asked(model) as call:
        call(batch)
        while len(taken) < 5 and sum(taken) < CAP:
            start = time.perf_counter()
            call(batch)
            taken.append(time.perf_counter() - start)
    return rows_of(batch) / max(float(np.median(taken)), 1e-9)


# ---- size

class _Counter:
    """A file that keeps nothing but its length."""

    size = 0

    def write(self, data: Any) -> int:
        """Count."""
        length = memoryview(data).nbytes
        self.size += length
        return length


def size_mb(model: Any) -> tuple[float, str]:
    """(megabytes of the pickled model, "") or (nan, why not)."""
    counter = _Counter()
    try:
        pickle.dump(model, counter, protocol=5)
    except Exception as error:  # noqa: BLE001 - a model may raise anything when it is pickled
        return UNKNOWN, f"the model cannot be saved: {type(error).__name__}: {error}"
    return counter.size / MEGABYTE, ""


def memory_mb(model: Any, X: Any) -> tuple[float, str]:
    """(peak megabytes of a fresh process that loads the model and predicts a batch, "") or (nan, why not)."""
    batch = some_rows(X, np.arange(min(BATCH, rows_of(X))))
    if _torch.is_module(model):
        batch = _torch.as_tensor(batch, model)
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, value in (("model", model), ("batch", batch)):
                with open(Path(folder, f"{name}.pickle"), "wb") as file:
                    pickle.dump(value, file, protocol=5)
        except Exception as error:  # noqa: BLE001 - a model may raise anything when it is pickled
            return UNKNOWN, f"the model cannot be saved: {type(error).__name__}: {error}"
        Path(folder, "path.json").write_text(json.dumps(sys.path), encoding="utf-8")
        return _fresh(folder)


def _fresh(folder: str) -> tuple[float, str]:
    command = [sys.executable, str(Path(__file__).with_name("_peak.py")), folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return UNKNOWN, f"the fresh process took longer than {PATIENCE} s"
    answer = Path(folder, "answer.json")
    if not answer.exists():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return UNKNOWN, f"the fresh process ended with code {done.returncode}: {last}"
    said = json.loads(answer.read_text(encoding="utf-8"))
    if "bytes" in said:
        return said["bytes"] / MEGABYTE, ""
    missing = re.search(r"attribute '(\w+)' on <module '__main__'", said["error"])
    if missing:
        return UNKNOWN, (f"a fresh process cannot load the model: {missing[1]!r} is defined in this notebook or script. "
                         "Define it in a module that can be imported")
    return UNKNOWN, f"a fresh process cannot load and run the model: {said['error']}"
