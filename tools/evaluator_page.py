"""Writes the tables of docs/evaluator.md from the recorded history: `make evaluator`.

The noise that verdicts use is measured first and stored beside the rubric; then come the verdicts
on the recorded iterations, the rates of false ones, and the power on planted effects with its
picture.
What stands between the marks of a table is written over; the rest of the page is left alone.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from prompt_lab.record import Evidence
from rubrics import load
from self_improve.comparison import repeated_runs
from self_improve.verdict import Verdict, Word, decide
from self_improve.verdict import noise as calibration
from tools import calibrate, planted
from tools import recorded_comparisons as recorded
from tools.planted import COUNTS, DAMAGES, SHARES, Power
from tools.relabelling import looks

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evaluator.md"
PICTURE = ROOT / "docs" / "evaluator_power.svg"
SEED = 1

WHY = {
    "1": "A doubled message was taken out. The outputs are as they were, so there is nothing to "
    "keep; the record kept it because it was a repair.",
    "2": "Names and texts repeat each other more, in every plan: evidence of harm. The record let "
    "it pass on reasons in the code, and the next iteration was there to mend just that.",
    "3": "Agrees: the repetitions of the iteration before are gone, on every plan.",
    "4": "Invented figures rose in one model: to be suspected, which keeps a KEEP back, "
    "and not shown. The record was undecided too.",
    "5": "More invented figures, mostly from a few cells of one plan: noise of that size is "
    "common.",
    "6": "One model fell, and all copied more from the prompt: to be suspected, not shown. "
    "The record saw the form that was asked for, which no rubric counted as good in "
    "advance.",
    "7": "Three cells lost, none gained: to be suspected, not shown. The record was undecided too.",
    "8": "Reviews repeat each other less, names between calls more, as far as fresh contexts must; "
    "together too little. The record was undecided too.",
    "9": "Agrees with the facts and not with the record: the runs used the old prompt.",
    "10": "Agrees: five cells lost, four of them in one model that wrote no levers at all. What "
    "the others wrote was better, and does not outweigh that.",
    "11": "Agrees with the later decision: six cells came back because the change before was taken "
    "back, and no text became better.",
    "12": "Only cells that fail could show it, and two each way say nothing.",
    "13": "One model was exchanged and left out; four cells lost against two is chance.",
    "14": "Only cells that fail could show it: three against two.",
    "15": "Two cells each way, and texts as before. The record went by the form of the prompt.",
    "16": "Agrees with the facts: the change was never reached in these runs.",
    "17": "Three cells came back, which is not yet beyond chance. The record was undecided too.",
    "18": "Agrees: invented figures are nearly gone, in every model and plan.",
    "19": "Agrees with the final decision: sentences that three plans share became fewer, "
    "and the composite rose on every plan.",
    "20": "What it aimed at moved in two plans of one model; over all cells it is not to be seen. "
    "Declared in advance it is tested there, and unmet: two plans of five are chance (p = .125).",
    "21": "Invented figures were gone already, so there was nothing left to mend.",
    "22": "Reviews begin alike more often: worse beyond chance, by less than would matter. The "
    "record was undecided too.",
}
"""Why the evaluator agrees with what was recorded, or not."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def store_noise() -> None:
    """Measure the noise of the recorded step and store it beside the rubric."""
    sources = [
        f"{_names(one.before)} = {_names(one.after)}"
        for one in map(recorded.iterations().__getitem__, recorded.SAME_PROMPTS)
    ]
    pairings = [recorded.pairing(number) for number in recorded.SAME_PROMPTS]
    noise = repeated_runs.noise_of(pairings, recorded.rubric(), sources)
    path = calibration.path_of(recorded.STEP, load.FOLDER)
    path.parent.mkdir(exist_ok=True)
    path.write_text(noise.model_dump_json(indent=2) + "\n", encoding="utf-8")
    recorded.stored.cache_clear()


def _names(paths: Sequence[Path]) -> str:
    return " ".join(f"{path.parent.name}/{path.name.partition('_')[0]}" for path in paths)


def noise_table() -> str:
    """Return the noise of the measures that weigh."""
    noise = recorded.stored()
    spreads = {"composite": noise.composite, **noise.metrics}
    weighty = {"composite", *(use.id for use in recorded.rubric().metrics if use.weight)}
    rows = [
        [
            f"`{name}`", f"{one.deviation:.3g}",
            "–" if one.drift is None else f"{one.drift:.2f}", f"{one.widening:.2f}",
        ]
        for name, one in spreads.items()
        if one is not None and name in weighty
    ]  # fmt: skip
    flips = [
        [f"`{model}`", f"{one.flips} of {one.pairs}", f"{noise.flip_rate(model):.0%}"]
        for model, one in noise.flips.items()
    ]
    return "\n\n".join(
        (
            table(("measure", "deviation of pairs", "drift of batches", "widened by"), rows),
            table(("model", "success flipped", "rate that is used"), flips),
        )
    )


def comparisons() -> str:
    """Return what is said of each recorded iteration, and why."""
    rows = []
    for number, one in recorded.iterations().items():
        pairing = recorded.pairing(number)
        found = decide(pairing, recorded.terms(), evidence=Evidence.historical)
        stopped = decide(looks(pairing, seed=SEED), recorded.terms(), evidence=Evidence.historical)
        again = "" if stopped.word is found.word else f" {stopped.word}"
        losses = found.losses
        rows.append(
            [
                number, str(found.pairs), f"−{losses.lost} +{losses.gained}", _composite(found),
                f"**{found.word}**", f"{stopped.share:.0%}{again}",
                "–" if found.further_cells is None else str(found.further_cells),
                f"{one.recorded}; {one.final.partition(' (')[0]}", WHY[number],
            ]
        )  # fmt: skip
    head = (
        "iteration", "pairs", "cells lost, gained", "composite (95 %; p)", "verdict",
        "stopped at", "further cells", "recorded; final", "why",
    )  # fmt: skip
    return table(head, rows)


def _composite(found: Verdict) -> str:
    composite = found.composite
    reach, p = composite.interval, composite.p or 0.0
    told = "" if reach is None else f"{reach.low:+.2f} to {reach.high:+.2f}; "
    return f"{composite.effect or 0:+.2f} ({told}{'< .001' if p < 0.001 else f'{p:.3f}'})"


def rates(count: int) -> tuple[str, bool]:
    """Return the rates of false words, and whether all are as low as they must be."""
    found = calibrate.both(count)
    words = (Word.keep, Word.reject)
    rows = [one.row(word) for one in found for word in words]
    head = ("looks", "false word", "rate (95 %)", "not significantly above 2.5 %")
    kept = all(one.is_kept(word) for one in found for word in words)
    return f"{count} relabelled comparisons each.\n\n{table(head, rows)}", kept


def power(found: Sequence[Power]) -> str:
    """Return the power on planted effects."""
    rows = [
        [
            damage, f"{share:.0%}",
            *(
                " / ".join(f"{value:.0%}" for value in (one.rejected, one.kept, one.wrong))
                for one in found
                if (one.damage, one.share) == (damage, share)
            ),
        ]
        for damage in DAMAGES
        for share in SHARES
    ]  # fmt: skip
    return table(("damage", "of items", *(f"{count} pairs" for count in COUNTS)), rows)


def picture(found: Sequence[Power]) -> str:
    """Return the power as SVG; the same numbers give the same bytes."""
    settings = {"svg.hashsalt": "plumbline", "svg.fonttype": "none", "font.size": 9.0}
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=(9, 5))
        for place, damage in enumerate(DAMAGES):
            axes = figure.add_subplot(2, 3, place + 1)
            for count in COUNTS:
                own = [one for one in found if (one.damage, one.pairs) == (damage, count)]
                axes.plot(
                    [one.share for one in own], [one.rejected for one in own], marker="o",
                    markersize=3, label=f"{count} pairs",
                )  # fmt: skip
            axes.set_title(damage)
            axes.set_ylim(-0.05, 1.05)
            axes.set_xscale("log")
            axes.set_xticks(SHARES, [f"{share:.0%}" for share in SHARES], minor=False)
            axes.minorticks_off()
            if place % 3 == 0:
                axes.set_ylabel("share of REJECT")
            if place >= 3:
                axes.set_xlabel("share of items damaged")
            if place == 0:
                axes.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def put(page: str, name: str, text: str) -> str:
    """Return the page with a new text between the marks of a table."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} has no marks for {name}: {begin} and {end}.")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def main() -> int:
    """Measure, write the page, and return 1 if false words are too frequent."""
    made = argparse.ArgumentParser(description="Write the tables of docs/evaluator.md.")
    made.add_argument("--relabellings", type=int, default=2000, metavar="N", help="of each kind")
    options = made.parse_args()
    store_noise()
    found = planted.table()
    told, kept = rates(options.relabellings)
    page = PAGE.read_text(encoding="utf-8")
    tables = {
        "noise": noise_table(), "comparisons": comparisons(), "rates": told, "power": power(found),
    }  # fmt: skip
    for name, text in tables.items():
        page = put(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
    PICTURE.write_text(picture(found), encoding="utf-8")
    print(f"Wrote {PAGE}.")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
