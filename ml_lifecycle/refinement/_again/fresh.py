"""Runs in fresh processes that hash words differently: what depends on the order of sets comes to light."""

from collections.abc import Callable, Sequence
from typing import Any

from ml_lifecycle.refinement._again.record import Run, recorded

def in_processes(train: Callable[[], Any], seed: int, loader: Any, hashes: Sequence[str]) -> list[Run] | str:
    """One run in a process of its own for each seed of the hashes; or why there is none."""
    from joblib.externals.loky import ProcessPoolExecutor

    runs = []
    for number in hashes:
        try:
            with ProcessPoolExecutor(max_workers=1, env={"PYTHONHASHSEED": number}) as pool:
                runs.append(pool.submit(recorded, train, seed, loader).result())
        except Exception as error:  # noqa: BLE001 - what cannot be sent to a process is said, not raised
            return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return runs
