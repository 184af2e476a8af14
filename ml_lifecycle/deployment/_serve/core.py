"""What a service does between a request and its answer, and behind it: find the version, predict, keep, ask the shadow."""

import hmac
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_lifecycle.deployment._log import NOT_RUN, Answer, RequestLog, plain
from ml_lifecycle.deployment._serve.body import Asked, Refused
from ml_lifecycle.deployment._serve.contract import contract_of
from ml_lifecycle.deployment._serve.input import Contract
from ml_lifecycle.deployment._serve.metrics import Counters
from ml_lifecycle.deployment._serve.shadow import Worker
from ml_lifecycle.deployment.rollout import Rollout
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, LifecycleError

_LOGGER = logging.getLogger("ml_lifecycle.serving")
_INPUT_ERRORS = (ValueError, TypeError, OverflowError, KeyError)  # what models raise for values that they cannot take


@dataclass(frozen=True)
class Serving:
    """A version that is loaded."""

    version: Any
    contract: Contract
    alias: str

    @property
    def number(self) -> int:
        return int(self.version.number)


@dataclass(frozen=True)
class Answered:
    """An answer, and what is needed behind it."""

    request_id: str
    asked: Asked
    arm: str
    serving: Serving
    answer: Answer

    def content(self) -> dict[str, Any]:
        """What the user gets."""
        model = {"number": self.serving.number, "alias": self.serving.alias}
        said: dict[str, Any] = {"request_id": self.request_id, "model": model, "predictions": list(self.answer.outputs)}
        if self.answer.proba is not None and self.answer.classes is not None:
            names = [str(c) for c in self.answer.classes]
            said["probabilities"] = [dict(zip(names, map(plain, row))) for row in self.answer.proba]
        return said


class Models:
    """The versions behind the names, loaded once; a name that moves is seen at the next request."""

    def __init__(self, registry: Any) -> None:
        self.registry, self._lock = registry, threading.Lock()
        self._loaded: dict[int, Serving] = {}
        self._known: dict[Any, tuple[Any, Serving | None, str]] = {}

    def get(self, name: Any) -> Serving | None:
        """The version of that name or number; None when there is none, or it cannot be loaded (`why` says why)."""
        with self._lock:
            try:
                stamp = _stamp(self.registry)
            except Exception as error:  # noqa: BLE001 - what is loaded goes on serving while the registry cannot be read
                _LOGGER.error("the registry cannot be read: %s", _one_line(error))
                nothing = (None, None, f"the registry cannot be read: {_one_line(error)}")
                return self._known.setdefault(name, nothing)[1]
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                known = self._known[name] = (stamp, *self._load(name))
            return known[1]

    def why(self, name: Any) -> str:
        """Why there is no version of that name."""
        known = self._known.get(name)
        return known[2] if known else ""

    def _load(self, name: Any) -> tuple[Serving | None, str]:
        try:
            version = self.registry.get(name)
            number, alias = int(version.number), name if isinstance(name, str) else "shadow"
            before = self._loaded.get(number)
            if before is not None:
                version, contract = before.version, before.contract
            else:
                contract = contract_of(version)
            serving = self._loaded[number] = Serving(version, contract, alias)
            return serving, ""
        except LifecycleError as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything; the service says so and stays up
            said = " ".join(str(error).split())[:200]
            return None, f"the version {shown(name)} cannot be loaded: {type(error).__name__}: {said}"


def _stamp(registry: Any) -> Any:
    """Who holds which name now: a look into the registry that reads no model."""
    return tuple(sorted(registry.aliases.items()))


class Service:
    """The work of one app."""

    def __init__(self, registry: Any, rollout: Rollout | None, consumers: Any, log: RequestLog | None) -> None:
        self.models, self.rollout, self.log = Models(registry), rollout or Rollout(canary=0.0), log
        self.consumers, self.counters, self.worker = as_consumers(consumers), Counters(), Worker()

    def check_consumer(self, headers: Mapping[str, str]) -> None:
        """Raise Refused unless whoever asks may."""
        if self.consumers is None:
            return
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in self.consumers):
            raise Refused(403, "The key of the caller must be a known one. Got " + ("another one. " if given else "none. ")
                          + "Send it in the header X-API-Key.")

    def champion(self) -> Serving:
        """The version that serves; raises Refused when there is none."""
        serving = self.models.get("champion")
        if serving is None:
            raise Refused(503, "There is no model to serve yet: " + self.models.why("champion"))
        self.counters.serving.labels("champion").set(serving.number)
        return serving

    def answer(self, asked: Asked) -> Answered:
        """Predict for the user's model; what a canary cannot answer, the champion does."""
        champion = self.champion()
        frame = champion.contract.frame(asked.records, also=self._others())
        if self.rollout.arm(asked.user_id) == "canary":
            canary = self.models.get("canary")
            if canary is not None and canary.number != champion.number:
                said = self._try(canary, asked)
                if isinstance(said, Answer):
                    return Answered(uuid.uuid4().hex, asked, "canary", canary, said)
                self.counters.requests.labels(str(canary.number), "canary", "failed").inc()
                _LOGGER.error("the canary, version %s, failed: %s", canary.number, said)
        try:
            said = predict(champion, frame)
        except _INPUT_ERRORS as error:
            _LOGGER.warning("version %s refused records: %s", champion.number, _one_line(error))
            raise Refused(422, f"The model must be able to take the records. It said {_one_line(error)}.") from None
        return Answered(uuid.uuid4().hex, asked, "champion", champion, said)

    def _try(self, serving: Serving, asked: Asked) -> Answer | str:
        """What another version says to the same records, or why it says nothing; it takes the columns that it knows."""
        try:
            every = frozenset(name for record in asked.records for name in record)
            return predict(serving, serving.contract.frame(asked.records, also=every))
        except Refused as error:
            return "; ".join(error.messages[:2])
        except Exception as error:  # noqa: BLE001 - no error of a canary or a shadow reaches a user
            return _one_line(error)

    def after(self, done: Answered) -> None:
        """Behind the answer: keep it, and ask the shadow."""
        if self.log is not None:
            try:
                self.log.write(done.request_id, user=self.rollout.pseudonym(done.asked.user_id), arm=done.arm,
                               records=done.asked.records, answer=done.answer)
            except Exception as error:  # noqa: BLE001 - a full disk must not take the service down
                self.counters.log_errors.inc()
                _LOGGER.error("the log cannot be written: %s", _one_line(error))
        shadow = self._shadow(done)
        if shadow is not None and not self.worker.submit(lambda: self._ask_shadow(shadow, done)):
            self.counters.left_out.inc()
            self._keep(done, shadow, NOT_RUN + "the line was full")

    def _others(self) -> frozenset[str]:
        """Columns that a canary or a shadow wants beside those of the champion: they may come."""
        names = ["canary" if self.rollout.canary else None, self._shadow_name()]
        loaded = [self.models.get(name) for name in names if name is not None]
        return frozenset(column for one in loaded if one is not None for column in one.contract.kinds)

    def _shadow_name(self) -> str | int | None:
        wanted = self.rollout.shadow
        return None if wanted is False else "shadow" if wanted is None or wanted is True else int(wanted)

    def _shadow(self, done: Answered) -> Serving | None:
        name = self._shadow_name()
        if name is None or done.arm != "champion":
            return None
        serving = self.models.get(name)
        return serving if serving is not None and serving.number != done.serving.number else None

    def _ask_shadow(self, shadow: Serving, done: Answered) -> None:
        said = self._try(shadow, done.asked)
        results = ["failed"] * len(done.asked.records) if isinstance(said, str) else [
            "same" if a == b else "other" for a, b in zip(said.outputs, done.answer.outputs)]
        for result in results:
            self.counters.shadow.labels(str(shadow.number), result).inc()
        self._keep(done, shadow, said)

    def _keep(self, done: Answered, shadow: Serving, said: Answer | str) -> None:
        if self.log is not None:
            try:
                self.log.write_shadow(done.request_id, shadow.number, said)
            except Exception as error:  # noqa: BLE001
                self.counters.log_errors.inc()
                _LOGGER.error("the log cannot be written: %s", _one_line(error))


def predict(serving: Serving, frame: Any) -> Answer:
    """What a version says, and how long it takes."""
    started = time.perf_counter()
    outputs = np.asarray(serving.version.predict(frame))
    try:
        proba = np.asarray(serving.version.predict_proba(frame), dtype=float)
    except AttributeError:
        proba = None
    ms = 1000 * (time.perf_counter() - started)
    outputs = outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs
    if outputs.shape != (len(frame),):
        raise RuntimeError(f"the model gave predictions of shape {outputs.shape} for {len(frame)} records")
    known = getattr(serving.version, "classes_", None)
    classes = None if known is None else tuple(plain(c) for c in known)
    usable = proba is not None and classes is not None and proba.shape == (len(frame), len(classes))
    rows = tuple(tuple(float(p) for p in row) for row in proba) if usable and proba is not None else None
    return Answer(tuple(plain(v) for v in outputs), rows, ms, serving.number, classes)


def as_consumers(consumers: Any) -> tuple[str, ...] | None:
    """The keys of those who may call; None: everybody."""
    if consumers is None:
        return None
    if isinstance(consumers, (str, bytes)) or not isinstance(consumers, Iterable):
        raise BadInputError(f"`consumers` must be a mapping of keys to names, or a list of keys. Got {shown(consumers)}.")
    keys = tuple(consumers)
    if not all(isinstance(key, str) and key for key in keys):
        kinds = ", ".join(sorted({type(key).__name__ for key in keys}))
        raise BadInputError(f"`consumers` must have keys that are texts. Got {kinds}. "
                            'Try {"a long random text": "the web shop"}.')
    return keys


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
