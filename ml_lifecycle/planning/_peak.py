"""Run as a script in a fresh process: load a model and a batch, predict, and write the peak resident memory in bytes.

Imports nothing but the standard library by itself, so that what is measured is the model with what it needs.
"""

import json
import os
import pickle
import sys
from typing import Any

def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    if os.path.exists("/proc/self/status"):  # ru_maxrss would start at what the parent held
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def predict(model: Any, batch: Any) -> None:
    """One prediction of the whole batch."""
    if hasattr(model, "predict"):
        model.predict(batch)
        return
    import torch

    model.eval()
    with torch.no_grad():
        model(batch)


def main(folder: str) -> None:
    """Read the model and the batch in `folder`, write the answer there."""
    with open(os.path.join(folder, "path.json"), encoding="utf-8") as file:
        sys.path[:] = json.load(file)
    answer: dict[str, Any] = {}
    try:
        with open(os.path.join(folder, "model.pickle"), "rb") as file:
            model = pickle.load(file)
        with open(os.path.join(folder, "batch.pickle"), "rb") as file:
            batch = pickle.load(file)
        predict(model, batch)
        answer["bytes"] = peak_bytes()
    except Exception as error:  # noqa: BLE001 - whatever a model raises is the answer
        answer["error"] = f"{type(error).__name__}: {error}"
    with open(os.path.join(folder, "answer.json"), "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main(sys.argv[1])
