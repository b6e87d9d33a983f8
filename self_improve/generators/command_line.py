"""List the generators: what each is, where it comes from, what it needs and costs."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_gateway import arguments
from model_gateway.exits import OK, exit_code

if TYPE_CHECKING:
    from self_improve.generators.catalogue import Listed

PROG = "python -m self_improve.generators"
EXAMPLES = """\
examples:
  python -m self_improve.generators
  python -m self_improve.generators gepa opro
  python -m self_improve.generators --json

Costs are for the default settings: cells are step calls, and proposer calls go to the model of the
search. The names are those that --generator takes.

exit codes: 0 listed · 2 there is no generator of that name
"""
_WIDTH = 100
_INDENT = " " * 12
_SHORT = ("needs", "costs")


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog,
        "List what can propose candidates, with what each needs and costs.",
        EXAMPLES.replace(PROG, prog),
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="show these with everything known of them: source and defaults as well",
    )  # fmt: skip
    arguments.as_json(parser, "print everything as JSON")
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, list, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _list(options))


def _list(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    import json

    from self_improve.generators import catalogue

    generators = catalogue.listed(options.names)
    if options.json:
        print(json.dumps([one.to_row() for one in generators], ensure_ascii=False, indent=2))
    else:
        print("\n\n".join(_text(one, whole=bool(options.names)) for one in generators))
    return OK


def _text(one: Listed, *, whole: bool) -> str:
    facts = one.facts if whole else {key: one.facts[key] for key in _SHORT if key in one.facts}
    lines = [one.name, f"  {one.summary}"]
    lines += [
        textwrap.fill(text, _WIDTH, initial_indent=f"  {key:10}", subsequent_indent=_INDENT)
        for key, text in facts.items()
    ]
    return "\n".join(lines)
