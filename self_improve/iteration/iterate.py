"""One iteration, phase by phase; every phase leaves a marker, so that a killed one goes on."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prompt_lab.record import Evidence
from prompt_lab.repository import Repository
from self_improve.iteration import measurement, opinions
from self_improve.iteration.branches import Branched
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Check, Decision, decide
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts, IterationFolder
from self_improve.iteration.implementing import implement
from self_improve.iteration.proposing import propose
from self_improve.iteration.publication import JudgedCandidate
from self_improve.iteration.request import IterationRequest
from self_improve.verdict import Word

_CHECKED = ("analyse", "verify", "downstream", "spot_check")


class Iteration:
    """The phases of one iteration; `run` does what is left of them."""

    def __init__(self, context: IterationContext) -> None:
        self._ground = context
        self._place = context.place

    async def run(self) -> dict[str, Decision]:
        """Do what is left, and return how each candidate ended: none if nothing was proposed.

        Raises:
            BudgetReached: the same command with a higher cap does the rest.
            UsageError, ForgeError, LabError, AnalysisError: as the message says.
        """
        proposal = await self._phase("propose", propose.propose)
        drafts = [Draft.from_row(row) for row in proposal["drafts"]]
        nothing = proposal.get("nothing", "")
        if proposal.get("directions"):
            written = await self._phase("implement", implement.implement, proposal["directions"])
            drafts += [Draft.from_row(row) for row in written["drafts"]]
            nothing = f"{nothing} {written['nothing']}".strip()
        if not drafts:
            self._ground.publisher.say(nothing)
            await self._phase("publish", publish, drafts, {}, {}, {})
            return {}
        branched = await self._phase("branch", branch, drafts)
        sides = {row["name"]: Branched(**row) for row in branched["sides"]}
        await self._phase("run", measurement.run, drafts, sides)
        evaluated = (await self._phase("evaluate", measurement.evaluate, drafts, sides))[
            "candidates"
        ]
        best = _best(evaluated)
        said = await self._phase("analyse", opinions.analyse, drafts, sides, best)
        kept = evaluated[best]["word"] == str(Word.keep)
        verified = await self._phase("verify", measurement.verify, sides, best) if kept else {}
        harmed = verified.get("word") == str(Word.reject) or bool(verified.get("gates"))
        checks: list[Facts] = [{}, {}]
        if kept and not harmed:
            checks = [
                await self._phase("downstream", measurement.downstream, sides, best),
                await self._phase("spot_check", measurement.spot_check, sides, best),
            ]
        decisions = _decisions(evaluated, best, said, verified, checks)
        await self._phase("publish", publish, drafts, sides, evaluated, decisions)
        shutil.rmtree(self._place.scratch, ignore_errors=True)
        return decisions

    async def _phase(self, name: str, work: Callable[..., Awaitable[Facts]], *given: Any) -> Facts:
        """Do a phase unless it is done, and commit the data repo after it."""
        known = self._place.result(name)
        if known is not None:
            return known
        found = await self._place.phase(name, lambda: work(self._ground, *given))
        keep(self._ground.request, self._place, name)
        return found


def keep(request: IterationRequest, place: IterationFolder, phase: str) -> None:
    """Commit what a phase has left in the data repo, unless it is committed.

    Raises:
        LabError: a file holds a key or a path of this machine, or git refuses.
    """
    layout = request.layout
    Repository(layout, secrets=[*request.catalogue.key_variables, "GITHUB_TOKEN"]).commit(
        [place.path, layout.history, layout.scores, layout.forge, layout.patterns],
        f"{place.id}: {phase.replace('_', ' ')}",
    )


async def branch(context: IterationContext, drafts: Sequence[Draft]) -> Facts:
    """Give every draft a branch, a commit and a pull request."""
    made = [context.base_side()]
    for draft in drafts:
        if draft.is_code and draft.origin == "synthesis":
            side = context.branching.of_commit(draft, context.base, context.request.base)
        elif draft.is_code:
            side = context.branching.of_pull(draft, context.base)
        else:
            side = context.branching.of_texts(
                draft, context.base, context.request.base, draft.texts
            )
        context.branching.pending(side)
        made.append(side)
    return {"sides": [side.to_row() for side in made]}


async def publish(
    context: IterationContext,
    drafts: Sequence[Draft],
    sides: Mapping[str, Branched],
    evaluated: Mapping[str, Any],
    decisions: Mapping[str, Decision],
) -> Facts:
    """Write down how each candidate ended, in the data repo and on the forge."""
    results = {name: context.place.result(name) or {} for name in _CHECKED}
    before = (context.place.result("run") or {}).get("before", {})
    rows = {}
    for draft in drafts:
        rows[draft.id] = context.publisher.publish(
            JudgedCandidate(
                draft=draft, side=sides[draft.id], row=evaluated[draft.id],
                decision=decisions[draft.id], checks=results,
                cost=(context.gateway.ledger.spent - context.elsewhere).dollars,
                before={s: before[s] for s in draft.texts if s in before},
            ),
            base=context.base, branching=context.branching,
        )  # fmt: skip
    return {"candidates": rows, "date": datetime.now(UTC).date().isoformat()}


def _best(evaluated: Mapping[str, Any]) -> str:
    """Return the candidate that goes on: the best word, then the composite, then the shorter."""
    order = [str(Word.keep), str(Word.inconclusive), str(Word.reject)]

    def rank(name: str) -> tuple[int, float, int]:
        row = evaluated[name]
        effect = row["composite"]["effect"]
        return order.index(row["word"]), -(effect if effect is not None else -1e9), row["chars"]

    return min(evaluated, key=rank)


def _decisions(
    evaluated: Mapping[str, Any],
    best: str,
    said: Facts,
    verified: Facts,
    checks: Sequence[Facts],
) -> dict[str, Decision]:
    """Return how each candidate ends; of several only the best goes beyond the train plans."""
    made = {}
    for name, row in evaluated.items():
        if name != best:
            decision = decide(Word(row["word"]), evidence=Evidence(row["evidence"]))
            if row["word"] == str(Word.keep):
                told = f"{best} is better, or as good and shorter"
                decision = replace(decision, reasons=(told,))
            made[name] = decision
            continue
        made[name] = decide(
            Word(row["word"]),
            evidence=Evidence(row["evidence"]),
            opinions=opinions.from_row(said),
            verify=Word(verified["word"]) if "word" in verified else None,
            verify_gates=verified.get("gates", []),
            checks=[
                Check(name=label, harm=found.get("harm", []), skipped=found.get("skipped"))
                for label, found in zip(("downstream", "spot check"), checks, strict=True)
            ],
        )
    return made
