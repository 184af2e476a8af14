"""What `ml-lifecycle data` prints."""

from typing import Any

from ml_lifecycle.foundation import _render
from ml_lifecycle.foundation.course_data import COURSE, data_home, describe_data, list_course
from ml_lifecycle.foundation.dataset import load_dataset

def describe_course() -> str:
    """The course data sets: what they are about, where they come from, and whether they are built."""
    lines = [_render.table_text(list_course()), ""]
    lines += [f"{entry.name}: {entry.source}; {entry.licence}" for entry in COURSE.values()]
    return "\n".join([*lines, "", f"Built in {data_home()} when they are first used. Your own: ml-lifecycle data describe FILE"])


def describe(data: str, roles: dict[str, Any]) -> str:
    """What a data set holds, every column, and what was noticed while loading."""
    dataset = load_dataset(data, **roles)
    report = describe_data(dataset)
    return "\n".join([report.answer, "", _render.table_text(report.frame, rows=200), "", *map(str, report.findings)])
