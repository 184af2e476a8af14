"""How results become text, HTML and SVG: the dense part, apart from what the results mean."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 10  # rows of a frame that a representation shows
LONG = 40  # letters from which a cell is a sentence
PALETTE = {  # Okabe & Ito: told apart by people with any of the common kinds of colour blindness
    "blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "vermillion": "#D55E00",
    "sky": "#56B4E9", "purple": "#CC79A7", "grey": "#767676",
}
SEVERITY_MARK = {"issue": "✗", "tip": "→", "passed": "✓", "not applicable": "–"}
SEVERITY_COLOUR = {
    "issue": PALETTE["vermillion"], "tip": PALETTE["blue"], "passed": PALETTE["green"], "not applicable": PALETTE["grey"],
}


def number(value: float, digits: int = 3) -> str:
    """A number as people write it: three significant digits, thousands apart, no exponent where none is needed."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1e7 or size < 1e-4:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    return f"{value:,.{min(decimals, 6)}f}"


def cell(value: Any) -> str:
    """One value of a frame as text."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number(float(value))
    if value is None or value is pd.NaT or value is pd.NA:
        return "–"
    if isinstance(value, (tuple, list)):
        return ", ".join(cell(v) for v in value)
    return str(value)


def table_text(frame: pd.DataFrame, rows: int = MOST_ROWS) -> str:
    """The first rows of a frame as aligned text."""
    if frame.empty:
        return "(no rows)"
    shown = frame.head(rows)
    columns = [[str(name), *(cell(v)[:48] for v in shown[name])] for name in shown.columns]
    right = [pd.api.types.is_numeric_dtype(shown[name]) for name in shown.columns]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in zip(*columns):
        pairs = zip(row, widths, right)
        lines.append("  ".join(v.rjust(w) if r else v.ljust(w) for v, w, r in pairs).rstrip())
    if len(frame) > rows:
        lines.append(f"… {len(frame) - rows:,} more rows in .frame")
    return "\n".join(lines)


def table_html(frame: pd.DataFrame, rows: int = MOST_ROWS) -> str:
    """The first rows of a frame as an HTML table; every value escaped."""
    if frame.empty:
        return "<p>(no rows)</p>"
    shown = frame.head(rows)
    right = [pd.api.types.is_numeric_dtype(shown[name]) for name in shown.columns]
    align = ["right;white-space:nowrap" if r else "left" for r in right]  # a number is not broken at its exponent
    style = "padding:.25em .6em;text-align:{};border-bottom:1px solid rgba(127,127,127,.35)"
    wide = [not r and shown[name].astype(str).str.len().max() > LONG for r, name in zip(right, shown.columns)]
    least = [";min-width:16em" if w else "" for w in wide]  # a sentence is not squeezed into a column of words
    head = "".join(f'<th style="{style.format(a)}{m}">{escape(str(n))}</th>' for n, a, m in zip(shown.columns, align, least))
    body = "".join(
        "<tr>" + "".join(f'<td style="{style.format(a)}">{escape(cell(v))}</td>' for v, a in zip(row, align)) + "</tr>"
        for row in shown.itertuples(index=False, name=None))
    more = f"<p>… {len(frame) - rows:,} more rows in <code>.frame</code></p>" if len(frame) > rows else ""
    return ('<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}")


@contextmanager
def literal_text() -> Iterator[None]:
    """A dollar sign in a name is a dollar sign, not the beginning of a formula."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):
        yield


def new_axes(width: float = 6.0, height: float = 3.4) -> "Axes":
    """Axes on a figure of their own that pyplot does not know of; shown once as the last value of a cell."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    # a notebook asks the object itself how it looks; without this the last value of a cell would read "<Axes: >"
    setattr(axes, "_repr_html_", lambda: svg_card(figure_svg(figure)))  # noqa: B010
    return axes


def figure_svg(figure: "Figure", salt: str = "ml_lifecycle") -> str:
    """A figure as inline SVG that scales with the page; the same figure and salt give the same text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    style: Any = {"svg.hashsalt": salt, "svg.fonttype": "none", "font.family": ["DejaVu Sans", "sans-serif"],
                  "text.parse_math": False}
    with mpl.rc_context(style):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    return text.replace("<svg ", '<svg style="max-width:100%;height:auto" role="img" ', 1)


def svg_card(svg: str) -> str:
    """A plot on a white card, so that it reads on a dark page too."""
    return f'<div style="background:#fff;color:#111;border-radius:6px;padding:6px;display:inline-block;max-width:100%">{svg}</div>'
