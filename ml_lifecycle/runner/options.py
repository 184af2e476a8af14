"""What was asked on the command line and in a parameter file, checked against what the lessons take."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean
from ml_lifecycle.runner.lessons import LessonFile

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_params(
    path: Path,  # a YAML file of names and values
) -> dict[str, Any]:
    """The values of a parameter file."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"`--params` must be a file that can be read. Got {str(path)!r}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"`--params` must be a YAML file. Got {str(path)!r}: {reason}.") from None
    if not isinstance(found, Mapping):
        raise BadInputError(f"`--params` must hold names and values, one per line, such as `target: churned`. "
                            f"Got {type(found).__name__} in {str(path)!r}.")
    return {str(name): value for name, value in found.items()}


def read_pairs(
    pairs: Iterable[str],  # such as "metric=f1"
) -> dict[str, str]:  # name -> text; the last one of a name counts
    """The `-p name=value` of the command line."""
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise BadInputError(f"`-p` must be name=value. Got {pair!r}. Try -p metric=f1")
        found[name.strip()] = text.strip()
    return found


def settle(
    lessons: Iterable[LessonFile],  # the selected ones
    *,
    file: Mapping[str, Any],  # from --params
    pairs: Mapping[str, str],  # from -p
    options: Mapping[str, Any],  # from options such as --target; those that were given
) -> dict[str, Any]:  # name -> value of the type that the lessons take
    """What was given, by rank: the command line wins over the file; the lessons' defaults stand for the rest."""
    defaults: dict[str, Any] = {}
    for lesson in lessons:
        for name, default in lesson.parameters.items():
            if defaults.get(name) is None:
                defaults[name] = default
    for name, text in pairs.items():
        if name in options and typed(name, text, options[name], "-p") != options[name]:
            raise BadInputError(f"`-p {name}` must agree with `{_option(name)}`. Got {text!r} and {options[name]!r}. "
                                "Leave one out.")
    where = {**dict.fromkeys(file, "--params"), **dict.fromkeys(pairs, "-p"), **{n: _option(n) for n in options}}
    given = {**file, **pairs, **options}
    for name in given:
        if name not in defaults and where[name] in ("-p", "--params"):
            raise UnknownNameError(f"`{where[name]}` must name a parameter of the lessons. Got {name!r}. "
                                   + did_you_mean(name, defaults, noun="Parameters", most=20))
    return {name: typed(name, value, defaults.get(name), where[name]) for name, value in given.items()}


def _option(name: str) -> str:
    return "DATA" if name == "data" else f"--{name}"


def typed(name: str, value: Any, default: Any, where: str) -> Any:
    """The value as the type of the default; text is read, anything else must fit."""
    fits, rule = True, ""
    if isinstance(default, bool):
        value = _WORDS.get(str(value).casefold(), value)
        fits, rule = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        value = _read(int, value)
        fits, rule = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(default, float):
        value = _read(float, value)
        fits, rule = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    elif isinstance(default, str):
        if value is None:
            value = ""
        elif isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
            value = ", ".join(map(str, value))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        fits, rule = isinstance(value, str), "text"
    elif isinstance(value, str) and where == "-p":
        value = yaml.safe_load(value) if value else value
    if not fits:
        raise BadInputError(f"`{where}` must give {rule} for {name!r}. Got {value!r}. Its default is {default!r}.")
    return value


def _read(kind: type, value: Any) -> Any:
    try:
        return kind(value) if isinstance(value, str) else value
    except ValueError:
        return value


def for_lesson(
    lesson: LessonFile,  # which one
    values: Mapping[str, Any],  # what was settled for all
) -> dict[str, Any]:  # only what this lesson takes
    """The parameters to inject into one lesson."""
    return {name: value for name, value in values.items() if name in lesson.parameters}
