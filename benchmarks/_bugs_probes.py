"""The probes, ours and the peers', as one form: a setup in, the lines that it says out, most important first."""

import inspect
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from _bugs_kit import Setup

STEPS = 20  # of the loop that torch-audit watches
try:
    from torch_audit import autopatch
except ImportError:
    autopatch = None
try:
    import torchtest
except ImportError:
    torchtest = None


class Line(NamedTuple):
    """One thing that a probe says."""

    text: str
    issue: bool  # False: a tip or a hint


class Heard(NamedTuple):
    """All that a probe says about one setup."""

    lines: tuple[Line, ...]
    seconds: float
    error: str = ""  # what stopped the probe


def our_lines(case: Setup) -> list[Line]:
    """What overfit_batch finds."""
    from ml_lifecycle.exploration import overfit_batch

    options = {} if case.step is None else {"train_step": case.step}
    report = overfit_batch(case.model, case.batch, case.loss, optimizer=case.optimizer, **options)
    said = []
    for finding in report.findings:
        if finding.severity in ("issue", "tip"):
            words = [value for value in finding.evidence.values() if isinstance(value, str)]
            said.append(Line(" | ".join([f"{finding.code} {finding.message}", *words]), finding.severity == "issue"))
    return said


def plain_step(case: Setup) -> Callable[[], object]:
    """One step of the person's loop."""
    if case.step is not None:
        given = len(inspect.signature(case.step).parameters)
        extra = (case.loss,) if given == 4 else ()
        return lambda: case.step(case.model, case.batch, *extra, case.optimizer)

    def step() -> object:
        case.optimizer.zero_grad()
        loss = case.loss(case.model(case.batch[0]), case.batch[1])
        loss.backward()
        case.optimizer.step()
        return loss

    return step


def audited(case: Setup) -> list[Line]:
    """What torch-audit finds while it watches a loop; hints on hardware are left out, each rule is heard once."""
    step, stopped = plain_step(case), None
    auditor = autopatch(case.model, optimizer=case.optimizer, every_n_steps=1, run_static=True, run_init=True)
    try:
        for _ in range(STEPS):
            step()
    except Exception as error:  # the loop of a broken setup may raise: what was found until then counts
        stopped = error
    result = auditor.finish(report=False)
    auditor.unpatch()
    found = {}
    for finding in sorted(result.findings, key=lambda f: f.severity, reverse=True):
        if not finding.rule_id.startswith(("TA2", "TA000")):
            title = result.rules[finding.rule_id].title
            found.setdefault(finding.rule_id, Line(f"{finding.rule_id} {title}: {finding.message}", finding.severity.value
                                                   in ("ERROR", "FATAL")))
    if not found and stopped is not None:
        raise stopped
    return list(found.values())


def tested(case: Setup) -> list[Line]:
    """What the test suite of torchtest finds: do all parameters change, are outputs NaN or infinite."""
    said, device = [], case.batch[0].device
    for asked in ({"train_vars": list(case.model.named_parameters())}, {"test_nan_vals": True}, {"test_inf_vals": True}):
        try:
            torchtest.test_suite(case.model, case.loss, case.optimizer, list(case.batch), device=device, **asked)
        except (torchtest.torchtest.VariablesChangeException, torchtest.torchtest.NaNTensorException,
                torchtest.torchtest.InfTensorException) as error:
            said.append(Line(f"{type(error).__name__}: {error}", True))
    return said


PROBES: dict[str, Callable[[Setup], list[Line]]] = {"overfit_batch": our_lines}
PEERS = {"torch-audit": autopatch, "torchtest": torchtest}
ABSENT = [f"{name} (`pip install {name}`)" for name, found in PEERS.items() if found is None]
if autopatch is not None:
    PROBES["torch-audit"] = audited
if torchtest is not None:
    PROBES["torchtest"] = tested


def hear(probe: str, make: Callable[[], Setup]) -> Heard:
    """Run a probe on a setup made for it alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = make()
        torch.manual_seed(0)
        begin = time.perf_counter()
        try:
            lines = tuple(PROBES[probe](case))
        except Exception as error:
            return Heard((), time.perf_counter() - begin, f"{type(error).__name__}: {error}")
    return Heard(lines, time.perf_counter() - begin)
