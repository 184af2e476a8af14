"""Views for JupyterLab over session objects that live in the steps; the widgets are loaded when a view is first shown."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_lifecycle.views.explorer import error_explorer

_VIEWS = {"error_explorer": "explorer"}

__all__ = ["error_explorer"]


def __getattr__(name: str) -> Any:
    if name not in _VIEWS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_VIEWS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_VIEWS])
