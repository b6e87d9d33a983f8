"""One iteration, phase by phase; every phase leaves a marker, so that a killed one goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from analysis import prepare_iteration
from analysis.record import Record
from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.record import Run
from prompt_lab.repository import Repository
from prompt_lab.scores import Scores
from rubrics.rubric import Rubric
from self_improve import candidate, patch
from self_improve.counsel import Counsel
from self_improve.errors import UsageError
from self_improve.experiment import Experiment, experiment
from self_improve.fork_server import Pipeline
from self_improve.iteration import judging, opinions
from self_improve.iteration.branching import BASELINE, Branched, Branching
from self_improve.iteration.checks import Checks, Tree
from self_improve.iteration.decision import Check, Decision, decide
from self_improve.iteration.drafts import Draft, of_texts
from self_improve.iteration.place import Facts, Place
from self_improve.iteration.proposals import NothingProposed, proposed
from self_improve.iteration.publishing import Judged, Publisher
from self_improve.iteration.telling import measures
from self_improve.iteration.wish import Wish
from self_improve.progress import Display
from self_improve.until_decided import UntilDecided
from self_improve.verdict import Word

WORST_CELLS = 3


class BudgetReached(Exception):  # noqa: N818 - an outcome: the same command goes on
    """A cap was reached; the text says which."""


class Iteration:
    """The phases of one iteration; `run` does what is left of them."""

    def __init__(
        self,
        wish: Wish,
        place: Place,
        base: str,
        *,
        gateway: Gateway,
        counsel: Counsel,
        branching: Branching,
        publisher: Publisher,
        display: Display,
        elsewhere: Spend | None = None,
    ) -> None:
        """Take what the iteration works with.

        `elsewhere` is what the gateway's ledger holds of other iterations of the same loop.
        """
        self._wish = wish
        self._place = place
        self._base = base
        self._gateway = gateway
        self._counsel = counsel
        self._branching = branching
        self._publisher = publisher
        self._display = display
        self._elsewhere = elsewhere or Spend()
        self._layout = wish.layout
        self._rubric: Rubric = judging.rubric_of(wish.step)
        self._repository = Repository(
            wish.layout, secrets=[*wish.catalogue.key_variables, "GITHUB_TOKEN"]
        )

    async def run(self) -> dict[str, Decision]:
        """Do what is left, and return how each candidate ended: none if nothing was proposed.

        Raises:
            BudgetReached: the same command with a higher cap does the rest.
            UsageError, ForgeError, LabError, AnalysisError: as the message says.
        """
        proposal = await self._phase("propose")
        drafts = [Draft.from_row(row) for row in proposal["drafts"]]
        if not drafts:
            self._publisher.say(proposal["nothing"])
            await self._phase("publish", drafts, {}, {}, {})
            return {}
        sides = {
            row["name"]: Branched(**row) for row in (await self._phase("branch", drafts))["sides"]
        }
        await self._phase("run", drafts, sides)
        evaluated = (await self._phase("evaluate", drafts, sides))["candidates"]
        best = _best(evaluated)
        said = await self._phase("analyse", drafts, sides, best)
        kept = evaluated[best]["word"] == str(Word.keep)
        verified = await self._phase("verify", sides, best) if kept else {}
        harmed = verified.get("word") == str(Word.reject) or bool(verified.get("gates"))
        goes_on = kept and not harmed
        downstream = await self._phase("downstream", sides, best) if goes_on else {}
        spot = await self._phase("spot_check", sides, best) if goes_on else {}
        decisions = self._decisions(evaluated, best, said, verified, [downstream, spot])
        await self._phase("publish", drafts, sides, evaluated, decisions)
        return decisions

    async def _phase(self, name: str, *given: Any) -> Facts:
        """Do a phase unless it is done, and commit the data repo after it."""
        if self._place.result(name) is not None:
            return await self._place.phase(name, _never)
        found = await self._place.phase(name, lambda: getattr(self, f"_{name}")(*given))
        self._repository.commit(
            [self._place.path, self._layout.history, self._layout.scores, self._layout.forge],
            f"{self._place.id}: {name.replace('_', ' ')}",
        )
        return found

    # What each phase does. Each returns what its marker holds.

    async def _propose(self) -> Facts:
        wish = self._wish
        if wish.branch is not None or wish.pull_request is not None:
            name = f"pr-{wish.pull_request}" if wish.branch is None else wish.branch
            commit = self._branching.commit_of(wish.branch) if wish.branch is not None else None
            drafts = [
                Draft(
                    id=f"{wish.step}-{name}", step=wish.step, origin="human", branch=wish.branch,
                    pull_request=wish.pull_request, commit=commit, rationale=wish.rationale,
                    expectations=wish.expectations,
                )
            ]  # fmt: skip
        elif wish.prompts:
            async with self._experiment({BASELINE: self._base_side()}) as trial:
                work = trial.works[BASELINE]
                texts = candidate.from_files(
                    wish.prompts, work.specifications[0].step, work.pipeline
                )
            drafts = [
                of_texts(
                    wish.step, texts.texts, origin="human", rationale=wish.rationale,
                    expectations=wish.expectations,
                )
            ]  # fmt: skip
        else:
            return await self._proposed()
        self._refuse_known(drafts)
        return {"drafts": [draft.to_row() for draft in drafts]}

    async def _proposed(self) -> Facts:
        try:
            async with self._experiment({BASELINE: self._base_side()}) as trial:
                drafts = await proposed(
                    self._wish, self._place, trial.works[BASELINE], trial.wanted[BASELINE],
                    self._rubric, gateway=self._gateway, counsel=self._counsel,
                    display=self._display,
                )  # fmt: skip
            drafts = self._untried(drafts)
        except NothingProposed as nothing:
            if self._gateway.ledger.reached is not None:
                # With more room there may be something.
                raise BudgetReached(self._gateway.ledger.reached) from nothing
            return {"drafts": [], "nothing": str(nothing)}
        return {"drafts": [self._in_loop(draft).to_row() for draft in drafts]}

    def _in_loop(self, draft: Draft) -> Draft:
        """Return a draft as an iteration of a loop has it: it may stand on an earlier one."""
        if self._wish.loop is None:
            return draft
        told, below = draft.rationale, self._wish.loop.get("stands_on")
        if below:
            told = f"{told}\n\nIt stands on {below}: merging it brings that change, too.".strip()
        # The same texts may have been tried on another base, under their own name.
        return replace(draft, id=f"{draft.id}-{self._base[:8]}", rationale=told)

    async def _branch(self, drafts: Sequence[Draft]) -> Facts:
        made = [self._base_side()]
        for draft in drafts:
            if draft.is_code:
                side = self._branching.of_pull(draft, self._base)
            else:
                side = self._branching.of_texts(draft, self._base, self._wish.base, draft.texts)
            self._branching.pending(side)
            made.append(side)
        return {"sides": [side.to_row() for side in made]}

    async def _run(self, drafts: Sequence[Draft], sides: Mapping[str, Branched]) -> Facts:
        if self._wish.skip_runner:
            raise UsageError(
                "--skip-runner judges what is recorded, but this iteration has not run its cells. "
                "Leave the flag out once; the same command goes on from there."
            )
        async with self._experiment(sides) as trial:
            for draft in drafts:
                patch.confirm(draft.texts, trial.works[draft.id].pipeline.surfaces)
            self._tell_expected(await trial.expected())
            ran = await trial.run(self._gateway, self._display, self._until(drafts))
            if ran.stopped is not None:
                raise BudgetReached(ran.stopped)
            scope = _scope(trial.works[BASELINE].pipeline, self._wish.step, drafts)
        return {
            "runs": {n: [self._place.relative(r.path) for r in own] for n, own in ran.runs.items()},
            "sharing": scope,
        }

    async def _evaluate(self, drafts: Sequence[Draft], sides: Mapping[str, Branched]) -> Facts:
        runs = self._runs("run")
        rows = {}
        for draft in drafts:
            found = judging.judged(
                runs[BASELINE], runs[draft.id], self._rubric, self._layout,
                expectations=draft.expectations, seed=self._wish.seed,
            )  # fmt: skip
            verdict = found.verdict
            unsent = _unsent(runs[draft.id], draft.texts)
            if unsent:
                reason = f"the candidate's text was never sent: {', '.join(unsent)}"
                verdict = replace(verdict, evidence="historical", notes=(*verdict.notes, reason))
            worst = judging.worst(found, self._rubric, WORST_CELLS)
            told = measures(verdict, found, draft, sides[draft.id])
            path = self._place.path / f"verdict_{draft.id}.md"
            path.write_text(told, encoding="utf-8", errors="replace")
            rows[draft.id] = {
                **verdict.to_row(),
                "failed_gates": list(verdict.failed_gates),
                "fitness_before": found.fitness_before,
                "fitness_after": found.fitness_after,
                "worst": [list(key) for key in worst],
                "chars": _chars(found),
            }
        return {"candidates": rows}

    async def _analyse(
        self, drafts: Sequence[Draft], sides: Mapping[str, Branched], best: str
    ) -> Facts:
        wish, row = self._wish, (self._place.result("evaluate") or {})["candidates"][best]
        asked = wish.analyse == "always" or (
            wish.analyse == "auto" and row["word"] == str(Word.inconclusive)
        )
        if not asked:
            return {"skipped": f"--analyse {wish.analyse}: the numbers say {row['word']}"}
        draft = next(draft for draft in drafts if draft.id == best)
        record = self._prepared(draft, sides[best], row)
        said = await opinions.agents_say(
            record, named=wish.agents, simulated=wish.simulated, is_first=self._is_first(),
            catalogue=wish.catalogue, counsel=self._counsel, ledger=self._gateway.ledger,
        )  # fmt: skip
        runs = self._runs("run")
        found = judging.judged(
            runs[BASELINE], runs[best], self._rubric, self._layout, seed=wish.seed
        )
        pairs = list(judging.outputs(found, self._rubric, runs[BASELINE], runs[best]))
        judged = await opinions.judge_says(self._counsel, wish.judge, self._rubric, pairs)
        return opinions.to_row(opinions.together(said, judged), judged)

    async def _verify(self, sides: Mapping[str, Branched], best: str) -> Facts:
        both = {BASELINE: sides[BASELINE], best: sides[best]}
        async with self._experiment(both, split="verify") as trial:
            ran = await trial.run(self._gateway, self._display)
        if ran.stopped is not None:
            raise BudgetReached(ran.stopped)
        found = judging.judged(
            ran.runs[BASELINE], ran.runs[best], self._rubric, self._layout, seed=self._wish.seed
        ).verdict
        used = self._publisher.verify_uses(self._wish.step)
        return {
            "word": str(found.word),
            "gates": list(found.failed_gates),
            "reasons": list(found.reasons),
            "effect": found.composite.effect,
            "runs": {n: [self._place.relative(r.path) for r in own] for n, own in ran.runs.items()},
            "uses": used + 1,
        }

    async def _downstream(self, sides: Mapping[str, Branched], best: str) -> Facts:
        if self._wish.skip_downstream:
            return {"skipped": "--skip-downstream"}
        both = {BASELINE: sides[BASELINE], best: sides[best]}
        sharing = (self._place.result("run") or {}).get("sharing", [])
        async with self._experiment(both) as trial:
            found = await self._checks().downstream(
                _trees(trial), self._runs("run"), sharing=sharing
            )
        if found["stopped"] is not None:
            raise BudgetReached(found["stopped"])
        return found

    async def _spot_check(self, sides: Mapping[str, Branched], best: str) -> Facts:
        if self._wish.skip_spot_check:
            return {"skipped": "--skip-spot-check"}
        folder = self._layout.split("verify")
        plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        if not plans:
            return {"skipped": "there is no verify plan"}
        plan = plans[self._place.number % len(plans)]
        model = self._wish.models[0]
        async with self._experiment({best: sides[best]}, split="verify") as trial:
            tree = _trees(trial)[best]
            found = await self._checks().whole_plan(tree, model, plan, name="spot_check")
        if found["stopped"] is not None:
            raise BudgetReached(found["stopped"])
        return found

    async def _publish(
        self,
        drafts: Sequence[Draft],
        sides: Mapping[str, Branched],
        evaluated: Mapping[str, Any],
        decisions: Mapping[str, Decision],
    ) -> Facts:
        results = {name: self._place.result(name) or {} for name in _CHECKED}
        rows = {}
        for draft in drafts:
            rows[draft.id] = self._publisher.publish(
                Judged(
                    draft=draft, side=sides[draft.id], row=evaluated[draft.id],
                    decision=decisions[draft.id], checks=results,
                    cost=(self._gateway.ledger.spent - self._elsewhere).dollars,
                ),
                base=self._base, branching=self._branching,
            )  # fmt: skip
        return {"candidates": rows, "date": datetime.now(UTC).date().isoformat()}

    # What the phases share.

    def _decisions(
        self,
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
                decision = decide(Word(row["word"]), evidence=row["evidence"])
                if row["word"] == str(Word.keep):
                    told = f"{best} is better, or as good and shorter"
                    decision = replace(decision, reasons=(told,))
                made[name] = decision
                continue
            made[name] = decide(
                Word(row["word"]),
                evidence=row["evidence"],
                opinions=opinions.from_row(said),
                verify=Word(verified["word"]) if "word" in verified else None,
                verify_gates=verified.get("gates", []),
                checks=[
                    Check(name=label, harm=found.get("harm", []), skipped=found.get("skipped"))
                    for label, found in zip(("downstream", "spot check"), checks, strict=True)
                ],
            )
        return made

    def _until(self, drafts: Sequence[Draft]) -> UntilDecided | None:
        """Return what stops the runs early; of several candidates none has terms of its own."""
        if not self._wish.early_stop:
            return None
        expected = drafts[0].expectations if len(drafts) == 1 else ()
        return judging.until_decided(
            self._rubric, self._layout, expectations=expected, seed=self._wish.seed
        )

    def _prepared(self, draft: Draft, side: Branched, row: Mapping[str, Any]) -> Record:
        runs = self._runs("run")
        outputs = [
            path
            for plan, model, repeat in row["worst"]
            for own in (runs[BASELINE], runs[draft.id])
            for run in own
            if run.model == model
            for path in _artifacts(run, plan, repeat)
        ]
        tree = self._branching.tree(side, self._base)
        source = _source(tree.code, draft, self._wish.step)
        rubric = yaml.safe_dump(
            self._rubric.model_dump(mode="json"), allow_unicode=True, sort_keys=False
        )
        facts = prepare_iteration.Facts(
            step=self._wish.step, title=draft.title, description=draft.rationale,
            pull_request=side.url, evidence=row["evidence"],
            before=[run.path for run in runs[BASELINE]], after=[r.path for r in runs[draft.id]],
            outputs=outputs, verdict=row, rubric=rubric, source=source, change=side.diff,
            measures=(self._place.path / f"verdict_{draft.id}.md").read_text(encoding="utf-8"),
            constraints=[one.text for one in self._rubric.constraints],
        )  # fmt: skip
        return prepare_iteration.prepare(self._layout, self._place.path, facts)

    def _experiment(
        self, sides: Mapping[str, Branched], *, split: str = "train"
    ) -> AbstractAsyncContextManager[Experiment]:
        wanted = {
            name: self._wish.wanted(
                self._branching.tree(side, self._base).code, number=self._place.number, split=split
            )
            for name, side in sides.items()
        }
        return experiment(wanted)

    def _base_side(self) -> Branched:
        return self._branching.baseline(self._base)

    def _checks(self) -> Checks:
        place = self._layout.scratch / "iterations" / self._place.id
        return Checks(
            self._gateway, self._layout, place, self._display, seed=self._wish.seed,
            plans=self._wish.plans,
        )  # fmt: skip

    def _runs(self, phase: str) -> dict[str, list[Run]]:
        names = (self._place.result(phase) or {})["runs"]
        return {
            side: [Run(self._layout.root / name) for name in own] for side, own in names.items()
        }

    def _refuse_known(self, drafts: Sequence[Draft]) -> None:
        """Refuse what was rejected before: measuring it again would be reading noise."""
        known = self._rejected()
        for draft in drafts:
            earlier = known.get(tuple(sorted(draft.texts.items())))
            if earlier is not None:
                raise UsageError(
                    f"{draft.id} was rejected before, by {earlier}. See scores/"
                    "failed_attempts.jsonl for the reasons, and change the text."
                )

    def _untried(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Leave out what was rejected before.

        Raises:
            NothingProposed: all of it was.
        """
        known = self._rejected()
        fresh = [draft for draft in drafts if tuple(sorted(draft.texts.items())) not in known]
        if not fresh:
            raise NothingProposed("All that was proposed was rejected before.")
        return fresh

    def _rejected(self) -> dict[tuple[tuple[str, str], ...], str]:
        """Return the texts of rejected candidates, and the iteration that rejected each."""
        return {
            tuple(sorted(row["texts"].items())): row["iteration"]
            for row in Scores(self._layout).failed(self._wish.step)
            if isinstance(row.get("texts"), dict) and row["texts"]
        }

    def _is_first(self) -> bool:
        return not Scores(self._layout).rows(self._wish.step)

    def _tell_expected(self, expected: Mapping[str, Any]) -> None:
        for name, estimate in expected.items():
            self._publisher.say(f"{name}: {estimate.told()}")


_CHECKED = ("analyse", "verify", "downstream", "spot_check")


async def _never() -> Facts:
    raise AssertionError("a phase that is done is not done again")


def _best(evaluated: Mapping[str, Any]) -> str:
    """Return the candidate that goes on: the best word, then the composite, then the shorter."""
    order = [str(Word.keep), str(Word.inconclusive), str(Word.reject)]

    def rank(name: str) -> tuple[int, float, int]:
        row = evaluated[name]
        effect = row["composite"]["effect"]
        return order.index(row["word"]), -(effect if effect is not None else -1e9), row["chars"]

    return min(evaluated, key=rank)


def _scope(pipeline: Pipeline, step: str, drafts: Sequence[Draft]) -> list[str]:
    """Return the other steps that send a text which a draft changes."""
    touched = {surface for draft in drafts for surface in draft.texts}
    return [
        facts.name
        for facts in pipeline.steps.values()
        if facts.name != step and facts.calls_model and touched & set(facts.surfaces)
    ]


def _unsent(runs: Sequence[Run], texts: Mapping[str, str]) -> list[str]:
    """Return the changed surfaces that one of the runs has not sent with the new text."""
    missing = []
    for run in runs:
        rows = {row["id"]: row for row in run.surfaces().get("surfaces", [])}
        missing += [s for s in texts if not rows.get(s, {}).get("sent")]
    return sorted(set(missing))


def _chars(found: judging.Judgement) -> int:
    counts = [cell.prompt_chars for run in found.sides.after for cell in run.cells]
    return max((count for count in counts if count is not None), default=0)


def _artifacts(run: Run, plan: str, repeat: int) -> list[Path]:
    folder = run.outputs(plan, repeat)
    names = run.rows().get((plan, repeat), {}).get("outputs", {})
    return [folder / name for name in names if (folder / name).is_file()]


def _source(code: Path, draft: Draft, step: str) -> str:
    """Return the source of the files that hold the changed texts, or of the step's own module."""
    modules = sorted({surface.partition(":")[0] for surface in draft.texts})
    paths = [code.joinpath(*module.split(".")).with_suffix(".py") for module in modules]
    if not paths:
        paths = sorted(code.rglob(f"steps/{step}.py"))[:1]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file()) or "\n"


def _trees(trial: Experiment) -> dict[str, Tree]:
    return {n: Tree(work=work, wanted=trial.wanted[n]) for n, work in trial.works.items()}
