"""What the runner does between its command line and its exit code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from model_gateway.gateway import Gateway
from prompt_lab.record import DONE, Run
from self_improve.errors import UsageError
from self_improve.runs.estimate import RunEstimate, estimate
from self_improve.runs.preflight import check_models
from self_improve.runs.preparation import Prepared, RunRequest, prepared
from self_improve.runs.progress import display
from self_improve.runs.session import (
    RunsOfOneTree,
    RunState,
    Session,
    Summary,
    claimed,
    ledger_for,
    state_of,
)
from self_improve.runs.stopping import StoppingRule

OK, SOME_FAILED, BUDGET = 0, 1, 3


async def execute(
    request: RunRequest, until: StoppingRule | None, *, dry_run: bool, as_json: bool
) -> int:
    """Run what is wanted, or only say what it would cost, and return the exit code.

    Raises:
        GatewayError, LabError, ImproveError, OSError: it cannot be done as asked.
    """
    if dry_run:
        async with prepared(request) as work:
            states = _states(request, work)
            _tell_estimate(states, await _expected(request, work, states), as_json=as_json)
            return OK
    # The models' SDKs take as long to import as the pipeline does; both are done at once.
    keys = request.catalogue.key_variables
    async with Gateway(key_variables=keys) as gateway:
        warming = asyncio.create_task(gateway.warm((*request.models, *request.fallbacks)))
        async with prepared(request) as work:
            with claimed(request, work.specifications):
                states = _states(request, work)
                gateway.ledger = ledger_for(request, states)
                summary = await _run(request, work, states, gateway, until, as_json=as_json)
        await warming
    _tell(summary, as_json=as_json)
    if summary.tally.budget:
        return BUDGET
    return SOME_FAILED if any(_failed(run) for run in summary.all_runs) else OK


def _states(wanted: RunRequest, work: Prepared) -> list[RunState]:
    return [state_of(s, wanted.output, new=wanted.new) for s in work.specifications]


async def _run(
    wanted: RunRequest,
    work: Prepared,
    states: Sequence[RunState],
    gateway: Gateway,
    until: StoppingRule | None,
    *,
    as_json: bool,
) -> Summary:
    todo = [state for state in states if not state.is_finished]
    models = {m.name: m for state in todo for m in state.specification.models}
    if not work.step.calls_model:
        await _expected(wanted, work, states)  # Before anything is sent.
    expected, pinged = await asyncio.gather(
        _expected(wanted, work, states), check_models(gateway, models.values())
    )
    if todo and not as_json:
        _say(f"{work.step.name}: {expected.text()}")
    session = Session(gateway, display(quiet=as_json))
    side = RunsOfOneTree(request=wanted, work=work, states=states)
    return await session.run([side], pinged, until)


async def _expected(wanted: RunRequest, work: Prepared, states: Sequence[RunState]) -> RunEstimate:
    """Return the estimate, unless it shows that there is nothing to measure.

    That the code of a step seems to call no model is a guess; that it did not is none.
    """
    expected = await estimate(wanted, work, states)
    if expected.cells and not expected.calls and not work.step.calls_model:
        raise UsageError(
            f"The step {work.step.name} calls no model, so there is no prompt to measure. "
            "`plumbline steps` shows which do."
        )
    return expected


def _tell_estimate(states: Sequence[RunState], expected: RunEstimate, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(expected)))
        return
    for state in states:
        name = state.specification.model.name
        known = f"run {state.run.number}" if state.run is not None else "a new run"
        todo = "finished already" if state.is_finished else f"{len(state.jobs())} cells to run"
        print(f"{name}: {known}, {todo}")
    print(expected.text())
    print("Nothing was sent.")


def _tell(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_json(summary)))
        return
    for run in summary.finished_before:
        _say(f"{run.model}: {run.path} is finished already; --new starts another run like it.")
    for run in summary.runs:
        print(_told(run))
    if summary.tally.budget:
        _say(
            f"Stopped: {summary.cap_reached} was reached with {summary.tally.dropped} cells left. "
            "The same command with a higher cap does the rest."
        )


def _told(run: Run) -> str:
    """Return a line on a run; what a simulated model did is always labelled so."""
    rows = run.rows().values()
    failed = sum(row.get("error") is not None for row in rows)
    partial = sum(bool(row.get("partial")) for row in rows if row.get("error") is None)
    done = run.done()
    kind = done["evidence"]["kind"] if done else None
    label = "SIMULATED " if _is_simulated(run) else ""
    state = f"evidence: {kind}" if kind else "not finished"
    decision = (done or {}).get("decision")
    if isinstance(decision, dict):
        state = f"{label}{decision['word']} after {decision['share']:.0%} of the cells · {state}"
    parts = [f"{len(rows) - failed} ok", f"{failed} failed"] + (
        [f"{partial} of them partial"] if partial else []
    )
    reasons = (
        f" ({'; '.join(done['evidence']['reasons'])})"
        if done and done["evidence"]["reasons"]
        else ""
    )
    return f"{label}{run.model}: {', '.join(parts)} · {state}{reasons} · {run.path}"


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        "runs": [
            {
                "path": str(run.path),
                "model": run.model,
                "simulated": _is_simulated(run),
                "finished": (run.path / DONE).is_file(),
                "rows": list(run.rows().values()),
                "evidence": (run.done() or {}).get("evidence"),
            }
            for run in summary.all_runs
        ],
        "left": summary.tally.dropped,
        "budget_reached": summary.cap_reached if summary.tally.budget else None,
        "spent": vars(summary.spent),
    }


def _is_simulated(run: Run) -> bool:
    model = run.meta.get("model")
    return isinstance(model, dict) and model.get("provider") == "simulated"


def _failed(run: Run) -> bool:
    return any(row.get("error") is not None for row in run.rows().values())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
