"""Texts as cells of a CSV file: no text that a model wrote may open as a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def cell(text: str) -> str:
    """Return `text` with an apostrophe before it where a spreadsheet would calculate it.

    The signs are those that OWASP lists under CSV injection.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """Return the text that the function `cell` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
