"""How a profile of a loader is drawn: one bar a part, and the model's step beside them."""

import math
from typing import TYPE_CHECKING, Any

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"sample": "grey", "read": "sky", "decode": "blue", "transform": "orange", "other": "grey", "collate": "purple",
           "copy": "green"}


def draw(ax: "Axes", parts: dict[str, tuple[float, float, float]], shares: dict[str, tuple[float, float, float]],
         step: float) -> None:
    """Milliseconds of a batch by part, with intervals."""
    rows = [(name, *values, COLOURS[name], shares[name][0]) for name, values in parts.items()]
    if math.isfinite(step):
        rows.append(("the model's step", step, math.nan, math.nan, "vermillion", math.nan))
    top = max([r[1] for r in rows] + [r[3] for r in rows if math.isfinite(r[3])] + [1e-9]) * 1e3
    for at, (_, value, low, high, colour, share) in enumerate(rows):
        ax.barh(at, value * 1e3, color=PALETTE[colour], height=0.65)
        if math.isfinite(low):
            ax.plot([low * 1e3, high * 1e3], [at, at], color="#333333", linewidth=1.4)
        end = max(value, high if math.isfinite(high) else value) * 1e3
        told = f"{number(value * 1e3)} ms" + (f", {share:.0%}" if math.isfinite(share) else "")
        ax.text(end + 0.015 * top, at, told, va="center", fontsize=8.5, color="#333333")
    ax.set_yticks(range(len(rows)), [r[0] for r in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, 1.3 * top)
    ax.set_xlabel("time of a batch (ms)")


def place(lines: dict[tuple[str, str, int], float], label: str) -> tuple[str, str]:
    """(file:line, source text) of the line where a part spends most."""
    import linecache
    from pathlib import Path

    mine: list[Any] = sorted(((s, f, n) for (found, f, n), s in lines.items() if found == label), reverse=True)
    if not mine:
        return "", ""
    _, file, line = mine[0]
    text = " ".join(linecache.getline(file, line).split())
    name = f"a cell, line {line}" if "ipykernel" in file or file.startswith("<") else f"{Path(file).name}:{line}"
    return name, text if len(text) <= 70 else text[:69] + "…"
