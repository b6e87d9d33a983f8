"""The commands of an analysis: one for each phase, and one for all in order."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run, say
from prompt_lab.arguments import lab

if TYPE_CHECKING:
    from analysis.record import Record
    from prompt_lab.layout import Layout

FAILED = 1
COUNSEL = "counsel"
EXIT_CODES = """\
exit codes: 0 done · 1 a phase failed · 2 wrong usage or configuration · 130 interrupted
"""


def phase_command(module: str, phases: Sequence[str], description: str) -> Callable[..., int]:
    """Return the main function of `python -m analysis.MODULE`; `phases` are names of prompts."""

    def main(words: Sequence[str] | None = None) -> int:
        """Run the phases and return the exit code."""
        options = parser(f"python -m analysis.{module}", description).parse_args(words)
        return exit_code(lambda: _execute(phases, options))

    return main


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return the parser of a command that runs phases."""
    example = f"example:\n  {prog} --iteration 12 --agents claude,codex\n\n"
    parser = arguments.new_parser(prog, description, example + EXIT_CODES)
    parser.add_argument(
        "--iteration", type=arguments.whole, metavar="N",
        help="the number of the iteration in analysis/ (default: the latest)",
    )  # fmt: skip
    lab(parser)
    arguments.agents(parser)
    arguments.caps(parser)
    return parser


def _execute(phases: Sequence[str], options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from analysis.errors import AnalysisError
    from prompt_lab.layout import find

    try:
        record = record_of(find(options.prompt_lab_dir), options.iteration)
        run(_run(record, phases, options))
    except AnalysisError as error:
        say(f"error: {error}")
        return FAILED
    print(f"Written to {record.path}")
    return OK


def record_of(layout: Layout, number: int | None) -> Record:
    """Return the analysis with this number, or the latest that has begun.

    Raises:
        LabError: there is none.
        AnalysisError: the analysis of this iteration has not begun.
    """
    from analysis.errors import AnalysisError
    from analysis.record import META, Record
    from prompt_lab.errors import LabError
    from prompt_lab.layout import iterations

    folders = {n: path for n, path in iterations(layout) if path.is_dir()}
    begun = [n for n, path in folders.items() if (path / META).is_file()]
    if number is None:
        number = max(begun, default=None)
    if number not in folders:
        which = "an iteration" if number is None else f"the iteration {number}"
        raise LabError(
            f"{layout.root} has no analysis of {which}. Start one: python -m "
            "analysis.prepare_iteration, or run a whole iteration."
        )
    if number not in begun:
        others = ", ".join(map(str, begun[-5:]))
        raise AnalysisError(
            f"The analysis of {folders[number].name} has not begun: it has no {META}. "
            + (f"Name another --iteration: {others}." if others else "No iteration has one yet.")
            + " To begin one: python -m analysis.prepare_iteration"
        )
    return Record(layout, folders[number])


async def _run(record: Record, names: Sequence[str], options: argparse.Namespace) -> None:
    from analysis import choice, phases
    from model_gateway import entry_files
    from model_gateway.counsel import Counsel, spent_in
    from model_gateway.gateway import Gateway
    from model_gateway.ledger import Ledger
    from prompt_lab.claim import claim
    from prompt_lab.record import Evidence

    catalogue = entry_files.load()
    simulated = record.meta.get("evidence") == Evidence.simulated
    chosen = [agent["name"] for agent in record.agents()] if not options.agents else []
    agent_names = chosen or choice.names(options.agents, simulated=simulated)
    folder = record.path / COUNSEL
    # A whole iteration holds this lock, too: otherwise both would ask and pay for the same.
    with claim(record.layout, f"iteration-{record.path.name.partition('_')[0]}"):
        ledger = Ledger(arguments.caps_of(options), spent=spent_in(folder))
        async with (
            Gateway(ledger=ledger, redact=catalogue.redactor()) as gateway,
            Counsel(gateway, folder) as counsel,
        ):
            agents = choice.agents(agent_names, catalogue=catalogue, counsel=counsel, ledger=ledger)
            for name in names:
                await phases.run(record, phases.BY_PROMPT[name], agents)
