"""Functions of torch that are looked at while a loop runs, and put back afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

LOSSES = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss",
          "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "multi_margin_loss", "ctc_loss",
          "soft_margin_loss", "multilabel_soft_margin_loss")


class Patches:
    """Attributes that were replaced, and hooks that were added."""

    def __init__(self) -> None:
        self.replaced: list[tuple[Any, str, bool, Any]] = []
        self.handles: list[Any] = []

    def around(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute by `make` of it; nothing where there is none."""
        own = name in vars(owner)
        before = getattr(owner, name, None)
        if before is None:
            return
        made = make(before)
        with contextlib.suppress(TypeError, AttributeError):
            made.__name__, made.__doc__, made.__wrapped__ = getattr(before, "__name__", name), before.__doc__, before
        setattr(owner, name, made)
        self.replaced.append((owner, name, own, vars(owner).get(name) if not own else before))

    def hook(self, handle: Any) -> None:
        """Remember a hook."""
        self.handles.append(handle)

    def undo(self) -> None:
        """Everything as it was."""
        for owner, name, own, before in reversed(self.replaced):
            setattr(owner, name, before) if own else delattr(owner, name)
        for handle in self.handles:
            handle.remove()
        self.replaced, self.handles = [], []


class Timed:
    """An iterator that tells when it is asked and when it gives; all else is the iterator's own."""

    def __init__(self, inner: Iterator[Any], asked: Callable[[], None], gave: Callable[[bool, Any], None]) -> None:
        self._inner, self._asked, self._gave = inner, asked, gave

    def __iter__(self) -> "Timed":
        return self

    def __next__(self) -> Any:
        self._asked()
        try:
            batch = next(self._inner)
        except StopIteration:
            self._gave(False, None)
            raise
        self._gave(True, batch)
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Wrapped:
    """A loader of any kind whose rounds are timed; all else is the loader's own."""

    def __init__(self, inner: Any, begin: Callable[[Any, Any], Any]) -> None:
        self._inner, self._begin = inner, begin

    def __iter__(self) -> Any:
        return self._begin(self._inner, iter(self._inner))

    def __len__(self) -> int:
        return len(self._inner)

    def __getitem__(self, at: Any) -> Any:
        return self._inner[at]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
