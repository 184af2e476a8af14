"""What a service counts, in the text form that Prometheus reads; each app has counters of its own."""

from typing import Any

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds


class Counters:
    """Requests, latency and the shadow's answers of one app."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.requests = Counter("ml_requests", "Requests to /predict", ["model", "arm", "status"], **own)
        self.rows = Counter("ml_rows", "Records that were answered", ["model", "arm"], **own)
        self.seconds = Histogram("ml_request_seconds", "Seconds from the request to its answer", ["arm"], buckets=BUCKETS, **own)
        self.shadow = Counter("ml_shadow_rows", "Records that a shadow answered", ["model", "result"], **own)
        self.left_out = Counter("ml_shadow_left_out", "Requests that the shadow was not asked: it could not keep up", **own)
        self.log_errors = Counter("ml_log_errors", "Requests that could not be written to the log", **own)
        self.serving = Gauge("ml_model", "The version behind each name", ["alias"], **own)

    def text(self) -> tuple[bytes, str]:
        """The counters now, and their content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST
