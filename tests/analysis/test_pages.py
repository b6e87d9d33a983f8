"""Pages show what was checked, and nothing a model wrote acts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from analysis.pages import gap, page, plain, quoted
from analysis.quotes import Checked
from analysis.record import Opinion
from analysis.replies import Assessment, Finding

FACTS = {
    "phase": "assessment", "agent": "a", "model_id": "m-1", "simulated": False,
    "prompt_digest": "d" * 64,
}  # fmt: skip


def test_quote_that_was_not_found_is_struck_out() -> None:
    """The one that holds stands as code with the line it was found on."""
    findings = [
        Finding(path="x.md", line=9, quote="good"),
        Finding(path="x.md", line=9, quote="bad"),
    ]
    checked = (
        Checked(path="x.md", line=9, quote="good", found=8),
        Checked(path="x.md", line=9, quote="bad", found=None),
    )
    reply = Assessment(findings=findings[:1], new_issues=findings[1:])
    told = page("Assessment", Opinion(**FACTS, findings=checked), reply)
    assert "` good ` (x.md:8)" in told
    assert "~~bad~~ (not found: x.md:9)" in told
    assert "1 of 2 quotes hold" in told


def test_simulated_page_says_so_first() -> None:
    """The prefix stands in the title."""
    facts = {**FACTS, "simulated": True}
    assert gap("Insight", Opinion(**facts, failed="late")).startswith("# SIMULATED Insight\n")


HOSTILE = [
    "<script>alert(1)</script>", "[x](javascript:alert(1))", "@everyone look", "# Heading",
    "| a | b |", "![x](http://x.example/p.png)", "**bold** `code` ~~no~~", "https://x.example",
    "</details><h1>", "&lt;b&gt;", "- item\n\n# next",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str) -> None:
    """Rendered, it is one paragraph that reads as the model wrote it."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"So: {plain(text)}")
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {t.type for t in tokens[1].children or []} == {"text"}
    read = "".join(t.content for t in tokens[1].children or [])
    assert read.replace("\u200b", "") == "So: " + " ".join(text.split())


@given(st.text(alphabet="`ab \n", max_size=30))
def test_quote_cannot_end_its_code(text: str) -> None:
    """Backticks in a quote stay inside it."""
    [inline] = [t for t in MarkdownIt().parse(f"x{quoted('q' + text + 'q')}") if t.type == "inline"]
    assert [t.type for t in inline.children or []] == ["text", "code_inline"]
