"""The request of a command, and the checks that cost nothing, before anything is spent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model_gateway.cache import Cache
from model_gateway.config import Catalogue, Model
from model_gateway.foreign_files import resolved
from model_gateway.keys import Redactor, without_keys
from model_gateway.ledger import Caps
from prompt_lab.layout import Layout
from self_improve.cells.fork_server import ForkServer
from self_improve.code import code_tree
from self_improve.code.code_tree import CodeTree
from self_improve.errors import UsageError
from self_improve.host import candidate, plans
from self_improve.host.contract import Host, host_digest, load, locate, own_code
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.runs.specification import RunSpecification, choose_step
from self_improve.sandbox import choice
from self_improve.sandbox.choice import Sandboxing

_MOST_CELLS = 100_000


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What the user asked the runner for, before any check.

    With `accept_failures`, cells that failed for reasons outside of the prompt do not stay open.
    An empty `step` means the first one that is computed, for callers that run several. Without
    `speed` it is the host's first.
    """

    step: str
    models: tuple[Model, ...]
    fallbacks: tuple[Model, ...] = ()
    catalogue: Catalogue
    layout: Layout | None
    output: Layout
    split: str = "train"
    baseline_dir: Path | None = None
    plan_dirs: tuple[Path, ...] = ()
    repeats: int = 1
    prompts: tuple[str, ...] = ()
    code: Path | None = None
    host_file: Path | None = None
    speed: str | None = None
    seed: int = 1
    seconds: float = 1800.0
    workers: int = 64
    new: bool = False
    cache: Cache | None = None
    caps: Caps = field(default_factory=Caps)
    accept_failures: bool = False
    sandbox: Sandboxing = Sandboxing.auto

    @property
    def secrets(self) -> tuple[str, ...]:
        """The environment variables whose values no record may hold."""
        return (*self.catalogue.key_variables, "GITHUB_TOKEN")

    @property
    def redactor(self) -> Redactor:
        """What removes and finds the keys that no record may hold."""
        return self.catalogue.redactor("GITHUB_TOKEN")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The work of a request, after all checks that cost nothing.

    `sandbox` is how records name what confines the code, None for the user's own checkout.
    """

    host: Host
    step: StepFacts
    server: ForkServer
    specifications: tuple[RunSpecification, ...]
    optimizer: CodeTree
    sandbox: str | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The steps and surfaces of the code tree."""
        return self.server.pipeline


@asynccontextmanager
async def prepared(request: RunRequest) -> AsyncIterator[Prepared]:
    """Load the pipeline, and check step, surfaces, plans and their artifacts.

    Raises:
        UsageError: something does not fit; nothing was run or spent.
        ImproveError: the pipeline cannot be loaded.
    """
    own_tree = own_code()
    code = resolved(request.code or _code_beside(request.host_file) or own_tree)
    file = locate(request.host_file, code)
    if not code.is_dir():
        raise UsageError(f"There is no code directory {code}. Point --code at an existing one.")
    host = load(file)
    speed = host.speed(request.speed)
    chosen = plans.choose(
        request.layout,
        split=request.split,
        baseline_dir=request.baseline_dir,
        plan_dirs=request.plan_dirs,
    )
    cells = len(request.models) * len(chosen) * request.repeats
    if cells > _MOST_CELLS:
        raise UsageError(
            f"{len(request.models)} models × {len(chosen)} plans × {request.repeats} repeats are "
            f"{cells} cells, and a run may have {_MOST_CELLS}. Lower --repeats."
        )
    users = own_tree if request.code else code
    confined = choice.confines(request.sandbox, code=code, own_tree=users)
    with tempfile.TemporaryFile() as errors:
        server = await ForkServer.start(
            code=code, host_file=file, speed=speed, errors=errors, confined=confined,
            environment=without_keys(os.environ, also=request.catalogue.key_variables),
        )  # fmt: skip
        try:
            pipeline = server.pipeline
            first = [s.name for s in pipeline.steps.values() if s.inputs and not s.external][:1]
            name = request.step or "".join(first)
            step = pipeline.steps[choose_step(name, list(pipeline.steps))]
            if step.external:
                raise UsageError(f"{step.name} is given, not computed: there is nothing to run.")
            inputs = plans.inputs_of(chosen, step, host)
            texts = candidate.from_files(request.prompts, step, pipeline)
            tree = code_tree.read(code, host.import_roots)
            specifications = tuple(
                RunSpecification(
                    step=step, pipeline=pipeline, host_digest=host_digest(file), code=tree,
                    candidate=texts, models=(model, *_others(request.fallbacks, model)),
                    speed=speed,
                    seed=request.seed, repeats=request.repeats, inputs=inputs,
                )
                for model in request.models
            )  # fmt: skip
            yield Prepared(
                host=host, step=step, server=server, specifications=specifications,
                optimizer=tree if code == own_tree else code_tree.read(own_tree, ("self_improve",)),
                sandbox=choice.recorded(server.sandbox, code=code, own_tree=users),
            )  # fmt: skip
        finally:
            await server.close()


def _others(fallbacks: Iterable[Model], model: Model) -> Iterator[Model]:
    """Yield the fallbacks of a model, which is none of its own."""
    return (one for one in fallbacks if one.name != model.name)


def _code_beside(host_file: Path | None) -> Path | None:
    """Return the code tree that a named host file is in: it describes that tree."""
    return resolved(host_file).parent if host_file is not None else None
