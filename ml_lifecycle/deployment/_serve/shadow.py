"""One thread that asks the shadow after the answer was sent; what it cannot keep up with is left out, and counted."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable

class Worker:
    """Runs jobs one after the other, behind the answers; never holds one up."""

    def __init__(self, most: int = 200) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(most)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], None]) -> bool:
        """Put a job in the line; False when the line is full. A job handles its own errors."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ml-lifecycle shadow", daemon=True)
                self._thread.start()
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            with contextlib.suppress(Exception):
                job()
            self._jobs.task_done()
        self._jobs.task_done()

    def wait(self, seconds: float = 10.0) -> bool:
        """Until the line is empty; False when it is not within `seconds`."""
        end = time.monotonic() + seconds
        while self._jobs.unfinished_tasks:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def stop(self, seconds: float = 10.0) -> None:
        """Finish the line and end the thread."""
        self.wait(seconds)
        if self._thread is not None and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(seconds)
        self._thread = None
