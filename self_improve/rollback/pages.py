"""A rollback's pages for reviewers: the earlier evidence, and that nothing was measured now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompt_lab import markup
from prompt_lab.tables import aligned, interval, number
from self_improve.forge.forge import Status, StatusState
from self_improve.rollback.bests import Bests, Entry
from self_improve.rollback.earlier_texts import EarlierTexts

MARKER = "rollback"
_MOST_REASONS = 8


def word(target: Entry) -> str:
    """Return the verdict of a rollback in the records."""
    return "SIMULATED ROLLBACK" if target.simulated else "ROLLBACK"


def status(target: Entry) -> Status:
    """Return the commit status: never success, because this commit was not measured."""
    description = f"{word(target)} to {target.score.candidate}: not measured at this commit"
    return Status(state=StatusState.failure, description=markup.plain_line(description, most=140))


def instead(target: Entry, replaced: Entry) -> str:
    """Return the end of a sentence that names the best that is replaced."""
    if target.score == replaced.score:
        return ", the best on record, from which the code differs"
    return f", instead of {replaced.summary}"


def why(target: Entry, replaced: Entry, reason: str) -> str:
    """Return the reason, for the text of the pull request."""
    return f"{reason}\n\nIt restores {target.summary}{instead(target, replaced)}.".strip()


def evidence(target: Entry, replaced: Entry, earlier: EarlierTexts, *, step: str, pull: int) -> str:
    """Return the comment on a rollback's pull request."""
    sides = {"restored": target, "replaced": replaced}
    if target.score == replaced.score:
        del sides["replaced"]
    rows = zip(_LABELS, *map(_facts, sides.values()), strict=True)
    reasons = [str(one) for one in target.details.get("reasons", [])][:_MOST_REASONS]
    return markup.page(
        f"## {word(target)} to {markup.code(target.score.candidate)}",
        f"**This commit was not measured.** It restores the texts of {markup.code(step)} from "
        f"commit {markup.code(target.score.commit[:12])}. They were measured in that commit, with "
        "the code, models and plans of that day; the code around them may have changed since.",
        "Only simulated models have tested it: that is not evidence." if target.simulated else "",
        markup.table(("", *sides), rows),
        "The reasons for it at the time:" if reasons else "",
        markup.bullets(reasons),
        "Restored:",
        "\n".join(f"- {markup.code(surface)}" for surface in sorted(earlier.changed)),
        "Left unchanged:" if earlier.left else "",
        "\n".join(f"- {markup.code(s)}: {markup.line(why)}" for s, why in earlier.left.items()),
        f"These steps also send a restored text: {markup.line(', '.join(earlier.sharing))}."
        if earlier.sharing
        else "",
        "It was a code change: only its texts are restored."
        if not target.texts and not target.is_baseline
        else "",
        "The commit status stays at failure, and only a person can merge this. To measure it "
        "against today's code: " + markup.code(f"plumbline iterate --step {step} --pr {pull}"),
    )


_LABELS = (
    "candidate", "iteration", "commit", "date", "verdict", "composite over the first baseline",
    "gain when it was measured", "interval", "models", "split",
)  # fmt: skip


def _facts(entry: Entry) -> list[str]:
    score = entry.score
    return [
        score.candidate, score.iteration, score.commit[:12], score.date, score.verdict,
        _number(score.candidate_score), _number(score.delta),
        interval(score.interval, "+.3g", ""),
        ", ".join(score.models), score.split,
    ]  # fmt: skip


def listing(bests: Bests) -> str:
    """Return the bests of a step as a table in plain text, the current one marked."""
    head = ("", "date", "candidate", "score", "verdict", "commit", "iteration", "pull request")
    rows: list[Sequence[Any]] = [head]
    for index, entry in enumerate(bests.entries):
        score = entry.score
        simulated = entry.simulated and not score.verdict.startswith("SIMULATED")
        rows.append(
            (
                "*" if index == bests.index else "", score.date, score.candidate,
                _number(score.candidate_score), f"{'SIMULATED ' * simulated}{score.verdict}",
                score.commit[:12], score.iteration, str(entry.details.get("pull_request") or ""),
            )
        )  # fmt: skip
    rows = [[markup.plain_line(str(cell)) for cell in row] for row in rows]
    return "\n".join([*aligned(rows), ""])


def _number(value: float | None) -> str:
    return number(value, "+.3g", "unknown")
