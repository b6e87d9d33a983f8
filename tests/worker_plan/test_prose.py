"""What models wrote, as HTML: hostile texts stay texts."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest

from worker_plan.markdown import document, gaps, table
from worker_plan.prose import prose


class Tags(HTMLParser):
    """Collects tags and attributes as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one tag."""
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<style>*{display:none}</style>",
        "<!-- --><svg onload=alert(1)>",
        "<details open ontoggle=alert(1)>",
        "![x](https://example.org/a.png)",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](\x01javascript:alert(1))",
        "[x](java\tscript:alert(1))",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x) [y](file:///etc/passwd) [z](//example.org) [w](?a=1)",
        "[x]: javascript:alert(1)\n\n[x]",
        '[x](https://example.org "\\" onclick=alert(1)")',
        "```<script>\nalert(1)\n```",
        '```"onmouseover=alert(1)\nx\n```',
        "| a | b |\n| --- | --- |\n| <b onclick=x> | `<i>` |",
        "<a href='javascript:alert(1)'>x</a>",
        "\x00<scr\x00ipt>",
    ],
)
def test_hostile_text_stays_text(text: str) -> None:
    """No tag, handler, style, image or address comes through but what Markdown means."""
    seen = Tags(prose(text, anchor="a").html)
    assert set(seen.tags) <= {"p", "a", "pre", "code", "div", "table", "thead", "tbody", "tr", "th",
                              "td"}  # fmt: skip
    assert {name for name, _ in seen.attributes} <= {"href", "rel", "target", "class", "tabindex",
                                                     "title"}  # fmt: skip
    for name, value in seen.attributes:
        assert name != "href" or str(value).startswith("https://example.org")


def test_links_to_pages_and_mail_stay() -> None:
    """They open beside the report and learn nothing of it."""
    html = prose("[a](https://example.org/x) <mailto:a@example.org> [c](HTTP://example.org)").html
    assert html.count('rel="noopener noreferrer" target="_blank"') == 3
    assert 'href="https://example.org/x"' in html
    assert 'href="mailto:a@example.org"' in html


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("# A\n## B\n# C", [4, 5, 4]),
        ("### A\n#### B", [4, 5]),
        ("A\n=\n\nB\n-", [4, 5]),
        ("# A\n###### B", [4, 6]),
        ("no heading", []),
    ],
)
def test_headings_stand_below_those_of_the_page(text: str, levels: list[int]) -> None:
    """The highest one gets the level that is free, none goes below the lowest of HTML."""
    html = prose(text, heading=4).html
    assert [int(level) for level in re.findall(r"<h(\d)>", html)] == levels
    assert html.count("</h") == len(levels)


def test_heading_that_repeats_the_title_is_left_out() -> None:
    """Only the first, and only if it says nothing else."""
    assert "<h" not in prose("# Team\n\nAnna.", title="Team").html
    assert ">Team spirit</h3>" in prose("# Team spirit\n\nAnna.", title="Team").html
    assert ">Team</h3>" in prose("Anna.\n\n# Team", title="Team").html


def test_notes_on_gaps_are_marked_and_counted() -> None:
    """What `markdown.gaps` writes can be jumped to; other quotations are just quotations."""
    text = document(["# T", "", *gaps(["x < y"]), "> said", "", *gaps(["z"])])
    shown = prose(text, anchor="team")
    assert [note.split(": ")[1] for note in shown.gaps] == ["x < y.", "z."]
    assert re.findall(r'<blockquote class="incomplete" id="([^"]*)">', shown.html) == [
        "team-gap-1",
        "team-gap-2",
    ]
    assert "x &lt; y" in shown.html
    assert shown.html.count("<blockquote>") == 1


def test_tables_have_a_frame_and_no_style_attributes() -> None:
    """A wide one scrolls by itself; alignment is a class, since the page allows no other style."""
    html = prose("| a | b | c |\n| :-- | :-: | --: |\n| 1 | 2 | 3 |").html
    assert html.count('<div class="scroll" tabindex="0"><table>') == 1
    assert html.count("</table></div>") == 1
    assert "style" not in html
    assert '<td class="right">3</td>' in html
    assert "<td>" in prose("\n".join(table(["a"], [["x"]]))).html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("word " * 40_000, "word word"),
        ("ا" * 200_000, "ا" * 200_000),
        ("[" * 50_000, "[" * 50_000),
        ("<a" * 100_000, "&lt;a&lt;a"),
        ("- " * 100 + "x", "- x"),
        ("> " * 60_000 + "the end", "&gt; the end"),
    ],
    ids=["words", "one word", "brackets", "tags", "lists", "quotes"],
)
def test_large_text_takes_moments(text: str, shown: str) -> None:
    """A large or deep text, however odd, is there in full and does not hold up the report."""
    began = time.process_time()
    assert shown in prose(text).html
    assert time.process_time() - began < 10
