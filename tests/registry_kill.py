"""Processes for the test and the benchmark of a registry that is killed: one that works until it is killed, one that checks."""

import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_lifecycle.deployment.registry import Registry
from ml_lifecycle.foundation.errors import ProjectError

PROCESSES: Any = multiprocessing.get_context("forkserver")  # new processes that have imported what they need, and nothing else
PROCESSES.set_forkserver_preload(["ml_lifecycle.deployment.registry", "skops.io", "sklearn.pipeline", "sklearn.linear_model"])


def a_model() -> Any:
    """A small pipeline, another one each time."""
    rng = np.random.default_rng()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rng.normal(size=(40, 3)), np.arange(40) % 2)


def work(folder: str, promoted: Any, begun: Any) -> None:
    """Register, promote, roll back and clean until killed; `promoted` is set when a first champion was there for sure."""
    registry, models = Registry(folder), [a_model() for _ in range(12)]
    begun.set()
    for i in itertools.count():
        number = registry.register(models[i % 12], config={"round": i}, train_version="train", validation_version="validation")
        registry.promote(number, ("champion", "canary", "shadow")[i % 3])
        promoted.set()
        if i % 4 == 3:
            with contextlib.suppress(ProjectError):  # there was no champion before
                registry.rollback()
        if i % 5 == 4:
            registry.clean()


def work_until(folder: str, last: int) -> None:
    """Register and promote, and be killed right before the `last`-th write of a file, rename or statement of the database."""
    registry, model, left = Registry(folder), a_model(), itertools.count(1)

    def counted(call: Any) -> Any:
        def then(*arguments: Any, **named: Any) -> Any:
            if next(left) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return then

    class Connection(sqlite3.Connection):
        execute = counted(sqlite3.Connection.execute)

    connect = sqlite3.connect
    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    sqlite3.connect = lambda *a, **k: connect(*a, factory=Connection, **k)  # type: ignore[assignment]
    registry.promote(registry.register(model, config={"last": last}, train_version=str(last), validation_version="v"), "champion")
    with contextlib.suppress(ProjectError):  # there was no champion before
        registry.rollback()


def check(folder: str, promoted: bool, newest: int, told: Any) -> None:
    """What must hold after every kill; tells how many versions there are, or what is wrong."""
    try:
        told.put(_checked(folder, promoted, newest))
    except BaseException as error:
        told.put(repr(error))
        raise


def _checked(folder: str, promoted: bool, newest: int) -> int:
    registry = Registry(folder)
    numbers = list(registry.versions()["number"])
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    for number in numbers[-newest:]:
        version = registry.get(number)
        assert version.predict(np.zeros((2, 3))).shape == (2,)
        assert len(version.parts) == 5
    assert int((registry.history()["event"] == "register").sum()) == len(numbers)
    if promoted:
        now = registry.aliases["champion"]
        assert registry.get("champion").predict(np.zeros((1, 3))).shape == (1,)
        with contextlib.suppress(ProjectError):  # there was no champion before
            registry.rollback()
        registry.promote(now, "champion")
    again = registry.register(a_model(), config={}, train_version="train", validation_version="validation")
    assert again == len(numbers) + 1
    assert registry.get(again).number == again
    return len(registry)


def kill_once(folder: Path, draw: random.Random, promoted: bool, newest: int) -> tuple[bool, int]:
    """One kill and one check; whether there was ever a champion, and how many versions there are."""
    seen, begun = PROCESSES.Event(), PROCESSES.Event()
    working = PROCESSES.Process(target=work, args=(str(folder), seen, begun))
    working.start()
    assert begun.wait(60)
    time.sleep(draw.uniform(0, 0.8))
    working.kill()
    working.join()
    return _after(folder, promoted or seen.is_set(), newest)


def kill_at(folder: Path, last: int, promoted: bool) -> tuple[bool, int, int | None]:
    """A kill right before the `last`-th step, and one check; the exit code is 0 when the work has fewer steps."""
    working = PROCESSES.Process(target=work_until, args=(str(folder), last))
    working.start()
    working.join()
    return (*_after(folder, promoted, 1_000), working.exitcode)


def _after(folder: Path, promoted: bool, newest: int) -> tuple[bool, int]:
    told = PROCESSES.SimpleQueue()
    checking = PROCESSES.Process(target=check, args=(str(folder), promoted, newest, told))
    checking.start()
    said = told.get()
    checking.join()
    assert checking.exitcode == 0, said
    return promoted, said
