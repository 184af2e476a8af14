"""Rows to send, and a service to send them to, whatever form they are given in."""

import json
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.deployment._serve.client import Client, read
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError

class Adapter:
    """A client of httpx, requests or a test, as ours."""

    def __init__(self, client: Any, key: str | None) -> None:
        self._client, self._more = client, {"headers": {"X-API-Key": key}} if key else {}

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the body."""
        answer = self._client.get(path, **self._more)
        return int(answer.status_code), read(answer.content)

    def post(self, body: Any, path: str = "/predict") -> tuple[int, Any]:
        """The status and the body."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._client.post(path, content=content, **self._more)
        return int(answer.status_code), read(answer.content)


def as_service(given: Any, key: str | None) -> Any:
    """Something with `get(path)` and `post(body)`, each giving a status and a body."""
    if isinstance(given, str):
        return Client(given, key=key)
    if not callable(getattr(given, "get", None)) or not callable(getattr(given, "post", None)) or isinstance(given, type):
        raise BadInputError("`client_or_url` must be the address of a service, or a client with get and post. Got "
                            f"{shown(given)}. Try http://127.0.0.1:8000.")
    foreign = any(hasattr(given, name) for name in ("base_url", "cookies"))  # httpx, starlette's TestClient
    return Adapter(given, key) if foreign else given


def as_rows(X: Any, n: int, seed: int) -> pd.DataFrame:
    """At most n rows, drawn at random."""
    table = X.X if isinstance(X, Dataset) else X
    if not isinstance(table, pd.DataFrame):
        raise BadInputError(f"`X` must be a frame of features, or a Dataset. Got {type(X).__name__}. Name the columns: "
                            "pandas.DataFrame(X, columns=[...]).")
    if not len(table):
        raise BadInputError("`X` must have rows. Got none.")
    if len(table) <= n:
        return table
    chosen = np.sort(np.random.default_rng(seed).choice(len(table), n, replace=False))
    return table.iloc[chosen]
