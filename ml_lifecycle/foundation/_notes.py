"""Remarks on how data were read, each with the code of the finding it becomes."""

from collections import defaultdict
from dataclasses import dataclass, field

from ml_lifecycle.foundation._words import count

LASTING = ("DSC002", "DSC004", "DSC005", "DSC006", "DSC007", "DSC010", "DSC011")  # hold whatever the roles become


class Note(str):
    """A remark on how the data were read; its code is that of the finding it becomes."""

    code: str

    def __new__(cls, code: str, text: str) -> "Note":
        """A string that knows its code."""
        note = super().__new__(cls, text)
        note.code = code
        return note

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return self.code, str(self)


@dataclass
class Log:
    """What was met while columns were typed, put together into notes at the end."""

    tokens: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))  # token -> column -> rows
    notes: list[Note] = field(default_factory=list)

    def add(self, code: str, text: str) -> None:
        """Keep one remark."""
        self.notes.append(Note(code, text))

    def all(self) -> list[Note]:
        """Every remark, with the tokens that were counted as missing in one line each."""
        lines = []
        for token, where in self.tokens.items():
            names = ", ".join(f"`{c}`" for c in list(where)[:5])
            names += f" and {len(where) - 5} more" if len(where) > 5 else ""
            lines.append(Note("DSC005", f"{token!r} counts as missing: {count(sum(where.values()), 'value')} of "
                                        f"{names}."))
        return lines + self.notes


@dataclass(frozen=True)
class Ask:
    """One column that is to be typed, and what is known of it beforehand."""

    name: str
    log: Log
    decimal: str = "."  # the mark before decimals in its strings
    text: bool = False  # it holds text, whatever it looks like
    time: bool = False  # it holds times, even as 20240131 or 2024-01
    target: bool = False  # its few values are labels: none is given up for the others to be numbers
