"""A piece of work that outlives its process: its folder, what identifies it, and its lock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from model_gateway.attempt import digest_of
from model_gateway.foreign_files import read_json_object
from prompt_lab import atomic
from prompt_lab.claim import claim
from prompt_lab.layout import Layout

IDENTITY = "order.json"
"""The file that says what was asked for; data repos have called it so from the beginning."""


@dataclass(frozen=True)
class WorkFolder(ABC):
    """The folder of one piece of work, in which the same command finds and resumes it.

    `KIND` names the kind of work in the names of locks and of scratch directories.
    """

    layout: Layout
    path: Path

    KIND: ClassVar[str]

    @property
    def id(self) -> str:
        """The name by which other records refer to it."""
        return self.path.name

    @property
    def identity(self) -> dict[str, Any]:
        """What was asked for, with the digest of it."""
        return read_json_object(self.path / IDENTITY)

    @property
    def scratch(self) -> Path:
        """The directory for intermediate files. Not versioned."""
        return self.layout.scratch / f"{self.KIND}s" / self.id

    @property
    def lock_name(self) -> str:
        """The name of the lock that a process holds while it works on it."""
        return f"{self.KIND.replace('_', '-')}-{self.id}"

    def lock(self) -> AbstractContextManager[int]:
        """Return the lock that makes this process the only one to work on it.

        Raises:
            LabError: on entering, if another process holds it.
        """
        return claim(self.layout, self.lock_name)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the JSON values of a file, or None if the file does not exist."""
        path = self.path / name
        if not path.is_file():
            return None
        return read_json_object(path)

    def relative(self, path: Path) -> str:
        """Return how records name a path in the data repo."""
        return path.resolve().relative_to(self.layout.root.resolve()).as_posix()

    @classmethod
    @abstractmethod
    def all(cls, layout: Layout) -> list[Self]:
        """Return the folders of all work of this kind, in the order in which it was begun."""

    @classmethod
    def latest(cls, layout: Layout, identity: Mapping[str, Any]) -> Self | None:
        """Return the latest work with this identity, finished or not."""
        digest = digest_of(identity)
        same = [folder for folder in cls.all(layout) if folder.identity.get("digest") == digest]
        return same[-1] if same else None

    @classmethod
    def _create(cls, layout: Layout, path: Path, identity: Mapping[str, Any], **facts: Any) -> Self:
        """Create the folder with its identity in it; the caller holds the lock on new names."""
        fresh = layout.scratch / f"{cls.KIND.replace('_', '-')}-{path.name}"
        fresh.mkdir(parents=True, exist_ok=True)
        row = {**identity, "digest": digest_of(identity), **facts}
        atomic.write_json(fresh / IDENTITY, row)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(path)
        return cls(layout, path)
