"""Numbers and caps on a command line: the same words and checks in every command."""

from __future__ import annotations

import argparse

CAP_VARIABLES = {
    "calls": "PLUMBLINE_MAX_CALLS",
    "tokens": "PLUMBLINE_MAX_TOKENS",
    "dollars": "PLUMBLINE_MAX_COST",
}
"""The environment variables that hold the caps of a gateway beside a run directory."""


def whole(text: str) -> int:
    """Read a whole number from 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    return _from(0, text)


def positive(text: str) -> int:
    """Read a whole number from 1.

    Raises:
        ArgumentTypeError: it is none.
    """
    return _from(1, text)


def amount(text: str) -> float:
    """Read a finite number above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def caps(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the caps that every command keeps which calls models."""
    group.add_argument("--max-calls", type=positive, metavar="N", help="cap on requests to models")
    group.add_argument("--max-tokens", type=positive, metavar="N", help="cap on tokens, in and out")
    group.add_argument("--max-cost", type=amount, metavar="DOLLARS", help="cap on US dollars")


def cells(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add how many cells run side by side, and for how long one may."""
    group.add_argument(
        "--workers", type=positive, default=64, metavar="N", help="cells side by side, at most"
    )
    group.add_argument(
        "--timeout", type=amount, default=1800.0, metavar="SECONDS", help="time limit of a cell"
    )


def _from(lowest: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if number < lowest:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {lowest}")
    return number
