"""What a person hands to the registry, checked and brought into bytes, part by part."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml_lifecycle.deployment._freeze import freeze, thaw
from ml_lifecycle.deployment._registry.torch import freeze_module, load_module
from ml_lifecycle.foundation import _json, _torch
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError, LifecycleError, ProjectError
from ml_lifecycle.foundation.report import Report

PARTS = ("parameters", "configuration", "features", "train_version", "validation_version")
DEEPEST = 50  # dicts and lists within each other, in a configuration


def text(value: Any) -> bytes:
    """JSON as bytes: the same value gives the same bytes."""
    return json.dumps(json.loads(_json.dump(value)), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def read(content: bytes) -> Any:
    """The value of such bytes."""
    return _json.load(content.decode())


# the model ---------------------------------------------------------------------------------------------------------


def pack_model(model: Any, features: Any, config: Mapping[str, Any], trust: Iterable[str]) -> tuple[str, bytes, bytes]:
    """How the model is stored ("pipeline", "model" or "torch"), its parameters, and its feature pipeline."""
    from sklearn.pipeline import Pipeline

    if _torch.is_module(model):
        return "torch", freeze_module(model, config), _pack_features(features, trust)
    check_model(model)
    if features is not None or type(model) is not Pipeline or len(model.steps) < 2:
        return "model", freeze(model, trust), _pack_features(features, trust)
    name, last = model.steps[-1]
    rest = {"steps": [list(step) for step in model.steps[:-1]],
            "transform_input": getattr(model, "transform_input", None)}
    return "pipeline", freeze({"name": name, "model": last}, trust), freeze(rest, trust)


def check_model(model: Any) -> None:
    """Raise one clear line unless the model is fitted and predicts."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if isinstance(model, type) or not hasattr(model, "predict"):
        raise BadInputError(f"`model` must have `predict`, or be a torch.nn.Module. Got {shown(model)}. Register the fitted "
                            "estimator or pipeline itself.")
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise BadInputError(f"`model` must be fitted. Got an unfitted {type(model).__name__}. Call fit first.") from None
    except TypeError:
        pass  # no estimator of scikit-learn: whether it can be stored is told later


def _pack_features(features: Any, trust: Iterable[str]) -> bytes:
    if features is None:
        return text(None)
    if isinstance(features, type) or not hasattr(features, "transform"):
        raise BadInputError(f"`features` must have `transform`. Got {shown(features)}. Pass the fitted transformer or None.")
    return freeze(features, trust)


def unpack_model(kind: str, parameters: bytes, features: bytes, config: Mapping[str, Any], trust: Iterable[str]
                 ) -> tuple[Any, Any]:
    """The model, and the feature pipeline that stands before it; None when the model holds it itself."""
    rest = None if features == text(None) else thaw(features, "feature pipeline", trust)
    if kind == "torch":
        return load_module(parameters, config), rest
    found = thaw(parameters, "parameters", trust)
    if kind == "model":
        return found, rest
    from sklearn.pipeline import Pipeline

    if rest is None:
        raise ProjectError("`registry` must hold the feature pipeline of a pipeline. Got none. Register the model again.")
    pipeline = Pipeline([*map(tuple, rest["steps"]), (found["name"], found["model"])])
    if rest["transform_input"] is not None:
        pipeline.transform_input = rest["transform_input"]
    return pipeline, None


# what stands beside it -----------------------------------------------------------------------------------------------


def plain_config(config: Any) -> dict[str, Any]:
    """The configuration as JSON's own values; raises BadInputError with the place of anything else."""
    if not isinstance(config, Mapping):
        raise BadInputError(f"`config` must be a dict of names and plain values. Got {shown(config)}. "
                            "Try config={'learning_rate': 0.1}.")
    return {name: _plain(value, name) for name, value in _named(config, "")}


def _named(mapping: Mapping[Any, Any], place: str) -> list[tuple[str, Any]]:
    for name in mapping:
        if isinstance(name, str):
            _written(name, place)
        else:
            raise BadInputError(f"`config` must have texts as names. Got {shown(name)}{f' in {place}' if place else ''}. "
                                f"Write {str(name)!r}.")
    return [(f"{place}.{name}" if place else name, value) for name, value in mapping.items()]


def _written(value: str, place: str) -> str:
    """A text that can be stored."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInputError(f"`config` must hold texts that UTF-8 can write. Got {shown(value)} at {place!r}. Leave out its "
                            "broken characters.") from None
    return value


def _plain(value: Any, place: str, depth: int = 1) -> Any:
    value = value.item() if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)) else value
    if isinstance(value, str):
        return _written(value, place)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth > DEEPEST:
        raise BadInputError(f"`config` must be nested at most {DEEPEST} deep. Got more at {place[:60]!r}. Leave out what holds "
                            "itself.")
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {name.removeprefix(f"{place}."): _plain(item, name, depth + 1) for name, item in _named(value, place)}
    raise BadInputError(f"`config` must hold plain values: numbers, texts, True, False, None, lists and dicts of them. Got a "
                        f"{type(value).__name__} at {place!r}. Write it as text.")


def data_version(value: Any, argument: str) -> str:
    """The version of a data set: its text, or that of a Dataset."""
    value = value.version if isinstance(value, Dataset) else value
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"`{argument}` must be the version of a data set. Got {shown(value)}. Pass dataset.version.")
    return value


def evidence_entries(evidence: Any) -> tuple[dict[str, Any], ...]:
    """Name, verdict and answer of each piece of evidence; the verdict of a bare name is None."""
    if isinstance(evidence, (str, Path, Report)) or not isinstance(evidence, Iterable):
        evidence = (evidence,)
    return tuple(_entry(item) for item in (evidence.values() if isinstance(evidence, Mapping) else evidence))


def _entry(item: Any) -> dict[str, Any]:
    if isinstance(item, Path) or isinstance(item, str) and item.endswith(".json") and Path(item).is_file():
        try:
            item = Report.from_json(Path(item).read_text(encoding="utf-8"))
        except (OSError, ValueError, LifecycleError) as error:
            raise BadInputError(f"`evidence` must name reports that can be read. Got {shown(item)}: {error}") from None
    if isinstance(item, Report):
        return {"name": item.slug, "step": item.step, "title": item.title, "verdict": item.verdict, "answer": item.answer}
    if isinstance(item, str) and item.strip():
        return {"name": item, "step": None, "title": item, "verdict": None, "answer": None}
    raise BadInputError(f"`evidence` must be reports, or names or files of reports. Got {shown(item)}. Pass what a helper "
                        "answered, such as baselines(data).")


def pack_schema(schema: Any) -> bytes:
    """The schema of the features, or none."""
    if schema is None:
        return text(None)
    if not hasattr(schema, "to_dict") or isinstance(schema, type):
        raise BadInputError(f"`schema` must be a Schema or None. Got {shown(schema)}. Make one: infer_schema(data).")
    return text(schema.to_dict())


def unpack_schema(content: bytes) -> Any:
    """The schema again."""
    found = read(content)
    if found is None:
        return None
    from importlib import import_module

    try:
        return import_module("ml_lifecycle.data.schema").Schema.from_dict(found)
    except (ImportError, LifecycleError, KeyError, TypeError, ValueError) as error:
        raise ProjectError(f"`registry` must hold a schema that this ml_lifecycle can read. Got {error}. Register the model again."
                           ) from error

