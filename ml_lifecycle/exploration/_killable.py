"""Work in processes of its own that can be stopped: what takes longer than it may is ended, not waited for."""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

LATE = "late"  # why a task is not complete: its time was over
_START = "import sys; sys.path[:] = {path!r}; from ml_lifecycle.exploration._killable import main; main()"
Result = tuple[int, list[Any], str]  # place of the task, what it gave, and why that is not all ("" when it is)


def run(
    shared: bytes,  # pickled (function, value): every task calls function(value, task), which yields what is to come back
    tasks: Sequence[bytes],  # pickled
    *,
    seconds: float,  # wall time of one task, from when its process is ready for it
    workers: int = 1,  # processes at a time
) -> Iterator[Result]:  # in the order in which they end
    """Run every task in a process that is ended when the time is over; one that dies takes no other with it."""
    waiting, hired = deque(enumerate(tasks)), set[Worker]()
    done: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    drivers = [threading.Thread(target=_drive, args=(shared, waiting, seconds, hired, done), daemon=True)
               for _ in range(workers)]
    for driver in drivers:
        driver.start()
    try:
        for _ in tasks:
            said = done.get()
            if isinstance(said, BaseException):
                raise said
            yield said
    finally:
        waiting.clear()
        for worker in list(hired):
            worker.stop()
        for driver in drivers:
            driver.join(timeout=5)


def _drive(shared: bytes, waiting: deque[tuple[int, bytes]], seconds: float, hired: set["Worker"], done: Any) -> None:
    """Give one task after the other to a process, and to a new one when it had to be stopped."""
    worker = None
    try:
        while waiting:
            with suppress(IndexError):  # another thread took the last one
                place, task = waiting.popleft()
                if worker is None or not worker.ready:
                    worker = Worker(shared)
                    hired.add(worker)
                done.put((place, *worker.do(task, seconds)))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the results are awaited
        done.put(error)
    finally:
        if worker is not None:
            worker.stop()


class Worker:
    """One process that does tasks until it is stopped."""

    def __init__(self, shared: bytes) -> None:
        path = [os.path.abspath(place) for place in sys.path]
        self.process = subprocess.Popen([sys.executable, "-c", _START.format(path=path)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        self.late = self.stopped = False
        self.refused = ""  # why it cannot do any task
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            self._send(shared)
            self.refused = pickle.load(self._pipe(self.process.stdout))
            return
        self.refused = f"its process ended at once{self._code()}"

    @property
    def ready(self) -> bool:
        """Whether it can do another task."""
        return not self.stopped and not self.refused and self.process.poll() is None

    def do(self, task: bytes, seconds: float) -> tuple[list[Any], str]:
        """(what the task gave, why that is not all)."""
        found: list[Any] = []
        if self.refused:
            return found, self.refused
        timer = threading.Timer(seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            self._send(task)
            while True:
                kind, value = pickle.load(self._pipe(self.process.stdout))
                if kind == "end":
                    return found, value
                found.append(value)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            return found, LATE if self.late else f"its process ended{self._code()}"
        finally:
            timer.cancel()

    def stop(self) -> None:
        """End the process and all that it has started."""
        self.stopped = True
        if self.process.poll() is None:
            with suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(self.process.pid, signal.SIGKILL)  # it is the first of a group of its own
                else:
                    self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)

    def _give_up(self) -> None:
        self.late = True
        self.stop()

    def _send(self, content: bytes) -> None:
        pipe = self._pipe(self.process.stdin)
        pipe.write(content)
        pipe.flush()

    def _code(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            return f" (exit code {self.process.wait(timeout=5)})"
        return ""

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe

    def __del__(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()


def main() -> None:  # pragma: no cover - runs in the process
    """Take the pipes away from what is run, so that nothing it prints stands between the results."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    serve(inbox, outbox)


def serve(
    inbox: IO[bytes],  # pickled (function, value), then tasks
    outbox: IO[bytes],  # what they give, each pickled
) -> None:
    """Do what is asked until nothing more comes."""

    def say(value: Any) -> None:
        outbox.write(pickle.dumps(value))
        outbox.flush()

    try:
        function, value = pickle.load(inbox)
    except Exception as error:  # noqa: BLE001 - the other side is told
        return say(_told(error))
    say("")
    while True:
        why = ""
        try:
            for found in function(value, pickle.load(inbox)):
                say(("found", found))
        except EOFError:
            return None
        except Exception as error:  # noqa: BLE001 - the other side is told
            why = _told(error)
        say(("end", why))


def _told(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"cannot be run in a process of its own: {type(error).__name__}: {said}"
