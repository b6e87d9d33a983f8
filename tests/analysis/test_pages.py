"""Pages show what was checked, and nothing a model wrote acts."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from analysis.pages import gap, page
from analysis.quotes import Checked
from analysis.record import Opinion
from analysis.replies import Assessment, Finding, Insight

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
    text = page("Assessment", Opinion(**FACTS, findings=checked), reply)
    assert r"`good` (x\.md:8)" in text
    assert r"~~bad~~ (not found: x\.md:9)" in text
    assert "1 of 2 quotes hold" in text


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
    """Rendered, a page has only the elements that we write, whatever the agent wrote."""
    findings = [Finding(title=text, observation=text, path="x.md", line=1, quote=text)]
    checked = (Checked(path="x.md", line=1, quote=text, found=None),)
    reply = Insight(impact=text, hypotheses=[text], findings=findings)
    markdown = page("Insight", Opinion(**FACTS, reason=text, findings=checked), reply)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    inline = [child for token in tokens for child in token.children or []]
    assert [t.content for t in tokens if t.type == "heading_open"] == [""] * 4
    assert not {t.type for t in tokens} & {"html_block", "table_open", "fence", "hr"}
    assert {t.type.removesuffix("_open").removesuffix("_close") for t in inline} <= {
        "text", "softbreak", "strong", "s", "code_inline",
    }  # fmt: skip
