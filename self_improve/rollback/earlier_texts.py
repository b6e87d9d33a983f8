"""A step's prompts in an earlier commit, read from git without running that code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from self_improve.code import git, patch
from self_improve.code.git import GitError
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class EarlierTexts:
    """The step's texts in an earlier commit, by surface id.

    `texts` are all that can be read there, `changed` those of them that differ today. `left` are
    surfaces that stay unchanged, each with the reason. `sharing` are other steps that send one of
    the changed texts.
    """

    texts: Mapping[str, str]
    changed: Mapping[str, str]
    left: Mapping[str, str] = field(default_factory=dict)
    sharing: tuple[str, ...] = ()


def earlier_texts(
    code: Path, commit: str, pipeline: Pipeline, step: str, *, measured: Mapping[str, str]
) -> EarlierTexts:
    """Return the texts in a commit of the surfaces that a step has today.

    Args:
        code: the code tree, whose repository has the commit.
        commit: its full name.
        pipeline: of today's code.
        step: the step.
        measured: the texts that were measured in that commit, by surface id.

    Raises:
        UsageError: the commit does not hold the measured texts, or the step no longer sends one.
    """
    today = {s: pipeline.surfaces[s].text for s in pipeline.steps[step].surfaces}
    texts: dict[str, str] = {}
    left: dict[str, str] = {}
    for surface in today:
        try:
            texts[surface] = _text_at(code, commit, surface)
        except UsageError as error:
            left[surface] = str(error)
    for surface, text in measured.items():
        if surface not in today:
            raise UsageError(
                f"{step} no longer sends {surface}, so its text cannot be restored. Apply the "
                f"change by hand: git diff HEAD {commit[:12]}"
            )
        if texts.get(surface) != text:
            raise UsageError(
                f"The commit {commit[:12]} does not hold the text of {surface} that was measured"
                + (f": {left[surface]}" if surface in left else ".")
                + " Nothing was restored."
            )
    changed = {surface: text for surface, text in texts.items() if text != today[surface]}
    sharing = [
        facts.name
        for facts in pipeline.steps.values()
        if facts.name != step and facts.calls_model and set(changed) & set(facts.surfaces)
    ]
    return EarlierTexts(texts=texts, changed=changed, left=left, sharing=tuple(sharing))


def _text_at(code: Path, commit: str, surface: str) -> str:
    module, _, name = surface.partition(":")
    base = "/".join(module.split("."))
    for path in (f"{base}.py", f"{base}/__init__.py"):
        try:
            source = git.run(code, "show", f"{commit}:./{path}")
        except (GitError, ValueError):
            continue
        return patch.text_in(source.encode("utf-8", "surrogateescape"), name)
    raise UsageError(f"{commit[:12]} has no {base}.py")
