"""The implement phase: an agent writes code for a direction, and checks accept or refuse it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from analysis.agent import AgentFailure
from analysis.replies import Direction
from model_gateway.keys import HIDDEN
from prompt_lab.scores import Scores
from self_improve.errors import UsageError
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE, Side
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing import acceptance, assignment, choice, confinement
from self_improve.iteration.implementing.acceptance import Refused, StepTests
from self_improve.iteration.implementing.implementer import Assignment, Implementer, Work
from self_improve.runs.preparation import Prepared

REFUSED = "REFUSED"
_LONGEST_DIFF = 20_000


async def implement(context: IterationContext, directions: Sequence[Facts]) -> Facts:
    """Implement every direction, one after the other; return the drafts of those that passed.

    Raises:
        BudgetReached: the same command with a higher cap does the rest.
        AnalysisError, ConfigError, UsageError: there is no implementer, as the message says.
    """
    request = context.request
    writer = choice.chosen(request, counsel=context.counsel, ledger=context.gateway.ledger)
    context.publisher.say(choice.summary(request, len(directions)))
    tests = StepTests(
        command=request.test_command or acceptance.TESTS,
        key_variables=request.run.catalogue.key_variables, redactor=request.run.redactor,
        sandbox=request.run.sandbox,
    )  # fmt: skip
    async with context.experiment({BASELINE: context.base_side()}) as experiment:
        work = experiment.works[BASELINE]
    implementation = _Implementation(context=context, writer=writer, work=work, tests=tests)
    await implementation.require_sound_base()
    rows = [
        await context.folder.phase(
            f"implement_{row['number']}", partial(implementation.carry_out, row)
        )
        for row in directions
    ]
    drafts = [row["draft"] for row in rows if row.get("draft") is not None]
    reasons = [f"{row['id']}: {row['reason']}" for row in rows if row.get("draft") is None]
    return {"drafts": drafts, "nothing": f"No code was accepted. {'; '.join(reasons)}".strip()}


@dataclass(frozen=True, kw_only=True)
class _Implementation:
    """What turns the directions of one iteration into code."""

    context: IterationContext
    writer: Implementer
    work: Prepared
    tests: StepTests

    async def require_sound_base(self) -> None:
        """Raise UsageError if the base's own tests cannot be run or fail, so no code could pass."""
        files = assignment.tests_of(self._code, self.work.step)
        if not files:
            return
        self.tests.require_runnable()
        try:
            await acceptance.run_tests(self._code, files, self.tests)
        except Refused as refused:
            raise UsageError(
                "No agent is asked for code, because the base fails its own tests. Fix it, name "
                f"other tests with --test-command, or use --skip-implement: {refused}"
            ) from refused

    async def carry_out(self, row: Facts) -> Facts:
        """Return the draft of a direction, or why there is none; refused code is recorded."""
        number, direction = int(row["number"]), Direction.model_validate(row["direction"])
        draft = Draft(
            # Other iterations may try the same direction, and a branch has only one base.
            id=f"{self.context.request.step}-code-{self.context.folder.number}-{number}",
            step=self.context.request.step, origin="synthesis", change=direction.title,
            expectations=self.context.request.expectations,
        )  # fmt: skip
        task = self._assignment(number, direction)
        diff = ""
        try:
            work = await self._write(task)
            diff = _diff(task, work)
            side = self._commit(draft, direction, task, work)
            diff = side.diff
            notes = await self._check(side, task, work)
        except AgentFailure as failure:
            return self._without_draft(draft, f"{self.writer.name} gave no code: {failure}")
        except Refused as refused:
            self._remember(draft, self._public(str(refused)), self._public(diff))
            return self._without_draft(draft, f"refused: {refused}")
        draft = replace(
            draft, branch=side.branch, commit=side.commit,
            rationale=self._rationale(direction, work, notes),
        )  # fmt: skip
        self.context.publisher.say(f"{draft.id}: written and checked")
        return {"id": draft.id, "draft": draft.to_row()}

    async def _write(self, task: Assignment) -> Work:
        """Return the implementer's work; changed settings of the repository are a breach."""
        branches = self.context.branches
        digest = branches.settings_digest()
        work = await self.writer.write(task)
        if branches.settings_digest() == digest:
            return work
        breach = "settings or hooks of the code's repository were changed meanwhile"
        return replace(work, breaches=(*work.breaches, breach))

    def _commit(self, draft: Draft, direction: Direction, task: Assignment, work: Work) -> Side:
        """Return the side whose commit holds the work; an earlier session may have created it."""
        context = self.context
        if work.breaches:
            raise Refused(f"{self.writer.name} went beyond its files: {'; '.join(work.breaches)}")
        if not work.files:
            raise Refused(f"{self.writer.name} changed nothing")
        for name, text in work.files.items():
            if f"{context.layout.root}/" in text or confinement.names_machine(text):
                raise Refused(f"{name} holds a path of this machine")
            if text.count(HIDDEN) > task.files[name].count(HIDDEN):
                raise Refused(f"{name} held a key, which was taken out of the reply")
        message = f"{draft.title}\n\n{direction.why}"
        return context.branches.of_files(draft, context.base, work.files, message=message)

    async def _check(self, side: Side, task: Assignment, work: Work) -> list[str]:
        """Return notes on the checks, all of which the commit has passed.

        The commit itself is tested, so that nothing differs from what is measured and merged.
        """
        context = self.context
        if (earlier := self._rejected_by(side.diff)) is not None:
            raise Refused(f"the same change was rejected before, by {earlier}")
        of_step = assignment.tests_of(self._code, self.work.step)
        files = [name for name in task.writable if name in of_step]
        notes = []
        if set(work.files) & set(files):
            # An agent that must pass the tests must not decide what they check.
            with context.branches.as_before(side, context.base, files) as code:
                note = await acceptance.run_tests(code, files, self.tests)
                notes.append(f"as they were before the change, {note}")
        notes.append(await acceptance.run_tests(context.code_of(side), files, self.tests))
        base = context.base_side()
        return notes + await acceptance.try_step(context, side, self.work.pipeline, base)

    def _assignment(self, number: int, direction: Direction) -> Assignment:
        context = self.context
        # As recorded for the search, so that a resumed phase asks the same.
        failed = (context.folder.result("experience") or {}).get("failed", [])
        return assignment.assignment(
            number, direction, code=self._code, step=self.work.step, host=self.work.host,
            constraints=[one.text for one in context.rubric.constraints], failed=failed,
        )  # fmt: skip

    @property
    def _code(self) -> Path:
        return self.context.code_of(self.context.base_side())

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

    def _rejected_by(self, diff: str) -> str | None:
        """Return which earlier iteration has rejected the same change."""
        rows = Scores(self.context.layout).failed(self.context.request.step)
        names = [
            str(row["iteration"])
            for row in rows
            # Code that was only refused was not measured, and may pass another time.
            if row.get("diff") == diff and str(row.get("verdict", "")).endswith("NO")
        ]
        prefix = f"{self.context.folder.id}/"
        return next((name for name in names if not name.startswith(prefix)), None)

    def _remember(self, draft: Draft, reason: str, diff: str) -> None:
        context = self.context
        simulated = context.request.simulated or self.writer.simulated
        base = rejected.base_of(rejected.texts_of(self.work.pipeline, context.request.step))
        Scores(context.layout).add_failed(
            f"{context.folder.id}/{draft.id}",
            {
                "step": draft.step, "candidate": draft.id, "texts": {}, "diff": diff,
                "models": [], "plans": [], "reasons": [reason],
                "verdict": f"SIMULATED {REFUSED}" if simulated else REFUSED,
                "change": draft.change, "base": context.base, "base_texts": base,
            },
        )  # fmt: skip

    def _without_draft(self, draft: Draft, reason: str) -> Facts:
        reason = self._public(reason)
        self.context.publisher.say(f"{draft.id}: {reason}")
        return {"id": draft.id, "reason": reason}

    def _public(self, text: str) -> str:
        return acceptance.without_paths(text, self.context.layout.root)


def _diff(task: Assignment, work: Work) -> str:
    """Return the work as a unified diff."""
    lines = [
        line
        for name, text in sorted(work.files.items())
        for line in difflib.unified_diff(
            task.files[name].splitlines(), text.splitlines(), f"a/{name}", f"b/{name}",
            lineterm="",
        )
    ]  # fmt: skip
    return "\n".join(lines)[:_LONGEST_DIFF]
