"""JupyterLab on a copy of the lessons."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from ml_lifecycle.foundation._files import write_text
from ml_lifecycle.foundation.errors import BadInputError, require
from ml_lifecycle.runner.lessons import copy_lessons

_SAID = {"copied": "copied", "unchanged": "there already", "kept": "kept yours, which differs; delete it for a fresh copy"}


def say_copied(directory: str) -> Path:
    """Copy the lessons and say what became of each."""
    target = Path(directory).expanduser().absolute()
    for name, what in copy_lessons(target):
        print(f"{target / name}: {_SAID[what]}", flush=True)
    return target


def open_lab(
    directory: str,  # where the lessons are copied to, and JupyterLab's root
    *,
    browser: bool = True,  # open one
    port: int | None = None,  # to listen on; None: JupyterLab chooses
) -> int:  # JupyterLab's exit code
    """Copy the lessons and start JupyterLab on them, for this machine only."""
    if importlib.util.find_spec("jupyterlab") is None:
        require("jupyterlab", "course", "`ml-lifecycle lab`")
    if port:
        _check_free(port)
    target = say_copied(directory)
    first = min(path.name for path in target.glob("0[1-7]_*.ipynb"))
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={target}", "--ServerApp.ip=127.0.0.1",
               f"--LabApp.default_url=/lab/tree/{first}", *([] if browser else ["--no-browser"]),
               *([f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port else [])]
    with tempfile.TemporaryDirectory(prefix="ml-lifecycle-") as own:
        return _attend(subprocess.Popen([*command, *_as_root()], env=_environment(Path(own))))


def _check_free(port: int) -> None:
    """Find out before anything is copied whether something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInputError(f"`--port` must be free. Got {port}: {error.strerror}. "
                                "Leave --port out, and JupyterLab finds one.") from None


def _as_root() -> list[str]:
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _environment(own: Path) -> dict[str, str]:
    """Makes the kernel "python3" this interpreter, whatever other kernels of that name are registered."""
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3 (ml-lifecycle)", "language": "python", "metadata": {"debugger": True}}
    write_text(own / "kernels" / "python3" / "kernel.json", json.dumps(spec))
    path = [str(own), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {**os.environ, "JUPYTER_PATH": os.pathsep.join(path)}


def _attend(process: "subprocess.Popen[bytes]") -> int:
    """Wait for JupyterLab; Ctrl-C is its own to answer, a request to end is handed on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
