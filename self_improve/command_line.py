"""The console script `plumbline`: one name for the commands of all packages."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PROG = "plumbline"
USAGE = 2


@dataclass(frozen=True, kw_only=True)
class Command:
    """A subcommand: where its parser and its main are, and the words to put before its own."""

    help: str
    parser: str
    main: str
    words: tuple[str, ...] = ()


COMMANDS = {
    "run": Command(
        help="re-execute one step on baseline plans, over models",
        parser="self_improve.runner:parser",
        main="self_improve.runner:main",
    ),
    "steps": Command(
        help="list the steps of a pipeline and their prompt surfaces",
        parser="self_improve.steps:parser",
        main="self_improve.steps:main",
    ),
    "evaluate": Command(
        help="measure runs by their step's rubric, without asking a model",
        parser="self_improve.evaluate:parser",
        main="self_improve.evaluate:main",
    ),
    "compare": Command(
        help="compare two sets of runs: KEEP, REJECT or INCONCLUSIVE",
        parser="self_improve.compare:parser",
        main="self_improve.compare:main",
    ),
    "noise": Command(
        help="measure how far runs of identical prompts lie apart",
        parser="self_improve.noise:parser",
        main="self_improve.noise:main",
    ),
    "iterate": Command(
        help="judge a change to a step's prompts, from a candidate to a pull request",
        parser="self_improve.iteration.command_line:parser",
        main="self_improve.iteration.command_line:main",
    ),
    "generators": Command(
        help="list what can propose candidates, with what each needs and costs",
        parser="self_improve.generators.command_line:parser",
        main="self_improve.generators.command_line:main",
    ),
    "optimize": Command(
        help="improve steps by iterations, each from the best so far",
        parser="self_improve.optimizer.command_line:parser",
        main="self_improve.optimizer.command_line:main",
    ),
    "full-plan": Command(
        help="regenerate whole plans with the best prompts, and compare",
        parser="self_improve.full_plan.command_line:parser",
        main="self_improve.full_plan.command_line:main",
    ),
    "rollback": Command(
        help="open the pull request that restores an earlier best of a step",
        parser="self_improve.rollback.command_line:parser",
        main="self_improve.rollback.command_line:main",
    ),
    "rollout": Command(
        help="give prompts to production step by step, watch them, take them back",
        parser="self_improve.rollout.command_line:parser",
        main="self_improve.rollout.command_line:main",
    ),
    "lab": Command(
        help="make, fill and look at a data repo",
        parser="prompt_lab.command_line:parser",
        main="prompt_lab.command_line:main",
    ),
    "models": Command(
        help="list the models, ask one for a token",
        parser="model_gateway.command_line:parser",
        main="model_gateway.command_line:main",
    ),
    "plan": Command(
        help="run the embedded planning pipeline",
        parser="worker_plan.command_line:parser",
        main="worker_plan.command_line:main",
    ),
}

EXAMPLES = f"""\
examples:
  {PROG} run --step identify_potential_levers --model llama --split train
  {PROG} steps --confirm
  {PROG} lab init my_lab --samples
  {PROG} models list
  {PROG} completion bash > ~/.local/share/bash-completion/completions/{PROG}

`{PROG} COMMAND --help` tells more. Every command is also a module: {PROG} run is
`python -m self_improve.runner`, {PROG} lab is `python -m prompt_lab`.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Find the command that the first word names, hand it the rest, return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        command = COMMANDS[words[0]]
        run: Callable[..., int] = load(command.main)
        return run([*command.words, *words[1:]], prog=f"{PROG} {words[0]}")
    options = _own_parser().parse_args(words)
    if options.command == "completion":
        print(completion(options.shell))
        return 0
    _own_parser().print_help()
    return USAGE


def completion(shell: str) -> str:
    """Return the completion script of all commands for a shell."""
    # Imported here because only this needs it.
    import shtab

    made = argparse.ArgumentParser(prog=PROG)
    commands = made.add_subparsers()
    for name, command in COMMANDS.items():
        parser = load(command.parser)(f"{PROG} {name}")
        commands.add_parser(name, help=command.help, parents=[parser], add_help=False)
    script: str = shtab.complete(made, shell)
    return script


def _own_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=PROG,
        description="Improve the prompts of a multi-step LLM pipeline by evidence.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.help, add_help=False)
    shells = commands.add_parser("completion", help="print a completion script for a shell")
    shells.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return made


def load(path: str) -> Callable[..., Any]:
    """Return what `module:name` names; a command's module is only imported when it is needed."""
    module, name = path.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
