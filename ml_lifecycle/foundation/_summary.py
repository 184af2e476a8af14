"""A data set in a few lines, as text and as HTML; neither ever raises."""

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_lifecycle.foundation import _render

if TYPE_CHECKING:
    from ml_lifecycle.foundation.dataset import Dataset, Splits

KINDS = ("numeric", "categorical", "boolean", "datetime", "text", "id", "set_aside", "dropped")
MOST_NAMES = 6


def balance(dataset: "Dataset") -> str:
    """How the target is distributed, in words."""
    y = dataset.y
    if y is None or not len(y):
        return ""
    if dataset.task == "classification":
        shares = y.value_counts(normalize=True)
        parts = [f"{label} {share:.1%}" for label, share in list(shares.items())[:4]]
        more = f", … {len(shares)} classes" if len(shares) > 4 else ""
        positive = f"; positive: {dataset.positive}" if dataset.positive is not None else ""
        return ", ".join(parts) + more + positive
    return (f"mean {_render.number(float(y.mean()))}, sd {_render.number(float(y.std()))}, "
            f"from {_render.number(float(y.min()))} to {_render.number(float(y.max()))}")


def span(times: pd.Series | None) -> str:
    """From when to when."""
    known = times.dropna() if times is not None else None
    if known is None or known.empty:
        return ""
    low, high = known.min(), known.max()
    return f"{low} to {high}" if isinstance(low, pd.Timestamp) else f"{_render.number(low)} to {_render.number(high)}"


def headline(dataset: "Dataset") -> str:
    """Rows, features and task in one line."""
    features = len(dataset.X.columns)
    task = f", {dataset.task} of `{dataset.roles['target']}`" if dataset.task else ", no target"
    return f"{len(dataset):,} rows × {features} features{task}"


def facts(dataset: "Dataset") -> list[tuple[str, str]]:
    """What is to be said of a data set, as pairs of label and text."""
    roles = dataset.roles
    rows = []
    if roles["target"]:
        rows.append(("target", f"{roles['target']} ({balance(dataset)})"))
    if roles["time"]:
        rows.append(("time", f"{roles['time']} ({span(dataset.time)})"))
    if dataset.groups is not None:
        rows.append(("group", f"{roles['group']} ({dataset.groups.nunique():,} groups)"))
    for kind in KINDS:
        if names := roles[kind]:
            more = ", …" if len(names) > MOST_NAMES else ""
            rows.append((kind.replace("_", " "), f"{len(names)}: {', '.join(names[:MOST_NAMES])}{more}"))
    return [*rows, ("source", dataset.source), ("version", dataset.version)]


def text(dataset: "Dataset") -> str:
    """The data set for a terminal."""
    try:
        lines = [f"Dataset {dataset.name}: {headline(dataset)}"]
        lines += [f"  {label:<12}{value}" for label, value in facts(dataset)]
        lines += [f"  · {note}" for note in dataset.notes]
        return "\n".join(lines)
    except Exception as error:  # noqa: BLE001 - a representation never raises
        return f"<Dataset that cannot be shown: {error}>"


def html(dataset: "Dataset") -> str:
    """The data set for a notebook; everything from the data is escaped."""
    try:
        cells = "".join(_row(label, value) for label, value in facts(dataset))
        notes = "".join(f"<li>{escape(note)}</li>" for note in dataset.notes)
        title = f"<b>Dataset {escape(dataset.name)}:</b> {escape(headline(dataset))}"
        return (f'<section class="mll-dataset"><p>{title}</p>'
                f'<div style="overflow-x:auto"><table style="border-collapse:collapse">{cells}</table></div>'
                + (f"<ul>{notes}</ul>" if notes else "") + "</section>")
    except Exception:  # noqa: BLE001 - a representation never raises
        return f"<pre>{escape(text(dataset))}</pre>"


def _row(label: str, value: str) -> str:
    style = "text-align:left;padding:.2em .6em;border-bottom:1px solid rgba(127,127,127,.35);vertical-align:top"
    return f'<tr><th style="{style}">{escape(label)}</th><td style="{style}">{escape(value)}</td></tr>'


def splits_frame(splits: "Splits") -> pd.DataFrame:
    """One row for each part: its rows, its share, its time, its target."""
    total = max(1, sum(len(part) for part in splits))
    rows: list[dict[str, Any]] = []
    for name, part in zip(("train", "val", "test"), splits):
        rows.append({"part": name, "rows": len(part), "share": len(part) / total, "target": balance(part),
                     "time": span(part.time)})
    frame = pd.DataFrame(rows)
    return frame.loc[:, [c for c in frame.columns if c not in ("target", "time") or frame[c].ne("").any()]]
