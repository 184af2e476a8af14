"""The text of the files for an image, the versions that are installed, and the mark by which a changed file is known."""

import hashlib
import os
import re
import shlex
from importlib import metadata
from pathlib import Path

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

_MARK = "Written by ml-lifecycle; sha256 of the rest: "
_HEALTH = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/livez', timeout=3)"
_IGNORED = ("**/.git", "**/.venv", "**/__pycache__", "**/.ipynb_checkpoints", "**/.env", "**/*.key", "**/*.pem",
            "**/*.sqlite-wal", "**/*.sqlite-shm", "**/runs", "**/data", "**/notebooks", "**/site", "**/evidence", "**/decisions",
            "**/requests.sqlite")


def files(where: Path, registry: Path | None, python: str, port: int) -> dict[str, str]:
    """Name -> text of every file."""
    context = where if registry is None else Path(os.path.commonpath([where, registry]))
    before = "" if context == where else f"{where.relative_to(context).as_posix()}/"
    inside = None if registry is None else registry.relative_to(context).as_posix()
    if inside is not None and (inside == "." or not _copyable(before + inside)):
        raise BadInputError(f"`registry` must lie beside or below `path`, in a directory without spaces or quotes. Got "
                            f"{shown(registry)}. Leave it out to mount it.")
    needed = set((inside or "").split("/"))
    ignored = "\n".join(p for p in _IGNORED if p.removeprefix("**/") not in needed) + "\n"
    content = {
        "Dockerfile": _dockerfile(before, inside, python, port), "requirements.txt": "\n".join(pins()) + "\n",
        ".dockerignore": ignored, "README.md": _readme(before, inside, port),
        "wheels/README.txt": "Wheels in this directory are taken before those of the package index.\n",
    }
    if before:
        content["Dockerfile.dockerignore"] = ignored
    return {name: marked(name, text) for name, text in content.items()}


def _copyable(path: str) -> bool:
    return bool(re.fullmatch(r"[\w./@+-]+", path))


def _dockerfile(before: str, inside: str | None, python: str, port: int) -> str:
    place = "/app/registry" if inside is not None else "/registry"
    copy = f"COPY --chown=app:app {inside} /app/registry\n" if inside is not None else "VOLUME /registry\n"
    health = '["python", "-c", "' + _HEALTH.format(port=port) + '"]'
    return (f"FROM python:{python}-slim\n"
            "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1\n"
            "WORKDIR /app\n"
            f"COPY {before}requirements.txt /app/requirements.txt\n"
            f"COPY {before}wheels /app/wheels\n"
            "RUN pip install --find-links /app/wheels -r /app/requirements.txt \\\n"
            "    && useradd --system --uid 10001 --create-home app\n"
            f"{copy}"
            "USER app\n"
            f"EXPOSE {port}\n"
            f"HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD {health}\n"
            f'CMD ["ml-lifecycle", "serve", "{place}", "--host", "0.0.0.0", "--port", "{port}"]\n')


def _readme(before: str, inside: str | None, port: int) -> str:
    up = "/".join([".."] * before.count("/")) or "."
    build = f"docker build -t my-model -f Dockerfile {up}"
    mount = "" if inside is not None else ' -v "$PWD/registry:/registry" --user "$(id -u)"'
    where = (f"The registry ({shlex.quote(inside)}) becomes part of the image, as it is at the build." if inside is not None else
             "The registry is mounted: replace `$PWD/registry` by its place. A rollback then takes effect without a new image.")
    return ("# The service as an image\n\nNot built yet: these files were written and checked as text.\n\n"
            "From this directory:\n\n"
            f"    {build}\n    docker run --rm -p {port}:{port}{mount} my-model\n    curl http://127.0.0.1:{port}/readyz\n\n"
            f"{where}\nPackages are pinned to the versions that the model was tried with. A package that no index\n"
            "has, such as an ml-lifecycle that you built yourself, goes into `wheels/` as a wheel.\n")


def pins() -> list[str]:
    """Every installed package that serving needs, at its version: ml-lifecycle with its extra, and what they need in turn."""
    found: dict[str, str] = {}
    todo = [("ml-lifecycle", frozenset({"deploy"}))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = todo.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extras) in seen:
            continue
        seen.add((key, extras))
        try:
            found[key] = metadata.version(name).partition("+")[0]
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        todo += [needed for line in wanted if (needed := _needed(line, extras)) is not None]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needed(line: str, extras: frozenset[str]) -> tuple[str, frozenset[str]] | None:
    """The package and the extras that a line of requirements asks for; None when it belongs to an extra that is not wanted."""
    text, _, marker = line.partition(";")
    wanted = re.findall(r"extra\s*==\s*['\"]([^'\"]+)", marker)
    if wanted and not extras & set(wanted):
        return None
    match = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", text)
    if match is None:
        return None
    return match[1], frozenset(part.strip() for part in (match[2] or "").split(",") if part.strip())


# the mark ---------------------------------------------------------------------------------------------------------------

def marked(name: str, text: str) -> str:
    """The text under a line that tells whether it is still what was written."""
    sha = hashlib.sha256(text.encode()).hexdigest()
    return f"<!-- {_MARK}{sha} -->\n{text}" if name.endswith(".md") else f"# {_MARK}{sha}\n{text}"


def check_unchanged(where: Path, content: dict[str, str]) -> None:
    """Raise when a file is there that is not as it was written."""
    changed = [name for name, text in content.items() if not _ours(where / name, text)]
    if changed:
        raise BadInputError(f"`path` must have no files that somebody changed. Got {', '.join(map(shown, changed))} in "
                            f"{str(where)!r}. Name another directory, or write over them: overwrite=True.")


def _ours(path: Path, text: str) -> bool:
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError):
        return False
    first, _, rest = there.partition("\n")
    return there == text or (_MARK in first and hashlib.sha256(rest.encode()).hexdigest() in first)
