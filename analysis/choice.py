"""Which two agents look: those that were named, or what is there on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.agent import Agent
from analysis.errors import AnalysisError
from analysis.model_agent import ModelAgent
from analysis.program_agent import PROGRAMS, ProgramAgent, installed
from model_gateway.config import Catalogue
from model_gateway.counsel import Counsel
from model_gateway.ledger import Ledger

SIMULATED = ("sim-analyst", "sim-critic")


def names(given: str | None, *, simulated: bool) -> tuple[str, ...]:
    """Return the names of the agents of an iteration.

    `given` is a list with commas. Where only simulated models are measured, simulated agents look
    by default: a real one would be paid to read what nobody wrote.

    Raises:
        AnalysisError: none were named, and fewer than two programs are installed.
    """
    if given:
        return tuple(name.strip() for name in given.split(",") if name.strip())
    if simulated:
        return SIMULATED
    found = tuple(program.name for program in installed())
    if len(found) < 2:
        raise AnalysisError(
            f"Two agents are needed. Name them with --agents: {', '.join(PROGRAMS)} where they are "
            "installed, or models as `plumbline models list` shows them; or say --skip-analysis."
        )
    return found


def agents(
    chosen: Sequence[str], *, catalogue: Catalogue, counsel: Counsel, ledger: Ledger
) -> list[Agent]:
    """Return the agents of these names.

    Raises:
        ConfigError: a name is neither a program nor a model.
        AnalysisError: a program is not installed.
    """
    made: list[Agent] = []
    for place, name in enumerate(chosen):
        program = PROGRAMS.get(name)
        if program is None:
            made.append(ModelAgent(catalogue.find(name), counsel, place=place))
            continue
        if not program.is_installed:
            raise AnalysisError(f"The program {name} is not installed; name other --agents.")
        made.append(ProgramAgent(program, ledger, counsel.programs))
    return made
