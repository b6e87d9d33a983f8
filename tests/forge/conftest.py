"""One loopback server for all tests; prism stands before it where `make test-forge` asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forge import harness, prism
from tests.forge.harness import GitHubHarness, Harness
from tests.forge.server import Server

CHECK = "PLUMBLINE_TEST_FORGE"


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> prism.Seen:
    """Return what prism sees, nothing where it is not asked."""
    return pytestconfig.stash.setdefault(prism.SEEN, prism.Seen())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, seen: prism.Seen) -> Iterator[Server]:
    """Return the loopback server; behind prism if the environment says so."""
    server = Server()
    if os.environ.get(CHECK):
        with prism.checked(server.address, tmp_path_factory.mktemp("prism"), seen) as server.public:
            yield server
    else:
        yield server
    server.stop()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("GIT")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(autouse=True)
def _no_violations(seen: prism.Seen) -> Iterator[None]:
    before = len(seen.violations)
    yield
    assert seen.violations[before:] == []


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return repositories to be copied."""
    return harness.originals(tmp_path_factory.mktemp("originals"))


@pytest.fixture
def github(tmp_path: Path, originals: Path, server: Server) -> GitHubHarness:
    """Return GitHub alone."""
    return harness.github(tmp_path, originals, server)


@pytest.fixture(params=["local", "github"])
def there(
    request: pytest.FixtureRequest, tmp_path: Path, originals: Path, server: Server
) -> Harness:
    """Return every forge in turn, with `main` on it."""
    if request.param == "local":
        return harness.local(tmp_path, originals)
    return harness.github(tmp_path, originals, server)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what prism saw."""
    if os.environ.get(CHECK) and prism.SEEN in config.stash:
        terminalreporter.write_line(config.stash[prism.SEEN].summary())
