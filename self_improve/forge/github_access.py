"""Which repository on which GitHub, and the token for it, which is never shown."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from self_improve.errors import UsageError
from self_improve.forge.remote import Remote

TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of the variable
API = "GITHUB_API_URL"
PUBLIC = "https://api.github.com"

_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, kw_only=True)
class Access:
    """The repository `OWNER/NAME` on the GitHub whose interface is at `api`.

    The token stays in memory: it goes into a header of each request and into the environment of
    each `git push`, and `clean` takes it out of answers. `git` is the address of the repository,
    if it is not GitHub's usual one.
    """

    repository: str
    token: str = field(repr=False)
    api: str = PUBLIC
    git: str | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UsageError: the name is not OWNER/NAME, or the token would be sent unencrypted.
        """
        if not _NAME.fullmatch(self.repository) or self.repository.endswith(("/.", "/..")):
            raise UsageError(f"{self.repository!r} is not a GitHub repository: use OWNER/NAME.")
        for address in (self.api, self.git or self.api):
            parts = urlsplit(address)
            if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
                raise UsageError(f"{address} would send the token unencrypted: use https.")

    @property
    def owner(self) -> str:
        """The user or organization that owns the repository."""
        return self.repository.partition("/")[0]

    @property
    def site(self) -> str:
        """Scheme and host of its pages and repositories."""
        parts = urlsplit(self.api)
        netloc = "github.com" if self.api.rstrip("/") == PUBLIC else parts.netloc
        return f"{parts.scheme}://{netloc}"

    @property
    def name(self) -> str:
        """The name of the repository in messages."""
        return f"{self.repository} on {urlsplit(self.site).netloc}"

    @property
    def remote(self) -> Remote:
        """Its git side, with settings that let git push with this token only."""
        address = self.git or f"{self.site}/{self.repository}.git"
        parts = urlsplit(address)
        header = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
        settings = (
            ("credential.helper", ""),
            (header, ""),  # What a checkout in CI has set would be sent twice.
            (header, f"Authorization: Basic {self._basic}"),
        )
        return Remote(address=address, called=self.name, settings=settings, clean=self.clean)

    def clean(self, text: str) -> str:
        """Return a text without the token in it."""
        for secret in (self.token, self._basic):
            text = text.replace(secret, "***")
        return text

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"x-access-token:{self.token}".encode()).decode()


def from_environment(repository: str) -> Access:
    """Return the access by the token in GITHUB_TOKEN, at GITHUB_API_URL or on github.com.

    Raises:
        UsageError: there is no token, or something about the repository is wrong.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise UsageError(
            f"{TOKEN} is not set. Set it to a token that may write to {repository}, or choose "
            "--forge local."
        )
    api = (os.environ.get(API) or PUBLIC).rstrip("/")
    return Access(repository=repository, token=token, api=api)
