"""The command line of rollouts: its subcommands, their flags and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_gateway import arguments

BY = ("votes", "scores")
VOTES = ("up", "down")

EXAMPLES = """\
examples:
  # the step's best candidate, at first for 5 % of the plans
  python -m self_improve.rollout start --step identify_purpose --by votes

  # which prompts does this plan get, and are its readers asked to vote?
  python -m self_improve.rollout assign plan-4711 --step identify_purpose --json

  # what a reader or a measure said of a plan
  python -m self_improve.rollout vote plan-4711 up --step identify_purpose --version 0a1b2c3d4e5f
  python -m self_improve.rollout score plan-4711 0.83 --step identify_purpose \\
      --version 0a1b2c3d4e5f

  # once an hour: judge the stage that is over, and check what production has
  python -m self_improve.rollout advance --step identify_purpose
  python -m self_improve.rollout watch --step identify_purpose

  # is the model behind a name still the one that made runs 131 and 132?
  python -m self_improve.rollout drift --against 131 132 --max-cost 1

exit codes: 0 fine · 1 something speaks against a version or a model (taken back, not promoted, a
search is due, a model has changed) · 2 wrong usage or configuration · 3 budget reached · 4 too
little is known as yet · 130 interrupted
"""


def parser(prog: str = "python -m self_improve.rollout") -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Give prompts to production step by step, watch them, and take them back.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _start(commands.add_parser("start", help="begin a rollout at the smallest weight"))
    _assign(commands.add_parser("assign", help="say which version a plan gets"))
    _vote(commands.add_parser("vote", help="record what a reader said of a plan"))
    _score(commands.add_parser("score", help="record a number that a plan's output was given"))
    _status(commands.add_parser("status", help="tell where one step or all stand"))
    _step_only(commands.add_parser("advance", help="judge the stage if it is over, and go on"))
    _watch(commands.add_parser("watch", help="check the version in production against the best"))
    _rollback(commands.add_parser("rollback", help="give production an earlier version at once"))
    _drift(commands.add_parser("drift", help="ask pinned models again what baseline runs asked"))
    _settings(commands.add_parser("settings", help="print the terms of rollouts"))
    return made


def _where(made: argparse.ArgumentParser) -> None:
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument("--json", action="store_true", help="tell it as JSON")


def _step_only(made: argparse.ArgumentParser) -> None:
    made.add_argument("--step", required=True, help="the step, as `plumbline steps` names it")
    _where(made)


def _start(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--new", type=Path, metavar="FILE",
        help="the new version as JSON: texts, commit, pull_request (default: the best candidate)",
    )  # fmt: skip
    made.add_argument(
        "--old", type=Path, metavar="FILE",
        help="the version to compare with (default: the one in production, or else the baseline)",
    )  # fmt: skip
    made.add_argument("--by", choices=BY, default=BY[0], help="what decides (default: %(default)s)")
    made.add_argument(
        "--simulated", action="store_true",
        help="try it with a version for which only simulated models spoke",
    )  # fmt: skip
    _step_only(made)


def _assign(made: argparse.ArgumentParser) -> None:
    made.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    _step_only(made)


def _mark(made: argparse.ArgumentParser) -> None:
    made.add_argument("--version", required=True, metavar="ID", help="the version that it got")
    made.add_argument(
        "--voter", default="", metavar="NAME",
        help="who said it; only a digest is kept, and of one voter the last word counts",
    )  # fmt: skip
    _step_only(made)


def _vote(made: argparse.ArgumentParser) -> None:
    made.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    made.add_argument("vote", choices=VOTES, help="what the reader said")
    _mark(made)


def _score(made: argparse.ArgumentParser) -> None:
    made.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    made.add_argument("score", type=float, metavar="NUMBER", help="from 0, and more is better")
    _mark(made)


def _status(made: argparse.ArgumentParser) -> None:
    made.add_argument("--step", help="only this step")
    _where(made)


def _watch(made: argparse.ArgumentParser) -> None:
    made.add_argument("--now", action="store_true", help="check although the last check is young")
    made.add_argument(
        "--search", action="store_true",
        help="run the search that is due; needs a cap (otherwise its command is only printed)",
    )  # fmt: skip
    made.add_argument("--models", default="", metavar="A,B", help="the models of the search")
    made.add_argument(
        "--candidates", type=arguments.positive, default=3, metavar="N",
        help="how many candidates it proposes (default: %(default)s)",
    )  # fmt: skip
    arguments.caps(made)
    _step_only(made)


def _rollback(made: argparse.ArgumentParser) -> None:
    made.add_argument("--to", metavar="ID", help="the version (default: the one before)")
    made.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log")
    _step_only(made)


def _drift(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--against", nargs="+", required=True, metavar="RUN",
        help="recorded baseline runs: a directory, 131 or 1/31",
    )  # fmt: skip
    made.add_argument(
        "--models", default="", metavar="A,B", help="only these (default: all models of the runs)"
    )
    made.add_argument("--split", choices=("train", "verify"), default="train", help="whose plans")
    made.add_argument("--baseline-dir", type=Path, metavar="DIR", help="plans outside a data repo")
    made.add_argument("--code", type=Path, metavar="DIR", help="the pipeline's code tree")
    made.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )
    arguments.cells(made)
    arguments.caps(made)
    made.add_argument(
        "--dry-run", action="store_true", help="show what it would cost; send nothing"
    )
    _where(made)


def _settings(made: argparse.ArgumentParser) -> None:
    made.add_argument("--defaults", action="store_true", help="those of the package")
    _where(made)
