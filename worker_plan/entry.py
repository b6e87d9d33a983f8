"""Parts of a Markdown text that tell one thing each, under a heading of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_gateway.call import Reply
from worker_plan.errors import StepError
from worker_plan.markdown import bullets, document, gaps, line


def entry(heading: str, facts: Mapping[str, str | Sequence[str]], *, level: int = 2) -> list[str]:
    """Return the lines of one part; facts of which nothing is known are left out.

    A text stands beside its label, several ones are listed below it.
    """
    lines = [f"{'#' * level} {line(heading)}", ""]
    for label, told in facts.items():
        if isinstance(told, str):
            lines += [f"**{label}:** {line(told)}", ""] if told.strip() else []
        elif listed := bullets(told):
            lines += [f"**{label}:**", "", *listed, ""]
    return lines


def sections(reply: Reply[Any], contents: Mapping[str, str | Sequence[str]]) -> str:
    """Return a text with a section for each heading; those of which nothing came are marked.

    Raises:
        StepError: nothing came of any of them.
    """
    told = {
        heading: [line(content)] if isinstance(content, str) else bullets(content)
        for heading, content in contents.items()
    }
    missing = [heading for heading, lines in told.items() if not any(lines)]
    if len(missing) == len(told):
        raise StepError(f"{reply.model} gave a reply with nothing in it")
    lines = gaps(missing + cut_off(reply))
    for heading, listed in told.items():
        lines += [f"## {heading}", "", *listed, ""] if heading not in missing else []
    return document(lines)


def cut_off(reply: Reply[Any]) -> list[str]:
    """Return what `markdown.gaps` has to name because the reply broke off; usually nothing."""
    return ["what would have followed, as the reply broke off"] if reply.partial else []
