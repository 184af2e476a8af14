"""Whether two fitted models are the same down to the last bit, told without predicting anything."""

import datetime
import math
from typing import Any

import numpy as np
from scipy import sparse

_IGNORED = {"_sklearn_version"}  # written by scikit-learn while it stores


def difference(a: Any, b: Any, place: str = "model") -> str | None:
    """Where two objects first differ, such as `model.coef_`; None when they are the same."""
    return _compare(a, b, place, set())


def _compare(a: Any, b: Any, place: str, seen: set[tuple[int, int]]) -> str | None:
    if a is b or (id(a), id(b)) in seen:
        return None
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and type(a) in (type(b), np.memmap):
        return _arrays(a, b, place, seen)
    if isinstance(a, datetime.tzinfo) and isinstance(b, datetime.tzinfo):
        return None if str(a) == str(b) else place
    if type(a) is not type(b):
        return place
    if isinstance(a, (bool, int, str, bytes, complex, type, np.dtype)):
        return None if a == b else place
    if isinstance(a, float):
        return None if a == b and math.copysign(1, a) == math.copysign(1, b) or a != a and b != b else place
    if isinstance(a, np.generic):
        return None if a.tobytes() == b.tobytes() else place
    seen.add((id(a), id(b)))
    if isinstance(a, dict):
        return _dicts(a, b, place, seen)
    if isinstance(a, (list, tuple)):
        return _lists(a, b, place, seen)
    if isinstance(a, (set, frozenset)):
        return None if a == b else place
    if sparse.issparse(a):
        return _objects({"shape": a.shape, "parts": _parts(a)}, {"shape": b.shape, "parts": _parts(b)}, place, seen)
    return _objects(_state(a), _state(b), place, seen)


def _arrays(a: np.ndarray, b: np.ndarray, place: str, seen: set[tuple[int, int]]) -> str | None:
    if a.shape != b.shape or a.dtype != b.dtype:
        return place
    if a.dtype == object:
        return _lists(list(a.ravel()), list(b.ravel()), place, seen)
    if isinstance(a, np.ma.MaskedArray):
        return _arrays(np.asarray(np.ma.getmaskarray(a)), np.asarray(np.ma.getmaskarray(b)), place, seen)
    if a.dtype.names:
        return next((found for name in a.dtype.names if (found := _arrays(a[name], b[name], place, seen))), None)
    return None if np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes() else place


def _lists(a: Any, b: Any, place: str, seen: set[tuple[int, int]]) -> str | None:
    if len(a) != len(b):
        return place
    pairs = enumerate(zip(a, b))
    return next((found for i, (x, y) in pairs if (found := _compare(x, y, f"{place}[{i}]", seen))), None)


def _dicts(a: dict[Any, Any], b: dict[Any, Any], place: str, seen: set[tuple[int, int]]) -> str | None:
    return _lists(list(a), list(b), f"the keys of {place}", seen) or next(
        (found for key, x, y in zip(a, a.values(), b.values()) if (found := _compare(x, y, f"{place}[{key!r:.40}]", seen))), None)


def _objects(a: Any, b: Any, place: str, seen: set[tuple[int, int]]) -> str | None:
    if not isinstance(a, dict) or not isinstance(b, dict):
        if isinstance(a, tuple) and isinstance(b, tuple):
            return _lists(a, b, place, seen)
        return None if type(a) is type(b) else place
    names = [name for name in a if name not in _IGNORED]
    if set(names) != set(b) - _IGNORED:
        odd = sorted(map(str, set(names) ^ (set(b) - _IGNORED)))
        return f"{place}.{odd[0]}"
    return next((found for name in names if (found := _compare(a[name], b[name], f"{place}.{name}", seen))), None)


def _state(item: Any) -> Any:
    """What an object is made of."""
    if isinstance(item, np.random.RandomState):
        return item.get_state(legacy=False)
    if isinstance(item, np.random.Generator):
        return item.bit_generator.state
    if hasattr(item, "__dict__"):
        return vars(item)  # also what it would not hand on
    if type(item).__getstate__ is not object.__getstate__:
        return item.__getstate__()
    reduced = item.__reduce__() if type(item).__reduce__ is not object.__reduce__ else ()
    return tuple(part for part in reduced[1:] if isinstance(part, (tuple, dict)))


def _parts(matrix: Any) -> list[Any]:
    return [getattr(matrix, name) for name in ("data", "indices", "indptr", "row", "col", "offsets") if hasattr(matrix, name)]
