"""The artifacts of one step, damaged in every way, and what its rubric makes of that."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from model_gateway import temporary
from prompt_lab.baselines import Baselines
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison.sides import Sides, on_common_cells
from self_improve.measures.measured import MeasuredRun
from self_improve.measures.measurer import Measurer
from self_improve.verdict import noise as calibration
from self_improve.verdict import word
from self_improve.verdict.differences import differences
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Terms
from tools import damaged_plans, damages, unpacked
from tools.damage_outcome import Outcome
from tools.damaged_plans import Plan
from tools.relabelling import mirrored

SHARES = (0.2, 0.4, 1.0)
MODELS, PLANS = 5, 7
FLIPS = 2000
PANEL = (*damages.DAMAGES, damages.LOST_ITEMS, damages.ONE_MODEL)


class Panel:
    """The artifacts of one step in some plans, damaged and not, as cells of several models."""

    def __init__(
        self,
        rubric: Rubric,
        folders: Sequence[Path],
        folder: Path,
        *,
        source: str,
        models: int,
        plans: int,
        decided: float,
    ) -> None:
        # What weighs nothing moves nothing, and the samples break some constraints themselves,
        # which would hold every KEEP back.
        weighed = tuple(use for use in rubric.metrics if use.weight)
        rubric = rubric.model_copy(update={"metrics": weighed, "constraints": ()})
        self.rubric = rubric
        self._decided = decided
        self._source = source
        self._plans = [plan for plan in map(Plan, folders) if plan.files(_first(rubric))][:plans]
        self._folder = folder
        self._models = [f"model-{number}" for number in range(MODELS)]
        self._drawn = models
        self._touched: set[str] = set()
        self._measurer = Measurer(
            rubric, baselines=Baselines(tuple(dict.fromkeys(path.parent for path in folders)))
        )
        first = self._run("before", self._models[0], None, 0.0)[0]
        self._before = [_of_model(first, model) for model in self._models]
        self._terms = Terms(
            rubric=rubric, noise=calibration.assumed(rubric), together=True, flips=FLIPS
        )

    def outcome(self, damage: str, share: float) -> Outcome:
        """Return what becomes of the composite when a share of the items is damaged."""
        blank = Outcome(step=self.rubric.step, source=self._source, damage=damage, share=share)
        pairing, count = self.pairing(damage, share)
        if not count:
            return replace(blank, reason=_reason(damage))
        gains = differences(pairing, self.rubric, noise=self._terms.noise)
        return replace(
            blank,
            effect=float(gains.composites.mean()) if len(gains.pairs) else None,
            lost=sum(pair.before.succeeded and not pair.after.succeeded for pair in pairing.pairs),
            everywhere=len(self._touched) == len(self._plans),
            answer=word(pairing, self._terms) if share >= self._decided else None,
            repaired=word(mirrored(pairing), self._terms) if share >= 1 else None,
            parts=tuple(sorted(gains.parts.items(), key=lambda part: part[1])),
        )

    def pairing(self, damage: str, share: float) -> tuple[Pairing, int]:
        """Return the pairs of cells, the side after damaged, and the number of damaged items."""
        after: list[MeasuredRun] = []
        total = 0
        self._touched.clear()
        is_alike = share >= 1 or damage == damages.ONE_MODEL
        models = self._models if is_alike else self._models[: self._drawn]
        for number, model in enumerate(models):
            if damage == damages.ONE_MODEL and number:
                after.append(self._before[number])
                continue
            if number and share >= 1:
                after.append(_of_model(after[0], model))
                continue
            run, count = self._run(f"{damage}-{share}", model, damage, share)
            after.append(run)
            total += count
        whole = Sides(before=tuple(self._before[: len(models)]), after=tuple(after))
        return on_common_cells(whole, self._measurer).pairing, total

    def _run(
        self, name: str, model: str, damage: str | None, share: float
    ) -> tuple[MeasuredRun, int]:
        folder = self._folder / name.replace(" ", "_") / model
        rows, count = [], 0
        for number, plan in enumerate(self._plans):
            files = plan.names(self.rubric)
            if damage is not None:
                files, hits = damaged_plans.damaged(
                    self.rubric,
                    plan,
                    damaged_plans.foreign(self._plans, number),
                    damage=damage,
                    share=share,
                    draw=f"{name}/{model}",
                )
                count += hits
                if hits:
                    self._touched.add(plan.name)
            target = folder / "outputs" / plan.name
            target.mkdir(parents=True)
            for file, data in files.items():
                (target / file).write_bytes(data)
            rows.append({"name": plan.name, "status": "ok", "duration_seconds": 1})
        meta = {"step": self.rubric.step, "model": {"primary": model}, "workers": 1}
        (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "outputs.jsonl").write_text(lines, encoding="utf-8")
        return self._measurer.run(folder), count


def _of_model(run: MeasuredRun, model: str) -> MeasuredRun:
    """Return the same run as if of another model: where all is damaged, chance chooses nothing."""
    return replace(run, model=model, cells=tuple(replace(cell, model=model) for cell in run.cells))


def _first(rubric: Rubric) -> str:
    source = rubric.clean or rubric.replies
    return source.artifact if source is not None else ""


def _reason(damage: str) -> str:
    return {
        "wrong reference": "no references",
        "another language": "no other language at hand in its script",
        "text of another plan": "no other plan",
    }.get(damage, "no list")


def sources() -> dict[str, list[Path]]:
    """Return the plans by what they are: those that a simulated model wrote, and recorded ones."""
    folders = {"simulated": sorted(damaged_plans.samples().iterdir())}
    if unpacked.RECORDED.exists():
        splits = ("train", "verify")
        folders["recorded"] = [p for s in splits for p in sorted(unpacked.plans(s).iterdir())]
    return folders


def outcomes(
    step: str,
    source: str,
    shares: Sequence[float] = SHARES,
    *,
    models: int = MODELS,
    plans: int = PLANS,
    decided: float = 0.0,
    panel: Sequence[str] = PANEL,
) -> list[Outcome]:
    """Return what becomes of a step's composite under every damage and share.

    Args:
        step: has a rubric.
        source: of the plans; see `sources`.
        shares: of the items that are damaged.
        models: how many cells there are of each plan where a part is damaged, another part in each;
            where all is, chance chooses nothing, and five models say the same.
        plans: how many plans there are at most.
        decided: the least share at which a verdict is taken, which costs as much as measuring.
        panel: the damages.
    """
    rubric = load.find(step)
    assert rubric is not None
    return outcomes_of(
        rubric, source, shares, models=models, plans=plans, decided=decided, panel=panel
    )


def outcomes_of(
    rubric: Rubric,
    source: str,
    shares: Sequence[float],
    *,
    models: int,
    plans: int,
    decided: float = 0.0,
    panel: Sequence[str] = PANEL,
) -> list[Outcome]:
    """Return the same by a rubric that may be of nobody's step."""
    with temporary.opened_in(_memory(), f"{temporary.PREFIX}power-") as name:
        step_panel = Panel(
            rubric, sources()[source], Path(name), source=source, models=models, plans=plans,
            decided=decided,
        )  # fmt: skip
        return [step_panel.outcome(damage, share) for damage in panel for share in shares]


def _memory() -> Path:
    """Return a directory in memory, if there is one: a panel writes thousands of small files."""
    memory = Path("/dev/shm")  # noqa: S108 - only ever a fresh directory inside it
    return memory if memory.is_dir() else Path(tempfile.gettempdir())
