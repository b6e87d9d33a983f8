"""Downloads from a real server that is slow, wrong or hostile."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prompt_lab.dataset import Plan
from prompt_lab.download import Patience, RemoteZip, public
from prompt_lab.errors import LabError
from prompt_lab.offer import Arrival
from tests.prompt_lab.conftest import Heard
from tests.prompt_lab.server import Behaviour, Server, content, drip, serving, status

DATA = bytes(range(256)) * 400


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server on loopback."""
    with serving() as server:
        yield server


def _bring(
    url: str, target: Path, *, most: int = 1_000_000, listed: Plan | None = None, **patience: float
) -> Arrival | None:
    offer = RemoteZip(plan="silo", split="train", url=url, patience=Patience(**patience))
    return offer.bring(target, recorded=listed, most=most, listener=Heard())


def _refused(server: Server, behaviour: Behaviour, tmp_path: Path, **patience: float) -> str:
    server.paths["/silo.zip"] = behaviour
    with pytest.raises(LabError) as caught:
        _bring(f"{server.address}/silo.zip", tmp_path / "part", **patience)  # type: ignore[arg-type]
    assert f"{server.address}/silo.zip" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("length", [-1, None])
def test_zip_arrives_whole(server: Server, tmp_path: Path, length: int | None) -> None:
    """With and without an announced length the bytes and their digest are right."""
    server.paths["/silo.zip"] = content(DATA, length=length)
    arrival = _bring(f"{server.address}/silo.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert arrival == Arrival(
        sha256=hashlib.sha256(DATA).hexdigest(), url=f"{server.address}/silo.zip"
    )


def test_unchanged_zip_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    """A strong tag that is known from this address saves the download."""
    url = f"{server.address}/silo.zip"
    server.paths["/silo.zip"] = content(DATA, etag='"v1"')
    arrival = _bring(url, tmp_path / "part")
    assert arrival is not None
    listed = Plan(name="silo", sha256=arrival.sha256, url=arrival.url, etag=arrival.etag)
    assert _bring(url, tmp_path / "other", listed=listed) is None
    elsewhere = listed.model_copy(update={"url": "http://example.org/silo.zip"})
    assert _bring(url, tmp_path / "other", listed=elsewhere) == arrival
    assert server.requests == [("/silo.zip", 200), ("/silo.zip", 304), ("/silo.zip", 200)]


def test_weak_tag_is_not_trusted(server: Server, tmp_path: Path) -> None:
    """It does not promise the same bytes."""
    server.paths["/silo.zip"] = content(DATA, etag='W/"v1"')
    arrival = _bring(f"{server.address}/silo.zip", tmp_path / "part")
    assert arrival is not None
    assert arrival.etag is None


@pytest.mark.parametrize("code", [304, 401, 403, 404, 429, 500, 503])
def test_refusal_of_the_server_is_reported(server: Server, tmp_path: Path, code: int) -> None:
    """The code stands in the message, and nothing is written."""
    assert f"the server answers {code}" in _refused(server, status(code), tmp_path)
    assert not (tmp_path / "part").exists()


def test_connection_cut_in_mid_body_is_reported(server: Server, tmp_path: Path) -> None:
    """Fewer bytes than announced are not a zip."""
    message = _refused(server, content(DATA, length=len(DATA) + 1), tmp_path)
    assert "closed connection" in message


def test_longer_body_than_announced_is_cut(server: Server, tmp_path: Path) -> None:
    """What comes after the announced length is not read; the zip's own check finds the rest."""
    server.paths["/silo.zip"] = content(DATA, length=100)
    _bring(f"{server.address}/silo.zip", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA[:100]


@pytest.mark.parametrize("length", [-1, None])
def test_too_large_is_refused(server: Server, tmp_path: Path, length: int | None) -> None:
    """Announced or not, a zip over the limit is not taken."""
    message = _refused(server, content(DATA, length=length), tmp_path, most=len(DATA) - 1)
    assert "--max-bytes" in message


def test_unpacking_transfer_counts_what_comes_out(server: Server, tmp_path: Path) -> None:
    """A server that compresses although it was not asked cannot get around the limit."""

    def behave(handler) -> None:
        body = gzip.compress(bytes(5_000_000))
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    assert "--max-bytes" in _refused(server, behave, tmp_path)


def test_silence_ends_the_download(server: Server, tmp_path: Path) -> None:
    """A server that says nothing is left."""
    assert "ReadTimeout" in _refused(server, drip(DATA, 5), tmp_path, silence=0.2)


@pytest.mark.parametrize("headers_too", [False, True])
def test_slow_drip_ends_the_download(server: Server, tmp_path: Path, *, headers_too: bool) -> None:
    """Bytes that come just often enough do not keep it alive past its total time."""
    behaviour = drip(DATA, 0.05, headers_too=headers_too)
    began = time.monotonic()
    assert "longer than 0.3 seconds" in _refused(server, behaviour, tmp_path, total=0.3)
    assert time.monotonic() - began < 0.05 * len(DATA)


def test_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    """The zip is recorded under the address that was asked for."""
    server.paths["/silo.zip"] = status(302, Location="/real.zip")
    server.paths["/real.zip"] = content(DATA)
    arrival = _bring(f"{server.address}/silo.zip", tmp_path / "part")
    assert arrival is not None
    assert arrival.url == f"{server.address}/silo.zip"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x", "gopher://x/"])
def test_redirect_to_another_scheme_is_refused(server: Server, tmp_path: Path, target: str) -> None:
    """A server cannot make this machine read its own files."""
    message = _refused(server, status(302, Location=target), tmp_path)
    assert "which is not safe" in message


def test_redirect_without_end_is_refused(server: Server, tmp_path: Path) -> None:
    """A circle is left after a few rounds."""
    assert "more than 5 times" in _refused(server, status(302, Location="/silo.zip"), tmp_path)
    assert len(server.requests) == 6


def test_unreachable_server_is_reported(tmp_path: Path) -> None:
    """Nobody listens there."""
    with pytest.raises(LabError, match=r"Connection refused|All connection attempts failed"):
        _bring("http://127.0.0.1:9/silo.zip", tmp_path / "part")


def test_password_is_in_no_message(server: Server, tmp_path: Path) -> None:
    """An address may hold one; what is said and recorded does not."""
    server.paths["/silo.zip"] = content(DATA)
    url = server.address.replace("//", "//me:secret@")
    arrival = _bring(f"{url}/silo.zip", tmp_path / "part")
    assert arrival is not None
    assert arrival.url == f"{server.address}/silo.zip"
    assert public("https://me:secret@example.org:8/a") == "https://example.org:8/a"
    with pytest.raises(LabError) as caught:
        _bring(f"{url}/other.zip", tmp_path / "other")
    assert "secret" not in str(caught.value)
