"""What the runner does between its command line and its exit code."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from model_gateway import cache, config
from model_gateway.cache import Cache
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps
from prompt_lab import layout
from prompt_lab.layout import Layout
from prompt_lab.record import DONE, Run
from self_improve.errors import UsageError
from self_improve.estimate import Estimate, estimate
from self_improve.options import names_in
from self_improve.preflight import look
from self_improve.preparation import Prepared, Wanted, prepared
from self_improve.progress import display
from self_improve.session import (
    RunState,
    Session,
    Side,
    Summary,
    claimed,
    ledger_for,
    state_of,
)
from self_improve.stopping import Stopping

OK, SOME_FAILED, BUDGET = 0, 1, 3


def wanted_by(options: argparse.Namespace) -> Wanted:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
    """
    catalogue = config.load()
    if options.until_decided != bool(options.against):
        raise UsageError(
            "--until-decided needs the runs that it is decided against: say --against RUN..., "
            "and both or neither."
        )
    if options.code and options.prompt:
        raise UsageError(
            "--prompt sets texts in the code as it is, and --code runs a candidate that is code "
            "itself: a run is one or the other. Commit the text in the worktree instead."
        )
    needs_lab = options.output_dir is None or not (options.baseline_dir or options.plan_dir)
    lab = layout.find(options.prompt_lab_dir) if needs_lab else None
    output = Layout(options.output_dir.expanduser().resolve()) if options.output_dir else lab
    if output is None:
        raise AssertionError("Without --output-dir a data repo was looked for.")
    return Wanted(
        step=options.step,
        models=catalogue.choose(names_in(options)),
        fallbacks=catalogue.choose(options.fallback) if options.fallback else (),
        catalogue=catalogue,
        layout=lab,
        output=output,
        split=options.split,
        baseline_dir=options.baseline_dir,
        plan_dirs=tuple(options.plan_dir),
        repeats=options.repeats,
        prompts=tuple(options.prompt),
        code=options.code,
        host_file=options.host,
        speed=options.speed,
        seed=options.seed,
        seconds=options.timeout,
        workers=options.workers,
        new=options.new,
        cache=Cache(cache.default_path()) if options.cache else None,
        caps=Caps(calls=options.max_calls, tokens=options.max_tokens, dollars=options.max_cost),
    )


async def execute(options: argparse.Namespace) -> int:
    """Run the command and return its exit code.

    Raises:
        GatewayError, LabError, ImproveError, OSError: it cannot be done as asked.
    """
    wanted = wanted_by(options)
    until = _stopping(options, wanted)
    if options.dry_run:
        async with prepared(wanted) as work:
            states = _states(wanted, work)
            _tell_estimate(options, states, await _expected(wanted, work, states))
            return OK
    # The models' SDKs take as long to import as the pipeline does; both are done at once.
    keys = wanted.catalogue.key_variables
    async with Gateway(key_variables=keys) as gateway:
        warming = asyncio.create_task(gateway.warm((*wanted.models, *wanted.fallbacks)))
        async with prepared(wanted) as work:
            with claimed(wanted, work.specifications):
                states = _states(wanted, work)
                gateway.ledger = ledger_for(wanted, states)
                summary = await _run(options, wanted, work, states, gateway, until)
        await warming
    _tell(options, summary)
    if summary.tally.budget:
        return BUDGET
    return SOME_FAILED if any(_failed(run) for run in summary.all_runs) else OK


def _stopping(options: argparse.Namespace, wanted: Wanted) -> Stopping | None:
    """Return what stops the command early, if that was asked for.

    Raises:
        UsageError: there is nothing to decide against, or an expectation is no such thing.
    """
    if not options.until_decided:
        return None
    # Imported here because only this needs statistics, which take a second to import.
    from self_improve import expectation, run_names
    from self_improve.rubric_choice import rubric_for
    from self_improve.until_decided import UntilDecided

    lab = wanted.layout or run_names.lab_of(options.prompt_lab_dir)
    against = [run_names.find(name, lab) for name in options.against]
    rubric = rubric_for(against[0])
    declared = [expectation.parse(text, rubric) for text in options.expect]
    # Plans are not known as yet; what is declared of one that is not run stays unmet.
    plans = {plan for one in declared for plan in one.plans}
    expectation.check_scope(declared, {model.name for model in wanted.models}, plans)
    return UntilDecided(
        rubric, against=against, seed=wanted.seed, lab=lab, expectations=declared,
        baselines=[
            *([wanted.baseline_dir] if wanted.baseline_dir else []),
            *(folder.parent for folder in wanted.plan_dirs),
        ],
    )  # fmt: skip


def _states(wanted: Wanted, work: Prepared) -> list[RunState]:
    return [state_of(s, wanted.output, new=wanted.new) for s in work.specifications]


async def _run(
    options: argparse.Namespace,
    wanted: Wanted,
    work: Prepared,
    states: Sequence[RunState],
    gateway: Gateway,
    until: Stopping | None,
) -> Summary:
    todo = [state for state in states if not state.is_finished]
    models = {m.name: m for state in todo for m in state.specification.models}
    if not work.step.calls_model:
        await _expected(wanted, work, states)  # Before anything is sent.
    expected, pinged = await asyncio.gather(
        _expected(wanted, work, states), look(gateway, models.values())
    )
    if todo and not options.json:
        _say(f"{work.step.name}: {expected.told()}")
    session = Session(gateway, display(quiet=options.json))
    side = Side(wanted=wanted, work=work, states=states)
    return await session.run([side], pinged, until)


async def _expected(wanted: Wanted, work: Prepared, states: Sequence[RunState]) -> Estimate:
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


def _tell_estimate(
    options: argparse.Namespace, states: Sequence[RunState], expected: Estimate
) -> None:
    if options.json:
        print(json.dumps(vars(expected)))
        return
    for state in states:
        name = state.specification.model.name
        known = f"run {state.run.number}" if state.run is not None else "a new run"
        todo = "finished already" if state.is_finished else f"{len(state.jobs())} cells to run"
        print(f"{name}: {known}, {todo}")
    print(expected.told())
    print("Nothing was sent.")


def _tell(options: argparse.Namespace, summary: Summary) -> None:
    if options.json:
        print(json.dumps(_as_json(summary)))
        return
    for run in summary.already:
        _say(f"{run.model}: {run.path} is finished already; --new starts another run like it.")
    for run in summary.runs:
        print(_told(run))
    if summary.tally.budget:
        _say(
            f"Stopped: {summary.over} was reached with {summary.tally.dropped} cells left. "
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
        "budget_reached": summary.over if summary.tally.budget else None,
        "spent": vars(summary.spent),
    }


def _is_simulated(run: Run) -> bool:
    model = run.meta.get("model")
    return isinstance(model, dict) and model.get("provider") == "simulated"


def _failed(run: Run) -> bool:
    return any(row.get("error") is not None for row in run.rows().values())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
