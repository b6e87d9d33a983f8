"""Opens the pull request that restores a best, and records it; every part may be repeated."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_gateway.config import Catalogue
from model_gateway.keys import without_keys
from prompt_lab.claim import claim
from prompt_lab.layout import Layout
from prompt_lab.repository import Repository
from prompt_lab.scores import Best, Score, Scores
from self_improve.cells.fork_server import ForkServer
from self_improve.code import patch
from self_improve.code.worktree import PREFIX, leaf_of
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge, MissingError, PullState
from self_improve.host import contract
from self_improve.host.pipeline import Pipeline
from self_improve.iteration.branches import Branches, Side
from self_improve.iteration.drafts import Draft, of_texts
from self_improve.rollback import bests, pages
from self_improve.rollback.bests import Bests, Entry
from self_improve.rollback.earlier_texts import EarlierTexts, earlier_texts
from self_improve.runs.specification import choose_step
from self_improve.sandbox import choice
from self_improve.sandbox.choice import Sandboxing


@dataclass(frozen=True, kw_only=True)
class RestorationRequest:
    """The request: a step, and which best of it, or None for the one before the current.

    `code` is the code tree in the user's checkout, `base` the branch to restore.
    """

    step: str
    to: str | None
    reason: str
    layout: Layout
    code: Path
    base: str
    host_file: Path | None
    catalogue: Catalogue
    sandbox: Sandboxing = Sandboxing.auto


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A planned rollback: from which best to which, on which commit, as which change."""

    target: Entry
    replaced: Entry
    base: str
    earlier: EarlierTexts
    draft: Draft


class Rollback:
    """Carries out one request. It never merges anything."""

    def __init__(
        self, request: RestorationRequest, forge: Forge, say: Callable[[str], None]
    ) -> None:
        self._request = request
        self._forge = forge
        self._branching = Branches(
            request.layout, request.code, forge, redactor=request.catalogue.redactor("GITHUB_TOKEN")
        )
        self._scores = Scores(request.layout)
        self._say = say

    async def dry_run(self) -> None:
        """Print what the pull request would change.

        Raises:
            UsageError, ForgeError, LabError: see `run`.
        """
        history = bests.read(self._request.layout, self._request.step)
        waiting = self._waiting(history)
        if waiting is not None:
            done = waiting.details["pull_request"] or f"The rollback to {waiting.summary}"
            self._say(f"{done} exists already.")
            return
        plan = await self._plan(history, history.current)
        tree = self._branching.tree(self._branching.baseline(plan.base), plan.base)
        instead = pages.instead(plan.target, plan.replaced)
        self._say(f"It would restore {plan.target.summary}{instead}.")
        self._say(patch.diff(patch.patched(tree.code, plan.earlier.changed)) or "Nothing differs.")

    async def run(self) -> None:
        """Open the pull request, or find the one that is open, and record it.

        Raises:
            UsageError: the best is unknown, its commit is gone, or a text is no longer sent.
            ForgeError: the forge cannot be reached, or refuses.
            LabError: the data repo cannot be read or written, or another process does this.
        """
        request = self._request
        with claim(request.layout, f"rollback-{request.step}"):
            history = bests.read(request.layout, request.step)
            waiting = self._waiting(history)
            if waiting is not None:
                self._finish(waiting.details, waiting.score)
                return
            plan = await self._plan(history, history.current)
            side = None
            if plan.earlier.changed:
                side = self._branching.of_texts(
                    plan.draft, plan.base, request.base, plan.earlier.changed
                )
            else:
                self._say(f"{request.base} already has the texts of {plan.target.summary}.")
                if plan.target is plan.replaced:
                    return
            self._finish(self._details(plan, side), self._score(plan, side))

    # Which best.

    def _waiting(self, history: Bests) -> Entry | None:
        """Return the rollback that was begun and is still open, if it is the requested one."""
        last = history.rollback
        if last is None or "rollback" not in last.details:
            return None
        begun = last.details["rollback"]
        if self._request.to is not None:
            target = history.named(self._request.to).score
            same = (target.iteration, target.candidate) == _key(begun["target"])
            if not same:
                return None
        if begun["side"] is None:
            # Nothing had to be changed, so nothing can still be open.
            current = history.current.score
            is_done = (current.iteration, current.candidate) == _key(begun["target"])
            return last if self._request.to is None or not is_done else None
        pull = self._forge.pull(Side(**begun["side"]).pull_request or 0)
        if pull.state is PullState.open:
            return last
        if pull.state is PullState.closed and self._request.to is None:
            raise UsageError(
                f"{pull.url}, the rollback to {last.score.candidate}, was closed and not merged. "
                "Name another best with --to; --list lists them."
            )
        return None

    async def _plan(self, history: Bests, replaced: Entry) -> _Plan:
        request = self._request
        target = history.before_current() if request.to is None else history.named(request.to)
        commit = self._commit_of(target)
        base = self._branching.base(request.base)
        tree = self._branching.tree(self._branching.baseline(base), base)
        pipeline = await self._pipeline(tree.code)
        step = choose_step(request.step, list(pipeline.steps))
        earlier = earlier_texts(request.code, commit, pipeline, step, measured=target.texts)
        draft = of_texts(
            step, earlier.changed, origin="human", change=f"go back to {target.score.candidate}",
            rationale=pages.why(target, replaced, request.reason), parent=target.score.candidate,
        )  # fmt: skip
        # A rollback to the same best from another commit is another pull request.
        name = f"{step}-rollback-{draft.id.rpartition('-')[2]}-{base[:8]}"
        return _Plan(
            target=target, replaced=replaced, base=base, earlier=earlier,
            draft=replace(draft, id=name),
        )  # fmt: skip

    def _commit_of(self, target: Entry) -> str:
        """Return the commit of a best; if it is missing here, fetch it from the forge."""
        score = target.score
        try:
            return self._branching.commit_of(score.commit)
        except UsageError as error:
            if self._fetched(score):
                return score.commit
            raise UsageError(
                f"The commit {score.commit[:12]} of {target.summary} is gone: neither "
                f"{self._request.code.name} nor {self._forge.name} has it. If another clone has "
                f"it, fetch it from there (git fetch CLONE {score.commit}) and run the same "
                "command again; or name another best with --to."
            ) from error

    def _fetched(self, score: Score) -> bool:
        """Fetch a best's commit from the forge, and return whether that worked."""
        try:
            pull = self._forge.pull_of(f"{PREFIX}/{leaf_of(score.candidate)}")
            return pull is not None and self._forge.fetch(self._request.code, pull) == score.commit
        except MissingError:
            return False

    async def _pipeline(self, code: Path) -> Pipeline:
        """Return the steps and surfaces of a code tree."""
        file = contract.locate(self._request.host_file, code)
        speed = contract.load(file).speeds[0]
        environment = without_keys(os.environ, also=self._request.catalogue.key_variables)
        with tempfile.TemporaryFile() as errors:
            server = await ForkServer.start(
                code=code, host_file=file, speed=speed, environment=environment, errors=errors,
                confined=choice.confines(
                    self._request.sandbox, code=code, own_tree=contract.own_code()
                ),
            )  # fmt: skip
            await server.close()
            return server.pipeline

    # The records.

    def _details(self, plan: _Plan, side: Side | None) -> Mapping[str, Any]:
        return {
            "reasons": [plan.draft.rationale], "texts": dict(plan.earlier.texts),
            "pull_request": side.url if side is not None else "", "origin": "human",
            "rollback": {
                "target": _named(plan.target), "replaced": _named(plan.replaced),
                "base": plan.base, "side": side.to_row() if side is not None else None,
                "found": asdict(plan.earlier),  # stored key
            },
        }  # fmt: skip

    def _score(self, plan: _Plan, side: Side | None) -> Score:
        old, new = plan.replaced.score, plan.target.score
        scores = (old.candidate_score, new.candidate_score)
        return Score(
            step=new.step, date=datetime.now(UTC).date().isoformat(), candidate=new.candidate,
            baseline_score=old.candidate_score, candidate_score=new.candidate_score,
            best_score=None, delta=None if None in scores else (scores[1] or 0) - (scores[0] or 0),
            interval=None, verdict=pages.word(plan.target), split=new.split,
            models=new.models, cost=0.0, commit=side.commit if side is not None else plan.base,
            iteration=plan.draft.id if side is None else f"{plan.draft.id}-{side.pull_request}",
        )  # fmt: skip

    def _finish(self, details: Mapping[str, Any], score: Score) -> None:
        """Comment and record; every part may have been done by an earlier, killed command."""
        request, begun = self._request, details["rollback"]
        history = bests.read(request.layout, request.step)
        target, replaced = (history.of_key(*_key(begun[name])) for name in ("target", "replaced"))
        earlier = EarlierTexts(**begun["found"])
        if begun["side"] is not None:
            side = Side(**begun["side"])
            self._branching.require_unmoved(side)
            number = side.pull_request or 0
            page = pages.evidence(target, replaced, earlier, step=request.step, pull=number)
            self._forge.comment(number, pages.MARKER, page)
            self._forge.set_status(side.commit, pages.status(target))
            self._forge.label(number, add=[pages.MARKER, *["simulated"] * target.simulated])
        score = self._scores.add(score, details)
        self._scores.set_best(
            Best(
                step=request.step, candidate=target.score.candidate,
                score=target.score.candidate_score, commit=score.commit,
                pull_request=details["pull_request"], iteration=target.score.iteration,
                texts=details["texts"], simulated=target.simulated,
            )
        )  # fmt: skip
        redactor = request.catalogue.redactor("GITHUB_TOKEN")
        Repository(request.layout, redactor=redactor).commit(
            [request.layout.scores, request.layout.forge],
            f"{request.step}: {score.verdict} to {target.score.candidate}",
        )
        self._say(f"{score.verdict}: {target.summary}{pages.instead(target, replaced)}")
        self._say(
            f"{details['pull_request']} is open; nothing was merged, nothing was measured."
            if details["pull_request"]
            else "No pull request is needed; the record names it as the best. To go further back, "
            "name a best with --to."
        )


def _named(entry: Entry) -> dict[str, str]:
    return {"iteration": entry.score.iteration, "candidate": entry.score.candidate}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["iteration"]), str(row["candidate"])
