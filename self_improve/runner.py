"""Re-execute one Luigi step on baseline plans, over a matrix of models: the main command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from model_gateway import arguments
from self_improve.arguments import SPEEDS, names_in

if TYPE_CHECKING:
    from self_improve.runs.preparation import RunRequest
    from self_improve.runs.stopping import StoppingRule

EXAMPLES = """\
examples:
  # five train plans on one model, the prompts as they are in the code
  python -m self_improve.runner --step identify_potential_levers --model llama --split train

  # what would it cost on three models? nothing is sent
  python -m self_improve.runner --step identify_potential_levers --models llama,haiku,qwen --dry-run

  # a candidate as data: one prompt constant replaced by a file
  python -m self_improve.runner --step identify_purpose --model haiku \\
      --prompt IDENTIFY_PURPOSE_SYSTEM_PROMPT=candidate.txt --max-cost 0.50

  # a candidate as code: the pipeline of a worktree
  python -m self_improve.runner --step plan_type --model gpt5-nano --code ../candidate-7

The same command goes on where an interrupted one stopped.

exit codes: 0 all cells ok · 1 some failed · 2 wrong usage or configuration · 3 budget reached ·
130 interrupted
"""


def parser(prog: str = "python -m self_improve.runner") -> argparse.ArgumentParser:
    """Return the runner's parser."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Re-execute one Luigi step on baseline plans, over a matrix of models.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = made.add_argument_group("what to run")
    what.add_argument("--step", required=True, help="the step, as `plumbline steps` names it")
    what.add_argument(
        "--model", action="append", default=[], metavar="NAME",
        help="a model or its alias; repeat it for several (default: the configured list)",
    )  # fmt: skip
    what.add_argument(
        "--models", action="append", default=[], metavar="A,B", help="the same, listed"
    )
    what.add_argument(
        "--fallback", action="append", default=[], metavar="NAME",
        help="a model to ask when the measured one fails; such cells are marked, never evidence",
    )  # fmt: skip
    what.add_argument(
        "--repeats", type=arguments.positive, default=1, metavar="N", help="runs of each cell"
    )
    what.add_argument(
        "--speed", choices=SPEEDS, default=SPEEDS[0], help="how much work a step does"
    )
    what.add_argument("--seed", type=int, default=1, help="seed of cells and of their order")

    plans = made.add_argument_group("on which plans")
    plans.add_argument("--split", choices=("train", "verify"), default="train", help="which plans")
    plans.add_argument("--baseline-dir", type=Path, metavar="DIR", help="plans outside a data repo")
    plans.add_argument(
        "--plan-dir", type=Path, action="append", default=[], metavar="DIR",
        help="one plan's directory; repeat it for several",
    )  # fmt: skip

    which = made.add_argument_group("with which prompts and code")
    which.add_argument(
        "--prompt", action="append", default=[], metavar="SURFACE=FILE",
        help="replace a prompt surface by a file's text, for this run only; may be repeated",
    )  # fmt: skip
    which.add_argument("--code", type=Path, metavar="DIR", help="the code tree to run (a worktree)")
    which.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )

    where = made.add_argument_group("where it is recorded")
    where.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    where.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="write history here instead of the data repo"
    )
    where.add_argument(
        "--new", action="store_true", help="start another run after a finished one like it"
    )
    where.add_argument(
        "--cache", action="store_true", help="reuse earlier replies; such runs are never evidence"
    )

    when = made.add_argument_group("when to stop")
    when.add_argument(
        "--until-decided", action="store_true",
        help="look after each quarter of the cells, and stop when the evaluator has decided",
    )  # fmt: skip
    when.add_argument(
        "--against", nargs="+", default=[], metavar="RUN",
        help="the runs that it is decided against: directories, or numbers such as 131 or 1/31",
    )  # fmt: skip
    when.add_argument(
        "--expect", action="append", default=[], metavar="METRIC:lower|higher[:model=M][:plan=P]",
        help="an effect that the candidate declares in advance; may be repeated",
    )  # fmt: skip

    limits = made.add_argument_group("limits")
    arguments.cells(limits)
    arguments.caps(limits)

    told = made.add_argument_group("what it tells")
    told.add_argument(
        "--dry-run", action="store_true", help="show cells, calls and expected cost; run nothing"
    )
    told.add_argument("--json", action="store_true", help="tell the result as JSON")
    return made


USAGE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    try:
        # Everything else is imported now, so that --help and a wrong flag answer at once.
        from model_gateway.errors import GatewayError
        from prompt_lab.errors import LabError
        from self_improve import exits
        from self_improve.errors import ImproveError
        from self_improve.runs.execute import execute

        expected = (GatewayError, LabError, ImproveError, OSError)
        wanted = wanted_by(options)
        until = _stopping(options, wanted)
        return exits.run(execute(wanted, until, dry_run=options.dry_run, as_json=options.json))
    except KeyboardInterrupt:
        _say("Interrupted. What was answered is recorded; the same command goes on from there.")
        return INTERRUPTED
    except expected as error:
        _say(f"error: {error}")
    except BaseExceptionGroup as group:
        known, others = group.split(expected)
        if others is not None or known is None:
            raise
        for leaf in _leaves(known):
            _say(f"error: {leaf}")
    return USAGE


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def wanted_by(options: argparse.Namespace) -> RunRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
    """
    from model_gateway import cache, config
    from model_gateway.cache import Cache
    from model_gateway.ledger import Caps
    from prompt_lab import layout
    from prompt_lab.layout import Layout
    from self_improve.errors import UsageError
    from self_improve.runs.preparation import RunRequest

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
    return RunRequest(
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


def _stopping(options: argparse.Namespace, wanted: RunRequest) -> StoppingRule | None:
    """Return what stops the command early, if that was asked for.

    Raises:
        UsageError: there is nothing to decide against, or an expectation is no such thing.
    """
    if not options.until_decided:
        return None
    # Imported here because only this needs statistics, which take a second to import.
    from prompt_lab import run_names
    from self_improve.comparison.until_decided import UntilDecided
    from self_improve.records.rubric_choice import rubric_for
    from self_improve.verdict import expectation

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


def leave(code: int) -> NoReturn:
    """End the process at once: taking down all that was imported would take half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
