"""How much of the time for a probe is over: counted by the work of the processor, which other programs do not touch."""

import time

PATIENCE = 3.0  # times the seconds asked for, after which a busy machine is waited for no more


class Clock:
    """Counts from when it is made; by the clock on the wall alone where a device does the work."""

    def __init__(self, seconds: float, *, processor: bool = True) -> None:
        self.seconds, self.processor = seconds, processor
        self.began = time.thread_time(), time.monotonic()

    @property
    def spent(self) -> float:
        """The share of the time that is over."""
        passed = (time.monotonic() - self.began[1]) / self.seconds
        if not self.processor:
            return passed
        return max((time.thread_time() - self.began[0]) / self.seconds, passed / PATIENCE)

    def over(self, share: float) -> bool:
        """Whether so much of the time is over."""
        return self.spent > share
