"""One forward pass watched from outside: which functions ran in which module, and what they gave."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

DROPS = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout, torch.dropout}
RELU = {"relu", "relu_", "threshold", "relu6"}
CUTS = {"detach": "detach()", "detach_": "detach_()", "numpy": "numpy()", "item": "item()", "tolist": "tolist()",
        "argmax": "argmax", "round": "round", "max_indices": "max", "bernoulli": "bernoulli", "multinomial": "multinomial",
        "data": ".data", "sign": "sign", "floor": "floor"}
CURVED = {"relu", "relu_", "gelu", "silu", "elu", "leaky_relu", "tanh", "sigmoid", "softplus", "selu", "hardtanh", "relu6", "celu",
          "mish", "prelu", "abs", "pow", "square", "exp", "sin", "cos", "clamp", "softmax", "log_softmax", "where", "maximum"}


@dataclass
class Event:
    """A function that ran."""

    name: str  # of the function, such as "relu"
    module: str  # path of the innermost module, "" at the top
    dead: float = 0.0  # share of its units that are zero for every row (ReLU)
    units: int = 0
    finite: bool = True
    inputs_finite: bool = True
    p: float = 0.0  # of dropout
    shape: tuple[int, ...] = ()  # of what a softmax gives
    dim: int = -1  # of a softmax


class Trace(TorchFunctionMode):
    """Collects the functions that run; `drop` False switches functional dropout off meanwhile."""

    def __init__(self, model: Any, rows: int = 0, *, look: bool = True, drop: bool = True) -> None:
        super().__init__()
        self.model, self.rows, self.look, self.drop = model, rows, look, drop
        self.events: list[Event] = []
        self.path: list[str] = [""]
        self.handles: list[Any] = []
        self.depth = 0

    def __enter__(self) -> "Trace":
        for name, module in self.model.named_modules() if self.look else ():
            self.handles.append(module.register_forward_pre_hook(lambda m, a, name=name: self.path.append(name)))
            self.handles.append(module.register_forward_hook(self._left, always_call=True))
        super().__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        for handle in self.handles:
            handle.remove()

    def _left(self, module: Any, args: Any, output: Any) -> None:
        self.path.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in DROPS:
            return self._dropout(func, args, kwargs)
        result = func(*args, **kwargs)
        if not self.look or self.depth:
            return result
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(func, "__self__", None), "__name__", "")
        self.depth += 1
        try:
            self._record(name, result, args)
            if name in ("softmax", "log_softmax") and torch.is_tensor(result):
                dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
                self.events[-1].shape, self.events[-1].dim = tuple(result.shape), dim if isinstance(dim, int) else -1
        finally:
            self.depth -= 1
        return result

    def _dropout(self, func: Any, args: Any, kwargs: Any) -> Any:
        p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        on = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
        if self.look:
            self.events.append(Event("dropout", self.path[-1], p=float(p) if on else 0.0))
        return func(*args, **kwargs) if self.drop else args[0]

    def _record(self, name: str, result: Any, args: Any) -> None:
        event = Event(name, self.path[-1])
        if torch.is_tensor(result) and result.is_floating_point() and result.numel():
            value = result.detach()
            event.finite = bool(torch.isfinite(value).all())
            event.inputs_finite = all(bool(torch.isfinite(a).all()) for a in args
                                      if torch.is_tensor(a) and a.is_floating_point())
            if name in RELU or (name in ("clamp", "clamp_min", "maximum") and not bool((value < 0).any())):
                self._units(event, value)
        self.events.append(event)

    def _units(self, event: Event, value: Any) -> None:
        if value.ndim >= 2 and value.shape[0] == self.rows:
            channels = value.shape[1] if value.ndim in (4, 5) or (value.ndim == 3 and "conv" in event.module.lower()) else None
            flat = value.transpose(0, 1).reshape(channels, -1) if channels else value.reshape(-1, value.shape[-1]).T
            event.units, event.dead = int(flat.shape[0]), float((flat <= 0).all(dim=1).float().mean())


@contextlib.contextmanager
def functional_dropout_off(model: Any, active: bool) -> Iterator[None]:
    """F.dropout hands on what it gets; does nothing where no such dropout was seen."""
    if not active:
        yield
        return
    with Trace(model, look=False, drop=False):
        yield
