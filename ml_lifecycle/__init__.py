"""The seven steps of a machine-learning project, in Jupyter: lessons to work through, helpers to import, one command to run.

Importing this package loads nothing heavy; the names below are fetched when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .foundation import (
        Dataset,
        Finding,
        NextStep,
        Project,
        Report,
        Splits,
        check,
        hint,
        load_dataset,
        set_seed,
    )

_STEPS = ("planning", "data", "exploration", "refinement", "evaluation", "deployment", "maintenance")
_FOUNDATION = ("Dataset", "Finding", "NextStep", "Project", "Report", "Splits", "check", "hint", "load_dataset", "set_seed")

__all__ = [
    "Dataset", "Finding", "NextStep", "Project", "Report", "Splits",
    "check", "hint", "load_dataset", "set_seed",
]


def __getattr__(name: str) -> Any:
    if name in _FOUNDATION:
        value = getattr(import_module(".foundation", __name__), name)
    elif name in ("foundation", "views") or name in _STEPS:
        value = import_module(f".{name}", __name__)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("ml-lifecycle")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_FOUNDATION, *_STEPS, "foundation", "views", "__version__"])
