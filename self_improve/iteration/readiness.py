"""What an iteration will need beside its models, checked before anything is spent on cells."""

from __future__ import annotations

from collections.abc import Iterator

from analysis import choice as agent_choice
from analysis.errors import AnalysisError
from analysis.program import PROGRAMS
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from self_improve.errors import UsageError
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.request import IterationRequest


def require_ready(request: IterationRequest, folder: IterationFolder | None = None) -> None:
    """Check agents and keys; of an iteration that was begun, only what is left to do needs them.

    Raises:
        UsageError: something is missing; all of it is named.
    """
    problems = list(dict.fromkeys(_problems(request, folder)))
    if problems:
        raise UsageError(
            "Nothing was started, because it could not end:\n  " + "\n  ".join(problems)
        )


def _problems(request: IterationRequest, folder: IterationFolder | None) -> Iterator[str]:
    def is_left(phase: str) -> bool:
        return folder is None or folder.result(phase) is None

    models: list[Model] = []
    options: dict[str, str] = {}
    if is_left("run") and not request.skip_runner:
        # One of a model and its fallbacks is enough.
        models += [] if request.run.fallbacks else request.run.models
    if is_left("propose") and (request.candidates or request.from_synthesis):
        models.append(request.proposer)
        options.setdefault(request.proposer.name, "the proposer; --proposer")
    if is_left("analyse") and request.analyse != "never":
        problem, agents = _agents(request)
        if problem is not None:
            yield f"{problem} {_WHEN[request.analyse]}".strip()
        models += agents
        options |= {agent.name: "an agent; --agents" for agent in agents}
        if rubric_of(request.step).questions:
            models.append(request.judge)
            options.setdefault(request.judge.name, "the judge; --judge")
    named = {model.name for model in request.run.models}
    for model in models:
        missing = model.missing()
        if missing is not None:
            option = options.get(model.name)
            is_default = option is not None and model.name not in named
            role = f" ({option} names another)" if is_default else ""
            yield f"{model.name}{role}: {missing}"


_WHEN = {
    "auto": "They are asked where the numbers do not decide; with --skip-analysis nobody is.",
    "always": "",
}


def _agents(request: IterationRequest) -> tuple[str | None, list[Model]]:
    """Return what is wrong with the choice of agents, and those that are models."""
    try:
        names = agent_choice.names(request.agents, simulated=request.simulated)
        models = [request.run.catalogue.find(name) for name in names if name not in PROGRAMS]
    except (AnalysisError, ConfigError) as error:
        return str(error), []
    absent = [n for n in names if n in PROGRAMS and not PROGRAMS[n].is_installed]
    if absent:
        return f"The program {absent[0]} is not installed; name other --agents.", models
    if len(set(names)) < 2:
        return (
            f"Two agents are needed, not {', '.join(names)}. Name them with --agents A,B.",
            models,
        )
    return None, models
