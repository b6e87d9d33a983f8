"""Asking agents and judge about an iteration, and what their answers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis import choice, phases, prepare_iteration
from analysis.judge import Pair, Preferences, judge
from analysis.record import Opinion, Record
from model_gateway.config import Catalogue, Model
from model_gateway.counsel import Counsel
from model_gateway.ledger import Ledger
from prompt_lab.record import Run
from prompt_lab.scores import Scores
from rubrics.rubric import Rubric
from self_improve.iteration import judgement
from self_improve.iteration.branches import BASELINE, Branched
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Opinions
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.verdict import Word


async def analyse(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Branched], best: str
) -> Facts:
    """Have agents and judge look at the best candidate, if they are to."""
    request, row = context.request, (context.place.result("evaluate") or {})["candidates"][best]
    asked = request.analyse == "always" or (
        request.analyse == "auto" and row["word"] == str(Word.inconclusive)
    )
    if not asked:
        return {"skipped": f"--analyse {request.analyse}: the numbers say {row['word']}"}
    draft = next(draft for draft in drafts if draft.id == best)
    record = _prepared(context, draft, sides[best], row)
    said = await agents_say(
        record, named=request.agents, simulated=request.simulated, is_first=_is_first(context),
        catalogue=request.catalogue, counsel=context.counsel, ledger=context.gateway.ledger,
    )  # fmt: skip
    runs = context.runs("run")
    found = judgement.decide_runs(
        runs[BASELINE], runs[best], context.rubric, context.layout, seed=request.seed
    )
    pairs = list(judgement.outputs(found, context.rubric, runs[BASELINE], runs[best]))
    judged = await judge_says(context.counsel, request.judge, context.rubric, pairs)
    return to_row(together(said, judged), judged)


def _prepared(
    context: IterationContext, draft: Draft, side: Branched, row: Mapping[str, Any]
) -> Record:
    runs = context.runs("run")
    facts = facts_of(
        draft, side, row, context.rubric, before=runs[BASELINE], after=runs[draft.id],
        code=context.branching.tree(side, context.base).code,
        measures=(context.place.path / f"verdict_{draft.id}.md").read_text(encoding="utf-8"),
    )  # fmt: skip
    return prepare_iteration.prepare(context.layout, context.place.path, facts)


def facts_of(
    draft: Draft,
    side: Branched,
    row: Mapping[str, Any],
    rubric: Rubric,
    *,
    before: Sequence[Run],
    after: Sequence[Run],
    code: Path,
    measures: str,
) -> prepare_iteration.Facts:
    """Return what agents are told of a candidate.

    Args:
        draft: what was proposed.
        side: its commit and pull request.
        row: what the evaluator says, as `judging.row_of` has it.
        rubric: what is measured.
        before: the baseline's runs.
        after: those of the candidate.
        code: the candidate's code tree.
        measures: the page of the numbers.
    """
    outputs = [
        path
        for plan, model, repeat in row["worst"]
        for own in (before, after)
        for run in own
        if run.model == model
        for path in _artifacts(run, plan, repeat)
    ]
    return prepare_iteration.Facts(
        step=draft.step, title=draft.title, description=draft.rationale, pull_request=side.url,
        evidence=row["evidence"], before=[run.path for run in before],
        after=[run.path for run in after], outputs=outputs, verdict=row,
        rubric=yaml.safe_dump(rubric.model_dump(mode="json"), allow_unicode=True, sort_keys=False),
        source=_source(code, draft, draft.step), change=side.diff, measures=measures,
        constraints=[one.text for one in rubric.constraints],
    )  # fmt: skip


def _is_first(context: IterationContext) -> bool:
    return not Scores(context.layout).rows(context.request.step)


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


MOST_PAIRS = 40
"""So many pairs of outputs are judged at most; more tell little more and cost twice each."""


async def agents_say(
    record: Record,
    *,
    named: str | None,
    simulated: bool,
    is_first: bool,
    catalogue: Catalogue,
    counsel: Counsel,
    ledger: Ledger,
) -> list[Opinion]:
    """Have the agents go through all phases, and return their opinions.

    `is_first` says that the step has no earlier iteration: the last page then tells where it
    stands, too.

    Raises:
        AnalysisError: a phase failed, or there are no two agents.
        ConfigError: an agent is neither a program nor a model.
    """
    known = [agent["name"] for agent in record.agents()]
    names = known or choice.names(named, simulated=simulated)
    agents = choice.agents(names, catalogue=catalogue, counsel=counsel, ledger=ledger)
    last = phases.BASELINE_COMPARISON if is_first else phases.ASSESSMENT
    for phase in (phases.INSIGHT, phases.CODE_REVIEW, phases.SYNTHESIS, last):
        await phases.run(record, phase, agents)
    return record.opinions()


async def judge_says(
    counsel: Counsel, model: Model, rubric: Rubric, pairs: Sequence[Pair]
) -> Preferences | None:
    """Return what the judge finds, or None if the rubric asks nothing or there is nothing."""
    if not rubric.questions or not pairs:
        return None
    return await judge(counsel, model, rubric.questions, list(pairs)[:MOST_PAIRS])


def together(said: Sequence[Opinion], judged: Preferences | None) -> Opinions:
    """Return what opinions come to: only claims on quotes that hold count.

    A change is supported if every agent supports it in one phase at least, and none objects.
    """
    objections = tuple(_told(one) for one in said if one.objects)
    looked = [one for one in said if one.phase in {"insight", "code"}]
    names = {one.agent for one in looked}
    supporting = {one.agent for one in looked if one.supports}
    verdict = None if judged is None else judged.prefers_after - judged.prefers_before
    return Opinions(
        supported=len(names) > 1 and supporting == names and not objections,
        objections=objections,
        judge=verdict,
    )


def _told(opinion: Opinion) -> str:
    quote = next(one for one in opinion.findings if one.holds)
    where = f"{quote.path}:{quote.found}"
    return f"{opinion.agent} objects ({opinion.phase}): {opinion.reason} [{where}]"


def to_row(opinions: Opinions, judged: Preferences | None) -> dict[str, Any]:
    """Return plain JSON values for a phase's marker."""
    return {
        "supported": opinions.supported,
        "objections": list(opinions.objections),
        "judge": opinions.judge,
        "judged": judged.to_row() if judged is not None else None,
    }


def from_row(row: dict[str, Any] | None) -> Opinions | None:
    """Read opinions from a phase's marker."""
    if row is None or "supported" not in row:
        return None
    return Opinions(
        supported=row["supported"], objections=tuple(row["objections"]), judge=row["judge"]
    )
