"""Which code this is: commit, branch, cleanliness, and the digest of its sources."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from self_improve.code import code_tree
from self_improve.errors import UsageError


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *words: str) -> str:
    """Run git and return what it says."""
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a directory with a package, outside of git."""
    root = tmp_path / "code"
    for name, text in {
        "host/__init__.py": "",
        "host/prompts.py": 'A = "x"\n',
        "host/steps/find.py": "B = 2\n",
        "host/data.json": "{}",
        "other/__init__.py": "",
        "single.py": "C = 3\n",
        "README.md": "Hello.",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def repo(tree: Path) -> Path:
    """Return the same as a git repository with one commit."""
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "First")
    return tree


def read(root: Path) -> code_tree.CodeTree:
    """Look at the tree."""
    return code_tree.read(root, ["host"])


def test_clean_commit_names_the_code(repo: Path) -> None:
    """The code has its commit and its branch."""
    code = read(repo)
    assert (code.commit, code.branch) == (git(repo, "rev-parse", "HEAD"), "main")
    assert not code.dirty


def test_code_outside_git_is_not_named(tree: Path) -> None:
    """It has a digest all the same."""
    code = read(tree)
    assert (code.commit, code.branch, code.dirty) == (None, None, True)
    assert code.digest


def test_repository_without_a_commit_is_not_named(tree: Path) -> None:
    """There is nothing to name it by."""
    git(tree, "init", "-q")
    assert read(tree).commit is None
    assert read(tree).dirty


@pytest.mark.parametrize("change", ["modified", "staged", "untracked", "deleted"])
def test_changed_files_make_it_dirty(repo: Path, change: str) -> None:
    """Whatever differs from the commit, it no longer names the code."""
    if change == "untracked":
        (repo / "host" / "new.py").write_text("D = 4\n")
    elif change == "deleted":
        (repo / "other" / "__init__.py").unlink()
    else:
        (repo / "host" / "prompts.py").write_text('A = "y"\n')
    if change == "staged":
        git(repo, "add", ".")
    code = read(repo)
    assert code.dirty
    assert code.commit == git(repo, "rev-parse", "HEAD")


def test_only_what_is_named_makes_it_dirty(repo: Path) -> None:
    """A page that was written beside the code leaves its name to it."""
    (repo / "other" / "__init__.py").unlink()
    assert not code_tree.read(repo, ["host"], paths=["host"]).dirty
    (repo / "host" / "new.py").write_text("D = 4\n")
    assert code_tree.read(repo, ["host"], paths=["host"]).dirty


def test_ignored_files_do_not_make_it_dirty(repo: Path) -> None:
    """What git ignores is not part of the code."""
    (repo / ".gitignore").write_text("*.pyc\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "Ignore")
    (repo / "host" / "x.pyc").write_bytes(b"x")
    assert not read(repo).dirty


def test_detached_head_has_no_branch(repo: Path) -> None:
    """The commit names the code all the same."""
    git(repo, "checkout", "-q", "--detach")
    code = read(repo)
    assert code.branch is None
    assert not code.dirty


def test_worktree_has_its_own_branch(repo: Path, tmp_path: Path) -> None:
    """A candidate as code is read from its own tree."""
    git(repo, "worktree", "add", "-q", "-b", "candidate", str(tmp_path / "tree"))
    (tmp_path / "tree" / "host" / "prompts.py").write_text('A = "better"\n')
    git(tmp_path / "tree", "commit", "-q", "-a", "-m", "Better")
    code, base = read(tmp_path / "tree"), read(repo)
    assert (code.branch, base.branch) == ("candidate", "main")
    assert not code.dirty
    assert code.digest != base.digest
    assert code.commit != base.commit


def test_tree_may_lie_inside_a_repository(repo: Path) -> None:
    """The repository above it names it."""
    assert code_tree.read(repo / "host", ["steps"]).commit == git(repo, "rev-parse", "HEAD")


def test_row_does_not_tell_where_it_lies(repo: Path) -> None:
    """A path is the machine's own affair."""
    row = read(repo).to_row()
    assert set(row) == {"commit", "branch", "dirty", "digest"}
    assert str(repo) not in str(row)


def test_digest_is_the_same_wherever_it_lies(tree: Path, tmp_path: Path) -> None:
    """A copy has the digest of the original."""
    subprocess.run(["cp", "-r", str(tree), str(tmp_path / "copy")], check=True)
    roots = ["host", "single"]
    assert code_tree.digest_of(tree, roots) == code_tree.digest_of(tmp_path / "copy", roots)


def test_order_of_the_roots_does_not_matter(tree: Path) -> None:
    """A module may be a root, and so may a package inside a package."""
    one = code_tree.digest_of(tree, ["host", "single", "host.steps"])
    assert one == code_tree.digest_of(tree, ["single", "host.steps", "host"])
    assert one != code_tree.digest_of(tree, ["single", "host"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(["__init__.py", "prompts.py", "steps/find.py"]), st.binary(max_size=20))
def test_digest_changes_with_any_source_byte(tree: Path, name: str, content: bytes) -> None:
    """Other content is another digest, and the old content the old one."""
    path = tree / "host" / name
    before, old = code_tree.digest_of(tree, ["host"]), path.read_bytes()
    path.write_bytes(content)
    assert (code_tree.digest_of(tree, ["host"]) == before) is (content == old)
    path.write_bytes(old)
    assert code_tree.digest_of(tree, ["host"]) == before


def test_digest_changes_with_names(tree: Path) -> None:
    """A renamed, a new and a missing source are other code."""
    code = [code_tree.digest_of(tree, ["host"])]
    (tree / "host" / "prompts.py").rename(tree / "host" / "texts.py")
    code.append(code_tree.digest_of(tree, ["host"]))
    (tree / "host" / "prompts.py").write_text('A = "x"\n')
    code.append(code_tree.digest_of(tree, ["host"]))
    (tree / "host" / "steps" / "find.py").unlink()
    code.append(code_tree.digest_of(tree, ["host"]))
    assert len(set(code)) == 4


def test_digest_counts_what_the_package_reads(tree: Path) -> None:
    """A prompt may stand in a file that is not Python."""
    before = code_tree.digest_of(tree, ["host"])
    (tree / "host" / "data.json").write_text("[]")
    assert code_tree.digest_of(tree, ["host"]) != before


def test_digest_does_not_change_with_other_files(tree: Path) -> None:
    """Other packages, hidden files, and what Python writes beside the sources are not counted."""
    before = code_tree.digest_of(tree, ["host"])
    for name in (
        "other/__init__.py", "README.md", "host/__pycache__/prompts.cpython-311.pyc",
        "host/.find.py.swp", "host/.cache/x.py",
    ):  # fmt: skip
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(b"x = 1")
    assert code_tree.digest_of(tree, ["host"]) == before


@pytest.mark.parametrize("root", ["nowhere", "host.nowhere", "README"])
def test_missing_package_is_reported(tree: Path, root: str) -> None:
    """The message names the package and the tree."""
    with pytest.raises(UsageError, match=f"There is no package {root} in {tree}"):
        code_tree.digest_of(tree, ["host", root])


@pytest.mark.parametrize(
    "name",
    ["my_lab/history/0/00_x/meta.json", "llm_config/mine.toml", "texts.txt", "plans/a/plan.txt",
     "my_lab/run_it.py"],
)  # fmt: skip
def test_untracked_files_that_the_code_does_not_reach_leave_it_clean(repo: Path, name: str) -> None:
    """A data repo, models' entries and texts beside the code are not part of it."""
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text("x = 1\n")
    assert not read(repo).dirty


@pytest.mark.parametrize("line", ["import extra", "from extra import x", "import os, extra.deep"])
def test_an_untracked_module_that_the_code_imports_makes_it_dirty(repo: Path, line: str) -> None:
    """It runs although it is in no import root."""
    (repo / "host" / "steps" / "find.py").write_text(f"{line}\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "Import")
    assert not read(repo).dirty
    (repo / "extra.py").write_text("x = 1\n")
    assert read(repo).dirty


def test_an_untracked_module_that_is_imported_by_way_of_another_makes_it_dirty(repo: Path) -> None:
    """The code imports a module beside it, which imports the new one."""
    (repo / "host" / "steps" / "find.py").write_text("import other\n")
    (repo / "other" / "__init__.py").write_text("from extra import x\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "Import")
    assert not read(repo).dirty
    (repo / "extra.py").write_text("x = 1\n")
    assert read(repo).dirty


@pytest.mark.parametrize(
    "name", ["yaml.py", "yaml/__init__.py", "typing_extensions.py", "queue.py"]
)
@pytest.mark.parametrize("ignored", [False, True])
def test_an_untracked_module_that_hides_a_dependency_makes_it_dirty(
    repo: Path,
    name: str,
    ignored: bool,  # noqa: FBT001 - pytest's
) -> None:
    """It runs in place of the installed one for all that import it; committed, it is code."""
    if ignored:
        (repo / ".git" / "info" / "exclude").write_text("yaml*\ntyping*\nqueue*\n")
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text("x = 1\n")
    assert read(repo).dirty
    git(repo, "add", "-f", name)
    git(repo, "commit", "-q", "-m", "Our own")
    assert not read(repo).dirty


@pytest.mark.parametrize("name", ["yaml/notes.txt", "tests/test_it.py", "test.py", "my_script.py"])
def test_what_hides_no_dependency_leaves_it_clean(repo: Path, name: str) -> None:
    """A folder without an `__init__.py` gives way to the installed package."""
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text("x = 1\n")
    assert not read(repo).dirty


def test_an_ignored_module_in_the_code_makes_it_dirty(repo: Path) -> None:
    """Git ignores it and Python does not."""
    (repo / ".gitignore").write_text("secret*\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "Ignore")
    (repo / "secret.txt").write_text("x")
    assert not read(repo).dirty
    (repo / "host" / "secret.py").write_text("E = 5\n")
    assert read(repo).dirty


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_in_a_file_that_git_overlooks_makes_it_dirty(repo: Path, mark: str) -> None:
    """A file that is only marked leaves it clean."""
    git(repo, "update-index", mark, "host/prompts.py")
    assert not read(repo).dirty
    (repo / "host" / "prompts.py").write_text('A = "y"\n')
    assert read(repo).dirty
