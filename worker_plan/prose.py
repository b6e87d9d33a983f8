"""Markdown that models wrote, as harmless HTML: no markup, no script, few links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from worker_plan.markdown import INCOMPLETE

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LINK = re.compile(r"(?:https?://[^/?#\s]|mailto:[^?\s])", re.IGNORECASE)
_LOWEST_HEADING = 6
_DEEPEST = 50
_ALIGNED = {"text-align:left": "left", "text-align:center": "middle", "text-align:right": "right"}


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A text as HTML, and its notes on what is missing."""

    html: Markup
    gaps: tuple[str, ...] = ()


@cache
def _parser() -> MarkdownIt:
    """Return a parser with tables that escapes HTML and turns images into links."""
    # Imported here because few steps make pages, and the processes of all others would load it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"]).disable("image")
    parser.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
    return parser


def prose(markdown: str, *, title: str = "", heading: int = 3, anchor: str = "") -> Prose:
    """Return `markdown` as HTML.

    Its highest headings become those of level `heading`. A first heading that only repeats
    `title` is left out, because the page shows it already. Links to web pages and mail addresses
    are kept. Notes on gaps get ids that begin with `anchor` and count from 1.
    """
    parser = _parser()
    tokens = _without_title(parser.parse(markdown), title)
    if any(token.level >= _DEEPEST - 1 for token in tokens):  # Deeper levels would be lost.
        return Prose(html=Markup('<div class="plain">{}</div>').format(markdown))
    levels = [_level(token) for token in tokens if token.type == "heading_open"]
    lower = heading - min(levels, default=heading)
    gaps: list[str] = []
    for index, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(_level(token) + lower, _LOWEST_HEADING)}"
        elif token.type in {"th_open", "td_open"} and "style" in token.attrs:
            token.attrs["class"] = _ALIGNED[str(token.attrs.pop("style"))]
        elif token.type == "blockquote_open" and (note := _note(tokens[index:])):
            gaps.append(note)
            token.attrs = {"class": "incomplete", "id": f"{anchor}-gap-{len(gaps)}"}
        for inline in token.children or []:
            if inline.type == "link_open":
                inline.attrs |= {"rel": "noopener noreferrer", "target": "_blank"}
    html = parser.renderer.render(tokens, parser.options, {})
    # A wide table scrolls by itself, with the keyboard too, instead of the whole page.
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return Prose(html=Markup(html.replace("</table>", "</table></div>")), gaps=tuple(gaps))  # noqa: S704


def _without_title(tokens: list[Token], title: str) -> list[Token]:
    first = tokens[1].content if tokens and tokens[0].type == "heading_open" else None
    return tokens[3:] if first is not None and first.casefold() == title.casefold() else tokens


def _level(token: Token) -> int:
    return len(token.markup) if token.markup.startswith("#") else "=-".index(token.markup[0]) + 1


def _note(tokens: Sequence[Token]) -> str | None:
    """Return the text of a quotation if it is a top-level note of `markdown.gaps`."""
    note = next((token.content for token in tokens if token.type == "inline"), "")
    if tokens[0].level or not note.startswith(INCOMPLETE):
        return None
    return note.removeprefix(INCOMPLETE).strip()
