"""The profile of loaders: parts, bound, workers, and what is left as it was."""

import json
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_lifecycle.foundation import BadInputError, Report
from ml_lifecycle.refinement import profile_loader
from ml_lifecycle.refinement._loader import workers as _loader_workers
from ml_lifecycle.refinement._loader.watch import called, place_label, word_label

torch = pytest.importorskip("torch")
from loader_toys import Planted, Stream, burn  # noqa: E402
from torch.utils.data import DataLoader, Dataset, TensorDataset  # noqa: E402

def codes(report: Report, *severities: str) -> set[str]:
    return {f.code for f in report.findings if not severities or f.severity in severities}


def quick(loader: Any, **asked: Any) -> Any:
    return profile_loader(loader, **{"seconds": 0.5, "workers": (), **asked})


# parts

@pytest.mark.parametrize("part", ["read", "decode", "transform"])
def test_the_part_that_costs_is_the_bound(part: str) -> None:
    report = quick(DataLoader(Planted(**{part: 0.002}), batch_size=4))
    assert report.bound == part
    assert report.shares[part][0] > 0.8
    assert report.frame["share"].sum() == pytest.approx(1)
    assert report.shares[part][1] <= report.shares[part][0] <= report.shares[part][2]


def test_a_slow_collate_is_named() -> None:
    def stack(items: list[Any]) -> Any:
        burn(0.004)
        return torch.stack(items)

    report = quick(DataLoader(Planted(), batch_size=4, collate_fn=stack))
    assert report.bound == "collate"
    assert "LDR006" in codes(report, "tip")


def test_waiting_without_a_name_is_reading_and_work_is_decoding() -> None:
    class Plain(Dataset):
        def __init__(self, work: Any) -> None:
            self.work = work

        def __len__(self) -> int:
            return 32

        def __getitem__(self, at: int) -> Any:
            self.work()
            return at

    idle = threading.Event()
    assert quick(DataLoader(Plain(lambda: idle.wait(0.004)), batch_size=2)).bound == "read"
    assert quick(DataLoader(Plain(lambda: burn(0.004)), batch_size=2)).bound == "decode"


@pytest.mark.parametrize(("name", "label"), [
    ("read_image", "read"), ("fetchone", "read"), ("open", "read"), ("_decode", "decode"), ("loads", "decode"),
    ("imread", "decode"),
    ("random_crop", "transform"), ("Normalize", "transform"), ("thread", None), ("ready", None), ("f", None)])
def test_names_tell_what_a_function_does(name: str, label: str | None) -> None:
    assert word_label(name) == label


def test_modules_tell_what_a_function_does() -> None:
    assert [place_label(m) for m in ("PIL.Image", "h5py._hl.files", "torchvision.transforms.v2", "jsonable", "os")] == [
        "decode", "read", "transform", None, None]


def test_what_a_frame_calls_is_known_by_its_position() -> None:
    code = compile("f(1)", "<nowhere>", "eval")
    assert called(code, 0) == ("", 1)
    assert called(code, -1)[0] == ""


# loader or model

def test_loader_or_model() -> None:
    loader = DataLoader(Planted(read=0.002), batch_size=4)
    slow = quick(loader, train_step=lambda batch: None)
    assert slow.limit == "loader"
    assert slow.passed is False
    assert "is the bound" in slow.answer
    fast = quick(loader, train_step=lambda batch: time.sleep(0.05))
    assert fast.limit == "model"
    assert fast.passed
    assert not codes(fast, "issue")
    assert quick(loader).passed is None


def test_the_step_is_only_tried() -> None:
    net = torch.nn.Linear(16, 1)
    adam = torch.optim.Adam(net.parameters())

    def step(batch: Any) -> None:
        adam.zero_grad()
        net(batch).mean().backward()
        adam.step()

    before, state = net.weight.detach().clone(), torch.get_rng_state()
    draws = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    report = quick(DataLoader(Planted(), batch_size=4, shuffle=True), train_step=step)
    assert report.step_seconds[0] > 0
    assert torch.equal(net.weight, before)
    assert not adam.state
    assert torch.equal(torch.get_rng_state(), state)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == draws  # type: ignore[index,union-attr]


def test_the_loader_is_left_as_it_was() -> None:
    chance = torch.Generator().manual_seed(3)
    loader = DataLoader(Planted(read=0.001), batch_size=4, shuffle=True, generator=chance)
    state, attributes, handler = chance.get_state(), dict(vars(loader.dataset)), signal.getsignal(signal.SIGALRM)
    quick(loader)
    assert torch.equal(chance.get_state(), state)
    assert vars(loader.dataset) == attributes
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# workers

def test_prediction_follows_the_slowest_station() -> None:
    sent = _loader_workers.Sending(send=0.0, receive=0.001, start=0.1)
    seconds = [float(_loader_workers.batch_seconds(np.array(0.01), np.array(0.0), sent, w, 4.0)) for w in (1, 2, 5, 20)]
    assert seconds == pytest.approx([0.01, 0.005, 0.002, 0.001])  # until one process that receives is the bound
    computing = [float(_loader_workers.batch_seconds(np.array(0.01), np.array(0.01), sent, w, 2.0)) for w in (1, 2, 5)]
    assert computing == pytest.approx([0.01, 0.0055, 0.0055])  # until the cores are
    assert _loader_workers.free_cores(4, 0.0, 2) == (4.0, 4.0, 4.0)
    about, least, most = _loader_workers.free_cores(2, 1.5, 2)
    assert least <= about <= most


@pytest.mark.slow
def test_workers_help_where_waiting_is_the_cost() -> None:
    report = profile_loader(DataLoader(Planted(read=0.004), batch_size=4), seconds=3, workers=(1, 2))
    two = report.workers[1]
    assert two["predicted"] > 1.6
    if two["n"]:
        assert two["measured"] > 1.3
    assert "LDR007" in codes(report, "tip")


@pytest.mark.slow
def test_workers_fetch_while_the_model_works() -> None:
    report = profile_loader(DataLoader(Planted(read=0.004), batch_size=4), train_step=0.02, seconds=3, workers=1)
    one = report.workers[0]
    assert 1.2 < one["predicted"] < 2.2  # one batch takes as long as one step: half of the time is saved
    if one["n"]:
        assert one["measured"] > 1.1
    assert "steps of the model" in next(f.message for f in report.findings if f.code == "LDR007")


@pytest.mark.slow
def test_rows_that_come_twice_are_said() -> None:
    assert "LDR012" in codes(profile_loader(DataLoader(Stream(share=False), batch_size=10), seconds=1))
    assert "LDR012" not in codes(profile_loader(DataLoader(Stream(), batch_size=10), seconds=1))


@pytest.mark.slow
def test_a_loader_with_workers_as_it_stands() -> None:
    loader = DataLoader(Planted(read=0.001, n=24), batch_size=4, num_workers=1, pin_memory=True)
    report = profile_loader(loader, seconds=1, workers=(1,))
    assert report.first_seconds > 0
    assert {"LDR008", "LDR010"} <= codes(report, "tip") or not report.workers[0]["n"]


@pytest.mark.slow
def test_workers_that_fail() -> None:
    def refuse(worker: int) -> None:
        raise OSError("no file in a worker")

    report = profile_loader(DataLoader(Planted(), batch_size=4, num_workers=1, worker_init_fn=refuse), seconds=1, workers=(1,))
    assert "LDR013" in codes(report, "issue")
    assert "LDR011" in codes(report)  # a function inside a function cannot be sent


def test_one_core_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loader_workers, "cores", lambda: 1)
    monkeypatch.setattr(_loader_workers, "sending", lambda *a: _loader_workers.Sending(0.0, 0.0, 0.1))
    found = next(f for f in quick(DataLoader(Planted(read=0.001), batch_size=4), workers=(2,)).findings if f.code == "LDR007")
    assert found.undecided
    assert "only 1 core" in found.message


def test_workers_are_not_asked_for_by_a_loader_with_none() -> None:
    assert quick(DataLoader(Planted(), batch_size=4)).workers == ()


# trials

class Files(Dataset):
    """Rows of files: one for all, or one for each."""

    def __init__(self, folder: Path, one: bool) -> None:
        self.paths = [folder / f"{0 if one else at}.json" for at in range(16)]
        for at, path in enumerate(self.paths):
            path.write_text(json.dumps(list(range(2000)) + [at]))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> Any:
        time.sleep(0.002)
        with open(self.paths[at]) as file:
            return torch.tensor(json.load(file))


def test_files_opened_for_each_item(tmp_path: Path) -> None:
    assert "LDR004" in codes(quick(DataLoader(Files(tmp_path, one=True), batch_size=4)), "tip")
    many = codes(quick(DataLoader(Files(tmp_path, one=False), batch_size=4)), "tip")
    assert "LDR005" in many
    assert "LDR004" not in many
    assert "LDR003" in many


def test_random_items_cannot_be_kept() -> None:
    class Chance(Planted):
        def enlarge(self, x: Any) -> Any:
            return super().enlarge(x) + torch.rand(())

    assert "LDR003" not in codes(quick(DataLoader(Chance(transform=0.002), batch_size=4)))
    assert "LDR003" in codes(quick(DataLoader(Planted(transform=0.002), batch_size=4)))
    assert "LDR003" in codes(quick(DataLoader(Chance(decode=0.002, transform=0.001), batch_size=4)))


def test_small_items_one_by_one() -> None:
    report = quick(DataLoader(TensorDataset(torch.zeros(4096, 2)), batch_size=128))
    assert "LDR015" in codes(report, "tip")
    assert not codes(report, "issue")


def test_uneven_batches() -> None:
    class Uneven(Planted):
        def __getitem__(self, at: int) -> Any:
            burn(0.02 if at % 16 == 0 else 0.0005)
            return torch.zeros(2)

    assert "LDR009" in codes(quick(DataLoader(Uneven(), batch_size=1), seconds=1.5), "tip")


def test_a_dataset_that_cannot_be_sent() -> None:
    data = Planted()
    data.lock = threading.Lock()  # type: ignore[attr-defined]
    assert "LDR011" in codes(quick(DataLoader(data, batch_size=4), workers=(1,), seconds=0.3))


# other loaders

def test_batches_that_come_ready() -> None:
    report = quick([np.zeros((4, 2))] * 5, train_step=0.01)
    assert report.limit == "model"
    assert {"LDR001", "LDR014"} <= codes(report)
    stream = (np.zeros(3) for _ in range(10**7))
    assert "used up" in next(f.message for f in quick(stream, seconds=0.2).findings if f.code == "LDR014")


def test_plain_generators_tell_parts_by_name() -> None:
    def decode() -> None:
        burn(0.003)

    class Batches:
        def __iter__(self) -> Any:
            for at in range(10):
                decode()
                time.sleep(0.001)
                yield np.zeros((at + 1, 2))

    report = quick(Batches())
    assert report.shares["decode"][0] > 0.1
    assert report.shares["read"][0] > 0.1


@pytest.mark.parametrize("make", [
    lambda: DataLoader(Planted(decode=0.0005), batch_sampler=[[0, 1], [2, 3, 4]]),
    lambda: DataLoader(Planted(decode=0.0005), batch_size=None),
    lambda: DataLoader(Planted(decode=0.0005, n=3), batch_size=4),
    lambda: DataLoader(Stream(), batch_size=8, drop_last=True),
    lambda: DataLoader(Stream(), batch_size=None),
    lambda: DataLoader([(1, "a"), (2, "b")] * 8, batch_size=4),  # type: ignore[arg-type]
    lambda: DataLoader(TensorDataset(torch.zeros(50, 3), torch.zeros(50)), batch_size=10, shuffle=True)])
def test_any_loader(make: Any) -> None:
    report = quick(make(), seconds=0.3, device="cpu")
    assert report.n >= 2
    assert report.batch_seconds[0] > 0
    assert not codes(report, "issue")


def test_a_thread_looks_where_no_timer_does() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(quick(DataLoader(Planted(decode=0.003), batch_size=4))))
    thread.start()
    thread.join()
    assert found[0].bound == "decode"


# bad input

class Broken(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, at: int) -> Any:
        raise KeyError("no such row")


@pytest.mark.parametrize(("call", "said"), [
    (lambda: profile_loader(3), "`loader` must be"), (lambda: profile_loader("rows.csv"), "`loader` must be"),
    (lambda: profile_loader(Planted()), "Got a dataset, Planted"), (lambda: profile_loader([]), "at least 3 batches"),
    (lambda: profile_loader(DataLoader(Planted(n=2), batch_size=4, drop_last=True)), "at least one batch"),
    (lambda: profile_loader(DataLoader(Broken())), "no such row"),
    (lambda: quick([1] * 9, seconds=0), "`seconds` must be"), (lambda: quick([1] * 9, seconds=True), "`seconds` must be"),
    (lambda: quick([1] * 9, workers=(-1,)), "`workers` must be"), (lambda: quick([1] * 9, workers="2"), "`workers` must be"),
    (lambda: quick([1] * 9, seed=-1), "`seed` must be"), (lambda: quick([1] * 9, train_step="fit"), "`train_step` must be"),
    (lambda: quick([1] * 9, train_step=lambda batch: batch.no), "`train_step` must take a batch")])
def test_what_cannot_be_profiled(call: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_timer_is_given_back_when_something_fails() -> None:
    with pytest.raises(BadInputError):
        quick(DataLoader(Broken()))
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
