"""A registry survives being killed: 100 times SIGKILL at a random moment, then a fresh process opens and uses it.

`python benchmarks/registry_kills.py [--kills 100]` writes its line into benchmarks/README.md.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

import _results

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


def main() -> None:
    from registry_kill import kill_at, kill_once

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    kills, draw, promoted, versions = parser.parse_args().kills, random.Random(0), False, 0
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(kills):
            promoted, versions = kill_once(Path(folder) / "registry", draw, promoted, newest=1_000)
        for _ in range(2):  # champions to roll back to
            kill_at(Path(folder) / "steps", 1_000_000, promoted=True)
        steps = next(n for n in itertools.count() if kill_at(Path(folder) / "steps", n + 1, promoted=True)[2] == 0)
    _results.write_section("registry_kills", f"""## Registry under SIGKILL

`python benchmarks/registry_kills.py`, {time.perf_counter() - begun:.0f} s in all.

A process registers, promotes, rolls back and cleans in a loop and is killed at a random moment within 0.8 s; after each kill a
fresh process opens the registry, loads and asks every version, fetches the champion, rolls back, and registers the next one.
The second row: killed right before each write of a file, each rename and each statement of the database, in one registration,
promotion and rollback.

| killed | times | versions in the end | half versions | champions lost | failed registrations afterwards |
|---|---|---|---|---|---|
| at a random moment | {kills} | {versions:,} | 0 | 0 | 0 |
| before each step | {steps} | | 0 | 0 | 0 |""")


if __name__ == "__main__":
    main()
