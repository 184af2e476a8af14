"""The kernel of a run: this interpreter, quiet, in a process group that can be ended whole."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import Float

from ml_lifecycle.runner.say import one_line

_GRACE = 2.0  # seconds between asking a process group to end and ending it


class KernelGuard:
    """Knows the kernel that runs now, and ends it with everything it started."""

    def __init__(self) -> None:
        self.stopped = False  # True once `stop` was called: the end of the kernel is wanted
        self._group: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._home = tempfile.TemporaryDirectory(prefix="ml-lifecycle-")
        self._log: IO[bytes] = open(Path(self._home.name) / "kernel.log", "a+b")  # noqa: SIM115

    def environment(self) -> dict[str, str]:
        """What the kernel sees: the person's environment, apart from what would make a run depend on their profile."""
        own = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "IPYTHONDIR": self._home.name,
               "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONIOENCODING": "utf-8"}
        return {"PYTHONHASHSEED": "0", **os.environ, **own}

    def started(self, process: "subprocess.Popen[bytes]") -> None:
        """Remember the kernel's process; it leads a group of its own."""
        self._process, self._group = process, None
        if hasattr(os, "getpgid"):
            group = os.getpgid(process.pid)
            self._group = group if group != os.getpgrp() else None
        if self.stopped:  # asked to stop while it was starting
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the kernel now; returns at once, and makes sure of it behind the scenes."""
        self.stopped = True
        self._signal(signal.SIGTERM)
        sure = threading.Timer(_GRACE, self._signal, [_KILL])
        sure.daemon = True
        sure.start()

    def sweep(self) -> None:
        """End what the kernel left behind, such as worker processes."""
        if self._group is not None:
            self._signal(signal.SIGTERM)
        self._process = self._group = None
        self._log.truncate(0)

    def how_it_died(self) -> str:
        """Why the kernel is gone, as far as its process tells."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "the kernel died"
        if code < 0:
            name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else f"signal {-code}"
            likely = "; this is how a system short of memory ends a process" if -code == _KILL else ""
            return f"the kernel was killed by {name}{likely}"
        return f"the kernel ended by itself with exit code {code}" + self._last_words()

    def _last_words(self) -> str:
        """The last line that the kernel's process wrote, when it wrote one."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {one_line(lines[-1], 200)}" if lines else ""

    def close(self) -> None:
        """Give back the temporary directory."""
        self._log.close()
        self._home.cleanup()

    def _signal(self, number: int) -> None:
        try:
            if self._group is not None:
                os.killpg(self._group, number)
            elif self._process is not None:
                self._process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            pass


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def kernel_class(guard: KernelGuard, cwd: Path) -> type[AsyncKernelManager]:
    """The kernel manager for a run: whatever kernels are registered on this machine, it starts `sys.executable`."""

    class OwnInterpreter(AsyncKernelManager):
        """Starts the interpreter that runs us."""

        shutdown_wait_time = Float(_GRACE, config=True)

        @property
        def kernel_spec(self) -> KernelSpec:
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
            return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python", name="python3")

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            options = {**options, "env": guard.environment(), "cwd": str(cwd), "stdout": guard._log, "stderr": guard._log}
            await super().start_kernel(**options)
            guard.started(getattr(self.provisioner, "process"))  # noqa: B009 - only local provisioners have it

    return OwnInterpreter
