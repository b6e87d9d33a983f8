"""Markdown that several steps write: lists, tables, and the note on what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

INCOMPLETE = "**Incomplete.**"
"""The beginning of a note on gaps, by which the report finds them."""


def bullets(texts: Iterable[str]) -> list[str]:
    """Return a list item for each text that is not empty."""
    return [f"- {line(text)}" for text in texts if text.strip()]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table, with line breaks and bars in cells escaped."""
    lines = [_row(head), _row(["---"] * len(head))]
    return lines + [_row(row) for row in rows]


def line(text: object) -> str:
    """Return the text on one line."""
    return " ".join(str(text).split())


def gaps(missing: Sequence[str]) -> list[str]:
    """Return the lines of a note that names what is missing, or none if nothing is.

    Every step with several calls puts them before its output, so that an incomplete plan never
    looks complete.
    """
    if not missing:
        return []
    return [
        f"> {INCOMPLETE} The model gave nothing usable for: {'; '.join(map(line, missing))}.",
        "",
    ]


def document(lines: Iterable[str]) -> str:
    """Return the lines as a text that ends with one line break."""
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(line(cell).replace('|', chr(92) + '|') for cell in cells)} |"
