"""A next step that names a call names one that exists: advice that cannot be followed is none."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ml_lifecycle

ROOT = Path(ml_lifecycle.__file__).parent
PLACES = [importlib.import_module(f"ml_lifecycle.{p.name}") for p in sorted(ROOT.iterdir())
          if p.is_dir() and (p / "__init__.py").exists()]
ELSEWHERE = {"make_pipeline"}  # scikit-learn's


def calls() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "NextStep":
                given = [*node.args[2:3], *(k.value for k in node.keywords if k.arg == "call")]
                for value in given:
                    text = ast.unparse(value)
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


@pytest.mark.parametrize(("place", "text"), list(calls()))
def test_a_named_call_exists(place: str, text: str) -> None:
    for name in re.findall(r"([a-zA-Z_]\w*)\(", text.removeprefix("f").strip("'\"")):
        modules = [m for m in PLACES if hasattr(m, name)]
        methods = [n for m in PLACES for n in vars(m).values() if callable(n) and hasattr(n, name)]
        assert modules or methods or name in ELSEWHERE or name == "ml", f"{place} advises {name}, which does not exist"


def test_there_are_calls_to_look_at() -> None:
    assert sum(1 for _ in calls()) > 3
