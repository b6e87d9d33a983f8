"""What an iteration was asked for, after names were looked up and before anything was spent."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_gateway import arguments, config
from model_gateway.config import Catalogue, Model
from model_gateway.ledger import Caps
from prompt_lab import layout
from prompt_lab.layout import Layout
from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.errors import UsageError
from self_improve.host import contract
from self_improve.runs.preparation import RunRequest

_SEEDS_APART = 1000
_JUDGE, _PROPOSER = "haiku", "haiku"
_SIM_JUDGE, _SIM_PROPOSER = "sim-judge", "sim-proposer"


@dataclass(frozen=True, kw_only=True)
class IterationRequest:
    """An iteration's settings; see the options of the command for what each means.

    `start` is the commit that candidates start from instead of the tip of `base`, and `plans` the
    directory that holds `train/` and `verify/` instead of the baseline: a loop sets both. `loop`
    says which loop the iteration is part of.
    """

    step: str
    models: tuple[Model, ...]
    catalogue: Catalogue
    layout: Layout
    code: Path
    base: str
    judge: Model
    proposer: Model
    speed: str
    host_file: Path | None = None
    prompts: tuple[str, ...] = ()
    branch: str | None = None
    pull_request: int | None = None
    candidates: int = 0
    generator: str = "reflective"
    small: bool = False
    force: bool = False
    from_synthesis: bool = False
    expectations: tuple[str, ...] = ()
    rationale: str = ""
    repeats: int = 1
    seed: int = 1
    forge: str = "local"
    github_repository: str | None = None
    analyse: str = "auto"
    agents: str | None = None
    implementer: str | None = None
    test_command: str | None = None
    skip_implement: bool = False
    skip_runner: bool = False
    skip_downstream: bool = False
    skip_spot_check: bool = False
    early_stop: bool = True
    merge_on_yes: bool = False
    workers: int = 64
    seconds: float = 1800.0
    caps: Caps = field(default_factory=Caps)
    start: str | None = None
    plans: Path | None = None
    loop: Mapping[str, Any] | None = None

    @property
    def simulated(self) -> bool:
        """Whether only simulated models are measured."""
        return all(model.is_simulated for model in self.models)

    def order(self, base_commit: str) -> dict[str, Any]:
        """Return what makes the iteration the one it is: the same order is resumed."""
        of_a_loop: dict[str, Any] = {}
        if self.loop is not None:
            of_a_loop["loop"] = dict(self.loop)
        if self.plans is not None:
            of_a_loop["plans"] = self.plans.relative_to(self.layout.root).as_posix()
        # Named only where they are set, so that older orders are still the same.
        search = {k: True for k in ("small", "force") if self.candidates and getattr(self, k)}
        return {
            **of_a_loop,
            "step": self.step,
            "models": [model.name for model in self.models],
            "base": base_commit,
            "prompts": [_content(argument) for argument in self.prompts],
            "branch": self.branch,
            "pull_request": self.pull_request,
            "candidates": self.candidates,
            "generator": self.generator if self.candidates else None,
            **search,
            "from_synthesis": self.from_synthesis,
            "expectations": list(self.expectations),
            "repeats": self.repeats,
            "speed": self.speed,
            "seed": self.seed,
            "analyse": self.analyse,
            "skip": [
                name
                for name in ("runner", "downstream", "spot_check", "implement")
                if getattr(self, f"skip_{name}")
            ],
        }

    def wanted(
        self,
        code: Path,
        *,
        number: int,
        split: str = "train",
        models: Sequence[Model] | None = None,
        step: str | None = None,
    ) -> RunRequest:
        """Return what the runner is asked for on one side of iteration `number`.

        Its seed is the iteration's own, so that no run of an earlier one is taken for it.
        """
        return RunRequest(
            step=step or self.step,
            models=tuple(models or self.models),
            catalogue=self.catalogue,
            layout=self.layout,
            output=self.layout,
            split=split,
            baseline_dir=self.plans,
            repeats=self.repeats,
            code=code,
            host_file=self.host_file,
            speed=self.speed,
            seed=runner_seed(self.seed, number),
            seconds=self.seconds,
            workers=self.workers,
            caps=self.caps,
        )


def runner_seed(seed: int, number: int) -> int:
    """Return the seed of the runs of iteration `number` whose own seed is `seed`."""
    return seed + _SEEDS_APART * (number + 1)


def request_of(options: argparse.Namespace) -> IterationRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found.
        UsageError: the sources of candidates contradict each other, or the code has no branch.
    """
    catalogue = config.load()
    models = catalogue.choose(arguments.model_names(options))
    simulated = all(model.is_simulated for model in models)
    sources = [
        bool(options.prompt), bool(options.branch), options.pr is not None,
        bool(options.candidates), options.from_synthesis,
    ]  # fmt: skip
    if sum(sources) != 1:
        raise UsageError(
            "Name one source of candidates: --prompt, --branch, --pr, --candidates or "
            "--from-synthesis."
        )
    code = (options.repo or contract.own_code()).expanduser().resolve()
    return IterationRequest(
        step=options.step,
        models=models,
        catalogue=catalogue,
        layout=layout.find(options.prompt_lab_dir),
        code=code,
        base=options.base or branch_of(code),
        judge=catalogue.find(options.judge or (_SIM_JUDGE if simulated else _JUDGE)),
        proposer=catalogue.find(options.proposer or (_SIM_PROPOSER if simulated else _PROPOSER)),
        host_file=options.host,
        prompts=tuple(options.prompt),
        branch=options.branch,
        pull_request=options.pr,
        candidates=options.candidates,
        generator=options.generator,
        small=options.small,
        force=options.force,
        from_synthesis=options.from_synthesis,
        expectations=tuple(options.expect),
        rationale=options.rationale,
        repeats=options.repeats,
        speed=contract.load(contract.locate(options.host, code)).speed(options.speed),
        seed=options.seed,
        forge=options.forge,
        github_repository=options.github_repo or os.environ.get("GITHUB_REPOSITORY"),
        analyse="never" if options.skip_analysis else options.analyse,
        agents=options.agents,
        implementer=options.implementer,
        test_command=options.test_command,
        skip_implement=options.skip_implement,
        skip_runner=options.skip_runner,
        skip_downstream=options.skip_downstream,
        skip_spot_check=options.skip_spot_check,
        early_stop=not options.no_early_stop,
        merge_on_yes=options.merge_on_yes,
        workers=options.workers,
        seconds=options.timeout,
        caps=arguments.caps_of(options),
    )


def branch_of(code: Path) -> str:
    """Return the branch that is checked out where the pipeline's code lies.

    Raises:
        UsageError: there is none.
    """
    try:
        return git.run(code, "symbolic-ref", "--short", "HEAD")
    except GitError as error:
        raise UsageError(
            f"{code} has no branch checked out, so it is not known what candidates start from. "
            "Say --base BRANCH, and --repo DIR if the pipeline's code lies elsewhere."
        ) from error


def _content(argument: str) -> str:
    """Return SURFACE=TEXT for SURFACE=FILE: the text is what counts, not where it lay."""
    name, equals, file = argument.partition("=")
    if not equals:
        raise UsageError(f"--prompt {argument}: say SURFACE=FILE")
    try:
        return f"{name}={Path(file).expanduser().read_text(encoding='utf-8-sig')}"
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompt {argument}: the file cannot be read: {error}") from error
