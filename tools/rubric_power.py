"""Plants damages in every step's own artifacts, and shows whether its rubric notices them."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from prompt_lab.baselines import Baselines
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison.sides import Sides, on_common_cells
from self_improve.measures.measured import MeasuredRun
from self_improve.measures.measurer import Measurer
from self_improve.verdict import Word, word
from self_improve.verdict import noise as calibration
from self_improve.verdict.differences import differences
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Terms
from tools import damaged_plans, damages, unpacked
from tools.damaged_plans import Plan
from tools.relabelling import mirrored

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rubrics.md"
BEGIN, END = "<!-- power -->", "<!-- end of power -->"
TEXT = """\
## What the rubrics notice

A rubric points the right way if it falls when what a step wrote is damaged. `make rubric-power`
plants each of these damages in the step's own artifacts, in the bundled plans and in recorded
ones, in 20 %, 40 % and all of the items, and takes the verdict on {pairs} pairs ({models} cells of
each plan, in which other items are damaged). A single object is damaged text by text. At no share
may the composite rise; from 40 % on it must fall; at 100 %, where it befalls every plan, the
verdict must be REJECT. Read backwards the comparison is a repair, which must not be REJECT.
`tests/rubrics/test_power.py` runs the same on
fewer cells, so a rubric that fails fails the tests.

● all of that, REJECT at 20 % already, and KEEP for the repair of all · ○ all of that, but one of
these two is INCONCLUSIVE somewhere · ✗ fails · – cannot be done to this step: it writes no list,
names nothing that could be missing, or no other language is at hand

The artifacts of both sides are the same but for the damage, so these verdicts have less noise than
those on two runs of a model: `docs/evaluator.md` shows what is detected beside real noise.
"""
SHARES = (0.2, 0.4, 1.0)
MODELS, PLANS = 5, 7
FALLS_FROM = 0.4
"""From this share of damaged items on the composite must fall."""
FLIPS = 2000
_NOTHING = 0.005
"""A composite that rises by less has not moved."""
PROCESSES = 2
PANEL = (*damages.DAMAGES, damages.LOST_ITEMS, damages.ONE_MODEL)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a step's composite when a share of its items was damaged.

    `effect` is that of the damage; `answer` is the verdict on it, and `repaired` that on the same
    comparison read backwards. `lost` is the number of cells that had no content any more. `reason`
    says why a damage cannot be done to the step, and `everywhere` whether it was done in all plans:
    what befalls some only proves nothing for the others. `parts` are the effects of the
    measures, the worst first.
    """

    step: str
    source: str
    damage: str
    share: float
    effect: float | None = None
    lost: int = 0
    answer: Word | None = None
    repaired: Word | None = None
    everywhere: bool = True
    reason: str = ""
    parts: tuple[tuple[str, float], ...] = ()

    @property
    def applies(self) -> bool:
        """Whether the damage could be done."""
        return not self.reason

    @property
    def is_found(self) -> bool:
        """Whether the verdict rejects the damage."""
        return self.answer is Word.reject

    @property
    def is_repaired(self) -> bool:
        """Whether the verdict keeps the same comparison read backwards."""
        return self.repaired is Word.keep

    @property
    def problem(self) -> str:
        """What the rubric gets wrong; empty if nothing."""
        if not self.applies:
            return ""
        effect = self.effect or 0.0
        if effect > _NOTHING and not self.lost:
            return "it looks like a gain"
        if self.share >= FALLS_FROM and effect >= 0 and not self.lost:
            return "it does not show"
        if self.share < 1 or not self.everywhere:
            return ""
        if self.repaired is Word.reject and self.damage != damages.ONE_MODEL:
            return "its repair is REJECT"
        if not self.is_found:
            return f"it is {self.answer}, not REJECT"
        return ""


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
    ) -> None:
        self.rubric = rubric
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
        # The samples break some constraints themselves, which would hold every KEEP back.
        free = rubric.model_copy(update={"constraints": ()})
        self._terms = Terms(
            rubric=free, noise=calibration.assumed(rubric), together=True, flips=FLIPS
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
            answer=word(pairing, self._terms),
            repaired=word(mirrored(pairing), self._terms),
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
                    self._foreign(number),
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

    def _foreign(self, number: int) -> Plan:
        """Return the next plan, one in the same script if there is any."""
        mine = self._plans[number]
        others = self._plans[number + 1 :] + self._plans[:number]
        return next((one for one in others if one.script == mine.script), (others or [mine])[0])


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
) -> list[Outcome]:
    """Return what becomes of a step's composite under every damage and share.

    Args:
        step: has a rubric.
        source: of the plans; see `sources`.
        shares: of the items that are damaged.
        models: how many cells there are of each plan where a part is damaged, another part in each;
            where all is, chance chooses nothing, and five models say the same.
        plans: how many plans there are at most.
    """
    rubric = load.find(step)
    assert rubric is not None
    return outcomes_of(rubric, source, shares, models=models, plans=plans)


def outcomes_of(
    rubric: Rubric, source: str, shares: Sequence[float], *, models: int, plans: int
) -> list[Outcome]:
    """Return the same by a rubric that may be of nobody's step."""
    with tempfile.TemporaryDirectory(prefix="plumbline-power-", dir=_memory()) as folder:
        panel = Panel(
            rubric, sources()[source], Path(folder), source=source, models=models, plans=plans
        )
        return [panel.outcome(damage, share) for damage in PANEL for share in shares]


def _memory() -> str | None:
    """Return a directory in memory, if there is one: a panel writes thousands of small files."""
    memory = Path("/dev/shm")  # noqa: S108 - only ever a fresh directory inside it
    return str(memory) if memory.is_dir() else None


def every(steps: Sequence[str], models: int) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each step, from two processes."""
    jobs = [(step, source, models) for step in steps for source in sources()]
    count = len(sources())
    with ProcessPoolExecutor(PROCESSES) as pool:
        results = pool.map(_job, jobs)
        for _ in steps:
            yield [one for _ in range(count) for one in next(results)]


def _job(job: tuple[str, str, int]) -> list[Outcome]:
    step, source, models = job
    return outcomes(step, source, models=models)


def row(results: Sequence[Outcome]) -> list[str]:
    """Return the marks of one step, a column for each damage."""
    return [_mark([one for one in results if one.damage == damage]) for damage in PANEL]


def _mark(results: Sequence[Outcome]) -> str:
    applied = [one for one in results if one.applies]
    if not applied:
        return "–"
    if any(one.problem for one in applied):
        return "✗"
    repaired = [one.is_repaired for one in applied if one.share >= 1 and not one.lost]
    return "●" if all(one.is_found for one in applied) and all(repaired) else "○"


def table(rows: Mapping[str, Sequence[str]], models: int) -> str:
    """Return the section of docs/rubrics.md that shows the power of the rubrics."""
    head = f"| step | {' | '.join(PANEL)} |\n|---|{'---|' * len(PANEL)}\n"
    body = "".join(f"| {step} | {' | '.join(marks)} |\n" for step, marks in rows.items())
    return f"{BEGIN}\n{TEXT.format(models=models, pairs=models * PLANS)}\n{head}{body}{END}\n"


def write(section: str) -> None:
    """Put the section into the page, in place of the one that is there."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN, 1) if BEGIN in page else (page + "\n", "")
    after = rest.split(END + "\n", 1)[1] if END in rest else ""
    PAGE.write_text(before + section + after, encoding="utf-8")


def main() -> int:
    """Print what each rubric notices, write the table, and return 1 if one fails."""
    parser = argparse.ArgumentParser(description="Plant damages, and see what the rubrics notice.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="by default all, for the table")
    parser.add_argument(
        "--models", type=int, default=MODELS, metavar="N", help="cells of each plan (default 5)"
    )
    parser.add_argument(
        "--parts", action="store_true", help="show which measures moved, and every number"
    )
    options = parser.parse_args()
    rows, failed = {}, 0
    steps = options.steps or load.names()
    for step, results in zip(steps, every(steps, options.models), strict=True):
        rows[step] = row(results)
        print(step, *rows[step], flush=True)
        for one in results:
            failed += bool(one.problem)
            if one.problem or (options.parts and one.applies):
                print(" ", *_described(one, parts=options.parts), sep=" · ", flush=True)
    if not options.steps:
        write(table(rows, options.models))
    print(f"{len(rows)} rubrics, {failed} failures")
    return 1 if failed else 0


def _described(one: Outcome, *, parts: bool) -> Iterator[str]:
    yield from (one.source, one.damage, f"{one.share:.0%}")
    yield "no pair has content" if one.effect is None else f"{one.effect:+.2f}"
    yield f"{one.answer}, its repair {one.repaired}"
    if one.problem:
        yield one.problem
    if parts:
        yield ", ".join(f"{name} {value:+.2f}" for name, value in one.parts if abs(value) >= 0.01)


if __name__ == "__main__":
    raise SystemExit(main())
