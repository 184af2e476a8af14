"""What a torch model makes of its rows just before its last layer."""

from typing import Any

import numpy as np

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, require

BATCH = 256  # rows


def last_hidden(model: Any, X: Any) -> np.ndarray:
    """The input of the last layer with weights, shape (rows, units); the model's mode and random states stay as they are."""
    torch = require("torch", "torch", "`model`")
    if not isinstance(model, torch.nn.Module):
        raise BadInputError(f"`model` must be a torch model. Got {type(model).__name__}. Pass embeddings of other models as "
                            "features=.")
    rows = _tensor(torch, X, model)
    leaves = [part for part in model.modules() if not list(part.children()) and list(part.parameters(recurse=False))]
    modes = {part: part.training for part in model.modules()}
    seen: list[Any] = []
    hooks = [leaf.register_forward_pre_hook(lambda _, inputs: seen.append(inputs)) for leaf in leaves]
    found = []
    try:
        model.eval()
        with torch.random.fork_rng(), torch.no_grad():
            for part in torch.split(rows, BATCH):
                seen.clear()
                model(part)
                found.append(_flat(seen, len(part)))
    except BadInputError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInputError(f"`model` must take the rows of X. Got {type(error).__name__}: {shown(reason, 120)}. Pass X in the "
                            "form the model takes, or embeddings as features=.") from None
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes.items():
            part.training = training
    return np.concatenate(found)


def _flat(seen: list[Any], rows: int) -> np.ndarray:
    """What came into the last layer, one row a row."""
    for inputs in reversed(seen):
        if inputs and hasattr(inputs[0], "detach") and inputs[0].ndim > 1 and inputs[0].shape[0] == rows:
            return np.asarray(inputs[0].detach().reshape(rows, -1).float().cpu().numpy(), dtype=float)
    raise BadInputError("`model` must have a layer with weights that takes a batch of rows. Got none. Pass embeddings as "
                        "features=.")


def _tensor(torch: Any, X: Any, model: Any) -> Any:
    weight = next(model.parameters(), None)
    try:
        rows = X if hasattr(X, "detach") else torch.as_tensor(np.asarray(X, dtype=None if hasattr(X, "dtype") else float))
    except (TypeError, ValueError):
        raise BadInputError("`X` must be numbers where `model` is given. Got other values. Pass X in the form the model takes, or "
                            "embeddings as features=.") from None
    tokens = any(isinstance(part, torch.nn.Embedding) for part in model.modules()) and not rows.is_floating_point()
    kind = rows.dtype if tokens or weight is None else weight.dtype
    return rows.to(device=None if weight is None else weight.device, dtype=kind)
