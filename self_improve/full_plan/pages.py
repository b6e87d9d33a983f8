"""A comparison of whole plans as tables, for the terminal and for a page of the data repo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_gateway.counts import counted
from prompt_lab import markup
from prompt_lab.tables import aligned, number

Row = Mapping[str, Any]
_KPIS = ("KPI", "baseline", "new plan")
_STEPS = ("step", "baseline", "new plan", "composite", "judge", "notes")


def page(result: Row, plans: Mapping[str, Row]) -> str:
    """Return the page of a comparison; `plans` are its `kpi_comparison.json`."""
    parts = [
        f"# Whole plans compared: {markup.line(result['told'])}",
        markup.bullets(facts(result)),
    ]
    for name, kpis in plans.items():
        parts += [
            f"## {markup.line(name)}",
            markup.line(kpis["baseline"]["told"]),
            markup.table(_KPIS, kpi_rows(kpis)),
            markup.folded("Every step", markup.table(_STEPS, step_rows(kpis))),
        ]
    parts.append(
        "Quality is the share of the rubric's best that a step's output reaches. The composite is "
        "the gain over the baseline in scales of the rubric; positive is better. One plan is one "
        "pair, which illustrates and proves nothing."
    )
    return markup.page(*parts)


def shown(result: Row, plans: Mapping[str, Row]) -> str:
    """Return the same for the terminal, with only the steps that changed or failed."""
    lines = [str(result["told"]), *facts(result)]
    for name, kpis in plans.items():
        lines += ["", name, kpis["baseline"]["told"], *_aligned(_KPIS, list(kpi_rows(kpis)))]
        moved = list(step_rows(kpis, only=_notable(kpis)))
        if moved:
            lines += ["", *_aligned(_STEPS, moved)]
        rest = len(kpis["kpis"]["steps"]) - len(moved)
        if rest:
            lines.append(
                f"{counted(rest, 'step')} changed by less than would be worth a merge, or "
                "not measured"
            )
    return "\n".join(lines)


def facts(result: Row) -> Iterator[str]:
    """Yield the facts about a comparison as a whole."""
    code = result["code"]
    yield from code_facts(code["after"])
    yield (
        f"baseline: commit {code['before']['commit'][:12]}, regenerated"
        if code["before"] is not None
        else "baseline: the stored plans"
    )
    model = result["model"]
    yield f"{model['name']} ({model['id']}), mode {result['speed']}, seed {result['seed']}"


def code_facts(row: Row) -> Iterator[str]:
    """Yield which code makes the new plans, and which best prompts are in it."""
    yield f"new plans: commit {row['commit'][:12]} on {row['branch']}"
    prompts = ", ".join(f"{h['step']} ({h['candidate']}, {h['how']})" for h in row["holds"])
    why = "no best prompt can be used" if row["left_out"] else "no step has a best prompt yet"
    yield f"best prompts: {prompts}" if prompts else f"{why}: this is the unchanged code"
    for step, why in row["left_out"].items():
        yield f"left out: {step}, because {why}"


def kpi_rows(kpis: Row) -> Iterator[tuple[str, ...]]:
    """Yield the KPIs of a plan, one per row."""
    values = kpis["kpis"]
    complete, length, used = values["completeness"], values["length"], values["usage"]
    yield "artifacts present / expected", *(_share(complete[side]) for side in ("before", "after"))
    yield "steps that failed", "", str(len(values["failed_steps"]))
    for key, name in (("markdown_chars", "characters of pages"), ("report_chars", "of the report")):
        yield name, *(_number(length[side][key]) for side in ("before", "after"))
    for key, name in (
        ("requests", "requests"), ("input_tokens", "tokens in"), ("output_tokens", "tokens out"),
        ("cost_usd", "US dollars"), ("seconds", "seconds of requests"),
    ):  # fmt: skip
        yield name, *(_number((used[side] or {}).get(key)) for side in ("before", "after"))
    totals = values["totals"]
    yield "better steps", "", f"{len(totals['better'])} of {totals['measured']}"
    yield "worse steps", "", f"{len(totals['worse'])} of {totals['measured']}"
    yield "steps that lost a gate", "", str(len(totals["lost_gates"]))
    yield "median composite", "", _signed(totals["median_composite"])
    yield "mean quality", *(_number(totals[f"mean_quality_{s}"]) for s in ("before", "after"))
    judge = values["judge"]
    if judge is not None:
        yield "judge prefers", str(judge["losses"]), f"{judge['wins']}, and {judge['ties']} ties"


def step_rows(kpis: Row, only: Sequence[str] | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a plan, one per row."""
    judge = (kpis["kpis"]["judge"] or {}).get("steps", {})
    for step, row in kpis["kpis"]["steps"].items():
        if only is not None and step not in only:
            continue
        notes = [*row["lost_gates"], *([row["why_not"]] if row["why_not"] else [])]
        yield (
            step, _quality(row["before"]), _quality(row["after"]), _signed(row["composite"]),
            judge.get(step, {}).get("winner", ""), "; ".join(notes),
        )  # fmt: skip


def _notable(kpis: Row) -> list[str]:
    values = kpis["kpis"]
    totals = values["totals"]
    notable = {*totals["better"], *totals["worse"], *totals["lost_gates"], *values["failed_steps"]}
    return [step for step in values["steps"] if step in notable]


def _share(complete: Row) -> str:
    return f"{complete['present']} / {complete['expected']}"


def _quality(cell: Row | None) -> str:
    if cell is None:
        return ""
    if not cell["succeeded"]:
        return f"failed ({cell['failure_kind'] or 'the step'})"
    return _number(cell["quality"])


def _number(value: float | None) -> str:
    return number(value, "d" if isinstance(value, int) else ".3f", "unknown")


def _signed(value: float | None) -> str:
    return number(value, "+.2f", "")


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    every = [tuple(head), *(tuple(markup.plain_line(c, most=90) for c in row) for row in rows)]
    return aligned(every)
