"""A schema as YAML that a person edits: no key that means nothing, no typo that passes."""

from pathlib import Path
from typing import Any

import yaml

from ml_lifecycle.data._schema.rule import TYPES, ColumnRule, rule_from
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

VERSION = 1
KEYS = ("schema", "rows", "slack", "columns")
HEAD = f"""\
# What the columns of the data must be. Edit it; lines that are left out mean: no such rule.
#   type        {", ".join(TYPES)}
#   role        feature (when left out), target, id, time, group; records are checked for features and time only
#   min, max    lowest and highest value allowed; dates as 2024-01-31
#   values      the categories allowed; other: share of rows that may hold another one
#   missing     share of rows without a value, as seen in `rows` rows; more is reported when chance does not explain it
#   unreadable  the same for values that are not of the type
#   unique      true: no value twice       required  false: the column may be absent
"""


class _Loader(yaml.SafeLoader):
    """YAML in which no key may stand twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, (list, dict)):
            raise BadInputError(f"`text` must have names as keys. Got {shown(key)} in line {key_node.start_mark.line + 1}. "
                                "Quote it.")
        if key in seen:
            raise BadInputError(f"`text` must have each key once. Got {shown(key)} in line {seen[key]} and in line "
                                f"{key_node.start_mark.line + 1}. Remove one.")
        seen[key] = key_node.start_mark.line + 1
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.yaml_implicit_resolvers = {  # dates stay text
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def as_yaml(plain: dict[str, Any]) -> str:
    """The text, with the meaning of the keys above it."""
    top = yaml.safe_dump({key: plain[key] for key in KEYS[:3]}, sort_keys=False)
    columns = yaml.safe_dump({"columns": plain["columns"]}, sort_keys=False, allow_unicode=True, default_flow_style=None,
                             width=120)
    if plain["columns"]:
        columns = "columns:\n" + "".join(_block(name, rule) for name, rule in plain["columns"].items())
    return HEAD + top + columns


def _block(name: str, rule: dict[str, Any]) -> str:
    text = yaml.safe_dump({name: {"x": 0}}, allow_unicode=True, width=10**9)
    body = "".join(yaml.safe_dump({key: value}, allow_unicode=True, width=116, default_flow_style=None if isinstance(value, list)
                                  else False) for key, value in rule.items())
    head = text[:text.rindex("\n  x: 0")]
    lines = [*head.split("\n"), *("  " + line for line in body.rstrip("\n").split("\n"))]
    return "".join(f"  {line}\n" if line else "\n" for line in lines)


def from_yaml(text: Any) -> dict[str, Any]:
    """Plain values of a text or of a file that holds one; raises one line that says where it is wrong."""
    if isinstance(text, Path) or (isinstance(text, str) and "\n" not in text and not text.lstrip().startswith("{")):
        path = Path(text).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise BadInputError(f"`text` must be YAML or a file that holds it. Got {shown(path)}: {reason}. Write one: "
                                "schema.to_yaml(path).") from None
    if not isinstance(text, str):
        raise BadInputError(f"`text` must be YAML or a file that holds it. Got {shown(text)}. Write one: schema.to_yaml(path).")
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", "") or "not readable").split())
        raise BadInputError(f"`text` must be YAML. Got {problem}{where}. Correct that line.") from None
    except ValueError as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"`text` must be YAML of plain values. Got one that is none: {shown(str(error))}. "
                            "Correct it.") from None
    return found


def read_plain(plain: Any) -> tuple[tuple[ColumnRule, ...], int, float]:
    """(rules, rows, slack) of plain values, all checked."""
    if not isinstance(plain, dict):
        raise BadInputError(f"`text` must hold the keys {', '.join(KEYS)}. Got {shown(plain)}. Write one: schema.to_yaml(path).")
    for key in plain:
        if key not in KEYS:
            raise BadInputError(f"`text` must hold known keys. Got {shown(key)}. {did_you_mean(key, KEYS, noun='Keys')}")
    if plain.get("schema", VERSION) != VERSION:
        raise BadInputError(f"`schema` must be {VERSION}. Got {shown(plain['schema'])}. Another version of ml_lifecycle "
                            "wrote it.")
    rows, slack, columns = plain.get("rows", 0), plain.get("slack", 0.1), plain.get("columns")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise BadInputError(f"`rows` must be the number of rows that the shares were seen in, from 1. Got {shown(rows)}. "
                            "Take a large one for shares that are exact.")
    check_slack(slack)
    if not isinstance(columns, dict) or not columns:
        raise BadInputError(f"`columns` must name columns. Got {shown(columns)}. Give each its keys, such as type: number.")
    rules = tuple(rule_from(name if isinstance(name, str) else _refused(name), rule) for name, rule in columns.items())
    return rules, rows, float(slack)


def _refused(name: Any) -> str:
    raise BadInputError(f"`columns` must have names that are text. Got {shown(name)}. Quote it: '{name}'.")


def check_slack(slack: Any) -> float:
    """The slack, once it is seen to be a share."""
    if isinstance(slack, bool) or not isinstance(slack, (int, float)) or not 0 <= slack <= 10:
        raise BadInputError(f"`slack` must be a share of the range seen, from 0 to 10. Got {shown(slack)}. The usual is 0.1.")
    return float(slack)


def unknown_column(name: object, known: list[str]) -> UnknownNameError:
    """The error for a column that a schema does not have."""
    return UnknownNameError(f"`name` must be a column of the schema. Got {shown(name)}. "
                            + did_you_mean(name, known, noun="Columns"))
