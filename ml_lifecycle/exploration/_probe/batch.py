"""One batch as tensors: what was handed in, checked, copied, and taken apart by rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

TARGET_KEYS = ("labels", "label", "targets", "target", "y")  # where a batch that is a mapping holds its targets
FORM = "`batch` must be a pair (inputs, targets), a mapping with 'labels', or a DataLoader."


@dataclass(frozen=True)
class Batch:
    """Inputs and targets on the device of the model; copies, so that nobody's tensors change."""

    inputs: Any  # a tensor, or a tuple or dict that holds tensors
    targets: Any  # a tensor, or a structure of tensors
    n: int  # rows
    mapping: bool = False  # handed in as one mapping
    nested: bool = False  # handed in as (inputs, targets), where inputs may be a tuple of their own
    indices: bool = False  # numbers stand for something (tokens, categories) though their type is a float

    @property
    def pair(self) -> Any:
        """The batch in the form in which a training step gets it."""
        if self.mapping:
            return {**self.inputs, "labels": self.targets}
        return (*self.inputs, self.targets) if isinstance(self.inputs, tuple) and not self.nested else (self.inputs, self.targets)

    def with_inputs(self, change: Callable[[Any], Any], only_float: bool = False) -> "Batch":
        """The batch with every tensor of the inputs that has one entry a row replaced by `change` of it."""
        def one(value: Any) -> Any:
            by_row = torch.is_tensor(value) and value.ndim and value.shape[0] == self.n
            return change(value) if by_row and (not only_float or (value.is_floating_point() and not self.indices)) else value
        return replace(self, inputs=mapped(one, self.inputs))

    def tensors(self) -> list[Any]:
        """Every tensor of the inputs."""
        return tensors_in(self.inputs)

    def copy(self) -> "Batch":
        """The batch on tensors of its own."""
        return replace(self, inputs=mapped(_kept, self.inputs), targets=mapped(_kept, self.targets))

    @property
    def plain(self) -> bool:
        """Whether all inputs are real numbers, to which anything may be added."""
        return not self.indices and all(t.is_floating_point() for t in self.tensors())

    def other_rows(self, rows: Any, take: Any) -> "Batch":
        """The batch with `rows` replaced by the rows `take`, whole, in every tensor: valid for whatever is valid now."""
        def change(value: Any) -> Any:
            made = value.clone()
            made[rows] = value[take]
            return made
        return self.with_inputs(change)

    def floats(self) -> list[Any]:
        """Inputs that are real numbers with one entry a row; masks and indices are left out."""
        found = [] if self.indices else [t for t in tensors_in(self.inputs) if t.is_floating_point() and t.ndim
            and t.shape[0] == self.n]
        return found if len(tensors_in(self.inputs)) == 1 else [t for t in found if t.ndim > 1]


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """`change` of every leaf of tuples, lists and mappings."""
    if isinstance(value, Mapping):
        return {key: mapped(change, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(mapped(change, item) for item in value)
    return change(value)


def tensors_in(value: Any) -> list[Any]:
    """Every tensor of a structure, in order."""
    found: list[Any] = []
    mapped(lambda leaf: found.append(leaf) if torch.is_tensor(leaf) else None, value)
    return found


def as_batch(batch: Any, device: Any) -> Batch:
    """What was handed in as one batch of tensors; raises BadInputError in one line."""
    inputs: Any
    targets: Any
    mapping = nested = False
    if isinstance(batch, torch.utils.data.DataLoader):
        batch = next(iter(batch), None)
        if batch is None:
            raise BadInputError("`batch` must hold rows. Got a DataLoader without any. Look at its data set and sampler.")
    if isinstance(batch, Mapping):
        key = next((k for k in TARGET_KEYS if k in batch), None)
        if key is None or len(batch) < 2:
            raise BadInputError(f"{FORM} Got a mapping with {sorted(map(str, batch))[:8]}. Name the targets 'labels'.")
        inputs, targets, mapping = {k: v for k, v in batch.items() if k != key}, batch[key], True
    elif isinstance(batch, (tuple, list)) and len(batch) >= 2:
        nested = len(batch) == 2
        inputs, targets = (batch[0] if len(batch) == 2 else tuple(batch[:-1])), batch[-1]
    else:
        raise BadInputError(f"{FORM} Got {type(batch).__name__}: {shown(batch, 30)}. Pass (inputs, targets).")
    inputs, targets = mapped(_tensor, inputs), mapped(_tensor, targets)
    rows = _rows(inputs, targets)
    _same_device([*tensors_in(inputs), *tensors_in(targets)], device)
    return Batch(mapped(_kept, inputs), mapped(_kept, targets), rows, mapping, nested)


def _tensor(value: Any) -> Any:
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if isinstance(value, np.ndarray) or (np.isscalar(value) and not isinstance(value, (str, bytes))):
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
            raise BadInputError(f"`batch` must hold numbers. Got an array of {value.dtype}. Encode labels as 0, 1, 2, …")
        value = np.array(value)
        wide = value.dtype.kind == "f" and torch.get_default_dtype() == torch.float32
        return torch.from_numpy(value.astype(np.float32) if wide else value)
    return value


def _kept(value: Any) -> Any:
    return value.detach().clone() if torch.is_tensor(value) else value


def _rows(inputs: Any, targets: Any) -> int:
    given, asked = [t for t in tensors_in(inputs) if t.ndim], [t for t in tensors_in(targets) if t.ndim]
    if not given or not asked:
        which = "inputs" if not given else "targets"
        raise BadInputError(f"{FORM} Got {which} that hold no tensor or array. Convert them first: torch.as_tensor(...).")
    n = int(asked[0].shape[0])
    if n == 0:
        raise BadInputError("`batch` must hold rows. Got none. Pass a batch of at least two rows.")
    if not any(n in t.shape[:2] for t in given):
        raise BadInputError(f"`batch` must have one target for each row. Got {int(given[0].shape[0])} rows of inputs and {n} "
                            "targets. Take both from the same rows.")
    for t in asked:
        if t.is_floating_point() and not bool(torch.isfinite(t).all()):
            bad = int((~torch.isfinite(t)).sum())
            raise BadInputError(f"`batch` must hold targets that are finite. Got {bad} that are NaN or infinite of {t.numel():,}. "
                                "Leave those rows out, or mask them in loss_fn.")
    return n


def _same_device(found: list[Any], device: Any) -> None:
    for t in found:
        if t.device.type != device.type or (None not in (t.device.index, device.index) and t.device.index != device.index):
            raise BadInputError(f"`batch` must be on the device of the model. Got a tensor on {str(t.device)!r} for a model on "
                                f"{str(device)!r}. Move it: tensor.to({str(device)!r}).")
