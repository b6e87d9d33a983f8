"""The console script `plumbline`: one name for the commands of all packages."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.arguments import new_parser
from model_gateway.exits import OK, USAGE, exit_code

PROG = "plumbline"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A subcommand: the module that holds its `parser` and its `main`, by name."""

    help: str
    module: str

    @property
    def parser(self) -> str:
        """Where its parser is, for `load`."""
        return f"{self.module}:parser"

    @property
    def main(self) -> str:
        """Where its main function is, for `load`."""
        return f"{self.module}:main"


COMMANDS = {
    "run": Command(
        help="re-execute one step on baseline plans, over models", module="self_improve.runner"
    ),
    "steps": Command(
        help="list the steps of a pipeline and their prompt surfaces", module="self_improve.steps"
    ),
    "evaluate": Command(
        help="measure runs by their step's rubric, without asking a model",
        module="self_improve.evaluate",
    ),
    "compare": Command(
        help="compare two sets of runs: KEEP, REJECT or INCONCLUSIVE", module="self_improve.compare"
    ),
    "noise": Command(
        help="measure how much runs of identical prompts differ", module="self_improve.noise"
    ),
    "iterate": Command(
        help="test a change to a step's prompts, from a candidate to a pull request",
        module="self_improve.iteration.command_line",
    ),
    "generators": Command(
        help="list what can propose candidates, with what each needs and costs",
        module="self_improve.generators.command_line",
    ),
    "optimize": Command(
        help="improve steps by iterations, each from the best so far",
        module="self_improve.optimizer.command_line",
    ),
    "full-plan": Command(
        help="regenerate whole plans with the best prompts, and compare",
        module="self_improve.full_plan.command_line",
    ),
    "rollback": Command(
        help="open the pull request that restores an earlier best of a step",
        module="self_improve.rollback.command_line",
    ),
    "rollout": Command(
        help="roll prompts out to production in stages, watch them, take them back",
        module="self_improve.rollout.command_line",
    ),
    "lab": Command(help="create, fill and inspect a data repo", module="prompt_lab.command_line"),
    "models": Command(
        help="list the models, ask one for a token, or keep its server up",
        module="model_gateway.command_line",
    ),
    "plan": Command(help="run the embedded planning pipeline", module="worker_plan.command_line"),
}

EXAMPLES = f"""\
examples:
  {PROG} run --step identify_potential_levers --model llama --split train
  {PROG} steps --confirm
  {PROG} lab init my_lab --samples
  {PROG} models list
  {PROG} completion bash > ~/.local/share/bash-completion/completions/{PROG}

`{PROG} COMMAND --help` shows a command's flags. Every command is also a module: {PROG} run is
`python -m self_improve.runner`, {PROG} lab is `python -m prompt_lab`.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the first word names with the other words; return its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    if words and words[0] in COMMANDS:
        run: Callable[..., int] = load(COMMANDS[words[0]].main)
        return run(words[1:], prog=f"{PROG} {words[0]}")
    parser = _parser()
    options = parser.parse_args(words)
    return exit_code(lambda: _without_command(parser, options))


def _without_command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.command == "completion":
        print(completion(options.shell))
        return OK
    parser.print_help()
    return USAGE


def completion(shell: str) -> str:
    """Return the completion script of all commands for a shell."""
    # Imported here because only this needs it.
    import shtab

    parser = argparse.ArgumentParser(prog=PROG)
    commands = parser.add_subparsers()
    for name, command in COMMANDS.items():
        parent = load(command.parser)(f"{PROG} {name}")
        commands.add_parser(name, help=command.help, parents=[parent], add_help=False)
    script: str = shtab.complete(parser, shell)
    return script


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(
        PROG, "Improve the prompts of a multi-step LLM pipeline by evidence.", EXAMPLES
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.help, add_help=False)
    shells = commands.add_parser("completion", help="print a completion script for a shell")
    shells.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def load(path: str) -> Callable[..., Any]:
    """Return what `module:name` names; its module is imported only now."""
    module, name = path.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


if __name__ == "__main__":
    raise SystemExit(main())
