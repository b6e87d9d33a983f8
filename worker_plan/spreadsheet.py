"""Texts as cells of a CSV file, so that no text of a model is opened as a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def cell(text: str) -> str:
    """Return `text`, with an apostrophe before it if a spreadsheet would take it as a formula.

    The characters are those that OWASP lists under CSV injection.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """Return the text of a cell: the inverse of the function `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
