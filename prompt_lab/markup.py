"""Puts text of models and users into Markdown that others' tools read, so that it stays text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

BREAK = "\u200b"
"""A space of no width: what it parts is read as before by people, and no longer by tools."""

_KEPT = {"\n", "\t", "\u200c", "\u200d"}  # The last two shape Arabic, Persian and emoji.
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_BREAKS = re.compile(
    r"""
    (?<=@)(?=\w)            # mentions
    | (?<=\#)(?=\d)         # references to issues, which a word before may close
    | (?<=GH-)(?=\d)
    | (?<=&)(?=[\#\w])      # entities, which may stand for any of the others
    | (?<=<)(?=[A-Za-z/!?]) # tags, and comments that hold our markers
    | (?<=:)(?=//)          # addresses, which some tools read as references too
    | (?<=\bwww)(?=\.)
    | (?<=\])(?=[(:])       # links, images and their definitions
    | ^(?=/\w)              # commands to bots
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$^=:\"'])")


def neutral(text: str) -> str:
    """Return text that mentions nobody, closes no issue, links nowhere and hides nothing.

    Mentions, references, addresses, tags and entities are parted by a space of no width;
    characters that do not show are written as escapes.
    """
    plain = text.replace("\r\n", "\n")
    if not plain.isprintable():
        plain = "".join(map(_shown, plain))
    return _BREAKS.sub(BREAK, plain)


def fenced(text: str, language: str = "", *, most: int | None = None) -> str:
    """Return a block of code that ends where it should, whatever the text holds.

    `language` is our own word. Of a text longer than `most` characters the rest is counted.
    """
    body = neutral(_cut(text, most))
    fence = "`" * max(3, 1 + _longest_run(body))
    return f"{fence}{language}\n{body.removesuffix(chr(10))}\n{fence}"


def quoted(text: str, *, most: int | None = None) -> str:
    """Return Markdown that a model wrote as a quotation, out of which no fence or list leads."""
    body = neutral(_cut(text, most)).strip("\n")
    return "\n".join(f"> {line}".rstrip() for line in body.split("\n"))


def code(text: str) -> str:
    """Return text as code in a line."""
    body = " ".join(neutral(text).split()) or " "
    mark = "`" * (1 + _longest_run(body))
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{mark}{pad}{body}{pad}{mark}"


def line(text: str, *, most: int | None = None) -> str:
    """Return text for a line, a heading or a cell of a table; its Markdown shows as it is."""
    return _PUNCTUATION.sub(r"\\\1", plain_line(text, most=most))


def plain_line(text: str, *, most: int | None = None) -> str:
    """Return text for places that know no Markdown: a title, or a status."""
    body = " ".join(neutral(text).split())
    return body if most is None or len(body) <= most else body[: most - 1].rstrip() + "…"


def folded(summary: str, body: str) -> str:
    """Return a part of a page that opens when its summary is clicked; `body` is Markdown."""
    return f"<details>\n<summary>{_as_html(plain_line(summary))}</summary>\n\n{body}\n\n</details>"


def bullets(texts: Iterable[str]) -> str:
    """Return texts as a list, one a line."""
    return "\n".join(f"- {line(text)}" for text in texts)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; every cell is text."""
    heads = [line(cell) for cell in head]
    written = [heads, ["---"] * len(heads), *([line(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in written)


def page(*parts: str, most: int | None = None) -> str:
    """Return the parts with blank lines between, cut to at most `most` characters."""
    whole = "\n\n".join(part for part in parts if part)
    if most is None or len(whole) <= most:
        return whole
    note = "\n\n(The rest was too long for this page.)"
    return whole[: most - len(note)] + note


def _shown(one: str) -> str:
    if one in _KEPT or unicodedata.category(one) not in _HIDDEN:
        return one
    code = ord(one)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]}\n… ({len(text) - most} more characters)"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _as_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
