"""List the generators: what each is, where it comes from, what it needs and costs."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from self_improve.generators.catalogue import Listed

EXAMPLES = """\
examples:
  python -m self_improve.generators
  python -m self_improve.generators gepa opro
  python -m self_improve.generators --json

Cells are step calls, as a cell of one call counts them; proposer calls are put to the model of the
search beside them. What costs is said for the default setting. The names are those that --generator
takes.

exit codes: 0 listed · 2 there is no generator of that name
"""
_WIDTH = 100
_INDENT = " " * 12
_SHORT = ("needs", "costs")


def parser(prog: str = "python -m self_improve.generators") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="List what can propose candidates, with what each needs and costs.",
        epilog=EXAMPLES.replace("python -m self_improve.generators", prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "names", nargs="*", metavar="NAME", help="tell all of these: source and defaults as well"
    )
    made.add_argument("--json", action="store_true", help="list as JSON, with everything")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, list, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help answers at once.
    import json

    from self_improve.errors import UsageError
    from self_improve.generators import catalogue

    try:
        found = catalogue.listed(options.names)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if options.json:
        print(json.dumps([one.to_row() for one in found], ensure_ascii=False, indent=2))
    else:
        print("\n\n".join(_told(one, whole=bool(options.names)) for one in found))
    return 0


def _told(one: Listed, *, whole: bool) -> str:
    facts = one.facts if whole else {key: one.facts[key] for key in _SHORT if key in one.facts}
    lines = [one.name, f"  {one.summary}"]
    lines += [
        textwrap.fill(text, _WIDTH, initial_indent=f"  {key:10}", subsequent_indent=_INDENT)
        for key, text in facts.items()
    ]
    return "\n".join(lines)
