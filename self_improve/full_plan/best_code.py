"""The code with the best candidate of every step: a commit on a branch of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.counts import counted
from prompt_lab.layout import Layout, iteration_number
from prompt_lab.scores import Best, Scores
from self_improve.code import git, patch
from self_improve.code.git import GitError
from self_improve.code.worktree import Worktree
from self_improve.code.worktrees import Worktrees
from self_improve.errors import UsageError

PUT_IN, IN_BASE = "put in", "in the base already"


@dataclass(frozen=True, kw_only=True)
class IncludedCandidate:
    """A step's best candidate in the code; `how` says whether it was put in or already there."""

    step: str
    candidate: str
    commit: str
    pull_request: str
    iteration: str
    simulated: bool
    surfaces: tuple[str, ...]
    how: str


@dataclass(frozen=True, kw_only=True)
class Code:
    """The code of a side: its commit, and the tree in which it is checked out.

    `left_out` are steps whose best candidate is not in it, each with the reason. The same texts
    on the same base have the same `id`.
    """

    id: str
    commit: str
    branch: str
    path: Path
    holds: tuple[IncludedCandidate, ...] = ()
    left_out: Mapping[str, str] | None = None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values, without the path of this machine."""
        row = asdict(self)
        del row["path"], row["id"]
        return {**row, "left_out": dict(self.left_out or {})}


def unchanged(worktrees: Worktrees, commit: str, holds: Sequence[IncludedCandidate] = ()) -> Code:
    """Return the code of a commit.

    Raises:
        UsageError, GitError: it cannot be checked out.
    """
    tree = worktrees.open(f"baseline-{commit[:12]}", commit)
    return Code(
        id=commit, commit=tree.commit, branch=tree.branch, path=tree.code, holds=tuple(holds)
    )


def with_best(layout: Layout, worktrees: Worktrees, base: str, *, simulated: bool) -> Code:
    """Return the code of `base` with the best candidate of every step put in.

    Left out are candidates that only simulated models tested, unless a simulated model makes the
    plans, and those that no longer fit the base.

    Raises:
        UsageError, GitError: the base cannot be checked out, or git refuses.
        LabError: the record of a best candidate cannot be read.
    """
    start = worktrees.open(f"baseline-{base[:12]}", base)
    left_out: dict[str, str] = {}
    files: dict[str, tuple[str, ...]] = {}
    chosen: list[Best] = []
    newest_first = sorted(
        Scores(layout).bests(), key=lambda best: iteration_number(best.iteration), reverse=True
    )
    for best in newest_first:
        try:
            _require(best, chosen, simulated=simulated)
            if best.texts:
                patch.patched(start.code, best.texts)
            else:
                files[best.step] = _files(start, best.commit, files)
        except (UsageError, GitError) as error:
            left_out[best.step] = str(error)
        else:
            chosen.append(best)
    texts = {surface: text for best in chosen for surface, text in best.texts.items()}
    new = {
        best.step for best in chosen
        if (patch.patched(start.code, best.texts) if best.texts else files[best.step])
    }  # fmt: skip
    holds = tuple(_included(b, PUT_IN if b.step in new else IN_BASE) for b in reversed(chosen))
    code = replace(unchanged(worktrees, base, holds), left_out=left_out)
    if not new:
        return code
    put_in = [one for one in holds if one.how == PUT_IN]
    name = f"full-plan-{digest_of(base, [[one.step, one.commit] for one in put_in], texts)[:12]}"
    tree = worktrees.open(name, base)
    if tree.commit == base:
        lines = "\n".join(f"- {one.step}: {one.candidate} ({one.iteration})" for one in put_in)
        for best in chosen:
            worktrees.take(tree, best.commit, files.get(best.step, ()))
        changes = patch.patched(tree.code, texts)
        paths = worktrees.write(tree, {n: c.after for n, c in changes.items()})
        tree = worktrees.commit(
            tree, [*paths, *chain.from_iterable(files.values())],
            message=f"The best prompts of {counted(len(put_in), 'step')}\n\n{lines}",
        )  # fmt: skip
    return replace(code, id=name, commit=tree.commit, branch=tree.branch, path=tree.code)


def _require(best: Best, newer: Sequence[Best], *, simulated: bool) -> None:
    if best.simulated and not simulated:
        raise UsageError("only simulated models have tested it")
    for other in newer:
        if clash := [s for s, t in best.texts.items() if other.texts.get(s, t) != t]:
            raise UsageError(f"{other.step} has a newer text of {', '.join(clash)}")


def _files(start: Worktree, commit: str, taken: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the files in which a candidate as code differs from the base, relative to the top.

    Raises:
        UsageError: one of them was changed in the base since, or by another best candidate.
        GitError: the commit does not exist.
    """
    common = git.run(start.path, "merge-base", start.commit, commit)
    names = git.run(start.path, "diff", "--name-only", "--no-renames", "-z", common, commit)
    files = []
    for name in filter(None, names.split("\0")):
        old, base, new = (_blob(start.path, at, name) for at in (common, start.commit, commit))
        if base == new:
            continue
        if base != old or new is None or name in chain.from_iterable(taken.values()):
            raise UsageError(f"{name} was changed by others since {commit[:12]} was measured")
        files.append(name)
    return tuple(files)


def _blob(folder: Path, commit: str, name: str) -> str | None:
    row = git.run(folder, "ls-tree", "--full-tree", commit, "--", name)
    return row.split("\t")[0] or None


def _included(best: Best, how: str) -> IncludedCandidate:
    return IncludedCandidate(
        step=best.step, candidate=best.candidate, commit=best.commit,
        pull_request=best.pull_request, iteration=best.iteration, simulated=best.simulated,
        surfaces=tuple(best.texts), how=how,
    )  # fmt: skip
