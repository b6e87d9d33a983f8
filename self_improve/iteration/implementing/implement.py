"""Directions that no text can express: an agent writes the code, and checks decide about it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from analysis.agent import AgentFailure
from analysis.replies import Direction
from prompt_lab.scores import Scores
from self_improve.errors import UsageError
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE, Branched
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing import acceptance, assignment, choice, confinement
from self_improve.iteration.implementing.acceptance import Refused, Trials
from self_improve.iteration.implementing.implementer import Assignment, Implementer, Work
from self_improve.runs.preparation import Prepared

REFUSED = "REFUSED"
_LONGEST_DIFF = 20_000


async def implement(context: IterationContext, wanted: Sequence[Facts]) -> Facts:
    """Have every direction written as code, one after the other; return the drafts of what passed.

    Raises:
        BudgetReached: with more room the rest can be done.
        AnalysisError, ConfigError, UsageError: nobody can write, as the message says.
    """
    request = context.request
    writer = choice.chosen(request, counsel=context.counsel, ledger=context.gateway.ledger)
    context.publisher.say(choice.summary(request, len(wanted)))
    trials = Trials(
        command=request.test_command or acceptance.TESTS,
        key_variables=request.catalogue.key_variables,
    )  # fmt: skip
    async with context.experiment({BASELINE: context.base_side()}) as trial:
        work = trial.works[BASELINE]
    site = _Site(context=context, writer=writer, work=work, trials=trials)
    await site.require_sound_base()
    rows = [
        await context.place.phase(f"implement_{row['number']}", partial(site.carry_out, row))
        for row in wanted
    ]
    drafts = [row["draft"] for row in rows if row.get("draft") is not None]
    told = "; ".join(f"{row['id']}: {row['reason']}" for row in rows if row.get("draft") is None)
    return {"drafts": drafts, "nothing": f"No code came of it. {told}".strip()}


@dataclass(frozen=True, kw_only=True)
class _Site:
    """Where one iteration's directions become code."""

    context: IterationContext
    writer: Implementer
    work: Prepared
    trials: Trials

    async def require_sound_base(self) -> None:
        """Raise UsageError if no code could pass: the tests cannot be run, or fail as it is."""
        tests = assignment.tests_of(self._code, self.work.step)
        if not tests:
            return
        self.trials.require_runnable()
        try:
            await acceptance.passed(self._code, tests, self.trials)
        except Refused as refused:
            raise UsageError(
                "No agent is asked for code, because the base does not pass itself. Mend it, name "
                f"other tests with --test-command, or say --skip-implement: {refused}"
            ) from refused

    async def carry_out(self, row: Facts) -> Facts:
        """Return the draft of a direction, or why there is none; a refused one is remembered."""
        number, direction = int(row["number"]), Direction.model_validate(row["direction"])
        draft = Draft(
            # Other iterations may try the same direction, and every branch has one base.
            id=f"{self.context.request.step}-code-{self.context.place.number}-{number}",
            step=self.context.request.step, origin="synthesis", change=direction.title,
            expectations=self.context.request.expectations,
        )  # fmt: skip
        ordered = self._assignment(number, direction)
        diff = ""
        try:
            work = await self._written(ordered)
            diff = _told(ordered, work)
            side = self._committed(draft, direction, work)
            diff = side.diff
            notes = await self._checked(side, ordered, work)
        except AgentFailure as failure:
            return self._said(draft, f"{self.writer.name} gave no code: {failure}")
        except Refused as refused:
            self._remember(draft, self._public(str(refused)), self._public(diff))
            return self._said(draft, f"refused: {refused}")
        draft = replace(
            draft, branch=side.branch, commit=side.commit,
            rationale=self._rationale(direction, work, notes),
        )  # fmt: skip
        self.context.publisher.say(f"{draft.id}: written and checked")
        return {"id": draft.id, "draft": draft.to_row()}

    async def _written(self, ordered: Assignment) -> Work:
        """Have the work done."""
        branching = self.context.branching
        guarded = branching.settings_digest()
        work = await self.writer.write(ordered)
        if branching.settings_digest() == guarded:
            return work
        changed = "settings or hooks of the code's repository were changed meanwhile"
        return replace(work, breaches=(*work.breaches, changed))

    def _committed(self, draft: Draft, direction: Direction, work: Work) -> Branched:
        """Return the commit that holds the work: the one that is there already, or a new one."""
        context = self.context
        if work.breaches:
            raise Refused(f"{self.writer.name} went beyond its files: {'; '.join(work.breaches)}")
        if not work.files:
            raise Refused(f"{self.writer.name} changed nothing")
        for name, text in work.files.items():
            if f"{context.layout.root}/" in text or confinement.names_machine(text):
                raise Refused(f"{name} holds a path of this machine")
        told = f"{draft.title}\n\n{direction.why}"
        return context.branching.written(draft, context.base, work.files, message=told)

    async def _checked(self, side: Branched, ordered: Assignment, work: Work) -> list[str]:
        """Return what to tell of the checks, all of which the commit has passed.

        What is tested is the commit, so that nothing can differ from what is measured and merged.
        """
        context = self.context
        if (earlier := self._known(side.diff)) is not None:
            raise Refused(f"the same change was rejected before, by {earlier}")
        known = assignment.tests_of(self._code, self.work.step)
        tests = [name for name in ordered.writable if name in known]
        notes = []
        if set(work.files) & set(tests):
            # Who must pass tests must not decide what they say.
            with context.branching.as_before(side, context.base, tests) as code:
                told = await acceptance.passed(code, tests, self.trials)
                notes.append(f"as they were before the change, {told}")
        code = context.branching.tree(side, context.base).code
        notes.append(await acceptance.passed(code, tests, self.trials))
        base = context.base_side()
        return notes + await acceptance.runs(context, side, self.work.pipeline, base)

    def _assignment(self, number: int, direction: Direction) -> Assignment:
        context = self.context
        # What the search was told of as well, which stays the same however often it is resumed.
        known = (context.place.result("experience") or {}).get("failed", [])
        return assignment.assignment(
            number, direction, code=self._code, step=self.work.step, host=self.work.host,
            constraints=[one.text for one in context.rubric.constraints], failed=known,
        )  # fmt: skip

    @property
    def _code(self) -> Path:
        context = self.context
        return context.branching.tree(context.base_side(), context.base).code

    def _rationale(self, direction: Direction, work: Work, notes: Sequence[str]) -> str:
        writer = self.writer
        who = f"{writer.name} ({writer.model_id})"
        lines = [
            direction.why,
            f"Code, written by {who}{', SIMULATED' if writer.simulated else ''}: "
            f"{self._public(work.summary)}",
            f"Files: {', '.join(sorted(work.files))}",
            "Checked: " + "; ".join(notes) + ".",
            "A person must read and merge it; this program never does.",
        ]
        return "\n\n".join(line for line in lines if line)

    def _known(self, diff: str) -> str | None:
        """Return which earlier iteration has rejected the same change."""
        rows = Scores(self.context.layout).failed(self.context.request.step)
        own = f"{self.context.place.id}/"
        found = [
            str(row["iteration"])
            for row in rows
            # What was only refused was not measured, and may pass another time.
            if row.get("diff") == diff and str(row.get("verdict", "")).endswith("NO")
        ]
        return next((name for name in found if not name.startswith(own)), None)

    def _remember(self, draft: Draft, reason: str, diff: str) -> None:
        context = self.context
        simulated = context.request.simulated or self.writer.simulated
        base = rejected.base_of(rejected.texts_of(self.work.pipeline, context.request.step))
        Scores(context.layout).add_failed(
            f"{context.place.id}/{draft.id}",
            {
                "step": draft.step, "candidate": draft.id, "texts": {}, "diff": diff,
                "models": [], "plans": [], "reasons": [reason],
                "verdict": f"SIMULATED {REFUSED}" if simulated else REFUSED,
                "change": draft.change, "base": context.base, "base_texts": base,
            },
        )  # fmt: skip

    def _said(self, draft: Draft, reason: str) -> Facts:
        told = self._public(reason)
        self.context.publisher.say(f"{draft.id}: {told}")
        return {"id": draft.id, "reason": told}

    def _public(self, text: str) -> str:
        return acceptance.without_paths(text, self.context.layout.root)


def _told(ordered: Assignment, work: Work) -> str:
    """Return what the work changes, as a person reads it."""
    told = [
        line
        for name, text in sorted(work.files.items())
        for line in difflib.unified_diff(
            ordered.files[name].splitlines(), text.splitlines(), f"a/{name}", f"b/{name}",
            lineterm="",
        )
    ]  # fmt: skip
    return "\n".join(told)[:_LONGEST_DIFF]
