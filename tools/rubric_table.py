"""Writes docs/rubrics.md: every rubric, and its measures on the bundled and recorded plans.

`python -m tools.rubric_table`, a part of `make rubrics`, unpacks both; without ../shared the
recorded columns are left empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from model_gateway import temporary
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
POWER = "<!-- power -->"
HEAD = """\
# The rubrics

For people who write or review a rubric. The table shows every rubric, and how many of its measures
are defined on real and on bundled plans.

A rubric is the file `rubrics/<step>.yaml`. It says what good output of a step is: where the items
are, which measures are taken of them and with which weight, which [gates](glossary.md#gate) reject
a candidate, which questions a judge is asked, and why. `rubrics/schema.json` describes the file;
`python -m self_improve.evaluate --list-metrics` describes each metric. A step without a rubric gets
one from the schema of its replies and from its output.

Faults that break an item, whatever else got better, are rare in sound outputs: an item in another
language or about another plan, a text that is cut or padded beside others, a list that lost
entries, an end without a mark. Their scales are small, so that they outweigh what a damage improves
by accident: where half of every text is missing, half of its invented figures are missing too. No
word of any language is looked for. What a record does not hold (the text that was sent, the list
that references name) is read from the artifacts under `inputs` in the plan that the step was run
on; where that is missing too, the measure is undefined.

The *minimal* effect, in scales of the [composite](glossary.md#composite), is the smallest that is
worth a merge. For `identify_potential_levers` it follows from [measured noise](evaluator.md). There
are no recorded identical runs of the others, so theirs are a prior that
`python -m tools.minimal_effects` states and computes. A model or a plan is lost at four times that.

A rubric whose measures, weights, scales or gates change gets a higher version: measures, noise and
verdicts name the version they were made with. `make rubrics` accepts new versions, refuses a change
without one, and writes the table. *Plans* counts the bundled samples, which a simulated model
wrote, and the recorded plans, as far as they have the step's artifacts; *items* is the mean over
plans; *measures* counts the content measures that are defined in at least one plan, of all. Older
plans do not hold the prompt of every step, and a plan alone has no replies of single calls, so some
measures are defined in runs only.

| step | version | minimal | bundled | items | measures | recorded | items | measures |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def bundled(into: Path) -> list[Path]:
    """Unpack the bundled plans and return their directories."""
    for path in sorted(SAMPLES.glob("*/*.zip")):
        unzip.unpack(path, into / path.stem, called=path.name, limits=unzip.UnzipLimits())
    return [into]


def cells(rubric: Rubric, folders: Sequence[Path]) -> list[MeasuredCell]:
    """Measure the plans in `folders` that have the artifacts of a rubric."""
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
    measured_cells = cells(rubric, folders)
    if not measured_cells:
        return ["–", "–", "–"]
    content = {use.id for use in rubric.metrics if use.of != "cell"}
    defined = {name for cell in measured_cells for name in cell.values} & content
    items = fmean(cell.items or 0 for cell in measured_cells)
    return [str(len(measured_cells)), f"{items:.1f}", f"{len(defined)} of {len(content)}"]


def main() -> None:
    """Write the page."""
    with temporary.opened("samples") as folder:
        samples = bundled(Path(folder))
        has_recorded = unpacked.RECORDED.exists()
        recorded = [unpacked.plans(split) for split in ("train", "verify")] if has_recorded else []
        lines = []
        for name in load.names():
            rubric = load.find(name)
            if rubric is None:
                continue
            row = [name, str(rubric.version), f"{rubric.minimal_effect:g}"]
            row += [*columns(rubric, samples), *columns(rubric, recorded)]
            lines.append(f"| {' | '.join(row)} |")
    # What `make rubric-power` wrote stays.
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    rest = page[page.index(POWER) - 1 :] if POWER in page else ""
    PAGE.write_text(HEAD + "\n".join(lines) + "\n" + rest, encoding="utf-8")
    print(f"{PAGE} ({len(lines)} rubrics)")


if __name__ == "__main__":
    main()
