"""What a run says while it works, on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
from typing import Any

class Progress:
    """Names the lesson and the cell that run now."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._tty = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._bar: Any = None
        self._ended = threading.Event()

    def say(self, line: str) -> None:
        """One line, above the bar if there is one."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.clear()
        print(line, file=sys.stderr, flush=True)

    def start(self, name: str) -> None:
        """A lesson begins."""
        if not self._tty:
            self.say(f"{name} …")
            return
        from tqdm import tqdm

        self._bar = tqdm(total=0, desc=name, leave=False, file=sys.stderr, dynamic_ncols=True, miniters=0,
                         bar_format="{desc} · cell {n_fmt}/{total_fmt} {bar:16} {elapsed}{postfix}")
        self._ended = threading.Event()
        threading.Thread(target=self._tick, args=(self._bar, self._ended), daemon=True).start()

    @staticmethod
    def _tick(bar: Any, ended: threading.Event) -> None:
        while not ended.wait(1):
            bar.refresh()

    def cell(self, number: int, total: int, about: str) -> None:
        """A cell begins."""
        if self._bar is not None:
            self._bar.total, self._bar.n = total, number
            self._bar.set_postfix_str(about)

    def end(self, line: str) -> None:
        """The lesson is over."""
        if self._bar is not None:
            self._ended.set()
            self._bar.close()
            self._bar = None
        if line:
            self.say(line)
