"""The facts of a pull request with finished runs, checked, measured and written for agents."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import prepare_iteration
from analysis.prepare_iteration import Facts
from analysis.record import META, Record
from model_gateway import entry_files
from model_gateway.attempt import digest_of
from model_gateway.foreign_files import resolved
from prompt_lab import layout, run_names
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout, iterations
from prompt_lab.record import Run
from self_improve.code import git
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge, PullRequest
from self_improve.host import contract
from self_improve.iteration import judgement
from self_improve.iteration.branches import Branches, Side
from self_improve.iteration.drafts import Draft
from self_improve.iteration.opinions import facts_of
from self_improve.iteration.pages import measures
from self_improve.iteration.start import forge_named


@dataclass(frozen=True, kw_only=True)
class _PullRequestRuns:
    """The pull request, its side, the commit where it left its base, and the runs of both."""

    pull: PullRequest
    draft: Draft
    side: Side
    base: str
    before: tuple[Run, ...]
    after: tuple[Run, ...]


def write_facts(options: argparse.Namespace) -> Record:
    """Write the facts into `analysis/<n>_<step>/`, or return where they were written before.

    Raises:
        UsageError: the pull request is not open, is from a fork or changes nothing; or a run is of
            other code, is not finished, or is missing.
        ForgeError: the forge cannot be reached, or does not have it.
        RubricError, LabError: rubric or data repo cannot be read.
        AnalysisError: other facts have that number.
    """
    lab = layout.find(options.prompt_lab_dir)
    rubric = judgement.rubric_of(options.step)
    code = resolved(options.repo or contract.own_code())
    repository = options.github_repo or os.environ.get("GITHUB_REPOSITORY")
    redactor = entry_files.load().redactor("GITHUB_TOKEN")
    forge = forge_named(options.forge, lab, repository, redactor=redactor)
    branches = Branches(lab, code, forge, redactor=redactor)
    runs = _runs_of_pull(options, lab, code, forge, branches)
    decided = judgement.decide_runs(
        runs.before, runs.after, rubric, lab, expectations=options.expect, seed=options.seed
    )
    facts = facts_of(
        runs.draft, runs.side, judgement.row_of(decided, rubric), rubric, before=runs.before,
        after=runs.after, code=branches.tree(runs.side, runs.base).code,
        measures=measures(decided, runs.draft, runs.side),
    )  # fmt: skip
    facts = replace(
        facts, title=runs.pull.title, description=runs.pull.body,
        commits={"before": runs.base, "after": runs.side.commit},
    )  # fmt: skip
    return _put_in_place(lab, facts, options.iteration)


def _runs_of_pull(
    options: argparse.Namespace, lab: Layout, code: Path, forge: Forge, branches: Branches
) -> _PullRequestRuns:
    pull = forge.pull(options.pr)
    draft = Draft(
        id=f"{options.step}-pr-{pull.number}", step=options.step, origin="human",
        pull_request=pull.number, change=pull.title, rationale=pull.body,
        expectations=tuple(options.expect),
    )  # fmt: skip
    tip = branches.base(pull.base)
    head = branches.of_pull(draft, tip).commit
    # A pull request changes what it adds to its merge base, wherever its base branch is now.
    base = git.run(code, "merge-base", tip, head)
    side = branches.of_pull(draft, base)
    lab.history.mkdir(parents=True, exist_ok=True)
    return _PullRequestRuns(
        pull=pull, draft=draft, side=side, base=base,
        before=_runs(lab, options.step, options.before, (base, tip), "before", code),
        after=_runs(lab, options.step, options.after, (head,), "after", code),
    )  # fmt: skip


def _runs(
    lab: Layout, step: str, names: Sequence[str], commits: Sequence[str], side: str, code: Path
) -> tuple[Run, ...]:
    """Return the runs of one side: those named, or all train runs that are from its commits.

    Raises:
        UsageError: there is none, or one of those named is of another step or code.
    """
    if not names:
        runs = [run for run in map(Run, layout.runs(lab)) if _fault(run, step, commits) is None]
        runs = [run for run in runs if run.meta.get("split") != "verify"]
    else:
        problems = []
        runs = [Run(run_names.find(name, lab)) for name in names]
        for run in runs:
            fault = _fault(run, step, commits)
            if not run.path.resolve().is_relative_to(lab.root.resolve()):
                fault = f"is not in {lab.root.name}"
            if fault is not None:
                problems.append(f"--{side}: run {run.path.name} {fault}.")
        if problems:
            raise UsageError("\n".join(problems))
    if not runs:
        raise UsageError(
            f"{lab.root.name} has no finished run of {step} from the commit {commits[0][:12]}, "
            f"which is the side {side!r}. Make one from a worktree: git -C {code.name} worktree "
            f"add ../side {commits[0][:12]}, then plumbline run --step {step} --code ../side "
            "--model MODEL. Or let plumbline iterate --pr do it all."
        )
    return tuple(runs)


def _fault(run: Run, step: str, commits: Sequence[str]) -> str | None:
    """Return why a run is not evidence of a commit, or None if it is."""
    code = run.meta.get("code")
    commit = code.get("commit") if isinstance(code, dict) else None
    if run.step != step:
        return f"is one of {run.step}, not of {step}"
    if not run.finished:
        return "is not finished"
    if commit not in commits:
        made_from = str(commit)[:12] if commit else "a commit that it does not name"
        return f"was made from {made_from}, not from {commits[0][:12]}"
    return "was made from a tree with uncommitted changes" if code and code.get("dirty") else None


def _put_in_place(lab: Layout, facts: Facts, number: int | None) -> Record:
    """Write the facts to scratch and rename them into place, unless they are there already.

    Raises:
        LabError: `number` is taken by other facts.
    """
    name = digest_of(json.dumps([facts.step, facts.pull_request, dict(facts.commits)]), number)
    fresh = lab.scratch / f"prepare-{name[:12]}"
    with claim(lab, "iterations", wait_seconds=30.0):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        record = prepare_iteration.prepare(lab, fresh, facts)
        numbered = dict(iterations(lab))
        for taken, path in numbered.items():
            of_step = path.name == f"{taken}_{facts.step}"
            if of_step and number in {None, taken} and _is_same(path, fresh):
                shutil.rmtree(fresh)
                return Record(lab, path)
        if number in numbered:
            shutil.rmtree(fresh)
            raise LabError(
                f"There is an iteration {number} already, with other facts. A record is never "
                "overwritten: leave --iteration out, or name another number."
            )
        if number is None:
            number = max(numbered, default=-1) + 1
        target = lab.iteration(number, facts.step)
        target.parent.mkdir(parents=True, exist_ok=True)
        record.path.rename(target)
    return Record(lab, target)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return (one / META).read_bytes() == (other / META).read_bytes()
    except OSError:
        return False
