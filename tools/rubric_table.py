"""Writes docs/rubrics.md: every rubric, and what it measures on the bundled and recorded plans.

`python -m tools.rubric_table`, a part of `make rubrics`, unpacks both; without ../shared the
recorded columns are left empty.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from prompt_lab import unzip
from prompt_lab.baselines import Baselines
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.measures.measured import MeasuredCell, MeasuredRun
from self_improve.measures.measurer import Measurer
from tools import unpacked

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rubrics.md"
SAMPLES = ROOT / "prompt_lab" / "samples"
HEAD = """\
# The rubrics

What good means for each step that calls a model. `rubrics/<step>.yaml` says where the items are,
what is measured of them with which weight, what refuses a candidate, what a judge is asked, and
why. `rubrics/schema.json` describes the file; `python -m self_improve.evaluate --list-metrics`
tells what each metric measures. A step without a rubric gets one from the schema of its replies and
from what it wrote.

A rubric that says something else (other measures, weights, scales or gates) has a higher version:
measures, noise and verdicts name the one they were made with. `make rubrics` takes new versions in,
refuses a change without one, and makes the table. *Plans* are those of the bundled samples, which
a simulated model wrote, and of the recorded ones, as far as they hold the step's artifacts; *items*
is the mean over plans; *measures* counts those that are defined in at least one plan, of all that
are about content. Older plans do not keep the prompt of every step, and a plan alone has no replies
of single calls, so some measures are only defined in runs.

| step | version | bundled: plans | items | measures | recorded: plans | items | measures |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


def bundled(into: Path) -> list[Path]:
    """Unpack the bundled plans and return their directories."""
    for path in sorted(SAMPLES.glob("*/*.zip")):
        unzip.unpack(path, into / path.stem, called=path.name, limits=unzip.UnzipLimits())
    return [into]


def cells(rubric: Rubric, folders: Sequence[Path]) -> list[MeasuredCell]:
    """Return the plans in `folders` that hold what a rubric measures, measured."""
    plans = [path.name for folder in folders for path in sorted(folder.iterdir())]
    beside = MeasuredRun(
        path=ROOT, step=rubric.step, model="", rubric_version=rubric.version,
        cells=tuple(
            MeasuredCell(plan=plan, model="", repeat=0, succeeded=True) for plan in plans
        ),
    )  # fmt: skip
    measured = Measurer(rubric, baselines=Baselines(folders)).baseline(beside)
    return [cell for cell in measured.cells if cell.succeeded]


def columns(rubric: Rubric, folders: Sequence[Path]) -> list[str]:
    """Return the number of plans, the mean number of items, and the measures that are defined."""
    found = cells(rubric, folders)
    if not found:
        return ["–", "–", "–"]
    content = {use.id for use in rubric.metrics if use.of != "cell"}
    defined = {name for cell in found for name in cell.values} & content
    items = fmean(cell.items or 0 for cell in found)
    return [str(len(found)), f"{items:.1f}", f"{len(defined)} of {len(content)}"]


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory(prefix="plumbline-samples-") as folder:
        samples = bundled(Path(folder))
        has_recorded = unpacked.RECORDED.exists()
        recorded = [unpacked.plans(split) for split in ("train", "verify")] if has_recorded else []
        lines = []
        for name in load.names():
            rubric = load.find(name)
            if rubric is None:
                continue
            row = [name, str(rubric.version), *columns(rubric, samples), *columns(rubric, recorded)]
            lines.append(f"| {' | '.join(row)} |")
    PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{PAGE} ({len(lines)} rubrics)")


if __name__ == "__main__":
    main()
