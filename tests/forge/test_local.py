"""What the embedded forge alone must stand: kills, two processes, and people who edit its files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from self_improve.forge.forge import (
    ForgeError,
    MissingError,
    PullState,
    Status,
    StatusState,
)
from self_improve.forge.local import LocalForge
from self_improve.forge.pages import Front, Pages
from tests.forge import harness
from tests.forge.harness import LocalHarness, commit, git
from tests.forge.test_forges import BRANCH, opened, pushed


@pytest.fixture
def local(tmp_path: Path, originals: Path) -> LocalHarness:
    """Return the embedded forge with `main` on it."""
    return harness.local(tmp_path, originals)


def page_of(local: LocalHarness) -> Path:
    """Return the file of the first pull request."""
    return local.folder / "pulls/0001.md"


def test_page_is_markdown_with_facts_above(local: LocalHarness) -> None:
    """For people to read, without any path of this machine."""
    head = pushed(local)
    opened(local)
    assert page_of(local).read_text() == (
        "---\nnumber: 1\ntitle: Say it shorter\nstate: open\n"
        f"branch: {BRANCH}\nbase: main\nhead: {head}\nfork: false\n"
        "labels:\n- plumbline\n- 'step: levers'\nmerged_as: null\n---\n\n"
        "Why: it is long.\n\n- a\n- b\n"
    )


def test_comments_and_statuses_are_files_too(local: LocalHarness) -> None:
    """Beside the page."""
    head = pushed(local)
    number = opened(local).number
    local.forge.comment(number, "evaluation", "NO.")
    local.forge.set_status(head, Status(state=StatusState.failure, description="NO"))
    assert (local.folder / "pulls/0001.evaluation.md").read_text() == (
        "---\npull_request: 1\nmarker: evaluation\n---\n\nNO.\n"
    )
    assert (local.folder / f"statuses/{head}.yaml").read_text() == (
        "plumbline/verdict:\n  state: failure\n  description: 'NO'\n  url: null\n"
    )


def test_person_may_close_and_reword_by_hand(local: LocalHarness) -> None:
    """With an editor that writes other line ends."""
    head = pushed(local)
    number = opened(local).number
    text = page_of(local).read_text().replace("state: open", "state: closed").replace("- a", "- c")
    page_of(local).write_bytes(text.replace("\n", "\r\n").encode())
    pull = local.forge.pull(number)
    assert (pull.state, pull.head) == (PullState.closed, head)
    assert pull.body == "Why: it is long.\n\n- c\n- b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin with YAML"),
        ("Hello", "does not begin with YAML"),
        ("---\nnumber: 1\n---\n", "title: Field required"),
        ("---\n- a\n---\n", "mapping of names"),
        ("---\n: :\n  - [\n---\n", "not valid YAML"),
        ("---\n!!python/object/apply:os.system [echo]\n---\n", "not valid YAML"),
        ("---\nnumber: 2\ntitle: T\nstate: open\nbranch: b\nbase: main\nhead: x\n---\n",
         "says `number: 2`"),
        ("---\nnumber: 1\ntitle: T\nstate: done\nbranch: b\nbase: main\nhead: x\n---\n", "state: "),
        ("---\nnumber: 1\ntitle: T\nstate: open\nbranch: b\nbase: m\nhead: x\nmore: 1\n---\n",
         "more: Extra"),
    ],
)  # fmt: skip
def test_page_that_says_nonsense_is_named(local: LocalHarness, text: str, said: str) -> None:
    """With the file and what is wrong in it; nothing in it is run."""
    pushed(local)
    opened(local)
    page_of(local).write_text(text)
    with pytest.raises(ForgeError, match=said) as caught:
        local.forge.pull(1)
    assert "0001.md" in str(caught.value)


def test_page_that_is_no_text_is_named(local: LocalHarness) -> None:
    """Bytes that are not UTF-8, and statuses that say nonsense."""
    head = pushed(local)
    opened(local)
    page_of(local).write_bytes(b"---\n\xff\n---\n")
    with pytest.raises(ForgeError, match="not text in UTF-8"):
        local.forge.pull(1)
    (local.folder / "statuses").mkdir()
    for text in ("- x\n", "plumbline/verdict: {state: odd, description: x}\n"):
        (local.folder / f"statuses/{head}.yaml").write_text(text)
        with pytest.raises(ForgeError, match=r"mapping of names|is not a status"):
            local.forge.status_of(head)
    (local.folder / f"statuses/{head}.yaml").write_text("other: 1\n")
    assert local.forge.status_of(head) is None


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TEXT, TEXT, st.lists(TEXT, max_size=3))
@example("a\x85b", "\u2028", ["\x85", "\u2029 ", "plain"])
def test_any_text_comes_back_from_a_page(
    tmp_path: Path, title: str, body: str, labels: list[str]
) -> None:
    """Lines of dashes, quotes, dates and numbers too."""
    pages = Pages(tmp_path)
    front = Front(
        number=1, title=title, state=PullState.open, branch="b", base="main", head="x",
        labels=tuple(labels),
    )  # fmt: skip
    pages.write_pull(front, body)
    assert pages.pull(1) == (front, body)
    pages.write_comment(1, "evaluation", body)
    assert pages.comments(1) == {"evaluation": body}


def test_empty_forge_is_reported(tmp_path: Path) -> None:
    """Reading from a forge to which nothing was pushed makes nothing."""
    with pytest.raises(MissingError, match="local forge in forge is empty"):
        LocalForge(tmp_path / "forge").pull(1)
    assert not (tmp_path / "forge").exists()


def test_base_follows_the_local_branch(local: LocalHarness) -> None:
    """The embedded forge has nobody else who pushes to it."""
    later = commit(local.user, "main", file="other.py")
    git(local.user, "update-ref", "refs/heads/main", later)
    assert local.forge.base_commit(local.user, "main") == later
    assert git(local.bare, "rev-parse", "main") == later


def test_repository_that_was_half_made_is_completed(local: LocalHarness, originals: Path) -> None:
    """Git was killed while it began."""
    shutil.rmtree(local.bare)
    local.bare.mkdir()
    (local.bare / "HEAD.lock").write_text("")
    (local.bare / "HEAD.lock").unlink()
    local.forge.base_commit(local.user, "main")
    pushed(local)
    assert opened(local).number == 1


SCRIPT = """\
import sys
from pathlib import Path
from self_improve.forge.local import LocalForge
folder, branch, count = sys.argv[1:]
forge = LocalForge(Path(folder))
for at in range(int(count)):
    pull = forge.open_pull(branch=branch, base="main", title=branch, body="B", labels=["x"])
    forge.comment(pull.number, "evaluation", branch * 1000)
    forge.label(pull.number, add=[f"l{at}"])
"""


def test_two_processes_share_it(local: LocalHarness) -> None:
    """Each gets its own number, and no label of either is lost."""
    for name in ("one", "two"):
        pushed(local, name, text=name)
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(local.folder), name, "6"])
        for name in ("one", "two")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    pulls = [local.forge.pull(number) for number in (1, 2)]
    assert sorted(pull.branch for pull in pulls) == ["one", "two"]
    for pull in pulls:
        assert set(pull.labels) == {"x", *(f"l{at}" for at in range(6))}
        assert local.forge.comments(pull.number) == {"evaluation": pull.branch * 1000}
    with pytest.raises(MissingError):
        local.forge.pull(3)


SHIM = """\
#!/bin/sh
echo x >> {folder}/count
if [ "$(wc -l < {folder}/count)" -eq {at} ]; then
  {git} "$@"
  kill -9 $PPID
  exit 1
fi
exec {git} "$@"
"""


def run_and_die(local: LocalHarness, head: str, folder: Path, at: int) -> bool:
    """Go through a pull request's life in a child that is killed after its n-th git."""
    folder.mkdir()
    (folder / "git").write_text(SHIM.format(folder=folder, at=at, git=shutil.which("git")))
    (folder / "git").chmod(0o755)
    child = os.fork()
    if child == 0:
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        try:
            life(local, head)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def life(local: LocalHarness, head: str) -> None:
    """Push, open, comment, tell and merge, as an iteration would."""
    local.forge.push(local.user, BRANCH, head)
    number = (local.forge.pull_of(BRANCH) or opened(local)).number
    local.forge.comment(number, "evaluation", "YES.")
    local.forge.set_status(head, Status(state=StatusState.success, description="YES"))
    local.forge.merge(number, head=head)


def test_kill_at_any_git_makes_nothing_twice(
    local: LocalHarness, originals: Path, tmp_path: Path
) -> None:
    """The same calls end with one pull request, one comment and one merge."""
    head = commit(local.user, "main")
    at, died = 1, True
    while died:
        shutil.rmtree(local.folder)
        local.forge.base_commit(local.user, "main")
        died = run_and_die(local, head, tmp_path / f"shim{at}", at)
        life(local, head)
        assert local.forge.pull(1).state is PullState.merged
        assert git(local.bare, "rev-list", "--count", "--merges", "main") == "1"
        assert local.forge.pull(1).merged_as == git(local.bare, "rev-parse", "main")
        assert sorted(p.name for p in (local.folder / "pulls").glob("*.md")) == [
            "0001.evaluation.md", "0001.md",
        ]  # fmt: skip
        at += 3
    assert at > 20


def test_first_pushes_at_once_all_arrive(tmp_path: Path, originals: Path) -> None:
    """Four commands begin with the same forge, which does not exist yet."""
    local = harness.local(tmp_path, originals)
    shutil.rmtree(local.folder)
    code = (
        "import sys; from pathlib import Path; from self_improve.forge.local import LocalForge; "
        "sys.stdin.read(1); "
        "print(LocalForge(Path(sys.argv[1])).base_commit(Path(sys.argv[2]), 'main'))"
    )
    words = [sys.executable, "-c", code, str(local.folder), str(local.user)]
    processes = [
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    outputs = [process.communicate("go") for process in processes]
    tip = git(local.user, "rev-parse", "main")
    assert [out.strip() for out, _ in outputs] == [tip] * 4, outputs
