"""One iteration, phase by phase; each phase leaves a marker, so a killed iteration can resume."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prompt_lab import leaks
from prompt_lab.atomic import json_text
from prompt_lab.record import Evidence
from prompt_lab.repository import Repository
from self_improve.iteration import measurement, opinions
from self_improve.iteration.branches import Side
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Check, Decision, decide
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts, IterationFolder
from self_improve.iteration.implementing import implement
from self_improve.iteration.proposing import propose
from self_improve.iteration.publication import DecidedCandidate
from self_improve.iteration.request import IterationRequest
from self_improve.verdict import Word

_PUBLISHED = ("analyse", "verify", "downstream", "spot_check")


class Iteration:
    """The phases of one iteration; `run` does those that are left."""

    def __init__(self, context: IterationContext) -> None:
        self._context = context

    async def run(self) -> dict[str, Decision]:
        """Run the phases that are left; return the decision on each candidate, if there are any.

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
            self._context.publisher.say(nothing)
            await self._phase("publish", publish, drafts, {}, {}, {})
            return {}
        branched = await self._phase("branch", branch, drafts)
        sides = {row["name"]: Side(**row) for row in branched["sides"]}
        await self._phase("run", measurement.run, drafts, sides)
        evaluation = await self._phase("evaluate", measurement.evaluate, drafts, sides)
        rows = evaluation["candidates"]
        best = _best(rows)
        asked = await self._phase("analyse", opinions.analyse, drafts, sides, best)
        keep = rows[best]["word"] == str(Word.keep)
        verified = await self._phase("verify", measurement.verify, sides, best) if keep else {}
        harmed = verified.get("word") == str(Word.reject) or bool(verified.get("gates"))
        checks: list[Facts] = [{}, {}]
        if keep and not harmed:
            checks = [
                await self._phase("downstream", measurement.downstream, sides, best),
                await self._phase("spot_check", measurement.spot_check, sides, best),
            ]
        decisions = _decisions(rows, best, asked, verified, checks)
        await self._phase("publish", publish, drafts, sides, rows, decisions)
        shutil.rmtree(self._context.folder.scratch, ignore_errors=True)
        return decisions

    async def _phase(
        self, name: str, work: Callable[..., Awaitable[Facts]], *arguments: Any
    ) -> Facts:
        """Run a phase unless it is finished, and commit the data repo after it.

        A phase that leaves a key anywhere is not finished, and nothing that it left is posted.
        """
        context = self._context
        result = context.folder.result(name)
        if result is None:

            async def checked() -> Facts:
                require_no_keys(context)
                facts = await work(context, *arguments)
                require_no_keys(context, {f"the result of {name}": json_text(facts)})
                return facts

            result = await context.folder.phase(name, checked)
            commit(context.request, context.folder, name)
        return result


def require_no_keys(context: IterationContext, texts: Mapping[str, str] | None = None) -> None:
    """Check what is not committed yet, and `texts` by their names.

    Raises:
        LeakError: a file or text holds a key.
    """
    request = context.request
    leaks.require_no_keys(request.run.redactor, texts or {}, "The phase is not done")
    repository = Repository(request.layout, redactor=request.run.redactor)
    repository.check(_committed(request, context.folder))


def commit(request: IterationRequest, folder: IterationFolder, phase: str) -> None:
    """Commit what a phase has left in the data repo, unless it is committed.

    Raises:
        LabError: a file holds a key or a path of this machine, or git refuses.
    """
    Repository(request.layout, redactor=request.run.redactor).commit(
        _committed(request, folder), f"{folder.id}: {phase.replace('_', ' ')}"
    )


def _committed(request: IterationRequest, folder: IterationFolder) -> list[Path]:
    layout = request.layout
    return [folder.path, layout.history, layout.scores, layout.forge, layout.patterns]


async def branch(context: IterationContext, drafts: Sequence[Draft]) -> Facts:
    """Give every draft a branch, a commit and a pull request."""
    sides = [context.base_side()]
    for draft in drafts:
        if draft.is_code and draft.origin == "synthesis":
            side = context.branches.of_commit(draft, context.base, context.request.base)
        elif draft.branch is not None:
            side = context.branches.of_branch(draft, context.base, context.request.base)
        elif draft.is_code:
            side = context.branches.of_pull(draft, context.base)
        else:
            side = context.branches.of_texts(draft, context.base, context.request.base, draft.texts)
        context.branches.pending(side)
        sides.append(side)
    return {"sides": [side.to_row() for side in sides]}


async def publish(
    context: IterationContext,
    drafts: Sequence[Draft],
    sides: Mapping[str, Side],
    evaluated: Mapping[str, Any],
    decisions: Mapping[str, Decision],
) -> Facts:
    """Record how each candidate ended, in the data repo and on the forge."""
    results = {name: context.folder.result(name) or {} for name in _PUBLISHED}
    before = (context.folder.result("run") or {}).get("before", {})
    rows = {}
    for draft in drafts:
        rows[draft.id] = context.publisher.publish(
            DecidedCandidate(
                draft=draft, side=sides[draft.id], row=evaluated[draft.id],
                decision=decisions[draft.id], checks=results,
                cost=(context.gateway.ledger.spent - context.elsewhere).dollars,
                before={s: before[s] for s in draft.texts if s in before},
            ),
            base=context.base, branches=context.branches,
        )  # fmt: skip
    return {"candidates": rows, "date": datetime.now(UTC).date().isoformat()}


def _best(evaluated: Mapping[str, Any]) -> str:
    """Return the candidate to check further: best word, then composite, then shortest prompt."""
    words = [str(Word.keep), str(Word.inconclusive), str(Word.reject)]

    def rank(name: str) -> tuple[int, float, int]:
        row = evaluated[name]
        effect = row["composite"]["effect"]
        return words.index(row["word"]), -(effect if effect is not None else -1e9), row["chars"]

    return min(evaluated, key=rank)


def _decisions(
    evaluated: Mapping[str, Any],
    best: str,
    asked: Facts,
    verified: Facts,
    checks: Sequence[Facts],
) -> dict[str, Decision]:
    """Return the decision on each candidate; only the best is checked beyond the train plans."""
    decisions = {}
    for name, row in evaluated.items():
        if name == best:
            decisions[name] = decide(
                Word(row["word"]),
                evidence=Evidence(row["evidence"]),
                opinions=opinions.from_row(asked),
                verify=Word(verified["word"]) if "word" in verified else None,
                verify_gates=verified.get("gates", []),
                checks=[
                    Check(name=label, harm=check.get("harm", []), skipped=check.get("skipped"))
                    for label, check in zip(("downstream", "spot check"), checks, strict=True)
                ],
            )
            continue
        decision = decide(Word(row["word"]), evidence=Evidence(row["evidence"]))
        if row["word"] == str(Word.keep):
            reason = f"{best} is better, or as good and shorter"
            decision = replace(decision, reasons=(reason,))
        decisions[name] = decision
    return decisions
