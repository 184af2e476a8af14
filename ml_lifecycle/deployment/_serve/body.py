"""From the bytes of a request to a user and records, or to a refusal in one line; nothing here knows a model."""

import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import did_you_mean

MOST_BYTES = 2_000_000  # of a body
MOST_RECORDS = 1_000  # of a request
LONGEST_USER = 200  # characters of a user's id
MOST_MESSAGES = 10  # that a refusal lists
_KEYS = ("user_id", "records", "record")


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is answered with a 4xx, or with a 503 while there is no model."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(messages[0])
        self.status, self.messages = status, tuple(messages)


@dataclass(frozen=True)
class Asked:
    """What a request asks."""

    user_id: str | int | None
    records: tuple[dict[str, Any], ...]


async def read_body(chunks: AsyncIterator[bytes], length: str | None, most: int = MOST_BYTES) -> bytes:
    """The body, unless it is too large: it is not read further then."""
    if length is not None and length.isdigit() and int(length) > most:
        raise too_large(most)
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise too_large(most)
        parts.append(chunk)
    return b"".join(parts)


def too_large(most: int) -> Refused:
    """The refusal of a body that is too large."""
    return Refused(413, f"The body must have at most {most:,} bytes. Got more. Send fewer records at a time.")


def parse(body: bytes, most_records: int = MOST_RECORDS) -> Asked:
    """The user and the records of a body; raises Refused."""
    content = _json(body)
    if not isinstance(content, dict):
        raise Refused(422, f"The body must be an object with `records`. Got {_kind(content)}. "
                           'Send {"user_id": null, "records": [{"column": value}]}.')
    for key in content:
        if key not in _KEYS:
            raise Refused(422, f"The body must have `records` and, if you like, `user_id`. Got {shown(key)}. "
                               f"{did_you_mean(key, _KEYS, noun='Names')}")
    if ("records" in content) == ("record" in content):
        raise Refused(422, "The body must have `records`, a list of objects, or `record`, one object. Got "
                           f"{'both' if 'records' in content else 'neither'}.")
    return Asked(_user(content.get("user_id")), _records(content, most_records))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_constant, parse_float=_finite, object_pairs_hook=_once)
    except Refused:
        raise
    except RecursionError:
        raise Refused(400, "The body must be JSON that is not nested that deeply. Send flat records.") from None
    except (ValueError, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0] if not isinstance(error, UnicodeDecodeError) else "it is not UTF-8"
        raise Refused(400, f"The body must be JSON. Got something else: {said[:120]}.") from None


def _constant(name: str) -> Any:
    raise Refused(400, f"The body must be JSON, which has no {name}. Write null for a missing value.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Refused(400, f"The body must have numbers that a computer can hold. Got {text[:40]}.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(422, f"An object must name each column once. Got {shown(twice)} twice.")
    return found


def _user(given: Any) -> str | int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**63):
        return given
    if not isinstance(given, str) or not given or len(given) > LONGEST_USER or not is_text(given):
        raise Refused(422, f"`user_id` must be a text of 1 to {LONGEST_USER} characters, a whole number or null. "
                           f"Got {shown(given)}.")
    return given


def _records(content: dict[str, Any], most: int) -> tuple[dict[str, Any], ...]:
    given = content["records"] if "records" in content else [content["record"]]
    if not isinstance(given, list):
        raise Refused(422, f"`records` must be a list of objects. Got {_kind(given)}. Send [{{\"column\": value}}].")
    if not given:
        raise Refused(422, "`records` must have at least one record. Got none.")
    if len(given) > most:
        raise Refused(413, f"`records` must have at most {most:,} records. Got {len(given):,}. Send them in parts.")
    wrong = [f"Record {i} must be an object of columns and values. Got {_kind(r)}." for i, r in enumerate(given)
             if not isinstance(r, dict)]
    wrong += [f"Record {i}, `{name[:40]}`: the value must be a text, a number, true, false or null. Got {_kind(value)}."
              for i, r in enumerate(given) if isinstance(r, dict) for name, value in r.items() if isinstance(value, (dict, list))]
    wrong += [f"Record {i}, {shown(name)}: names and texts must be valid Unicode. Got half of a surrogate pair."
              for i, r in enumerate(given) if isinstance(r, dict) for name, value in r.items()
              if not is_text(name) or (isinstance(value, str) and not is_text(value))]
    if wrong:
        raise Refused(422, *shortened(wrong))
    return tuple(given)


def shortened(messages: list[str]) -> list[str]:
    """The first messages, and how many more there are."""
    more = len(messages) - MOST_MESSAGES
    return messages if more <= 0 else [*messages[:MOST_MESSAGES], f"… and {count(more, 'message')} more."]


def is_text(value: str) -> bool:
    """False for half a surrogate pair, which no file can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
