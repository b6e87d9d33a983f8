"""The output of `steps`: the declared steps, joined with what their cells were seen to send."""

from __future__ import annotations

import argparse
import importlib.resources
import os
import tempfile
import textwrap
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_gateway import entry_files, temporary
from model_gateway.attempt import Attempt, Message
from model_gateway.foreign_files import resolved
from model_gateway.keys import without_keys
from prompt_lab import layout, record
from self_improve.cells.fork_server import ForkServer
from self_improve.code import code_tree
from self_improve.errors import UsageError
from self_improve.host import plans
from self_improve.host.candidate import Candidate
from self_improve.host.contract import Host, host_digest, load, locate, own_code
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.plans import BaselinePlan
from self_improve.host.surfaces import CONSTANT, Surface, from_row, messages_with
from self_improve.runs import evidence
from self_improve.runs.estimate import PROBE_MODEL, probe
from self_improve.runs.specification import RunSpecification, choose_step
from self_improve.sandbox import choice

_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What cells of a step sent: ids of surfaces, and texts that belong to no surface."""

    sent: frozenset[str] = frozenset()
    unmatched: tuple[str, ...] = ()
    trouble: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The steps as plain JSON values, upstream ones first."""

    steps: Sequence[Mapping[str, Any]]

    def to_row(self) -> dict[str, Any]:
        """Return the listing as plain JSON values."""
        return {"steps": list(self.steps)}


async def list_steps(options: argparse.Namespace) -> Listing:
    """Load the pipeline and list its steps.

    Raises:
        UsageError: the step, the plan or the pipeline cannot be used.
    """
    beside = resolved(options.host).parent if options.host else own_code()
    code = resolved(options.code or beside)
    file = locate(options.host, code)
    host = load(file)
    catalogue = entry_files.load()
    environment = without_keys(os.environ, also=catalogue.key_variables)
    with tempfile.TemporaryFile() as errors:
        server = await ForkServer.start(
            code=code, host_file=file, speed=host.speeds[0],
            environment=environment, errors=errors,
            confined=choice.confines(
                choice.wished(options.sandbox), code=code,
                own_tree=own_code() if options.code else code,
            ),
        )  # fmt: skip
        try:
            pipeline = server.pipeline
            names = [choose_step(options.step, list(pipeline.steps))] if options.step else None
            steps = [s for s in pipeline.steps.values() if names is None or s.name in names]
            if options.confirm:
                observed = await _probed(options, server, host, code, file, steps)
            else:
                observed = _recorded(options, pipeline)
        finally:
            await server.close()
    return Listing(steps=_rows(pipeline, steps, observed))


def _rows(
    pipeline: Pipeline, steps: Iterable[StepFacts], observed: Mapping[str, Observed]
) -> list[dict[str, Any]]:
    users: defaultdict[str, list[str]] = defaultdict(list)
    for step in pipeline.steps.values():
        for surface_id in {*step.surfaces, *observed.get(step.name, Observed()).sent}:
            users[surface_id].append(step.name)
    return [_row(pipeline, step, observed.get(step.name, Observed()), users) for step in steps]


def _row(
    pipeline: Pipeline, step: StepFacts, observed: Observed, users: Mapping[str, list[str]]
) -> dict[str, Any]:
    surfaces = [
        {
            **pipeline.surfaces[surface_id].to_row(),
            "found": surface_id in step.surfaces,
            "confirmed": surface_id in observed.sent,
            "shared_with": [name for name in users[surface_id] if name != step.name],
        }
        for surface_id in sorted({*step.surfaces, *observed.sent})
    ]
    return {
        "name": step.name,
        "task": step.task,
        "given": step.external,
        "calls_model": step.calls_model,
        "upstream": list(step.upstream),
        "inputs": list(step.inputs),
        "outputs": list(step.outputs),
        "surfaces": surfaces,
        "unmatched": list(observed.unmatched),
        "trouble": observed.trouble,
    }


def _recorded(options: argparse.Namespace, pipeline: Pipeline) -> dict[str, Observed]:
    """Find the surfaces that runs of the data repo sent with their present text."""
    if not (options.prompt_lab_dir or os.environ.get(layout.VARIABLE)):
        return {}
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for path in layout.runs(layout.find(options.prompt_lab_dir)):
        run = record.Run(path)
        for row in run.surfaces().get("surfaces", ()):
            present = pipeline.surfaces.get(row["id"])
            if row["sent"] and present is not None and present.digest == row["digest"]:
                sent[run.step].add(row["id"])
    return {step: Observed(sent=frozenset(ids)) for step, ids in sent.items()}


async def _probed(
    options: argparse.Namespace,
    server: ForkServer,
    host: Host,
    code: Path,
    host_file: Path,
    steps: Sequence[StepFacts],
) -> dict[str, Observed]:
    """Run the steps on the simulated model now."""
    tree = code_tree.read(code, host.import_roots)
    model = entry_files.load().find(PROBE_MODEL)
    observed: dict[str, Observed] = {}
    specifications = []
    with ExitStack() as stack:
        plan = _plan(options, stack)
        for step in steps:
            if not step.calls_model:
                continue
            try:
                inputs = plans.inputs_of([plan], step, host)
            except UsageError as error:
                observed[step.name] = Observed(trouble=str(error).splitlines()[1].strip())
                continue
            specifications.append(
                RunSpecification(
                    step=step,
                    pipeline=server.pipeline,
                    host_digest=host_digest(host_file),
                    code=tree,
                    candidate=Candidate(),
                    models=(model,),
                    speed=host.speeds[0],
                    seed=1,
                    repeats=1,
                    inputs=inputs,
                )
            )
        attempts_of = await probe(server, model, specifications, over_http=host.uses_gateway_url)
    for specification in specifications:
        attempts = attempts_of.get((specification.step.name, plan.name), [])
        observed[specification.step.name] = _observed(specification, attempts)
    return observed


def _observed(specification: RunSpecification, attempts: Sequence[Attempt]) -> Observed:
    listed = evidence.surfaces_as_sent(specification, evidence.sent_by(attempts))
    sent = [from_row(row) for row in listed["surfaces"] if row["sent"]]
    return Observed(
        sent=frozenset(surface.id for surface in sent),
        unmatched=(*listed["unmatched"]["descriptions"], *_of_no_surface(attempts, sent)),
        trouble=None if attempts else "nothing was sent",
    )


def _of_no_surface(attempts: Iterable[Attempt], sent: Sequence[Surface]) -> list[str]:
    """Return system messages without any surface, and calls without any."""
    constants = [surface for surface in sent if surface.kind == CONSTANT]
    texts: list[str] = []
    for attempt in attempts:
        if attempt.number > 1:
            continue
        unmatched = [
            m
            for m in attempt.messages
            if not any(messages_with(s, [m["content"]]) for s in constants)
        ]
        texts += [f"system message: {_begin(m)}" for m in unmatched if m["role"] == "system"]
        if unmatched == attempt.messages:
            texts.append(f"a call without any prompt surface: {_begin(unmatched[-1])}")
    return list(dict.fromkeys(texts))


def _begin(message: Message) -> str:
    return textwrap.shorten(message["content"], _SHOWN, placeholder=" …")


def _plan(options: argparse.Namespace, stack: ExitStack) -> BaselinePlan:
    """Return the named plan, or a bundled sample plan that is unzipped while `stack` is open."""
    if options.plan_dir:
        return plans.choose(None, split="train", baseline_dir=None, plan_dirs=[options.plan_dir])[0]
    samples = importlib.resources.files("prompt_lab") / "samples" / "train"
    zips = sorted(p.name for p in samples.iterdir() if p.name.endswith(".zip"))
    folder = stack.enter_context(temporary.opened("sample"))
    target = folder / zips[0].removesuffix(".zip")
    with (samples / zips[0]).open("rb") as file, zipfile.ZipFile(file) as archive:
        archive.extractall(target)
    return BaselinePlan(name=target.name, path=target)
