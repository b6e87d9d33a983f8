"""A page of its own: what it holds, and what its policy lets run."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.worker_plan.test_language import ARABIC, JAPANESE
from worker_plan.errors import PlanError
from worker_plan.page import page, standalone


def text_page(written_like: str = "A plan.", **more: Any) -> str:
    """Return a page with a title and a body that are hostile."""
    values = {"title": "</title><script>1</script>", "body": '<b onclick="x">'}
    return page("text.html", written_like=written_like, **values | more)


def test_values_are_escaped() -> None:
    """Titles and texts cannot end what they stand in."""
    html = text_page()
    assert "<script>1" not in html
    assert html.count("&lt;script&gt;1") == 2
    assert "&lt;b onclick=&#34;x&#34;&gt;" in html


def test_policy_names_the_digest_of_each_style_and_script() -> None:
    """A browser runs these bytes and no others, and loads nothing."""
    html = text_page(styles=["p { color: red }"], scripts=["let a = 1 < 2;", "let b = '&';"])
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    inline = {
        "style-src": re.findall(r"(?s)<style>(.*?)</style>", html),
        "script-src": re.findall(r"(?s)<script>(.*?)</script>", html),
    }
    assert [len(texts) for texts in inline.values()] == [1, 2]
    for name, texts in inline.items():
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        named = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
        assert rules.pop(name).split() == named
    assert rules.pop("img-src") == "data:"
    assert rules.pop("require-trusted-types-for") == "'script'"
    assert rules.pop("trusted-types") == "default"
    assert set(rules.values()) == {"'none'"}
    assert set(rules) == {"default-src", "base-uri", "form-action"}


def test_page_without_script_allows_none() -> None:
    """Neither inline nor by a policy for trusted types."""
    html = text_page().replace("&#39;", "'")
    assert "script-src 'none';" in html
    assert "trusted-types 'none'" in html


@pytest.mark.parametrize("inline", ["a</StyLe >", "x</script", "<!--"])
def test_style_or_script_cannot_end_early(inline: str) -> None:
    """What would leave its element is refused."""
    with pytest.raises(PlanError, match="end of its own element"):
        text_page(styles=[inline])
    with pytest.raises(PlanError, match="end of its own element"):
        text_page(scripts=[inline])


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        (ARABIC, '<html dir="rtl">'),
        (JAPANESE, '<html dir="ltr" lang="ja">'),
        ("A plan.", '<html dir="ltr">'),
    ],
)
def test_page_runs_as_its_text_is_written(text: str, opening: str) -> None:
    """Direction always, language only where it is certain."""
    assert opening in text_page(text)


def test_markdown_becomes_a_page_with_one_title() -> None:
    """The heading that repeats the title is not shown twice."""
    html = standalone("# Answers\n\n## 1. Why?\n\nBecause.\n", "Answers")
    assert re.findall(r"<(h\d)>([^<]*)<", html) == [("h1", "Answers"), ("h2", "1. Why?")]
