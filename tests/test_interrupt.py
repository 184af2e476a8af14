"""Runs that are stopped midway by a real signal: no kernel survives, what was finished is kept, the rest can be gone on with."""

import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from runner_toys import WAIT, alive, lesson, ran, saved, start, until

from ml_lifecycle.runner.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")]
RESULT = """import random
random.seed(seed)
with open(f"{project}/result-%s.json", "w") as file:
    file.write(str([random.random() for _ in range(3)]))"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two lessons, the second of which waits for a file."""
    (tmp_path / "my.csv").write_text("x,y\n" + "".join(f"{i * 37 % 17 / 4},{'no' if i % 2 else 'yes'}\n" for i in range(60)))
    place = tmp_path / "lessons"
    lesson(place, "01_planning", RESULT % "planning")
    lesson(place, "03_exploration", "# Waiting", "import subprocess\nworker = subprocess.Popen(['sleep', '60']).pid\n"
           "open(f'{project}/worker', 'w').write(str(worker))", WAIT % "3", RESULT % "exploration")
    monkeypatch.setenv("ML_LIFECYCLE_LESSONS", str(place))
    monkeypatch.chdir(tmp_path)
    return place


def waiting(project):
    """The process of the kernel that waits; None before."""
    path = project / "waiting-3"
    return int(path.read_text()) if path.exists() and path.read_text() else None


def results(project):
    return {path.name: path.read_text() for path in sorted(project.glob("result-*.json"))}


def whole(project):
    """Every file that the run wrote can be read whole, and nothing temporary is left."""
    import nbformat

    for path in project.rglob("*.json"):
        json.loads(path.read_text())
    for path in project.rglob("*.ipynb"):
        nbformat.read(path, as_version=4)
    for path in project.rglob("*.html"):
        assert path.read_text().rstrip().endswith("</html>")
    assert not [path for path in project.rglob("*") if path.suffix == ".part" or path.name.startswith(".probe")]


def resumed_equals_uninterrupted(project, capfd):
    (project / "go").touch()
    capfd.readouterr()
    assert main(["run", "--resume", "--project", str(project)]) == 0
    assert [one["step"] for one in ran(project)] == ["01_planning", "03_exploration", "03_exploration"]
    straight = project.parent / "straight"
    straight.mkdir(exist_ok=True)
    (straight / "go").touch()
    assert main(["run", "my.csv", "--target", "y", "--seed", "5", "--project", str(straight)]) == 0
    assert results(project) == results(straight)
    assert len(results(project)) == 2
    whole(project)


def stopped(project, code, out, err):
    """What holds after a polite stop in the second lesson."""
    assert code == 130
    assert err.splitlines()[-1] == ("ml-lifecycle: interrupted in lesson 3 exploration; what was finished is kept; "
                                    "go on with: ml-lifecycle run --resume --project runs/my")
    assert len(err.splitlines()) == 4
    until(lambda: not alive(waiting(project)), 10)
    until(lambda: not alive(int((project / "worker").read_text())), 10)
    state = saved(project)["lessons"]
    assert {key: one["state"] for key, one in state.items()} == {"planning": "done", "exploration": "pending"}
    assert re.match(r"interrupted at cell \d of \d \(Waiting\)", state["exploration"]["message"])
    assert (project / "site" / "index.html").is_file()
    assert "lesson not finished" in out
    assert [path.name for path in (project / "notebooks").iterdir()] == ["01_planning.ipynb"]
    whole(project)


def test_the_process_is_interrupted(place, tmp_path):
    project = tmp_path / "runs" / "my"
    process = start("run", "my.csv", "--target", "y", lessons=place, cwd=tmp_path)
    until(lambda: waiting(project))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    stopped(project, process.returncode, out, err)


def test_the_process_is_asked_to_end(place, capfd):
    project = Path("runs/my").absolute()

    def stop():
        until(lambda: waiting(project))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    code = main(["run", "my.csv", "--target", "y", "--seed", "5"])
    stopped(project, code, *capfd.readouterr())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_process_is_killed(place, tmp_path, capfd):
    project = tmp_path / "p"
    process = start("run", "my.csv", "--target", "y", "--seed", "5", "--project", "p", lessons=place, cwd=tmp_path)
    until(lambda: waiting(project))
    kernel = waiting(project)
    process.kill()
    process.communicate(timeout=60)
    assert saved(project)["lessons"]["exploration"]["state"] == "running"
    whole(project)
    until(lambda: not alive(kernel), 10)  # a kernel looks every second whether it has a parent
    os.kill(int((project / "worker").read_text()), signal.SIGKILL)  # nobody is left to end what the kernel had started
    resumed_equals_uninterrupted(project, capfd)


def test_stopped_before_anything_runs(place, capfd, monkeypatch):
    import ml_lifecycle.runner.run as module

    def stopped(request):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(module, "plan_run", stopped)
    assert main(["run", "my.csv", "--target", "y"]) == 130
    assert capfd.readouterr().err == "ml-lifecycle: interrupted before anything was run\n"
    assert not Path("runs").exists()


def test_stopped_while_a_kernel_starts(tmp_path):
    from ml_lifecycle.runner.execute import execute
    from ml_lifecycle.runner.kernel import KernelGuard

    path = lesson(tmp_path, "01_planning")
    guard = KernelGuard()
    guard.stop()
    done = execute(path, {"project": str(tmp_path)}, cwd=tmp_path, timeout=60, guard=guard)
    guard.close()
    assert done.state == "interrupted"
    assert ran(tmp_path) == []
