"""Executes the runner's command: run it or estimate it, print the outcome, return the exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_gateway import availability, temporary
from model_gateway.counts import counted, tally
from model_gateway.exits import BUDGET, OK, say
from model_gateway.gateway import Gateway
from model_gateway.invocation import typed
from model_gateway.preflight import check_models
from prompt_lab.record import META, SCHEMA_VERSION, Run
from self_improve.errors import UsageError
from self_improve.runs.estimate import RunEstimate, estimate
from self_improve.runs.pings import ping_journal
from self_improve.runs.preparation import Prepared, RunRequest, prepared
from self_improve.runs.progress import display
from self_improve.runs.run_state import RunState, state_of
from self_improve.runs.session import RunsOfOneTree, Session, Summary, claimed, ledger_for
from self_improve.runs.stopping import StoppingRule

SOME_FAILED = 1
_SAME_MONEY = 0.001

Power = Callable[[str, int, Sequence[str], int], str | None]
"""Says what a step's cells can decide, by the numbers of plans and repeats and the models."""


async def execute(
    request: RunRequest,
    until: StoppingRule | None,
    *,
    dry_run: bool,
    as_json: bool,
    power: Power | None = None,
) -> int:
    """Run what is requested, or only print its expected cost, and return the exit code.

    `power` says what the planned cells can decide.

    Raises:
        GatewayError, LabError, ImproveError, OSError: it cannot be done as requested.
    """
    if dry_run:
        async with prepared(request) as work:
            states = _states(request, work)
            if until is not None:
                _check_sides(request, work, states, until)
            expected = await _expected(request, work, states)
            _print_estimate(states, expected, _power(work, power), as_json=as_json)
            return OK
    # The models' SDKs take as long to import as the pipeline does; both are done at once.
    async with Gateway(
        redact=request.catalogue.redactor(), availability=availability.of_user()
    ) as gateway:
        warming = asyncio.create_task(gateway.warm((*request.models, *request.fallbacks)))
        async with prepared(request) as work:
            with claimed(request, work.specifications):
                states = _states(request, work)
                gateway.ledger = ledger_for(request, states)
                if not as_json and (sentence := _power(work, power)):
                    say(sentence)
                summary = await _run(request, work, states, gateway, until, as_json=as_json)
        await warming
    _print_summary(summary, as_json=as_json)
    if summary.stopped is not None:
        return BUDGET
    if summary.open_cells:
        say(summary.open_cells.text())
        return SOME_FAILED
    return SOME_FAILED if any(_failures(run) for run in summary.all_runs) else OK


def _check_sides(
    request: RunRequest, work: Prepared, states: Sequence[RunState], until: StoppingRule
) -> None:
    """Refuse runs that could not be compared, although none has been begun yet.

    Raises:
        UsageError: `until` refuses the sides.
    """
    with temporary.opened("intent") as folder:
        paths = []
        for number, state in enumerate(states):
            path = folder / "history" / "0" / f"{number:02d}_{work.step.name}"
            if state.run is None:
                meta = state.specification.meta(optimizer=work.optimizer, workers=request.workers)
                path.mkdir(parents=True)
                intent = {"schema_version": SCHEMA_VERSION, **meta}
                (path / META).write_text(json.dumps(intent), encoding="utf-8")
            paths.append(path if state.run is None else state.run.path)
        until.begin([paths])


def _states(request: RunRequest, work: Prepared) -> list[RunState]:
    accepts = request.accept_failures
    return [
        state_of(s, request.output, new=request.new, accepts=accepts) for s in work.specifications
    ]


async def _run(
    request: RunRequest,
    work: Prepared,
    states: Sequence[RunState],
    gateway: Gateway,
    until: StoppingRule | None,
    *,
    as_json: bool,
) -> Summary:
    todo = [state for state in states if not state.is_finished]
    chains = [state.specification.models for state in todo if state.jobs()]
    if not work.step.calls_model:
        await _expected(request, work, states)  # Before anything is sent.
    pings = ping_journal(request.output, work.specifications)
    expected, _ = await asyncio.gather(
        _expected(request, work, states), check_models(gateway, chains, pings)
    )
    if todo and not as_json:
        say(f"{work.step.name}: {expected.text()}")
    session = Session(gateway, display(quiet=as_json))
    side = RunsOfOneTree(request=request, work=work, states=states, expected=expected.by_run)
    return await session.run([side], pings, until)


async def _expected(request: RunRequest, work: Prepared, states: Sequence[RunState]) -> RunEstimate:
    """Return the estimate, unless it shows that there is nothing to measure.

    The code of a step that seems to call no model is only a hint; an estimate without calls is not.
    """
    expected = await estimate(request, work, states)
    if expected.cells and not expected.calls and not work.step.calls_model:
        raise UsageError(
            f"The step {work.step.name} calls no model, so there is no prompt to measure. "
            f"`{typed('steps')}` shows which do."
        )
    return expected


def _power(work: Prepared, power: Power | None) -> str | None:
    """Return what the planned cells can decide, if that is known."""
    if power is None or not work.specifications:
        return None
    first = work.specifications[0]
    names = [specification.model.name for specification in work.specifications]
    return power(work.step.name, len(first.inputs), names, first.repeats)


def _print_estimate(
    states: Sequence[RunState], expected: RunEstimate, sentence: str | None, *, as_json: bool
) -> None:
    if as_json:
        print(json.dumps(expected.to_row() | {"power": sentence}))
        return
    for state in states:
        name = state.specification.model.name
        run = f"run {state.run.number}" if state.run is not None else "a new run"
        jobs = counted(len(state.jobs()), "cell")
        todo = "finished already" if state.is_finished else f"{jobs} to run"
        print(f"{name}: {run}, {todo}")
    print(expected.text())
    if sentence:
        print(sentence)
    print("Nothing was sent.")


def _print_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(summary)))
        return
    for run in summary.finished_before:
        say(f"{run.model}: {run.path} is finished already. Add --new to start another like it.")
    for run in summary.runs:
        print(_line(run))
    if summary.stopped is not None:
        left = counted(summary.tally.dropped, "cell")
        say(
            f"Stopped: {summary.stopped}, with {left} left. "
            "Run the same command with a higher cap to do the rest."
        )


def _line(run: Run) -> str:
    """Return a line on a run; that of a simulated model is always labelled so."""
    rows = run.rows().values()
    failed = _failures(run)
    partial = sum(bool(row.get("partial")) for row in rows if row.get("error") is None)
    done = run.done() or {}
    label = "SIMULATED " if run.is_simulated else ""
    state, why = "not finished", ""
    if done:
        state = f"evidence: {done['evidence']['kind']}"
        reasons = done["evidence"]["reasons"]
        why = f" ({'; '.join(reasons)})" if reasons else ""
    decision = done.get("decision")
    if isinstance(decision, dict):
        state = f"{label}{decision['word']} after {decision['share']:.0%} of the cells · {state}"
    mended = sum(bool(row.get("mended")) for row in rows if row.get("error") is None)
    counts = tally(
        (len(rows) - failed, "ok"), (failed, "failed"), (partial, "of them partial"),
        (mended, "of them with mended replies"),
    )  # fmt: skip
    money = _difference(done.get("spent") or {})
    return f"{label}{run.model}: {counts or 'no cells'}{money} · {state}{why} · {run.path}"


def _difference(spent: Mapping[str, Any]) -> str:
    """Return how what a server billed differs from the price in the entry, if it does."""
    billed, by_price = spent.get("cost_usd"), spent.get("cost_by_price_usd")
    if billed is None or by_price is None or abs(billed - by_price) <= _SAME_MONEY * billed:
        return ""
    return f" · billed ${billed:.4f}, by the entry's price ${by_price:.4f}"


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        "runs": [
            {
                "path": str(run.path),
                "model": run.model,
                "simulated": run.is_simulated,
                "finished": run.finished,
                "rows": list(run.rows().values()),
                "evidence": (run.done() or {}).get("evidence"),
            }
            for run in summary.all_runs
        ],
        "left": summary.tally.dropped,
        "open": {name: dict(kinds) for name, kinds in summary.open_cells.kinds.items() if kinds},
        "budget_reached": summary.stopped,
        "spent": vars(summary.spent),
    }


def _failures(run: Run) -> int:
    return sum(row.get("error") is not None for row in run.rows().values())
