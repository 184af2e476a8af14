"""A suite of tests as a pytest file."""

import ast
import inspect
import io
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ml_lifecycle.evaluation._tests.rows import plain, write_answers, write_rows
from ml_lifecycle.evaluation._tests.subject import Subject
from ml_lifecycle.foundation import _files, _json
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import Predictions

@dataclass(frozen=True, eq=False)
class Spec:
    """What a test was asked, to ask it again."""

    kind: str
    name: str
    X: Any = None
    after: Any = None
    expect: Any = None
    at_least: float = 1.0
    tolerance: float | None = None
    label: Any = None
    said: Predictions | None = None


def write_suite(path: Path, subject: Subject, specs: tuple[Spec, ...], checks: tuple[str, ...], model: Any) -> Path:
    """Write the pytest file and its folder of rows; rows first, so that a test file never lacks them."""
    target = path if path.suffix == ".py" else path / "test_model.py"
    if not target.stem.startswith("test_") and not target.stem.endswith("_test"):
        raise BadInputError(f"`path` must be a file that pytest finds. Got {target.name!r}. Name it test_{target.name}.")
    folder = target.parent / f"{target.stem}_data"
    write_rows(folder / "tested_rows", subject.X)
    if subject.y is not None:
        write_rows(folder / "tested_answers", subject.y)
    if subject.groups is not None:
        write_rows(folder / "tested_after", pd.Series(subject.groups))
    load, third, own = loader(folder, subject, model, target.parent)
    bodies, used = [], set[str]()
    for spec in specs:
        if spec.kind == "functionality":
            bodies.append(_functionality(checks))
        elif spec.kind == "requirement":
            bodies.append(REQUIRED.format(wish=repr(_json.plain(spec.expect.to_dict())), names="".join(
                f"    {_quoted(f'{limit.quantity} {limit.condition}')},\n" for limit in spec.expect.thresholds)))
        else:
            slug = _slug(spec, used)
            bodies.append(_test(spec, slug, folder))
    head = HEAD.format(name=_quoted(subject.name), folder=folder.name, file=target.name, third=third, own=own,
                       load=textwrap.indent(load, "    "), asked=_asked(subject))
    text = head + "\n".join(bodies)
    return _files.write_text(target, text)


HEAD = '''"""Tests of a model, written by ModelTests.to_pytest; they are yours to change. Run them: pytest {file}"""

from pathlib import Path

{third}import pytest

{own}from ml_lifecycle.evaluation import ModelTests

DATA = Path(__file__).parent / "{folder}"


def load_model():
    """The model under test: change this line when another one is to be tested."""
{load}


@pytest.fixture(scope="session")
def tests():
    """The model with the rows that it is tested on."""
    return ModelTests.saved_in(
        DATA, load_model(), name={name},
        {asked})


def must_hold(report, kind, test):
    """Fail with the reason; what cannot be told on so few rows is skipped, and said."""
    row = report.frame.set_index(["kind", "test"]).loc[(kind, test)]
    if row["verdict"] == "cannot tell":
        pytest.skip(row["message"])
    assert row["verdict"] != "issue", row["message"]

'''


SKIPPED = '''
@pytest.mark.skip(reason="what is expected is a function that cannot be written down: define it with `def` in a module")
def test_{slug}(tests):
    ...
'''


REQUIRED = '''
@pytest.fixture(scope="session")
def requirements(tests):
    """Every threshold, measured once."""
    return tests.requirements({wish})


@pytest.mark.parametrize("threshold", [
{names}])
def test_requirements(requirements, threshold):
    must_hold(requirements, "requirement", threshold)
'''


def _quoted(text: Any) -> str:
    """A value as it stands in Python."""
    value = plain(text)
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and np.isfinite(value)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_quoted(v) for v in value) + "]"
    raise BadInputError(f"A label must be text, a number or a truth value to be written down. Got {shown(value)}. Convert it.")


def _asked(subject: Subject) -> str:
    said = {"task": subject.task, "classes": list(subject.classes) if subject.classes else None, "positive": subject.positive,
            "metric": subject.metric.name if subject.metric and subject.metric.function is None else None, "seed": subject.seed}
    if subject.metric is not None and subject.metric.function is not None:
        said["metric"] = None
    return ", ".join(f"{key}={_quoted(value)}" for key, value in said.items() if value is not None)


def _slug(spec: Spec, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "_", f"{spec.kind} {spec.name}".lower()).strip("_")[:60] or "case"
    slug, number = base, 2
    while slug in used:
        slug, number = f"{base}_{number}", number + 1
    used.add(slug)
    return slug


def _functionality(checks: tuple[str, ...]) -> str:
    names = "".join(f"    {_quoted(name)},\n" for name in checks)
    return f'''
@pytest.fixture(scope="session")
def functionality(tests):
    """Every check of what must always work, run once."""
    return tests.functionality()


@pytest.mark.parametrize("check", [
{names}])
def test_functionality(functionality, check):
    must_hold(functionality, "functionality", check)
'''


def _test(spec: Spec, slug: str, folder: Path) -> str:
    """One test as a function, with its rows written beside it."""
    if spec.X is not None:
        write_rows(folder / f"{slug}_rows", spec.X)
    if spec.after is not None:
        write_rows(folder / f"{slug}_after", spec.after)
    name, head = _quoted(spec.name), f"\ndef test_{slug}(tests):\n    saved = tests.saved({_quoted(slug)})\n"
    tail = f'    must_hold(report, {_quoted(spec.kind)}, {name})\n'
    tolerance = "" if spec.tolerance is None else f", tolerance={spec.tolerance!r}"
    if spec.kind == "no regression":
        if spec.said is not None:
            write_answers(folder / f"{slug}_predictions", spec.said)
        return f"{head}    report = tests.no_regression(saved.predictions{tolerance}, name={name})\n{tail}"
    asked = f"at_least={spec.at_least!r}{tolerance}"
    if spec.kind == "scenario":
        before, expect = _expect(spec, slug, folder)
        if expect is None:
            return SKIPPED.format(slug=slug)
        return f"{before}{head}    report = tests.scenario({name}, saved.X, {expect}, {asked})\n{tail}"
    call = f"tests.{spec.kind}({name}, saved.after, "
    way = "" if spec.kind == "invariance" else f"{_quoted(spec.expect)}, label={_quoted(spec.label)}, "
    return f"{head}    report = {call}{way}X=saved.X, {asked})\n{tail}"


def _expect(spec: Spec, slug: str, folder: Path) -> tuple[str, str | None]:
    """(what stands before the test, what is expected as an expression); None when it cannot be written."""
    if callable(spec.expect):
        return _function(spec.expect, slug)
    if isinstance(spec.expect, tuple):
        return "", repr(tuple(float(v) for v in spec.expect))
    if len({repr(v) for v in spec.expect}) == 1:
        return "", _quoted(spec.expect[0])
    write_rows(folder / f"{slug}_answers", pd.Series(spec.expect).infer_objects())
    return "", "saved.answers"


def _function(function: Callable[..., Any], slug: str) -> tuple[str, str | None]:
    """A function that stands on its own feet as its source, one of a module as its import; else nothing can be written."""
    called = f"expected_of_{slug}" if _one(function) else f"lambda X, said: expected_of_{slug}(X, said)"
    try:
        outside, source = inspect.getclosurevars(function), textwrap.dedent(inspect.getsource(function))
        alone = source.startswith("def ") and not outside.nonlocals
        alone = alone and all(isinstance(value, ModuleType) for value in outside.globals.values())
    except (OSError, TypeError, ValueError):
        alone = False
    if not alone:
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "<none>")
        if module in (None, "__main__", "builtins") or not name.isidentifier():
            return "", None
        return f"\ndef expected_of_{slug}(*given):\n    from {module} import {name}\n\n    return {name}(*given)\n", called
    imports = "".join(f"    import {value.__name__} as {key}\n" for key, value in outside.globals.items())
    inner = textwrap.indent(_without_types(source), "    ") + "\n\n"
    return f"\ndef expected_of_{slug}(*given):\n{imports}{inner}    return {function.__name__}(*given)\n", called


def _without_types(source: str) -> str:
    """The source of a function without annotations, whose names may not be known elsewhere."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.unparse(tree)


def _one(function: Callable[..., Any]) -> bool:
    from ml_lifecycle.evaluation._tests.behaviour import _arguments

    return _arguments(function) < 2


def loader(folder: Path, subject: Subject, model: Any, beside: Path) -> tuple[str, str, str]:
    """(body of load_model, imports of others, imports of ours); what cannot be saved is for the person to load."""
    if model is not None:
        where = Path(model).expanduser().absolute()
        if not where.exists():
            raise BadInputError(f"`model` must be where the model lies: a registry directory or a joblib file. Got "
                                f"{str(model)!r}, and nothing is there.")
        place = f'Path(__file__).parent / {where.relative_to(beside.absolute()).as_posix()!r}' \
            if where.is_relative_to(beside.absolute()) else f"Path({str(where)!r})"
        if where.is_dir():
            return f'return Registry({place}).get("champion")', "", "from ml_lifecycle.deployment import Registry\n"
        return f"return joblib.load({place})", "import joblib\n", ""
    if type(subject.model).__module__ != "__main__" and "<locals>" not in type(subject.model).__qualname__:
        buffer = io.BytesIO()
        try:
            joblib.dump(subject.model, buffer)
        except Exception:  # noqa: BLE001 - what cannot be pickled is for the person to load
            buffer = io.BytesIO()
        if buffer.getvalue() and not _is_main(subject.model):
            _files.write_bytes(folder / "model.joblib", buffer.getvalue())
            return 'return joblib.load(DATA / "model.joblib")', "import joblib\n", ""
    return 'raise NotImplementedError("say here how the model is loaded: it could not be saved by itself")', "", ""


def _is_main(model: Any) -> bool:
    """Whether a step of a pipeline is of a class that only this session knows."""
    return any(type(step).__module__ == "__main__" for _, step in getattr(model, "steps", []) or [])
