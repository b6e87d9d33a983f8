"""Pull requests, comments and statuses as files that people can read and edit by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from model_gateway.foreign_files import read_bytes, read_text, yaml_of
from prompt_lab import atomic
from self_improve.forge.forge import (
    CONTEXT,
    ForgeError,
    MissingError,
    PullState,
    Status,
    StatusState,
    checked_commit,
    checked_marker,
)

_FRONT = re.compile(r"\A---\n(.*?\n)---\n\n?(.*)\Z", re.DOTALL)
_RARE_BREAKS = re.compile("[\x85\u2028\u2029]")
_PULL = re.compile(r"(\d{4,})\.md")


class Front(BaseModel):
    """The front matter of a pull request's file; the head is the one that was last seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    title: str
    state: PullState
    branch: str
    base: str
    head: str
    fork: bool = False
    labels: tuple[str, ...] = ()
    merged_as: str | None = None


class _StatusRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: StatusState
    description: str
    url: str | None = None


class Pages:
    """The files of a local forge. Write only while holding the forge's lock."""

    def __init__(self, folder: Path) -> None:
        self._pulls = folder / "pulls"
        self._statuses = folder / "statuses"

    def numbers(self) -> list[int]:
        """Return the numbers of all pull requests, in order."""
        if not self._pulls.is_dir():
            return []
        matches = [_PULL.fullmatch(path.name) for path in self._pulls.iterdir()]
        return sorted(int(match.group(1)) for match in matches if match)

    def pull(self, number: int) -> tuple[Front, str]:
        """Return a pull request's facts and its text.

        Raises:
            MissingError: none has this number.
            ForgeError: its file is invalid.
        """
        path = self.path(number)
        if not path.is_file():
            raise MissingError(f"{self._pulls} has no pull request {number}.")
        head, body = _read(path)
        try:
            front = Front.model_validate(head)
        except ValidationError as error:
            raise ForgeError(f"{path} is not a pull request: {_message(error)}") from error
        if front.number != number:
            raise ForgeError(f"{path} says `number: {front.number}`; its name says {number}.")
        return front, body

    def write_pull(self, front: Front, body: str) -> None:
        """Write a pull request."""
        _write(self.path(front.number), front.model_dump(mode="json"), body)

    def path(self, number: int) -> Path:
        """Return the file of a pull request."""
        return self._pulls / f"{number:04d}.md"

    def comments(self, number: int) -> dict[str, str]:
        """Return the comments on a pull request by their markers."""
        return {path.name.split(".")[1]: _read(path)[1] for path in self._comment_files(number)}

    def write_comment(self, number: int, marker: str, body: str) -> None:
        """Write a comment."""
        path = self._pulls / f"{number:04d}.{checked_marker(marker)}.md"
        _write(path, {"pull_request": number, "marker": marker}, body)

    def status(self, commit: str) -> Status | None:
        """Return a commit's status, or None if it has none.

        Raises:
            ForgeError: its file is invalid.
        """
        path = self._status_file(commit)
        if not path.is_file():
            return None
        try:
            row = _StatusRow.model_validate(_mapping(path, read_text(path))[CONTEXT])
        except KeyError:
            return None
        except ValidationError as error:
            raise ForgeError(f"{path} is not a status: {_message(error)}") from error
        return Status(state=row.state, description=row.description, url=row.url)

    def write_status(self, commit: str, status: Status) -> None:
        """Write a commit's status."""
        row = {"state": str(status.state), "description": status.description, "url": status.url}
        path = self._status_file(commit)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, _yaml({CONTEXT: row}).encode("utf-8"))

    def _comment_files(self, number: int) -> Iterator[Path]:
        # The leading dot of a file that is being written does not match.
        return iter(sorted(self._pulls.glob(f"{number:04d}.*.md")))

    def _status_file(self, commit: str) -> Path:
        return self._statuses / f"{checked_commit(commit)}.yaml"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = read_bytes(path).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ForgeError(f"{path} is not text in UTF-8.") from error
    match = _FRONT.match(text)
    if match is None:
        raise ForgeError(f"{path} does not begin with YAML between two lines of ---.")
    return _mapping(path, match.group(1)), match.group(2).removesuffix("\n")


def _mapping(path: Path, text: str) -> dict[str, Any]:
    try:
        value, _ = yaml_of(text)
    except ValueError as error:
        raise ForgeError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ForgeError(f"{path} must hold a mapping of names to values.")
    return value


def _write(path: Path, head: dict[str, Any], body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"---\n{_yaml(head)}---\n\n{body}\n"
    atomic.write(path, text.encode("utf-8", "replace"))


class _Dumper(yaml.SafeDumper):
    """Escapes Unicode line breaks, which PyYAML writes unescaped and reads as spaces."""


def _text_of(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _RARE_BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_of)


def _yaml(value: dict[str, Any]) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _message(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
    )
