"""What every step uses: data sets, reports, projects, exercises, metrics and the errors."""

from .course_data import DataDescription, course_frame, data_home, describe_data, list_course
from .dataset import Dataset, Splits, load_dataset
from .decision import Decision, decision_from_json
from .errors import BadInputError, LifecycleError, MissingPackageError, ProjectError, UnknownNameError
from .exercises import CheckResult, check, exercise, hint
from .intervals import (
    Difference,
    Interval,
    bootstrap_interval,
    fold_interval,
    holm,
    paired_difference,
    wilson,
)
from .lesson import Lesson, start_lesson
from .lifecycle import STEPS, lifecycle_figure
from .loading import Table, read_table
from .metrics import METRICS, Metric, Predictions, get_metric, positive_label, predict_with
from .passes import PassReport, compare_passes, leaking_columns
from .project import Project
from .report import Finding, NextStep, Report
from .seed import set_seed
from .status import StatusReport

__all__ = [
    "METRICS", "STEPS", "BadInputError", "CheckResult", "DataDescription", "Dataset", "Decision", "Difference",
    "Finding", "Interval", "Lesson", "LifecycleError", "Metric", "MissingPackageError", "NextStep", "PassReport",
    "Predictions", "Project", "ProjectError", "Report", "Splits", "StatusReport", "Table", "UnknownNameError",
    "bootstrap_interval", "check", "compare_passes", "course_frame", "data_home", "decision_from_json",
    "describe_data", "exercise", "fold_interval", "get_metric", "hint", "holm", "leaking_columns", "lifecycle_figure",
    "list_course", "load_dataset", "paired_difference", "positive_label", "predict_with", "read_table", "set_seed", "start_lesson",
    "wilson",
]
