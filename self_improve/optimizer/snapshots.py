"""Plans with the outputs of improved steps: inputs for the steps downstream of them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import networkx as nx

from model_gateway.attempt import digest_of
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.invocation import typed
from prompt_lab import atomic
from prompt_lab.layout import SPLITS, Layout
from prompt_lab.record import Run
from self_improve.errors import UsageError
from self_improve.host.contract import Host
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.iteration.checks import overlay
from self_improve.optimizer.rounds import Round
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.relay import Relay

FACTS = "snapshot.json"
_PHASES = {"train": "run", "verify": "verify"}


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a step needs before it can be improved on top of the others.

    `improved` are the improved steps upstream, each with the iteration that kept a candidate;
    `between` are the steps to recompute, because they are downstream of an improved step and
    upstream of this one.
    """

    step: str
    improved: Mapping[str, Round]
    between: tuple[StepFacts, ...]

    @property
    def name(self) -> str:
        """The name of its snapshot: the same improvements give the same snapshot."""
        iterations = {step: one.folder.id for step, one in self.improved.items()}
        return f"{self.step}-{digest_of(iterations)[:10]}"


def need_of(pipeline: Pipeline, step: str, rounds: Sequence[Round]) -> Need | None:
    """Return what a step needs, or None if no step upstream was improved."""
    graph = _graph(pipeline)
    upstream = nx.ancestors(graph, step)
    improved = {one.step: one for one in rounds if one.kept is not None and one.step in upstream}
    if not improved:
        return None
    downstream = set().union(*(nx.descendants(graph, name) for name in improved))
    between = tuple(
        facts
        for name, facts in pipeline.steps.items()
        if name in downstream & upstream and name not in improved and not facts.external
    )
    in_order = {name: improved[name] for name in pipeline.steps if name in improved}
    return Need(step=step, improved=in_order, between=between)


class Snapshots:
    """Creates the snapshots of one loop; each is renamed into place when it is complete."""

    def __init__(self, layout: Layout, loop: str, gateway: Gateway, display: Display) -> None:
        self._layout = layout
        self._loop = loop
        self._gateway = gateway
        self._display = display

    def path(self, need: Need) -> Path:
        """Return the directory of a snapshot."""
        return self._layout.snapshots / self._loop / need.name

    async def make(
        self, need: Need, work: Prepared, request: RunRequest, model: Model
    ) -> tuple[Path, str | None]:
        """Return the snapshot, created if necessary, and which cap was reached on the way, if any.

        The outputs of an improved step are those of the runs that its verdict rests on, of the
        first model whose cell succeeded. The steps between run on `model` with the best code. A
        plan for which one of them fails is left out, and named in `snapshot.json`.

        Raises:
            UsageError: no plan is left.
            CellsOpen: steps failed for reasons outside of the prompts.
            OSError: the data repo cannot be written.
        """
        target = self.path(need)
        if (target / FACTS).is_file():
            return target, None
        scratch = self._layout.scratch / "snapshots" / self._loop / need.name
        fresh = scratch / "whole"
        shutil.rmtree(fresh, ignore_errors=True)
        left_out: dict[str, str] = {}
        sources: dict[str, str] = {}
        for split in SPLITS:
            copies = self._copies(need, split, scratch, work.host, sources)
            relay = Relay(
                self._gateway, work, request, output=self._layout,
                folder=scratch / "relayed" / split, display=self._display,
            )  # fmt: skip
            relayed = await relay.run(model, copies, need.between)
            if relayed.stopped is not None:
                return target, relayed.stopped
            relayed.open_cells.refuse()
            for one in relayed.steps:
                failures = one.failures.items()
                left_out |= {f"{split}/{plan}": f"{one.step}: {why}" for plan, why in failures}
            for plan, path in relayed.plans.items():
                if f"{split}/{plan}" not in left_out:
                    shutil.copytree(path, fresh / split / plan)
        if not (fresh / "train").is_dir():
            reasons = "\n  ".join(f"{plan}: {why}" for plan, why in left_out.items())
            raise UsageError(f"No plan is left to improve {need.step} on:\n  {reasons}")
        facts = {
            "step": need.step,
            "improved": {step: one.folder.id for step, one in need.improved.items()},
            "computed_anew": [facts.name for facts in need.between],
            "model": model.name,
            "outputs_of": sources,
            "left_out": left_out,
        }
        atomic.write_json(fresh / FACTS, facts)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(target)
        return target, None

    def _copies(
        self, need: Need, split: str, scratch: Path, host: Host, sources: dict[str, str]
    ) -> dict[str, Path]:
        """Return copies of the baseline plans with the outputs of improved steps."""
        folder = self._layout.split(split)
        copies = {}
        for plan in sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else ():
            copy = scratch / "laid" / split / plan.name
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(plan, copy, ignore=shutil.ignore_patterns(".*"))
            for step, one in need.improved.items():
                run = next(_succeeded(self._layout, one, split, plan.name), None)
                if run is not None:
                    overlay(copy, run, plan.name, host)
                    sources[f"{split}/{plan.name}/{step}"] = str(
                        run.path.relative_to(self._layout.root)
                    )
            copies[plan.name] = copy
        return copies


def _succeeded(layout: Layout, one: Round, split: str, plan: str) -> Iterator[Run]:
    """Yield the runs of the kept candidate in which the plan's cell succeeded."""
    runs = (one.folder.result(_PHASES[split]) or {}).get("runs", {})
    candidate = one.kept.candidate if one.kept is not None else ""
    for name in runs.get(candidate, []):
        run = Run(layout.root / name)
        row = run.rows().get((plan, 0))
        if row is not None and row.get("error") is None:
            yield run


def _graph(pipeline: Pipeline) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(pipeline.steps)
    graph.add_edges_from((up, f.name) for f in pipeline.steps.values() for up in f.upstream)
    return graph


def known_steps(pipeline: Pipeline, steps: Collection[str]) -> list[str]:
    """Return steps in the order of the pipeline, upstream ones first.

    Raises:
        UsageError: one of them does not exist, or is an input rather than computed.
    """
    unknown = [s for s in steps if s not in pipeline.steps or pipeline.steps[s].external]
    if unknown:
        raise UsageError(
            f"Not a step that can be improved: {', '.join(unknown)}. `{typed('steps')}` lists them."
        )
    return [name for name in pipeline.steps if name in steps]
