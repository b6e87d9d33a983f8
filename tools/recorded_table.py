"""Replays the recorded history through today's step, and counts why the lever lists differ.

`make recorded` unpacks ../shared/recorded, runs identify_potential_levers on the stored replies of
every run with the recorded provider, compares each list with the recorded one, and writes
docs/recorded_replies.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway import temporary
from prompt_lab import unzip
from prompt_lab.layout import Layout, runs
from prompt_lab.record import Run
from worker_plan.steps.identify_potential_levers import ENOUGH, OPTIONS, IdentifyPotentialLevers

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT.parent / "shared" / "recorded"
PAGE = ROOT / "docs" / "recorded_replies.md"
STEP = "identify_potential_levers"
RAW, CLEAN = IdentifyPotentialLevers.raw.name, IdentifyPotentialLevers.levers.name
SIDE_BY_SIDE = 40

WHY = {
    "same": "the same levers, in the same order, word for word",
    "fewer than three options": "a rule of this step: refused, one lever at a time",
    "placeholder in square brackets": "a rule of this step: refused, one lever at a time",
    "name already there": "a rule of this step: refused, one lever at a time",
    "no name": "a rule of this step: refused, one lever at a time",
    "options beyond the third": f"this step keeps the first {OPTIONS} options of a lever",
    "enough before the last reply": f"this step stops asking at {ENOUGH} levers",
    "fewer than five whole levers in the reply": "a rule of this step: the reply is refused",
    "spaces around a text": "this step removes them",
    "not in the recorded list": "the old step omitted it although its reply had it",
    "unexplained": "must be 0",
}


@dataclass(kw_only=True)
class Comparison:
    """Counts of cells by how they compare, and of levers by why they differ."""

    cells: Counter[str] = field(default_factory=Counter)
    levers: Counter[str] = field(default_factory=Counter)
    runs: int = 0


def unpack(into: Path) -> tuple[Path, Path]:
    """Unpack history and train plans; return both folders."""
    with tarfile.open(RECORDED / "history.tar.xz") as archive:
        archive.extractall(into, filter="data")
    plans = into / "plans"
    plans.mkdir()
    for zipped in sorted((RECORDED / "baseline" / "train").glob("*.zip")):
        unzip.unpack(zipped, plans / zipped.stem, called=zipped.name, limits=unzip.UnzipLimits())
    return into, plans


def replay(old: Sequence[Path], plans: Path, output: Path) -> dict[str, Run]:
    """Run the step on the stored replies of the runs `old`; return the new runs by model name."""
    for start in range(0, len(old), SIDE_BY_SIDE):
        names = [f"--model=recorded:{path}" for path in old[start : start + SIDE_BY_SIDE]]
        done = subprocess.run(
            [
                sys.executable, "-m", "self_improve.runner", "--step", STEP, *names,
                "--baseline-dir", str(plans), "--output-dir", str(output), "--json",
            ],
            stdout=subprocess.DEVNULL, cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode not in {0, 1}:
            raise SystemExit(f"The runner ended with {done.returncode}.")
    new_runs = [Run(path) for path in runs(Layout(output))]
    return {run.model: run for run in new_runs}


def compare(old: Run, new: Run, comparison: Comparison) -> None:
    """Compare the lever lists of all plans of one run."""
    comparison.runs += 1
    for plan, repeat in new.rows():
        recorded = _read(old.outputs(plan) / CLEAN)
        stored = _read(old.outputs(plan) / RAW)
        if recorded is None or stored is None:
            comparison.cells["no replies were recorded"] += 1
            continue
        ours = _read(new.outputs(plan, repeat) / CLEAN) or []
        raw = _read(new.outputs(plan, repeat) / RAW) or {"refused": [], "metadata": {}}
        reasons = _reasons(recorded, ours, stored["responses"], raw)
        comparison.levers.update(reasons)
        comparison.cells["the same list" if set(reasons) <= {"same"} else "differs"] += 1


def _reasons(
    recorded: list[dict[str, Any]],
    ours: list[dict[str, Any]],
    replies: list[dict[str, Any]],
    raw: dict[str, Any],
) -> Counter[str]:
    """Return, for each lever of either list, why it is or is not in both."""
    reasons: Counter[str] = Counter()
    mine = {_key(lever): lever for lever in ours}
    refused = {(r["call"], r["name"].strip()): r["reason"] for r in raw["refused"]}
    asked = len(raw["metadata"])
    seen: Counter[tuple[str, str, str]] = Counter()
    for lever in recorded:
        twin = mine.pop(_key(lever), None)
        seen[_key(lever)] += 1
        if twin is not None:
            reasons[_difference(lever, twin)] += 1
            continue
        number = _reply_of(lever, replies, seen[_key(lever)])
        call = f"levers_{number}"
        if number is None:
            reasons["unexplained"] += 1
        elif number > asked:
            reasons["enough before the last reply"] += 1
        elif (call, lever["name"].strip()) in refused:
            reasons[refused[call, lever["name"].strip()]] += 1
        elif "failure" in raw["metadata"].get(f"metadata_{number}", {}):
            reasons["fewer than five whole levers in the reply"] += 1
        else:
            reasons["unexplained"] += 1
    reasons["not in the recorded list"] += len(mine)
    return +reasons


def _difference(recorded: dict[str, Any], ours: dict[str, Any]) -> str:
    if len(recorded["options"]) > len(ours["options"]):
        return "options beyond the third"
    names = ("name", "consequences", "options", "review")
    same = all(recorded[name] == ours[name] for name in names)
    return "same" if same else "spaces around a text"


def _key(lever: dict[str, Any]) -> tuple[str, str, str]:
    review = lever.get("review", lever.get("review_lever", ""))
    return lever["name"].strip(), lever["consequences"].strip(), review.strip()


def _reply_of(lever: dict[str, Any], replies: list[dict[str, Any]], nth: int) -> int | None:
    """Return the number of the reply with the n-th lever like this one; replies may repeat."""
    for number, reply in enumerate(replies, start=1):
        for one in reply["levers"]:
            nth -= _key(one) == _key(lever)
            if nth == 0:
                return number
    return None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def page(comparison: Comparison) -> str:
    """Return the page with the table."""
    lines = [
        "# The recorded replies, replayed",
        "",
        "For developers who change this step or the recorded provider. The tables show how today's "
        "step differs from the recorded one on the same replies, and why.",
        "",
        f"`make recorded` replays the replies of {comparison.runs} recorded runs of {STEP} through "
        "today's step with the recorded provider. A [cell](glossary.md#cell) is one plan of one "
        "run.",
        "",
        "| cells | number |",
        "|---|---|",
        *(f"| {name} | {number} |" for name, number in sorted(comparison.cells.items())),
        "",
        "| levers | number | why |",
        "|---|---|---|",
        *(f"| {name} | {comparison.levers.get(name, 0)} | {why} |" for name, why in WHY.items()),
        "",
        "Calls beyond the stored replies fail and are marked partial in the cell's row; they do "
        "not change the list.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Replay, compare, write the page; 1 if a difference has no reason."""
    if not RECORDED.is_dir():
        raise SystemExit(f"There is no recorded history at {RECORDED}.")
    with temporary.opened("recorded") as folder:
        history, plans = unpack(Path(folder))
        old = runs(Layout(history))
        new = replay(old, plans, Path(folder) / "out")
        comparison = Comparison()
        for path in old:
            run = new.get(f"recorded-{path.parent.name}-{path.name}")
            if run is not None:
                compare(Run(path), run, comparison)
    text = page(comparison)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 1 if comparison.levers["unexplained"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
