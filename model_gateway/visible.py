"""Shows control characters as escapes, so that no text of others steers a terminal."""

from __future__ import annotations

import re
import unicodedata

_UNUSUAL = re.compile(r"[^\x20-\x7e\n\t]")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SHAPING = {"\u200c", "\u200d"}  # Arabic, Persian and emoji are written with these two.


def sound(text: str) -> str:
    """Return `text` with every lone surrogate replaced, so that it can be sent and stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def visible(text: str) -> str:
    r"""Return `text` with every character that shows nothing, or moves the cursor, as an escape.

    Line breaks and tabs stay. `\x1b[2J`, which clears a screen, becomes `\u001b[2J`.
    """
    return _UNUSUAL.sub(_escape, text)


def one_line(text: str, most: int | None = None) -> str:
    """Return `text` on one line, with single spaces, cut after `most` characters."""
    line = " ".join(visible(text).split())
    return line if most is None or len(line) <= most else line[: most - 3] + "..."


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHAPING or unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
