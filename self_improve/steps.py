"""List the steps of a pipeline: what they read and write, and the prompt surfaces they send."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run
from model_gateway.invocation import typed
from model_gateway.suggestions import did_you_mean
from prompt_lab import arguments as lab_arguments
from self_improve import arguments as step_arguments
from self_improve.errors import UsageError

if TYPE_CHECKING:
    from self_improve.runs.step_listing import Listing

PROG = "python -m self_improve.steps"

EXAMPLES = """\
examples:
  python -m self_improve.steps
  python -m self_improve.steps --step identify_potential_levers --texts
  python -m self_improve.steps --text LEVERS_SYSTEM_PROMPT > better.txt    # a text to edit
  python -m self_improve.steps --confirm
  python -m self_improve.steps --host ../my_pipeline/host.toml --confirm --plan-dir ../a_plan --json

A surface is any prompt text found in the code. It is confirmed (✓) once a cell has sent it: in a
run of the data repo (--prompt-lab-dir), or now on the simulated model (--confirm).

exit codes: 0 listed · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog, "List the steps of a pipeline and their prompt surfaces.", EXAMPLES
    )
    step_arguments.step(parser, "only this step", required=False)
    parser.add_argument("--texts", action="store_true", help="show the surfaces' texts")
    parser.add_argument(
        "--text", metavar="SURFACE", help="print the text of this surface and nothing else"
    )
    parser.add_argument(
        "--confirm", action="store_true",
        help="run every step once on the simulated model to see which surfaces are sent",
    )  # fmt: skip
    parser.add_argument(
        "--plan-dir", type=Path, metavar="DIR",
        help="the plan for --confirm (default: a bundled sample plan)",
    )  # fmt: skip
    step_arguments.host(parser)
    step_arguments.code(parser)
    step_arguments.sandbox(parser)
    lab_arguments.lab(parser)
    arguments.as_json(parser)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Parse the command line, list, and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _list(options))


def _list(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve.runs import step_listing

    listing = run(step_listing.list_steps(options))
    if options.text is not None:
        print(_text_of(listing, options.text))
    elif options.json:
        print(json.dumps(listing.to_row(), ensure_ascii=False, indent=2))
    else:
        print(_text(listing, texts=options.texts))
    return OK


def _text_of(listing: Listing, name: str) -> str:
    """Return the text of the surface of this id, or of this name where no other has it."""
    texts = {one["id"]: one["text"] for step in listing.steps for one in step["surfaces"]}
    ids = [one for one in texts if name in {one, one.partition(":")[2]}]
    if len(ids) > 1:
        raise UsageError(f"Several surfaces are called {name}: {', '.join(ids)}. Give one of them.")
    if not ids:
        hint = did_you_mean(name, [*texts, *(one.partition(":")[2] for one in texts)])
        raise UsageError(
            f"There is no surface {name!r}.{hint} `{typed('steps --texts')}` lists all."
        )
    return str(texts[ids[0]])


def _text(listing: Listing, *, texts: bool) -> str:
    lines: list[str] = []
    for step in listing.steps:
        kind = "given" if step["given"] else "calls a model" if step["calls_model"] else "no model"
        lines += [f"{step['name']}  ·  {kind}  ·  {step['task']}"]
        lines += [f"    reads   {' · '.join(step['inputs']) or '-'}"]
        lines += [f"    writes  {' · '.join(step['outputs']) or '-'}"]
        for surface in step["surfaces"]:
            lines += _surface(surface, texts=texts)
        lines += [f"    sent, but from no surface: {text}" for text in step["unmatched"]]
        lines += [f"    not confirmed: {step['trouble']}"] if step["trouble"] else []
        lines += [""]
    return "\n".join(lines).rstrip()


def _surface(surface: dict[str, Any], *, texts: bool) -> list[str]:
    mark = "✓" if surface["confirmed"] else " " if surface["found"] else "+"
    notes = [f"{len(surface['text'])} characters"]
    if surface["shared_with"]:
        notes.append(f"shared with {', '.join(surface['shared_with'])}")
    if surface["assembled_into"]:
        notes.append(
            f"put into {', '.join(surface['assembled_into'])} at import: change it as code"
        )
    lines = [f"    {mark} {surface['id']}  ({'; '.join(notes)})"]
    if texts:
        lines += [f"        | {line}" for line in surface["text"].splitlines()]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
