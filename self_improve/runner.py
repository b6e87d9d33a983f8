"""Re-execute one Luigi step on baseline plans, over a matrix of models: the main command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from model_gateway import arguments
from model_gateway.exits import exit_code, run
from model_gateway.foreign_files import resolved
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

if TYPE_CHECKING:
    from self_improve.runs.preparation import RunRequest
    from self_improve.runs.stopping import StoppingRule

PROG = "python -m self_improve.runner"

EXAMPLES = """\
examples:
  # five train plans on one model, with the prompts in the code
  python -m self_improve.runner --step identify_potential_levers --model llama --split train

  # estimate the cost on three models; nothing is sent
  python -m self_improve.runner --step identify_potential_levers --models llama,haiku,qwen --dry-run

  # test a prompt: a file replaces one prompt constant
  python -m self_improve.runner --step identify_purpose --model haiku \\
      --prompt IDENTIFY_PURPOSE_SYSTEM_PROMPT=candidate.txt --max-cost 0.50

  # test a code change: the pipeline of a git worktree
  python -m self_improve.runner --step plan_type --model gpt5-nano --code ../candidate-7

Run the same command again to resume; finished calls are not repeated.

exit codes: 0 all cells ok · 1 some failed or stayed open · 2 wrong usage or configuration ·
3 budget reached · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the runner's parser."""
    parser = arguments.new_parser(
        prog, "Re-execute one Luigi step on baseline plans, over a matrix of models.", EXAMPLES
    )
    what = parser.add_argument_group("what to run")
    step_arguments.step(what)
    arguments.models(what)
    what.add_argument(
        "--fallback", action="append", default=[], metavar="NAME",
        help="a model to ask when the measured one fails; such cells are marked, never evidence",
    )  # fmt: skip
    what.add_argument(
        "--repeats", type=arguments.positive, default=1, metavar="N", help="runs of each cell"
    )
    step_arguments.speed(what)
    arguments.seed(what, "cells and of their order")

    plans = parser.add_argument_group("on which plans")
    lab_arguments.split(plans)
    lab_arguments.plan_folder(plans)
    plans.add_argument(
        "--plan-dir", type=Path, action="append", default=[], metavar="DIR",
        help="one plan's directory; repeat it for several",
    )  # fmt: skip

    source = parser.add_argument_group("with which prompts and code")
    source.add_argument(
        "--prompt", action="append", default=[], metavar="SURFACE=FILE",
        help="replace a prompt surface by a file's text, for this run only; may be repeated",
    )  # fmt: skip
    step_arguments.code(source)
    step_arguments.sandbox(source)
    step_arguments.host(source)

    output = parser.add_argument_group("where it is recorded")
    lab_arguments.lab(output)
    output.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="write history here instead of the data repo"
    )
    output.add_argument(
        "--new",
        action="store_true",
        help="start another run after a finished one like it; a server that takes a seed gets the "
        "next one",
    )
    output.add_argument(
        "--cache", action="store_true", help="reuse earlier replies; such runs are never evidence"
    )

    stopping = parser.add_argument_group("when to stop")
    stopping.add_argument(
        "--until-decided", action="store_true",
        help="evaluate after a fifth of the cells and each tenth that follows, and stop when the "
        "verdict is decided",
    )  # fmt: skip
    stopping.add_argument(
        "--against", nargs="+", default=[], metavar="RUN",
        help="the runs to compare with: directories, or numbers such as 131 or 1/31",
    )  # fmt: skip
    step_arguments.expectations(stopping)

    limits = parser.add_argument_group("limits")
    arguments.cells(limits)
    arguments.accept_failures(limits)
    arguments.caps(limits)

    shown = parser.add_argument_group("output")
    arguments.dry_run(shown, "show cells, calls and expected cost; run nothing")
    arguments.as_json(shown)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, run, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _execute(options))


def _execute(options: argparse.Namespace) -> int:
    # Imported now, so that --help and a wrong flag answer at once.
    from self_improve.comparison import before_spending
    from self_improve.runs.execute import execute

    request = request_of(options)
    until = _stopping(options, request)

    def power(step: str, plans: int, models: Sequence[str], repeats: int) -> str | None:
        return before_spending.sentence(
            step, plans=plans, models=models, repeats=repeats, lab=request.layout
        )

    return run(execute(request, until, dry_run=options.dry_run, as_json=options.json, power=power))


def request_of(options: argparse.Namespace) -> RunRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
        UsageError: flags exclude each other.
    """
    from model_gateway import cache, entry_files
    from model_gateway.cache import Cache
    from prompt_lab import layout
    from prompt_lab.layout import Layout
    from self_improve.errors import UsageError
    from self_improve.runs.preparation import RunRequest
    from self_improve.sandbox import choice

    catalogue = entry_files.load()
    if options.until_decided != bool(options.against):
        raise UsageError(
            "--until-decided and --against RUN... need each other: give both or neither."
        )
    if options.code and options.prompt:
        raise UsageError(
            "--prompt changes texts of the code as it is, --code runs a changed code tree: give "
            "one of them. To combine both, commit the text in the worktree."
        )
    needs_lab = options.output_dir is None or not (options.baseline_dir or options.plan_dir)
    lab = layout.find(options.prompt_lab_dir) if needs_lab else None
    output = Layout(resolved(options.output_dir)) if options.output_dir else lab
    if output is None:
        raise AssertionError("Without --output-dir a data repo was looked for.")
    return RunRequest(
        step=options.step,
        models=catalogue.choose(arguments.model_names(options)),
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
        caps=arguments.caps_of(options),
        sandbox=choice.wished(options.sandbox),
        accept_failures=options.accept_failures,
    )


def _stopping(options: argparse.Namespace, request: RunRequest) -> StoppingRule | None:
    """Return what stops the command early, if that was asked for.

    Raises:
        UsageError: there is nothing to compare with, or an expectation cannot be read.
    """
    if not options.until_decided:
        return None
    # Imported here because only this needs statistics, which take a second to import.
    from prompt_lab import run_names
    from self_improve.comparison.until_decided import UntilDecided
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import expectation

    lab = request.layout or run_names.lab_of(options.prompt_lab_dir)
    against = [run_names.find(name, lab) for name in options.against]
    rubric = rubric_for(against[0])
    expectations = [expectation.parse(text, rubric) for text in options.expect]
    # The plans are not known yet; an expectation about a plan that is not run is not met.
    plans = {plan for one in expectations for plan in one.plans}
    expectation.check_scope(expectations, {model.name for model in request.models}, plans)
    return UntilDecided(
        rubric, against=against, seed=request.seed, lab=lab, expectations=expectations,
        baselines=[
            *([request.baseline_dir] if request.baseline_dir else []),
            *(folder.parent for folder in request.plan_dirs),
        ],
    )  # fmt: skip


def leave(code: int) -> NoReturn:
    """End the process at once: freeing all that was imported would take half a second."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
