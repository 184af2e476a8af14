"""Asking a service over HTTP, with the standard library alone."""

import http.client
import json
import urllib.parse
from typing import Any

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError

class Client:
    """One connection to a service."""

    def __init__(
        self,
        url: str,  # such as http://127.0.0.1:8000
        *,
        key: str | None = None,  # sent in the header X-API-Key
        timeout: float = 30.0,  # seconds
    ) -> None:
        parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInputError(f"`url` must be the address of a service. Got {shown(url)}. It looks like http://127.0.0.1:8000")
        self.url, self.key = url.rstrip("/"), key
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._base, self._connection = parts.path.rstrip("/"), kind(parts.hostname, parts.port, timeout=timeout)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The status and the body of the answer; raises ProjectError when nobody answers."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"X-API-Key": self.key} if self.key else {}
        for attempt in (1, 2):  # a connection that was kept may have been closed at the other end
            try:
                self._connection.request(method, self._base + path, body=body, headers=headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if attempt == 2 or isinstance(error, TimeoutError):
                    raise ProjectError(f"`url` must be that of a service that answers. Got {self.url!r}: {error}. Start it: "
                                       "ml-lifecycle serve") from None
        raise AssertionError

    def get(
        self,
        path: str,  # such as "/readyz"
    ) -> tuple[int, Any]:  # the status, and the body: JSON is read
        """Ask for a page of the service."""
        status, body = self.send("GET", path)
        return status, read(body)

    def post(
        self,
        body: Any,  # plain values; bytes go as they are
        path: str = "/predict",
    ) -> tuple[int, Any]:  # the status, and the body: JSON is read
        """Send a body, right or wrong."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self.send("POST", path, content)
        return status, read(answer)

    def ask(
        self,
        records: Any,  # a list of {column: value}, or a frame
        *,
        user_id: str | int | None = None,  # who asks
    ) -> tuple[int, Any]:  # the status, and the body
        """Ask for predictions, and take a refusal as an answer."""
        return self.post({"user_id": user_id, "records": as_records(records)})

    def predict(
        self,
        records: Any,  # a list of {column: value}, or a frame
        *,
        user_id: str | int | None = None,  # who asks; the same user gets the same model
    ) -> dict[str, Any]:  # predictions, probabilities, model, request_id; raises BadInputError when the service refuses
        """Ask for predictions."""
        status, answer = self.ask(records, user_id=user_id)
        if status != 200:
            said = answer.get("error", answer) if isinstance(answer, dict) else answer
            raise BadInputError(f"`records` must be what the service takes. It answered {status}: {said}")
        return dict(answer)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def read(body: bytes) -> Any:
    """A body as JSON, or as text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def as_records(table: Any) -> list[dict[str, Any]]:
    """Rows of a frame as records that JSON can hold: missing values are null, times are ISO texts."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        return list(table)
    columns = {str(name): [as_json(v) for v in table[name].tolist()] for name in table.columns}
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def as_json(value: Any) -> Any:
    """One value of a frame."""
    import numpy as np
    import pandas as pd

    value = value.item() if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)) else value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
