"""Opening the pull request that restores a best, and recording it; all of it may be repeated."""

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
from self_improve.rollback.earlier_texts import Earlier, earlier
from self_improve.runs.specification import choose_step


@dataclass(frozen=True, kw_only=True)
class RestorationRequest:
    """What was asked for: a step, and which best of it, or None for the one before the current.

    `code` is the code tree in the user's checkout, `base` the branch that is to be mended.
    """

    step: str
    to: str | None
    reason: str
    layout: Layout
    code: Path
    base: str
    host_file: Path | None
    catalogue: Catalogue


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A rollback that is settled: from where to where, on which commit, as which change."""

    target: Entry
    replaced: Entry
    base: str
    found: Earlier
    draft: Draft


class Rollback:
    """Carries out one order. It never merges anything."""

    def __init__(self, order: RestorationRequest, forge: Forge, say: Callable[[str], None]) -> None:
        self._order = order
        self._forge = forge
        self._branching = Branches(order.layout, order.code, forge)
        self._scores = Scores(order.layout)
        self._say = say

    async def dry_run(self) -> None:
        """Say what the pull request would change.

        Raises:
            UsageError, ForgeError, LabError: see `run`.
        """
        known = bests.read(self._order.layout, self._order.step)
        waiting = self._waiting(known)
        if waiting is not None:
            done = waiting.details["pull_request"] or f"The way back to {waiting.summary}"
            self._say(f"{done} is there already.")
            return
        plan = await self._planned(known, known.current)
        tree = self._branching.tree(self._branching.baseline(plan.base), plan.base)
        instead = pages.instead(plan.target, plan.replaced)
        self._say(f"It would restore {plan.target.summary}{instead}.")
        self._say(patch.diff(patch.patched(tree.code, plan.found.changed)) or "Nothing differs.")

    async def run(self) -> None:
        """Open the pull request, or find the one that is open, and record it.

        Raises:
            UsageError: there is no such best, its commit is gone, or its texts have no place.
            ForgeError: the forge cannot be reached, or refuses.
            LabError: the data repo cannot be read or written, or another process does this.
        """
        order = self._order
        with claim(order.layout, f"rollback-{order.step}"):
            known = bests.read(order.layout, order.step)
            waiting = self._waiting(known)
            if waiting is not None:
                self._finish(waiting.details, waiting.score)
                return
            plan = await self._planned(known, known.current)
            side = None
            if plan.found.changed:
                side = self._branching.of_texts(
                    plan.draft, plan.base, order.base, plan.found.changed
                )
            else:
                self._say(f"{order.base} says already what {plan.target.summary} said.")
                if plan.target is plan.replaced:
                    return
            self._finish(self._details(plan, side), self._score(plan, side))

    # Which best.

    def _waiting(self, known: Bests) -> Entry | None:
        """Return the rollback that was begun and is still open, if it is the one that is meant."""
        last = known.rollback
        if last is None or "rollback" not in last.details:
            return None
        begun = last.details["rollback"]
        if self._order.to is not None:
            target = known.named(self._order.to).score
            same = (target.iteration, target.candidate) == _key(begun["target"])
            if not same:
                return None
        if begun["side"] is None:
            # Nothing had to be changed, so there is nothing that could still be open.
            current = known.current.score
            is_done = (current.iteration, current.candidate) == _key(begun["target"])
            return last if self._order.to is None or not is_done else None
        pull = self._forge.pull(Side(**begun["side"]).pull_request or 0)
        if pull.state is PullState.open:
            return last
        if pull.state is PullState.closed and self._order.to is None:
            raise UsageError(
                f"{pull.url}, which goes back to {last.score.candidate}, was closed and not "
                "merged. Say what you want instead with --to; --list shows what there is."
            )
        return None

    async def _planned(self, known: Bests, replaced: Entry) -> _Plan:
        order = self._order
        target = known.before_current() if order.to is None else known.named(order.to)
        commit = self._commit_of(target)
        base = self._branching.base(order.base)
        tree = self._branching.tree(self._branching.baseline(base), base)
        pipeline = await self._pipeline(tree.code)
        step = choose_step(order.step, list(pipeline.steps))
        found = earlier(order.code, commit, pipeline, step, known=target.texts)
        draft = of_texts(
            step, found.changed, origin="human", change=f"go back to {target.score.candidate}",
            rationale=pages.why(target, replaced, order.reason), parent=target.score.candidate,
        )  # fmt: skip
        # Going back to the same from another commit is another pull request.
        name = f"{step}-rollback-{draft.id.rpartition('-')[2]}-{base[:8]}"
        return _Plan(
            target=target, replaced=replaced, base=base, found=found,
            draft=replace(draft, id=name),
        )  # fmt: skip

    def _commit_of(self, target: Entry) -> str:
        """Return the commit of a best; one that is not here is looked for on the forge."""
        score = target.score
        try:
            return self._branching.commit_of(score.commit)
        except UsageError as error:
            if self._fetched(score):
                return score.commit
            raise UsageError(
                f"The commit {score.commit[:12]} of {target.summary} is gone: neither "
                f"{self._order.code.name} nor {self._forge.name} has it. If another clone has it, "
                f"fetch it from there (git fetch CLONE {score.commit}) and repeat the command; or "
                "name another best with --to."
            ) from error

    def _fetched(self, score: Score) -> bool:
        """Whether the forge had a best's commit, which now is here."""
        try:
            pull = self._forge.pull_of(f"{PREFIX}/{leaf_of(score.candidate)}")
            return pull is not None and self._forge.fetch(self._order.code, pull) == score.commit
        except MissingError:
            return False

    async def _pipeline(self, code: Path) -> Pipeline:
        """Return the steps and surfaces of a code tree."""
        file = contract.locate(self._order.host_file, code)
        speed = contract.load(file).speeds[0]
        environment = without_keys(os.environ, also=self._order.catalogue.key_variables)
        with tempfile.TemporaryFile() as errors:
            server = await ForkServer.start(
                code=code, host_file=file, speed=speed, environment=environment, errors=errors
            )
            await server.close()
            return server.pipeline

    # What is written down.

    def _details(self, plan: _Plan, side: Side | None) -> Mapping[str, Any]:
        return {
            "reasons": [plan.draft.rationale], "texts": dict(plan.found.texts),
            "pull_request": side.url if side is not None else "", "origin": "human",
            "rollback": {
                "target": _named(plan.target), "replaced": _named(plan.replaced),
                "base": plan.base, "side": side.to_row() if side is not None else None,
                "found": asdict(plan.found),
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
        """Do what follows the pull request; every part of it may have been done before."""
        order, begun = self._order, details["rollback"]
        known = bests.read(order.layout, order.step)
        target, replaced = (known.at_key(*_key(begun[name])) for name in ("target", "replaced"))
        found = Earlier(**begun["found"])
        if begun["side"] is not None:
            side = Side(**begun["side"])
            self._branching.require_unmoved(side)
            number = side.pull_request or 0
            told = pages.evidence(target, replaced, found, step=order.step, pull=number)
            self._forge.comment(number, pages.MARKER, told)
            self._forge.set_status(side.commit, pages.status(target))
            self._forge.label(number, add=[pages.MARKER, *["simulated"] * target.simulated])
        score = self._scores.add(score, details)
        self._scores.set_best(
            Best(
                step=order.step, candidate=target.score.candidate,
                score=target.score.candidate_score, commit=score.commit,
                pull_request=details["pull_request"], iteration=target.score.iteration,
                texts=details["texts"], simulated=target.simulated,
            )
        )  # fmt: skip
        secrets = [*order.catalogue.key_variables, "GITHUB_TOKEN"]
        Repository(order.layout, secrets=secrets).commit(
            [order.layout.scores, order.layout.forge],
            f"{order.step}: {score.verdict} to {target.score.candidate}",
        )
        self._say(f"{score.verdict}: {target.summary}{pages.instead(target, replaced)}")
        self._say(
            f"{details['pull_request']} is open; nothing was merged, nothing was measured."
            if details["pull_request"]
            else "No pull request is needed; the record names it as the best. To go further back, "
            "say --to."
        )


def _named(entry: Entry) -> dict[str, str]:
    return {"iteration": entry.score.iteration, "candidate": entry.score.candidate}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["iteration"]), str(row["candidate"])
