"""The end of an iteration: scoreboard, failed attempts, best candidate, and the pull request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prompt_lab import markup, patterns
from prompt_lab.layout import Layout
from prompt_lab.scores import Best, Score, Scores
from self_improve.forge.forge import Forge, PullState, Status, StatusState
from self_improve.iteration import pages as telling
from self_improve.iteration.branches import CODE, Branched, Branching
from self_improve.iteration.decision import Decision, End
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import IterationFolder, places
from self_improve.iteration.request import IterationRequest

BASELINE_ROW = "BASELINE"
_PAGES = ("assessment", "insight")


@dataclass(frozen=True, kw_only=True)
class JudgedCandidate:
    """One candidate at the end: what the evaluator found, what else was checked, how it ended.

    `before` are the baseline's texts of the surfaces that it changes.
    """

    draft: Draft
    side: Branched
    row: Mapping[str, Any]
    decision: Decision
    checks: Mapping[str, Any]
    cost: float
    before: Mapping[str, str]


class Publisher:
    """Writes the end down, in the data repo and on the forge; all of it may be repeated."""

    def __init__(
        self,
        request: IterationRequest,
        place: IterationFolder,
        forge: Forge,
        say: Callable[[str], None],
    ) -> None:
        self._wish = request
        self._place = place
        self._forge = forge
        self._layout: Layout = request.layout
        self._scores = Scores(request.layout)
        self.say = say

    def verify_uses(self, step: str) -> int:
        """Return how often the verify plans were used for a step before."""
        done = [p for p in places(self._layout) if p.order.get("step") == step]
        results = [p.result("verify") for p in done if p.path != self._place.path]
        return sum(1 for found in results if found is not None and "word" in found)

    def publish(
        self, judged: JudgedCandidate, *, base: str, branching: Branching
    ) -> dict[str, Any]:
        """Write down how one candidate ended, and return what is told of it.

        Raises:
            UsageError: its pull request was closed, or holds other commits now.
            ForgeError: the forge cannot be reached.
        """
        self._write_scores(judged, base)
        self._remember(judged)
        merged = self._write_pull(judged, branching)
        self.say(f"{judged.decision.summary}: {judged.draft.id}")
        for reason in judged.decision.reasons:
            self.say(f"  {reason}")
        return {
            "end": str(judged.decision.end),
            "told": judged.decision.summary,
            "reasons": list(judged.decision.reasons),
            "url": judged.side.url,
            "merged": merged,
        }

    def _write_scores(self, judged: JudgedCandidate, base: str) -> None:
        draft, row, decision = judged.draft, judged.row, judged.decision
        known = self._scores.rows(draft.step)
        if all(score.iteration == self._place.id for score in known):
            # Again after a kill, which may have come between scoreboard and history.
            self._scores.add(self._baseline(judged, base), {})
        start = self._start(known, base)
        effect = row["composite"]["effect"]
        interval = row["composite"]["interval"]
        score = Score(
            step=draft.step, date=_today(), candidate=draft.id, baseline_score=start,
            candidate_score=None if effect is None else start + effect, best_score=None,
            delta=effect,
            interval=None if interval is None else (interval["low"], interval["high"]),
            verdict=decision.summary, split="train",
            models=tuple(m.name for m in self._wish.models),
            cost=judged.cost, commit=judged.side.commit, iteration=self._place.id,
        )  # fmt: skip
        self._scores.add(
            score,
            {
                "reasons": list(decision.reasons), "evaluator": dict(row), "checks": judged.checks,
                "texts": dict(draft.texts), "pull_request": judged.side.url,
                "origin": draft.origin, "expectations": list(draft.expectations),
            },
        )  # fmt: skip
        if decision.end is End.no:
            self._scores.add_failed(
                f"{self._place.id}/{draft.id}",
                {
                    "step": draft.step, "candidate": draft.id, "texts": dict(draft.texts),
                    "diff": judged.side.diff, "models": list(row["models"]),
                    "plans": list(row["plans"]), "reasons": list(decision.reasons),
                    "verdict": decision.summary, "base": base, **self._base_texts(),
                },
            )  # fmt: skip
        if decision.end is End.yes:
            self._scores.set_best(
                Best(
                    step=draft.step, candidate=draft.id,
                    score=None if effect is None else start + effect, commit=judged.side.commit,
                    pull_request=judged.side.url, iteration=self._place.id,
                    texts=dict(draft.texts), simulated=decision.simulated,
                )
            )  # fmt: skip

    def _remember(self, judged: JudgedCandidate) -> None:
        """Add a change of texts to the patterns; code is no pattern that another step could try."""
        draft, row, decision = judged.draft, judged.row, judged.decision
        # An iteration that was begun before patterns were kept has no texts to tell them from.
        if draft.is_code or not judged.before:
            return
        outcome = patterns.CandidateOutcome(
            step=draft.step, iteration=self._place.id, candidate=draft.id,
            change=draft.change or draft.rationale, before=judged.before, after=draft.texts,
            word=str(row["word"]), end=str(decision.end), effect=row["composite"]["effect"],
            simulated=decision.simulated, models=[m.name for m in self._wish.models],
            pattern=draft.pattern,
        )  # fmt: skip
        try:
            patterns.remember(self._layout, outcome)
        except patterns.PatternError as error:
            # An iteration that is decided must end, whatever became of the library meanwhile.
            self.say(f"Not added to the patterns: {error}")

    def _base_texts(self) -> dict[str, str]:
        """Return what names the texts that candidates were measured against, if it is known."""
        told = (self._place.result("propose") or {}).get("base_texts")
        return {} if told is None else {"base_texts": told}

    def _start(self, known: Sequence[Score], base: str) -> float:
        """Return the score of what a candidate was measured against: of its base, if known."""
        of_base = [row.candidate_score for row in known if row.commit == base]
        scores = [score for score in of_base if score is not None]
        best = self._scores.best(self._wish.step)
        if scores:
            return scores[-1]
        return best.score if best is not None and best.score is not None else 0.0

    def _baseline(self, judged: JudgedCandidate, base: str) -> Score:
        return Score(
            step=judged.draft.step, date=_today(), candidate="baseline", baseline_score=0.0,
            candidate_score=0.0, best_score=0.0, delta=None, interval=None, verdict=BASELINE_ROW,
            split="train", models=tuple(m.name for m in self._wish.models), cost=None, commit=base,
            iteration=self._place.id,
        )  # fmt: skip

    def _write_pull(self, judged: JudgedCandidate, branching: Branching) -> bool:
        side, decision = judged.side, judged.decision
        if side.pull_request is None:
            self._forge.set_status(side.commit, _status(decision))
            return False
        number = side.pull_request
        pull = self._forge.pull(number)
        ended = pull.state is not PullState.open
        if not ended:
            branching.require_unmoved(side)
        self._forge.comment(number, telling.MARKER, self._comment(judged))
        self._forge.set_status(side.commit, _status(decision))
        self._forge.label(number, add=_labels(judged))
        if ended:
            return pull.state is PullState.merged
        if decision.end is End.no:
            self._forge.close(number)
        if decision.may_merge and self._wish.merge_on_yes and not side.is_code:
            self._forge.merge(number, head=side.commit)
            return True
        return False

    def _comment(self, judged: JudgedCandidate) -> str:
        page = (self._place.path / f"verdict_{judged.draft.id}.md").read_text(encoding="utf-8")
        told = telling.comment(
            judged.decision, judged.row, page, judged.checks,
            self._place.relative(self._place.path),
        )  # fmt: skip
        pages = {
            path.stem: path.read_text(encoding="utf-8")
            for kind in _PAGES
            for path in sorted(self._place.path.glob(f"{kind}_*.md"))
        }
        return markup.page(told, telling.folded_pages(pages))


def _status(decision: Decision) -> Status:
    """Return the commit status: success for a real YES alone."""
    state = StatusState.success if decision.may_merge else StatusState.failure
    told = f"{decision.summary}: {decision.reasons[0]}" if decision.reasons else decision.summary
    return Status(state=state, description=markup.plain_line(told, most=140))


def _labels(judged: JudgedCandidate) -> Sequence[str]:
    words = [judged.decision.summary.lower().replace(" ", "-")]
    return [*words, CODE] if judged.side.is_code else words


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
