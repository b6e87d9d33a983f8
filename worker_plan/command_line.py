"""Run the pipeline on a plan text, resume an interrupted plan, print the task graph."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, say
from model_gateway.invocation import typed

if TYPE_CHECKING:
    from model_gateway.head_start import HeadStart

PROG = "python -m worker_plan"
FAILED = 1
SPEEDS = ("ALL_DETAILS_BUT_SLOW", "FAST_BUT_SKIP_DETAILS", "PING_LLM")
FORMATS = ("json", "mermaid", "svg")

EXAMPLES = """\
examples:
  python -m worker_plan run --plan idea.txt --model llama --run-dir plans/idea
  python -m worker_plan run --plan "A bakery on a canal boat." --model sim
  python -m worker_plan run --plan idea.txt --model haiku --dry-run
  python -m worker_plan resume plans/idea
  python -m worker_plan dag --format svg > pipeline.svg
  python -m worker_plan zip plans/idea

exit codes: 0 done · 1 a step failed · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this package's commands."""
    parser = arguments.new_parser(prog, "Turn a plan text into a plan, step by step.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the pipeline on a plan text")
    run.add_argument("--plan", required=True, metavar="FILE|TEXT", help="the plan text or its file")
    run.add_argument(
        "--run-dir", type=Path, metavar="DIR",
        help="the plan's directory (default: one under plans/ that depends on the text)",
    )  # fmt: skip
    resume = commands.add_parser("resume", help="resume an interrupted plan")
    resume.add_argument("run_dir", type=Path, metavar="DIR", help="the plan's directory")
    for command in (run, resume):
        _run_arguments(command)
    dag = commands.add_parser("dag", help="print the task graph")
    dag.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="the output format")
    archive = commands.add_parser("zip", help="pack a finished plan for `prompt_lab populate`")
    archive.add_argument("run_dir", type=Path, metavar="DIR", help="the plan's directory")
    archive.add_argument(
        "--output", type=Path, metavar="FILE", help="the zip (default: DIR.zip beside DIR)"
    )
    return parser


def _run_arguments(command: argparse.ArgumentParser) -> None:
    arguments.model(
        command,
        "the model; further ones are fallbacks (default: the configured list, and for "
        "`resume` the plan's own)",
    )
    arguments.speed(
        command,
        f"how much work a step does (default: {SPEEDS[0]}, and for `resume` the plan's own)",
        SPEEDS,
    )
    command.add_argument(
        "--workers", type=arguments.positive, default=4, metavar="N", help="steps side by side"
    )
    arguments.caps(command)
    arguments.dry_run(command, "show what a plan costs; run nothing")


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, run the command it names, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _execute(options))


def _execute(options: argparse.Namespace) -> int:
    if options.command == "dag":
        return _dag(options)
    if options.command == "zip":
        return _zip(options)
    with _head_start(options) as head_start:
        return _run(options, head_start)


def _end_silently() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _dag(options: argparse.Namespace) -> int:
    from worker_plan import dag

    sys.stdout.write(dag.FORMATS[options.format]())
    return OK


def _zip(options: argparse.Namespace) -> int:
    from worker_plan import archive

    run_dir: Path = options.run_dir.resolve()
    path = archive.pack(run_dir, options.output or run_dir.with_name(f"{run_dir.name}.zip"))
    print(f"{path} ({path.stat().st_size // 1000} kB)")
    return OK


def _head_start(options: argparse.Namespace) -> AbstractContextManager[HeadStart | None]:
    """Let the gateway of a new plan import what it needs while this process does so, too."""
    from model_gateway.head_start import HeadStart

    new = options.command == "run" and not (options.run_dir and options.run_dir.exists())
    return HeadStart(options.model) if new and not options.dry_run else nullcontext()


def _run(options: argparse.Namespace, head_start: HeadStart | None) -> int:
    # Imported now, so that --help answers at once.
    from model_gateway import entry_files
    from model_gateway.ledger import refuse_unpriced
    from worker_plan import luigi_log, plan_record, plan_run, progress, typical_plan

    run_dir = options.run_dir or plan_run.default_folder(options.plan)
    earlier = plan_record.saved_options(run_dir) if options.command == "resume" else ([], None)
    names = options.model or earlier[0]
    speed = options.speed or earlier[1] or SPEEDS[0]
    models = entry_files.load().choose(names)
    estimate = typical_plan.expected(models[0], speed)
    if options.dry_run:
        print(estimate.text())
        return OK
    resume = f"To resume, run: {typed('plan resume')} {run_dir}"
    caps = arguments.caps_of(options)
    refuse_unpriced(caps, models)
    # The steps' own processes end at Ctrl-C without a message; this one prints it.
    os.register_at_fork(after_in_child=_end_silently)
    try:
        if options.command == "run":
            plan_run.begin(run_dir, options.plan)
        done = plan_run.resume(
            run_dir, models=names, speed=speed, workers=options.workers,
            caps=caps, display=progress.display(estimate.text()), head_start=head_start,
        )  # fmt: skip
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(resume) from interrupt
    if not done:
        log = run_dir / luigi_log.FILE
        say(f"A step failed{f'; its traceback is in {log}' if log.exists() else ''}. {resume}")
        return FAILED
    for line in plan_record.incomplete(run_dir):
        print(f"Incomplete: {line}")
    print(f"Done: {run_dir}")
    return OK
