"""The choice of the two agents: those that were named, or those installed here."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.agent import Agent
from analysis.errors import AnalysisError
from analysis.model_agent import ModelAgent
from analysis.program import PROGRAMS, installed
from analysis.program_agent import ProgramAgent
from model_gateway import arguments
from model_gateway.config import Catalogue
from model_gateway.counsel import Counsel
from model_gateway.invocation import typed
from model_gateway.ledger import Ledger, refuse_unpriced

SIMULATED = ("sim-analyst", "sim-critic")


def names(listed: str | None, *, simulated: bool) -> tuple[str, ...]:
    """Return the names of the agents of an iteration.

    `listed` is a list with commas. Where only simulated models are measured, the default is
    simulated agents: a real one would be paid to read invented text.

    Raises:
        AnalysisError: none were named, and fewer than two programs are installed.
    """
    if listed:
        return tuple(arguments.names(listed))
    if simulated:
        return SIMULATED
    programs = tuple(program.name for program in installed())
    if len(programs) < 2:
        raise AnalysisError(
            f"Two agents are needed. Name them with --agents: {', '.join(PROGRAMS)} where they are "
            f"installed, or models as `{typed('models list')}` shows them; or say --skip-analysis."
        )
    return programs


def agents(
    chosen: Sequence[str], *, catalogue: Catalogue, counsel: Counsel, ledger: Ledger
) -> list[Agent]:
    """Return the agents of these names.

    Raises:
        ConfigError: a name is neither a program nor a model, or a cap in dollars was set and a
            model has no price.
        AnalysisError: a program is not installed.
    """
    agents: list[Agent] = []
    for index, name in enumerate(chosen):
        program = PROGRAMS.get(name)
        if program is None:
            model = catalogue.find(name)
            refuse_unpriced(ledger.caps, [model])
            agents.append(ModelAgent(model, counsel, index=index))
            continue
        if not program.is_installed:
            raise AnalysisError(f"The program {name} is not installed; name other --agents.")
        redact = catalogue.redactor("GITHUB_TOKEN", *program.key_variables)
        agents.append(ProgramAgent(program, ledger, counsel.programs, redact=redact))
    return agents
