"""The files of an image: they build from what is there, run without rights, and never take the place of a person's own."""

import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ml_lifecycle.deployment import Registry, write_docker
from ml_lifecycle.deployment._docker_files import _needed, pins
from ml_lifecycle.foundation.errors import BadInputError

def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, with continued lines joined."""
    text = path.read_text().replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line and not line.startswith("#")]


def sources(path: Path) -> list[str]:
    return [word for name,
        rest in instructions(path) if name == "COPY" for word in rest.split()[:-1] if not word.startswith("--")]


@pytest.mark.parametrize("inside", [False, True])
def test_everything_that_is_copied_exists(tmp_path: Path, inside: bool) -> None:
    where = tmp_path / "docker"
    Registry(where / "registry" if inside else tmp_path / "registry")
    files = write_docker(where, registry=where / "registry" if inside else tmp_path / "registry")
    context = where if inside else tmp_path
    assert all(path.is_file() for path in files)
    named = sources(where / "Dockerfile")
    assert "registry" in named
    assert len(named) == 3
    for name in named:
        assert (context / name).exists(), name
    ignored = {line.removeprefix("**/") for line in (where / ".dockerignore").read_text().splitlines()}
    assert not ignored & {part for name in named for part in Path(name).parts}
    assert (where / "Dockerfile.dockerignore").exists() is not inside


def test_it_runs_without_rights_and_is_looked_after(tmp_path: Path) -> None:
    write_docker(tmp_path / "docker", port=9000, python="3.12")
    found = instructions(tmp_path / "docker" / "Dockerfile")
    names = [name for name, _ in found]
    told = dict(found)
    assert told["FROM"] == "python:3.12-slim"
    assert told["USER"] not in ("root", "0")
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("COPY", "RUN"))
    assert "/livez" in told["HEALTHCHECK"]
    assert "9000" in told["HEALTHCHECK"]
    assert told["EXPOSE"] == "9000"
    assert told["CMD"] == '["ml-lifecycle", "serve", "/registry", "--host", "0.0.0.0", "--port", "9000"]'
    assert told["VOLUME"] == "/registry"
    assert names.count("CMD") == 1


def test_the_health_check_is_python(tmp_path: Path) -> None:
    write_docker(tmp_path / "docker")
    command = dict(instructions(tmp_path / "docker" / "Dockerfile"))["HEALTHCHECK"].partition("CMD ")[2]
    import json

    program = json.loads(command)
    assert program[:2] == ["python", "-c"]
    compile(program[2], "health", "exec")


def test_versions_are_those_that_are_installed(tmp_path: Path) -> None:
    write_docker(tmp_path)
    lines = [line for line in (tmp_path / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.!]+", line) for line in lines)
    for name in ("ml-lifecycle", "numpy", "scikit-learn", "fastapi", "uvicorn", "skops", "starlette"):
        assert pinned[name] == metadata.version(name).partition("+")[0]
    assert not {"pytest", "nbdev", "jupyterlab"} & set(pinned)
    assert list(pinned) == sorted(pinned)
    assert pins() == lines


@pytest.mark.parametrize(("line", "extras", "said"), [
    ("numpy>=1.26", frozenset(), ("numpy", frozenset())), ("uvicorn[standard]>=0.1", frozenset(),
    ("uvicorn", frozenset({"standard"}))),
    ('torch>=2; extra == "torch"', frozenset({"deploy"}), None), ("fastapi; extra == 'deploy'", frozenset({"deploy"}),
    ("fastapi", frozenset())),
    ('a_b.c (>=1) ; python_version < "3.12"', frozenset(), ("a_b.c", frozenset())), ("?", frozenset(), None)])
def test_lines_of_requirements(line: str, extras: frozenset[str], said: Any) -> None:
    assert _needed(line, extras) == said


def test_what_a_person_changed_stays(tmp_path: Path) -> None:
    write_docker(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    write_docker(tmp_path, port=9000)  # nothing was changed by hand: written anew
    (tmp_path / "Dockerfile").write_text((tmp_path / "Dockerfile").read_text() + "LABEL a=b\n")
    held = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(BadInputError, match=r"Got 'Dockerfile' in .*overwrite=True") as caught:
        write_docker(tmp_path)
    assert "\n" not in str(caught.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == held
    write_docker(tmp_path, overwrite=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("content", [b"FROM scratch\n", b"\xff\xfe", b""])
def test_a_file_of_somebody_else_stays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Dockerfile").write_bytes(content)
    with pytest.raises(BadInputError, match="'Dockerfile'"):
        write_docker(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["Dockerfile"]
    assert (tmp_path / "Dockerfile").read_bytes() == content


@pytest.mark.parametrize(("arguments", "said"), [
    ({"path": ""}, "`path` must be"), ({"path": 3}, "`path` must be"), ({"python": "latest"}, "`python` must be"),
    ({"python": "3.12; rm -rf"}, "`python` must be"), ({"port": 80}, "`port` must be"), ({"port": "8000"}, "`port` must be"),
    ({"registry": "nowhere"}, "`registry` must be"), ({"registry": 3}, "`registry` must be")])
def test_what_cannot_be_written(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        write_docker(arguments.pop("path", tmp_path / "docker"), **arguments)
    assert said in str(caught.value)
    assert not (tmp_path / "docker").exists()


def test_places_that_docker_cannot_copy(tmp_path: Path) -> None:
    (tmp_path / "a registry").mkdir()
    with pytest.raises(BadInputError, match="without spaces"):
        write_docker(tmp_path / "docker", registry=tmp_path / "a registry")
    with pytest.raises(BadInputError, match="must lie beside or below"):
        write_docker(tmp_path / "a registry" / "docker", registry=tmp_path / "a registry")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="Got the file"):
        write_docker(tmp_path / "file")


def test_the_readme_has_commands_that_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    write_docker(tmp_path / "docker", registry=tmp_path / "registry")
    text = (tmp_path / "docker" / "README.md").read_text()
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert commands[0] == "docker build -t my-model -f Dockerfile .."
    assert all(shlex.split(command) for command in commands)
    assert "Not built yet" in text


def test_a_registry_in_a_place_that_is_usually_ignored(tmp_path: Path) -> None:
    (tmp_path / "data" / "registry").mkdir(parents=True)
    write_docker(tmp_path / "docker", registry=tmp_path / "data" / "registry")
    assert "**/data" not in (tmp_path / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
