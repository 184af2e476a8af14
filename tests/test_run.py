"""Running lessons: what is kept, what is said, and what becomes of everything that can go wrong midway."""

import io
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import pytest
from runner_toys import PARAMETERS, alive, lesson, ran, saved, until

from ml_lifecycle.runner.cli import main
from ml_lifecycle.runner.execute import about_cell, execute, tidy
from ml_lifecycle.runner.kernel import KernelGuard
from ml_lifecycle.runner.say import one_line, waiting
from ml_lifecycle.runner.state import keep_aside, read_state

pytestmark = pytest.mark.slow
DATA = "x,y\n" + "".join(f"{i * 37 % 17 / 4},{'no' if i % 2 else 'yes'}\n" for i in range(60))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with my.csv, and a place for lessons."""
    (tmp_path / "my.csv").write_text(DATA)
    monkeypatch.setenv("ML_LIFECYCLE_LESSONS", str(tmp_path / "les{s}ons"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "les{s}ons"


@pytest.fixture
def go(capfd):
    """Runs `ml-lifecycle run my.csv --target y …`; gives exit code, stdout, and the lines of stderr."""
    def run(*arguments, data=("my.csv", "--target", "y")):
        code = main(["run", *data, *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, out, err.splitlines()

    return run


@pytest.fixture
def again(go):
    """Runs with --resume in runs/my, and nothing else said."""
    return lambda *arguments: go("--resume", "--project", "runs/my", *arguments, data=())


def book(name, project="runs/my"):
    return nbformat.read(Path(project, "notebooks", name), as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


# a run that goes well ------------------------------------------------------------------------------------------------

def test_a_run_leaves_notebooks_state_site_and_summary(place, go):
    noise = "import os, sys, warnings\nos.write(2, b'low noise')\nprint('loud', file=sys.stderr)\nwarnings.warn('careful')"
    lesson(place, "01_planning", "# A thought", "1 + 1")
    lesson(place, "03_exploration", noise, "print('a result')")
    code, out, err = go("--seed", "7", "-p", "rate=0.25")
    project = Path("runs/my").absolute()
    assert code == 0
    assert [line.split(" in ")[0] for line in err] == [
        "lesson 1 planning …", "lesson 1 planning done", "lesson 3 exploration …", "lesson 3 exploration done"]
    assert [{k: v for k, v in one.items() if k != "pid"} for one in ran(project)] == [
        {"step": step, "data": str(Path("my.csv").absolute()), "target": "y", "seed": 7, "rate": 0.25, "exercises": False}
        for step in ("01_planning", "03_exploration")]
    state = saved(project)
    assert state["data"]["given"] == str(Path("my.csv").absolute())
    assert state["data"]["name"] == "my"
    assert state["parameters"] == {"target": "y", "seed": 7, "rate": 0.25, "exercises": False}
    assert {key: one["state"] for key, one in state["lessons"].items()} == {"planning": "done", "exploration": "done"}
    assert state["finished"]
    for name in ("01_planning.ipynb", "03_exploration.ipynb"):
        assert nbformat.validate(book(name)) is None
    assert (project / "site" / "index.html").is_file()
    for number in (2, 4, 5, 6, 7):
        assert re.search(rf"^  {number} .*– not part of this version", out, re.MULTILINE)
    for said in ("my: my, 60 rows", "next: Go on with step 1", "report     runs/my/site/index.html",
                 "notebooks  runs/my/notebooks"):
        assert said in out
    assert not list(project.rglob("*.part"))


def test_the_kernel_is_ours_and_leaves_nothing_behind(place, go, tmp_path, monkeypatch):
    wrong = tmp_path / "data" / "kernels" / "python3"
    wrong.mkdir(parents=True)
    (wrong / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    start = tmp_path / "ipython" / "profile_default" / "startup"
    start.mkdir(parents=True)
    (start / "mine.py").write_text("seed = 99; raise ValueError('from the profile')")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    lesson(place, "01_planning", "import os, sys\nprint(sys.executable, os.environ['MPLBACKEND'], os.getcwd())",
           "from tqdm import tqdm\nfor _ in tqdm(range(3)): pass",
           "import subprocess\nprint(subprocess.Popen(['sleep', '60']).pid)")
    assert go()[0] == 0
    where, worker = [output.text.split() for output in outputs(book("01_planning.ipynb"))]  # and no progress bar
    assert where == [sys.executable, "module://matplotlib_inline.backend_inline", str(Path("runs/my").absolute())]
    until(lambda: not alive(int(worker[0])), 5)


def test_parameters_from_a_file(place, go, tmp_path):
    lesson(place, "01_planning")
    (tmp_path / "p.yaml").write_text("data: my.csv\ntarget: y\nseed: 3\nrate: 0.125\n")
    assert go("--params", "p.yaml", "-p", "rate=1", data=())[0] == 0
    [one] = ran(Path("runs/my"))
    assert (one["target"], one["seed"], one["rate"]) == ("y", 3, 1.0)


def test_a_second_run_runs_afresh_and_keeps_what_a_person_changed(place, go):
    lesson(place, "01_planning")
    lesson(place, "03_exploration")
    assert go()[0] == 0
    folder = Path("runs/my/notebooks")
    (folder / "03_exploration.ipynb").write_text("my notes")
    code, _, err = go("--steps", "3")
    assert code == 0
    assert err[1].endswith("your changed copy is kept: runs/my/notebooks/03_exploration.edited-1.ipynb")
    assert sorted(path.name for path in folder.iterdir()) == [
        "01_planning.ipynb", "03_exploration.edited-1.ipynb", "03_exploration.ipynb"]
    assert (folder / "03_exploration.edited-1.ipynb").read_text() == "my notes"
    assert [one["step"] for one in ran(Path("runs/my"))] == ["01_planning", "03_exploration", "03_exploration"]
    assert saved(Path("runs/my"))["lessons"]["planning"]["state"] == "done"


def test_a_terminal_gets_a_bar_that_names_lesson_and_cell(place, monkeypatch):
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    lesson(place, "03_exploration", "# Baselines\nwords", "import time; time.sleep(1.2)")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with open(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        assert main(["run", "my.csv", "--target", "y"]) == 0
        text = os.read(ours, 65536).decode()
    os.close(ours)
    assert re.search(r"lesson 3 exploration · cell 6/6 .*Baselines", text)
    assert "lesson 3 exploration done" in text


# a run that does not -------------------------------------------------------------------------------------------------

def test_an_error_in_a_cell_keeps_what_was_finished_and_resumes(place, go, again):
    lesson(place, "01_planning")
    lesson(place, "03_exploration", "# Baselines", "raise ValueError('first line\\nsecond line')")
    code, out, err = go()
    project = Path("runs/my")
    assert code == 1
    assert err[-1] == ("ml-lifecycle: lesson 3 exploration stopped at cell 6 of 6 (Baselines): ValueError: first line second "
                       "line; as far as it came: runs/my/notebooks/03_exploration.failed.ipynb; "
                       "go on with: ml-lifecycle run --resume --project runs/my")
    assert len(err) == 4
    assert "Traceback" not in "".join(err)
    assert {key: one["state"] for key, one in saved(project)["lessons"].items()} == {"planning": "done", "exploration": "failed"}
    assert saved(project)["finished"] == ""
    assert sorted(p.name for p in (project / "notebooks").iterdir()) == ["01_planning.ipynb", "03_exploration.failed.ipynb"]
    assert "✗ failed" in out
    assert "did not finish" in (project / "site" / "index.html").read_text()

    lesson(place, "03_exploration", "# Baselines", "1 + 1")
    code, out, err = again()
    assert code == 0
    assert err[0] == "lesson 1 planning was done before"
    assert [one["step"] for one in ran(project)] == ["01_planning", "03_exploration", "03_exploration"]
    assert sorted(p.name for p in (project / "notebooks").iterdir()) == ["01_planning.ipynb", "03_exploration.ipynb"]
    assert saved(project)["lessons"]["exploration"]["message"] == ""
    assert "✗" not in out


def test_the_first_failure_stops_the_run(place, go):
    lesson(place, "01_planning", "1 / 0")
    lesson(place, "03_exploration")
    code, out, err = go("--debug")
    assert code == 1
    assert "ZeroDivisionError: division by zero" in err[-1]
    assert any("Traceback" in line for line in err)
    assert len(ran(Path("runs/my"))) == 1
    assert re.search(r"3 Model exploration .*lesson not run yet", out)


@pytest.mark.parametrize(("cell", "said"), [
    ("import sys; sys.exit(0)", "left the lesson early (sys.exit)"),
    ("import os; os._exit(0)", "the kernel ended by itself with exit code 0"),
])
def test_a_lesson_that_leaves_early_has_failed(tmp_path, cell, said):
    guard = KernelGuard()
    done = execute(lesson(tmp_path, "01_planning", cell, "print('never')"), {"project": str(tmp_path)}, cwd=tmp_path,
                   timeout=60, guard=guard)
    guard.close()
    assert done.state == "failed"
    assert said in done.message


def test_a_kernel_that_is_killed(place, go):
    lesson(place, "01_planning", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    code, _, err = go()
    assert code == 1
    assert "stopped at cell 5 of 5 (01_planning): the kernel was killed by SIGKILL" in err[-1]
    assert len(err) == 2
    assert saved(Path("runs/my"))["lessons"]["planning"]["state"] == "failed"


@pytest.mark.parametrize(("failures", "state"), [(1, "done"), (2, "failed")])
def test_a_kernel_that_does_not_come_up_gets_a_second_chance(tmp_path, monkeypatch, failures, state):
    import papermill

    real, calls = papermill.execute_notebook, []

    def slow_to_come(*arguments, **options):
        calls.append(1)
        if len(calls) <= failures:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return real(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", slow_to_come)
    outcome = execute(lesson(tmp_path, "01_planning"), {"project": str(tmp_path)}, cwd=tmp_path, timeout=60, guard=KernelGuard())
    assert (outcome.state, len(calls)) == (state, 2)


def test_a_timeout_bounds_the_whole_lesson(place, go, again):
    lesson(place, "01_planning", *["import os, time\nos.path.exists('go') or time.sleep(.5)"] * 6)
    code, _, err = go("--timeout", "1.5")
    assert code == 1
    assert "the lesson's time of 1.5 s is over; give it more: --timeout SECONDS" in err[-1]
    assert len(err) == 2
    Path("runs/my/go").touch()
    assert again("--timeout", "60")[0] == 0  # what bounds a run is not what it was asked to do


def test_a_full_disk_midway_is_one_line(place, go, again, monkeypatch):
    lesson(place, "01_planning")
    lesson(place, "03_exploration")
    replace = os.replace

    def full(source, target):
        if str(target).endswith("03_exploration.ipynb"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        code, _, err = go()
    assert code == 1
    assert err[-1].startswith("ml-lifecycle: ")
    assert "No space left on device" in err[-1]
    assert len(err) == 4
    assert not list(Path("runs/my").rglob("*.part"))
    assert again()[0] == 0
    assert [one["step"] for one in ran(Path("runs/my"))] == ["01_planning", "03_exploration", "03_exploration"]


def test_a_site_that_cannot_be_written_is_said(place, go):
    lesson(place, "01_planning", "open(f'{project}/evidence', 'w').write('in the way')",
           "import os\nos.rmdir(f'{project}/site')\nopen(f'{project}/site', 'w').write('in the way')")
    code, out, err = go()
    assert code == 1
    assert err[-1].startswith("ml-lifecycle: the report site could not be written: ")
    assert len(err) == 3
    assert "notebooks  runs/my/notebooks" in out


# going on ------------------------------------------------------------------------------------------------------------

def refused(result, said):
    code, out, err = result
    assert (code, out, len(err)) == (2, "", 1)
    assert said in err[0]


def test_going_on(place, go, again):
    lesson(place, "01_planning")
    lesson(place, "03_exploration", "1 / 0")
    assert go("--seed", "7")[0] == 1
    project = Path("runs/my")
    lesson(place, "03_exploration")

    # other values are refused
    refused(again("--seed", "8"), "Got seed 8 in place of 7")
    refused(again("-p", "rate=0.1"), "Got rate 0.1 in place of 0.5")
    refused(again("--steps", "1"), "`--resume` must go on with the same steps")
    refused(go("--resume", "--project", "runs/my", data=("flights",)), "Got data 'flights' in place of")
    Path("my.csv").write_text(DATA.replace(",no", ",never", 30))
    refused(again(), "`project` must hold one data set")
    Path("my.csv").write_text(DATA)

    # a state that cannot be read is refused, and not lost
    known = (project / "run.json").read_text()
    (project / "run.json").write_text("{broken")
    refused(again(), "`--project` must have a readable run.json")
    (project / "run.json").write_text(known)

    # a process that was killed left "running"; an executed notebook that is gone is made again
    state = saved(project)
    state["lessons"]["exploration"]["state"] = "running"
    (project / "run.json").write_text(json.dumps(state))
    (project / "notebooks" / "01_planning.ipynb").unlink()
    assert go("--resume", "--seed", "7", "-p", "rate=0.5", "--steps", "1-3")[0] == 0  # found by the name of the data
    assert [(one["step"], one["seed"]) for one in ran(project)][2:] == [("01_planning", 7), ("03_exploration", 7)]
    refused(again(), "`--resume` must find a run that is not finished")


def test_a_state_that_cannot_be_read_is_kept_aside(tmp_path):
    from ml_lifecycle.runner.plan import _readable

    (tmp_path / "run.json").write_text("{broken")
    assert _readable(tmp_path) is None
    assert (tmp_path / "run.unreadable-1.json").read_text() == "{broken"


# parts ---------------------------------------------------------------------------------------------------------------

def test_a_state_of_a_newer_version(tmp_path):
    (tmp_path / "run.json").write_text('{"schema": 99, "version": "9.9", "lessons": {}}')
    with pytest.raises(Exception, match=r"of ml-lifecycle 9\.9: upgrade"):
        read_state(tmp_path)


def test_keeping_aside(tmp_path):
    path = tmp_path / "a.ipynb"
    assert keep_aside(path, [], "edited") is None
    for number in (1, 2):
        path.write_text("mine")
        assert keep_aside(path, ["something else"], "edited") == tmp_path / f"a.edited-{number}.ipynb"
    path.write_text("ours")
    import hashlib

    assert keep_aside(path, [hashlib.sha256(b"ours").hexdigest()], "edited") is None
    assert path.exists()


@pytest.mark.parametrize(("kind", "source", "about"), [
    ("markdown", "words\n\n## Baselines\n# More", "Baselines"), ("markdown", "words", ""), ("code", "#| export\n# Fit\nx", "Fit"),
    ("code", "x = 1\n# later", ""), ("code", "", "")])
def test_what_a_cell_is_about(kind, source, about):
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    assert about_cell(make(source)) == about


@pytest.mark.parametrize(("terminal", "seconds", "said"), [
    (True, .3, "reading …\r\x1b[K"), (True, 0, ""), (False, .3, "")])
def test_what_takes_long_is_said_in_a_terminal_only(monkeypatch, terminal, seconds, said):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    with waiting("reading", after=.1):
        time.sleep(seconds)
    assert stream.getvalue() == said


def test_one_line():
    assert one_line("a\n  b\tc") == "a b c"
    assert len(one_line("x" * 999, 400)) == 400


def test_tidying_leaves_no_paths():
    notebook = nbformat.v4.new_notebook(metadata={"papermill": {"input_path": "/home/me", "duration": 1}})
    assert tidy(notebook).metadata.papermill == {"duration": 1}


def test_a_lesson_without_a_parameter_is_not_given_it(place, go):
    lesson(place, "01_planning", parameters=PARAMETERS.replace('metric = ""\n', ""))
    lesson(place, "03_exploration", "metric")
    assert go("--metric", "f1")[0] == 0
    assert outputs(book("03_exploration.ipynb"))[-1].data["text/plain"] == "'f1'"
    assert "metric" not in saved(Path("runs/my"))["lessons"]["planning"]["parameters"]
