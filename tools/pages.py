"""Regenerates docs/commands.md from the parsers: `make pages`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis import command_line as analysis
from analysis import run_analysis
from self_improve.command_line import COMMANDS, PROG, load

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
WIDTH = "100"
MODULES = (
    "self_improve.iteration.prepare_analysis", "prompt_lab.patterns",
    "self_improve.benchmark.__main__", "self_improve.demo",
)  # fmt: skip
"""Commands that `plumbline` does not have."""


def parsers() -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers of all commands and subcommands; those of `plumbline` come first."""
    for name, command in COMMANDS.items():
        yield from _with_children(load(command.parser)(f"{PROG} {name}"))
    yield analysis.parser("python -m analysis.run_analysis", run_analysis.__doc__ or "")
    for module in MODULES:
        yield load(f"{module}:parser")()


def _with_children(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from _with_children(child)


def text() -> str:
    """Return the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", WIDTH)
        patch.setenv("NO_COLOR", "1")
        helps = [(parser.prog, parser.format_help().rstrip()) for parser in parsers()]
    lines = [
        "# Commands",
        "",
        "For everybody who uses the command line: the `--help` of every command. Regenerate it "
        "with `make pages`. Commands that `plumbline` does not have are at the end; the commands "
        "of single phases of an analysis have the options of `analysis.run_analysis`.",
    ]
    for prog, help_text in helps:
        lines += ["", f"## {prog}", "", "```text", help_text, "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
