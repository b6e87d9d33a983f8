"""The facts of a pull request whose runs are there already: checked, measured, put in place."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import prepare_iteration
from analysis.prepare_iteration import Facts
from analysis.record import META, Record
from model_gateway import arguments
from model_gateway.attempt import digest_of
from model_gateway.exits import OK, exit_code
from prompt_lab import arguments as lab_arguments
from prompt_lab import layout, run_names
from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from self_improve import arguments as step_arguments
from self_improve.code import git
from self_improve.errors import UsageError
from self_improve.forge.forge import Forge, PullRequest
from self_improve.host import contract
from self_improve.iteration import judgement
from self_improve.iteration.branches import Branched, Branching
from self_improve.iteration.drafts import Draft
from self_improve.iteration.opinions import facts_of
from self_improve.iteration.pages import measures
from self_improve.iteration.start import forge_named

PROG = "python -m analysis.prepare_iteration"

EXAMPLES = f"""\
examples:
  # the runs of both sides are found by the commits that they were made from
  {PROG} --step plan_type --pr 12 --forge github --github-repo OWNER/NAME

  # named runs: paths, or numbers as `plumbline compare` takes them
  {PROG} --step plan_type --pr 3 --before 131 132 --after 138 139

It asks no model and judges nothing: python -m analysis.run_insight goes on from there. The same
command finds what it has written.

exit codes: 0 the facts are written · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of phase 0."""
    parser = arguments.new_parser(
        prog, "Write down the facts of a pull request's runs, for agents to look at.", EXAMPLES
    )
    step_arguments.step(parser)
    parser.add_argument(
        "--pr", type=int, required=True, metavar="N", help="the pull request, which must be open"
    )
    for side, commit in (("before", "the base"), ("after", "the pull request")):
        parser.add_argument(
            f"--{side}", nargs="+", default=[], metavar="RUN",
            help=f"the runs on that side (default: the finished ones of {commit}'s commit)",
        )  # fmt: skip
    step_arguments.expectations(parser)
    parser.add_argument(
        "--iteration", type=arguments.whole, metavar="N",
        help="the number in analysis/ (default: the next one)",
    )  # fmt: skip
    arguments.seed(parser, "the statistics")
    lab_arguments.lab(parser)
    step_arguments.repository(parser)
    step_arguments.forge(parser)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Write the facts and return the exit code."""
    options = parser().parse_args(words)

    def prepare() -> int:
        print(f"Written to {prepared(options).path}")
        return OK

    return exit_code(prepare)


_COMMITS = ("before", "after")


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """The pull request, its commit, where it left its base, and the runs of both."""

    pull: PullRequest
    draft: Draft
    side: Branched
    base: str
    before: tuple[Run, ...]
    after: tuple[Run, ...]


def prepared(options: argparse.Namespace) -> Record:
    """Write the facts into `analysis/<n>_<step>/`, or return where they were written before.

    Raises:
        UsageError: the pull request is not open, is a fork's or changes nothing; or a run is not
            of its code, is not finished, or is missing.
        ForgeError: the forge cannot be reached, or does not have it.
        RubricError, LabError: rubric or data repo cannot be read.
        AnalysisError: other facts lie under that number.
    """
    lab = layout.find(options.prompt_lab_dir)
    rubric = judgement.rubric_of(options.step)
    code = (options.repo or contract.own_code()).expanduser().resolve()
    repository = options.github_repo or os.environ.get("GITHUB_REPOSITORY")
    forge = forge_named(options.forge, lab, repository)
    branching = Branching(lab, code, forge)
    sides = _sides(options, lab, code, forge, branching)
    found = judgement.decide_runs(
        sides.before, sides.after, rubric, lab, expectations=options.expect, seed=options.seed
    )
    facts = facts_of(
        sides.draft, sides.side, judgement.row_of(found, rubric), rubric, before=sides.before,
        after=sides.after, code=branching.tree(sides.side, sides.base).code,
        measures=measures(found, sides.draft, sides.side),
    )  # fmt: skip
    commits = dict(zip(_COMMITS, (sides.base, sides.side.commit), strict=True))
    told = replace(facts, title=sides.pull.title, description=sides.pull.body, commits=commits)
    return _placed(lab, told, options.iteration)


def _sides(
    options: argparse.Namespace, lab: Layout, code: Path, forge: Forge, branching: Branching
) -> _Sides:
    pull = forge.pull(options.pr)
    draft = Draft(
        id=f"{options.step}-pr-{pull.number}", step=options.step, origin="human",
        pull_request=pull.number, change=pull.title, rationale=pull.body,
        expectations=tuple(options.expect),
    )  # fmt: skip
    tip = branching.base(pull.base)
    head = branching.of_pull(draft, tip).commit
    # What the pull request changes is what it adds to where it began, wherever its base is now.
    base = git.run(code, "merge-base", tip, head)
    side = branching.of_pull(draft, base)
    lab.history.mkdir(parents=True, exist_ok=True)
    return _Sides(
        pull=pull, draft=draft, side=side, base=base,
        before=_runs(lab, options.step, options.before, (base, tip), "before", code),
        after=_runs(lab, options.step, options.after, (head,), "after", code),
    )  # fmt: skip


def _runs(
    lab: Layout, step: str, named: Sequence[str], commits: Sequence[str], side: str, code: Path
) -> tuple[Run, ...]:
    """Return the runs of one side, which are evidence of one of the commits.

    Raises:
        UsageError: there is none, or one of those named is of another step or code.
    """
    problems = []
    if not named:
        found = [run for run in map(Run, layout.runs(lab)) if _fault(run, step, commits) is None]
        found = [run for run in found if run.meta.get("split") != "verify"]
    else:
        found = [Run(run_names.find(name, lab)) for name in named]
        for run in found:
            fault = _fault(run, step, commits)
            outside = not run.path.resolve().is_relative_to(lab.root.resolve())
            if outside:
                fault = f"does not lie in {lab.root.name}"
            if fault is not None:
                problems.append(f"--{side}: run {run.path.name} {fault}.")
    if problems:
        raise UsageError("\n".join(problems))
    if not found:
        raise UsageError(
            f"{lab.root.name} has no finished run of {step} from the commit {commits[0][:12]}, so "
            f"nothing is known of the side {side!r}. Make some from a worktree of it: git -C "
            f"{code.name} worktree add ../side {commits[0][:12]}, then plumbline run --step "
            f"{step} --code ../side --model MODEL; or have all done by plumbline iterate --pr."
        )
    return tuple(found)


def _fault(run: Run, step: str, commits: Sequence[str]) -> str | None:
    """Say why a run is no evidence of a commit, or return None."""
    code = run.meta.get("code")
    commit = code.get("commit") if isinstance(code, dict) else None
    if run.step != step:
        return f"is one of {run.step}, not of {step}"
    if not run.finished:
        return "is not finished"
    if commit not in commits:
        told = str(commit)[:12] if commit else "no commit that it names"
        return f"was made from {told}, not from {commits[0][:12]}"
    return "was made from a tree with uncommitted changes" if code and code.get("dirty") else None


def _placed(lab: Layout, facts: Facts, number: int | None) -> Record:
    """Write the facts aside and move them into place in one go, unless they are there."""
    name = digest_of(json.dumps([facts.step, facts.pull_request, dict(facts.commits)]), number)
    fresh = lab.scratch / f"prepare-{name[:12]}"
    with claim(lab, "iterations", wait_seconds=30.0):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        record = prepare_iteration.prepare(lab, fresh, facts)
        for path in _of_step(lab, facts.step):
            if number in {None, int(path.name.partition("_")[0])} and _same(path, fresh):
                shutil.rmtree(fresh)
                return Record(lab, path)
        if number is None:
            number = max(_numbers(lab), default=-1) + 1
        target = lab.iteration(number, facts.step)
        if number in set(_numbers(lab)):
            shutil.rmtree(fresh)
            raise LabError(
                f"There is an iteration {number} already, with other facts. A record is never "
                "overwritten: leave --iteration out, or name another number."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        record.path.rename(target)
    return Record(lab, target)


def _same(one: Path, other: Path) -> bool:
    try:
        return (one / META).read_bytes() == (other / META).read_bytes()
    except OSError:
        return False


def _of_step(lab: Layout, step: str) -> list[Path]:
    return [p for p in lab.analysis.glob(f"*_{step}") if p.name.partition("_")[0].isdigit()]


def _numbers(lab: Layout) -> Iterator[int]:
    for path in lab.analysis.iterdir() if lab.analysis.is_dir() else ():
        head = path.name.partition("_")[0]
        if head.isdigit():
            yield int(head)
