"""Text of models and users in Markdown: it stays text, and reaches nobody's tools."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from prompt_lab.markup import (
    BREAK,
    code,
    fenced,
    folded,
    line,
    neutral,
    page,
    plain_line,
    quoted,
    table,
)

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False, "html": True})
NASTY = (
    "@someone", "@org/team", "fixes #1", "closes: org/repo#12", "GH-7", "gh-7", "`", "```", "````",
    "~~~", "</details>", "<details>", "<!-- plumbline:evaluation -->", "-->", "<script>", "\n",
    "\n\n", "\n/merge", "/approve", "https://example.com/a", "www.example.com", "[a](b)",
    "![a](b)", "[a]: b", "&#64;me", "&commat;me", "&lt;b&gt;", "\u202e", "\x00", "\r", "\r\n",
    "\x1b[31m", "\u2028", "# head", "- item", "> quote", "| a | b |", "\t", "    ", "***", "---",
    "1. a", "\\", "@", "#", "<", "&", "計画", "\U0001f468\u200d\U0001f4bb", "\u200b", "a ", "==",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.sampled_from(NASTY), max_size=12).map("".join),
)
ACTIVE = re.compile(
    r"@\w|#\d|GH-\d|&[#\w]|<[a-z/!?]|://|\bwww\.|\]\(|\]:|^/\w", re.IGNORECASE | re.MULTILINE
)


def tokens(markdown: str) -> list[Token]:
    """Return what a reader of Markdown sees."""
    return MARKDOWN.parse(markdown)


def kinds(markdown: str) -> list[str]:
    """Return the kinds of its blocks."""
    return [token.type for token in tokens(markdown) if token.level == 0]


@settings(deadline=None, max_examples=400)
@given(TEXTS)
@example("\ud800")
def test_neutral_text_reaches_no_tool(text: str) -> None:
    """No mention, reference, address, tag, entity, link or command is left in it."""
    neutral_text = neutral(text)
    assert not ACTIVE.search(neutral_text)
    hidden = {
        one for one in neutral_text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    }
    assert hidden <= {"\n", "\t", "\u200c", "\u200d", BREAK}
    assert neutral(neutral_text.replace(BREAK, "")) == neutral_text


@settings(deadline=None)
@given(TEXTS.filter(lambda text: text.replace("\n", "").replace("\t", "").isprintable()))
def test_neutral_text_reads_the_same(text: str) -> None:
    """Only spaces of no width were put in."""
    assert neutral(text).replace(BREAK, "") == text


@pytest.mark.parametrize(
    ("text", "neutral_text"),
    [
        ("ask @octocat", "ask @|octocat"),
        ("mail a@b.c", "mail a@|b.c"),
        ("Fixes #12, closes o/r#3", "Fixes #|12, closes o/r#|3"),
        ("a # b @ c < d & e", "a # b @ c < d & e"),
        ("<!-- plumbline:x -->", "<|!-- plumbline:x -->"),
        ("@@ -1,2 +1,2 @@", "@@ -1,2 +1,2 @@"),
        ("see https://x.y/pull/1", "see https:|//x.y/pull/1"),
        ("[a](http://b)", "[a]|(http:|//b)"),
        ("&#64;me", "&|#|64;me"),
        ("/merge\n /merge", "|/merge\n /merge"),
        ("a\u202eb\x00c\rd", "a\\u202eb\\u0000c\\u000dd"),
        ("\U000e0041", "\\U000e0041"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("全角\u3000空白", "全角\u3000空白"),
    ],
)
def test_neutral_text_by_example(text: str, neutral_text: str) -> None:
    """Where a space of no width goes (here a bar), and what becomes visible."""
    assert neutral(text) == neutral_text.replace("|", BREAK)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_fence_ends_where_it_should(text: str) -> None:
    """Whatever fences the text holds, what comes after it is read as it is meant."""
    parsed = tokens(f"# Before\n\n{fenced(text, 'diff')}\n\n# After")
    assert [one.type for one in parsed if one.level == 0] == [
        "heading_open", "heading_close", "fence", "heading_open", "heading_close",
    ]  # fmt: skip
    (block,) = [one for one in parsed if one.type == "fence"]
    assert block.info == "diff"
    assert block.content.removesuffix("\n") == neutral(text).removesuffix("\n")


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_quotation_ends_where_it_should(text: str) -> None:
    """No fence, list, table or tag that is open at its end swallows what follows."""
    result = kinds(f"# Before\n\n{quoted(text)}\n\n# After")
    assert result == [
        "heading_open", "heading_close", "blockquote_open", "blockquote_close", "heading_open",
        "heading_close",
    ]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_quotation_holds_no_html_and_no_link(text: str) -> None:
    """What a model wrote is formatted, and nothing more."""
    for block in tokens(quoted(text)):
        for token in (block, *(block.children or [])):
            assert token.type not in {"html_block", "html_inline", "link_open", "image"}


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_code_in_a_line_is_one_piece(text: str) -> None:
    """Whatever backticks it holds."""
    (_, inline, _) = tokens(f"see {code(text)} there")
    children = inline.children or []
    assert [one.type for one in children] == ["text", "code_inline", "text"]
    assert children[1].content.strip() == " ".join(neutral(text).split())


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_line_shows_its_markdown(text: str) -> None:
    """In a heading it is one heading with nothing but text in it."""
    parsed = tokens(f"## {line(text)} end")
    assert [one.type for one in parsed] == ["heading_open", "inline", "heading_close"]
    children = parsed[1].children or []
    assert {one.type for one in children} <= {"text", "text_special"}
    shown = "".join(one.content for one in children)
    assert shown.split() == [*neutral(text).split(), "end"]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_table_keeps_its_cells(rows: list[tuple[str, str]]) -> None:
    """Bars and line ends in a cell make no others."""
    parsed = tokens(table(["plan", "why"], rows) + "\n\nAfter")
    assert [one.type for one in parsed].count("tr_open") == len(rows) + 1
    assert [one.type for one in parsed].count("td_open") == 2 * len(rows)
    assert parsed[-2].content == "After"


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_fold_is_closed(summary: str, text: str) -> None:
    """Its summary holds no tag, and it ends where it should."""
    neutral_text = folded(summary, quoted(text))
    assert len(re.findall(r"</?\w+>", neutral_text)) == 4
    assert kinds(neutral_text) == [
        "html_block",
        "blockquote_open",
        "blockquote_close",
        "html_block",
    ]


def test_long_text_is_cut_with_a_count() -> None:
    """What is left out is reported."""
    assert fenced("abcdef", most=3) == "```\nabc\n… (3 more characters)\n```"
    assert quoted("abcdef", most=3) == "> abc\n> … (3 more characters)"
    assert plain_line("abcdef", most=3) == "ab…"
    assert plain_line("abc", most=3) == "abc"


def test_page_puts_parts_together() -> None:
    """Empty ones are left out."""
    assert page("a", "", "b") == "a\n\nb"
    assert len(page("a" * 700, most=500)) == 500
