"""How long the first import and the first answer of the command line take, over bare Python, interleaved."""

import statistics
import subprocess
import sys
import time

from _results import table, write_section

ROUNDS = 15
BARE = [sys.executable, "-c", "pass"]
WHAT = {
    "import ml_lifecycle": [sys.executable, "-c", "import ml_lifecycle"],
    "ml-lifecycle --help": [sys.executable, "-m", "ml_lifecycle.runner.cli", "--help"],
    "import pandas (peer)": [sys.executable, "-c", "import pandas"],
    "import sklearn (peer)": [sys.executable, "-c", "import sklearn"],
}


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    for command in (BARE, *WHAT.values()):
        seconds(command)
    over: dict[str, list[float]] = {name: [] for name in WHAT}
    for _ in range(ROUNDS):
        for name, command in WHAT.items():
            bare = seconds(BARE)
            over[name].append(1000 * (seconds(command) - bare))
    rows = [{"what": name, "ms over bare Python (median)": f"{statistics.median(times):.0f}",
             "fastest to slowest": f"{min(times):.0f} to {max(times):.0f}"} for name, times in over.items()]
    write_section("startup", f"## Start-up\n\n`python benchmarks/startup.py`, {ROUNDS} rounds.\n\n{table(rows)}")


if __name__ == "__main__":
    main()
