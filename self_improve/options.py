"""The runner's command line: its flags, their help, and what they mean together."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_gateway import arguments

SPEEDS = ("ALL_DETAILS_BUT_SLOW", "FAST_BUT_SKIP_DETAILS", "PING_LLM")

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


def names_in(options: argparse.Namespace) -> list[str]:
    """Return the names of models from `--model` and `--models`, in their order."""
    listed = [name.strip() for group in options.models for name in group.split(",")]
    return [name for name in (*options.model, *listed) if name]
