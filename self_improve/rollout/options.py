"""The command line of rollouts: its subcommands, their flags and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_gateway import arguments
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments

PROG = "python -m self_improve.rollout"
BY = ("votes", "scores")
VOTES = ("up", "down")

EXAMPLES = """\
examples:
  # roll out the step's best candidate, at first to 5 % of the plans
  python -m self_improve.rollout start --step identify_purpose --by votes

  # print which prompts a plan gets, and whether its readers are asked to vote
  python -m self_improve.rollout assign plan-4711 --step identify_purpose --json

  # record a reader's vote or a score of a plan
  python -m self_improve.rollout vote plan-4711 up --step identify_purpose --version 0a1b2c3d4e5f
  python -m self_improve.rollout score plan-4711 0.83 --step identify_purpose \\
      --version 0a1b2c3d4e5f

  # once an hour: evaluate the stage if it is over, and check the version in production
  python -m self_improve.rollout advance --step identify_purpose
  python -m self_improve.rollout watch --step identify_purpose

  # check whether a model still answers as it did in runs 131 and 132
  python -m self_improve.rollout drift --against 131 132 --max-cost 1

exit codes: 0 fine · 1 evidence against a version or a model (taken back, not promoted, a search is
due, a model has changed) · 2 wrong usage or configuration · 3 budget reached · 4 not enough
evidence yet · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    parser = arguments.new_parser(
        prog, "Roll prompts out to production in stages, watch them, and take them back.", EXAMPLES
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _start(commands.add_parser("start", help="begin a rollout at the smallest weight"))
    _assign(commands.add_parser("assign", help="print which version a plan gets"))
    _vote(commands.add_parser("vote", help="record what a reader said of a plan"))
    _score(commands.add_parser("score", help="record a score of a plan's output"))
    _status(commands.add_parser("status", help="print the state of one step or of all"))
    _step_only(commands.add_parser("advance", help="evaluate a stage that is over, begin the next"))
    _watch(commands.add_parser("watch", help="check the version in production against the best"))
    _rollback(commands.add_parser("rollback", help="return production to an earlier version"))
    _drift(commands.add_parser("drift", help="repeat baseline runs on pinned models and compare"))
    _settings(commands.add_parser("settings", help="print the settings of rollouts"))
    return parser


def _where(parser: argparse.ArgumentParser) -> None:
    lab_arguments.lab(parser)
    arguments.as_json(parser)


def _step_only(parser: argparse.ArgumentParser) -> None:
    step_arguments.step(parser)
    _where(parser)


def _start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--new", type=Path, metavar="FILE",
        help="the new version as JSON: texts, commit, pull_request (default: the best candidate)",
    )  # fmt: skip
    parser.add_argument(
        "--old", type=Path, metavar="FILE",
        help="the version to compare with (default: the one in production, or else the baseline)",
    )  # fmt: skip
    parser.add_argument(
        "--by", choices=BY, default=BY[0], help="what decides (default: %(default)s)"
    )
    parser.add_argument(
        "--simulated", action="store_true",
        help="allow a version that only simulated models have tested",
    )  # fmt: skip
    _step_only(parser)


def _assign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    _step_only(parser)


def _mark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", required=True, metavar="ID", help="the version that it got")
    parser.add_argument(
        "--voter", default="", metavar="NAME",
        help="who said it; only a digest is stored, and a voter's last vote counts",
    )  # fmt: skip
    _step_only(parser)


def _vote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    parser.add_argument("vote", choices=VOTES, help="what the reader said")
    _mark(parser)


def _score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", metavar="PLAN", help="the plan's name in production")
    parser.add_argument("score", type=float, metavar="NUMBER", help="from 0; more is better")
    _mark(parser)


def _status(parser: argparse.ArgumentParser) -> None:
    step_arguments.step(parser, "only this step", required=False)
    _where(parser)


def _watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--now", action="store_true", help="check even if the last check was recent"
    )
    parser.add_argument(
        "--search", action="store_true",
        help="run the search that is due; needs a cap (otherwise its command is only printed)",
    )  # fmt: skip
    arguments.models_list(parser, "the models of the search")
    parser.add_argument(
        "--candidates", type=arguments.positive, default=3, metavar="N",
        help="how many candidates it proposes (default: %(default)s)",
    )  # fmt: skip
    arguments.caps(parser)
    _step_only(parser)


def _rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="ID", help="the version (default: the one before)")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log")
    _step_only(parser)


def _drift(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--against", nargs="+", required=True, metavar="RUN",
        help="recorded baseline runs: a directory, 131 or 1/31",
    )  # fmt: skip
    arguments.models_list(parser, "only these (default: all models of the runs)")
    lab_arguments.split(parser)
    lab_arguments.plan_folder(parser)
    step_arguments.code(parser)
    step_arguments.sandbox(parser)
    step_arguments.host(parser)
    arguments.cells(parser)
    arguments.caps(parser)
    arguments.dry_run(parser)
    _where(parser)


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--defaults", action="store_true", help="those of the package")
    _where(parser)
