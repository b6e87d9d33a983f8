"""Escapes text of models and users for Markdown that other tools read: it stays text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from model_gateway.terminal import visible

BREAK = "\u200b"
"""A zero-width space: people read what it separates as before, tools no longer do."""

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

    A zero-width space breaks mentions, references, addresses, tags and entities; invisible
    characters are written as escapes.
    """
    return _BREAKS.sub(BREAK, visible(text.replace("\r\n", "\n")))


def fenced(text: str, language: str = "", *, most: int | None = None) -> str:
    """Return a block of code that no text can end early.

    `language` is a trusted word. A text is cut after `most` characters, and the rest counted.
    """
    body = neutral(_cut(text, most))
    fence = "`" * max(3, 1 + _longest_run(body))
    return f"{fence}{language}\n{body.removesuffix(chr(10))}\n{fence}"


def quoted(text: str, *, most: int | None = None) -> str:
    """Return Markdown of a model as a quotation that no fence or list in it can end."""
    body = neutral(_cut(text, most)).strip("\n")
    return "\n".join(f"> {line}".rstrip() for line in body.split("\n"))


def code(text: str) -> str:
    """Return text as inline code."""
    body = " ".join(neutral(text).split()) or " "
    mark = "`" * (1 + _longest_run(body))
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{mark}{pad}{body}{pad}{mark}"


def line(text: str, *, most: int | None = None) -> str:
    """Return text for a line, a heading or a table cell; its Markdown is shown, not applied."""
    return _PUNCTUATION.sub(r"\\\1", plain_line(text, most=most))


def plain_line(text: str, *, most: int | None = None) -> str:
    """Return text for plain-text fields: a title, or a status."""
    body = " ".join(neutral(text).split())
    return body if most is None or len(body) <= most else body[: most - 1].rstrip() + "…"


def folded(summary: str, body: str) -> str:
    """Return a section that opens when its summary is clicked; `body` is Markdown."""
    return f"<details>\n<summary>{_as_html(plain_line(summary))}</summary>\n\n{body}\n\n</details>"


def bullets(texts: Iterable[str]) -> str:
    """Return texts as a list, one a line."""
    return "\n".join(f"- {line(text)}" for text in texts)


def table(
    head: Iterable[str], rows: Iterable[Iterable[str]], *, right: Collection[int] = ()
) -> str:
    """Return a table of texts; the columns in `right` are flush right."""
    heads = [line(cell) for cell in head]
    marks = ["---:" if column in right else "---" for column in range(len(heads))]
    written = [heads, marks, *([line(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in written)


def page(*parts: str, most: int | None = None) -> str:
    """Return the parts with blank lines between, cut to at most `most` characters."""
    whole = "\n\n".join(part for part in parts if part)
    if most is None or len(whole) <= most:
        return whole
    note = "\n\n(The rest was too long for this page.)"
    return whole[: most - len(note)] + note


def _cut(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return text
    return f"{text[:most]}\n… ({len(text) - most} more characters)"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _as_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
