"""Writes the tables of docs/evaluator.md from the recorded history: `make evaluator`.

It first measures the noise that verdicts use and stores it beside the rubric, then writes the
verdicts on the recorded iterations, the rates of false ones, and the power on planted effects with
its picture. Only the text between the marks of a table is replaced.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from prompt_lab.record import Evidence
from rubrics import load
from self_improve.comparison import repeated_runs
from self_improve.verdict import Verdict, Word, decide, word
from self_improve.verdict import noise as calibration
from tools import calibrate, operating_characteristic, planted
from tools import recorded_comparisons as recorded
from tools.operating_characteristic import Rate
from tools.planted import COUNTS, DAMAGES, SHARES, Power
from tools.power_picture import picture
from tools.relabelling import looks

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "evaluator.md"
PICTURE = ROOT / "docs" / "evaluator_power.svg"
SEED = 1
TABLES = ("noise", "comparisons", "stopping", "characteristic", "rates", "power")
ORDERS, FLIPS = 12, 2000
TINY = 1e-9
DECIDED = ("2", "3", "10", "18", "19")
"""Comparisons with a large real effect, on which early stopping is measured."""

WHY = {
    "1": "A doubled message was removed. The outputs hardly changed, so there is no gain to keep; "
    "the record kept it as a repair.",
    "2": "Names and texts repeat each other more, in nearly every model: evidence of harm. The "
    "record accepted it for reasons in the code, and the next iteration was made to repair exactly "
    "that.",
    "3": "Agrees: the repetitions of the iteration before are gone, on every plan.",
    "4": "Invented figures rose, most of all in one model, which dropped by more than it may; "
    "others fell with it. The record was undecided.",
    "5": "Two plans fell and two rose, with more invented figures: together chance.",
    "6": "Two models wrote one sentence pattern into all their reviews. The record credited the "
    "requested form, which no rubric had counted as good in advance.",
    "7": "Three cells lost, none gained, in models that fail often: suspected, not shown. The "
    "record was undecided too.",
    "8": "Reviews repeat each other less; names repeat between calls more, as fresh contexts "
    "make them. Together the effect is too small. The record was undecided too.",
    "9": "Agrees with the facts and not with the record: the runs used the old prompt.",
    "10": "Agrees: five cells lost, four of them in one model that wrote no levers at all. What "
    "the others wrote was better, which does not outweigh that.",
    "11": "Agrees with the later decision: six cells came back because the change before was "
    "reverted, and with it the better texts that it had brought went.",
    "12": "Only cells that fail could show an effect, and two each way show nothing.",
    "13": "One model was exchanged and left out; four cells lost against two gained is chance.",
    "14": "Only cells that fail could show an effect: three against two.",
    "15": "Two cells each way, and texts as before. The record judged the form of the prompt.",
    "16": "Agrees with the facts: the changed code was never reached in these runs.",
    "17": "Three cells came back, which is not yet significant. The record was undecided too.",
    "18": "Agrees: invented figures are nearly gone, in every model and plan.",
    "19": "Agrees with the final decision: sentences that three plans share became fewer, and the "
    "composite rose on every plan.",
    "20": "The measure it aimed at moved in two plans of one model, which does not show over all "
    "cells. Declared in advance, it is tested there and unmet: two plans of five are chance.",
    "21": "Invented figures were gone already, so there was nothing left to improve.",
    "22": "Reviews begin alike in most models, some of them in every cell. The record was "
    "undecided.",
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
    composite = noise.composite
    flips = [
        [
            f"`{model}`", f"{one.flips} of {one.pairs}", f"{noise.flip_rate(model):.0%}",
            f"{noise.collapses_by_model[model].flips} of {noise.collapses_by_model[model].pairs}"
            if model in noise.collapses_by_model
            else "–",
            "–" if composite is None else f"{composite.of_model(model):.2f}",
        ]
        for model, one in noise.flips.items()
    ]  # fmt: skip
    return "\n\n".join(
        (
            table(("measure", "deviation of pairs", "drift of batches", "widened by"), rows),
            table(
                ("model", "success flipped", "rate that is used", "collapsed", "deviation"), flips
            ),
        )
    )


def comparisons() -> str:
    """Return the verdict on each recorded iteration, with an explanation."""
    rows = []
    for number, one in recorded.iterations().items():
        pairing = recorded.pairing(number)
        verdict = decide(pairing, recorded.terms(), evidence=Evidence.historical)
        stopped = decide(looks(pairing, seed=SEED), recorded.terms(), evidence=Evidence.historical)
        again = "" if stopped.word is verdict.word else f" {stopped.word}"
        losses = verdict.losses
        rows.append(
            [
                number, str(verdict.pairs), f"−{losses.lost} +{losses.gained}", _composite(verdict),
                f"**{verdict.word}**", f"{stopped.share:.0%}{again}",
                "–" if verdict.visible_effect is None else f"{verdict.visible_effect:.2f}",
                _further(verdict),
                f"{one.recorded}; {one.final.partition(' (')[0]}", WHY[number],
            ]
        )  # fmt: skip
    head = (
        "iteration", "pairs", "cells lost, gained", "composite (95 %; p)", "verdict",
        "stopped at", "shows", "further cells", "recorded; final", "why",
    )  # fmt: skip
    decided = sum("INCONCLUSIVE" not in row[4] for row in rows)
    return f"{decided} of {len(rows)} are decided.\n\n{table(head, rows)}"


def _further(verdict: Verdict) -> str:
    if verdict.word is not Word.inconclusive:
        return "–"
    return "out of reach" if verdict.further_cells is None else str(verdict.further_cells)


def stopping() -> str:
    """Return how much early stopping needs, over several orders of the cells, and what it loses."""
    by = recorded.terms(flips=FLIPS)
    rows = []
    for name, numbers in (
        ("all recorded", list(recorded.iterations())), ("with a large effect", list(DECIDED)),
    ):  # fmt: skip
        shares, same = [], []
        for number in numbers:
            pairing = recorded.pairing(number)
            whole = word(pairing, by)
            for seed in range(ORDERS):
                results = decide(looks(pairing, seed=seed), by, evidence=Evidence.historical)
                shares.append(results.share)
                same.append(results.word is whole)
        mean, alike = sum(shares) / len(shares), sum(same) / len(same)
        rows.append([name, str(len(numbers)), f"{mean:.0%}", f"{alike:.0%}", "–", "–"])
    for one in operating_characteristic.stopping():
        draws = one.whole.total()
        words = (
            " / ".join(f"{said[answer] / draws:.0%}" for answer in (Word.keep, Word.reject))
            for said in (one.whole, one.early)
        )
        rows.append(
            [
                f"a planted effect of {one.effect:+.2f}", str(draws), f"{one.share:.0%}",
                f"{one.same / draws:.0%}", *words,
            ]
        )  # fmt: skip
    head = (
        "comparisons", "number", "share of the cells", "same word as with all cells",
        "KEEP / REJECT with all cells", "with looks",
    )  # fmt: skip
    return table(head, rows)


def characteristic(results: Sequence[Rate]) -> str:
    """Return how often each word is given by the size of an effect."""
    rows = [
        [
            f"{effect * recorded.rubric().minimal_effect:+.2f}",
            *(
                f"{one.share(Word.keep):.0%} / {one.share(Word.reject):.0%}"
                for count in operating_characteristic.COUNTS
                for one in results
                if one.pairs == count
                and abs(one.effect - effect * recorded.rubric().minimal_effect) < TINY
            ),
        ]
        for effect in operating_characteristic.EFFECTS
    ]  # fmt: skip
    counts = (f"{count} pairs" for count in operating_characteristic.COUNTS)
    return table(("effect", *counts), rows)


def _composite(verdict: Verdict) -> str:
    composite = verdict.composite
    reach, p = composite.interval, composite.p or 0.0
    interval = "" if reach is None else f"{reach.low:+.2f} to {reach.high:+.2f}; "
    return f"{composite.effect or 0:+.2f} ({interval}{'< .001' if p < 0.001 else f'{p:.3f}'})"


def rates(count: int) -> tuple[str, bool]:
    """Return the rates of false words, and whether all are as low as they must be."""
    both = calibrate.both(count)
    words = (Word.keep, Word.reject)
    rows = [one.row(answer) for one in both for answer in words]
    head = ("looks", "false word", "rate (95 %)", "most", "not significantly above 2.5 %")
    are_low = all(one.is_kept(answer) for one in both for answer in words)
    return f"{count} relabelled comparisons each.\n\n{table(head, rows)}", are_low


def power(results: Sequence[Power]) -> str:
    """Return the power on planted effects."""
    rows = [
        [
            damage, f"{share:.0%}",
            *(
                " / ".join(f"{value:.0%}" for value in (one.rejected, one.kept, one.wrong))
                for one in results
                if (one.damage, one.share) == (damage, share)
            ),
        ]
        for damage in DAMAGES
        for share in SHARES
    ]  # fmt: skip
    return table(("damage", "of items", *(f"{count} pairs" for count in COUNTS)), rows)


def put(page: str, name: str, text: str) -> str:
    """Return the page with a new text between the marks of a table."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, _, rest = page.partition(begin)
    _, mark, tail = rest.partition(end)
    if not mark:
        raise SystemExit(f"{PAGE} has no marks for {name}: {begin} and {end}.")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def main() -> int:
    """Measure, write the page, and return 1 if false words are too frequent."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/evaluator.md.")
    parser.add_argument("--relabellings", type=int, default=2200, metavar="N", help="of each kind")
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES, help="these tables")
    options = parser.parse_args()
    store_noise()
    are_low = True
    for name in options.only:
        if name == "rates":
            text, are_low = rates(options.relabellings)
        elif name == "power":
            results = planted.table()
            text = power(results)
            PICTURE.write_text(picture(results), encoding="utf-8")
        else:
            text = _text(name)
        # Each as soon as it is there, so that an interrupted command has not measured in vain.
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        print(f"Wrote {name} into {PAGE}.", flush=True)
    return 0 if are_low else 1


def _text(name: str) -> str:
    """Return one of the tables that take no options."""
    if name == "noise":
        return noise_table()
    if name == "comparisons":
        return comparisons()
    if name == "stopping":
        return stopping()
    return characteristic(operating_characteristic.rates())


if __name__ == "__main__":
    raise SystemExit(main())
