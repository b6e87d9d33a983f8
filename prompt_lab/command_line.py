"""The commands of the data repo: parses, builds, calls, prints."""

from __future__ import annotations

import argparse
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from prompt_lab.errors import LabError
from prompt_lab.layout import SPLITS, VARIABLE, find

# The commands import what they call only when they are called, so that --help answers at once.

_ENDED, _SOME_FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130
_MOST_BYTES = 100_000_000
_EXIT_CODES = """\
exit codes:
  0    done
  1    some plans failed; all others are done
  2    wrong usage, or refused; the message says what to do
  130  interrupted; the same command goes on
"""


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run one command and return its exit code.

    Raises:
        SystemExit: the arguments are wrong (code 2) or only ask for help (code 0).
    """
    given = (parser(prog) if prog else parser()).parse_args(arguments)
    try:
        code: int = given.run(given)
    except LabError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    except OSError as error:
        print(f"{error}. Mend that and repeat the command.", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return _INTERRUPTED
    return code


def parser(prog: str = "python -m prompt_lab") -> ArgumentParser:
    """Return the parser; what it parses holds in `run` the function that does the command."""
    root = ArgumentParser(
        prog=prog,
        description="The data repo: baseline plans, and the history of all runs on them.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, summary: str, *examples: str) -> ArgumentParser:
        shown = "\n".join(f"  {prog} {name} {example}".rstrip() for example in examples)
        return commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"examples:\n{shown}\n\n{_EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    init = command(
        "init",
        "Make a data repo under git; or add to one what it lacks, overwriting nothing.",
        "my-lab",
        "my-lab --samples",
    )
    init.add_argument("directory", metavar="DIR", type=Path, help="a new or empty directory")
    init.add_argument("--samples", action="store_true", help="take the bundled sample plans in too")
    init.set_defaults(run=_init)

    populate = command(
        "populate",
        "Take the zips of baseline plans in. What is there is skipped; nothing is ever replaced.",
        "",
        "zips/",
        "silo.zip --split train",
        "https://example.org/plans --split train --plan silo",
        "--samples",
    )
    _populate_arguments(populate)
    populate.set_defaults(run=_populate)

    status = command(
        "status",
        "Say which plans and runs a data repo holds, its disk use, and what to do next.",
        "",
        "--prompt-lab-dir my-lab --json",
    )
    _place_argument(status)
    status.add_argument("--json", action="store_true", help="print it as JSON")
    status.set_defaults(run=_status)

    progress = command(
        "progress",
        "Say what was gained since the first iteration: by step, by week, and at what cost.",
        "",
        "--csv gains.csv --svg gains.svg",
    )
    _place_argument(progress)
    progress.add_argument("--json", action="store_true", help="print it as JSON")
    progress.add_argument("--csv", metavar="FILE", type=Path, help="write the weeks as CSV, too")
    progress.add_argument("--svg", metavar="FILE", type=Path, help="write a drawing, too")
    progress.set_defaults(run=_progress)
    return root


def _populate_arguments(populate: ArgumentParser) -> None:
    source = populate.add_mutually_exclusive_group()
    source.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help="a folder with train/PLAN.zip and verify/PLAN.zip or with PLAN.zip, one zip, or the "
        "http(s) address at which PLAN.zip lies (default: the source in dataset.json)",
    )
    source.add_argument("--samples", action="store_true", help="take the bundled sample plans")
    _place_argument(populate)
    populate.add_argument(
        "--split",
        choices=SPLITS,
        help="take only this split; the split of zips that lie in no train/ or verify/ and are "
        "not listed in dataset.json",
    )
    populate.add_argument(
        "--plan",
        dest="plans",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="take only these plans (default: all; at an address, those listed in dataset.json)",
    )
    populate.add_argument(
        "--max-bytes",
        metavar="N",
        type=_positive,
        default=_MOST_BYTES,
        help="refuse larger zips, and plans that unpack to over ten times N (default: %(default)s)",
    )


def _place_argument(command: ArgumentParser) -> None:
    command.add_argument(
        "--prompt-lab-dir", metavar="DIR", help=f"the data repo (default: the variable {VARIABLE})"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _init(given: Namespace) -> int:
    from prompt_lab.init import init
    from prompt_lab.source import samples

    if given.samples:
        samples()
    root = given.directory.expanduser().resolve()
    made = init(root)
    place = shlex.quote(str(root))
    if made.left:
        print(f"There already, not overwritten: {', '.join(made.left)}")
    if made.added:
        print(f"Added: {', '.join(made.added)}")
    print(f"{root} is a data repo{', with a first commit' if made.committed else ''}.")
    if made.added and not made.committed:
        print(f"next: git -C {place} add --all && git -C {place} commit")
    then = ["populate", "--prompt-lab-dir", str(root), "--samples"]
    if given.samples:
        return _populate(parser().parse_args(then))
    print(f"next: python -m prompt_lab populate SOURCE --prompt-lab-dir {place}")
    return _ENDED


def _populate(given: Namespace) -> int:
    from prompt_lab import dataset
    from prompt_lab.populate import Kind, populate
    from prompt_lab.progress import on_terminal
    from prompt_lab.source import SourceRequest, offers, samples

    layout = find(given.prompt_lab_dir)
    found = offers(
        samples() if given.samples else given.source,
        SourceRequest(split=given.split, plans=tuple(given.plans)),
        layout,
        dataset.load(layout),
    )
    with on_terminal() as listener:
        outcomes = populate(layout, found, most_bytes=given.max_bytes, listener=listener)
    counts = {kind: sum(outcome.kind is kind for outcome in outcomes) for kind in Kind}
    print(", ".join(f"{count} {kind.value}" for kind, count in counts.items()) + ".")
    return _SOME_FAILED if counts[Kind.FAILED] else _ENDED


def _status(given: Namespace) -> int:
    from prompt_lab.status import status, text

    found = status(find(given.prompt_lab_dir))
    if given.json:
        import dataclasses
        import json

        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        print(text(found))
    return _ENDED


def _progress(given: Namespace) -> int:
    from prompt_lab.gains import drawing, gains, table_csv, text

    found = gains(find(given.prompt_lab_dir))
    if given.csv:
        given.csv.write_text(table_csv(found), encoding="utf-8")
    if given.svg:
        given.svg.write_text(drawing(found), encoding="utf-8")
    if given.json:
        import json

        print(json.dumps(found.to_row(), indent=2))
    else:
        print(text(found), end="")
    return _ENDED
