"""Flags that several commands share, and the checks of their values."""

from __future__ import annotations

import argparse
import os
from argparse import _ArgumentGroup
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_gateway.terminal import guarded

if TYPE_CHECKING:
    from model_gateway.ledger import Caps

Group = argparse.ArgumentParser | _ArgumentGroup


class Parser(argparse.ArgumentParser):
    """A parser whose help and errors a closed or narrow output cannot turn into a failure."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as the parser of the standard library does."""
        with guarded():
            return super().parse_known_args(args, namespace)


def new_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Return a parser that prints `epilog`, its examples and exit codes, line by line."""
    return Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def whole(text: str) -> int:
    """Read a whole number from 0.

    Raises:
        ArgumentTypeError: `text` is not one.
    """
    return _from(0, text)


def positive(text: str) -> int:
    """Read a whole number from 1.

    Raises:
        ArgumentTypeError: `text` is not one.
    """
    return _from(1, text)


def amount(text: str) -> float:
    """Read a finite number above 0.

    Raises:
        ArgumentTypeError: `text` is not one.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def names(text: str | None) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def models(group: Group) -> None:
    """Add `--model` and `--models`."""
    model(group, "a model or its alias; may be repeated (default: the configured list)")
    models_list(group, "the same, as a list", action="append", default=[])


def model(group: Group, text: str, *, only_one: bool = False) -> None:
    """Add `--model`; without `only_one` it may be repeated."""
    repeated: dict[str, Any] = {} if only_one else {"action": "append", "default": []}
    group.add_argument("--model", metavar="NAME", help=text, **repeated)


def models_list(group: Group, text: str, **settings: Any) -> None:
    """Add `--models`: names with commas, empty unless `settings` say otherwise."""
    group.add_argument("--models", metavar="A,B", help=text, **{"default": "", **settings})


def speed(group: Group, text: str, choices: Sequence[str] | None = None) -> None:
    """Add `--speed`; without `choices` the host knows its words."""
    group.add_argument("--speed", metavar=None if choices else "WORD", choices=choices, help=text)


def model_names(options: argparse.Namespace) -> list[str]:
    """Return the names from `--model` and `--models`, in their order."""
    return [*filter(None, options.model), *names(",".join(options.models))]


def agents(group: Group) -> None:
    """Add `--agents`."""
    group.add_argument(
        "--agents", metavar="A,B",
        help="two agents: claude, codex or names of models (default: what is installed)",
    )  # fmt: skip


def caps(group: Group) -> None:
    """Add the caps of every command that calls models."""
    group.add_argument("--max-calls", type=positive, metavar="N", help="cap on requests to models")
    group.add_argument("--max-tokens", type=positive, metavar="N", help="cap on tokens, in and out")
    group.add_argument("--max-cost", type=amount, metavar="DOLLARS", help="cap on US dollars")


def caps_of(options: argparse.Namespace) -> Caps:
    """Return the caps that the command line sets, and where it does not, the environment.

    Raises:
        ConfigError: a variable holds something else than a number.
    """
    from model_gateway import caps as environment  # imported here to keep parsers fast
    from model_gateway.ledger import Caps

    default = environment.of_environment(os.environ)
    return Caps(
        calls=options.max_calls or default.calls,
        tokens=options.max_tokens or default.tokens,
        dollars=options.max_cost or default.dollars,
    )


def cells(group: Group) -> None:
    """Add the number of cells that run side by side, and the time limit of one."""
    group.add_argument(
        "--workers", type=positive, default=64, metavar="N", help="cells side by side, at most"
    )
    group.add_argument(
        "--timeout", type=amount, default=1800.0, metavar="SECONDS", help="time limit of a cell"
    )


def accept_failures(group: Group) -> None:
    """Add the flag that finishes without what failed for reasons outside of the prompt."""
    group.add_argument(
        "--accept-failures", action="store_true",
        help="finish although cells failed for reasons outside of the prompt (by default the same "
        "command tries them again)",
    )  # fmt: skip


def seed(group: Group, what: str) -> None:
    """Add `--seed`; `what` names what is drawn with it."""
    group.add_argument(
        "--seed", type=int, default=1, metavar="N", help=f"seed of {what} (default: 1)"
    )


def dry_run(group: Group, text: str = "show what it would do and cost; send nothing") -> None:
    """Add `--dry-run`."""
    group.add_argument("--dry-run", action="store_true", help=text)


def as_json(group: Group, text: str = "print the result as JSON") -> None:
    """Add `--json`."""
    group.add_argument("--json", action="store_true", help=text)


def _from(lowest: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if number < lowest:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {lowest}")
    return number
