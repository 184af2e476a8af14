"""What a version takes, from the schema it was registered with, or else from its feature pipeline."""

import dataclasses
from typing import Any

from ml_lifecycle.deployment._serve.input import Contract

INPUTS = ("feature", "time")  # roles of a schema's columns that a request brings
KINDS = {"number": "number", "integer": "integer", "boolean": "boolean", "category": "category", "datetime": "date",
         "text": "text"}


def contract_of(version: Any) -> Contract:
    """Columns and kinds; without a schema and without names anything goes that the model takes."""
    schema = getattr(version, "schema", None)
    apart = getattr(version, "features", None)
    model = apart if apart is not None else getattr(version, "model", None)
    named = kinds_of_pipeline(model) or dict.fromkeys(names_of(model), "any")
    if schema is None:
        return Contract(named)
    rules = {rule.name: rule for rule in schema.columns if rule.role in INPUTS}
    told = {name: KINDS[rule.type] for name, rule in rules.items()}
    kinds = {name: told.get(str(name), kind) for name, kind in named.items()} or told
    beside = tuple(name for name in told if name not in set(map(str, kinds)))
    # what may have no value, or the model does not look at, need not come
    optional = {name for name, rule in rules.items() if not rule.required or rule.missing + rule.unreadable > 0}
    relaxed = tuple(dataclasses.replace(rule, required=False) if rule.name in optional.union(beside) else rule
                    for rule in schema.columns)
    schema = dataclasses.replace(schema, columns=relaxed)
    return Contract(kinds, schema, beside=beside, optional=optional,
                    day_first=frozenset(name for name, rule in rules.items() if rule.day_first))


def names_of(model: Any) -> tuple[Any, ...]:
    """The names that a scikit-learn model was fitted on; none when it was fitted on an array."""
    try:
        return tuple(getattr(model, "feature_names_in_", ()))
    except Exception:  # noqa: BLE001 - a property of a pipeline may raise what its first step raises
        return ()


def kinds_of_pipeline(model: Any) -> dict[Any, str]:
    """Column -> kind, as the first step of a pipeline that `prepare` made says."""
    steps = getattr(model, "steps", None)
    first = steps[0][1] if steps else model
    parts = [part for _, part in first.transformer_list] if hasattr(first, "transformer_list") else [first]
    kinds: dict[Any, str] = {}
    for part in parts:
        for kind in ("number", "category", "date"):
            kinds.update(dict.fromkeys(getattr(part, kind, None) or (), kind))
        if type(part).__name__ == "Words":
            kinds[part.column] = "text"
    return kinds
