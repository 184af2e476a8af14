"""A registry behind HTTP until somebody ends it."""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_lifecycle.foundation.errors import BadInputError, ProjectError, require

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    directory: str | Path,  # a project directory, or that of a registry
    host: str = "127.0.0.1",  # "0.0.0.0" lets other machines call
    port: int = 8000,  # 0: a free one
    *,
    canary: float = 0.0,  # share of the users who get the version called canary
    salt: str = "",  # of the draw of these users
    log: str | Path | None = None,  # where requests are kept; None: requests.sqlite of a project, nowhere for a bare registry
    consumers: Any = None,  # who may call: a mapping of keys to names; None: everybody
) -> int:  # exit code: 0 after a request to end, 130 after Ctrl-C
    """Serve the champion of a registry; raises one-line errors before anything listens."""
    uvicorn = require("uvicorn", "deploy", "`ml-lifecycle serve`")
    from ml_lifecycle.deployment import Registry, Rollout, create_app

    place, own = find_registry(directory)
    registry = Registry(place, create=False)
    kept = log if log is not None else own
    app = create_app(registry, rollout=Rollout(canary=canary, salt=salt), log=kept, consumers=consumers)
    listener = _listen(host, port)
    with contextlib.closing(listener):
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5))
        _say(registry, host, listener.getsockname()[1], kept, consumers)
        with _ended_by_signals(server) as ended:
            server.run(sockets=[listener])
    if not server.started:
        raise ProjectError(f"`DIR` must hold a registry that can be served. Got {str(directory)!r}: the service did not start.")
    return 130 if signal.SIGINT in ended else 0


def find_registry(directory: str | Path) -> tuple[Path, Path | None]:
    """The registry in a directory, and where a project keeps its requests."""
    path = Path(directory).expanduser().absolute()
    if (path / "project.yaml").is_file():
        if not (path / "registry").is_dir():
            raise ProjectError(f"`DIR` must be a project with a registered model. Got {str(directory)!r}, which has none. "
                               f"Register one in step 6: ml-lifecycle run --project {directory} --steps 6")
        return path / "registry", path / "requests.sqlite"
    if not path.exists():
        raise ProjectError(f"`DIR` must be a project or a registry. Got {str(directory)!r}, which does not exist.")
    return path, None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise BadInputError(f"`--host` must be an address of this machine. Got {host!r}: {error}. Try 127.0.0.1.") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        said = getattr(error, "strerror", None) or error
        raise BadInputError(f"`--port` must be free. Got {port} on {host}: {said}. Name another: --port {port + 1}") from None
    return listener


def _say(registry: Any, host: str, port: int, kept: Any, consumers: Any) -> None:
    champion = registry.aliases.get("champion")
    where = f"[{host}]" if ":" in host else host
    print(f"Serving {f'version {champion}, the champion,' if champion else 'no champion yet'} at http://{where}:{port}  "
          f"(POST /predict, GET /readyz, /livez, /metrics)", flush=True)
    if not champion:
        print("Requests are answered with 503 until a version is promoted: "
              'Registry(...).promote(number, "champion")', file=sys.stderr, flush=True)
    if kept is not None:
        print(f"Requests are kept in {kept}", flush=True)
    if host not in LOCAL and consumers is None:
        print("Anybody who reaches this machine can call it: put it behind a gateway that knows who may.", file=sys.stderr,
              flush=True)
    print("Stop it with Ctrl-C.", flush=True)


@contextlib.contextmanager
def _ended_by_signals(server: Any) -> Iterator[list[int]]:
    """Ctrl-C and a request to end let open requests finish; a second one does not wait."""
    ended: list[int] = []

    def end(number: int, frame: Any) -> None:
        server.force_exit = bool(ended)
        server.should_exit = True
        ended.append(number)

    server.capture_signals = contextlib.nullcontext  # uvicorn would raise the signal again when it has ended
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
