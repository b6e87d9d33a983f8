"""Entries of a Markdown text: labelled facts under a heading, and sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_gateway.call import Reply
from worker_plan.errors import StepError
from worker_plan.markdown import bullets, document, gaps, line


def entry(heading: str, facts: Mapping[str, str | Sequence[str]], *, level: int = 2) -> list[str]:
    """Return the lines of one entry, without empty facts.

    A single text follows its label on the same line; several texts are a list below it.
    """
    lines = [f"{'#' * level} {line(heading)}", ""]
    for label, fact in facts.items():
        if isinstance(fact, str):
            lines += [f"**{label}:** {line(fact)}", ""] if fact.strip() else []
        elif listed := bullets(fact):
            lines += [f"**{label}:**", "", *listed, ""]
    return lines


def sections(reply: Reply[Any], contents: Mapping[str, str | Sequence[str]]) -> str:
    """Return a text with a section for each heading, and a note on the empty ones.

    Raises:
        StepError: all of them are empty.
    """
    parts = {
        heading: [line(content)] if isinstance(content, str) else bullets(content)
        for heading, content in contents.items()
    }
    missing = [heading for heading, lines in parts.items() if not any(lines)]
    if len(missing) == len(parts):
        raise StepError(f"{reply.model} gave a reply without content")
    lines = gaps(missing + cut_off(reply))
    for heading, listed in parts.items():
        lines += [f"## {heading}", "", *listed, ""] if heading not in missing else []
    return document(lines)


def cut_off(reply: Reply[Any]) -> list[str]:
    """Return the gap to name if the reply was cut off, for `markdown.gaps`; usually none."""
    return ["what would have followed, as the reply broke off"] if reply.partial else []
