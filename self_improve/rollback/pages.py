"""What a rollback tells reviewers: the evidence that there was, and that nothing is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompt_lab import markup
from prompt_lab.tables import aligned, interval, number
from self_improve.forge.forge import Status, StatusState
from self_improve.rollback.bests import Bests, Entry
from self_improve.rollback.earlier_texts import Earlier

MARKER = "rollback"
_MOST_REASONS = 8


def word(target: Entry) -> str:
    """Return the word of a rollback in the records."""
    return "SIMULATED ROLLBACK" if target.simulated else "ROLLBACK"


def status(target: Entry) -> Status:
    """Return the commit status: never success, for this commit was not measured."""
    told = f"{word(target)} to {target.score.candidate}: not measured at this commit"
    return Status(state=StatusState.failure, description=markup.plain_line(told, most=140))


def instead(target: Entry, replaced: Entry) -> str:
    """Return the end of a sentence that says what a best takes the place of."""
    if target.score == replaced.score:
        return ", the best on record, where the code says something else"
    return f", instead of {replaced.summary}"


def why(target: Entry, replaced: Entry, reason: str) -> str:
    """Return why, for the text of the pull request."""
    told = f"It restores {target.summary}{instead(target, replaced)}."
    return f"{reason}\n\n{told}".strip()


def evidence(target: Entry, replaced: Entry, found: Earlier, *, step: str, pull: int) -> str:
    """Return the comment on a rollback's pull request."""
    sides = {"restored": target, "replaced": replaced}
    if target.score == replaced.score:
        del sides["replaced"]
    rows = zip(_LABELS, *map(_facts, sides.values()), strict=True)
    reasons = [str(one) for one in target.details.get("reasons", [])][:_MOST_REASONS]
    return markup.page(
        f"## {word(target)} to {markup.code(target.score.candidate)}",
        "**This commit was not measured.** It puts the texts of "
        f"{markup.code(step)} back to what they were in commit "
        f"{markup.code(target.score.commit[:12])}. What is known of them was measured in that "
        "commit, with the code, models and plans of that day; the code around them may be another "
        "now.",
        "Only simulated models have ever spoken for it: that is no evidence."
        if target.simulated
        else "",
        markup.table(("", *sides), rows),
        "What was said for it then:" if reasons else "",
        markup.bullets(reasons),
        "Restored:",
        "\n".join(f"- {markup.code(surface)}" for surface in sorted(found.changed)),
        "Left as they are:" if found.left else "",
        "\n".join(f"- {markup.code(s)}: {markup.line(why)}" for s, why in found.left.items()),
        f"These steps send a restored text, too: {markup.line(', '.join(found.sharing))}."
        if found.sharing
        else "",
        "It was a change of code: only its texts come back, whatever else it changed."
        if not target.texts and not target.is_baseline
        else "",
        "The commit status stays at failure, and nothing merges this but a person. To have it "
        "measured against today's code: "
        + markup.code(f"plumbline iterate --step {step} --pr {pull}"),
    )


_LABELS = (
    "candidate", "iteration", "commit", "date", "verdict", "composite over the first baseline",
    "gain when it was judged", "interval", "models", "split",
)  # fmt: skip


def _facts(entry: Entry) -> list[str]:
    score = entry.score
    return [
        score.candidate, score.iteration, score.commit[:12], score.date, score.verdict,
        _number(score.candidate_score), _number(score.delta),
        interval(score.interval, "+.3g", ""),
        ", ".join(score.models), score.split,
    ]  # fmt: skip


def listing(found: Bests) -> str:
    """Return the bests of a step as a table in plain text, the current one marked."""
    head = ("", "date", "candidate", "score", "verdict", "commit", "iteration", "pull request")
    rows: list[Sequence[Any]] = [head]
    for place, entry in enumerate(found.entries):
        score = entry.score
        simulated = entry.simulated and not score.verdict.startswith("SIMULATED")
        rows.append(
            (
                "*" if place == found.at else "", score.date, score.candidate,
                _number(score.candidate_score), f"{'SIMULATED ' * simulated}{score.verdict}",
                score.commit[:12], score.iteration, str(entry.details.get("pull_request") or ""),
            )
        )  # fmt: skip
    rows = [[markup.plain_line(str(cell)) for cell in row] for row in rows]
    return "\n".join([*aligned(rows), ""])


def _number(value: float | None) -> str:
    return number(value, "+.3g", "unknown")
