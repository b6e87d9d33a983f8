"""A zip behind an http or https address, fetched without trusting the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx

from prompt_lab.dataset import Plan
from prompt_lab.errors import LabError
from prompt_lab.offer import Arrival, Sink
from prompt_lab.progress import Listener

_MOST_REDIRECTS = 5
_CONDITION = "If-None-Match"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """The longest silence and the longest download, in seconds."""

    silence: float = 30
    total: float = 1800


@dataclass(frozen=True, kw_only=True)
class RemoteZip:
    """A zip on a server."""

    plan: str
    split: str
    url: str
    patience: Patience = Patience()

    @property
    def called(self) -> str:
        """The zip as messages name it: its address without a password."""
        return public(self.url)

    def bring(
        self, target: Path, *, recorded: Plan | None, most: int, listener: Listener
    ) -> Arrival | None:
        """Download the zip, unless the server still has the version in `recorded`."""
        sink = partial(Sink, target, called=self.called, most=most, listener=listener)
        try:
            return asyncio.run(self._download(sink, recorded, listener))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(str(error) or type(error).__name__) from error
        except TimeoutError as error:
            raise self._error(f"it took longer than {self.patience.total:g} seconds") from error

    async def _download(
        self, sink: Callable[[], Sink], recorded: Plan | None, listener: Listener
    ) -> Arrival | None:
        headers = {"Accept-Encoding": "identity"}
        if recorded is not None and recorded.etag and recorded.url == self.called:
            headers[_CONDITION] = recorded.etag
        # The client's own limit is per read; a slow drip would never reach it.
        async with (
            asyncio.timeout(self.patience.total),
            httpx.AsyncClient(timeout=self.patience.silence) as client,
            self._answer(client, client.build_request("GET", self.url, headers=headers)) as answer,
        ):
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return None
            with sink() as file:
                length = _length(answer)
                file.expect(length or 0)
                listener.began(self.plan, length)
                async for chunk in answer.aiter_bytes():
                    file.write(chunk)
            return Arrival(sha256=file.sha256, url=self.called, etag=_strong(answer))

    @asynccontextmanager
    async def _answer(
        self, client: httpx.AsyncClient, request: httpx.Request
    ) -> AsyncIterator[httpx.Response]:
        # Redirects are followed here: httpx would read the body of each into memory.
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await client.send(request, stream=True)
            unchanged = answer.status_code == httpx.codes.NOT_MODIFIED
            try:
                if answer.is_success or (unchanged and _CONDITION in request.headers):
                    yield answer
                    return
            finally:
                await answer.aclose()
            request = self._following(request, answer)
        raise self._error(f"the server redirects more than {_MOST_REDIRECTS} times")

    def _following(self, request: httpx.Request, answer: httpx.Response) -> httpx.Request:
        following = answer.next_request
        if following is None:
            raise self._error(f"the server answers {answer.status_code} {answer.reason_phrase}")
        safe = ("http", "https") if request.url.scheme == "http" else ("https",)
        if following.url.scheme not in safe:
            raise self._error(
                f"the server redirects to a {following.url.scheme}:// address, which is not safe"
            )
        return following

    def _error(self, cause: str) -> LabError:
        return LabError(
            f"{self.called} cannot be downloaded: {cause}. "
            "Check the address and the connection, then run the same command again."
        )


def public(url: str) -> str:
    """Return an address without any user name and password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _length(response: httpx.Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _strong(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag")
    # A weak one promises the same meaning, not the same bytes.
    return etag if etag and etag.startswith('"') else None
