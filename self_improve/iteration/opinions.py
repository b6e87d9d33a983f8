"""Asking agents and judge about an iteration, and combining their answers."""

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
from model_gateway.foreign_files import read_text
from model_gateway.ledger import Ledger
from prompt_lab.record import Run
from prompt_lab.scores import Scores
from rubrics.rubric import Rubric
from self_improve.iteration import judgement
from self_improve.iteration.branches import BASELINE, Side
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Opinions
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.verdict import Word

MOST_PAIRS = 40
"""The most pairs of outputs that are judged; more add little, and each costs two calls."""


async def analyse(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Side], best: str
) -> Facts:
    """Ask agents and judge about the best candidate, if `--analyse` and the numbers say so."""
    request, row = context.request, (context.folder.result("evaluate") or {})["candidates"][best]
    undecided = row["word"] == str(Word.inconclusive)
    if request.analyse != "always" and not (request.analyse == "auto" and undecided):
        return {"skipped": f"--analyse {request.analyse}: the numbers say {row['word']}"}
    draft = next(draft for draft in drafts if draft.id == best)
    record = _prepare(context, draft, sides[best], row)
    opinions = await ask_agents(
        record, names=request.agents, simulated=request.simulated,
        is_first=not Scores(context.layout).rows(request.step), catalogue=request.run.catalogue,
        counsel=context.counsel, ledger=context.gateway.ledger,
    )  # fmt: skip
    runs = context.runs("run")
    decided = judgement.decide_runs(
        runs[BASELINE], runs[best], context.rubric, context.layout, seed=request.run.seed
    )
    pairs = list(judgement.outputs(decided, context.rubric, runs[BASELINE], runs[best]))
    preferences = await ask_judge(context.counsel, request.judge, context.rubric, pairs)
    return to_row(combined(opinions, preferences), preferences)


def _prepare(context: IterationContext, draft: Draft, side: Side, row: Mapping[str, Any]) -> Record:
    runs = context.runs("run")
    facts = facts_of(
        draft, side, row, context.rubric, before=runs[BASELINE], after=runs[draft.id],
        code=context.code_of(side),
        measures=read_text(context.folder.path / f"verdict_{draft.id}.md"),
    )  # fmt: skip
    return prepare_iteration.prepare(context.layout, context.folder.path, facts)


def facts_of(
    draft: Draft,
    side: Side,
    row: Mapping[str, Any],
    rubric: Rubric,
    *,
    before: Sequence[Run],
    after: Sequence[Run],
    code: Path,
    measures: str,
) -> prepare_iteration.Facts:
    """Return the facts about a candidate for agents.

    Args:
        draft: what was proposed.
        side: its commit and pull request.
        row: the evaluator's verdict, as `judgement.row_of` returns it.
        rubric: what is measured.
        before: the baseline's runs.
        after: those of the candidate.
        code: the candidate's code tree.
        measures: the page of the numbers.
    """
    outputs = [
        path
        for plan, model, repeat in row["worst"]
        for runs in (before, after)
        for run in runs
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
    return "\n".join(read_text(path) for path in paths if path.is_file()) or "\n"


async def ask_agents(
    record: Record,
    *,
    names: str | None,
    simulated: bool,
    is_first: bool,
    catalogue: Catalogue,
    counsel: Counsel,
    ledger: Ledger,
) -> list[Opinion]:
    """Let the agents go through all phases, and return their opinions.

    `names` is the value of `--agents`. `is_first` says that the step has no earlier iteration: the
    last phase then compares it with the baseline.

    Raises:
        AnalysisError: a phase failed, or there are fewer than two agents.
        ConfigError: an agent is neither a program nor a model.
    """
    recorded = [agent["name"] for agent in record.agents()]
    chosen = recorded or choice.names(names, simulated=simulated)
    agents = choice.agents(chosen, catalogue=catalogue, counsel=counsel, ledger=ledger)
    last = phases.BASELINE_COMPARISON if is_first else phases.ASSESSMENT
    for phase in (phases.INSIGHT, phases.CODE_REVIEW, phases.SYNTHESIS, last):
        await phases.run(record, phase, agents)
    return record.opinions()


async def ask_judge(
    counsel: Counsel, model: Model, rubric: Rubric, pairs: Sequence[Pair]
) -> Preferences | None:
    """Return the judge's preferences, or None if the rubric has no questions or no pair exists."""
    if not rubric.questions or not pairs:
        return None
    return await judge(counsel, model, rubric.questions, list(pairs)[:MOST_PAIRS])


def combined(opinions: Sequence[Opinion], preferences: Preferences | None) -> Opinions:
    """Return the opinions as a whole; only claims with quotes that hold count.

    A change is supported if every agent supports it in at least one phase, and none objects.
    """
    objections = tuple(_objection(one) for one in opinions if one.objects)
    reviews = [one for one in opinions if one.phase in {"insight", "code"}]
    names = {one.agent for one in reviews}
    supporting = {one.agent for one in reviews if one.supports}
    return Opinions(
        supported=len(names) > 1 and supporting == names and not objections,
        objections=objections,
        judge=None
        if preferences is None
        else preferences.prefers_after - preferences.prefers_before,
    )


def _objection(opinion: Opinion) -> str:
    quote = next(one for one in opinion.findings if one.holds)
    where = f"{quote.path}:{quote.found}"
    return f"{opinion.agent} objects ({opinion.phase}): {opinion.reason} [{where}]"


def to_row(opinions: Opinions, preferences: Preferences | None) -> dict[str, Any]:
    """Return plain JSON values for a phase's marker."""
    return {
        "supported": opinions.supported,
        "objections": list(opinions.objections),
        "judge": opinions.judge,
        "judged": preferences.to_row() if preferences is not None else None,
    }


def from_row(row: dict[str, Any] | None) -> Opinions | None:
    """Read opinions from a phase's marker."""
    if row is None or "supported" not in row:
        return None
    return Opinions(
        supported=row["supported"], objections=tuple(row["objections"]), judge=row["judge"]
    )
