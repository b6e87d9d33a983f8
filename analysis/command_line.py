"""The commands of an analysis: one a phase, and one for all in order."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from analysis import choice, phases
from analysis.errors import AnalysisError
from analysis.phases import Phase
from analysis.record import Record
from model_gateway import arguments, config
from model_gateway.counsel import Counsel, spent_in
from model_gateway.errors import GatewayError
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout, find
from prompt_lab.record import Evidence

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
COUNSEL = "counsel"
EXIT_CODES = """\
exit codes: 0 done · 1 a phase failed · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str, told: str) -> argparse.ArgumentParser:
    """Return the parser of a command that runs phases."""
    made = argparse.ArgumentParser(
        prog=prog,
        description=told,
        epilog=f"example:\n  {prog} --iteration 12 --agents claude,codex\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--iteration", type=arguments.whole, metavar="N",
        help="the number of the iteration in analysis/ (default: the latest)",
    )  # fmt: skip
    made.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    made.add_argument(
        "--agents", metavar="A,B",
        help="two agents: claude, codex or names of models (default: what is installed)",
    )  # fmt: skip
    arguments.caps(made)
    return made


def main(given: Sequence[str] | None, wanted: Sequence[Phase], *, prog: str, told: str) -> int:
    """Run phases of one iteration, and return the exit code."""
    options = parser(prog, told).parse_args(given)
    try:
        record = record_of(find(options.prompt_lab_dir), options.iteration)
        asyncio.run(_run(record, wanted, options))
    except AnalysisError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    except (GatewayError, LabError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. The same command goes on where this one stopped.\n")
        return INTERRUPTED
    print(f"Written to {record.path}")
    return OK


def record_of(layout: Layout, number: int | None) -> Record:
    """Return the analysis with this number, or the latest.

    Raises:
        LabError: there is none.
    """
    found = {}
    for path in layout.analysis.iterdir() if layout.analysis.is_dir() else ():
        head = path.name.partition("_")[0]
        if path.is_dir() and head.isdigit():
            found[int(head)] = path
    if not found or (number is not None and number not in found):
        which = "an iteration" if number is None else f"the iteration {number}"
        raise LabError(
            f"{layout.root} has no analysis of {which}. Begin one with: python -m "
            "analysis.prepare_iteration, or run a whole iteration."
        )
    return Record(layout, found[max(found) if number is None else number])


async def _run(record: Record, wanted: Sequence[Phase], options: argparse.Namespace) -> None:
    catalogue = config.load()
    simulated = record.meta.get("evidence") == Evidence.simulated
    chosen = [agent["name"] for agent in record.agents()] if not options.agents else []
    names = chosen or choice.names(options.agents, simulated=simulated)
    caps = Caps(calls=options.max_calls, tokens=options.max_tokens, dollars=options.max_cost)
    folder = record.path / COUNSEL
    # The whole iteration holds this, too: two would ask and pay for the same.
    with claim(record.layout, f"iteration-{record.path.name.partition('_')[0]}"):
        ledger = Ledger(caps, spent=spent_in(folder))
        async with (
            Gateway(ledger=ledger, key_variables=catalogue.key_variables) as gateway,
            Counsel(gateway, folder) as counsel,
        ):
            agents = choice.agents(names, catalogue=catalogue, counsel=counsel, ledger=ledger)
            for phase in wanted:
                await phases.run(record, phase, agents)
