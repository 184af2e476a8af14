"""Where a benchmark's results go: a section of benchmarks/README.md, between two markers of its name."""

import os
import platform
import re
from pathlib import Path

README = Path(__file__).parent / "README.md"
HEAD = """# Benchmarks

One script per claim; peers run in the same process or the same loop, interleaved, so that a noisy machine moves both.
Read ratios and intervals, not single times. `make bench` runs all of them and rewrites the sections below.
"""


def table(rows: list[dict[str, object]]) -> str:
    """Rows of equal keys as a Markdown table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows])


def machine() -> str:
    """What the numbers were measured on, in one line."""
    return f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores."


def write_section(name: str, text: str) -> None:
    """Put `text` between the markers of `name`, and print it."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    section = f"{begin}\n{text.strip()}\n\n{machine()}\n{end}"
    before = README.read_text(encoding="utf-8") if README.exists() else HEAD
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    after = pattern.sub(lambda _: section, before) if pattern.search(before) else f"{before.rstrip()}\n\n{section}\n"
    README.write_text(after, encoding="utf-8")
    print(section)
