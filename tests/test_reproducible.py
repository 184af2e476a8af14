"""Two runs of a training: what differed first, what it comes from, and what is left as it was."""

import dataclasses
import enum
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from ml_lifecycle.foundation import BadInputError
from ml_lifecycle.refinement import reproducible
from ml_lifecycle.refinement._again.values import digest, first_gap, leaves
from ml_lifecycle.refinement._held import generators, held

X, Y = make_classification(120, random_state=0)


def said(train: Any, **asked: Any) -> tuple[Any, set[str]]:
    report = reproducible(train, **asked)
    return report, {f.code for f in report.findings}


# what agrees

def test_a_seeded_training_agrees() -> None:
    report, codes = said(lambda: {"forest": RandomForestClassifier(5).fit(X, Y), "noise": [random.random(), np.random.rand()]})
    assert report.same
    assert report.passed
    assert codes == {"RPR001"}
    assert report.first is None
    assert report.frame["different"].sum() == 0


def test_a_torch_training_agrees_step_by_step() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    def train() -> Any:
        net = torch.nn.Sequential(torch.nn.Linear(20, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1))
        sgd = torch.optim.SGD(net.parameters(), lr=0.1)
        for x, y in DataLoader(TensorDataset(torch.tensor(X).float(), torch.tensor(Y).float()), batch_size=30, shuffle=True):
            sgd.zero_grad()
            loss = ((net(x)[:, 0] - y) ** 2).mean()
            loss.backward()
            sgd.step()
        return net, loss

    report, _ = said(train)
    assert report.passed
    assert list(report.frame["stage"]) == ["data order", "initial weights", "inputs", "loss", "gradients", "weights", "result"]
    assert report.frame.set_index("stage")["compared"]["loss"] == 4
    assert torch.Tensor.backward.__name__ == "backward"
    assert not torch.nn.modules.module._global_forward_hooks


def test_what_measures_time_is_left_out() -> None:
    report, codes = said(lambda: {"loss": 1.0, "fit_seconds": time.perf_counter(), "run_id": random.SystemRandom().random()})
    assert report.same
    assert codes == {"RPR001", "RPR011"}


def test_nothing_to_compare_cannot_tell() -> None:
    report, codes = said(lambda: None)
    assert report.passed is None
    assert codes == {"RPR002"}


def test_a_training_that_raises() -> None:
    report, codes = said(lambda: 1 / 0)
    assert report.passed is None
    assert "ZeroDivisionError" in report.answer


# causes

RNG, KEPT, TURN = np.random.default_rng(0), {}, []  # type: ignore[var-annotated]


def clock_seed() -> Any:
    np.random.seed(time.time_ns() % 2**32)
    return np.random.normal(size=4)


def lazy() -> Any:
    if "weights" not in KEPT:
        KEPT["weights"] = np.random.normal(size=3)
    return np.random.normal(size=2)


def goes_on() -> Any:
    TURN.append(1)
    return len(TURN)


def other_way() -> Any:
    TURN.append(1)
    if len(TURN) % 2:
        np.random.seed(3)
    return 0.0


@pytest.mark.parametrize(("train", "first", "code"), [
    (lambda: np.random.default_rng().normal(size=3), "result", "RPR003"), (lambda: random.Random().random(), "result", "RPR003"),
    (lambda: [np.random.RandomState().rand()], "result", "RPR003"), (lambda: RNG.normal(size=3), "start", "RPR004"),
    (clock_seed, "seed", "RPR006"), (lazy, "result", "RPR007"), (goes_on, "result", "RPR007"),
    (lambda: {"score": time.monotonic_ns() % 10**6}, "result", "RPR010"), (lambda: {"score": time.time()}, "result", "RPR010")])
def test_causes_are_named(train: Any, first: str, code: str) -> None:
    KEPT.clear(), TURN.clear()
    report, codes = said(train)
    assert report.first == first
    assert code in codes
    assert report.passed is False


def test_runs_that_take_other_ways() -> None:
    TURN.clear()
    report, _ = said(other_way)
    assert not report.same
    assert "seed of numpy's generator" in report.answer


def test_the_line_of_a_generator_is_named() -> None:
    report, _ = said(lambda: np.random.default_rng().normal())
    finding = next(f for f in report.findings if f.code == "RPR003")
    assert Path(__file__).name in finding.message


def test_rounding_is_told_from_other_numbers() -> None:
    turns = iter(range(1, 99))

    def train() -> Any:
        values = np.random.default_rng(0).random(9999).astype("float32")
        return np.float32(sum(np.roll(values, 97 * next(turns)).tolist(), np.float32(0)))

    report, codes = said(train)
    assert report.first == "result"
    assert report.rounding
    assert "RPR009" in codes


def test_keys_in_another_order() -> None:
    turns = iter(range(99))

    def train() -> Any:
        names = ["a", "b"] if next(turns) % 2 else ["b", "a"]
        return dict.fromkeys(names, 1.0)

    assert "RPR008" in said(train)[1]


def test_models_outside_and_what_comes_back() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(20, 1)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def train() -> Any:
        sgd.zero_grad()
        loss = net(torch.tensor(X).float()).square().mean()
        loss.backward()
        sgd.step()
        return loss.item()

    before, states = net.weight.detach().clone(), (random.getstate(), torch.get_rng_state(), RNG.bit_generator.state)
    report, codes = said(train)
    assert report.first == "start"
    assert "RPR005" in codes
    assert torch.equal(net.weight, before)
    assert net.weight.grad is None
    assert not sgd.state
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert RNG.bit_generator.state == states[2]


def test_a_generator_outside_that_has_no_effect() -> None:
    def train() -> Any:
        RNG.normal()
        return 1.0

    assert said(train)[0].same


def test_a_loader_from_outside() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    alike = DataLoader(torch.arange(40.0), batch_size=4, shuffle=True)  # type: ignore[arg-type]
    assert said(lambda: 1.0, loader=alike)[0].frame["compared"].sum() == 5

    class Shuffled:
        def __iter__(self) -> Any:
            return iter(np.random.default_rng().permutation(40).reshape(10, 4))

    report, codes = said(lambda: 1.0, loader=Shuffled())
    assert report.first == "data order"


@pytest.mark.slow
def test_the_order_of_sets_needs_fresh_processes() -> None:
    def words() -> Any:
        drawn = {word: np.random.rand() for word in {"red", "green", "blue", "white", "black"}}
        return drawn["red"]

    report, codes = said(words, fresh=True)
    assert report.same
    finding = next(f for f in report.findings if f.code == "RPR013")
    assert finding.severity == "issue"
    assert "PYTHONHASHSEED" in finding.message
    assert report.passed is False


def test_what_cannot_be_sent_to_a_process() -> None:
    lock = __import__("threading").Lock()

    def train() -> Any:
        with lock:
            return 1

    report, _ = said(train, fresh=True)
    assert next(f for f in report.findings if f.code == "RPR013").severity == "not applicable"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: reproducible(3), "`train` must be a function"), (lambda: reproducible(print, seed=-1), "`seed` must be"),
    (lambda: reproducible(print, seed=True), "`seed` must be"), (lambda: reproducible(print, loader=3), "`loader` must be"),
    (lambda: reproducible(print, loader=iter([1])), "`loader` must be")])
def test_what_cannot_be_run(call: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# values

class Colour(enum.Enum):
    """An enum."""

    RED = 1


@dataclasses.dataclass
class Pair:
    """A dataclass."""

    a: Any
    b: Any


class Slots:
    """An object without a dict."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                     lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)


@given(PLAIN)
def test_a_value_equals_itself(value: Any) -> None:
    import copy

    assert digest(value) == digest(copy.deepcopy(value))
    assert first_gap(leaves(value), leaves(copy.deepcopy(value))) == (None, 0)


@pytest.mark.parametrize(("a", "b"), [
    (1, 2), (1, 1.0), (0.0, -0.0), ("a", "b"), (None, False), ([1], [1, 2]), ({"a": 1}, {"a": 2}), ({1, 2}, {1, 3}),
    (Colour.RED, 1), (np.zeros(3), np.zeros(4)), (np.zeros(3), np.zeros(3, "float32")), (np.array(["a"]), np.array(["b"])),
    (np.array([1j]), np.array([-1j])), (np.array([None, 1], dtype=object), np.array([None, 2], dtype=object)),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})), (pd.Series(["a"]), pd.Series(["b"])), (pd.Index([1]), pd.Index([2])),
    (sparse.eye(3), sparse.eye(3) * 2), (Pair(1, 2), Pair(1, 3)), (Slots(1), Slots(2)), (len, print), (10**400, 10**401),
    (RandomForestClassifier(3, random_state=0).fit(X, Y), RandomForestClassifier(3, random_state=1).fit(X, Y))])
def test_values_that_differ(a: Any, b: Any) -> None:
    assert digest(a) != digest(b)
    gap, count = first_gap(leaves(a), leaves(b))
    assert gap is not None
    assert count >= 1
    assert digest(a) == digest(a)


def test_torch_values() -> None:
    torch = pytest.importorskip("torch")
    values = [torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16), torch.eye(2).to_sparse(), torch.nn.Linear(2, 1),
              torch.Generator().manual_seed(1), torch.tensor([True])]
    assert len({digest(v) for v in values}) == len(values)
    assert all(digest(v) == digest(v) for v in values)


def test_a_value_that_holds_itself() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    assert digest(ring)


def test_generators_are_found_where_they_hang() -> None:
    import functools

    class Maker:
        def __init__(self) -> None:
            self.rng = np.random.RandomState(0)

        def train(self) -> Any:
            return self.rng.rand()

    assert list(generators(held(Maker().train))) == ["self.rng"]
    assert list(generators(held(functools.partial(lambda r: r, r=random.Random(0))))) == ["r"]
    assert not generators(held(lambda: np.random.rand() + random.random()))


def test_a_seeded_generator_and_the_ids_of_a_library_are_not_named():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    x = np.arange(40.0)[:, None]

    def train():
        aside = np.random.default_rng().permutation(40)[:8]  # the only one without a seed
        kept = np.setdiff1d(np.arange(40), np.random.RandomState(1).permutation(aside))
        return make_pipeline(LogisticRegression(random_state=0)).fit(x[kept], x[kept, 0] > 20)

    found = next(f for f in reproducible(train).findings if f.code == "RPR003")
    assert "default_rng()" in found.message
    assert "RandomState" not in found.message
    assert "make_pipeline" not in found.message
