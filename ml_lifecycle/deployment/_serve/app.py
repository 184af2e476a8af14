"""The HTTP side of a service: routes, status codes, and answers that are always JSON."""

import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from ml_lifecycle.deployment._serve.body import Refused, parse, read_body
from ml_lifecycle.deployment._serve.core import Answered, Service

_LOGGER = logging.getLogger("ml_lifecycle.serving")


def make_app(service: Service, most_records: int, most_bytes: int) -> Any:
    """A FastAPI application around a service."""
    from fastapi import FastAPI

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        from starlette.concurrency import run_in_threadpool

        yield
        await run_in_threadpool(service.worker.stop)

    app = FastAPI(title="ml-lifecycle", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    routes = _Routes(service, most_records, most_bytes)
    app.add_route("/predict", routes.predict, methods=["POST"])
    for name in ("livez", "readyz", "metrics"):
        app.add_route(f"/{name}", getattr(routes, name), methods=["GET"])
    return app


def rendered(content: Any, status: int = 200, background: Any = None) -> Any:
    """JSON in ASCII only: nothing that came in can break out of it."""
    from starlette.responses import Response

    return Response(json.dumps(content, allow_nan=False), status, media_type="application/json", background=background)


class _Routes:
    def __init__(self, service: Service, most_records: int, most_bytes: int) -> None:
        self.service, self.most_records, self.most_bytes = service, most_records, most_bytes

    async def predict(self, request: Any) -> Any:
        from starlette.background import BackgroundTask
        from starlette.requests import ClientDisconnect

        started = time.perf_counter()
        try:
            done = await self._answer(request)
            self._count(done.serving.number, done.arm, 200, started, len(done.asked.records))
            return rendered(done.content(), background=BackgroundTask(self.service.after, done))
        except Refused as error:
            self._count(None, "none", error.status, started)
            return _refusal(error)
        except ClientDisconnect:
            return rendered({"error": "the request ended early"}, 400)
        except Exception as error:  # noqa: BLE001 - one line to the user, the whole story to the log of whoever runs it
            _LOGGER.exception("a request failed: %s", type(error).__name__)
            self._count(None, "none", 500, started)
            line = "The model failed on these records. The service has kept why; it is not your input."
            return rendered({"error": line, "errors": [line], "request_id": uuid.uuid4().hex}, 500)

    async def _answer(self, request: Any) -> Answered:
        from starlette.concurrency import run_in_threadpool

        self.service.check_consumer(request.headers)
        body = await read_body(request.stream(), request.headers.get("content-length"), self.most_bytes)

        def work() -> Answered:
            return self.service.answer(parse(body, self.most_records))

        return await run_in_threadpool(work)

    def _count(self, number: int | None, arm: str, status: int, started: float, rows: int = 0) -> None:
        counters, model = self.service.counters, "none" if number is None else str(number)
        counters.requests.labels(model, arm, str(status)).inc()
        if rows:
            counters.rows.labels(model, arm).inc(rows)
            counters.seconds.labels(arm).observe(time.perf_counter() - started)

    async def livez(self, request: Any) -> Any:
        return rendered({"status": "alive"})

    async def readyz(self, request: Any) -> Any:
        from starlette.concurrency import run_in_threadpool

        try:
            champion = await run_in_threadpool(self.service.champion)
        except Refused as error:
            return rendered({"status": "not ready", "reason": error.messages[0]}, error.status)
        return rendered({"status": "ready", "model": {"number": champion.number, "alias": champion.alias}})

    async def metrics(self, request: Any) -> Any:
        from starlette.responses import Response

        text, kind = self.service.counters.text()
        return Response(text, media_type=kind)


def _refusal(error: Refused) -> Any:
    messages = [" ".join(m.split()) for m in error.messages]
    return rendered({"error": messages[0], "errors": messages, "request_id": uuid.uuid4().hex}, error.status)
