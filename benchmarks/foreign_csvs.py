"""The whole loop on ten CSVs that are not the course's: exit code, time, and what every lesson says.

`python benchmarks/foreign_csvs.py [--only NAME …] [--folder DIR] [--keep-readme]` writes the CSVs, runs `ml-lifecycle run` on
each, and puts the table into benchmarks/README.md.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import _results

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

MARK = {"passed": "✓", "issue": "✗", "cannot tell": "?"}
SEVERITIES = ("issue", "tip", "passed", "not applicable")


def what_lessons_say(project: Path) -> tuple[dict[str, str], Counter[str], str]:
    """Step -> its state and the worst verdict of its reports; findings by severity; what stopped a lesson."""
    from ml_lifecycle.foundation.lifecycle import STEPS
    from ml_lifecycle.foundation.project import Project
    from ml_lifecycle.runner.state import read_state

    state = read_state(project)
    said: dict[str, str] = {}
    counts: Counter[str] = Counter()
    stopped = ""
    if state is None:
        return said, counts, "nothing was run"
    held = Project(project, create=False)
    for step in STEPS:
        if step.key not in state.lessons:
            continue
        lesson = state.of(step.key)
        reports = held.evidence(step.key).values()
        counts.update(finding.severity for report in reports for finding in report.findings)
        verdicts = [report.verdict for report in reports]
        worst = next((verdict for verdict in ("issue", "cannot tell", "passed") if verdict in verdicts), None)
        said[step.key] = MARK.get(str(worst), "–") if lesson.state == "done" else lesson.state
        stopped = stopped or lesson.message
    return said, counts, stopped


def one_run(foreign: object, folder: Path) -> dict[str, object]:
    """A row of the table."""
    from foreign import Foreign

    assert isinstance(foreign, Foreign)
    row: dict[str, object] = {"CSV": foreign.name, "shape": foreign.shape}
    try:
        arguments = foreign.command(folder)
    except ImportError as error:
        return {**row, "exit": "–", "seconds": "–", "lessons": f"left out: `{error.name}` is not installed",
                **dict.fromkeys(SEVERITIES, "–")}
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "ml_lifecycle.runner.cli", *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    said, counts, stopped = what_lessons_say(folder / foreign.name)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        print(f"{foreign.name}: exit {done.returncode}: {stopped or (lines[-1] if lines else 'no message')}", file=sys.stderr)
    lessons = " ".join(f"{key} {mark}" for key, mark in said.items()) or "none"
    return {**row, "exit": done.returncode, "seconds": f"{seconds:.0f}", "lessons": lessons,
            **{severity: counts[severity] for severity in SEVERITIES}}


def main() -> None:
    from foreign import FOREIGN

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[f.name for f in FOREIGN], choices=[f.name for f in FOREIGN])
    parser.add_argument("--folder", type=Path, help="where the CSVs and the projects are kept; a temporary directory otherwise")
    parser.add_argument("--keep-readme", action="store_true", help="print the table, and do not write it")
    asked = parser.parse_args()
    chosen = [foreign for foreign in FOREIGN if foreign.name in asked.only]
    with tempfile.TemporaryDirectory() as scratch:
        rows = [one_run(foreign, asked.folder or Path(scratch)) for foreign in chosen]
    table = _results.table(rows)
    if asked.keep_readme or len(chosen) < len(FOREIGN):
        print(table)
        return
    _results.write_section("foreign_csvs", f"""## Ten CSVs that are not the course's

`python benchmarks/foreign_csvs.py`: `ml-lifecycle run file.csv --target …` on each, all lessons, budget "quick".

Behind each lesson stands the worst verdict of its reports (✓ passed, ✗ an issue was found in the data or the model, ? cannot tell
yet, – no report), or "failed". An issue is what the lesson found, and is no failure. Findings are counted by severity.

{table}""")


if __name__ == "__main__":
    main()
