"""How often each damage of the panel is rejected beside the noise of real runs.

Both sides are recorded runs without a change between them. In the side after a share of the items
is damaged, and pairs are drawn again and again. It writes its table into docs/rubrics.md.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prompt_lab.baselines import Baselines
from self_improve.comparison.sides import measure_sides
from self_improve.measures.measurer import Measurer
from self_improve.verdict import Word, word
from self_improve.verdict.differences import differences
from self_improve.verdict.looks import order
from self_improve.verdict.pairing import Pairing
from tools import damaged_plans, damages, unpacked
from tools import recorded_comparisons as recorded
from tools.damage_panel import PANEL
from tools.damaged_plans import Plan
from tools.rubric_table import PAGE

SHARE, PAIRS, DRAWS, FLIPS, PROCESSES = 0.2, 35, 40, 2000, 2
FOUND = 0.8
"""A damage counts as found if it is rejected in that share of draws."""
BEGIN, END = "<!-- detection -->", "<!-- end of detection -->"
TEXT = """\
### Beside real noise

What the recorded history can say: of `identify_potential_levers`, both sides are runs without a
change between them (iterations {alike}), and in the side after {share:.0%} of the items are
damaged; with *one model only*, {share:.0%} of those of one model. {pairs} of the {all} pairs are
drawn {draws} times (`python -m tools.panel_detection`, a part of `make rubric-power`). *Rejected*
is the share of REJECT, *effect* the mean fall of the composite. {found} of {count} damages are
rejected in at least four of five draws.
"""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How often one damage is rejected; `effect` is what it does to the composite."""

    damage: str
    pairs: int
    effect: float
    rejected: float
    kept: float


def planted(damage: str, share: float) -> Pairing | None:
    """Return the pairs of the comparisons without a change, the side after damaged.

    None if the damage cannot be done to this step.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-detection-") as name:
        before: list[Path] = []
        after: list[Path] = []
        count = 0
        for number in recorded.ALIKE:
            one = recorded.iterations()[number]
            before += one.before
            for place, path in enumerate(one.after):
                target = Path(name) / number / path.parent.name / path.name
                shutil.copytree(path, target)
                after.append(target)
                if damage != damages.ONE_MODEL or not place:
                    count += _damage(target, damage, share)
        if not count:
            return None
        measurer = Measurer(recorded.rubric(), baselines=Baselines((unpacked.plans("train"),)))
        return measure_sides(before, after, measurer).pairing


def _damage(run: Path, damage: str, share: float) -> int:
    """Damage the artifacts of a run, and return how many items were."""
    folder = unpacked.plans("train")
    plans = [Plan(path, folder / path.name) for path in sorted((run / "outputs").iterdir())]
    plans = [plan for plan in plans if all(map(plan.files, _artifacts()))]
    results = [
        damaged_plans.damaged(
            recorded.rubric(), plan, damaged_plans.foreign(plans, number),
            damage=damage, share=share, draw=f"{run.parent.name}/{run.name}",
        )
        for number, plan in enumerate(plans)
    ]  # fmt: skip
    for plan, (files, _) in zip(plans, results, strict=True):
        for name, data in files.items():
            (plan.folder / name).write_bytes(data)
    return sum(count for _, count in results)


def _artifacts() -> list[str]:
    rubric = recorded.rubric()
    return [one.artifact for one in (rubric.clean, rubric.replies) if one is not None]


def detection(damage: str, share: float) -> Detection | None:
    """Return how often a damage of a share of the items is rejected."""
    pairing = planted(damage, share)
    if pairing is None:
        return None
    by = recorded.terms(flips=FLIPS)
    keys = [pair.key for pair in pairing.pairs]
    words = [word(pairing.only(order(keys, seed=draw)[:PAIRS]), by) for draw in range(DRAWS)]
    gains = differences(pairing, by.rubric, noise=by.noise)
    return Detection(
        damage=damage, pairs=len(keys), effect=float(gains.composites.mean()),
        rejected=words.count(Word.reject) / DRAWS, kept=words.count(Word.keep) / DRAWS,
    )  # fmt: skip


def every(share: float = SHARE) -> list[Detection]:
    """Return the same for all damages that can be done, from two processes."""
    for number in recorded.ALIKE:
        recorded.pairing(number)
    with ProcessPoolExecutor(PROCESSES) as pool:
        results = list(pool.map(partial(detection, share=share), PANEL))
    return [one for one in results if one is not None]


def section(results: list[Detection]) -> str:
    """Return the section of docs/rubrics.md."""
    found = sum(one.rejected >= FOUND for one in results)
    text = TEXT.format(
        alike=" and ".join(recorded.ALIKE), share=SHARE, pairs=PAIRS, draws=DRAWS,
        all=max(one.pairs for one in results), found=found, count=len(results),
    )  # fmt: skip
    rows = "".join(
        f"| {one.damage} | {one.rejected:.0%} | {one.kept:.0%} | {one.effect:+.2f} |\n"
        for one in results
    )
    head = "| damage | rejected | kept | effect |\n|---|---:|---:|---:|\n"
    return f"{BEGIN}\n{text}\n{head}{rows}{END}\n"


def main() -> int:
    """Print and write the table, and return 1 if a damage is kept."""
    results = every()
    for one in results:
        print(one.damage, f"{one.rejected:.0%}", f"{one.kept:.0%}", f"{one.effect:+.2f}")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END + "\n")[2]
    PAGE.write_text(before.rstrip("\n") + "\n\n" + section(results) + after, encoding="utf-8")
    return int(any(one.kept for one in results))


if __name__ == "__main__":
    raise SystemExit(main())
