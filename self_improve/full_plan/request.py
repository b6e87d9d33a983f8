"""What a comparison of whole plans was asked for, after names were looked up."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway import arguments, config
from model_gateway.attempt import digest_of
from model_gateway.config import Catalogue, Model
from model_gateway.ledger import Caps
from prompt_lab import layout
from prompt_lab.layout import SPLITS, Layout
from self_improve.errors import UsageError
from self_improve.host import contract, plans
from self_improve.runs.preparation import RunRequest

_JUDGE, _SIM_JUDGE = "haiku", "sim-judge"


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The settings of one comparison; see the options of the command for what each means.

    `code` is the code tree in the user's checkout, of which only commits are read. `plans` are the
    baseline plans by name. `loop` names the loop that asks, if one does.
    """

    layout: Layout
    catalogue: Catalogue
    model: Model
    plans: Mapping[str, Path]
    code: Path
    base: str
    speed: str
    judge: Model | None = None
    regenerate_baseline: bool = False
    host_file: Path | None = None
    seed: int = 1
    seconds: float = 1800.0
    workers: int = 64
    caps: Caps = field(default_factory=Caps)
    loop: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether a simulated model makes the plans."""
        return self.model.is_simulated

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that is asked."""
        return (self.model,) if self.judge is None else (self.model, self.judge)

    def order(self, code: str, base: str, host_file: Path) -> dict[str, Any]:
        """Return what makes the comparison the one it is: the same order is resumed.

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
            "speed": self.speed,
            "seed": self.seed,
            "judge": self.judge.name if self.judge is not None else None,
            "regenerate_baseline": self.regenerate_baseline,
            "loop": self.loop,
        }

    def wanted(self, code: Path, output: Layout) -> RunRequest:
        """Return what the runner is asked for in a side's code tree."""
        splits = {self.layout.split(split): split for split in SPLITS}
        found = {splits.get(path.parent, "") for path in self.plans.values()}
        return RunRequest(
            step="",
            models=(self.model,),
            catalogue=self.catalogue,
            layout=self.layout,
            output=output,
            split=" ".join(sorted(found)),
            plan_dirs=tuple(self.plans.values()),
            code=code,
            host_file=self.host_file,
            speed=self.speed,
            seed=self.seed,
            seconds=self.seconds,
            workers=self.workers,
            caps=self.caps,
        )


def request_of(options: argparse.Namespace) -> PlanRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
        UsageError: there is no such plan, or a cap in dollars cannot be kept.
    """
    catalogue = config.load()
    model = catalogue.choose([options.model] if options.model else [])[0]
    lab = layout.find(options.prompt_lab_dir)
    code = (options.repo or contract.own_code()).expanduser().resolve()
    names = [*options.plan, *arguments.names(",".join(options.plans))]
    made = PlanRequest(
        layout=lab,
        catalogue=catalogue,
        model=model,
        plans=plans_named(names, lab, options.split),
        code=code,
        base=options.base or "HEAD",
        judge=judge_named(options.judge, catalogue, simulated=model.is_simulated),
        regenerate_baseline=options.regenerate_baseline,
        host_file=options.host,
        speed=contract.load(contract.locate(options.host, code)).speed(options.speed),
        seed=options.seed,
        seconds=options.timeout,
        workers=options.workers,
        caps=arguments.caps_of(options),
    )
    _require_prices(made)
    return made


def judge_named(name: str | None, catalogue: Catalogue, *, simulated: bool) -> Model | None:
    """Return the judge: None if nobody asked for one, the one that fits if it has no name.

    Raises:
        ConfigError: there is no such model.
    """
    if name is None:
        return None
    return catalogue.find(name or (_SIM_JUDGE if simulated else _JUDGE))


def plans_named(names: Iterable[str], lab: Layout, split: str) -> dict[str, Path]:
    """Return baseline plans by name: those named, of either split, or all of `split`.

    Raises:
        UsageError: one of them is not there.
    """
    chosen = dict.fromkeys(names)
    if not chosen:
        every = plans.choose(lab, split=split, baseline_dir=None, plan_dirs=())
        return {plan.name: plan.path for plan in every}
    known = {
        path.name: path
        for one in SPLITS
        if lab.split(one).is_dir()
        for path in sorted(lab.split(one).iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    absent = [name for name in chosen if name not in known]
    if absent:
        raise UsageError(
            f"No such plan: {', '.join(absent)}. There are: {', '.join(known) or 'none yet'}. "
            "`python -m prompt_lab status` tells more."
        )
    return {name: known[name] for name in chosen}


def _require_prices(request: PlanRequest) -> None:
    unpriced = [model.name for model in request.models if model.price is None]
    if request.caps.dollars is not None and unpriced:
        raise UsageError(
            f"--max-cost cannot be kept for {', '.join(unpriced)}: no price is known. Add "
            "[price] to the model's file, or cap calls and tokens instead."
        )
