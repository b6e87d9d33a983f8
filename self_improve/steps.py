"""List the steps of a pipeline: what they read and write, and the prompt surfaces they send."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from self_improve.runs.step_listing import Listing

EXAMPLES = """\
examples:
  python -m self_improve.steps
  python -m self_improve.steps --step identify_potential_levers --texts
  python -m self_improve.steps --confirm
  python -m self_improve.steps --host ../my_pipeline/host.toml --confirm --plan-dir ../a_plan --json

A surface is found in the code, and confirmed (✓) once a cell has sent it: either in a run of the
data repo (--prompt-lab-dir or PROMPT_LAB_DIR), or now, on the simulated model (--confirm).

exit codes: 0 listed · 2 wrong usage or configuration
"""


def parser(prog: str = "python -m self_improve.steps") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="List the steps of a pipeline and their prompt surfaces.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--step", help="only this step")
    made.add_argument("--texts", action="store_true", help="show the surfaces' texts")
    made.add_argument(
        "--confirm", action="store_true", help="run every step once on the simulated model, and see"
    )
    made.add_argument(
        "--plan-dir", type=Path, metavar="DIR",
        help="the plan for --confirm (default: a bundled sample plan)",
    )  # fmt: skip
    made.add_argument("--host", type=Path, metavar="FILE", help="another pipeline's host.toml")
    made.add_argument("--code", type=Path, metavar="DIR", help="the code tree to look at")
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument("--json", action="store_true", help="list as JSON")
    return made


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, list, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help answers at once.
    import asyncio

    from model_gateway.errors import GatewayError
    from prompt_lab.errors import LabError
    from self_improve.errors import ImproveError
    from self_improve.runs import step_listing

    try:
        listing = asyncio.run(step_listing.list_steps(options))
    except (GatewayError, LabError, ImproveError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(listing.to_row(), ensure_ascii=False, indent=2))
    else:
        print(_told(listing, texts=options.texts))
    return 0


def _told(listing: Listing, *, texts: bool) -> str:
    lines: list[str] = []
    for step in listing.steps:
        kind = "given" if step["given"] else "calls a model" if step["calls_model"] else "no model"
        lines += [f"{step['name']}  ·  {kind}  ·  {step['task']}"]
        lines += [f"    reads   {' · '.join(step['inputs']) or '-'}"]
        lines += [f"    writes  {' · '.join(step['outputs']) or '-'}"]
        for surface in step["surfaces"]:
            lines += _surface(surface, texts=texts)
        lines += [f"    sent, but of no surface: {one}" for one in step["unmatched"]]
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
