"""Where the time of a thread goes: its stack is looked at every other millisecond, each look told as read, decode or transform."""

import ast
import linecache
import random
import re
import signal
import sys
import textwrap
import threading
import time
from collections import defaultdict
from types import CodeType, FrameType
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PERIOD = 0.002  # seconds between two looks, on average
SWITCH = 0.0001  # seconds after which Python hands the lock over to the watching thread

_TRANSFORM = re.compile(r"transform|augment|preproc|normali[sz]|resi[sz]e|crop|flip|jitter|rotat|blur|standardi[sz]"
                        r"|tokeni[sz]", re.I)
_DECODE = re.compile(r"decod|decompress|deseriali[sz]|unpack|pars(e|er|ing)(_|$)|^loads$|frombuffer|unpickl|^im_?read"
                     r"|decrypt", re.I)
_READ = re.compile(r"(^|_)(load|reads?|readlines?|open|fetch|download|query|recv|seek|wait|fromfile|urlopen|memmap)(_|$)|^execute"
                   r"|^fetch(one|all|many)$|^sleep$|^scandir$|^listdir$|^stat$", re.I)
_PLACES = {
    "transform": ("torchvision.transforms", "albumentations", "kornia", "imgaug", "skimage.transform", "audiomentations"),
    "decode": ("json", "gzip", "zlib", "bz2", "lzma", "pickle", "csv", "PIL", "soundfile", "imageio", "torchvision.io"),
    "read": ("h5py", "zarr", "sqlite3", "lmdb", "fsspec", "s3fs", "gcsfs", "boto3", "botocore", "requests", "urllib", "http",
             "socket", "ssl"),
}
_PASSED_OVER = {"__getitem__", "__getitems__", "__iter__", "__next__", "__call__", "forward", "<listcomp>", "<genexpr>",
                "<lambda>", "_call_impl", "_wrapped_call_impl"}


def word_label(name: str) -> str | None:
    """What a function does, by its name."""
    for label, pattern in (("transform", _TRANSFORM), ("decode", _DECODE), ("read", _READ)):
        if pattern.search(name):
            return label
    return None


def place_label(module: str) -> str | None:
    """What a function does, by the module it stands in."""
    for label, places in _PLACES.items():
        if any(module == place or module.startswith(place + ".") for place in places):
            return label
    return None


def called(code: CodeType, at: int) -> tuple[str, int]:
    """The name of what a frame is calling, and its line; the name is empty where it is no call."""
    if at < 0:
        return "", code.co_firstlineno
    spans = list(code.co_positions())
    line, end, start, stop = spans[min(at // 2, len(spans) - 1)]
    if line is None or end is None or start is None or stop is None:
        return "", line or code.co_firstlineno
    line = line or code.co_firstlineno
    lines = [linecache.getline(code.co_filename, n).encode() for n in range(line, end + 1)]
    lines[-1] = lines[-1][:stop]
    lines[0] = lines[0][start:]
    try:
        tree = ast.parse("(" + textwrap.dedent(b"".join(lines).decode()) + ")", mode="eval").body
    except (SyntaxError, ValueError):
        return "", line
    while isinstance(tree, ast.Call):
        tree = tree.func
    return (tree.attr if isinstance(tree, ast.Attribute) else tree.id if isinstance(tree, ast.Name) else ""), line


class Watch:
    """Looks at the thread that made it while it is `on`; what is seen is counted by unit (a batch), label and line.

    Each look counts for the time since the one before. A timer signal takes the looks in the thread itself, so that they
    come at any of its moments alike, also on a busy machine; where there is none (Windows, threads), another thread does.
    """

    def __init__(self, anchors: frozenset[CodeType], rest: str = "decode") -> None:
        self.anchors, self.rest = anchors, rest  # frames inside these functions count; what is computed there without a name
        self.on, self.unit = False, 0
        self.part: str | None = None  # "item" or "collate" while one is under way
        self.since = 0.0  # when it began
        self.time: dict[int, dict[str, float]] = {}  # unit -> label -> seconds
        self.lines: dict[tuple[str, str, int], float] = defaultdict(float)  # (label, file, line) -> seconds
        self.looks = 0
        self._names: dict[tuple[CodeType, int], tuple[str, int]] = {}
        self._ident = threading.get_ident()
        self._clock: Any = time.pthread_getcpuclockid(self._ident) if hasattr(time, "pthread_getcpuclockid") else None
        self._delay = _delay_file()  # open while it looks
        self._last, self._spent, self._gave_up = 0.0, 0.0, 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._chance = random.Random(0)  # looks come at uneven times, so that they keep no step with what they look at

    def __enter__(self) -> "Watch":
        if _free_timer():
            self._handler = signal.signal(signal.SIGALRM, self._on_signal)
            signal.siginterrupt(signal.SIGALRM, False)
        else:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH)
            self._thread = threading.Thread(target=self._run, name="profile_loader", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.off()
        if self._delay is not None:
            self._delay.close()
        if self._thread is None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler)
        else:
            self._stop.set()
            self._thread.join()
            sys.setswitchinterval(self._interval)

    def begin(self) -> None:
        """Look from now on."""
        self._last, self._spent, self._gave_up = time.perf_counter(), self._busy(), _given_up()
        self.on = True
        if self._thread is None:
            signal.setitimer(signal.ITIMER_REAL, self._wait())

    def off(self) -> None:
        """Look no more."""
        self.on, self.part = False, None

    def _wait(self) -> float:
        return PERIOD * self._chance.uniform(0.5, 1.5)

    def _busy(self) -> float:
        """Seconds that the thread has computed, or stood in a queue for a core."""
        queued = _delay(self._delay) if self._delay is not None else 0.0
        return queued + (time.clock_gettime(self._clock) if self._clock is not None else 0.0)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.on:
            self._tick(frame)
            signal.setitimer(signal.ITIMER_REAL, self._wait())

    def _run(self) -> None:
        while not self._stop.wait(self._wait()):
            if self.on:
                self._tick(sys._current_frames().get(self._ident))

    def _tick(self, frame: FrameType | None) -> None:
        now, spent, gave_up = time.perf_counter(), self._busy(), _given_up()
        taken = now - self._last
        if frame is not None and self.part is not None:
            slept = gave_up > self._gave_up or self._thread is not None
            waited = max(0.0, taken - (spent - self._spent)) if self._clock is not None and slept else 0.0
            self._look(frame, max(0.0, min(taken, now - self.since)), waited)
        self._last, self._spent, self._gave_up = now, spent, gave_up

    def _look(self, frame: FrameType | None, seconds: float, waited: float) -> None:
        stack, unit, part = [], self.unit, self.part
        while frame is not None and frame.f_code not in self.anchors:
            stack.append(frame)
            frame = frame.f_back
        if frame is None or part is None:
            return
        label, place = self._labelled(stack[::-1], [self._name(f) for f in stack[::-1]])
        if part == "collate":
            label = "collate"
        elif label is None:
            label = "read" if waited > seconds / 2 else self.rest
        self.looks += 1
        counted = self.time.setdefault(unit, {})
        counted[label] = counted.get(label, 0.0) + seconds
        if place is not None:
            self.lines[(label, *place)] += seconds

    def _name(self, frame: FrameType) -> tuple[str, int]:
        """What a frame calls; of libraries only where their own function has no telling name."""
        key = frame.f_code, frame.f_lasti
        if frame.f_code.co_name not in _PASSED_OVER and _library(frame.f_code.co_filename):
            return "", 0
        if key not in self._names:
            self._names[key] = called(*key)
        return self._names[key]

    def _labelled(self, stack: list[FrameType], names: list[tuple[str, int]]) -> tuple[str | None, tuple[str, int] | None]:
        """The label of a stack from the outside in, and the file and line where the person's own code last stood."""
        label, place = None, None
        for frame, (callee, line) in zip(stack, names):
            own = frame.f_code.co_name
            module = str(frame.f_globals.get("__name__", ""))
            for found in (place_label(module) or (word_label(own) if own not in _PASSED_OVER else None), word_label(callee)):
                if label is None or label == "read" and found == "decode":
                    label = found or label
            if not _library(frame.f_code.co_filename):
                place = frame.f_code.co_filename, line
        return label, place


def _given_up() -> int:
    """How often this thread has gone to sleep by itself: waiting does, standing in a queue for a core does not."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw if hasattr(resource, "RUSAGE_THREAD") else 0


def _free_timer() -> bool:
    """Whether the timer signal is there, and nobody uses it."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread() and \
        signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN) and signal.getitimer(signal.ITIMER_REAL)[0] == 0


def _library(path: str) -> bool:
    return "site-packages" in path or path.startswith(sys.base_prefix) or path.startswith("<frozen")


def _delay_file() -> Any:
    """The file in which Linux counts how long this thread has stood in a queue for a core; None elsewhere."""
    try:
        return open(f"/proc/self/task/{threading.get_native_id()}/schedstat", "rb", buffering=0)  # noqa: SIM115 - closed at the end
    except OSError:
        return None


def _delay(file: Any) -> float:
    """Seconds that a thread has stood in a queue for a core."""
    try:
        file.seek(0)
        return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
