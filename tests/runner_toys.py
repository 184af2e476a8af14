"""Small lessons for the tests of the runner: each runs in a second, and leaves what a test can look at."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = """data = "flights"
target = ""
metric = ""
project = ""
budget = "quick"
seed = 0
rate = 0.5
exercises = True"""
RECORD = """import json, os, sys
with open(f"{project}/ran.jsonl", "a") as file:
    print(json.dumps({"step": "%s", "data": data, "target": target, "seed": seed, "rate": rate,
                      "exercises": exercises, "pid": os.getpid()}), file=file)"""
WAIT = """import time
open(f"{project}/waiting-%s", "w").write(str(os.getpid()))
while not os.path.exists(f"{project}/go"):
    time.sleep(0.02)"""


def lesson(place: Path, step: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a lesson: "# …" is text, anything else code; it notes in the project that it ran."""
    book = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    book.cells = [new_markdown_cell(f"# {step}\n> A question?"), new_code_cell(parameters, metadata={"tags": ["parameters"]}),
                  new_code_cell(RECORD % step)]
    for cell in cells:
        book.cells.append(new_markdown_cell(cell) if cell.startswith("# ") else new_code_cell(cell))
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
    place.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, place / f"{step}.ipynb")
    return place / f"{step}.ipynb"


def ran(project: Path) -> list[dict]:
    """What the lessons noted."""
    path = project / "ran.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def saved(project: Path) -> dict:
    """run.json."""
    return json.loads((project / "run.json").read_text())


def start(*arguments: object, lessons: Path, cwd: Path, **environment: str) -> subprocess.Popen:
    """The command line in a process of its own."""
    env = {**os.environ, "ML_LIFECYCLE_LESSONS": str(lessons), **environment}
    return subprocess.Popen([sys.executable, "-m", "ml_lifecycle.runner.cli", *map(str, arguments)], cwd=cwd, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(condition, seconds: float = 20) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not fetched does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
