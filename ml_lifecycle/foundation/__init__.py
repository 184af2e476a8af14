"""What every step uses: data sets, reports, projects, exercises, metrics and the errors."""

from .dataset import Dataset, Splits, load_dataset
from .decision import Decision, decision_from_json
from .errors import BadInputError, LifecycleError, MissingPackageError, ProjectError, UnknownNameError
from .exercises import CheckResult, check, exercise, hint
from .intervals import Interval
from .lesson import Lesson, start_lesson
from .lifecycle import STEPS, lifecycle_figure
from .metrics import METRICS, Metric, get_metric
from .project import Project
from .report import Finding, NextStep, Report
from .seed import set_seed
from .status import StatusReport

__all__ = [
    "METRICS", "STEPS", "BadInputError", "CheckResult", "Dataset", "Decision", "Finding", "Interval", "Lesson",
    "LifecycleError", "Metric", "MissingPackageError", "NextStep", "Project", "ProjectError", "Report", "Splits",
    "StatusReport", "UnknownNameError", "check", "decision_from_json", "exercise", "get_metric", "hint",
    "lifecycle_figure", "load_dataset", "set_seed", "start_lesson",
]
