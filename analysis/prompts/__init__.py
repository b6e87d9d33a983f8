"""Prompts of the analysis phases and of the judge: versioned files, part of the evidence."""

from __future__ import annotations

from importlib import resources


def read(name: str) -> str:
    """Return the prompt called `name`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return (resources.files(__name__) / f"{name}.md").read_text(encoding="utf-8")
