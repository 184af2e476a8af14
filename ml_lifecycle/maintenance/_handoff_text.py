"""The hand-off document as Markdown and as one HTML file: blocks in, text out, everything from data escaped."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

Block = tuple[Any, ...]  # ("p", text) ("list", items) ("table", heads, rows) ("code", text) ("fill", key, question, what)
Section = tuple[str, tuple[Block, ...]]  # title and blocks; ("answer", question, text) is a place that a person filled
OPEN = "fill in"


def marker(what: str) -> str:
    """How a place that is still open reads, in both forms."""
    return f"[[{OPEN}: {what}]]"


def one_line(text: Any) -> str:
    """A value of the data on one line, without characters that no page shows."""
    return "".join(c for c in " ".join(str(text).split()) if c.isprintable())


# Markdown ---------------------------------------------------------------------------------------------------------------

def plain_markdown(text: Any) -> str:
    """Text that means itself in Markdown, whatever is in it."""
    line = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*\[\]|~$])", r"\\\1", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)
    return re.sub(r"^([#+-]|\d+(?=[.)]))", r"\\\1", line)


def as_markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document as Markdown."""
    parts = [f"# {plain_markdown(title)}", plain_markdown(lead)]
    for name, blocks in sections:
        parts.append(f"## {plain_markdown(name)}")
        parts += [_block_markdown(block) for block in blocks]
    return "\n\n".join(parts) + "\n"


def _block_markdown(block: Block) -> str:
    kind, *rest = block
    if kind == "fill":
        return f"**{plain_markdown(rest[1])}** {marker(plain_markdown(rest[2]))} (`{rest[0]}` in handoff.yaml)"
    if kind == "answer":
        return f"**{plain_markdown(rest[0])}** {plain_markdown(rest[1])}"
    if kind == "list":
        return "\n".join(f"- {plain_markdown(item)}" for item in rest[0])
    if kind == "code":
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", rest[0])), default=0))
        return f"{fence}\n{rest[0]}\n{fence}"
    if kind == "table":
        rows = [" | ".join(plain_markdown(cell) or " " for cell in row) for row in rest[1]]
        head = " | ".join(map(plain_markdown, rest[0]))
        return "\n".join([f"| {head} |", "|" + " --- |" * len(rest[0]), *(f"| {row} |" for row in rows)])
    return plain_markdown(rest[0])


# HTML -------------------------------------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5b6168; --paper: #fff; --card: #f6f7f8; --line: #d9dde1;
  --link: #0063a8; --open-ink: #5c3300; --open-paper: #ffe9c7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e8; --soft: #a2a9b0; --paper: #16181b; --card: #1f2226;
  --line: #383d43; --link: #6cb8f0; --open-ink: #ffd9a0; --open-paper: #4a3310; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 1.2rem; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .6rem 0 .3rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p, ul { margin: .5rem 0; } ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
a { color: var(--link); } .lead, .soft { color: var(--soft); }
nav ol { columns: 2 16rem; padding-left: 1.4rem; margin: .8rem 0; font-size: .93rem; }
code, pre { font: .88em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--card); border-radius: 6px; padding: .7em .9em; overflow-x: auto; }
.open { background: var(--open-paper); color: var(--open-ink); border-radius: 6px; padding: .5rem .8rem; }
.open mark { background: none; color: inherit; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } th { white-space: nowrap; }
th, td { padding: .4em .8em .4em 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
@media (max-width: 40rem) { thead { position: absolute; clip-path: inset(50%); } tr { display: block; padding: .45rem 0;
  border-bottom: 1px solid var(--line); } td { display: block; border: 0; padding: .1rem 0;
  overflow-wrap: anywhere; }
  td::before { content: attr(data-name) ": "; color: var(--soft); } td:empty { display: none; } }
@media print { body { font-size: 11pt; } nav { display: none; } a { color: inherit; } }
"""


def as_html(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document as one HTML file: no script, nothing from elsewhere, light and dark, wide and narrow."""
    links = "".join(f'<li><a href="#s{i}">{escape(name)}</a></li>' for i, (name, _) in enumerate(sections, 1))
    body = "".join(f'<h2 id="s{i}">{escape(one_line(name))}</h2>' + "".join(map(_block_html, blocks))
                   for i, (name, blocks) in enumerate(sections, 1))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<meta name="color-scheme" content="light dark">\n'
            f"<title>{escape(one_line(title))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            f'<h1>{escape(one_line(title))}</h1>\n<p class="lead">{escape(one_line(lead))}</p>\n'
            f'<nav aria-label="sections"><ol>{links}</ol></nav>\n{body}\n</main>\n</body>\n</html>\n')


def _block_html(block: Block) -> str:
    kind, *rest = block
    if kind == "fill":
        return (f'<p class="open"><b>{escape(one_line(rest[1]))}</b> <mark>{escape(marker(one_line(rest[2])))}</mark> '
                f"<code>{escape(rest[0])}</code> in handoff.yaml</p>\n")
    if kind == "answer":
        return f"<p><b>{escape(one_line(rest[0]))}</b> {escape(one_line(rest[1]))}</p>\n"
    if kind == "list":
        return "<ul>" + "".join(f"<li>{escape(one_line(item))}</li>" for item in rest[0]) + "</ul>\n"
    if kind == "code":
        return f"<pre><code>{escape(rest[0])}</code></pre>\n"
    if kind == "table":
        heads = [escape(one_line(head)) for head in rest[0]]
        rows = "".join("<tr>" + "".join(f'<td data-name="{head}">{escape(one_line(cell))}</td>' for head, cell in zip(heads, row))
                       + "</tr>" for row in rest[1])
        return (f'<div class="wide"><table><thead><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr></thead>'
                f"<tbody>{rows}</tbody></table></div>\n")
    return f"<p>{escape(one_line(rest[0]))}</p>\n"
