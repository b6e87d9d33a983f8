"""The code with the best prompt of every step in it: a commit on a branch of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from prompt_lab.layout import Layout
from prompt_lab.scores import Best, Scores
from self_improve.code import git, patch
from self_improve.code.git import GitError
from self_improve.code.worktree import Worktree, Worktrees
from self_improve.errors import UsageError

PUT_IN, IN_BASE = "put in", "in the base already"


@dataclass(frozen=True, kw_only=True)
class HeldCode:
    """A step's best candidate in the code; `how` says whether it was put in or was there."""

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
    """The code of a side: the commit that names it, and the tree in which it is checked out.

    `left_out` are steps whose best candidate is not in it, each with the reason. `id` is the same
    for the same texts on the same base.
    """

    id: str
    commit: str
    branch: str
    path: Path
    holds: tuple[HeldCode, ...] = ()
    left_out: Mapping[str, str] | None = None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values, without the path, which is the machine's own affair."""
        row = asdict(self)
        del row["path"], row["id"]
        return {**row, "left_out": dict(self.left_out or {})}


def as_it_is(worktrees: Worktrees, commit: str, holds: Sequence[HeldCode] = ()) -> Code:
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

    What only simulated models have spoken for stays out unless a simulated model makes the plans.
    A candidate whose text cannot be put in, or that others changed since, stays out and is named.

    Raises:
        UsageError, GitError: the base cannot be checked out, or git refuses.
        LabError: a record of a best candidate cannot be read.
    """
    start = worktrees.open(f"baseline-{base[:12]}", base)
    left_out: dict[str, str] = {}
    files: dict[str, tuple[str, ...]] = {}
    chosen: list[Best] = []
    for best in sorted(Scores(layout).bests(), key=_age, reverse=True):
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
    holds = tuple(_held(b, PUT_IN if b.step in new else IN_BASE) for b in reversed(chosen))
    made = replace(as_it_is(worktrees, base, holds), left_out=left_out)
    if not new:
        return made
    put_in = [held for held in holds if held.how == PUT_IN]
    name = f"full-plan-{digest_of(base, [[h.step, h.commit] for h in put_in], texts)[:12]}"
    tree = worktrees.open(name, base)
    if tree.commit == base:
        told = "\n".join(f"- {h.step}: {h.candidate} ({h.iteration})" for h in put_in)
        for best in chosen:
            worktrees.take(tree, best.commit, files.get(best.step, ()))
        changes = patch.patched(tree.code, texts)
        paths = worktrees.write(tree, {n: c.after for n, c in changes.items()})
        tree = worktrees.commit(
            tree, [*paths, *(path for own in files.values() for path in own)],
            message=f"The best prompts of {len(put_in)} steps\n\n{told}",
        )  # fmt: skip
    return replace(made, id=name, commit=tree.commit, branch=tree.branch, path=tree.code)


def _age(best: Best) -> int:
    """Return the number of the iteration that a candidate was judged in."""
    number = best.iteration.partition("_")[0]
    return int(number) if number.isdecimal() else -1


def _require(best: Best, newer: Sequence[Best], *, simulated: bool) -> None:
    if best.simulated and not simulated:
        raise UsageError("only simulated models have spoken for it")
    for other in newer:
        if clash := [s for s, t in best.texts.items() if other.texts.get(s, t) != t]:
            raise UsageError(f"{other.step} has a newer text of {', '.join(clash)}")


def _files(start: Worktree, commit: str, taken: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the files of a candidate as code that the base has not, relative to the top.

    Raises:
        UsageError: one of them was changed in the base since, or by another best candidate.
        GitError: the commit is not there.
    """
    common = git.run(start.path, "merge-base", start.commit, commit)
    told = git.run(start.path, "diff", "--name-only", "--no-renames", "-z", common, commit)
    found = []
    for name in filter(None, told.split("\0")):
        then, now, wanted = (_blob(start.path, at, name) for at in (common, start.commit, commit))
        if now == wanted:
            continue
        if now != then or wanted is None or any(name in own for own in taken.values()):
            raise UsageError(f"{name} was changed by others since {commit[:12]} was measured")
        found.append(name)
    return tuple(found)


def _blob(folder: Path, commit: str, name: str) -> str | None:
    row = git.run(folder, "ls-tree", "--full-tree", commit, "--", name)
    return row.split("\t")[0] or None


def _held(best: Best, how: str) -> HeldCode:
    return HeldCode(
        step=best.step, candidate=best.candidate, commit=best.commit,
        pull_request=best.pull_request, iteration=best.iteration, simulated=best.simulated,
        surfaces=tuple(best.texts), how=how,
    )  # fmt: skip
