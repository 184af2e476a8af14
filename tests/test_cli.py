"""The command line: help, names, one line for whatever is wrong, and nothing run then."""

import os
import subprocess
import sys
import time

import pytest
from runner_toys import lesson, ran

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.runner.cli import main
from ml_lifecycle.runner.lessons import LessonFile, find_lessons, parse_steps
from ml_lifecycle.runner.options import for_lesson, read_pairs, read_params, settle, typed

@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Two lessons, in a directory whose name papermill would take for a template."""
    place = tmp_path / "les{s}ons"
    lesson(place, "01_planning")
    lesson(place, "03_exploration", parameters='data = "flights"\ntarget = ""\nproject = ""\nseed = 0\nrate = 0.5\n'
           'exercises = True\ndepth = 3')
    monkeypatch.setenv("ML_LIFECYCLE_LESSONS", str(place))
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def refused(capfd, tmp_path, toys):
    """Runs a command that must be refused: exit code 2, one line on stderr, nothing run; gives the line."""
    def check(*arguments, code=2):
        assert main([str(a) for a in arguments]) == code
        out, err = capfd.readouterr()
        assert err.startswith("ml-lifecycle: ")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert not list(tmp_path.rglob("ran.jsonl"))
        return err.strip()

    return check


# help ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    [], ["--help"], ["run", "--help"], ["status", "--help"], ["site", "--help"], ["lab", "--help"], ["lessons"],
    ["lessons", "--help"], ["lessons", "list", "--help"], ["lessons", "copy", "--help"], ["data"], ["data", "--help"],
    ["data", "list", "--help"], ["data", "describe", "--help"]])
def test_every_level_has_help_with_an_example(arguments, capsys):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "Usage: ml-lifecycle" in out
    assert "\n  ml-lifecycle " in out
    assert err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "-h"]])
def test_help_tells_the_exit_codes(arguments, capsys):
    main(arguments)
    told = " ".join(capsys.readouterr().out.split())
    assert "0 done · 1 a lesson failed · 2 bad arguments or data, nothing was run · 130 interrupted" in told


def test_version(capsys):
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ml-lifecycle {version('ml-lifecycle')}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_is_quick_and_loads_nothing_heavy(option):
    heavy = "sorted(m for m in ('numpy', 'pandas', 'papermill', 'matplotlib', 'nbformat', 'yaml') if m in sys.modules)"
    code = f"import sys; from ml_lifecycle.runner.cli import main; main(['{option}']); print({heavy}, file=sys.stderr)"
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert time.monotonic() - begin < 1.5  # 0.1 s on an idle machine


def test_the_console_script_says_one_line(tmp_path):
    done = subprocess.run([sys.executable, "-m", "ml_lifecycle.runner.cli", "rnu"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("ml-lifecycle: No such command 'rnu'")
    assert done.stderr.count("\n") == 1


def test_output_that_nobody_reads(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "ml_lifecycle.runner.cli", "run", "--help"], stdout=writing,
                          stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# arguments -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "numbers"), [
    ("1-7", [1, 2, 3, 4, 5, 6, 7]), ("3,1", [1, 3]), ("2-3,3", [2, 3]), ("exploration", [3]), ("03_exploration, 1", [1, 3]),
    ("planning-exploration", [1, 2, 3]), (" 4 ", [4])])
def test_steps(text, numbers):
    assert [step.number for step in parse_steps(text)] == numbers


@pytest.mark.parametrize(("text", "said"), [
    ("0", "from 1 to 7"), ("8", "from 1 to 7"), ("1-", "Got '1-'"), ("3-1", "--steps 1-3"), ("", "at least one"),
    (",", "at least one"), ("explore", "Did you mean 'exploration'?"), ("1;3", "Got '1;3'")])
def test_steps_that_make_no_sense(text, said):
    with pytest.raises((BadInputError, UnknownNameError), match="`--steps`") as caught:
        parse_steps(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("value", "default", "where", "expected"), [
    ("5", "", "-p", "5"), (5, "", "--params", "5"), (None, "x", "--params", ""), (["a", "b"], "", "--params", "a, b"),
    ("7", 0, "-p", 7), ("0.5", 1.0, "-p", 0.5), (2, 0.5, "--params", 2), ("no", True, "-p", False),
    (True, False, "--params", True), ("1", True, "-p", True), ("[1, 2]", None, "-p", [1, 2]),
    ("", None, "-p", ""), ("a=b", "", "-p", "a=b")])
def test_values_take_the_type_of_the_default(value, default, where, expected):
    result = typed("name", value, default, where)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(("value", "default", "rule"), [
    ("x", 0, "a whole number"), ("1.5", 0, "a whole number"), (True, 0, "a whole number"), ("x", 0.5, "a number"),
    ("perhaps", True, "true or false"), (2, True, "true or false"), (True, "", "text"), ({"a": 1}, "", "text")])
def test_values_of_another_type_are_refused(value, default, rule):
    with pytest.raises(BadInputError, match=rule):
        typed("name", value, default, "-p")


def test_the_command_line_wins_over_the_file(toys):
    values = settle(find_lessons().values(), file={"seed": 1, "rate": 0.1, "target": "a"}, pairs={"rate": "0.2", "seed": "2"},
                    options={"seed": "2"})
    assert values == {"seed": 2, "rate": 0.2, "target": "a"}


def test_a_name_goes_only_to_the_lessons_that_have_it(toys):
    lessons = find_lessons()
    values = settle(lessons.values(), file={}, pairs={"depth": "5"}, options={})
    assert for_lesson(lessons["planning"], values) == {}
    assert for_lesson(lessons["exploration"], values) == {"depth": 5}


def test_parameters_of_a_lesson(toys):
    assert find_lessons()["planning"].parameters == {"data": "flights", "target": "", "metric": "", "project": "",
                                                     "budget": "quick", "seed": 0, "rate": 0.5, "exercises": True}


def test_pairs():
    assert read_pairs(["a=1", "b=x=y", "a=2"]) == {"a": "2", "b": "x=y"}
    with pytest.raises(BadInputError, match="name=value"):
        read_pairs(["a"])


@pytest.mark.parametrize(("content", "said"), [
    (b"- a\n- b\n", "names and values"), (b"", "names and values"), (b"a: [1", "must be a YAML file"), (b"\xff\xfea", "YAML")])
def test_parameter_files_that_cannot_be_used(tmp_path, content, said):
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=said) as caught:
        read_params(path)
    assert "\n" not in str(caught.value)


# refused before anything runs ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arguments", "said"), [
    (["--foo"], "No such option '--foo'"),
    (["--timeout", "soon"], "not a valid float"),
    (["--timeout", "0"], "`--timeout` must be a number of seconds above 0. Got 0."),
    (["--timeout", "nan"], "`--timeout` must be"),
    (["-p", "metrc=f1"], "Got 'metrc'. Did you mean 'metric'?"),
    (["-p", "metric"], "`-p` must be name=value"),
    (["-p", "seed=x"], "`-p` must give a whole number for 'seed'. Got 'x'"),
    (["--seed", "x"], "`--seed` must give a whole number for 'seed'"),
    (["--seed", "1", "-p", "seed=2"], "must agree with `--seed`"),
    (["--params", "absent.yaml"], "`--params` must be a file that can be read. Got 'absent.yaml': No such file"),
    (["--steps", "2"], "`--steps` must name a step that has a lesson. Got 2 data: not part of this version."),
    (["--steps", "1-9"], "`--steps` must be numbers from 1 to 7"),
    (["--resume"], "`--resume` must find a run to go on with. Got none in"),
    (["a", "b"], "unexpected extra argument"),
])
def test_arguments_that_are_refused(refused, arguments, said):
    assert said in refused("run", *arguments)


def test_an_unknown_name_in_the_file(refused, tmp_path):
    (tmp_path / "p.yaml").write_text("taget: y\n")
    line = refused("run", "--params", "p.yaml")
    assert "`--params` must name a parameter of the lessons. Got 'taget'. Did you mean 'target'?" in line


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path.name


def rows(*values, header="x,y"):
    return "\n".join([header, *values]) + "\n"


GOOD = [f"{i * 37 % 17 / 4},{'no' if i % 2 else 'yes'}" for i in range(60)]
BAD_DATA = {
    "wrong target": (rows(*GOOD), ["--target", "yy"], "Did you mean 'y'?"),
    "no target": (rows(*GOOD), [], "target"),
    "constant target": (rows(*[f"{i * 37 % 17 / 4},a" for i in range(60)]), ["--target", "y"], "y"),
    "class with one row": (rows(*GOOD, "60,maybe"), ["--target", "y"], "maybe"),
    "target all missing": (rows(*[f"{i * 37 % 17 / 4}," for i in range(60)]), ["--target", "y"], "y"),
    "duplicate column names": (rows(*[f"{i * 37 % 17 / 4},{i},a" for i in range(60)], header="x,x,y"), ["--target", "y"], "x"),
    "only a header": (rows(), ["--target", "y"], "row"),
    "empty file": ("", ["--target", "y"], "empty"),
    "wrong metric": (rows(*GOOD), ["--target", "y", "--metric", "rmse"], "rmse"),
    "unknown metric": (rows(*GOOD), ["--target", "y", "--metric", "roc_uac"], "Did you mean 'roc_auc'?"),
    "unknown task": (rows(*GOOD), ["--target", "y", "--task", "clustering"], "clustering"),
    "unknown budget": (rows(*GOOD), ["--target", "y", "--budget", "hug"], "hug"),
    "seed too large": (rows(*GOOD), ["--target", "y", "--seed", "-1"], "seed"),
    "unknown time column": (rows(*GOOD), ["--target", "y", "--time", "when"], "when"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_are_refused(refused, tmp_path, case):
    text, arguments, said = BAD_DATA[case]
    line = refused("run", write(tmp_path / "my.csv", text), "--project", "p", *arguments)
    assert said.casefold() in line.casefold()
    assert "ml-lifecycle itself" not in line


def test_a_file_that_is_missing(refused):
    assert "absent.csv" in refused("run", "absent.csv", "--target", "y")


def test_a_course_name_that_is_misspelt(refused):
    assert "Did you mean 'flights'?" in refused("run", "fligths")


def test_a_wrong_encoding(refused, tmp_path):
    name = write(tmp_path / "my.csv", rows(*[f"{i * 37 % 17 / 4},{'ä' if i % 2 else 'ö'}" for i in range(60)]), "latin-1")
    assert "encod" in refused("run", name, "--target", "y").casefold()


def test_a_column_that_is_all_missing(refused, tmp_path):
    from ml_lifecycle.runner.plan import Request, plan_run

    write(tmp_path / "my.csv", rows(*[f"{i * 37 % 17 / 4},,{'no' if i % 2 else 'yes'}" for i in range(60)], header="x,z,y"))
    assert "--drop z" in refused("run", "my.csv", "--target", "y")
    plan = plan_run(Request("my.csv", {"target": "y", "drop": "z"}))
    plan.held.close()
    assert plan.todo == ["planning", "exploration"]


# the project directory -----------------------------------------------------------------------------------------------

@pytest.fixture
def my_csv(tmp_path):
    return write(tmp_path / "my.csv", rows(*GOOD))


def test_a_project_that_is_a_file(refused, tmp_path, my_csv):
    (tmp_path / "p").write_text("mine")
    assert "`--project` must be a directory. Got the file" in refused("run", my_csv, "--target", "y", "--project", "p")
    assert (tmp_path / "p").read_text() == "mine"


def test_a_directory_of_something_else(refused, tmp_path, my_csv):
    (tmp_path / "p" / "site").mkdir(parents=True)
    (tmp_path / "p" / "site" / "index.html").write_text("mine")
    assert "holds 'site' of something else" in refused("run", my_csv, "--target", "y", "--project", "p")
    assert (tmp_path / "p" / "site" / "index.html").read_text() == "mine"


def test_a_project_of_another_data_set(refused, tmp_path, my_csv):
    from ml_lifecycle.foundation.project import Project

    other = write(tmp_path / "other.csv", rows(*GOOD[::-1]))
    Project(tmp_path / "p").dataset(str(tmp_path / other), target="y")
    assert "must hold one data set" in refused("run", my_csv, "--target", "y", "--project", "p")


@pytest.mark.parametrize("reason", ["Read-only file system", "Permission denied", "No space left on device"])
def test_a_project_that_cannot_be_written(refused, tmp_path, my_csv, monkeypatch, reason):
    import tempfile

    def deny(*arguments, **options):
        raise OSError(30, reason)

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", deny)
    line = refused("run", my_csv, "--target", "y", "--project", "p")
    assert "`--project` must be a directory that can be written" in line
    assert reason in line


def test_a_project_where_renaming_fails(refused, tmp_path, my_csv, monkeypatch):
    def deny(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", deny)
    assert "No space left on device" in refused("run", my_csv, "--target", "y", "--project", "p")


@pytest.mark.skipif(not os.path.isdir("/proc/sys"), reason="needs a directory that nobody can write")
def test_a_directory_that_nobody_can_write(refused, my_csv):
    assert "/proc/sys/p" in refused("run", my_csv, "--target", "y", "--project", "/proc/sys/p")


def test_a_project_in_use(refused, tmp_path, my_csv):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "p").mkdir()
    handle = os.open(tmp_path / "p", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert "another run is at work" in refused("run", my_csv, "--target", "y", "--project", "p")
    os.close(handle)


# the other commands --------------------------------------------------------------------------------------------------

def test_lessons_list(toys, capsys):
    assert main(["lessons", "list"]) == 0
    out = capsys.readouterr().out
    assert "1  Planning and setup" in out
    assert "What is good enough to ship?" in out


def test_lessons_copy_never_overwrites(toys, tmp_path, capsys):
    assert main(["lessons", "copy", "mine"]) == 0
    (tmp_path / "mine" / "01_planning.ipynb").write_text("my own work")
    assert main(["lessons", "copy", "mine"]) == 0
    out = capsys.readouterr().out
    assert "01_planning.ipynb: kept yours" in out
    assert "03_exploration.ipynb: there already" in out
    assert (tmp_path / "mine" / "01_planning.ipynb").read_text() == "my own work"


def test_lessons_copy_to_a_file(refused, tmp_path):
    (tmp_path / "mine").write_text("")
    assert "`DIR` must be a directory" in refused("lessons", "copy", "mine")


def test_lessons_that_are_not_there(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("ML_LIFECYCLE_LESSONS", str(tmp_path / "nowhere"))
    assert "must be in" in refused("lessons", "list")


def test_the_lessons_of_the_checkout_or_the_wheel(monkeypatch):
    monkeypatch.delenv("ML_LIFECYCLE_LESSONS", raising=False)
    found = find_lessons()
    assert "planning" in found
    assert all(isinstance(one, LessonFile) and one.path.is_file() for one in found.values())


def test_data_list(capsys):
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    for name in ("flights", "digits", "reviews", "churn"):
        assert name in out


def test_data_describe(toys, tmp_path, my_csv, capsys):
    assert main(["data", "describe", my_csv, "--target", "y"]) == 0
    out = capsys.readouterr().out
    assert "60 rows" in out
    assert "target" in out


def test_data_describe_of_nothing(refused):
    assert "absent.csv" in refused("data", "describe", "absent.csv")


def test_status_without_a_project(refused):
    assert "there is none here" in refused("status")


def test_status_of_what_is_no_project(refused, tmp_path):
    assert "must be a project directory" in refused("status", "les{s}ons")
    assert not (tmp_path / "les{s}ons" / "project.yaml").exists()


def test_status_with_several_projects(refused, tmp_path, capfd):
    from ml_lifecycle.foundation.project import Project

    Project(tmp_path / "runs" / "a")
    assert main(["status"]) == 0
    out = capfd.readouterr().out
    assert "┌───────────────┐" in out
    assert "next: Go on with step 1" in out
    Project(tmp_path / "runs" / "b")
    assert "runs/a, runs/b" in refused("status")


def test_lab_without_jupyterlab(refused, monkeypatch):
    import importlib.util

    def missing(name, *arguments):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(importlib, "import_module", missing)
    assert 'pip install "ml-lifecycle[course]"' in refused("lab")


def test_an_error_of_our_own_is_one_line_too(capfd, toys, monkeypatch):
    import ml_lifecycle.runner.lessons as module

    def broken(place=None):
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr(module, "find_lessons", broken)
    assert main(["lessons", "list"]) == 1
    assert capfd.readouterr().err == ("ml-lifecycle: an error of ml-lifecycle itself: ZeroDivisionError: oh no. "
                                      "For the whole story: ml-lifecycle --debug …\n")


def test_nothing_was_run(tmp_path):
    assert ran(tmp_path) == []


@pytest.mark.slow
def test_lab_serves_the_lessons(toys, tmp_path):
    pytest.importorskip("jupyterlab")
    import json
    import signal
    import socket
    import urllib.request

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "ml_lifecycle.runner.cli", "lab", "mine", "--no-browser", "--port", str(port)], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "JUPYTER_TOKEN": "t"})
    try:
        end, files = time.monotonic() + 30, None
        while files is None:
            assert time.monotonic() < end
            time.sleep(0.2)
            try:
                address = f"http://127.0.0.1:{port}/api/contents?token=t"
                files = [one["name"] for one in json.load(urllib.request.urlopen(address, timeout=2))["content"]]
            except OSError:
                continue
        assert "01_planning.ipynb" in files
        address = f"http://127.0.0.1:{port}/api/kernelspecs?token=t"
        specs = json.load(urllib.request.urlopen(address, timeout=5))
        assert specs["kernelspecs"]["python3"]["spec"]["argv"][0] == sys.executable
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def test_a_port_that_is_taken_is_one_line(tmp_path, capfd):
    import socket

    pytest.importorskip("jupyterlab")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["lab", str(tmp_path / "lessons"), "--no-browser", "--port", str(taken.getsockname()[1])]) == 2
    error = capfd.readouterr().err
    assert "`--port` must be free" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "lessons").exists()


# hand-off and service -------------------------------------------------------------------------------------------------

def test_the_hand_off_is_written_and_its_check_fails_until_it_is_filled_in(tmp_path, capfd, monkeypatch):
    import yaml

    from ml_lifecycle.foundation.project import Project

    monkeypatch.chdir(tmp_path)
    Project("runs/one")
    assert main(["handoff"]) == 0
    out, _ = capfd.readouterr()
    assert "handoff.html" in out
    assert main(["handoff", "runs/one", "--check"]) == 1
    _, err = capfd.readouterr()
    assert all(line.startswith("to fill in: ") for line in err.splitlines())
    answers = tmp_path / "runs" / "one" / "handoff.yaml"
    answers.write_text(yaml.safe_dump(dict.fromkeys(yaml.safe_load(answers.read_text()), "somebody")))
    assert main(["handoff", "runs/one", "--check"]) == 0


def test_what_cannot_be_served_is_one_line(tmp_path, capfd, monkeypatch):
    from ml_lifecycle.foundation.project import Project

    monkeypatch.chdir(tmp_path)
    for arguments, said in ((["serve"], "there is none here"), (["serve", "nowhere"], "does not exist"),
                            (["serve", "--canary", "2", "nowhere"], "--canary")):
        assert main(arguments) == 2
        _, err = capfd.readouterr()
        assert len(err.splitlines()) == 1
        assert said in err
    Project("runs/one")
    assert main(["serve"]) == 2
    assert "--steps 6" in capfd.readouterr().err
