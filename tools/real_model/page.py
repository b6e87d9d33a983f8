"""Writes docs/real_model.md from the results of the campaign."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from model_gateway.serving.settings import usable_cores
from tools.real_model.campaign import ROOT, SEARCHES, Campaign, steps_with_models
from tools.real_model.prompts import DAMAGED, IMPROVED
from tools.real_model.units import Result

PAGE = ROOT / "docs" / "real_model.md"
NOTES = Path(__file__).with_name("notes.md")
"""What was found while this was built; the rest of the page is counted."""
_HEAD = (
    "# A real model, judged",
    "",
    "For people who ask whether any of this works outside a simulation. The page shows what "
    "Plumbline decides about prompts of a real model, with every figure measured.",
    "",
    "The model is SmolLM2-135M-Instruct with 4 bits a weight, by llama.cpp on this machine. It is "
    "far too small for good plans: what is tested is not the model but whether the product can "
    "tell real differences from chance, on replies that nobody wrote for the purpose. `make real` "
    "writes the page. It can be stopped and resumed, and its sizes are arguments.",
    "",
)
_DECISIONS = ("KEEP", "REJECT")


def write(campaign: Campaign, path: Path) -> None:
    """Write the page."""
    path.write_text("\n".join(_lines(campaign)).rstrip() + "\n", encoding="utf-8")


def _lines(campaign: Campaign) -> Iterator[str]:
    yield from _HEAD
    yield from _sizes(campaign)
    yield from _against_itself(campaign)
    yield from _verdicts(campaign)
    yield from _searches(campaign)
    yield from _speed(campaign)
    yield from _survey(campaign)
    yield from _failures(campaign)


def _sizes(campaign: Campaign) -> Iterator[str]:
    sizes, results = campaign.sizes, campaign.results
    runs = {**results.named("run"), **results.named("change")}
    cells = sum(run["cells"] for run in runs.values())
    kinds = Counter(str(run["evidence"]["kind"]) for run in runs.values())
    yield (
        f"What was run ({datetime.now(UTC):%Y-%m-%d}, {usable_cores()} cores of a "
        f"{platform.machine()} machine that other work shared): {len(runs)} runs with {cells} "
        f"[cells](glossary.md#cell) of the steps {', '.join(sizes.steps)}, each on the five "
        f"bundled train plans, {sizes.repeats} times; of a search at most {sizes.search_calls} "
        f"calls. [Evidence](glossary.md#evidence) of the runs: "
        + (", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "none")
        + "."
    )
    yield ""
    yield " ".join(_progress(campaign, len(runs)))
    yield ""


def _progress(campaign: Campaign, runs: int) -> Iterator[str]:
    steps = len(campaign.sizes.steps)
    planned = {
        "runs": (runs, steps * (campaign.sizes.runs + len(DAMAGED) + len(IMPROVED))),
        "searches": (
            sum(len(campaign.results.named(f"search/{name}")) for name in campaign.sizes.steps),
            steps * len(SEARCHES),
        ),
        "steps of the survey": (len(campaign.results.named("survey")), len(steps_with_models())),
    }
    yield "Done so far:"
    yield ", ".join(f"{done} of {of} {what}" for what, (done, of) in planned.items()) + "."
    if any(done < of for done, of in planned.values()):
        yield "The rest was not run in the time there was; `make real` resumes."


def _against_itself(campaign: Campaign) -> Iterator[str]:
    yield "## The same prompt against itself"
    yield ""
    rows = []
    total = wrong = 0
    for step in campaign.sizes.steps:
        pairs = campaign.results.named(f"pair/{step}")
        words = Counter(pair["word"] for pair in _values(pairs))
        decided = sum(words[word] for word in _DECISIONS)
        total, wrong = total + sum(words.values()), wrong + decided
        rows.append((step, sum(words.values()), decided, words["INCONCLUSIVE"]))
    yield (
        "Runs with different seeds and nothing else changed, each with each of the others, in "
        "[pairs](glossary.md#pair) of cells. A KEEP or REJECT would be false. Of "
        f"{total} comparisons {wrong} were decided."
    )
    yield ""
    yield from _table(("step", "comparisons of two runs", "false decisions", "INCONCLUSIVE"), rows)
    for step in campaign.sizes.steps:
        noise = campaign.results.get(f"noise/{step}")
        if noise is not None and noise["lines"]:
            yield f"`plumbline noise --step {step}`: {_cell(noise['lines'][0])}"
            yield ""


def _verdicts(campaign: Campaign) -> Iterator[str]:
    yield "## Damaged and improved prompts"
    yield ""
    yield (
        "Against the prompt that ships, with the same seeds. What is called improved is only meant "
        "to be: `tools/real_model/prompts.py` has the texts. A cell that failed counts against its "
        "prompt. Why: what a [gate](glossary.md#gate) that failed, or the "
        "[composite](glossary.md#composite), said. The noise of a step is that of its runs above, "
        "where there are two or more."
    )
    yield ""
    rows = []
    counts: Counter[tuple[str, str]] = Counter()
    for step in campaign.sizes.steps:
        base = campaign.results.get(f"run/{step}/1")
        for kind, changes in (("damaged", DAMAGED), ("improved", IMPROVED)):
            for name in changes:
                run = campaign.results.get(f"change/{step}/{name}")
                verdict = campaign.results.get(f"verdict/{step}/{name}")
                if base and run and verdict:
                    counts[kind, verdict["word"]] += 1
                    rows.append(
                        (step, f"{kind}: {name}", _ok(base), _ok(run), verdict["word"],
                         _why(verdict), verdict["evidence"])
                    )  # fmt: skip
    for kind in ("damaged", "improved"):
        words = {word: n for (of, word), n in sorted(counts.items()) if of == kind}
        listed = ", ".join(f"{n} {word}" for word, n in words.items()) or "none was run"
        yield f"- {kind}: {listed}"
    yield ""
    head = ("step", "prompt", "ok before", "ok after", "verdict", "why", "evidence")
    yield from _table(head, rows)


def _searches(campaign: Campaign) -> Iterator[str]:
    yield "## Searches"
    yield ""
    yield (
        "From the prompt that ships, with the small model itself as the proposer. A winner is "
        "tested against the prompt that ships; a KEEP is confirmed on the verify plans."
    )
    yield ""
    rows = []
    for step in campaign.sizes.steps:
        for generator, more in SEARCHES.items():
            result = campaign.results.get(f"search/{step}/{generator}")
            if result is None:
                continue
            over = result["over"] or {}
            fitness = f"{_number(over.get('baseline'))} → {_number(over.get('best'))}"
            ends = ", ".join(result["ends"]) or _last(result)
            name = " ".join((f"`{generator}`", *(f"`{word}`" for word in more)))
            cells = (over.get("cells", "–"), over.get("asked", "–"), over.get("admitted", "–"))
            rows.append((step, name, *cells, fitness, ends))
    head = ("step", "generator", "cells", "asked", "admitted", "fitness", "end")
    yield from _table(head, rows)


def _speed(campaign: Campaign) -> Iterator[str]:
    yield "## Speed"
    yield ""
    rows = []
    for step in campaign.sizes.steps:
        runs = [
            run
            for kind in ("run", "change")
            for run in _values(campaign.results.named(f"{kind}/{step}"))
            if not run.get("resumed", run["model_seconds"] > run["seconds"])
        ]
        busy = sum(run["model_seconds"] for run in runs)
        wall = sum(run["seconds"] for run in runs)
        if not (busy and wall):
            continue
        cells = sum(run["cells"] for run in runs)
        tokens = sum(run["output_tokens"] for run in runs)
        sent = sum(run["input_tokens"] for run in runs)
        share = (wall - busy) / wall
        rows.append(
            (step, cells, f"{wall / cells:.1f}", f"{sent / busy:.0f}", f"{tokens / busy:.1f}",
             f"{100 * share:.0f} %")
        )  # fmt: skip
    yield (
        "Tokens are per second of an exchange, in which the model reads and writes. "
        "Plumbline's own share is all time of a command in which no request was under way: "
        "starting Python, importing, reading plans, forking cells, recording. Runs that were "
        "interrupted and resumed are left out."
    )
    yield ""
    head = ("step", "cells", "seconds a cell", "tokens in/s", "tokens out/s", "Plumbline's own")
    yield from _table(head, rows)


def _survey(campaign: Campaign) -> Iterator[str]:
    steps = steps_with_models()
    rows = campaign.results.named("survey")
    counts = Counter(row["status"] for row in rows.values())
    yield "## Which steps the model can do"
    yield ""
    yield (
        f"One cell of each of the {len(steps)} steps on the plan 20260401_tool_library, one "
        f"attempt a call, at most 4 calls and {campaign.sizes.survey_seconds:g} s. ok means that "
        "the replies could be used, not that they are good. "
        f"{counts['ok']} ok, {counts['failed']} failed, {len(steps) - len(rows)} not run this way."
    )
    yield ""
    lines = []
    for step in steps:
        row = rows.get(step)
        run = campaign.results.get(f"run/{step}/1")
        if row is None and run is not None:
            lines.append((step, f"ok in {_ok(run)} cells above", "", "", ""))
            continue
        if row is None:
            lines.append((step, "not run", "", "", ""))
            continue
        end = row["status"] if row["status"] == "ok" else f"{row['failure_kind'] or 'failed'}"
        end += " (part)" if row.get("partial") else ""
        calls = f"{row.get('calls_succeeded', 0)} of {row.get('calls', 0)}"
        tokens = f"{row.get('input_tokens') or 0:,} + {row.get('output_tokens') or 0:,}"
        lines.append((step, end, calls, tokens, f"{row['seconds']:.0f}"))
    yield from _table(("step", "end", "calls ok", "tokens in + out", "seconds"), lines)


def _failures(campaign: Campaign) -> Iterator[str]:
    yield "## What did not work"
    yield ""
    runs = {**campaign.results.named("run"), **campaign.results.named("change")}
    kinds = Counter(kind for run in runs.values() for kind in run["failed"])
    cells = sum(run["cells"] for run in runs.values())
    failed = sum(kinds.values())
    yield f"- Of {cells} cells {failed} failed" + (
        f": {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())}."
        if kinds
        else "."
    )
    attempts = sum(run["attempts"] for run in runs.values())
    yield (
        f"- {attempts} attempts were made for these cells; what is beyond one a call is replies "
        "that looped until the length limit or did not fit the schema."
    )
    missing = [
        f"{step} with {generator}"
        for step in campaign.sizes.steps
        for generator in SEARCHES
        if campaign.results.get(f"search/{step}/{generator}") is None
    ]
    if missing:
        yield f"- Searches that were not run in the time there was: {', '.join(missing)}."
    yield NOTES.read_text(encoding="utf-8").strip()
    yield ""


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(one) for one in row)} |"
    yield ""


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _ok(run: Result) -> str:
    return f"{run['cells'] - len(run['failed'])}/{run['cells']}"


def _why(verdict: Result) -> str:
    reasons = verdict.get("reasons") or [verdict.get("why", "")]
    failed = [gate["told"] for gate in verdict.get("gates", ()) if gate["failed"]]
    return "; ".join(map(str, (*failed, *reasons[:1])))[:300]


def _last(result: Result) -> str:
    lines = [line for line in result["last_lines"] if line.strip()]
    return f"exit {result['code']}: {lines[-1][:140] if lines else ''}"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "–"


def _values(rows: Mapping[str, Result]) -> list[Result]:
    return list(rows.values())
