"""The end of an iteration: scoreboard, failed attempts, best candidate, and the pull request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_gateway.foreign_files import read_text
from prompt_lab import markup, patterns
from prompt_lab.layout import Layout
from prompt_lab.scores import Best, Score, Scores
from self_improve.forge.forge import Forge, PullState, Status, StatusState
from self_improve.iteration import pages
from self_improve.iteration.branches import CODE, Branches, Side
from self_improve.iteration.decision import Decision, End
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.request import IterationRequest

BASELINE_ROW = "BASELINE"
_PAGES = ("assessment", "insight")


@dataclass(frozen=True, kw_only=True)
class DecidedCandidate:
    """One candidate at the end: the evaluator's row, the results of other checks, the decision.

    `before` are the baseline's texts of the surfaces that it changes.
    """

    draft: Draft
    side: Side
    row: Mapping[str, Any]
    decision: Decision
    checks: Mapping[str, Any]
    cost: float
    before: Mapping[str, str]


class Publisher:
    """Records the end in the data repo and on the forge; every call may be repeated."""

    def __init__(
        self,
        request: IterationRequest,
        folder: IterationFolder,
        forge: Forge,
        say: Callable[[str], None],
    ) -> None:
        self._request = request
        self._folder = folder
        self._forge = forge
        self._layout: Layout = request.layout
        self._scores = Scores(request.layout)
        self.say = say

    def verify_uses(self, step: str) -> int:
        """Return how often the verify plans were used for a step before."""
        folders = [f for f in IterationFolder.all(self._layout) if f.identity.get("step") == step]
        results = [f.result("verify") for f in folders if f.path != self._folder.path]
        return sum("word" in result for result in results if result is not None)

    def publish(
        self, candidate: DecidedCandidate, *, base: str, branches: Branches
    ) -> dict[str, Any]:
        """Record how one candidate ended, and return its row of the phase's marker.

        Raises:
            UsageError: its pull request was closed, or its branch has moved.
            ForgeError: the forge cannot be reached.
        """
        self._write_scores(candidate, base)
        self._remember(candidate)
        merged = self._write_pull(candidate, branches)
        decision = candidate.decision
        self.say(f"{decision.summary}: {candidate.draft.id}")
        for reason in decision.reasons:
            self.say(f"  {reason}")
        return {
            "end": str(decision.end),
            "told": decision.summary,  # The key of stored records.
            "reasons": list(decision.reasons),
            "url": candidate.side.url,
            "merged": merged,
        }

    def _write_scores(self, candidate: DecidedCandidate, base: str) -> None:
        draft, row, decision = candidate.draft, candidate.row, candidate.decision
        self._scores.add_baseline(self._baseline(draft.step, base))
        rows = self._scores.rows(draft.step)
        start = self._base_score(rows, base)
        effect = row["composite"]["effect"]
        interval = row["composite"]["interval"]
        score = Score(
            step=draft.step, date=_today(), candidate=draft.id, baseline_score=start,
            candidate_score=None if effect is None else start + effect, best_score=None,
            delta=effect,
            interval=None if interval is None else (interval["low"], interval["high"]),
            verdict=decision.summary, split="train",
            models=tuple(m.name for m in self._request.run.models),
            cost=candidate.cost, commit=candidate.side.commit, iteration=self._folder.id,
        )  # fmt: skip
        self._scores.add(
            score,
            {
                "reasons": list(decision.reasons), "evaluator": dict(row),
                "checks": candidate.checks, "texts": dict(draft.texts),
                "pull_request": candidate.side.url,
                "origin": draft.origin, "expectations": list(draft.expectations),
            },
        )  # fmt: skip
        if decision.end is End.no:
            self._scores.add_failed(
                f"{self._folder.id}/{draft.id}",
                {
                    "step": draft.step, "candidate": draft.id, "texts": dict(draft.texts),
                    "diff": candidate.side.diff, "models": list(row["models"]),
                    "plans": list(row["plans"]), "reasons": list(decision.reasons),
                    "verdict": decision.summary, "base": base, **self._base_texts(),
                },
            )  # fmt: skip
        if decision.end is End.yes:
            self._scores.set_best(
                Best(
                    step=draft.step, candidate=draft.id,
                    score=None if effect is None else start + effect, commit=candidate.side.commit,
                    pull_request=candidate.side.url, iteration=self._folder.id,
                    texts=dict(draft.texts), simulated=decision.simulated,
                )
            )  # fmt: skip

    def _remember(self, candidate: DecidedCandidate) -> None:
        """Add a change of texts to the patterns; other steps cannot reuse a change of code."""
        draft, row, decision = candidate.draft, candidate.row, candidate.decision
        # Iterations from before there were patterns did not record the texts of the baseline.
        if draft.is_code or not candidate.before:
            return
        outcome = patterns.CandidateOutcome(
            step=draft.step, iteration=self._folder.id, candidate=draft.id,
            change=draft.change or draft.rationale, before=candidate.before, after=draft.texts,
            word=str(row["word"]), end=str(decision.end), effect=row["composite"]["effect"],
            simulated=decision.simulated, models=[m.name for m in self._request.run.models],
            pattern=draft.pattern,
        )  # fmt: skip
        try:
            patterns.remember(self._layout, outcome)
        except patterns.PatternError as error:
            # An iteration that is decided must end, whatever the state of the patterns.
            self.say(f"Not added to the patterns: {error}")

    def _base_texts(self) -> dict[str, str]:
        """Return the digest of the texts that candidates were measured against, if known."""
        digest = (self._folder.result("propose") or {}).get("base_texts")
        return {} if digest is None else {"base_texts": digest}

    def _base_score(self, rows: Sequence[Score], base: str) -> float:
        """Return the score of the base of a candidate, else of the best so far."""
        of_base = [row.candidate_score for row in rows if row.commit == base]
        scores = [score for score in of_base if score is not None]
        best = self._scores.best(self._request.step)
        if scores:
            return scores[-1]
        return best.score if best is not None and best.score is not None else 0.0

    def _baseline(self, step: str, base: str) -> Score:
        return Score(
            step=step, date=_today(), candidate="baseline", baseline_score=0.0,
            candidate_score=0.0, best_score=0.0, delta=None, interval=None, verdict=BASELINE_ROW,
            split="train", models=tuple(m.name for m in self._request.run.models), cost=None,
            commit=base, iteration=self._folder.id,
        )  # fmt: skip

    def _write_pull(self, candidate: DecidedCandidate, branches: Branches) -> bool:
        side, decision = candidate.side, candidate.decision
        if side.pull_request is None:
            self._forge.set_status(side.commit, _status(decision))
            return False
        number = side.pull_request
        pull = self._forge.pull(number)
        ended = pull.state is not PullState.open
        if not ended:
            branches.require_unmoved(side)
        self._forge.comment(number, pages.MARKER, self._comment(candidate))
        self._forge.set_status(side.commit, _status(decision))
        self._forge.label(number, add=_labels(candidate))
        if ended:
            return pull.state is PullState.merged
        if decision.end is End.no:
            self._forge.close(number)
        if decision.may_merge and self._request.merge_on_yes and not side.is_code:
            self._forge.merge(number, head=side.commit)
            return True
        return False

    def _comment(self, candidate: DecidedCandidate) -> str:
        page = read_text(self._folder.path / f"verdict_{candidate.draft.id}.md")
        comment = pages.comment(
            candidate.decision, candidate.row, page, candidate.checks,
            self._folder.relative(self._folder.path),
        )  # fmt: skip
        opinions = {
            path.stem: read_text(path)
            for kind in _PAGES
            for path in sorted(self._folder.path.glob(f"{kind}_*.md"))
        }
        return markup.page(comment, pages.folded_pages(opinions))


def _status(decision: Decision) -> Status:
    """Return the commit status: success only for a YES on real evidence."""
    state = StatusState.success if decision.may_merge else StatusState.failure
    text = ": ".join([decision.summary, *decision.reasons[:1]])
    return Status(state=state, description=markup.plain_line(text, most=140))


def _labels(candidate: DecidedCandidate) -> Sequence[str]:
    words = [candidate.decision.summary.lower().replace(" ", "-")]
    return [*words, CODE] if candidate.side.is_code else words


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
