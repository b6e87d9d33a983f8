"""What an iteration asks of agents and judge, where numbers leave it open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis import prepare_iteration
from analysis.record import Record
from prompt_lab.record import Run
from prompt_lab.scores import Scores
from rubrics.rubric import Rubric
from self_improve.iteration import judging, opinions
from self_improve.iteration.branching import BASELINE, Branched
from self_improve.iteration.drafts import Draft
from self_improve.iteration.ground import Ground
from self_improve.iteration.place import Facts
from self_improve.verdict import Word


async def analyse(
    ground: Ground, drafts: Sequence[Draft], sides: Mapping[str, Branched], best: str
) -> Facts:
    """Have agents and judge look at the best candidate, if they are to."""
    wish, row = ground.wish, (ground.place.result("evaluate") or {})["candidates"][best]
    asked = wish.analyse == "always" or (
        wish.analyse == "auto" and row["word"] == str(Word.inconclusive)
    )
    if not asked:
        return {"skipped": f"--analyse {wish.analyse}: the numbers say {row['word']}"}
    draft = next(draft for draft in drafts if draft.id == best)
    record = _prepared(ground, draft, sides[best], row)
    said = await opinions.agents_say(
        record, named=wish.agents, simulated=wish.simulated, is_first=_is_first(ground),
        catalogue=wish.catalogue, counsel=ground.counsel, ledger=ground.gateway.ledger,
    )  # fmt: skip
    runs = ground.runs("run")
    found = judging.judged(runs[BASELINE], runs[best], ground.rubric, ground.layout, seed=wish.seed)
    pairs = list(judging.outputs(found, ground.rubric, runs[BASELINE], runs[best]))
    judged = await opinions.judge_says(ground.counsel, wish.judge, ground.rubric, pairs)
    return opinions.to_row(opinions.together(said, judged), judged)


def _prepared(ground: Ground, draft: Draft, side: Branched, row: Mapping[str, Any]) -> Record:
    runs = ground.runs("run")
    facts = facts_of(
        draft, side, row, ground.rubric, before=runs[BASELINE], after=runs[draft.id],
        code=ground.branching.tree(side, ground.base).code,
        measures=(ground.place.path / f"verdict_{draft.id}.md").read_text(encoding="utf-8"),
    )  # fmt: skip
    return prepare_iteration.prepare(ground.layout, ground.place.path, facts)


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


def _is_first(ground: Ground) -> bool:
    return not Scores(ground.layout).rows(ground.wish.step)


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
