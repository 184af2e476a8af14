"""Any value taken apart into leaves that can be compared bit for bit, and by how much they differ."""

import dataclasses
import enum
import hashlib
import math
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEPT = 4096  # numbers of an array that are kept to say how large a difference is
DEEP = 25


@dataclass(frozen=True)
class Leaf:
    """One comparable part of a value."""

    path: str  # such as "['model'].coef_"
    digest: str  # equal for equal values
    numbers: NDArray[np.float64] | None = None  # some of its numbers, where it has any
    epsilon: float = 0.0  # rounding error of its number format
    told: str = ""  # the value in short


def leaves(value: Any, path: str = "") -> list[Leaf]:
    """The leaves of a value, in an order that does not depend on hashes."""
    return list(_walk(value, path, (), 0))


def digest(value: Any) -> str:
    """One digest for a whole value."""
    return _hash(*(f"{leaf.path}={leaf.digest}" for leaf in leaves(value)))


def _hash(*parts: str | bytes) -> str:
    found = hashlib.blake2b(digest_size=12)
    for part in parts:
        found.update(part if isinstance(part, bytes) else part.encode(errors="surrogatepass"))
        found.update(b"\x00")
    return found.hexdigest()


def _walk(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    if id(value) in above or depth > DEEP:
        yield Leaf(path, "again")
        return
    above = (*above, id(value))
    if value is None or isinstance(value, (bool, str, bytes, enum.Enum)):
        yield Leaf(path, _hash(type(value).__name__, repr(value)), told=repr(value)[:40])
    elif isinstance(value, (int, float, complex, np.generic)):
        yield _number(value, path)
    elif isinstance(value, np.ndarray):
        yield from _array(value, path, above, depth)
    elif _is_tensor(value):
        yield from _tensor(value, path, above, depth)
    elif isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        yield from _table(value, path, above, depth)
    elif isinstance(value, Mapping):
        yield Leaf(f"{path} (keys)", _hash(*map(repr, value)), told=", ".join(map(str, value))[:40])
        for key in sorted(value, key=lambda k: (type(k).__name__, repr(k))):
            yield from _walk(value[key], f"{path}[{key!r}]", above, depth + 1)
    elif isinstance(value, (set, frozenset)):
        yield Leaf(path, _hash(type(value).__name__, *sorted(digest(v) for v in value)), told=f"{len(value)} values")
    elif isinstance(value, (list, tuple)):
        yield from _sequence(value, path, above, depth)
    else:
        yield from _object(value, path, above, depth)


def _number(value: Any, path: str) -> Leaf:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (int, float)) and not isinstance(plain, bool):
        kind = "float" if isinstance(plain, float) else "int"
        epsilon = float(np.finfo(value.dtype).eps) if isinstance(value, np.floating) else 2.3e-16 if kind == "float" else 0.0
        exact = plain.hex() if isinstance(plain, float) else repr(plain)
        near = float(plain) if abs(plain) < 1e300 or plain != plain else math.inf
        return Leaf(path, _hash(kind, exact), np.array([near]), epsilon, repr(plain)[:24])
    return Leaf(path, _hash(type(plain).__name__, repr(plain)), told=repr(plain)[:24])


def _array(value: NDArray[Any], path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    if value.dtype.kind == "O":
        yield from _sequence(value.ravel().tolist(), path, above, depth)
        return
    if value.dtype.kind not in "biufc":
        yield Leaf(path, _hash(str(value.dtype.kind), str(value.shape), *map(str, value.ravel().tolist())), told=f"{value.shape}")
        return
    plain = np.ascontiguousarray(value)
    flat = plain.ravel()
    some = flat[:: max(1, len(flat) // KEPT)]
    numbers = (np.abs(some) if value.dtype.kind == "c" else some).astype(float)
    epsilon = float(np.finfo(value.dtype).eps) if value.dtype.kind in "fc" else 0.0
    yield Leaf(path, _hash(str(value.dtype), str(value.shape), plain.tobytes()), numbers, epsilon,
               f"{flat[0]:.6g}" if len(flat) == 1 else f"array of shape {value.shape}")


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _tensor(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    import torch

    plain = value.detach()
    plain = plain.to_dense() if plain.layout is not torch.strided else plain
    plain = (plain.dequantize() if plain.is_quantized else plain).cpu()
    epsilon = torch.finfo(plain.dtype).eps if plain.is_floating_point() else 0.0
    for leaf in _array(plain.to(torch.float32).numpy() if plain.dtype == torch.bfloat16 else plain.resolve_conj().numpy(), path,
                       above, depth):
        yield dataclasses.replace(leaf, digest=_hash(str(value.dtype), leaf.digest), epsilon=epsilon)


def _table(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    if isinstance(value, pd.DataFrame):
        yield from _walk([str(c) for c in value.columns], f"{path} (columns)", above, depth + 1)
        yield from _table(value.index, f"{path} (index)", above, depth)
        for at, name in enumerate(value.columns):
            yield from _column(value.iloc[:, at], f"{path}[{name!r}]", above, depth)
    elif isinstance(value, pd.Series):
        yield from _table(value.index, f"{path} (index)", above, depth)
        yield from _column(value, path, above, depth)
    else:
        yield from _column(value, path, above, depth)


def _column(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    if isinstance(value.dtype, np.dtype) and value.dtype.kind in "biufc":
        yield from _array(value.to_numpy(), path, above, depth)
    else:
        yield Leaf(path, _hash(str(value.dtype), *map(repr, value.tolist())), told=f"column of {len(value)} rows")


def _sequence(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    if len(value) > 8 and all(type(v) in (int, float) for v in value):
        yield from _array(np.array(value, dtype=float), path, above, depth)
        return
    yield Leaf(f"{path} (length)", _hash(str(len(value))), told=f"{len(value)} values")
    for at, inner in enumerate(value):
        yield from _walk(inner, f"{path}[{at}]", above, depth + 1)


def _object(value: Any, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    torch, kind = sys.modules.get("torch"), f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)):
        yield Leaf(path, _hash(getattr(value, "__module__", None) or "", getattr(value, "__qualname__", repr(type(value)))))
    elif torch is not None and isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        yield from _walk(dict(value.state_dict()), path, above, depth + 1)
    elif torch is not None and isinstance(value, torch.Generator):
        yield from _tensor(value.get_state(), f"{path} (state)", above, depth)
    elif hasattr(value, "toarray") and hasattr(value, "tocsr"):
        yield from _array(np.asarray(value.tocsr().data), f"{path}.data", above, depth)
        yield from _array(np.asarray(value.tocsr().indices), f"{path}.indices", above, depth)
    else:
        yield from _state(value, kind, path, above, depth)


def _state(value: Any, kind: str, path: str, above: tuple[int, ...], depth: int) -> Iterator[Leaf]:
    """An object by its attributes, or by what pickle keeps of it."""
    state: Any = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)} if dataclasses.is_dataclass(value) \
        else vars(value) if hasattr(value, "__dict__") and vars(value) else None
    if state is None:
        try:
            state = value.__reduce_ex__(4)[1:3]
        except Exception:  # noqa: BLE001 - objects may refuse to say what they hold
            state = None
    if state is None or isinstance(state, tuple) and not any(state):
        try:
            yield Leaf(path, _hash(kind, pickle.dumps(value)))
        except Exception:  # noqa: BLE001
            yield Leaf(f"{path} (a {type(value).__name__}, not compared)", _hash(kind))
        return
    yield Leaf(f"{path} (type)", _hash(kind), told=type(value).__name__)
    if isinstance(state, tuple):
        yield from _walk(list(state), path, above, depth + 1)
        return
    for name in sorted(map(str, state)):
        if not name.startswith("__"):
            yield from _walk(state.get(name), f"{path}.{name}", above, depth + 1)


@dataclass(frozen=True)
class Gap:
    """How two leaves differ."""

    path: str
    first: str  # the value in the first run, in short
    second: str
    size: float  # largest difference over the largest size; nan where it is no number
    rounding: bool  # no larger than what another order of the same additions gives


def gap(a: Leaf, b: Leaf) -> Gap | None:
    """The difference of two leaves; None when there is none."""
    if a.digest == b.digest and a.path == b.path:
        return None
    size, rounding = math.nan, False
    if a.numbers is not None and b.numbers is not None and a.numbers.shape == b.numbers.shape and len(a.numbers):
        with np.errstate(all="ignore"):
            same = (a.numbers == b.numbers) | (np.isnan(a.numbers) & np.isnan(b.numbers))
            off = np.where(same, 0.0, np.abs(a.numbers - b.numbers))
            top = np.nanmax(np.abs(np.concatenate([a.numbers, b.numbers]))) if not same.all() else 1.0
            size = float(np.max(off) / top) if top > 0 else float(np.max(off))
        rounding = a.epsilon > 0 and size <= 1000 * a.epsilon
    return Gap(a.path if a.path == b.path else f"{a.path} / {b.path}", a.told, b.told, size, rounding)


def first_gap(a: list[Leaf], b: list[Leaf]) -> tuple[Gap | None, int]:
    """The first difference of two values, and how many leaves differ."""
    found: list[Gap] = []
    theirs = {leaf.path: leaf for leaf in b}
    for leaf in a:
        other = theirs.pop(leaf.path, None)
        there = gap(leaf, other) if other is not None else Gap(leaf.path, leaf.told, "nothing", math.nan, False)
        if there is not None:
            found.append(there)
    found += [Gap(leaf.path, "nothing", leaf.told, math.nan, False) for leaf in theirs.values()]
    return (found[0] if found else None), len(found)
