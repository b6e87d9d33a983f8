"""The request of a comparison of whole plans: settings with names looked up."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway import arguments, entry_files
from model_gateway.attempt import digest_of
from model_gateway.config import Catalogue, Model
from model_gateway.foreign_files import resolved
from model_gateway.invocation import typed
from model_gateway.ledger import refuse_unpriced
from prompt_lab import layout
from prompt_lab.layout import SPLITS, Layout
from self_improve.errors import UsageError
from self_improve.host import contract, plans
from self_improve.runs.preparation import RunRequest
from self_improve.sandbox import choice

_JUDGE, _SIM_JUDGE = "haiku", "sim-judge"


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The settings of one comparison; see the options of the command for what each means.

    `run` is the request of its runs: the one model, the baseline plans, limits. `code` is the code
    tree in the user's checkout, of which only commits are read. `loop` names the loop that asks,
    if one does.
    """

    run: RunRequest
    code: Path
    base: str
    judge: Model | None = None
    regenerate_baseline: bool = False
    loop: str | None = None

    @property
    def layout(self) -> Layout:
        """The data repo."""
        return self.run.output

    @property
    def model(self) -> Model:
        """The model that makes the plans."""
        return self.run.models[0]

    @property
    def plans(self) -> dict[str, Path]:
        """The baseline plans by name."""
        return {path.name: path for path in self.run.plan_dirs}

    @property
    def simulated(self) -> bool:
        """Whether a simulated model makes the plans."""
        return self.model.is_simulated

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that is asked."""
        return (self.model,) if self.judge is None else (self.model, self.judge)

    def identity(self, code: str, base: str, host_file: Path) -> dict[str, Any]:
        """Return what identifies the comparison: the same identity is resumed.

        `code` and `base` say which code each side has, `host_file` how it is run.
        """
        return {
            "code": code,
            "base": base,
            "model": self.model.name,
            "model_id": self.model.model_id,
            "manner": digest_of(self.model.arguments, self.model.reply_options),
            "host": contract.host_digest(host_file),
            "plans": sorted(self.plans),
            "speed": self.run.speed,
            "seed": self.run.seed,
            "judge": self.judge.name if self.judge is not None else None,
            "regenerate_baseline": self.regenerate_baseline,
            "loop": self.loop,
        }

    def run_request(self, code: Path, output: Layout) -> RunRequest:
        """Return the request for the runs of a side's code tree."""
        splits = {self.layout.split(split): split for split in SPLITS}
        used = {splits.get(path.parent, "") for path in self.run.plan_dirs}
        return replace(self.run, output=output, split=" ".join(sorted(used)), code=code)


def request_of(options: argparse.Namespace) -> PlanRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
        UsageError: there is no such plan.
        ConfigError: a cap in dollars was set and a model has no price.
    """
    catalogue = entry_files.load()
    model = catalogue.choose([options.model] if options.model else [])[0]
    lab = layout.find(options.prompt_lab_dir)
    code = resolved(options.repo or contract.own_code())
    speed = contract.load(contract.locate(options.host, code)).speed(options.speed)
    names = [*options.plan, *arguments.names(",".join(options.plans))]
    request = PlanRequest(
        run=RunRequest(
            step="", models=(model,), catalogue=catalogue, layout=lab, output=lab,
            plan_dirs=tuple(plans_named(names, lab, options.split)), host_file=options.host,
            speed=speed, seed=options.seed, seconds=options.timeout,
            workers=options.workers,
            caps=arguments.caps_of(options), sandbox=choice.wished(options.sandbox),
            accept_failures=options.accept_failures,
        ),
        code=code,
        base=options.base or "HEAD",
        judge=judge_named(options.judge, catalogue, simulated=model.is_simulated),
        regenerate_baseline=options.regenerate_baseline,
    )  # fmt: skip
    refuse_unpriced(request.run.caps, request.models)
    return request


def judge_named(name: str | None, catalogue: Catalogue, *, simulated: bool) -> Model | None:
    """Return the judge: None if `--judge` was not given, the default one if it has no name.

    Raises:
        ConfigError: there is no such model.
    """
    if name is None:
        return None
    return catalogue.find(name or (_SIM_JUDGE if simulated else _JUDGE))


def plans_named(names: Iterable[str], lab: Layout, split: str) -> list[Path]:
    """Return baseline plans: those named, of either split, or all of `split`.

    Raises:
        UsageError: one of them does not exist.
    """
    chosen = dict.fromkeys(names)
    if not chosen:
        every = plans.choose(lab, split=split, baseline_dir=None, plan_dirs=())
        return [plan.path for plan in every]
    existing = {
        path.name: path
        for one in SPLITS
        if lab.split(one).is_dir()
        for path in sorted(lab.split(one).iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    absent = [name for name in chosen if name not in existing]
    if absent:
        raise UsageError(
            f"No such plan: {', '.join(absent)}. There are: {', '.join(existing) or 'none yet'}. "
            f"`{typed('lab status')}` shows more."
        )
    return [existing[name] for name in chosen]
