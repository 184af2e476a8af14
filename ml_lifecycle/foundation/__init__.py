"""What every step uses: data sets, reports, projects, exercises, metrics and the errors."""

from ml_lifecycle.foundation.course_data import DataDescription, course_frame, data_home, describe_data, list_course
from ml_lifecycle.foundation.dataset import Dataset, Splits, load_dataset
from ml_lifecycle.foundation.decision import Decision, decision_from_json
from ml_lifecycle.foundation.errors import (
    BadInputError,
    LifecycleError,
    MissingPackageError,
    ProjectError,
    UnknownNameError,
)
from ml_lifecycle.foundation.exercises import CheckResult, check, exercise, hint
from ml_lifecycle.foundation.intervals import (
    Difference,
    Interval,
    bootstrap_interval,
    fold_interval,
    holm,
    paired_difference,
    wilson,
)
from ml_lifecycle.foundation.lesson import Lesson, start_lesson
from ml_lifecycle.foundation.lifecycle import STEPS, lifecycle_figure
from ml_lifecycle.foundation.loading import Table, read_table
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions, get_metric, positive_label, predict_with
from ml_lifecycle.foundation.passes import PassReport, compare_passes, leaking_columns
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Finding, NextStep, Report
from ml_lifecycle.foundation.seed import set_seed
from ml_lifecycle.foundation.status import StatusReport

__all__ = [
    "METRICS", "STEPS", "BadInputError", "CheckResult", "DataDescription", "Dataset", "Decision", "Difference",
    "Finding", "Interval", "Lesson", "LifecycleError", "Metric", "MissingPackageError", "NextStep", "PassReport",
    "Predictions", "Project", "ProjectError", "Report", "Splits", "StatusReport", "Table", "UnknownNameError",
    "bootstrap_interval", "check", "compare_passes", "course_frame", "data_home", "decision_from_json",
    "describe_data", "exercise", "fold_interval", "get_metric", "hint", "holm", "leaking_columns", "lifecycle_figure",
    "list_course", "load_dataset", "paired_difference", "positive_label", "predict_with", "read_table", "set_seed", "start_lesson",
    "wilson",
]
