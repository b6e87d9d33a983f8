"""The commit with the best prompts, made in a small repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from prompt_lab.scores import Scores
from self_improve.code.worktrees import Worktrees
from self_improve.full_plan.best_code import Code, with_best
from tests.self_improve.full_plan.conftest import best
from tests.self_improve.iteration.conftest import git

ONE, TWO = "host.steps:ONE", "host.steps:TWO"


class Repo:
    """A repository with two prompts and a data repo beside it."""

    def __init__(self, home: Path) -> None:
        self.code, self.layout = home / "code", Layout(home / "lab")
        self.scores = Scores(self.layout)
        (self.code / "host").mkdir(parents=True)
        self.write("host/steps.py", 'ONE = "one"\nTWO = "two"\n')
        self.write("host/other.py", "LIMIT = 3\n")
        git(home, "init", "--quiet", "--initial-branch=main", str(self.code))
        self.base = self.commit()

    def write(self, name: str, text: str) -> None:
        """Write a file of the user's checkout."""
        (self.code / name).write_text(text)

    def commit(self) -> str:
        """Commit the user's checkout."""
        git(self.code, "add", ".")
        git(self.code, "commit", "--quiet", "--message", "More")
        return git(self.code, "rev-parse", "HEAD")

    def with_best(self, *, base: str | None = None, simulated: bool = True) -> Code:
        """Return the code with the best prompts."""
        trees = Worktrees(self.code, self.layout.worktrees)
        return with_best(self.layout, trees, base or self.base, simulated=simulated)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Return the repository."""
    return Repo(tmp_path)


def test_texts_are_put_in_on_a_branch_of_their_own(repo: Repo) -> None:
    """The same records give the same commit; the user's checkout stays as it is."""
    repo.scores.set_best(best("a", texts={ONE: 'better "one"'}))
    repo.scores.set_best(best("b", texts={TWO: "two"}))
    code = repo.with_best()
    assert (code.path / "host/steps.py").read_text() == 'ONE = \'better "one"\'\nTWO = "two"\n'
    assert git(repo.code, "rev-parse", code.branch) == code.commit
    assert {one.step: one.how for one in code.holds} == {
        "a": "put in", "b": "in the base already",
    }  # fmt: skip
    assert repo.with_best() == code
    assert git(repo.code, "status", "--porcelain") == ""
    assert git(repo.code, "rev-parse", "HEAD") == repo.base


def test_without_a_best_prompt_it_is_the_code_as_it_is(repo: Repo) -> None:
    """The base is then what is named."""
    code = repo.with_best()
    assert (code.commit, code.holds, code.left_out) == (repo.base, (), {})


def test_what_only_simulated_models_favoured_is_kept_from_real_ones(repo: Repo) -> None:
    """It stays out and is named, unless a simulated model makes the plans."""
    repo.scores.set_best(best("a", texts={ONE: "better"}, simulated=True))
    code = repo.with_best(simulated=False)
    assert code.commit == repo.base
    assert code.left_out == {"a": "only simulated models have tested it"}


def test_of_two_texts_of_one_surface_the_newer_holds(repo: Repo) -> None:
    """The older candidate stays out as a whole, for a part of it was never measured."""
    repo.scores.set_best(best("a", iteration="9_a", texts={ONE: "older", TWO: "more"}))
    repo.scores.set_best(best("b", iteration="10_b", texts={ONE: "newer"}))
    code = repo.with_best()
    assert (code.path / "host/steps.py").read_text() == 'ONE = "newer"\nTWO = "two"\n'
    assert code.left_out == {"a": f"b has a newer text of {ONE}"}


def test_a_text_whose_place_is_gone_is_left_out(repo: Repo) -> None:
    """The others are put in all the same."""
    repo.scores.set_best(best("a", texts={"host.steps:GONE": "better"}))
    repo.scores.set_best(best("b", texts={TWO: "better"}))
    code = repo.with_best()
    assert [one.step for one in code.holds] == ["b"]
    assert "host.steps:GONE cannot be changed" in (code.left_out or {})["a"]


def test_candidates_as_code_bring_their_files(repo: Repo) -> None:
    """Merged ones are there already; beside texts in other files both are put in."""
    repo.write("host/other.py", "LIMIT = 4\n")
    commit = repo.commit()
    repo.scores.set_best(best("a", texts={}, commit=commit))
    repo.scores.set_best(best("b", texts={ONE: "better"}))
    code = repo.with_best()
    assert (code.path / "host/other.py").read_text() == "LIMIT = 4\n"
    assert (code.path / "host/steps.py").read_text() == 'ONE = "better"\nTWO = "two"\n'
    assert git(repo.code, "diff", "--name-only", repo.base, code.commit) == (
        "host/other.py\nhost/steps.py"
    )
    merged = repo.with_best(base=commit)
    assert {one.step: one.how for one in merged.holds} == {
        "a": "in the base already", "b": "put in",
    }  # fmt: skip


def test_code_that_others_changed_since_is_left_out(repo: Repo) -> None:
    """What would be made of both was never measured."""
    repo.write("host/other.py", "LIMIT = 4\n")
    commit = repo.commit()
    git(repo.code, "checkout", "--quiet", "-b", "other", repo.base)
    repo.write("host/other.py", "LIMIT = 5\n")
    base = repo.commit()
    repo.scores.set_best(best("a", texts={}, commit=commit))
    repo.scores.set_best(best("b", texts={}, commit="f" * 40))
    code = repo.with_best(base=base)
    assert code.commit == base
    left_out = code.left_out or {}
    assert left_out["a"] == f"host/other.py was changed by others since {commit[:12]} was measured"
    assert "b" in left_out
