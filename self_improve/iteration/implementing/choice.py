"""Chooses the agent that writes code: the one that was named, or the first reviewing agent."""

from __future__ import annotations

from analysis import choice
from analysis.errors import AnalysisError
from model_gateway.counsel import Counsel
from model_gateway.counts import counted
from model_gateway.ledger import Ledger
from self_improve.iteration.implementing.implementer import Implementer
from self_improve.iteration.implementing.model_implementer import REPLY_TOKENS, ModelImplementer
from self_improve.iteration.implementing.program_implementer import WRITERS, ProgramImplementer
from self_improve.iteration.request import IterationRequest

SIMULATED = "sim-coder"


def name_of(request: IterationRequest) -> str:
    """Return the name of the implementer of an iteration.

    Raises:
        AnalysisError: none was named, and no program that can write is installed.
    """
    if request.implementer is not None:
        return request.implementer
    if request.simulated and request.agents is None:
        return SIMULATED
    return choice.names(request.agents, simulated=request.simulated)[0]


def summary(request: IterationRequest, count: int) -> str:
    """Return who would write code for `count` directions, and the maximum cost.

    Raises:
        AnalysisError: none was named, and no program that can write is installed.
    """
    name = name_of(request)
    program = WRITERS.get(name)
    each = f"2 calls with up to {REPLY_TOKENS} tokens of reply"
    if program is not None:
        most = program.maximum
        each = (
            f"at most {counted(most.calls, 'call')}, {most.tokens} tokens and ${most.dollars:.2f}"
        )
    return f"directions that need code: {count}, written by {name}, {each} for each"


def require_one(request: IterationRequest) -> None:
    """Check that an implementer is available, before anything is spent.

    Raises:
        ConfigError: the name is neither a program nor a model.
        AnalysisError: the program is not installed, or none was named and none is installed.
    """
    name = name_of(request)
    program = WRITERS.get(name)
    if program is None:
        request.run.catalogue.find(name)
    elif not program.is_installed:
        raise AnalysisError(
            f"The program {name} is not installed. Install it, name another --implementer, or use "
            "--skip-implement."
        )


def chosen(request: IterationRequest, *, counsel: Counsel, ledger: Ledger) -> Implementer:
    """Return the implementer of an iteration.

    Raises:
        ConfigError, AnalysisError: there is none.
    """
    require_one(request)
    name = name_of(request)
    program = WRITERS.get(name)
    if program is None:
        return ModelImplementer(request.run.catalogue.find(name), counsel)
    redact = request.run.catalogue.redactor("GITHUB_TOKEN", *program.key_variables)
    return ProgramImplementer(program, ledger, counsel.programs, redact=redact)
