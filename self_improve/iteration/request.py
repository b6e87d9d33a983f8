"""The request of an iteration: settings with names looked up, before anything is spent."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway import arguments, entry_files
from model_gateway.config import Model
from model_gateway.foreign_files import MOST_SETTINGS, expanded, read_text, resolved
from prompt_lab import layout, leaks
from prompt_lab.layout import Layout
from self_improve.code import git
from self_improve.code.git import GitError
from self_improve.errors import UsageError
from self_improve.generators import catalogue as generators
from self_improve.host import contract
from self_improve.runs.preparation import RunRequest
from self_improve.sandbox import choice

_SEEDS_APART = 1000
_JUDGE, _PROPOSER = "haiku", "haiku"
_SIM_JUDGE, _SIM_PROPOSER = "sim-judge", "sim-proposer"


@dataclass(frozen=True, kw_only=True)
class IterationRequest:
    """An iteration's settings; see the options of the command for what each means.

    `run` is the request of its runs: step, models, plans, limits. `code` is the code tree in the
    user's checkout, of which only commits are read. `start` is the commit that candidates start
    from instead of the tip of `base`. `loop` says which loop the iteration is part of; a loop also
    sets `start` and the plans of `run`.
    """

    run: RunRequest
    code: Path
    base: str
    judge: Model
    proposer: Model
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
    start: str | None = None
    loop: Mapping[str, Any] | None = None

    @property
    def step(self) -> str:
        """The step whose prompts are improved."""
        return self.run.step

    @property
    def layout(self) -> Layout:
        """The data repo."""
        return self.run.output

    @property
    def simulated(self) -> bool:
        """Whether only simulated models are measured."""
        return all(model.is_simulated for model in self.run.models)

    def identity(self, base_commit: str) -> dict[str, Any]:
        """Return what identifies the iteration: the same identity is resumed."""
        run = self.run
        optional: dict[str, Any] = {}  # Left out unless set, so that older identities still match.
        if self.loop is not None:
            optional["loop"] = dict(self.loop)
        if run.baseline_dir is not None:
            optional["plans"] = run.baseline_dir.relative_to(self.layout.root).as_posix()
        if self.candidates:
            optional |= {name: True for name in ("small", "force") if getattr(self, name)}
        skips = ("runner", "downstream", "spot_check", "implement")
        return {
            **optional,
            "step": run.step,
            "models": [model.name for model in run.models],
            "base": base_commit,
            "prompts": [_content(argument) for argument in self.prompts],
            "branch": self.branch,
            "pull_request": self.pull_request,
            "candidates": self.candidates,
            "generator": self.generator if self.candidates else None,
            "from_synthesis": self.from_synthesis,
            "expectations": list(self.expectations),
            "repeats": run.repeats,
            "speed": run.speed,
            "seed": run.seed,
            "analyse": self.analyse,
            "skip": [name for name in skips if getattr(self, f"skip_{name}")],
        }

    def run_request(self, code: Path, *, number: int, split: str = "train") -> RunRequest:
        """Return the request for runs of iteration `number` in a code tree.

        Its seed is the iteration's own, so that no run of an earlier one is taken for it.
        """
        seed = runner_seed(self.run.seed, number)
        return replace(self.run, code=code, split=split, seed=seed)


def runner_seed(seed: int, number: int) -> int:
    """Return the seed of the runs of iteration `number` whose own seed is `seed`."""
    return seed + _SEEDS_APART * (number + 1)


def request_of(options: argparse.Namespace) -> IterationRequest:
    """Return what the command line asks for.

    Raises:
        ConfigError, LabError: a model or the data repo cannot be found, or an option holds a key.
        UsageError: the sources of candidates contradict each other, the generator is unknown or
            needs a package that is not installed, or the code has no branch.
    """
    catalogue = entry_files.load()
    texts = {"prompt_text": list(map(_content, options.prompt))}
    leaks.require_none_in_options(catalogue.redactor("GITHUB_TOKEN"), {**vars(options), **texts})
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
    if options.candidates:
        # Now, before a run of the baseline is paid for and an iteration gets a number.
        generators.make(options.generator)
    code = resolved(options.repo or contract.own_code())
    lab = layout.find(options.prompt_lab_dir)
    speed = contract.load(contract.locate(options.host, code)).speed(options.speed)
    return IterationRequest(
        run=RunRequest(
            step=options.step, models=models, catalogue=catalogue, layout=lab, output=lab,
            repeats=options.repeats, host_file=options.host, speed=speed,
            seed=options.seed, seconds=options.timeout, workers=options.workers,
            caps=arguments.caps_of(options), sandbox=choice.wished(options.sandbox),
            accept_failures=options.accept_failures,
        ),
        code=code,
        base=options.base or branch_of(code),
        judge=catalogue.find(options.judge or (_SIM_JUDGE if simulated else _JUDGE)),
        proposer=catalogue.find(options.proposer or (_SIM_PROPOSER if simulated else _PROPOSER)),
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
    )  # fmt: skip


def branch_of(code: Path) -> str:
    """Return the branch that is checked out of the pipeline's repository.

    Raises:
        UsageError: there is none.
    """
    try:
        return git.run(code, "symbolic-ref", "--short", "HEAD")
    except GitError as error:
        what = (
            "has no branch checked out" if (code / ".git").exists() else "is not a git repository"
        )
        raise UsageError(
            f"{code} {what}, so it is not known what candidates start from. "
            "Say --base BRANCH, and --repo DIR if the pipeline's code is elsewhere."
        ) from error


def _content(argument: str) -> str:
    """Return SURFACE=TEXT for SURFACE=FILE: the text counts, not the name of its file."""
    name, equals, file = argument.partition("=")
    if not equals:
        raise UsageError(f"--prompt {argument}: say SURFACE=FILE")
    try:
        return f"{name}={read_text(expanded(file), most=MOST_SETTINGS)}"
    except OSError as error:
        raise UsageError(f"--prompt {argument}: the file cannot be read: {error}") from error
