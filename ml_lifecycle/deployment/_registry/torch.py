"""A torch.nn.Module as safetensors (numbers only) and the name of what makes it."""

import importlib
from collections.abc import Mapping
from typing import Any

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, require

_FORM = "config={'architecture': 'package.module:Class', 'kwargs': {...}}"


def freeze_module(module: Any, config: Mapping[str, Any]) -> bytes:
    """The numbers of a module; raises BadInputError unless `config` makes the same module again."""
    require("safetensors", "deploy", "Storing a PyTorch model")
    kind = _class(config, BadInputError)
    if type(module) is not kind:
        raise BadInputError(f"`config` must name the class of the model. Got {shown(config['architecture'])} for a "
                            f"{type(module).__module__}:{type(module).__qualname__}. Name that class.")
    content = _dump(module.state_dict())
    load_module(content, config, BadInputError)
    return content


def _dump(state: Mapping[str, Any]) -> bytes:
    from safetensors.torch import save

    return save({name: value.detach().cpu().contiguous().clone() for name, value in state.items()})


def load_module(content: bytes, config: Mapping[str, Any], error: type[Exception] = ProjectError) -> Any:
    """The module in evaluation mode, on the CPU; the global random state stays as it was."""
    require("safetensors", "deploy", "Loading a PyTorch model")
    import torch
    from safetensors.torch import load

    kind = _class(config, error)
    try:
        with torch.random.fork_rng(devices=[]):
            made = kind(**config.get("kwargs", {}))
        made.load_state_dict(load(content), strict=True)
    except Exception as reason:
        line = " ".join(str(reason).split())[:200].rstrip(".")
        raise error(f"`config` must hold the arguments that make the model again. Got {line}. Write {_FORM}.") from reason
    return made.eval()


def _class(config: Mapping[str, Any], error: type[Exception]) -> Any:
    """The class that `config` names; anything but a torch.nn.Module of a module that can be imported is refused."""
    import torch

    name, kwargs = config.get("architecture"), config.get("kwargs", {})
    if not isinstance(name, str) or name.count(":") != 1 or not isinstance(kwargs, dict):
        raise error(f"`config` must name what makes a PyTorch model. Got architecture {shown(name)}. Write {_FORM}.")
    module, _, label = name.partition(":")
    if module in ("__main__", "__mp_main__"):
        raise error(f"`config` must name a class that can be imported. Got {shown(name)}, which lives in a notebook or a script. "
                    "Move the class to a module.")
    try:
        found = getattr(importlib.import_module(module), label)
    except (ImportError, AttributeError, ValueError) as reason:
        raise error(f"`config` must name a class that can be imported. Got {shown(name)}: {reason}. Write {_FORM}.") from None
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise error(f"`config` must name a torch.nn.Module. Got {shown(name)}, which is none. Write {_FORM}.")
    return found
