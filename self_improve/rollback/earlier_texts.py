"""What a step's prompts said in an earlier commit, read from git without running that code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from self_improve.code import git, patch
from self_improve.code.git import GitError
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The step's texts as they were, by surface id.

    `texts` are all that can be read there, `changed` those of them that say something else today.
    `left` are surfaces that stay as they are, each with the reason. `sharing` are other steps that
    send one of the changed texts.
    """

    texts: Mapping[str, str]
    changed: Mapping[str, str]
    left: Mapping[str, str] = field(default_factory=dict)
    sharing: tuple[str, ...] = ()


def earlier(
    code: Path, commit: str, pipeline: Pipeline, step: str, *, known: Mapping[str, str]
) -> Earlier:
    """Return what the surfaces that a step has today said in a commit.

    Args:
        code: the code tree, whose repository has the commit.
        commit: its full name.
        pipeline: of today's code.
        step: the step.
        known: the texts that were judged in that commit, by surface id.

    Raises:
        UsageError: the commit does not hold what was judged, or today's code has no place for it.
    """
    today = {s: pipeline.surfaces[s].text for s in pipeline.steps[step].surfaces}
    texts: dict[str, str] = {}
    left: dict[str, str] = {}
    for surface in today:
        try:
            texts[surface] = _said(code, commit, surface)
        except UsageError as error:
            left[surface] = str(error)
    for surface, text in known.items():
        if surface not in today:
            raise UsageError(
                f"{step} sends no {surface} any more, so what it said cannot be restored. Take the "
                f"change over by hand: git diff HEAD {commit[:12]}"
            )
        if texts.get(surface) != text:
            raise UsageError(
                f"The commit {commit[:12]} does not hold the text of {surface} that was judged"
                + (f": {left[surface]}" if surface in left else ".")
                + " Nothing was restored."
            )
    changed = {surface: text for surface, text in texts.items() if text != today[surface]}
    sharing = [
        facts.name
        for facts in pipeline.steps.values()
        if facts.name != step and facts.calls_model and set(changed) & set(facts.surfaces)
    ]
    return Earlier(texts=texts, changed=changed, left=left, sharing=tuple(sharing))


def _said(code: Path, commit: str, surface: str) -> str:
    module, _, name = surface.partition(":")
    base = "/".join(module.split("."))
    for path in (f"{base}.py", f"{base}/__init__.py"):
        try:
            source = git.run(code, "show", f"{commit}:./{path}")
        except (GitError, ValueError):
            continue
        return patch.text_in(source.encode("utf-8", "surrogateescape"), name)
    raise UsageError(f"there is no {base}.py in {commit[:12]}")
