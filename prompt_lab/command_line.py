"""The commands of the data repo."""

from __future__ import annotations

import argparse
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from model_gateway import arguments
from model_gateway.exits import OK, exit_code
from model_gateway.foreign_files import resolved
from model_gateway.invocation import typed
from prompt_lab.arguments import lab
from prompt_lab.layout import SPLITS, find

# The commands import what they call only when they are called, so that --help answers at once.

PROG = "python -m prompt_lab"
SOME_FAILED = 1
_MOST_BYTES = 100_000_000
_EXIT_CODES = """\
exit codes:
  0    done
  1    some plans failed; all others are done
  2    wrong usage, or refused; the message says what to do
  130  interrupted; run the same command again to resume
"""


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run one command and return its exit code.

    Raises:
        SystemExit: the arguments are wrong (code 2) or only ask for help (code 0).
    """
    options = parser(prog).parse_args(words)
    return exit_code(lambda: int(options.run(options)))


def parser(prog: str = PROG) -> ArgumentParser:
    """Return the parser; the options it returns hold the command's function as `run`."""
    parser = arguments.new_parser(
        prog, "The data repo: baseline plans, and the history of all runs on them.", _EXIT_CODES
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, summary: str, *examples: str) -> ArgumentParser:
        lines = "\n".join(f"  {prog} {name} {example}".rstrip() for example in examples)
        return commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"examples:\n{lines}\n\n{_EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    init = command(
        "init",
        "Create a data repo under git, or add what an existing one lacks; nothing is overwritten.",
        "my-lab",
        "my-lab --samples",
    )
    init.add_argument("directory", metavar="DIR", type=Path, help="a new or empty directory")
    init.add_argument("--samples", action="store_true", help="add the bundled sample plans too")
    init.set_defaults(run=_init)

    populate = command(
        "populate",
        "Add baseline plans from zips. Plans that are there already are skipped, never replaced.",
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
        "Print which plans and runs a data repo holds, its disk use, and what to do next.",
        "",
        "--prompt-lab-dir my-lab --json",
    )
    lab(status)
    arguments.as_json(status)
    status.set_defaults(run=_status)

    progress = command(
        "progress",
        "Print the gains since the first iteration: by step, by week, and at what cost.",
        "",
        "--csv gains.csv --svg gains.svg",
    )
    lab(progress)
    arguments.as_json(progress)
    progress.add_argument("--csv", metavar="FILE", type=Path, help="also write the weeks as CSV")
    progress.add_argument("--svg", metavar="FILE", type=Path, help="also write a drawing")
    progress.set_defaults(run=_progress)
    return parser


def _populate_arguments(populate: ArgumentParser) -> None:
    source = populate.add_mutually_exclusive_group()
    source.add_argument(
        "source", metavar="SOURCE", nargs="?",
        help="a folder with train/PLAN.zip and verify/PLAN.zip or with PLAN.zip, one zip, or the "
        "http(s) address under which PLAN.zip is (default: the source in dataset.json)",
    )  # fmt: skip
    source.add_argument("--samples", action="store_true", help="add the bundled sample plans")
    lab(populate)
    populate.add_argument(
        "--split", choices=SPLITS,
        help="add only this split; the split of zips that are in neither train/ nor verify/ and "
        "not listed in dataset.json",
    )  # fmt: skip
    populate.add_argument(
        "--plan", dest="plans", metavar="NAME", nargs="+", action="extend", default=[],
        help="add only these plans (default: all; at an address, those listed in dataset.json)",
    )  # fmt: skip
    populate.add_argument(
        "--max-bytes", metavar="N", type=arguments.positive, default=_MOST_BYTES,
        help="refuse larger zips, and plans that unpack to over ten times N (default: %(default)s)",
    )  # fmt: skip


def _init(options: Namespace) -> int:
    from prompt_lab.init import init
    from prompt_lab.source import samples

    if options.samples:
        samples()
    root = resolved(options.directory)
    result = init(root)
    folder = shlex.quote(str(root))
    if result.left:
        print(f"There already, not overwritten: {', '.join(result.left)}")
    if result.added:
        print(f"Added: {', '.join(result.added)}")
    print(f"{root} is a data repo{', with a first commit' if result.committed else ''}.")
    if result.added and not result.committed:
        print(f"next: git -C {folder} add --all && git -C {folder} commit")
    words = ["populate", "--prompt-lab-dir", str(root), "--samples"]
    if options.samples:
        return _populate(parser().parse_args(words))
    print(f"next: {typed('lab populate SOURCE')} --prompt-lab-dir {folder}")
    return OK


def _populate(options: Namespace) -> int:
    from model_gateway.counts import tally
    from prompt_lab import dataset
    from prompt_lab.populate import Kind, populate
    from prompt_lab.progress import on_terminal
    from prompt_lab.source import SourceRequest, offers, samples

    layout = find(options.prompt_lab_dir)
    zips = offers(
        samples() if options.samples else options.source,
        SourceRequest(split=options.split, plans=tuple(options.plans)),
        layout,
        dataset.load(layout),
    )
    with on_terminal() as listener:
        outcomes = populate(layout, zips, most_bytes=options.max_bytes, listener=listener)
    counts = {kind: sum(outcome.kind is kind for outcome in outcomes) for kind in Kind}
    print((tally(*((n, kind.value) for kind, n in counts.items())) or "nothing added") + ".")
    return SOME_FAILED if counts[Kind.FAILED] else OK


def _status(options: Namespace) -> int:
    from prompt_lab.status import status, text

    result = status(find(options.prompt_lab_dir))
    if options.json:
        import dataclasses
        import json

        print(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        print(text(result))
    return OK


def _progress(options: Namespace) -> int:
    from prompt_lab.gains import drawing, gains, table_csv, text

    result = gains(find(options.prompt_lab_dir))
    if options.csv:
        options.csv.write_text(table_csv(result), encoding="utf-8")
    if options.svg:
        options.svg.write_text(drawing(result), encoding="utf-8")
    if options.json:
        import json

        print(json.dumps(result.to_row(), indent=2))
    else:
        print(text(result), end="")
    return OK
