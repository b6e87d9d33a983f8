"""The subcommands of `python -m self_improve.rollout`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run, say
from self_improve.rollout.options import PROG, parser

if TYPE_CHECKING:
    from prompt_lab.layout import Layout
    from self_improve.rollout.production import Production

AGAINST, TOO_LITTLE = 1, 4

__all__ = ["main", "parser"]


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run a subcommand and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _COMMANDS[options.command](options))


def _start(options: argparse.Namespace) -> int:
    from self_improve.rollout import version

    production, lab = _production(options)
    step, state = production.step, production.state()
    new = version.read(options.new) if options.new else version.best_of(lab, step)
    if options.old is not None:
        old = version.read(options.old)
        if state.current not in {None, old.id}:
            say(f"{step} has {state.current} in production; --old counts before a first rollout.")
    elif state.current is not None:
        old = state.versions[state.current]
    else:
        old = version.baseline_of(lab, step)
    production.start(new, old, by=options.by, simulated=options.simulated)
    _commit(lab, f"rollout of {step}: {new.id} begins")
    return _print_state(options, production)


def _assign(options: argparse.Namespace) -> int:
    production, _ = _production(options)
    state = production.state()
    version = state.version_for(options.plan)
    shown = state.may_vote(options.plan, production.settings)
    facts = {
        "plan": options.plan, "step": production.step, "shown": shown,
        "version": None if version is None else version.to_row(),
    }  # fmt: skip
    name = "the prompts in the code: no rollout was begun" if version is None else version.id
    vote = "its readers are asked to vote" if shown else "its readers are not asked to vote"
    _print(options, facts, [f"{name} · {vote}"])
    return OK


def _vote(options: argparse.Namespace) -> int:
    return _record(options, float(options.vote == "up"), "votes")


def _score(options: argparse.Namespace) -> int:
    return _record(options, options.score, "scores")


def _record(options: argparse.Namespace, value: float, by: str) -> int:
    production, _ = _production(options)
    fresh = production.mark(
        options.plan, value, by=by, version=options.version, voter=options.voter
    )
    message = "Recorded." if fresh else "The same was recorded before."
    _print(options, {"recorded": fresh}, [message])
    return OK


def _status(options: argparse.Namespace) -> int:
    from prompt_lab import layout
    from self_improve.rollout import log, pages
    from self_improve.rollout.production import Production

    lab = layout.find(options.prompt_lab_dir)
    names = [options.step] if options.step else log.steps(lab)
    productions = [Production(lab, name) for name in names]
    facts = [pages.facts(one.state(), one.settings) for one in productions]
    lines = [line for one in facts for line in pages.lines(one)]
    _print(options, {"steps": facts}, lines or ["No step has a rollout."])
    return OK


def _advance(options: argparse.Namespace) -> int:
    from self_improve.rollout import production as steps
    from self_improve.rollout import state as states

    production, lab = _production(options)
    move = production.advance()
    label = "SIMULATED " if move.simulated else ""
    if move.action != steps.WAIT:
        _commit(lab, f"rollout of {production.step}: {label}{move.action}")
    facts = {
        "action": move.action, "told": move.reason, "simulated": move.simulated,
        "outcome": None if move.outcome is None else move.outcome.to_row(),
    }  # fmt: skip
    _print(options, facts, [f"{label}{move.action}: {move.reason}"])
    if move.action == steps.WAIT:
        return TOO_LITTLE
    return OK if move.action in {states.WIDEN, states.PROMOTE} else AGAINST


def _watch(options: argparse.Namespace) -> int:
    from self_improve.errors import UsageError
    from self_improve.rollout.health import Finding

    production, lab = _production(options)
    capped = (options.max_calls, options.max_tokens, options.max_cost) != (None, None, None)
    if options.search and not capped:
        raise UsageError("--search spends money: set a cap, for instance with --max-cost.")
    watched = production.watch(at_once=options.now)
    if watched.fresh:
        _commit(lab, f"watch of {production.step}: {watched.row['finding']}")
    label = "SIMULATED " if watched.state.simulated else ""
    lines = [f"{label}{watched.row['finding']}: {watched.row['told']}"]
    lines += [] if watched.fresh else [f"checked at {watched.row['at']}; --now checks at once"]
    words = _search_words(options, production.step)
    facts = {**watched.row, "fresh": watched.fresh, "search": None}
    if watched.search is not None:
        command = " ".join(["python run_optimization_iteration.py", *words])
        facts["search"] = {"why": watched.search, "command": command}
        lines.append(f"A search is due ({watched.search}):\n  {command}")
    _print(options, facts, lines)
    if watched.search is not None and options.search:
        return _search(production, lab, words)
    if watched.search is not None or watched.row["finding"] == Finding.rollback:
        return AGAINST
    return TOO_LITTLE if watched.row["finding"] == Finding.inconclusive else OK


def _search_words(options: argparse.Namespace, step: str) -> list[str]:
    words = ["--step", step, "--candidates", str(options.candidates)]
    words += ["--models", options.models] if options.models else []
    caps = {"calls": options.max_calls, "tokens": options.max_tokens, "cost": options.max_cost}
    set_caps = {name: f"{value:.12g}" for name, value in caps.items() if value is not None}
    return words + [word for name, value in set_caps.items() for word in (f"--max-{name}", value)]


def _search(production: Production, lab: Layout, words: Sequence[str]) -> int:
    """Run the iteration that is due; if killed, it stays due and resumes."""
    from self_improve.iteration import command_line as iteration

    # With --new an unfinished one resumes, and after a finished one like it another begins.
    code: int = iteration.main([*words, "--new", "--prompt-lab-dir", str(lab.root)])
    if code in {OK, iteration.REJECTED}:
        production.record_search(" ".join(words), code)
        _commit(lab, f"search of {production.step} has ended")
    return code


def _rollback(options: argparse.Namespace) -> int:
    production, lab = _production(options)
    state = production.rollback(to=options.to, reason=options.reason)
    _commit(lab, f"rollout of {production.step}: taken back to {state.current}")
    return _print_state(options, production)


def _drift(options: argparse.Namespace) -> int:
    from model_gateway import entry_files
    from prompt_lab import layout
    from prompt_lab.record import Run
    from prompt_lab.run_names import find
    from self_improve.rollout import pages
    from self_improve.rollout.drift import DriftFinding
    from self_improve.rollout.drift_run import DriftCheck, DriftRequest
    from self_improve.rollout.production import Production
    from self_improve.runs.progress import display
    from self_improve.sandbox import choice

    lab = layout.find(options.prompt_lab_dir)
    catalogue = entry_files.load()
    models = arguments.names(options.models)
    request = DriftRequest(
        layout=lab, against=tuple(find(name, lab) for name in options.against),
        catalogue=catalogue, models=catalogue.choose(models) if models else (),
        split=options.split, baseline_dir=options.baseline_dir, code=options.code,
        host_file=options.host, workers=options.workers, seconds=options.timeout,
        caps=arguments.caps_of(options), sandbox=choice.wished(options.sandbox),
    )  # fmt: skip
    production = Production(lab, Run(request.against[0]).step)
    check = DriftCheck(request, production.state())
    if options.dry_run:
        estimate = run(check.expected())
        _print(options, estimate.to_row(), [estimate.text(), "Nothing was sent."])
        return OK
    checked = run(check.run(display(quiet=options.json)))
    production.record_drift(checked.to_row(lab))
    _commit(lab, f"drift check of {production.step}: {checked.drift.summary}", lab.history)
    facts = checked.to_row(lab)
    _print(options, facts, pages.drift_lines(facts))
    codes = {
        DriftFinding.alike: OK,
        DriftFinding.changed: AGAINST,
        DriftFinding.inconclusive: TOO_LITTLE,
    }
    return codes[checked.drift.finding]


def _settings(options: argparse.Namespace) -> int:
    from prompt_lab import layout
    from self_improve.rollout import settings

    if options.defaults:
        terms = settings.Settings()
    else:
        terms = settings.load(layout.find(options.prompt_lab_dir))
    _print(options, terms.model_dump(mode="json"), [terms.text().rstrip()])
    return OK


def _production(options: argparse.Namespace) -> tuple[Production, Layout]:
    from prompt_lab import layout
    from self_improve.rollout.production import Production

    lab = layout.find(options.prompt_lab_dir)
    return Production(lab, options.step), lab


def _commit(lab: Layout, message: str, *more: Any) -> None:
    """Commit the log, so that every decision has a date that nobody can change."""
    from model_gateway import entry_files
    from prompt_lab.repository import Repository

    redactor = entry_files.load().redactor("GITHUB_TOKEN")
    Repository(lab, redactor=redactor).commit([lab.rollouts, *more], message)


def _print_state(options: argparse.Namespace, production: Production) -> int:
    from self_improve.rollout import pages

    facts = pages.facts(production.state(), production.settings)
    _print(options, facts, pages.lines(facts))
    return OK


def _print(options: argparse.Namespace, facts: Mapping[str, Any], lines: Sequence[str]) -> None:
    print(json.dumps(facts) if options.json else "\n".join(lines))


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "start": _start, "assign": _assign, "vote": _vote, "score": _score, "status": _status,
    "advance": _advance, "watch": _watch, "rollback": _rollback, "drift": _drift,
    "settings": _settings,
}  # fmt: skip
