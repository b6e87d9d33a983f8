"""Writes the benchmark's page, docs/generators.md, from the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from self_improve.benchmark import page_text, provenance
from self_improve.benchmark.experiments.landscapes import REPORTED, TUNED
from self_improve.benchmark.experiments.resume_check import Resumed
from self_improve.benchmark.experiments.searches import Result
from self_improve.benchmark.ranking import (
    SHARES,
    Duel,
    Rank,
    RankEstimate,
    Ranking,
    difference,
    duel,
)
from self_improve.generators import catalogue

HOUSE = "reflective"
PACKAGES = ("gepa-package", "dspy-miprov2")


def page(
    ranking: Ranking,
    resumed: Sequence[Resumed],
    results: Sequence[Result],
    drawn: Sequence[tuple[str, str]],
    *,
    command: str,
) -> str:
    """Return the page in Markdown."""
    figures = "\n\n".join(
        f"**{question}**\n\n![{question}](figures/generators/{name}.svg)"
        for name, question in drawn
    )
    parts = [
        page_text.TOP.format(
            command=command,
            searches=len(results),
            landscapes=len(ranking.landscapes),
            budget=ranking.budget,
            rubric=provenance.current().rubric,
            minutes=math.ceil(sum(one.seconds for one in results) / 60),
        ),
        page_text.HOW.format(
            tuned=_range(TUNED),
            reported=_range(REPORTED),
            numbers=_numbers(ranking.landscapes),
            left_out=_numbers(ranking.left_out) or "none",
            base=f"{ranking.base:.3f}",
            gain=f"{_mean(list(ranking.reachable.values())):.3f}",
            beaten=ranking.oracle_was_beaten,
            of=len(ranking.landscapes),
        ),
        "## How the default compares\n\n" + _house(ranking, results),
        "## Which one to use when\n\n" + _advice(ranking),
        "## The tables\n\n" + table(ranking),
        _second(ranking),
        "### Killed and resumed\n\n" + _resumed(resumed),
        "## The figures\n\n" + figures,
        page_text.LIST + "\n\n" + _listed(),
        page_text.SCOPE,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def table(ranking: Ranking) -> str:
    """Return the main table: shares reached and the step calls they took."""
    head = ["generator", *(f"step calls to {s:.0%}" for s in SHARES), "area", "share at the end"]
    rows = [
        [
            row.generator,
            *(_median_text(row.cells_to[s], ranking.budget) for s in SHARES),
            _with_interval(row.area, "{:.2f}"),
            _with_interval(row.final, "{:.2f}"),
        ]
        for row in ranking.rows
    ]
    return _markdown(head, rows)


def _listed() -> str:
    rows = [
        [one.name, one.summary, one.facts.get("needs", "-"), one.facts.get("costs", "-")]
        for one in catalogue.listed()
    ]
    return _markdown(["generator", "what it is", "needs", "costs"], rows, alignment="---")


def _second(ranking: Ranking) -> str:
    calls = [f"proposer calls to {s:.0%}" for s in SHARES]
    most = max((row.asked for row in ranking.rows), default=0.0)
    first = _markdown(
        ["generator", *calls, "step calls made", "proposer calls made"],
        [
            [
                row.generator,
                *(_median_text(row.asked_to[s], most) for s in SHARES),
                f"{row.cells:.0f}", f"{row.asked:.0f}",
            ]
            for row in ranking.rows
        ],
    )  # fmt: skip
    second = _markdown(
        ["generator", "gain on verify plans", "worst model", "train less verify",
         "refused a search", "overhead, ms a proposal", "calls beyond the budget"],
        [
            [
                row.generator, _with_interval(row.verify_gain, "{:+.3f}"),
                _with_interval(row.regression, "{:+.3f}"), _with_interval(row.gap, "{:+.3f}"),
                f"{row.refused:.0f}", f"{row.own_milliseconds:.0f}", str(row.overshoot),
            ]
            for row in ranking.rows
        ],
    )  # fmt: skip
    return f"{first}\n\n{second}"


def _resumed(resumed: Sequence[Resumed]) -> str:
    if not resumed:
        return "No search was killed in this run."
    rows = [
        [
            one.generator, str(one.landscape), "yes" if one.killed else "ended before",
            str(one.repeated), str(one.more), "yes" if one.same else "no",
        ]
        for one in sorted(resumed, key=lambda one: (one.generator, one.landscape))
    ]  # fmt: skip
    head = ["generator", "landscape", "killed", "calls made again", "calls beyond the unkilled",
            "same end"]  # fmt: skip
    return page_text.RESUME + "\n\n" + _markdown(head, rows)


def _house(ranking: Ranking, results: Sequence[Result]) -> str:
    rows = {row.generator: row for row in ranking.rows}
    house = rows.get(HOUSE)
    others = [rows[name] for name in PACKAGES if name in rows]
    if house is None or not others:
        return "This run did not compare the default with the packages."
    better = min(others, key=lambda row: (row.cells_to[0.8].value, -row.area.value))
    ours, theirs = house.cells_to[0.8], better.cells_to[0.8]
    if math.isinf(ours.value) and math.isinf(theirs.value):
        outcome = (
            "neither reaches it in half of its searches: the medians cannot be compared, and the "
            "goal is **not shown to be reached**"
        )
    elif ours.value <= theirs.value:
        outcome = "the default **reaches the goal**"
    else:
        outcome = "the default **misses the goal**"
    pairs = duel(results, HOUSE, better.generator, 0.8, ranking.reachable)
    later = difference(results, HOUSE, better.generator, 0.8, ranking.reachable)
    by_area = "more" if house.area.value > better.area.value else "less"
    return page_text.HOUSE.format(
        half=_median_text(house.cells_to[0.5], ranking.budget),
        other_half=_median_text(better.cells_to[0.5], ranking.budget),
        other=better.generator, ours=_median_text(ours, ranking.budget),
        theirs=_median_text(theirs, ranking.budget), outcome=outcome,
        paired=_paired(pairs, later, better.generator),
        area=f"{house.area.value:.2f}", other_area=f"{better.area.value:.2f}", by_area=by_area,
        final=f"{house.final.value:.2f}", other_final=f"{better.final.value:.2f}",
        verify=f"{house.verify_gain.value:+.3f}", other_verify=f"{better.verify_gain.value:+.3f}",
    )  # fmt: skip


def _paired(pairs: Duel, later: RankEstimate, other: str) -> str:
    """Return the comparison of the two landscape by landscape, with its censored pairs."""
    of = pairs.earlier + pairs.later + pairs.equal + pairs.neither
    text = (
        f"Landscape by landscape, the default reaches 80 % before `{other}` on {pairs.earlier} of "
        f"{of}, after it on {pairs.later} and with the same number of calls on {pairs.equal}. "
    )
    if pairs.neither:
        text += (
            f"On the other {pairs.neither} neither reaches it within the budget: these comparisons "
            "are censored, so which of the two would be first is unknown. "
        )
    if 2 * pairs.neither >= of:
        return f"{text}They are at least half, so there is no median difference to report."
    return (
        f"{text}The median difference is {later.value:+.0f} step calls ({later.low:+.0f} to "
        f"{later.high:+.0f}; a search that does not reach it counts as one call beyond the budget)."
    )


def _advice(ranking: Ranking) -> str:
    """Return advice that follows from the numbers."""

    def first(pick: Callable[[Rank], float]) -> Rank:
        return max(ranking.rows, key=pick)

    far = first(lambda row: row.final.value)
    soon = first(lambda row: row.area.value)
    half = SHARES[0]
    quick = min(ranking.rows, key=lambda row: row.cells_to[half].value)
    general = first(lambda row: row.verify_gain.value)
    safe = first(lambda row: row.regression.value)
    free = [row for row in ranking.rows if not row.asked]
    best_free = max(free, key=lambda row: row.final.value) if free else None
    blind = next((row for row in ranking.rows if row.generator == "random"), None)
    lines = [
        f"- To get farthest with {ranking.budget} step calls: **{far.generator}** (mean share "
        f"{far.final.value:.2f} of what can be gained).",
        f"- To have something early, because the budget may end at any time: "
        f"**{soon.generator}** (area {soon.area.value:.2f}).",
        f"- With few step calls, {half:.0%} of what can be gained: **{quick.generator}** "
        f"(step calls: {_median_text(quick.cells_to[half], ranking.budget)}).",
        f"- Best on plans that no search saw: **{general.generator}** "
        f"({general.verify_gain.value:+.3f}).",
        f"- Least harm to the worst model: **{safe.generator}** ({safe.regression.value:+.3f}).",
    ]
    if best_free is not None:
        lines.append(
            "- Without a proposer model, or when its calls are expensive: "
            f"**{best_free.generator}** (mean share {best_free.final.value:.2f}, no proposer call)."
        )
    if blind is not None:
        weaker = [r.generator for r in ranking.rows if r.final.high < blind.final.low]
        unclear = [
            r.generator for r in ranking.rows
            if r.generator != "random" and r.final.low <= blind.final.high
            and r.final.high >= blind.final.low
        ]  # fmt: skip
        lines.append(
            f"- Random search gets {blind.final.value:.2f}. Clearly below it: "
            f"{', '.join(weaker) or 'none'}. Not distinguishable from it by these intervals: "
            f"{', '.join(unclear) or 'none'}. Do not use these on such a landscape."
        )
    return "\n".join(lines) + "\n\n" + page_text.ADVICE


def _median_text(one: RankEstimate, most: float) -> str:
    """Return a median with its interval, or `> most` if fewer than half got there; and how many."""
    if not one.of:
        return "-"
    value = f"> {most:.0f}" if math.isinf(one.value) else f"{one.value:.0f}"
    high = f"> {most:.0f}" if math.isinf(one.high) else f"{one.high:.0f}"
    low = f"> {most:.0f}" if math.isinf(one.low) else f"{one.low:.0f}"
    interval = "" if math.isinf(one.low) else f" ({low} to {high})"
    return f"{value}{interval}; {one.reached}/{one.of}"


def _with_interval(one: RankEstimate, form: str) -> str:
    if not one.of:
        return "-"
    low, high = form.format(one.low), form.format(one.high)
    return f"{form.format(one.value)} ({low} to {high})"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]], *, alignment: str = "--:") -> str:
    lines = [head, ["---", *(alignment for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _range(values: range) -> str:
    return f"{values.start} to {values.stop - 1}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
