"""A whole iteration whose pull request is on GitHub, at the loopback server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from self_improve.forge.forge import PullState, StatusState
from self_improve.forge.github import GitHubForge
from self_improve.iteration.command_line import main
from tests.forge.conftest import CHECK
from tests.forge.harness import git
from tests.forge.server import TOKEN, Repo, Server
from tests.self_improve.iteration.conftest import GOOD, WEAK, IterationSite, lab_template, make_site

__all__ = ["lab_template", "make_site"]

NAME = "owner/pipeline"
FAST = ("--skip-downstream", "--skip-spot-check")


needs_time = pytest.mark.skipif(not os.environ.get(CHECK), reason="only in `make test-forge`")


@pytest.fixture
def on_github(
    tmp_path: Path,
    server: Server,
    make_site: Callable[[str], IterationSite],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], IterationSite]:
    """Return a function that creates a site whose remote is on GitHub."""

    def make(prompt: str) -> IterationSite:
        site = make_site(prompt)
        bare = tmp_path / "remote.git"
        git(tmp_path, "clone", "-q", "--bare", str(site.code), str(bare))
        git(bare, "config", "http.receivepack", "true")
        server.repos[NAME] = Repo(NAME, bare)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_API_URL", server.public)
        monkeypatch.setenv("GITHUB_REPOSITORY", NAME)
        return site

    return make


@pytest.fixture
def site(on_github: Callable[[str], IterationSite]) -> IterationSite:
    """Return a site with a good prompt."""
    return on_github(GOOD)


@needs_time
def test_better_prompt_is_open_and_not_merged(
    on_github: Callable[[str], IterationSite], server: Server
) -> None:
    """YES of simulated models is written on the pull request and is not a success."""
    site = on_github(WEAK)
    before = git(server.repos[NAME].bare, "rev-parse", "main")
    assert site.run(GOOD, "--forge", "github", "--merge-on-yes") == 0
    forge = GitHubForge.from_environment(NAME)
    pull = forge.pull(1)
    assert pull.state is PullState.open
    assert "simulated-yes" in pull.labels
    [comment] = forge.comments(1).values()
    assert "## SIMULATED YES" in comment
    status = forge.status_of(pull.head)
    assert status is not None
    assert status.state is StatusState.failure
    assert git(server.repos[NAME].bare, "rev-parse", "main") == before


@needs_time
def test_reworded_prompt_has_the_analysis_on_its_pull_request(site: IterationSite) -> None:
    """INCONCLUSIVE stays open, and what the agents said is there to read."""
    reworded = GOOD.replace("You advise people", "You counsel people", 1)
    assert site.run(reworded, "--forge", "github") == 0
    forge = GitHubForge.from_environment(NAME)
    assert forge.pull(1).state is PullState.open
    [comment] = forge.comments(1).values()
    assert "## SIMULATED INCONCLUSIVE" in comment
    assert "<details>" in comment


def test_worse_prompt_is_closed_with_its_verdict(
    site: IterationSite, capfd: pytest.CaptureFixture[str]
) -> None:
    """Branch, pull request, status, label and one comment; the token is nowhere."""
    assert site.run(WEAK, *FAST, "--forge", "github") == 1
    forge = GitHubForge.from_environment(NAME)
    pull = forge.pull(1)
    assert pull.state is PullState.closed
    assert "simulated-no" in pull.labels
    assert "+Give each effect as a figure" in pull.body
    [comment] = forge.comments(1).values()
    assert "## SIMULATED NO" in comment
    status = forge.status_of(pull.head)
    assert status is not None
    assert status.state is StatusState.failure
    assert status.description.startswith("SIMULATED NO")
    said = capfd.readouterr()
    assert TOKEN not in said.out + said.err
    for path in site.layout.root.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            assert TOKEN.encode() not in path.read_bytes()


def test_pull_request_of_somebody_else_is_judged(
    site: IterationSite, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commit at its head is measured, and the pull request says that it is code."""
    site.run(WEAK, *FAST, "--forge", "github")
    repo = server.repos[NAME]
    [branch] = [
        b for b in git(repo.bare, "branch", "--format=%(refname:short)").split() if "/" in b
    ]
    git(repo.bare, "branch", "theirs", branch)
    number = server.add(repo, {"title": "Theirs", "head": "theirs", "base": "main"})["number"]
    words = site.words(WEAK, *FAST, "--forge", "github")
    place = words.index("--prompt")
    code = main([*words[:place], "--pr", str(number), *words[place + 2 :]])
    assert code == 1
    assert "SIMULATED NO" in capfd.readouterr().err
    pull = GitHubForge.from_environment(NAME).pull(number)
    assert {"simulated-no", "code"} <= set(pull.labels)


def test_closed_pull_request_is_refused(
    site: IterationSite, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only an open one is judged."""
    site.run(WEAK, *FAST, "--forge", "github")
    words = site.words(WEAK, *FAST, "--forge", "github")
    place = words.index("--prompt")
    assert main([*words[:place], "--pr", "1", *words[place + 2 :]]) == 2
    assert "only an open pull request is judged" in capfd.readouterr().err
