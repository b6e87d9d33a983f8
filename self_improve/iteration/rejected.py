"""Candidates that were rejected before on the same texts; to measure them again reads noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompt_lab.layout import Layout
from prompt_lab.scores import Scores
from self_improve.host.candidate import Candidate
from self_improve.host.pipeline import Pipeline

Texts = tuple[tuple[str, str], ...]


def texts_of(pipeline: Pipeline, step: str) -> dict[str, str]:
    """Return every text that a step sends, by surface id."""
    return {s: pipeline.surfaces[s].text for s in pipeline.steps[step].surfaces}


def base_of(texts: Mapping[str, str]) -> str:
    """Return the digest of the texts of a base, which identifies it in records."""
    return Candidate(texts=texts).digest


def rows(layout: Layout, step: str, base: str) -> list[dict[str, Any]]:
    """Return the rejected candidates of a step that were measured against the same texts.

    Older rows do not say what they were measured against; they count for every base.
    """
    return [row for row in Scores(layout).failed(step) if row.get("base_texts", base) == base]


def texts(layout: Layout, step: str, base: str) -> dict[Texts, str]:
    """Return the iteration that rejected each of those candidates, by its texts."""
    return {
        key(row["texts"]): row["iteration"]
        for row in rows(layout, step, base)
        if isinstance(row.get("texts"), dict) and row["texts"]
    }


def key(changed: Mapping[str, str]) -> Texts:
    """Return the texts of a candidate as a dictionary key."""
    return tuple(sorted(changed.items()))
